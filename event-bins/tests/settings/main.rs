//! What the pods say of wrong settings, and of services that refuse them: one line that names what
//! is at fault, and an exit status. Needs no service.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod aws;
mod service;
mod setup;
mod stopping;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use service::{Answer, Service, queue_and_bucket};

const SECRET: &str = "secret-key-of-mine";
const TOKEN: &str = "session-token-of-mine";

/// A program that sees nothing of the environment of the tests.
fn program(name: &str) -> Command {
    let mut command = Command::new(match name {
        "event-consumer" => env!("CARGO_BIN_EXE_event-consumer"),
        "event-producer" => env!("CARGO_BIN_EXE_event-producer"),
        _ => env!("CARGO_BIN_EXE_eventctl"),
    });
    command.env_clear().stdin(Stdio::null());
    // No look for credentials outside of this machine.
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_REGION", "us-east-1");
    command
}

fn with_credentials(name: &str) -> Command {
    let mut command = program(name);
    command.env("AWS_ACCESS_KEY_ID", "key-of-mine").env("AWS_SECRET_ACCESS_KEY", SECRET);
    command.env("AWS_SESSION_TOKEN", TOKEN);
    command
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// One line on standard error that has this text, and exit status 2.
fn refused(command: &mut Command, text: &str) {
    let output = command.output().unwrap();
    let line = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{command:?}: {line}");
    assert_eq!(line.lines().count(), 1, "{command:?}: {line}");
    assert!(line.contains(text), "{text:?} is not in {line}");
    assert!(output.stdout.is_empty());
}

#[test]
fn wrong_settings_of_the_consumer_are_named() {
    for (variable, value, text) in [
        ("STORE_EVENTS_BKT", "", "--store-events-bkt"),
        ("RELIABLE_QUEUE_NAME", "", "RELIABLE_QUEUE_NAME"),
        ("RELIABLE_QUEUE_NAME", "a queue", "RELIABLE_QUEUE_NAME"),
        ("TOT_MSGS_TO_PROCESS", "0", "1 to 18446744073709551615"),
        ("TOT_MSGS_TO_PROCESS", "99999999999999999999999", "TOT_MSGS_TO_PROCESS"),
        ("MAX_PANICS_PER_MSG", "0", "MAX_PANICS_PER_MSG"),
        ("MAX_MSGS_PER_BATCH", "0", "MAX_MSGS_PER_BATCH"),
        ("MAX_MSGS_PER_BATCH", "11", "1..=10"),
        ("MSG_POLL_BACKOFF", "513", "0 to 512"),
        ("MSG_POLL_BACKOFF", "soon", "MSG_POLL_BACKOFF"),
        ("MSG_PROCESS_DELAY", "-1", "MSG_PROCESS_DELAY"),
        ("MSG_PROCESS_DELAY", "1e300", "0 to 86400"),
        ("SHUTDOWN_GRACE_SECS", "NaN", "SHUTDOWN_GRACE_SECS"),
        ("S3_PREFIX", "../outside", "S3_PREFIX"),
        ("S3_PREFIX", "quarantine", "S3_PREFIX"),
        ("S3_PREFIX", "_events", "hidden from readers"),
        ("S3_PREFIX", "events/_of/mine", "hidden from readers"),
        ("STORE_EVENTS_BKT", "Events", "3 to 63 lower-case"),
        ("STORE_EVENTS_BKT", "s3://events", "STORE_EVENTS_BKT"),
        ("STORE_EVENTS_BKT", "192.168.0.1", "STORE_EVENTS_BKT"),
        ("RELIABLE_QUEUE_NAME", "orders.fifo", "FIFO queues are not supported"),
        ("HTTP_PORT", "65536", "HTTP_PORT"),
        ("HTTP_PORT", "http", "HTTP_PORT"),
        ("LOG_LEVEL", "a=b=c", "LOG_LEVEL"),
        ("LOG_LEVEL", "loud", "error, warn, info"),
        ("LOG_FORMAT", "xml", "expected text or json (or the variable LOG_FORMAT)"),
        ("SHUTDOWN_GRACE_SECS", "25000", "0 to 3600"),
        ("BATCH_MAX_AGE_SECS", "1e9", "BATCH_MAX_AGE_SECS"),
        ("AWS_REGION", "us east", "AWS_REGION"),
        ("AWS_REGION", "", "AWS_REGION"),
        ("AWS_ENDPOINT_URL", "127.0.0.1:4566", "AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL", "ftp://somewhere", "http://host:port"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:99999", "AWS_ENDPOINT_URL"),
        ("AWS_ENDPOINT_URL_S3", "nowhere", "AWS_ENDPOINT_URL_S3"),
        ("AWS_ENDPOINT_URL", "http://me:hunter2@127.0.0.1", "\"http://…@127.0.0.1\""),
        ("AWS_REGION", "us-east-1a", "give its region us-east-1"),
        ("AWS_REGION", "US-EAST-1", "give us-east-1"),
    ] {
        let mut consumer = with_credentials("event-consumer");
        refused(consumer.env("STORE_EVENTS_BKT", "events").env(variable, value), text);
    }
    refused(&mut with_credentials("event-consumer"), "STORE_EVENTS_BKT");
    let mut misspelt = with_credentials("event-consumer");
    let text = "(or the variable STORE_EVENTS_BKT; STORE_EVENTS_BUCKET is set: did you mean it?)";
    // Of several the one that is missing.
    misspelt.env("AWS_ENDPOINT_URI", "x").env("S3_PERFIX", "x");
    refused(misspelt.env("STORE_EVENTS_BUCKET", "events"), text);
    let misspelt = with_credentials("event-consumer");
    refused(
        { misspelt }.args(["--tot-msg-to-process", "1"]),
        "did you mean --tot-msgs-to-process?",
    );
    refused(with_credentials("event-consumer").arg("stray"), "stray");
}

#[test]
fn wrong_settings_of_the_producer_are_named() {
    for (variable, value, text) in [
        ("TOT_MSGS_TO_PRODUCE", "0", "TOT_MSGS_TO_PRODUCE"),
        ("TOT_MSGS_TO_PRODUCE", "-5", "unlimited"),
        ("WAIT_SECS_BETWEEN_MSGS", "1e9", "0 to 86400"),
        ("WAIT_SECS_BETWEEN_MSGS", "two", "WAIT_SECS_BETWEEN_MSGS"),
        ("TRIGGER_RANDOM_FAILURES", "maybe", "TRIGGER_RANDOM_FAILURES"),
        ("RELIABLE_QUEUE_NAME", "queue/of/mine", "RELIABLE_QUEUE_NAME"),
        (
            "RELIABLE_QUEUE_NAME",
            "https://sqs.us-east-1.amazonaws.com/123456789012/orders.fifo",
            "FIFO queues are not supported",
        ),
        ("SHUTDOWN_GRACE_SECS", "-1", "SHUTDOWN_GRACE_SECS"),
    ] {
        refused(with_credentials("event-producer").env(variable, value), text);
    }
    for (argument, value, text) in [
        ("--input", "/nowhere/messages.ndjson", "/nowhere/messages.ndjson"),
        ("--duplicate-rate", "2", "--duplicate-rate"),
        ("--invalid-rate", "-0.1", "--invalid-rate"),
        ("--seed", "x", "--seed"),
    ] {
        refused(with_credentials("event-producer").args([argument, value]), text);
    }
}

/// A variable is misspelt by guess, which must never keep a pod from its work.
#[test]
fn a_variable_that_may_be_misspelt_is_told_and_refuses_nothing() {
    let service = Service::start(|_| {
        (200, r#"{"QueueUrl": "http://127.0.0.1/000000000000/orders", "Attributes": {}}"#)
    });
    let mut producer = with_credentials("event-producer");
    producer.env("AWS_ENDPOINT_URL", &service.url).env("RELIABLE_QUEUENAME", "orders");
    // What Kubernetes sets for Services of the names `event-consumer` and `http-ports`.
    producer
        .env("EVENT_CONSUMER_PORT", "tcp://10.0.0.1:80")
        .env("HTTP_PORTS_PORT", "tcp://10.0.0.1:1");
    let output = producer.args(["--input", "-"]).output().unwrap();
    let text = stderr(&output);
    assert!(
        text.contains("RELIABLE_QUEUENAME is not known: did you mean RELIABLE_QUEUE_NAME?"),
        "{text}"
    );
    assert_eq!(text.matches("did you mean").count(), 1, "{text}");
    // So far it came.
    assert_eq!(output.status.code(), Some(2), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("event-producer: standard input is empty"), "{last}");
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_written_ends_with_a_status_that_says_so() {
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let service = Service::start(|_| {
        let body = r#"{"QueueUrl": "http://127.0.0.1/000000000000/orders", "Attributes": {
            "ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "0",
            "ApproximateNumberOfMessagesNotVisible": "0"}}"#;
        (200, body)
    });
    for arguments in [&["status", "--json"][..], &["status"], &["--help"]] {
        let mut eventctl = with_credentials("eventctl");
        eventctl.env("AWS_ENDPOINT_URL", &service.url).args(arguments);
        let output = eventctl.stdout(full()).output().unwrap();
        let text = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
        assert!(text.contains("eventctl: standard output cannot be written: "), "{text}");
    }
    for name in ["event-consumer", "event-producer", "eventctl"] {
        let mut program = with_credentials(name);
        let output = program.arg("--frobnicate").stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}");
    }
}

#[test]
fn wrong_arguments_of_eventctl_are_named() {
    let eventctl = |arguments: &[&str], text| {
        refused(with_credentials("eventctl").args(arguments), text);
    };
    let alone = with_credentials("eventctl").output().unwrap();
    assert_eq!(alone.status.code(), Some(2));
    assert!(stderr(&alone).contains("Usage: eventctl") && alone.stdout.is_empty());
    eventctl(&["frobnicate"], "frobnicate");
    eventctl(&["setup", "--existing", "kept"], "expected one of refuse, keep, update; did you");
    eventctl(&["setup", "--lower-retention"], "give --existing update as well");
    eventctl(&["setup", "--store-events-bkt", "No_Bucket"], "STORE_EVENTS_BKT");
    eventctl(&["setup", "--reliable-queue-name", "a b"], "RELIABLE_QUEUE_NAME");
    eventctl(&["setup", "--reliable-queue-name", "q.fifo"], "RELIABLE_QUEUE_NAME");
    eventctl(&["status", "--s3-prefix", ".."], "S3_PREFIX");
    eventctl(&["status", "--store-events-bkt", "No_Bucket"], "3 to 63 lower-case");
    eventctl(&["audit", "--store-events-bkt", "No_Bucket"], "3 to 63 lower-case");
    eventctl(&["compact", "--store-events-bkt", "x"], "3 to 63 lower-case");
    eventctl(&["status", "--aws-region", "?"], "AWS_REGION");
    eventctl(&["audit"], "STORE_EVENTS_BKT");
    let audit = |arguments: &[&str], text| {
        eventctl(&[&["audit", "--store-events-bkt", "events"], arguments].concat(), text);
    };
    audit(&["--from", "2026-11-23", "--to", "2026-11-22"], "--from 2026-11-23 is after");
    audit(&["--from", "22.11.2026"], "give a day like 2026-11-22");
    audit(&["--sent", "1e3"], "give a number of events");
    audit(&["--sent", "1", "--sent-file", "x"], "--sent-file");
    audit(&["--sent-file", "/nowhere/sent"], "/nowhere/sent is not there");
    audit(&["--sent-file", "/dev/null"], "/dev/null is empty");
    audit(&["--sent-file", "/"], "is a directory");
    let own = env!("CARGO_BIN_EXE_eventctl");
    audit(&["--sent-file", own], "line 1: this is not UTF-8: give a message");
    let file = tempfile::NamedTempFile::new().unwrap();
    let lines: Vec<_> = (1..=1500).map(|number| format!("id-{number}\n").into_bytes()).collect();
    std::fs::write(file.path(), [&lines.concat()[..], b"\xff\n\xfe\n"].concat()).unwrap();
    audit(&["--sent-file", file.path().to_str().unwrap()], "line 1501: this is not UTF-8");
    let compact = |arguments: &[&str], text| {
        eventctl(&[&["compact", "--store-events-bkt", "events"], arguments].concat(), text);
    };
    compact(&["--from", "2026-11-23", "--to", "2026-11-22"], "--from 2026-11-23 is after");
    compact(&["--from", "2099-12-31"], "--closed-days");
    compact(&["--target-bytes", "0"], "1 to 1073741824");
    compact(&["--target-bytes", "64MiB"], "1 to 1073741824");
    compact(&["--closed-days", "-1"], "--closed-days");
    compact(&["--compression", "lz4"], "none, gzip or zstd");
    compact(&["--s3-prefix", "compacted"], "S3_PREFIX");
}

#[test]
fn help_and_version_are_results() {
    for name in ["event-consumer", "event-producer", "eventctl"] {
        for (argument, text) in [("--help", "Exit status: 0"), ("--version", name)] {
            let output = with_credentials(name).arg(argument).output().unwrap();
            assert_eq!((output.status.code(), &*stderr(&output)), (Some(0), ""), "{name}");
            let told = String::from_utf8(output.stdout).unwrap();
            assert!(told.contains(text), "{told}");
        }
    }
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind(("::", 0)).or_else(|_| TcpListener::bind(("0.0.0.0", 0)));
    let port = taken.as_ref().unwrap().local_addr().unwrap().port().to_string();
    refused(with_credentials("event-producer").env("HTTP_PORT", &port), "HTTP_PORT");
}

#[test]
fn without_credentials_the_line_says_how_to_give_some() {
    let mut consumer = program("event-consumer");
    consumer.env("STORE_EVENTS_BKT", "events").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    refused(&mut consumer, "AWS_ACCESS_KEY_ID");
}

#[test]
fn refused_credentials_end_the_pod_in_one_line() {
    let service = Service::start(|_| {
        let body = r#"{"__type": "com.amazon.coral.service#InvalidClientTokenId",
            "message": "The security token included in the request is invalid."}"#;
        (403, body)
    });
    for name in ["event-consumer", "event-producer"] {
        let mut pod = with_credentials(name);
        pod.env("STORE_EVENTS_BKT", "events").env("AWS_ENDPOINT_URL", &service.url);
        refused(&mut pod, "security token included in the request is invalid");
        refused(&mut pod, "check the credentials");
    }
    assert!(service.asked().iter().all(|asked| asked == "getqueueurl"), "{:?}", service.asked());
}

/// A conditional put that is not honoured loses events, whatever the store answers to it.
#[test]
fn a_store_that_knows_no_conditional_put_ends_the_consumer() {
    let answers: [Answer; 2] =
        [
            queue_and_bucket,
            |asked| if asked == "put" { (304, "") } else { queue_and_bucket(asked) },
        ];
    for answer in answers {
        let service = Service::start(answer);
        let mut consumer = with_credentials("event-consumer");
        consumer.env("STORE_EVENTS_BKT", "events").env("AWS_ENDPOINT_URL", &service.url);
        refused(&mut consumer, "If-None-Match");
    }
}

/// S3 says no more than 403 where another account has a bucket of that name.
#[test]
fn a_bucket_of_another_owner_ends_the_consumer_before_it_receives() {
    let service = Service::start(|asked| match asked {
        "getqueueurl" => (200, r#"{"QueueUrl": "http://127.0.0.1/000000000000/orders"}"#),
        "getqueueattributes" => (200, r#"{"Attributes": {"VisibilityTimeout": "30"}}"#),
        _ => (403, ""),
    });
    let mut consumer = with_credentials("event-consumer");
    consumer.env("STORE_EVENTS_BKT", "events").env("AWS_ENDPOINT_URL", &service.url);
    refused(&mut consumer, "account 000000000000's (STORE_EVENTS_BKT_OWNER)");
    assert_eq!(service.asked(), ["getqueueurl", "getqueueattributes", "head"]);
    for (owner, text) in [
        ("", "account 000000000000's (STORE_EVENTS_BKT_OWNER)"),
        ("123456789012", "account 123456789012's (STORE_EVENTS_BKT_OWNER)"),
        ("me", "STORE_EVENTS_BKT_OWNER is \"me\", which is not an AWS account"),
    ] {
        refused(consumer.env("STORE_EVENTS_BKT_OWNER", owner), text);
    }
}

/// For whoever reads logs by machine, the line of the end is one as well.
#[test]
fn the_last_words_are_json_where_logs_are() {
    let service = Service::start(|_| (403, ""));
    let mut pod = with_credentials("event-producer");
    pod.env("AWS_ENDPOINT_URL", &service.url).env("LOG_FORMAT", "json").env("LOG_LEVEL", "off");
    let output = pod.output().unwrap();
    let line: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!((&line["level"], &line["target"]), (&"ERROR".into(), &"event-producer".into()));
    assert!(line["message"].as_str().unwrap().starts_with("connect: queue "), "{line}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_service_that_is_not_there_is_waited_for_and_then_named() {
    let mut producer = with_credentials("event-producer");
    let output = producer.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").output().unwrap();
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let last = text.lines().last().unwrap();
    assert!(last.starts_with("event-producer: ") && last.contains("AWS_ENDPOINT_URL"), "{last}");
}

#[test]
fn no_log_has_a_secret_however_much_is_logged() {
    let service = Service::start(|_| (500, "{}"));
    for format in ["text", "json"] {
        let mut pod = with_credentials("event-producer");
        pod.env("AWS_ENDPOINT_URL", &service.url)
            .env("LOG_LEVEL", "trace")
            .env("LOG_FORMAT", format);
        let mut pod = pod.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(pod.stderr.take().unwrap());
        let mut text = String::new();
        // Until it has asked and was answered.
        while !text.contains("trying again") {
            assert_ne!(log.read_line(&mut text).unwrap(), 0, "{text}");
        }
        pod.kill().unwrap();
        pod.wait().unwrap();
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
}
