//! How a consumer ends: told to stop while it holds messages, or with some that cannot be deleted.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::Duration;

use event_benches::server::{Delays, QUEUE, State};
use event_core::log::{Manifest, ManifestOptions, ObjectLayout};
use event_core::retry::Retry;
use event_core::{Layout, Message, ObjectStore, PutMode, Queue, Shutdown};

use crate::{program, serve};

const PARTITION: &str = "store_events/event_type=sale_event/dt=2026_11_22";

/// A consumer of one message, and that message on the queue.
async fn of_one_event(server: &State) -> Command {
    let body = r#"{"request_id": "r1", "store_id": 8, "cust_id": 538, "category": "Games",
        "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
        "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48"}"#;
    let message = Message::new(body).with_attribute("event_type", "sale_event");
    server.queue(QUEUE).unwrap().send(&[message]).await.remove(0).unwrap();
    let mut consumer = program(env!("CARGO_BIN_EXE_event-consumer"), serve(server).await);
    consumer.envs([
        ("TOT_MSGS_TO_PROCESS", "1"),
        ("MSG_POLL_BACKOFF", "0"),
        ("MSG_PROCESS_DELAY", "0"),
        ("BATCH_MAX_AGE_SECS", "0"),
    ]);
    consumer
}

/// It is stored: that it comes again is a duplicate, and no reason to run the job again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_stored_and_cannot_be_deleted_counts_towards_the_total() {
    let server = State::new(Delays::default());
    server.refuse("DeleteMessageBatch");
    let mut consumer = of_one_event(&server).await;
    let ended = tokio::task::spawn_blocking(move || consumer.output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("delete_failed=1"), "{said}");
}

/// What was received and given back is not done: a job of a number of messages goes on.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_consumer_that_gives_back_what_it_received_has_not_reached_its_total() {
    let server = State::new(Delays::default());
    let (layout, never) = (Layout::default(), Shutdown::never());
    let batch = ManifestOptions { layout: Some(ObjectLayout::Batch), ..ManifestOptions::default() };
    let store = server.store();
    Manifest::open(store, &layout, &batch, &Retry::default(), &never).await.unwrap();
    // A gap, at which events wait for a person.
    let later = format!("{PARTITION}/0000000001.ndjson.zst");
    store.put(&later, "x".into(), PutMode::Create).await.unwrap();
    let mut consumer = of_one_event(&server).await;
    let ended = tokio::task::spawn_blocking(move || {
        let mut child = consumer.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("a segment is missing") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
        }
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        log.read_to_string(&mut said).unwrap();
        (child.wait().unwrap().code(), said)
    });
    let (status, said) =
        tokio::time::timeout(Duration::from_secs(60), ended).await.unwrap().unwrap();
    assert_eq!(status, Some(4), "{said}");
    assert!(said.contains("told to stop after 0 of 1"), "{said}");
}

/// A long poll is awaited, unless whoever stops the pod means it.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_second_signal_ends_a_pod_at_once() {
    let server = State::new(Delays::default());
    let mut consumer = program(env!("CARGO_BIN_EXE_event-consumer"), serve(&server).await);
    consumer.envs([
        ("TOT_MSGS_TO_PROCESS", "unlimited"),
        ("MSG_POLL_BACKOFF", "0"),
        ("MSG_PROCESS_DELAY", "0"),
    ]);
    let mut child = consumer.stderr(Stdio::piped()).spawn().unwrap();
    while !server.counts().all().contains_key("ReceiveMessage") {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it polled");
        tokio::task::yield_now().await;
    }
    let ended = tokio::task::spawn_blocking(move || {
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let id = child.id().to_string();
        let signal =
            |name: &str| Command::new("kill").args([name, &id]).status().unwrap().success();
        let mut said = String::new();
        assert!(signal("-TERM"));
        while !said.contains("draining") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "{said}");
        }
        assert!(signal("-INT"));
        let before = std::time::Instant::now();
        (child.wait().unwrap().code(), before.elapsed(), said)
    });
    let (status, took, said) = ended.await.unwrap();
    assert_eq!(status, Some(130), "{said}");
    assert!(took < Duration::from_secs(10), "{took:?}");
}
