//! How a consumer ends: what is held is settled, and in time.

use std::sync::Arc;
use std::time::Duration;

use event_core::batch::BatchLimits;
use event_core::{
    ConsumerOptions, Delivery, Error, ErrorKind, Outcome, Queue, QueueLimits, Reason, Shutdown,
};
use event_mem::{MemQueue, MemQueueOptions, MemStore};
use event_tests::Faulty;
use tokio::time::{Instant, sleep};

use crate::support::{
    Each, INSTANTLY, acknowledge, consumer, events, keys, options, sale, send, spawn, transient,
    with_handler, writer,
};

#[tokio::test(start_paused = true)]
async fn a_shutdown_settles_everything_that_is_held() {
    for after_ms in (0..3000).step_by(37) {
        let (queue, store) = (MemQueue::default(), MemStore::new());
        send(&queue, &events(300)).await;
        let slow = Each { takes: Duration::from_millis(100), outcome: |_: &Delivery| Outcome::Ack };
        let consumer =
            consumer(Arc::new(queue.clone()), slow, Arc::new(store)).options(ConsumerOptions {
                batch: BatchLimits {
                    count: 25,
                    bytes: 1_000_000,
                    linger: Duration::from_millis(500),
                },
                max_concurrent_batches: 2,
                ..ConsumerOptions::default()
            });
        let (stop, shutdown) = Shutdown::new();
        let running = spawn(consumer, &shutdown);
        sleep(Duration::from_millis(after_ms)).await;
        stop.shutdown();
        let report = running.await.unwrap();
        let depth = queue.depth().await.unwrap();
        assert_eq!(report.abandoned, 0, "after {after_ms} ms");
        assert_eq!(depth.in_flight, 0, "after {after_ms} ms: {report:?}");
        assert_eq!(depth.visible + report.deleted, 300, "after {after_ms} ms: {report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_hangs_is_cut_off_and_its_messages_are_free_within_the_grace() {
    let queue = MemQueue::default();
    send(&queue, &events(20)).await;
    let (stop, shutdown) = Shutdown::new();
    let hangs = acknowledge(Duration::from_secs(1_000_000));
    let running = spawn(with_handler(&queue, hangs), &shutdown);
    sleep(Duration::from_secs(3)).await;
    let start = Instant::now();
    stop.shutdown();
    let report = running.await.unwrap();
    assert!(start.elapsed() < ConsumerOptions::default().grace, "{:?}", start.elapsed());
    assert_eq!((report.released, report.abandoned), (20, 0));
    assert_eq!(queue.depth().await.unwrap().visible, 20);
}

#[tokio::test(start_paused = true)]
async fn what_the_last_receive_brings_after_the_cut_off_is_given_back() {
    // Not to be abandoned, as on SQS: the receive goes on for its 20 s.
    let limits = QueueLimits { cancel_safe_receive: false, ..QueueLimits::SQS };
    let queue = MemQueue::new(MemQueueOptions { limits, ..MemQueueOptions::default() });
    let consumer = with_handler(&queue, acknowledge(Duration::from_secs(1)));
    let consumer = consumer.options(ConsumerOptions {
        grace: Duration::from_secs(10),
        receive_grace: Duration::from_secs(10),
        ..ConsumerOptions::default()
    });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    sleep(Duration::from_secs(1)).await;
    stop.shutdown();
    sleep(Duration::from_secs(9)).await;
    send(&queue, &events(5)).await;
    let report = running.await.unwrap();
    assert_eq!((report.received, report.released, report.abandoned), (5, 5, 0));
    assert_eq!(queue.depth().await.unwrap().visible, 5);
}

#[tokio::test(start_paused = true)]
async fn a_receive_under_way_is_awaited_by_a_shutdown() {
    let limits = QueueLimits { cancel_safe_receive: false, ..QueueLimits::SQS };
    let queue = MemQueue::new(MemQueueOptions { limits, ..MemQueueOptions::default() });
    let consumer = with_handler(&queue, acknowledge(INSTANTLY));
    let receive_grace = Duration::from_secs(20);
    let consumer = consumer.options(ConsumerOptions { receive_grace, ..options() });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    sleep(Duration::from_secs(1)).await;
    stop.shutdown();
    sleep(Duration::from_secs(15)).await;
    send(&queue, &events(5)).await;
    let report = running.await.unwrap();
    assert_eq!((report.received, report.acknowledged, report.deleted), (5, 5, 5));
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_hangs_cannot_keep_the_consumer_past_its_grace() {
    let queue = MemQueue::default();
    send(&queue, &events(5)).await;
    let broken = Faulty::new(queue.clone(), |call| {
        (call.operation == "delete").then(|| transient("delete"))
    });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(writer(Arc::new(broken), Arc::new(MemStore::new())), &shutdown);
    sleep(Duration::from_secs(3)).await;
    let start = Instant::now();
    stop.shutdown();
    let report = running.await.unwrap();
    assert_eq!(start.elapsed(), ConsumerOptions::default().grace);
    assert_eq!((report.acknowledged, report.deleted, report.abandoned), (5, 0, 5));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_will_not_heal_ends_the_consumer_after_a_drain() {
    let queue = MemQueue::default();
    send(&queue, &events(10)).await;
    let gone = Faulty::new(queue.clone(), |call| {
        let gone = call.operation == "receive" && call.number > 0;
        gone.then(|| Error::new(ErrorKind::NotFound, "receive", "queue orders does not exist"))
    });
    let store = MemStore::new();
    let consumer = writer(Arc::new(gone), Arc::new(store.clone()));
    let error = consumer.run(Shutdown::never()).await.unwrap_err();
    assert_eq!(error.to_string(), "receive: queue orders does not exist");
    assert_eq!(keys(&store, "store_events/event_type=").await.len(), 10);
    assert_eq!(queue.depth().await.unwrap().total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_while_the_quarantine_fails_gives_the_message_back() {
    let queue = MemQueue::default();
    send(&queue, &[sale("not json")]).await;
    let store = Arc::new(Faulty::new(MemStore::new(), |_| Some(transient("put"))));
    let bad = || Outcome::Quarantine(Reason::new("bad_msg", "on purpose"));
    let handler = Each { takes: INSTANTLY, outcome: move |_: &Delivery| bad() };
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer(Arc::new(queue.clone()), handler, store), &shutdown);
    sleep(Duration::from_secs(60)).await;
    stop.shutdown();
    let report = running.await.unwrap();
    assert_eq!((report.quarantined, report.deleted, report.released), (0, 0, 1));
    assert_eq!(queue.depth().await.unwrap().visible, 1);
}
