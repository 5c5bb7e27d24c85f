//! What programs make of files that they are given.

use std::fs;
use std::time::Duration;

use event_benches::server::{Delays, QUEUE, State};
use event_core::{Message, Queue, ReceiveRequest};
use tempfile::TempDir;

use crate::{program, serve};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/cases/");

/// The exit status of a producer with these arguments, what it said, and what is on the queue.
async fn produce(arguments: &[&str]) -> (i32, String, Vec<Message>) {
    let server = State::new(Delays::default());
    let mut producer = program(env!("CARGO_BIN_EXE_event-producer"), serve(&server).await);
    producer.args(["--wait-secs-between-msgs", "0"]).args(arguments);
    let output = tokio::task::spawn_blocking(move || producer.output()).await.unwrap().unwrap();
    let request =
        ReceiveRequest { max: 10, wait: Duration::ZERO, visibility: Duration::from_secs(30) };
    let sent = server.queue(QUEUE).unwrap().receive(request).await.unwrap();
    let mut sent: Vec<_> = sent.into_iter().map(|delivery| delivery.message).collect();
    sent.sort_by(|a, b| a.body.cmp(&b.body));
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap(), sent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_producer_refuses_what_is_no_capture_and_sends_bare_events_by_their_type() {
    let bare = format!("{CASES}bare-events-file.ndjson");
    let (status, said, sent) = produce(&["--input", &bare]).await;
    assert_eq!((status, sent), (2, vec![]), "{said}");
    let last = said.lines().last().unwrap();
    assert!(last.contains(&bare) && last.contains("--event-type"), "{said}");

    let (status, said, sent) = produce(&["--input", &bare, "--event-type", "sale_event"]).await;
    let message =
        |line: &str| Message::new(line.to_owned()).with_attribute("event_type", "sale_event");
    let expected: Vec<_> = fs::read_to_string(&bare).unwrap().lines().map(message).collect();
    assert_eq!((status, sent), (0, expected), "{said}");
}

/// All are sent, for the consumer to quarantine what is wrong; the status is that of `event-local`.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_wrong_line_ends_a_producer_with_2_after_all_were_sent() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("input.ndjson");
    let marked = fs::read_to_string(format!("{CASES}bom-before-file.ndjson")).unwrap();
    let lines: Vec<_> = marked.lines().collect();
    let untyped = r#"{"body": "{}", "attributes": {}}"#;
    let intended = r#"{"body": "{}", "attributes": {"event_type": "sale_event"}}"#;
    for (wrong, text) in [
        (&["no record"][..], "line 2: no message record"),
        (&[untyped], "line 2: unknown_event_type"),
        (&[untyped, "no record", "{"], "and 2 more such lines"),
        (&[intended], ""),
        (&[], ""),
    ] {
        let input = [&lines[..1], wrong, &lines[1..]].concat().join("\n");
        fs::write(&path, input).unwrap();
        let (status, said, sent) = produce(&["--input", path.to_str().unwrap()]).await;
        assert_eq!(sent.len(), lines.len() + wrong.len(), "{said}");
        assert_eq!(status, if text.is_empty() { 0 } else { 2 }, "{said}");
        let last = said.lines().last().unwrap();
        assert!(last.contains(text), "{text:?} is not in {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_producer_sends_as_many_as_it_is_told_and_of_an_input_no_more_than_there_are() {
    let bare = format!("{CASES}bare-events-file.ndjson");
    let input = ["--input", &bare, "--event-type", "sale_event"];
    let made_up: &[&str] = &["--seed", "7"];
    for (source, total, expected) in
        [(made_up, "3", 3), (&input, "1", 1), (&input, "unlimited", 2), (&input, "3", 2)]
    {
        let arguments = [source, &["--tot-msgs-to-produce", total]].concat();
        let (status, said, sent) = produce(&arguments).await;
        assert_eq!((status, sent.len()), (0, expected), "{arguments:?}: {said}");
        assert!(said.contains(&format!("finished sent={expected}")), "{said}");
    }
}
