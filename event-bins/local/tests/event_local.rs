//! `event-local` as its user runs it.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "event_local/inputs.rs"]
mod inputs;
#[cfg(target_os = "linux")]
#[path = "event_local/output.rs"]
mod output;
#[cfg(unix)]
#[path = "event_local/stopping.rs"]
mod stopping;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use event_core::schema::retail::Event;
use event_core::{Compression, Message, Retail, Schema, codec};
use serde_json::Value;
use tempfile::TempDir;

const CAPTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/seed_messages.ndjson");

/// The variables that it reads, none of which may leak in from where the tests run.
const VARIABLES: [&str; 12] = [
    "TOT_MSGS_TO_PRODUCE",
    "WAIT_SECS_BETWEEN_MSGS",
    "TRIGGER_RANDOM_FAILURES",
    "S3_PREFIX",
    "MAX_MSGS_PER_BATCH",
    "MSG_POLL_BACKOFF",
    "MSG_PROCESS_DELAY",
    "OBJECT_LAYOUT",
    "MAX_PANICS_PER_MSG",
    "SHUTDOWN_GRACE_SECS",
    "LOG_LEVEL",
    "RUST_LOG",
];

fn event_local(out: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_event-local"));
    for variable in VARIABLES {
        command.env_remove(variable);
    }
    command.arg("--out").arg(out).stdin(Stdio::null());
    command
}

/// With an object for each event.
fn singly(out: &Path) -> Command {
    let mut command = event_local(out);
    command.args(["--object-layout", "event"]);
    command
}

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error} in {text:?}, {}", stderr(output)))
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn counts(summary: &Value) -> [u64; 4] {
    ["sent", "stored", "quarantined", "duplicates"].map(|name| summary[name].as_u64().unwrap())
}

/// Every file below a directory but the manifest, by its path from there.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut files, mut left) = (BTreeMap::new(), vec![PathBuf::new()]);
    while let Some(dir) = left.pop() {
        let Ok(entries) = std::fs::read_dir(root.join(&dir)) else {
            continue;
        };
        for entry in entries {
            let entry = entry.unwrap();
            let path = dir.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                left.push(path);
            } else {
                let body = std::fs::read(entry.path()).unwrap();
                files.insert(path.to_string_lossy().into_owned(), body);
            }
        }
    }
    files.retain(|path, _| !path.ends_with("/_manifest.json"));
    files
}

fn count(files: &BTreeMap<String, Vec<u8>>, prefix: &str) -> usize {
    files.keys().filter(|key| key.starts_with(prefix)).count()
}

#[test]
fn the_capture_is_stored_once_byte_for_byte_however_often_it_is_replayed() {
    let out = TempDir::new().unwrap();
    for expected in [[1000, 903, 97, 0], [1000, 0, 97, 903]] {
        let output = singly(out.path()).args(["--input", CAPTURE, "--json"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        assert_eq!(counts(&json(&output)), expected);

        let files = files(out.path());
        assert_eq!(files.len(), 1000, "nothing else may be left below the directory");
        assert_eq!(count(&files, "store_events/event_type=sale_event/dt=2026_11_22/"), 458);
        assert_eq!(count(&files, "store_events/event_type=inventory_event/dt=2026_11_22/"), 445);
        assert_eq!(count(&files, "quarantine/store_events/reason=bad_msg/"), 97);
        let mut cents = 0;
        for line in std::fs::read(CAPTURE).unwrap().split(|&b| b == b'\n').filter(|l| !l.is_empty())
        {
            let message = codec::decode_line(line).unwrap();
            let Ok(event) = Event::parse(&message) else {
                continue;
            };
            let found = Retail::default().identify(&message).unwrap();
            let key = event_core::Layout::default().event_key(&found);
            assert_eq!(files[&key], message.body, "{key}");
            cents += (event.price * 100.0).round() as u64;
        }
        assert_eq!(cents, 4_702_046);
        for (key, line) in files.iter().filter(|(key, _)| key.starts_with("quarantine/")) {
            let bad: Message = codec::decode_line(line).unwrap();
            assert!(Event::parse(&bad).is_err(), "{key}");
        }
    }
}

/// In the layout of many events in one object. The quarantine is read back from its segments.
#[test]
fn the_quarantine_is_a_log_with_each_message_once_however_often_it_is_replayed() {
    let out = TempDir::new().unwrap();
    let mut lines = Vec::new();
    for replay in ["capture", "capture", "quarantine"] {
        let input = out.path().join("input.ndjson");
        let (input, expected) = match replay {
            "capture" => (CAPTURE, "accounted          1,000"),
            _ => {
                std::fs::write(&input, lines.concat()).unwrap();
                (input.to_str().unwrap(), "accounted             97")
            }
        };
        let stored = out.path().join("stored");
        let output = event_local(&stored).args(["--input", input]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
        let summary = String::from_utf8(output.stdout).unwrap();
        let name = "quarantine/store_events/dt=…/<number>.ndjson.zst";
        assert!(summary.contains(name), "{summary}");
        assert!(summary.contains(expected), "{summary}");

        let mut messages = BTreeSet::new();
        lines.clear();
        for (key, object) in
            files(&stored).range("quarantine/".to_owned().."quarantine0".to_owned())
        {
            let (day, slot) = key.rsplit_once('/').unwrap();
            assert!(day.starts_with("quarantine/store_events/dt="), "{key}");
            assert!(slot.len() == 21 && slot.ends_with(".ndjson.zst"), "{key}");
            let object = Compression::Zstd.decompress(object.clone().into()).unwrap();
            for line in object.split_inclusive(|&byte| byte == b'\n') {
                let (message, reason) = codec::decode_quarantined(line).unwrap();
                assert_eq!(reason.code(), "bad_msg");
                assert!(messages.insert((day.to_owned(), message.body)), "{key}: twice");
                lines.push(line.to_vec());
            }
        }
        let different: BTreeSet<_> = messages.iter().map(|(_, body)| body).collect();
        assert_eq!(different.len(), 97);
    }
}

#[test]
fn replicas_with_duplicates_store_each_event_once() {
    let out = TempDir::new().unwrap();
    let flags = ["--producers", "4", "--consumers", "4", "--duplicate-rate", "0.2", "--json"];
    let output = singly(out.path()).args(flags).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let [sent, stored, quarantined, duplicates] = counts(&json(&output));
    assert_eq!(sent, 10_000);
    assert_eq!(sent, stored + quarantined + duplicates);
    assert!((1300..2200).contains(&duplicates), "{duplicates}");
    let files = files(out.path());
    assert_eq!(count(&files, "store_events/event_type=") as u64, stored);
    for (key, body) in &files {
        if key.starts_with("store_events/event_type=") {
            let event: Value = serde_json::from_slice(body).unwrap();
            assert!(key.ends_with(&format!("/{}.json", event["request_id"].as_str().unwrap())));
        }
    }
}

#[test]
fn the_same_seed_makes_the_same_events() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    for out in [&one, &other] {
        let output = singly(out.path()).args(["--seed", "7", "--count", "300"]).output().unwrap();
        assert!(output.status.success(), "{}", stderr(&output));
    }
    assert_eq!(files(one.path()), files(other.path()));
}

#[test]
fn the_summary_for_a_person_has_every_count() {
    let out = TempDir::new().unwrap();
    let output = event_local(out.path()).args(["--count", "1000"]).output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    for part in
        ["sent", "stored", "quarantined", "duplicates", "balanced", "p99", "on SQS and S3", "seed"]
    {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    assert_eq!(stderr(&output), "", "nothing is drawn where there is no terminal");
}

#[test]
fn the_variables_of_the_original_demo_are_read() {
    let out = TempDir::new().unwrap();
    let output = singly(out.path())
        .arg("--json")
        .env("TOT_MSGS_TO_PRODUCE", "50")
        .env("TRIGGER_RANDOM_FAILURES", "False")
        .env("S3_PREFIX", "elsewhere")
        .env("MSG_POLL_BACKOFF", "0.01")
        .env("MSG_PROCESS_DELAY", "0.001")
        .env("WAIT_SECS_BETWEEN_MSGS", "0.001")
        .env("MAX_MSGS_PER_BATCH", "5")
        .output()
        .unwrap();
    assert_eq!(counts(&json(&output)), [50, 50, 0, 0]);
    assert_eq!(count(&files(out.path()), "elsewhere/"), 50);
}

#[test]
fn an_input_can_come_through_a_pipe() {
    let out = TempDir::new().unwrap();
    let mut command = event_local(out.path());
    let mut child = command
        .args(["--input", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&std::fs::read(CAPTURE).unwrap()).unwrap();
    assert_eq!(counts(&json(&child.wait_with_output().unwrap())), [1000, 903, 97, 0]);
}

/// One line on standard error that has this text, and exit status 2.
fn refused(output: &Output, text: &str) {
    let stderr = stderr(output);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(
        stderr.starts_with("event-local: ") && stderr.contains(text),
        "{text:?} is not in {stderr}"
    );
}

#[test]
fn wrong_arguments_are_refused_in_one_line_that_names_them() {
    let out = TempDir::new().unwrap();
    let file = out.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, text) in [
        (&["--input", "/nowhere/messages.ndjson"][..], "/nowhere/messages.ndjson"),
        (&["--input", "/"], "directory"),
        (&["--out", file], file),
        (&["--out", "/proc/nowhere"], "/proc/nowhere"),
        (&["--max-msgs-per-batch", "0"], "MAX_MSGS_PER_BATCH"),
        (&["--max-msgs-per-batch", "11"], "1..=10"),
        (&["--rate", "-5"], "--rate"),
        (&["--rate", "0"], "more than 0"),
        (&["--wait-secs-between-msgs", "-1"], "WAIT_SECS_BETWEEN_MSGS"),
        (&["--wait-secs-between-msgs", "1e9"], "0 to 86400"),
        (&["--seed", "-1"], "--seed"),
        (&["--max-panics-per-msg", "0"], "MAX_PANICS_PER_MSG"),
        (&["--shutdown-grace-secs", "86401"], "SHUTDOWN_GRACE_SECS"),
        (&["--msg-poll-backoff", "513"], "MSG_POLL_BACKOFF"),
        (&["--duplicate-rate", "1.5"], "--duplicate-rate"),
        (&["--invalid-rate", "NaN"], "--invalid-rate"),
        (&["--count", "0"], "TOT_MSGS_TO_PRODUCE"),
        (&["--count", "99999999999999999999999"], "--count"),
        (&["--producers", "0"], "--producers"),
        (&["--s3-prefix", "../outside"], "S3_PREFIX"),
        (&["--s3-prefix", "quarantine"], "quarantine"),
        (&["--log-level", "a=b=c"], "LOG_LEVEL"),
        (&["--frobnicate"], "--frobnicate"),
        (&["--inptu", "x"], "did you mean --input?"),
        (&["--jsno"], "did you mean --json?"),
        (&["stray"], "stray"),
    ] {
        // The last `--out` would be refused as a repetition, so it goes alone.
        let mut command = if arguments[0] == "--out" {
            let mut command = Command::new(env!("CARGO_BIN_EXE_event-local"));
            command.stdin(Stdio::null());
            command
        } else {
            event_local(out.path())
        };
        let output = command.args(arguments).output().unwrap();
        refused(&output, text);
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn an_input_without_a_message_is_refused() {
    let out = TempDir::new().unwrap();
    let output = event_local(out.path()).args(["--input", "-"]).output().unwrap();
    refused(&output, "standard input is empty: give messages");
}

#[test]
fn a_level_by_another_name_logs_and_one_that_is_none_is_refused() {
    let out = TempDir::new().unwrap();
    let run = |level: &str| {
        let mut command = event_local(out.path());
        command.args(["--count", "1"]).env("LOG_LEVEL", level).env("S3_PERFIX", "x");
        command.output().unwrap()
    };
    for level in ["WARNING", "verbose", "20", "", " "] {
        let (output, text) = (run(level), "S3_PERFIX is not known: did you mean S3_PREFIX?");
        assert_eq!(output.status.code(), Some(0), "{level:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(text), "{level:?}: {}", stderr(&output));
    }
    for level in ["CRITICAL", "off"] {
        assert_eq!(stderr(&run(level)), "", "{level}");
    }
    refused(&run("loud"), "error, warn, info");
}
