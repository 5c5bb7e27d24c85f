//! How a pod ends that is told to stop while it waits for its services.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::service::{Service, queue_and_bucket};
use crate::with_credentials;

/// Before a message was touched: a job of a number of messages is not done. That the services are
/// away is one warning, at once.
#[cfg(unix)]
#[test]
fn a_pod_that_is_stopped_before_its_total_is_reached_ends_with_4() {
    for (number, (name, variable, total, status)) in [
        ("event-producer", "TOT_MSGS_TO_PRODUCE", None, 4),
        ("event-producer", "TOT_MSGS_TO_PRODUCE", Some("5"), 4),
        ("event-producer", "TOT_MSGS_TO_PRODUCE", Some("unlimited"), 0),
        ("event-consumer", "TOT_MSGS_TO_PROCESS", None, 4),
        ("event-consumer", "TOT_MSGS_TO_PROCESS", Some("unlimited"), 0),
    ]
    .into_iter()
    .enumerate()
    {
        let mut pod = with_credentials(name);
        pod.env("STORE_EVENTS_BKT", "events").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        pod.envs(total.map(|total| (variable, total)));
        let mut pod = pod.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(pod.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("trying again") {
            assert_ne!(log.read_line(&mut text).unwrap(), 0, "{text}");
        }
        let id = pod.id().to_string();
        // Of a cluster, and of a person at a terminal.
        let signal = ["-TERM", "-INT"][number % 2];
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        log.read_to_string(&mut text).unwrap();
        assert_eq!(pod.wait().unwrap().code(), Some(status), "{name} {total:?}: {text}");
        assert_eq!(text.matches("trying again").count(), 1, "{text}");
        assert!(text.contains("WARN"), "{text}");
        let last = text.lines().last().unwrap();
        let says_so = last.contains("told to stop after 0 of") && last.contains(variable);
        assert_eq!(says_so, status == 4, "{last}");
    }
}

/// What looks again once a day is told to stop in between.
#[cfg(unix)]
#[test]
fn a_setup_that_is_repeated_ends_between_two_looks() {
    let mut setup = with_credentials("eventctl");
    setup.env("AWS_ENDPOINT_URL", Service::start(queue_and_bucket).url);
    setup.args(["setup", "--existing", "keep", "--every-secs", "86400"]);
    let mut setup = setup.stdout(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    BufReader::new(setup.stdout.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.starts_with("kept: "), "{told}");
    let id = setup.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let (tell, ended) = mpsc::channel();
    thread::spawn(move || tell.send(setup.wait().unwrap().code()));
    // A minute is far from a day.
    let ended = ended.recv_timeout(Duration::from_secs(60));
    if ended.is_err() {
        Command::new("kill").args(["-KILL", &id]).status().unwrap();
    }
    assert_eq!(ended, Ok(Some(0)));
}

/// Once, and again only if it is another.
#[cfg(unix)]
#[test]
fn a_repeated_setup_tells_what_it_keeps_when_that_is_new() {
    static LOOKS: AtomicUsize = AtomicUsize::new(0);
    let service = Service::start(|asked| match (asked, LOOKS.load(Ordering::SeqCst)) {
        ("getqueueattributes", _) if LOOKS.fetch_add(1, Ordering::SeqCst) < 4 => {
            (200, r#"{"Attributes": {"VisibilityTimeout": "31"}}"#)
        }
        _ => queue_and_bucket(asked),
    });
    let mut setup = with_credentials("eventctl");
    setup.env("AWS_ENDPOINT_URL", &service.url).env("RELIABLE_QUEUE_NAME", "orders");
    setup.args(["setup", "--existing", "keep", "--every-secs", "1", "--visibility-secs", "32"]);
    let mut setup = setup.stdout(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    // Two looks at 31 and two at 30 seconds, each at a queue and its dead-letter queue.
    while LOOKS.load(Ordering::SeqCst) < 8 {
        assert!(start.elapsed() < Duration::from_secs(60), "{:?}", service.asked());
        thread::sleep(Duration::from_millis(10));
    }
    let id = setup.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    let mut told = String::new();
    setup.stdout.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!(setup.wait().unwrap().code(), Some(0), "{told}");
    let of_queue = told.lines().filter(|line| line.contains("queue orders: VisibilityTimeout"));
    let kept = [31, 30].map(|secs| format!("kept: queue orders: VisibilityTimeout {secs} -> 32"));
    assert_eq!(of_queue.collect::<Vec<_>>(), kept, "{told}");
}

/// Nobody must take what was not looked at for what is so.
#[cfg(unix)]
#[test]
fn an_eventctl_that_is_stopped_while_it_waits_has_failed() {
    for command in ["status", "audit", "compact", "setup"] {
        let mut eventctl = with_credentials("eventctl");
        eventctl.env("STORE_EVENTS_BKT", "events").env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        let mut eventctl = eventctl.arg(command).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(eventctl.stderr.take().unwrap());
        let mut text = String::new();
        while !text.contains("trying again") {
            assert_ne!(log.read_line(&mut text).unwrap(), 0, "{text}");
        }
        let id = eventctl.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        log.read_to_string(&mut text).unwrap();
        assert_eq!(eventctl.wait().unwrap().code(), Some(1), "{command}: {text}");
        assert_eq!(text.lines().last(), Some("eventctl: interrupted"), "{command}: {text}");
    }
}
