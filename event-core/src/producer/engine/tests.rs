use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::sleep;

use super::*;
use crate::codec;
use crate::layout::Layout;
use crate::mocks::{MockObserver, MockStore};
use crate::queue::{Delivery, Depth, MessageId, QueueLimits, Receipt, ReceiveRequest};
use crate::store::PutOutcome;

/// A queue that takes its time, and refuses what the test says.
struct Sink {
    takes: Duration,
    refuses: fn(&Message) -> Option<ErrorKind>,
    start: Instant,
    /// The second in which each send came, and its messages.
    sends: Mutex<Vec<(u64, usize)>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Sink {
    fn new(takes: Duration) -> Arc<Self> {
        Self::refusing(takes, |_| None)
    }

    fn refusing(takes: Duration, refuses: fn(&Message) -> Option<ErrorKind>) -> Arc<Self> {
        Arc::new(Self {
            takes,
            refuses,
            start: Instant::now(),
            sends: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        })
    }
}

#[async_trait]
impl Queue for Sink {
    fn limits(&self) -> QueueLimits {
        QueueLimits::SQS
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        self.sends.lock().unwrap().push((self.start.elapsed().as_secs(), batch.len()));
        let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_under_way.fetch_max(under_way, Ordering::Relaxed);
        sleep(self.takes).await;
        self.under_way.fetch_sub(1, Ordering::Relaxed);
        let outcome = |message| match (self.refuses)(message) {
            Some(kind) => Err(Error::new(kind, "send", "on purpose")),
            None => Ok(MessageId::new("id")),
        };
        batch.iter().map(outcome).collect()
    }

    async fn receive(&self, _: ReceiveRequest) -> Result<Vec<Delivery>> {
        unreachable!("a producer receives nothing")
    }

    async fn delete(&self, _: &[Receipt]) -> Vec<Result<()>> {
        unreachable!("a producer deletes nothing")
    }

    async fn change_visibility(&self, _: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        unreachable!("a producer hides nothing")
    }

    async fn depth(&self) -> Result<Depth> {
        unreachable!("a producer does not look how much there is")
    }
}

/// Gives what it has, and counts what was taken.
struct Given {
    messages: Vec<Message>,
    taken: Arc<AtomicUsize>,
}

impl Given {
    fn new(messages: Vec<Message>) -> Self {
        Self { messages, taken: Arc::default() }
    }

    fn many() -> (Self, Arc<AtomicUsize>) {
        let source = Self::new(vec![Message::new("x"); 100_000]);
        let taken = Arc::clone(&source.taken);
        (source, taken)
    }
}

#[async_trait]
impl EventSource for Given {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        let batch: Vec<_> = self.messages.drain(..max.min(self.messages.len())).collect();
        self.taken.fetch_add(batch.len(), Ordering::Relaxed);
        Ok(batch)
    }
}

fn quarantine(store: MockStore) -> Quarantine {
    Quarantine::new(Arc::new(store), Layout::default())
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_never_answers_stops_the_intake_and_the_grace_ends_the_wait() {
    let (source, taken) = Given::many();
    let options = ProducerOptions { max_concurrent_sends: 2, ..ProducerOptions::default() };
    let (stop, shutdown) = Shutdown::new();
    let producer = Producer::new(Sink::new(Duration::from_secs(1_000_000)), source);
    let running = tokio::spawn(producer.options(options).run(shutdown));
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(taken.load(Ordering::Relaxed), 20, "two sends of ten, and none to wait");
    let start = Instant::now();
    stop.shutdown();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(start.elapsed(), ProducerOptions::default().grace);
    assert_eq!(error.kind(), ErrorKind::Transient);
    let text = "producer: 20 messages were taken from the source and not sent, after 0 that were";
    assert_eq!(error.to_string(), text);
}

#[tokio::test(start_paused = true)]
async fn no_more_sends_are_under_way_than_was_said() {
    let queue = Sink::new(Duration::from_secs(1));
    // Each fills a batch of its own, so that more of them are taken than may be sent.
    let source = Given::new(vec![Message::new(vec![b'x'; 600 * 1024]); 20]);
    let options = ProducerOptions { max_concurrent_sends: 3, ..ProducerOptions::default() };
    let producer = Producer::new(queue.clone(), source).options(options);
    assert_eq!(producer.run(Shutdown::never()).await.unwrap().sent, 20);
    assert_eq!(queue.most_under_way.load(Ordering::Relaxed), 3);
    assert_eq!(queue.start.elapsed().as_secs(), 7);
}

#[tokio::test(start_paused = true)]
async fn after_a_shutdown_nothing_more_is_taken_and_what_was_taken_is_sent() {
    let (source, taken) = Given::many();
    let (stop, shutdown) = Shutdown::new();
    let producer = Producer::new(Sink::new(Duration::from_secs(1)), source);
    let running = tokio::spawn(producer.run(shutdown));
    sleep(Duration::from_millis(10_500)).await;
    let before = taken.load(Ordering::Relaxed);
    stop.shutdown();
    let report = running.await.unwrap().unwrap();
    assert_eq!(taken.load(Ordering::Relaxed), before);
    assert_eq!((report.sent, report.complete), (before as u64, false));
}

#[tokio::test(start_paused = true)]
async fn batches_go_when_they_are_full_or_their_first_message_has_waited() {
    for (linger, expected) in
        [(60, &[(9, 10), (19, 10), (25, 5)][..]), (8, &[(8, 8), (16, 8), (24, 8), (25, 1)])]
    {
        let queue = Sink::new(Duration::ZERO);
        let options = ProducerOptions {
            interval: Duration::from_secs(1),
            linger: Duration::from_secs(linger),
            ..ProducerOptions::default()
        };
        let source = Given::new(vec![Message::new("x"); 25]);
        let producer = Producer::new(queue.clone(), source).options(options);
        assert_eq!(producer.run(Shutdown::never()).await.unwrap().sent, 25);
        assert_eq!(*queue.sends.lock().unwrap(), expected, "{linger} s of linger");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_of_the_largest_size_is_sent_and_a_larger_one_put_aside() {
    let largest = QueueLimits::SQS.message_bytes;
    let mut store = MockStore::new();
    store
        .expect_put()
        .once()
        .withf(move |_, line, _| codec::decode_line(line).unwrap().size() == largest + 1)
        .returning(|_, _, _| Ok(PutOutcome::Written));
    let messages = [largest, largest + 1].map(|size| Message::new(vec![b'x'; size])).to_vec();
    let queue = Sink::new(Duration::ZERO);
    let producer = Producer::new(queue.clone(), Given::new(messages)).quarantine(quarantine(store));
    let report = producer.run(Shutdown::never()).await.unwrap();
    assert_eq!(report, ProducerReport { sent: 1, quarantined: 1, complete: true });
    assert_eq!(queue.sends.lock().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_the_queue_refuses_for_good_is_put_aside_and_the_rest_of_its_batch_is_sent() {
    let mut store = MockStore::new();
    store.expect_put().times(2).returning(|_, _, _| Ok(PutOutcome::Written));
    let mut observer = MockObserver::new();
    observer.expect_sent().times(3).withf(|sent| sent[0].body == "good").return_const(());
    let rejected =
        |message: &Message, reason: &Reason| message.body == "bad" && reason.code() == "refused";
    observer.expect_rejected().times(2).withf(rejected).return_const(());
    let queue = Sink::refusing(Duration::ZERO, |message| {
        (message.body == "bad").then_some(ErrorKind::Invalid)
    });
    let messages = ["good", "bad", "good", "bad", "good"].map(Message::new).to_vec();
    let producer = Producer::new(queue, Given::new(messages))
        .quarantine(quarantine(store))
        .observer(Arc::new(observer));
    let report = producer.run(Shutdown::never()).await.unwrap();
    assert_eq!(report, ProducerReport { sent: 3, quarantined: 2, complete: true });
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_not_about_the_message_puts_none_aside() {
    // A put would panic: nothing is expected.
    let quarantine = quarantine(MockStore::new());
    let queue = Sink::refusing(Duration::ZERO, |_| Some(ErrorKind::Denied));
    let producer =
        Producer::new(queue, Given::new(vec![Message::new("x"); 3])).quarantine(quarantine);
    let error = producer.run(Shutdown::never()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().starts_with("producer: 3 messages were taken"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_panics_ends_the_producer_with_an_error_that_says_so() {
    let queue = Sink::refusing(Duration::ZERO, |_| panic!("on purpose"));
    let producer = Producer::new(queue, Given::new(vec![Message::new("x"); 3]));
    let error = producer.run(Shutdown::never()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown);
    assert!(error.to_string().contains("the queue's backend panicked"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_batch_that_fails_for_good_ends_the_tries_of_the_others_and_says_why() {
    let queue = Sink::refusing(Duration::ZERO, |message| match &*message.body {
        b"denied" => Some(ErrorKind::Denied),
        _ => Some(ErrorKind::Throttled),
    });
    let messages = ["slow", "denied", "slow"].map(|body| vec![Message::new(body); 10]).concat();
    let start = Instant::now();
    let producer = Producer::new(queue, Given::new(messages));
    let run = tokio::time::timeout(Duration::from_secs(3600), producer.run(Shutdown::never()));
    let error = run.await.expect("it gives up").unwrap_err();
    assert_eq!((error.kind(), start.elapsed().as_secs()), (ErrorKind::Denied, 30));
    let text = error.to_string();
    assert!(text.contains("30 messages") && text.ends_with("send: on purpose"), "{text}");
}
