//! What a consumer and a producer ask of a queue: how many entries at once, and how many requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use event_core::batch::BatchLimits;
use event_core::{
    ConsumerOptions, Delivery, Depth, ErrorKind, Handler, Message, MessageId, Outcome, Producer,
    Queue, QueueLimits, Receipt, ReceiveRequest, Result, Shutdown, async_trait,
};
use event_mem::{MemQueue, MemQueueOptions, MemStore, Scripted};
use tokio::time::{Instant, sleep};

use crate::support::{
    Each, INSTANTLY, Log, acknowledge, consumer, drained, events, options, retry,
    run_until_drained, send, spawn, with_handler,
};

/// A queue that logs how many entries each request has, and takes its time.
struct Counting {
    queue: MemQueue,
    delete_takes: Duration,
    /// How long an extension is on its way.
    extend_takes: Duration,
    /// The first delete panics.
    breaks: AtomicBool,
    entries: Log<(&'static str, usize)>,
    deletes: AtomicUsize,
    most_deletes: AtomicUsize,
}

impl Counting {
    fn new(queue: &MemQueue) -> Self {
        Self {
            queue: queue.clone(),
            delete_takes: Duration::ZERO,
            extend_takes: Duration::ZERO,
            breaks: AtomicBool::new(false),
            entries: Log::new(),
            deletes: AtomicUsize::new(0),
            most_deletes: AtomicUsize::new(0),
        }
    }

    fn most_entries(&self, of: &str) -> usize {
        let entries = self.entries.entries().into_iter();
        entries.filter(|(operation, _)| *operation == of).map(|(_, count)| count).max().unwrap()
    }
}

#[async_trait]
impl Queue for Counting {
    fn limits(&self) -> QueueLimits {
        self.queue.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        self.entries.push(("send", batch.len()));
        self.queue.send(batch).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        self.queue.receive(request).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        self.entries.push(("delete", receipts.len()));
        assert!(!self.breaks.swap(false, Ordering::SeqCst), "on purpose");
        let deletes = self.deletes.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_deletes.fetch_max(deletes, Ordering::SeqCst);
        sleep(self.delete_takes).await;
        self.deletes.fetch_sub(1, Ordering::SeqCst);
        self.queue.delete(receipts).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let is_release = changes.iter().any(|(_, hidden)| *hidden == LATER);
        let operation = if is_release { "release" } else { "extend" };
        self.entries.push((operation, changes.len()));
        if !is_release {
            sleep(self.extend_takes).await;
        }
        self.queue.change_visibility(changes).await
    }

    async fn depth(&self) -> Result<Depth> {
        self.queue.depth().await
    }
}

const LATER: Duration = Duration::from_secs(777);

fn queue_with(limits: QueueLimits) -> MemQueue {
    let limits = QueueLimits { cancel_safe_receive: true, ..limits };
    MemQueue::new(MemQueueOptions { limits, ..MemQueueOptions::default() })
}

/// Batches that are not full before these many messages or this time.
fn gathering(count: usize, secs: u64) -> BatchLimits {
    BatchLimits { count, bytes: 1_000_000, linger: Duration::from_secs(secs) }
}

#[tokio::test(start_paused = true)]
async fn requests_have_as_many_entries_as_the_queue_takes_however_many_it_gives() {
    for (batch_entries, receive_max) in [(3, 10), (10, 3)] {
        let queue = queue_with(QueueLimits { batch_entries, receive_max, ..QueueLimits::SQS });
        let counting = Arc::new(Counting::new(&queue));
        let producer = Producer::new(counting.clone(), Scripted::new(events(30))).retry(retry());
        assert_eq!(producer.run(Shutdown::never()).await.unwrap().sent, 30);
        let later_at_first = Each {
            takes: Duration::from_secs(40),
            outcome: |delivery: &Delivery| match delivery.receive_count {
                1 => Outcome::Retry(LATER),
                _ => Outcome::Ack,
            },
        };
        let consumer = consumer(counting.clone(), later_at_first, Arc::new(MemStore::new()));
        let consumer = consumer.options(ConsumerOptions {
            receive_max,
            batch: gathering(30, 5),
            ..ConsumerOptions::default()
        });
        let report = run_until_drained(consumer, &queue).await;
        assert_eq!((report.received, report.released, report.deleted), (60, 30, 30));
        for operation in ["send", "extend", "release", "delete"] {
            assert_eq!(counting.most_entries(operation), batch_entries, "{operation}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_send_has_as_many_bytes_as_a_batch_may_have_and_not_a_message() {
    let size = event_size();
    let (message_bytes, batch_bytes) = (size, 5 * size);
    let queue = queue_with(QueueLimits { message_bytes, batch_bytes, ..QueueLimits::SQS });
    let counting = Arc::new(Counting::new(&queue));
    let producer = Producer::new(counting.clone(), Scripted::new(events(10))).retry(retry());
    assert_eq!(producer.run(Shutdown::never()).await.unwrap().sent, 10);
    assert_eq!(counting.entries.entries(), [("send", 5); 2]);
}

/// Of each of the first ten events.
fn event_size() -> usize {
    events(1)[0].size()
}

#[tokio::test(start_paused = true)]
async fn no_more_deletes_are_under_way_than_there_may_be_pollers() {
    let queue = MemQueue::default();
    send(&queue, &events(100)).await;
    let mut slow = Counting::new(&queue);
    slow.delete_takes = Duration::from_secs(5);
    let slow = Arc::new(slow);
    let consumer = consumer(slow.clone(), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    let consumer = consumer
        .options(ConsumerOptions { max_concurrent_receives: 2, ..ConsumerOptions::default() });
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.deleted), (100, 100));
    assert_eq!(slow.most_deletes.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_done_waits_for_others_to_be_deleted_with_also_during_a_drain() {
    for stop_at in [1, 1_000] {
        let queue = MemQueue::default();
        send(&queue, &events(20)).await;
        let counting = Arc::new(Counting::new(&queue));
        let number = AtomicUsize::new(0);
        let consumer = consumer(counting.clone(), OneByOne(number), Arc::new(MemStore::new()));
        let consumer = consumer.options(ConsumerOptions {
            batch: gathering(1, 0),
            delete_linger: Duration::from_secs(25),
            ..ConsumerOptions::default()
        });
        let (stop, shutdown) = Shutdown::new();
        let running = spawn(consumer, &shutdown);
        sleep(Duration::from_secs(stop_at)).await;
        stop.shutdown();
        assert_eq!(running.await.unwrap().deleted, 20);
        assert_eq!(counting.entries.entries(), [("delete", 10); 2], "stopped after {stop_at} s");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_one_after_the_other_is_deleted_together() {
    let queue = MemQueue::default();
    let counting = Arc::new(Counting::new(&queue));
    let consumer = consumer(counting.clone(), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    let consumer = consumer.options(ConsumerOptions {
        delete_linger: Duration::from_secs(25),
        ..ConsumerOptions::default()
    });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    for message in events(3) {
        send(&queue, &[message]).await;
        sleep(Duration::from_secs(10)).await;
    }
    stop.shutdown();
    assert_eq!(running.await.unwrap().deleted, 3);
    assert_eq!(counting.entries.entries(), [("delete", 3)]);
}

/// The queue has nothing more, and its long poll goes on: nothing else wakes the consumer.
#[tokio::test(start_paused = true)]
async fn what_nothing_joins_is_deleted_after_its_time() {
    let queue = MemQueue::default();
    send(&queue, &events(1)).await;
    let consumer = with_handler(&queue, acknowledge(Duration::ZERO));
    let delete_linger = Duration::from_millis(700);
    let batch = gathering(1, 0);
    let consumer =
        consumer.options(ConsumerOptions { batch, delete_linger, ..ConsumerOptions::default() });
    let (stop, shutdown) = Shutdown::new();
    let (start, running) = (Instant::now(), spawn(consumer, &shutdown));
    drained(&queue).await;
    assert_eq!(start.elapsed(), delete_linger);
    stop.shutdown();
    assert_eq!(running.await.unwrap().deleted, 1);
}

/// A handler that takes half a second longer for each message.
struct OneByOne(AtomicUsize);

#[async_trait]
impl Handler for OneByOne {
    async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        sleep(Duration::from_millis(500) * u32::try_from(number).unwrap()).await;
        vec![Outcome::Ack; batch.len()]
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_is_not_given_back_while_its_extension_is_on_its_way() {
    let queue = MemQueue::default();
    send(&queue, &events(1)).await;
    let mut slow = Counting::new(&queue);
    slow.extend_takes = Duration::from_secs(5);
    let later_at_first = Each {
        // Half of the visibility is over after 15 s.
        takes: Duration::from_secs(17),
        outcome: |delivery: &Delivery| match delivery.receive_count {
            1 => Outcome::Retry(LATER),
            _ => Outcome::Ack,
        },
    };
    let start = Instant::now();
    let consumer = consumer(Arc::new(slow), later_at_first, Arc::new(MemStore::new()));
    run_until_drained(consumer.options(options()), &queue).await;
    assert!(start.elapsed() > LATER, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_panics_ends_the_consumer_once_the_rest_is_deleted() {
    let queue = MemQueue::default();
    send(&queue, &events(30)).await;
    let counting = Counting::new(&queue);
    counting.breaks.store(true, Ordering::SeqCst);
    let consumer = consumer(Arc::new(counting), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    let options =
        ConsumerOptions { max_concurrent_receives: 1, batch: gathering(30, 5), ..options() };
    let error = consumer.options(options).run(Shutdown::never()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.to_string().contains("the queue's backend panicked"), "{error}");
    assert_eq!(queue.depth().await.unwrap().total(), 10, "what the panic was about");
}

#[tokio::test(start_paused = true)]
async fn a_retry_later_than_any_message_can_be_hidden_comes_after_that_time() {
    let queue = MemQueue::default();
    send(&queue, &events(1)).await;
    let never = Each {
        takes: INSTANTLY,
        outcome: |delivery: &Delivery| match delivery.receive_count {
            1 => Outcome::Retry(Duration::MAX),
            _ => Outcome::Ack,
        },
    };
    let start = Instant::now();
    run_until_drained(with_handler(&queue, never).options(options()), &queue).await;
    assert_eq!(start.elapsed(), queue.limits().max_visibility);
}

#[tokio::test(start_paused = true)]
async fn the_last_of_a_total_wait_for_no_others() {
    let queue = MemQueue::default();
    send(&queue, &events(20)).await;
    let consumer = with_handler(&queue, acknowledge(INSTANTLY)).options(ConsumerOptions {
        total: Some(13),
        batch: gathering(100, 25),
        ..options()
    });
    let start = Instant::now();
    let report = consumer.run(Shutdown::never()).await.unwrap();
    assert_eq!((report.deleted, start.elapsed()), (13, Duration::ZERO));
}
