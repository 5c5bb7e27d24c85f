//! What the variables and profiles of AWS may hold.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::thread;

use crate::service::{Service, queue_and_bucket};
use crate::{SECRET, TOKEN, program, refused, stderr, with_credentials};

/// A variable that is blank is not set, and the service that another one names is asked. Where
/// that refuses the credentials, the settings were taken.
#[test]
fn whatever_the_environment_holds_no_program_panics() {
    let service = Service::start(|_| (403, ""));
    let odd = ["", " ", "\n", "a\nb", "é", "true", "http://", "/dev/null"];
    let long = "x".repeat(100_000);
    let variables = [
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL_SQS",
        "AWS_ENDPOINT_URL_STS",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
        "AWS_CONFIG_FILE",
        "AWS_SHARED_CREDENTIALS_FILE",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_ACCOUNT_ID",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        "AWS_MAX_ATTEMPTS",
        "AWS_RETRY_MODE",
        "AWS_SDK_UA_APP_ID",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_REQUEST_CHECKSUM_CALCULATION",
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        "AWS_S3_DISABLE_EXPRESS_SESSION_AUTH",
        "AWS_SIGV4A_SIGNING_REGION_SET",
        "AWS_AUTH_SCHEME_PREFERENCE",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_NAME",
        "_X_AMZN_TRACE_ID",
        "HOME",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
    ];
    let environments: Vec<_> = variables
        .into_iter()
        .flat_map(|name| odd.iter().copied().chain([&*long]).map(move |value| (name, value)))
        .collect();
    let try_all = |environments: &[(&str, &str)]| {
        for (name, value) in environments {
            let mut eventctl = with_credentials("eventctl");
            eventctl.env("AWS_ENDPOINT_URL", &service.url).env("AWS_LAMBDA_FUNCTION_NAME", "f");
            // Where SQS is not asked at the service it is not asked at all.
            eventctl.env("NO_PROXY", "127.0.0.1").env("HTTPS_PROXY", "http://127.0.0.1:1");
            let output = eventctl.env(name, value).arg("status").output().unwrap();
            let text = stderr(&output);
            let short: String = value.chars().take(20).collect();
            assert_eq!(output.status.code(), Some(2), "{name}={short:?}: {text}");
            assert!(!text.contains("panicked"), "{name}={short:?}: {text}");
            let last = text.lines().last().unwrap();
            assert!(
                last.starts_with("eventctl: ") && last.len() < 1000,
                "{name}={short:?}: {last}"
            );
            assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{name}={short:?}: {text}");
        }
    };
    thread::scope(|scope| {
        for part in environments.chunks(environments.len().div_ceil(4)) {
            scope.spawn(|| try_all(part));
        }
    });
}

#[test]
fn a_blank_endpoint_is_none_and_a_line_end_behind_a_key_is_no_part_of_it() {
    let service = Service::start(|_| (403, ""));
    for name in ["event-consumer", "event-producer", "eventctl"] {
        let mut program = with_credentials(name);
        program.env("AWS_ENDPOINT_URL", "").env("AWS_ENDPOINT_URL_SQS", &service.url);
        program.env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\n").env("STORE_EVENTS_BKT", "events");
        if name == "eventctl" {
            program.arg("status");
        }
        refused(
            &mut program,
            "connect: queue reliable_message_q: the request was refused (HTTP 403)",
        );
    }
    assert_eq!(service.asked().len(), 3);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_named() {
    use std::os::unix::ffi::OsStrExt;
    let bytes = std::ffi::OsStr::from_bytes(b"a\xff");
    for name in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL_SQS"] {
        refused(with_credentials("eventctl").env(name, bytes).arg("status"), name);
    }
}

#[test]
fn the_path_of_an_endpoint_needs_no_slash_and_its_scheme_no_case() {
    for (variable, path) in [("AWS_ENDPOINT_URL", "/path"), ("AWS_ENDPOINT_URL_S3", "/path/")] {
        let service = Service::start(queue_and_bucket);
        let mut consumer = with_credentials("event-consumer");
        consumer.env("AWS_ENDPOINT_URL", service.url.replace("http", "HTTP"));
        consumer.env("STORE_EVENTS_BKT", "events").env(variable, service.url.clone() + path);
        let output = consumer.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        let paths = service.paths();
        assert!(
            paths.iter().any(|path| path.starts_with("/path/events/store_events/")),
            "{paths:?}"
        );
    }
}

/// A bucket has no host name of its own there.
#[test]
fn services_of_a_profile_are_asked_by_the_path() {
    let service = Service::start(queue_and_bucket);
    let url = service.url.replace("127.0.0.1", "localhost");
    let file = std::env::temp_dir().join(format!("event-bins-{}.ini", std::process::id()));
    let services = format!("sqs =\n  endpoint_url = {url}\ns3 =\n  endpoint_url = {url}\n");
    std::fs::write(&file, format!("[default]\nservices = here\n[services here]\n{services}"))
        .unwrap();
    let mut consumer = with_credentials("event-consumer");
    let output = consumer.env("STORE_EVENTS_BKT", "events").env("AWS_CONFIG_FILE", &file).output();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(output.as_ref().unwrap().status.code(), Some(2), "{}", stderr(&output.unwrap()));
    let paths = service.paths();
    assert!(paths.iter().any(|path| path.starts_with("/events/store_events/")), "{paths:?}");
}

#[test]
fn a_proxy_that_is_set_is_named_where_nothing_answers_and_not_its_password() {
    let mut producer = with_credentials("event-producer");
    producer.env("HTTP_PROXY", "http://me:hunter2@127.0.0.1:1");
    // One that is blank is none, and the other spelling counts in its place.
    producer.env("HTTPS_PROXY", " ").env("https_proxy", "http://b:2").env("ALL_PROXY", "");
    let mut pod = producer
        .env("AWS_ENDPOINT_URL", "http://sqs.invalid")
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(pod.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("cannot connect") {
        assert_ne!(log.read_line(&mut text).unwrap(), 0, "{text}");
    }
    pod.kill().unwrap();
    pod.wait().unwrap();
    let proxies = "the proxy: https_proxy is http://b:2, HTTP_PROXY is http://…@127.0.0.1:1";
    assert!(text.contains(proxies) && !text.contains("ALL_PROXY"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let output =
        producer.env("AWS_ENDPOINT_URL", "http://me:hunter2@a").arg("--help").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("hunter2"));
}

#[test]
fn what_was_meant_to_give_credentials_is_named_where_it_gives_none() {
    for (variable, value, text) in [
        (
            "AWS_PROFILE",
            "nobody",
            "AWS_PROFILE is \"nobody\", and no file has a profile of that name",
        ),
        ("AWS_ACCESS_KEY_ID", "a", "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not"),
        ("AWS_ROLE_ARN", "a", "AWS_ROLE_ARN is set and AWS_WEB_IDENTITY_TOKEN_FILE is not"),
    ] {
        let mut eventctl = program("eventctl");
        eventctl.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env(variable, value).arg("status");
        refused(&mut eventctl, text);
    }
}
