//! How long a stop takes: within the grace whatever store and queue do, and at once out of every
//! wait.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use event_core::batch::BatchLimits;
use event_core::{
    Bytes, ConsumerOptions, Delivery, Error, ErrorKind, Layout, ListRequest, Message, ObjectMeta,
    ObjectStore, Outcome, Page, Producer, ProducerOptions, PutMode, PutOutcome, Quarantine, Queue,
    QueueLimits, Reason, Result, Shutdown, async_trait,
};
use event_mem::{MemQueue, MemQueueOptions, MemStore, Scripted};
use event_tests::Faulty;
use tokio::time::{Instant, sleep};

use crate::support::{
    AT_ONCE, Each, INSTANTLY, acknowledge, consumer, events, options, retry, sale, send, spawn,
    transient, with_handler, writer,
};

/// A store that never answers.
pub(crate) struct Hung;

#[async_trait]
impl ObjectStore for Hung {
    async fn put(&self, _: &str, _: Bytes, _: PutMode) -> Result<PutOutcome> {
        pending().await
    }

    async fn get(&self, _: &str) -> Result<Option<Bytes>> {
        pending().await
    }

    async fn head(&self, _: &str) -> Result<Option<ObjectMeta>> {
        pending().await
    }

    async fn list(&self, _: ListRequest) -> Result<Page> {
        pending().await
    }

    async fn delete(&self, _: &[String]) -> Vec<Result<()>> {
        pending().await
    }
}

fn full() -> Error {
    Error::new(ErrorKind::Transient, "put", "out/.tmp: No space left on device")
}

/// Events, and as many messages that are none and go to quarantine.
fn good_and_bad(count: usize) -> Vec<Message> {
    let bad = (0..count).map(|number| sale(format!("no event {number}")));
    events(count).into_iter().chain(bad).collect()
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_full_or_hangs_keeps_no_consumer_past_its_grace() {
    for hangs in [false, true] {
        let queue = MemQueue::default();
        // More than a consumer holds.
        send(&queue, &good_and_bad(1500)).await;
        let store: Arc<dyn ObjectStore> = match hangs {
            true => Arc::new(Hung),
            false => Arc::new(Faulty::new(MemStore::new(), |_| Some(full()))),
        };
        let (stop, shutdown) = Shutdown::new();
        let running = spawn(writer(Arc::new(queue.clone()), store), &shutdown);
        sleep(Duration::from_secs(600)).await;
        let start = Instant::now();
        stop.shutdown();
        let report = running.await.unwrap();
        assert!(start.elapsed() <= options().grace, "{:?}", start.elapsed());
        assert_eq!((report.acknowledged, report.quarantined, report.abandoned), (0, 0, 0));
        let depth = queue.depth().await.unwrap();
        assert_eq!((depth.visible, depth.in_flight), (3000, 0), "all that was held is free again");
    }
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_that_hangs_keeps_no_producer_past_its_grace() {
    let queue = MemQueue::default();
    let messages = vec![sale(vec![b'x'; 2 * 1024 * 1024]); 20];
    let quarantine = Quarantine::new(Arc::new(Hung), Layout::default());
    let producer = Producer::new(Arc::new(queue), Scripted::new(messages)).quarantine(quarantine);
    let (stop, shutdown) = Shutdown::new();
    let running = tokio::spawn(producer.run(shutdown));
    sleep(Duration::from_secs(600)).await;
    let start = Instant::now();
    stop.shutdown();
    assert!(running.await.unwrap().is_err());
    assert_eq!(start.elapsed(), ProducerOptions::default().grace);
}

/// SQS: a receive under way must be awaited.
fn sqs() -> MemQueue {
    let limits = QueueLimits { cancel_safe_receive: false, ..QueueLimits::SQS };
    MemQueue::new(MemQueueOptions { limits, ..MemQueueOptions::default() })
}

#[tokio::test(start_paused = true)]
async fn a_long_poll_is_awaited_for_its_grace_and_then_abandoned() {
    for (receive_grace, stopped_after) in [(0, 0), (2, 2), (5, 5), (20, 19), (25, 19)] {
        let queue = sqs();
        let consumer = with_handler(&queue, acknowledge(INSTANTLY));
        let receive_grace = Duration::from_secs(receive_grace);
        let consumer = consumer.options(ConsumerOptions { receive_grace, ..options() });
        let (stop, shutdown) = Shutdown::new();
        let running = spawn(consumer, &shutdown);
        sleep(Duration::from_secs(1)).await;
        let start = Instant::now();
        stop.shutdown();
        running.await.unwrap();
        assert_eq!(start.elapsed().as_secs(), stopped_after, "{receive_grace:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_comes_in_the_grace_of_a_receive_is_handled() {
    let queue = sqs();
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(with_handler(&queue, acknowledge(INSTANTLY)), &shutdown);
    sleep(Duration::from_secs(1)).await;
    stop.shutdown();
    sleep(Duration::from_secs(4)).await;
    send(&queue, &events(5)).await;
    let report = running.await.unwrap();
    assert_eq!((report.received, report.acknowledged, report.deleted), (5, 5, 5));
}

/// A queue whose answers to a receive are as long on the way as a stop may wait for them.
struct SlowAnswers(MemQueue);

#[async_trait]
impl Queue for SlowAnswers {
    fn limits(&self) -> QueueLimits {
        self.0.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<event_core::MessageId>> {
        self.0.send(batch).await
    }

    async fn receive(&self, request: event_core::ReceiveRequest) -> Result<Vec<Delivery>> {
        let received = self.0.receive(request).await;
        sleep(Duration::from_secs(15)).await;
        received
    }

    async fn delete(&self, receipts: &[event_core::Receipt]) -> Vec<Result<()>> {
        self.0.delete(receipts).await
    }

    async fn change_visibility(
        &self,
        changes: &[(event_core::Receipt, Duration)],
    ) -> Vec<Result<()>> {
        self.0.change_visibility(changes).await
    }

    async fn depth(&self) -> Result<event_core::Depth> {
        self.0.depth().await
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_abandoned_receive_had_taken_comes_again_and_is_lost_nowhere() {
    let queue = sqs();
    send(&queue, &events(5)).await;
    let slow = SlowAnswers(queue.clone());
    let consumer = consumer(Arc::new(slow), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer.options(options()), &shutdown);
    sleep(Duration::from_secs(1)).await;
    stop.shutdown();
    assert_eq!(running.await.unwrap().received, 0);
    assert_eq!(queue.depth().await.unwrap().in_flight, 5);
    sleep(Duration::from_secs(30)).await;
    let again = queue.receive(AT_ONCE).await.unwrap();
    assert_eq!(again.len(), 5);
    assert!(again.iter().all(|delivery| delivery.receive_count == 2));
}

/// A consumer with these options, on a queue that fails as it says and with a quarantine that cannot be
/// written to, stopped in a wait.
async fn stopped_in_a_wait(
    name: &str,
    options: ConsumerOptions,
    fails: Option<fn(&'static str) -> bool>,
    outcome: Outcome,
) {
    let queue = MemQueue::default();
    send(&queue, &events(10)).await;
    let failing = Faulty::new(queue.clone(), move |call| {
        let fails = fails.is_some_and(|fails| fails(call.operation));
        fails.then(|| transient(call.operation))
    });
    let handler = Each { takes: INSTANTLY, outcome: move |_: &Delivery| outcome.clone() };
    let away = Faulty::new(MemStore::new(), |call| Some(transient(call.operation)));
    let consumer = consumer(Arc::new(failing), handler, Arc::new(away));
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer.options(options), &shutdown);
    // Long enough for every backoff to have grown.
    sleep(Duration::from_secs(3601)).await;
    let start = Instant::now();
    stop.shutdown();
    running.await.unwrap();
    assert!(start.elapsed() < Duration::from_millis(200), "{name}: {:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn every_wait_of_a_consumer_hears_the_stop() {
    let hour = Duration::from_secs(3600);
    let short = |first| ConsumerOptions {
        wait: Duration::ZERO,
        idle_backoff: Some(Duration::from_secs(first)),
        ..options()
    };
    stopped_in_a_wait("at an empty queue", options(), None, Outcome::Ack).await;
    stopped_in_a_wait("between polls that find nothing", short(512), None, Outcome::Ack).await;
    let pause = ConsumerOptions { pause: 2 * hour, ..options() };
    stopped_in_a_wait("in the pause between two polls", pause, None, Outcome::Ack).await;
    let receive = Some((|operation| operation == "receive") as fn(&'static str) -> bool);
    stopped_in_a_wait("between tries of a receive", options(), receive, Outcome::Ack).await;
    let again = Outcome::Retry(Duration::ZERO);
    stopped_in_a_wait("after batches that got nothing done", options(), None, again).await;
    let bad = Outcome::Quarantine(Reason::new("bad_msg", ""));
    stopped_in_a_wait("between tries of a quarantine", options(), None, bad).await;
    let linger = ConsumerOptions {
        batch: BatchLimits { count: 1000, bytes: 1 << 20, linger: Duration::from_secs(29) },
        max_messages: 100_000,
        ..options()
    };
    stopped_in_a_wait("while a batch fills", linger, None, Outcome::Ack).await;
    let deletes = ConsumerOptions { delete_linger: Duration::from_secs(30), ..options() };
    stopped_in_a_wait("while deletes are gathered", deletes, None, Outcome::Ack).await;
}

#[tokio::test(start_paused = true)]
async fn every_wait_of_a_producer_hears_the_stop() {
    let hour = Duration::from_secs(3600);
    let paced = ProducerOptions { interval: 2 * hour, ..ProducerOptions::default() };
    let linger = ProducerOptions {
        interval: Duration::from_secs(1),
        linger: 2 * hour,
        ..ProducerOptions::default()
    };
    for (name, options) in [("the pace", paced), ("the linger", linger)] {
        let queue = MemQueue::default();
        let producer = Producer::new(Arc::new(queue), Scripted::new(events(10_000)));
        let (stop, shutdown) = Shutdown::new();
        let running = tokio::spawn(producer.options(options).retry(retry()).run(shutdown));
        sleep(hour + Duration::from_secs(1)).await;
        let start = Instant::now();
        stop.shutdown();
        running.await.unwrap().unwrap();
        assert!(start.elapsed() < Duration::from_millis(200), "{name}: {:?}", start.elapsed());
    }
}
