//! A pod as a process.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http;

/// Settings of the pods, none of which may leak in from where the tests run.
const VARIABLES: [&str; 30] = [
    "RELIABLE_QUEUE_NAME",
    "STORE_EVENTS_BKT",
    "STORE_EVENTS_BKT_OWNER",
    "S3_PREFIX",
    "OBJECT_LAYOUT",
    "EVENT_SCHEMA",
    "EVENT_ID_FIELD",
    "EVENT_TIME_FIELD",
    "EVENT_TYPE_ATTRIBUTE",
    "EVENT_TYPE_FIELD",
    "EVENT_PARTITION_FIELDS",
    "PARTITION_BY",
    "LEAST_DAYS_KEPT",
    "MAX_HELD_BYTES",
    "BATCH_MAX_EVENTS",
    "BATCH_MAX_BYTES",
    "BATCH_MAX_AGE_SECS",
    "BATCH_COMPRESSION",
    "TOT_MSGS_TO_PRODUCE",
    "WAIT_SECS_BETWEEN_MSGS",
    "MAX_MSGS_PER_BATCH",
    "MAX_PANICS_PER_MSG",
    "TOT_MSGS_TO_PROCESS",
    "MSG_POLL_BACKOFF",
    "MSG_PROCESS_DELAY",
    "TRIGGER_RANDOM_FAILURES",
    "SHUTDOWN_GRACE_SECS",
    "LOG_LEVEL",
    "LOG_FORMAT",
    "HTTP_PORT",
];

/// Production's way to poll: no pauses, and waits at the queue.
pub(crate) const AT_SPEED: [(&str, &str); 4] = [
    ("MSG_POLL_BACKOFF", "0"),
    ("MSG_PROCESS_DELAY", "0"),
    ("MAX_MSGS_PER_BATCH", "10"),
    ("TOT_MSGS_TO_PROCESS", "unlimited"),
];

/// After so long nothing is hoped for any more.
const TIMEOUT: Duration = Duration::from_secs(180);

/// A program of this package with nothing set.
pub(crate) fn program(name: &str) -> Command {
    let path = match name {
        "event-consumer" => env!("CARGO_BIN_EXE_event-consumer"),
        "event-producer" => env!("CARGO_BIN_EXE_event-producer"),
        "eventctl" => env!("CARGO_BIN_EXE_eventctl"),
        _ => panic!("no program {name}"),
    };
    let mut command = Command::new(PathBuf::from(path));
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null());
    command
}

/// Exit status and standard error of a program that should end by itself.
pub(crate) fn refusal(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > TIMEOUT {
            child.kill().unwrap();
        }
        thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A running program with JSON logs and an HTTP port.
pub(crate) struct Pod {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: JoinHandle<()>,
}

impl Pod {
    pub(crate) fn start(command: &mut Command) -> Self {
        let command = command.env("LOG_FORMAT", "json").env("HTTP_PORT", "0");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let log: Arc<Mutex<Vec<String>>> = Arc::default();
        let kept = Arc::clone(&log);
        let reader = thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                kept.lock().unwrap().push(line);
            }
        });
        Self { child, log, reader }
    }

    fn lines(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for something of this pod, as long as it runs.
    pub(crate) fn until<T>(&mut self, what: &str, mut seen: impl FnMut(&Self) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            if let Some(seen) = seen(self) {
                return seen;
            }
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended before {what}: {ended:?}\n{:#?}", self.lines());
            let lines = self.lines();
            assert!(start.elapsed() < TIMEOUT, "no {what} after {TIMEOUT:?}\n{lines:#?}");
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The port that it says it serves probes on.
    pub(crate) fn port(&mut self) -> u16 {
        self.until("an HTTP port", |pod| {
            pod.lines().iter().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                line["address"].as_str()?.rsplit(':').next()?.parse().ok()
            })
        })
    }

    /// Waits until a metric has reached a value.
    pub(crate) fn until_metric(&mut self, metric: &str, least: f64) {
        let port = self.port();
        self.until(&format!("{metric} of {least}"), |_| {
            (http::sum(&http::get(port, "/metrics").1, metric) >= least).then_some(())
        });
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn terminate(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < TIMEOUT, "it does not end\n{:#?}", self.lines());
            thread::sleep(Duration::from_millis(20));
        };
        self.reader.join().unwrap();
        let log = self.log.lock().unwrap().clone();
        Ended { status, log }
    }
}

/// How a pod ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) log: Vec<String>,
}

impl Ended {
    /// The counts of its last line, after an end with success.
    pub(crate) fn finished(&self) -> Value {
        assert!(self.status.success(), "{self:#?}");
        let last: Value = serde_json::from_str(self.log.last().unwrap()).unwrap();
        assert_eq!(last["message"], "finished", "{self:#?}");
        last
    }
}
