//! What a consumer and a producer tell of their work, and what becomes of all that they hold.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use event_core::batch::{BatchLimits, FlushReason};
use event_core::{
    BatchWriter, ConsumerOptions, Delivery, Error, ErrorKind, Handler, Layout, Message, Observer,
    Outcome, Producer, Retail, Shutdown, StoreWriter, async_trait,
};
use event_mem::{MemQueue, MemStore, Scripted};
use event_tests::Faulty;
use tokio::time::{Instant, sleep};

use crate::log::deliveries;
use crate::support::{
    Each, INSTANTLY, acknowledge, body, consumer, events, options, retry, run_until_drained, sale,
    send, spawn, transient, with_handler,
};

const LATER: Duration = Duration::from_secs(777);

/// Counts what is told.
#[derive(Default)]
struct Told {
    pressed: AtomicUsize,
    deleted: AtomicUsize,
    delete_failed: AtomicUsize,
    released: AtomicUsize,
    sent: AtomicUsize,
    empty: AtomicUsize,
}

impl Observer for Told {
    fn sent(&self, messages: &[Message]) {
        self.sent.fetch_add(messages.len(), Ordering::SeqCst);
    }

    fn received(&self, deliveries: &[Delivery]) {
        self.empty.fetch_add(usize::from(deliveries.is_empty()), Ordering::SeqCst);
    }

    fn flushed(&self, reason: FlushReason, messages: usize, bytes: usize) {
        assert_eq!(bytes, messages * event_size(), "{reason:?}");
        if reason == FlushReason::Pressure {
            self.pressed.fetch_add(messages, Ordering::SeqCst);
        }
    }

    fn deleted(&self, messages: usize) {
        self.deleted.fetch_add(messages, Ordering::SeqCst);
    }

    fn delete_failed(&self, messages: usize) {
        self.delete_failed.fetch_add(messages, Ordering::SeqCst);
    }

    fn released(&self, messages: usize) {
        self.released.fetch_add(messages, Ordering::SeqCst);
    }
}

/// Of each of up to ten events.
fn event_size() -> usize {
    events(1)[0].size()
}

/// A handler with a group for each message, and a panic at the look at one of them.
struct Apart;

#[async_trait]
impl Handler for Apart {
    async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
        vec![Outcome::Ack; batch.len()]
    }

    fn look(&self, delivery: &mut Delivery) -> u64 {
        assert_ne!(delivery.message.body, "strange");
        delivery.message.body.iter().map(|&byte| u64::from(byte)).sum()
    }
}

#[tokio::test(start_paused = true)]
async fn open_batches_go_under_pressure_until_half_of_the_room_is_free() {
    let (queue, told) = (MemQueue::default(), Arc::new(Told::default()));
    send(&queue, &events(10)).await;
    let consumer = with_handler(&queue, Apart).observer(told.clone()).options(ConsumerOptions {
        max_messages: 10,
        batch: BatchLimits { count: 10, bytes: 1_000_000, linger: Duration::from_secs(25) },
        ..options()
    });
    assert_eq!(run_until_drained(consumer, &queue).await.acknowledged, 10);
    assert_eq!(told.pressed.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_panics_costs_no_message_its_end() {
    let queue = MemQueue::default();
    send(&queue, &[sale("a"), sale("strange"), sale("b")]).await;
    let report = run_until_drained(with_handler(&queue, Apart).options(options()), &queue).await;
    assert_eq!((report.received, report.acknowledged), (3, 3));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_deleted_is_told_as_that_and_makes_room_for_more() {
    let (queue, told) = (MemQueue::default(), Arc::new(Told::default()));
    send(&queue, &events(10)).await;
    // Two of ten, whenever they come.
    let refusing = Faulty::new(queue.clone(), |call| {
        let fails = call.operation == "delete" && call.entry < 2;
        fails.then(|| Error::new(ErrorKind::Invalid, "delete", "on purpose"))
    });
    let consumer = consumer(Arc::new(refusing), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    let consumer = consumer
        .observer(told.clone())
        .options(ConsumerOptions { max_messages: 10, ..ConsumerOptions::default() });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    sleep(Duration::from_secs(5)).await;
    send(&queue, &events(10)).await;
    sleep(Duration::from_secs(5)).await;
    stop.shutdown();
    let report = running.await.unwrap();
    assert_eq!((report.received, report.deleted, report.delete_failed), (20, 16, 4));
    assert_eq!((report.released, report.abandoned), (0, 0));
    let told = [&told.deleted, &told.delete_failed, &told.released];
    assert_eq!(told.map(|count| count.load(Ordering::SeqCst)), [16, 4, 0]);
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_received_and_given_back_is_told() {
    let (queue, told) = (MemQueue::default(), Arc::new(Told::default()));
    let producer = Producer::new(Arc::new(queue.clone()), Scripted::new(events(10)));
    producer.observer(told.clone()).run(Shutdown::never()).await.unwrap();
    let later = Each { takes: INSTANTLY, outcome: |_: &Delivery| Outcome::Retry(LATER) };
    let consumer = with_handler(&queue, later).observer(told.clone());
    let consumer = consumer.options(ConsumerOptions { max_concurrent_receives: 1, ..options() });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    sleep(Duration::from_secs(65)).await;
    stop.shutdown();
    let report = running.await.unwrap();
    assert_eq!((report.received, report.released), (10, 10));
    let told = [&told.sent, &told.released, &told.empty];
    // Three long polls, and the one that the stop ended.
    assert_eq!(told.map(|count| count.load(Ordering::SeqCst)), [10, 10, 4]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_given_back_makes_room_for_more() {
    let queue = MemQueue::default();
    send(&queue, &events(10)).await;
    let refusing = Faulty::new(queue.clone(), |call| {
        let fails = call.operation == "change_visibility";
        fails.then(|| Error::new(ErrorKind::Invalid, "change_visibility", "on purpose"))
    });
    let later_at_first = Each {
        takes: INSTANTLY,
        outcome: |delivery: &Delivery| match delivery.receive_count {
            1 => Outcome::Retry(LATER),
            _ => Outcome::Ack,
        },
    };
    let consumer = consumer(Arc::new(refusing), later_at_first, Arc::new(MemStore::new()));
    let consumer = consumer.options(ConsumerOptions { max_messages: 10, ..options() });
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.deleted), (20, 10));
}

#[tokio::test(start_paused = true)]
async fn a_batch_of_which_some_is_done_slows_nothing_down() {
    let queue = MemQueue::default();
    send(&queue, &events(200)).await;
    let one_of_ten_at_first = AtomicUsize::new(0);
    let handler = Each {
        takes: INSTANTLY,
        outcome: move |delivery: &Delivery| {
            let number = one_of_ten_at_first.fetch_add(1, Ordering::SeqCst);
            if delivery.receive_count == 1 && number.is_multiple_of(10) {
                return Outcome::Retry(Duration::ZERO);
            }
            Outcome::Ack
        },
    };
    let start = Instant::now();
    let report = run_until_drained(with_handler(&queue, handler).options(options()), &queue).await;
    assert!(report.released > 0, "{report:?}");
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// Counts the requests that are tried again.
#[derive(Default)]
struct Retries(AtomicU64);

impl Observer for Retries {
    fn retried(&self, _: &Error, entries: usize) {
        self.0.fetch_add(entries as u64, Ordering::SeqCst);
    }
}

/// The retries of a writer are told by the loop that it is given, whichever request they are of.
#[tokio::test(start_paused = true)]
async fn each_retry_of_a_writer_is_told_by_its_own_loop() {
    for is_batch in [true, false] {
        let retries = Arc::new(Retries::default());
        let (failed, count) = (Arc::new(AtomicU64::new(0)), Arc::clone(&retries));
        let failures = Arc::clone(&failed);
        let weak = Arc::new(Faulty::new(MemStore::new(), move |call| {
            let fails = call.number.is_multiple_of(2);
            failures.fetch_add(u64::from(fails), Ordering::SeqCst);
            fails.then(|| transient(call.operation))
        }));
        let (layout, schema) = (Layout::default(), Arc::new(Retail::default()));
        let retry = retry().observed_by(count);
        let writer: Arc<dyn Handler> = match is_batch {
            true => Arc::new(BatchWriter::new(weak, layout, schema).retry(retry)),
            false => Arc::new(StoreWriter::new(weak, layout, schema).retry(retry)),
        };
        let batch = deliveries([body("a")]);
        assert_eq!(writer.handle(&batch, &Shutdown::never()).await, [Outcome::Ack]);
        let failed = failed.load(Ordering::SeqCst);
        assert!(failed > 3, "{failed}");
        assert_eq!(retries.0.load(Ordering::SeqCst), failed, "batch {is_batch}");
    }
}
