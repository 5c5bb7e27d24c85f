//! That a message stays hidden exactly as long as it is held.

use std::sync::Arc;
use std::time::Duration;

use event_core::{
    ConsumerOptions, Delivery, Depth, Error, ErrorKind, Message, MessageId, Queue, QueueLimits,
    Receipt, ReceiveRequest, Result, async_trait,
};
use event_mem::{MemQueue, MemStore};
use tokio::time::{Instant, sleep};

use crate::support::{
    INSTANTLY, Log, acknowledge, consumer, events, options, run_until_drained, send,
};

/// A queue that logs what it is asked and takes its time to answer.
struct Watched {
    queue: MemQueue,
    /// How long the answer to a change is on its way, after it took effect.
    answer_takes: Duration,
    /// The change of which entry is refused in the first request.
    refuses: Option<usize>,
    /// The first change has no effect, and no outcome.
    forgets: bool,
    start: Instant,
    visibilities: Log<Duration>,
    /// When changes took effect, and for which receipts.
    changes: Log<(u64, Vec<Receipt>)>,
}

impl Watched {
    fn new(queue: &MemQueue) -> Self {
        Self {
            queue: queue.clone(),
            answer_takes: Duration::ZERO,
            refuses: None,
            forgets: false,
            start: Instant::now(),
            visibilities: Log::new(),
            changes: Log::new(),
        }
    }
}

#[async_trait]
impl Queue for Watched {
    fn limits(&self) -> QueueLimits {
        self.queue.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        self.queue.send(batch).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        self.visibilities.push(request.visibility);
        self.queue.receive(request).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        self.queue.delete(receipts).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let first = self.changes.entries().is_empty();
        let receipts = changes.iter().map(|(receipt, _)| receipt.clone()).collect();
        self.changes.push((self.start.elapsed().as_secs(), receipts));
        if self.forgets && first {
            return Vec::new();
        }
        let mut outcomes = self.queue.change_visibility(changes).await;
        if let Some(outcome) = self.refuses.filter(|_| first).and_then(|at| outcomes.get_mut(at)) {
            *outcome = Err(Error::new(ErrorKind::Invalid, "change_visibility", "on purpose"));
        }
        sleep(self.answer_takes).await;
        outcomes
    }

    async fn depth(&self) -> Result<Depth> {
        self.queue.depth().await
    }
}

#[tokio::test(start_paused = true)]
async fn every_receive_asks_for_the_visibility_that_the_leases_reckon_with() {
    for (visibility, asked) in [(None, 30), (Some(Duration::from_secs(90)), 90)] {
        let queue = MemQueue::default();
        send(&queue, &events(30)).await;
        let watched = Watched::new(&queue);
        let asked_for = watched.visibilities.clone();
        let slow = acknowledge(Duration::from_secs(300));
        let consumer = consumer(Arc::new(watched), slow, Arc::new(MemStore::new()));
        let consumer = consumer.options(ConsumerOptions { visibility, ..options() });
        let report = run_until_drained(consumer, &queue).await;
        assert_eq!(report.received, 30, "a message came again while it was held");
        let asked_for = asked_for.entries();
        assert!(asked_for.iter().all(|time| time.as_secs() == asked), "{asked_for:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_extension_counts_from_when_it_was_asked_for() {
    let queue = MemQueue::default();
    send(&queue, &events(1)).await;
    let visibility = Some(Duration::from_secs(40));
    // The queue counts from when it has the request; its answer is on its way for half of that.
    let watched = Watched { answer_takes: Duration::from_secs(20), ..Watched::new(&queue) };
    let changes = watched.changes.clone();
    let slow = acknowledge(Duration::from_secs(400));
    let consumer = consumer(Arc::new(watched), slow, Arc::new(MemStore::new()));
    let consumer = consumer.options(ConsumerOptions { visibility, ..options() });
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.acknowledged), (1, 1), "it came again while it was held");
    let times: Vec<_> = changes.entries().into_iter().map(|(time, _)| time).collect();
    let gaps: Vec<_> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Looked at every 10 s, and asked for again with no more than half of it left.
    assert!(gaps.len() > 10 && gaps.iter().all(|&gap| gap <= 30), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn of_extensions_in_one_request_the_refused_one_alone_is_not_asked_for_again() {
    let queue = MemQueue::default();
    send(&queue, &events(5)).await;
    let watched = Watched { refuses: Some(1), ..Watched::new(&queue) };
    let changes = watched.changes.clone();
    let slow = acknowledge(Duration::from_secs(80));
    let consumer = consumer(Arc::new(watched), slow, Arc::new(MemStore::new()));
    run_until_drained(consumer.options(options()), &queue).await;
    let changes = changes.entries();
    let [(_, first), (_, second), ..] = &changes[..] else { panic!("{changes:?}") };
    assert_eq!((first.len(), second.len()), (5, 4));
    let mut expected = first.clone();
    expected.remove(1);
    assert_eq!(*second, expected);
}

#[tokio::test(start_paused = true)]
async fn an_extension_without_an_outcome_is_asked_for_again() {
    let queue = MemQueue::default();
    send(&queue, &events(5)).await;
    let watched = Watched { forgets: true, ..Watched::new(&queue) };
    let slow = acknowledge(Duration::from_secs(80));
    let consumer = consumer(Arc::new(watched), slow, Arc::new(MemStore::new()));
    let report = run_until_drained(consumer.options(options()), &queue).await;
    assert_eq!((report.received, report.acknowledged), (5, 5), "one came again while it was held");
}

#[tokio::test(start_paused = true)]
async fn a_lease_counts_from_its_own_receive() {
    let queue = MemQueue::default();
    send(&queue, &events(1)).await;
    let (watched, late) = (Watched::new(&queue), queue.clone());
    let changes = watched.changes.clone();
    tokio::spawn(async move {
        sleep(Duration::from_secs(14)).await;
        send(&late, &events(2)[1..]).await;
    });
    // Both are held for longer than either is hidden.
    let slow = acknowledge(Duration::from_secs(35));
    let consumer = consumer(Arc::new(watched), slow, Arc::new(MemStore::new()));
    let report = run_until_drained(consumer.options(options()), &queue).await;
    assert_eq!((report.received, report.acknowledged), (2, 2));
    let changes = changes.entries();
    let asked: Vec<_> = changes.iter().map(|(time, receipts)| (*time, receipts.len())).collect();
    // Looked at every 7.5 s: the first with 15 of 30 s left, and not the second with it.
    assert_eq!(asked[0], (15, 1), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_settled_at_once_is_never_extended() {
    let queue = MemQueue::default();
    send(&queue, &events(100)).await;
    let watched = Watched::new(&queue);
    let changes = watched.changes.clone();
    let consumer = consumer(Arc::new(watched), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    run_until_drained(consumer.options(options()), &queue).await;
    assert!(changes.entries().is_empty());
}
