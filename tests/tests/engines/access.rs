//! Access that is denied for a while: an engine waits for it, and not for ever.

use std::sync::Arc;
use std::time::Duration;

use event_core::{Delivery, Error, ErrorKind, Outcome, Producer, Queue, Shutdown};
use event_mem::{MemQueue, MemStore, Scripted};
use event_tests::Faulty;
use tokio::time::Instant;

use crate::support::{
    Each, INSTANTLY, acknowledge, consumer, events, options, retry, run_until_drained, send,
};

/// What heals by itself only while somebody replaces it.
const KINDS: [ErrorKind; 2] = [ErrorKind::Denied, ErrorKind::NotFound];

/// A queue that refuses these operations with this kind from one second to another.
fn refusing(
    queue: &MemQueue,
    operations: &'static [&'static str],
    kind: ErrorKind,
    (from, to): (u64, u64),
) -> impl Queue {
    let start = Instant::now();
    Faulty::new(queue.clone(), move |call| {
        let refused = (from..to).contains(&start.elapsed().as_secs());
        let refused = refused && operations.contains(&call.operation);
        refused.then(|| Error::new(kind, call.operation, "the token has expired"))
    })
}

#[tokio::test(start_paused = true)]
async fn a_consumer_outlives_half_a_minute_without_access() {
    for kind in KINDS {
        let queue = MemQueue::default();
        send(&queue, &events(20)).await;
        let refusing = refusing(&queue, &["receive"], kind, (0, 20));
        let consumer =
            consumer(Arc::new(refusing), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
        let report = run_until_drained(consumer.options(options()), &queue).await;
        assert_eq!((report.acknowledged, report.deleted), (20, 20), "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_consumer_without_access_for_longer_ends_with_the_error() {
    for kind in KINDS {
        let queue = MemQueue::default();
        let refusing = refusing(&queue, &["receive"], kind, (0, u64::MAX));
        let consumer =
            consumer(Arc::new(refusing), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
        let start = Instant::now();
        let error = consumer.run(Shutdown::never()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(error.to_string(), "receive: the token has expired");
        assert_eq!(start.elapsed().as_secs(), 30, "{kind:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_deleted_once_access_is_back() {
    let queue = MemQueue::default();
    send(&queue, &events(20)).await;
    let refusing = refusing(&queue, &["delete"], ErrorKind::Denied, (0, 20));
    let consumer = consumer(Arc::new(refusing), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    let report = run_until_drained(consumer.options(options()), &queue).await;
    assert_eq!((report.received, report.deleted, report.delete_failed), (20, 20, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_done_is_given_back_once_access_is_back() {
    let queue = MemQueue::default();
    send(&queue, &events(20)).await;
    let refusing = refusing(&queue, &["change_visibility"], ErrorKind::Denied, (0, 20));
    let later_at_first = Each {
        takes: INSTANTLY,
        outcome: |delivery: &Delivery| match delivery.receive_count {
            1 => Outcome::Retry(Duration::from_secs(500)),
            _ => Outcome::Ack,
        },
    };
    let start = Instant::now();
    let consumer = consumer(Arc::new(refusing), later_at_first, Arc::new(MemStore::new()));
    let report = run_until_drained(consumer.options(options()), &queue).await;
    assert_eq!((report.received, report.released), (40, 20));
    assert!(start.elapsed().as_secs() >= 520, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_kept_through_an_extension_that_is_denied() {
    let queue = MemQueue::default();
    send(&queue, &events(1)).await;
    // The first extension is asked for after 15 s of the 30.
    let refusing = refusing(&queue, &["change_visibility"], ErrorKind::Denied, (0, 20));
    let slow = acknowledge(Duration::from_secs(300));
    let consumer = consumer(Arc::new(refusing), slow, Arc::new(MemStore::new()));
    let report = run_until_drained(consumer.options(options()), &queue).await;
    assert_eq!((report.received, report.acknowledged), (1, 1), "it came again while it was held");
}

#[tokio::test(start_paused = true)]
async fn a_producer_outlives_half_a_minute_without_access() {
    for kind in KINDS {
        let queue = MemQueue::default();
        let refusing = refusing(&queue, &["send"], kind, (0, 20));
        let producer = Producer::new(Arc::new(refusing), Scripted::new(events(25))).retry(retry());
        assert_eq!(producer.run(Shutdown::never()).await.unwrap().sent, 25, "{kind:?}");
        assert_eq!(queue.depth().await.unwrap().total(), 25);
    }
}

#[tokio::test(start_paused = true)]
async fn a_producer_without_access_for_longer_ends_with_the_error() {
    for kind in KINDS {
        let refusing = refusing(&MemQueue::default(), &["send"], kind, (0, u64::MAX));
        let producer = Producer::new(Arc::new(refusing), Scripted::new(events(25))).retry(retry());
        let start = Instant::now();
        let error = producer.run(Shutdown::never()).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains("the token has expired"), "{error}");
        assert_eq!(start.elapsed().as_secs(), 30, "{kind:?}");
    }
}
