//! What the tests of the engines share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_core::jiff::civil::date;
use event_core::retry::{Retry, RetryBackoff};
use event_core::store::list_all;
use event_core::{
    Consumer, ConsumerOptions, ConsumerReport, Delivery, Error, ErrorKind, Handler, Layout,
    Message, ObjectStore, Outcome, Quarantine, Queue, ReceiveRequest, Retail, Shutdown,
    StoreWriter, async_trait,
};
use event_mem::{MemQueue, MemStore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// The bytes of a valid event.
pub(crate) fn body(request_id: &str) -> String {
    format!(
        r#"{{"request_id": "{request_id}", "store_id": 8, "cust_id": 538, "category": "Games", "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false, "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48.469759", "contact_me": "someone"}}"#
    )
}

pub(crate) fn sale(body: impl Into<event_core::Bytes>) -> Message {
    Message::new(body).with_attribute("event_type", "sale_event")
}

/// Valid events with the identities `0`, `1`, …
pub(crate) fn events(count: usize) -> Vec<Message> {
    (0..count).map(|id| sale(body(&id.to_string()))).collect()
}

pub(crate) async fn send(queue: &dyn Queue, messages: &[Message]) {
    for batch in messages.chunks(10) {
        for outcome in queue.send(batch).await {
            outcome.unwrap();
        }
    }
}

pub(crate) async fn keys(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let objects = list_all(store, prefix).await.unwrap();
    objects.into_iter().map(|object| object.key).collect()
}

pub(crate) fn transient(operation: &'static str) -> Error {
    Error::new(ErrorKind::Transient, operation, "on purpose")
}

/// A request to receive everything there is, at once.
pub(crate) const AT_ONCE: ReceiveRequest =
    ReceiveRequest { max: 10, wait: Duration::ZERO, visibility: Duration::from_secs(30) };

/// Jitter from a fixed seed.
pub(crate) fn retry() -> Retry {
    Retry::new(RetryBackoff::default(), fastrand::Rng::with_seed(1), Arc::new(()))
}

/// A consumer that writes events from this queue to this store.
pub(crate) fn writer(queue: Arc<dyn Queue>, store: Arc<dyn ObjectStore>) -> Consumer {
    let handler =
        StoreWriter::new(Arc::clone(&store), Layout::default(), Arc::new(Retail::default()))
            .retry(retry())
            .today(|| date(2026, 11, 22));
    consumer(queue, handler, store)
}

pub(crate) fn consumer(
    queue: Arc<dyn Queue>,
    handler: impl Handler,
    store: Arc<dyn ObjectStore>,
) -> Consumer {
    let quarantine = Quarantine::new(store, Layout::default());
    Consumer::new(queue, Arc::new(handler), quarantine).retry(retry())
}

/// A consumer with a queue in memory and a handler of the test's own.
pub(crate) fn with_handler(queue: &MemQueue, handler: impl Handler) -> Consumer {
    consumer(Arc::new(queue.clone()), handler, Arc::new(MemStore::new()))
}

pub(crate) fn spawn(consumer: Consumer, shutdown: &Shutdown) -> JoinHandle<ConsumerReport> {
    let run = consumer.run(shutdown.clone());
    tokio::spawn(async move { run.await.unwrap() })
}

/// Runs a consumer until its queue holds nothing, and then until it has drained.
pub(crate) async fn run_until_drained(consumer: Consumer, queue: &MemQueue) -> ConsumerReport {
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    drained(queue).await;
    stop.shutdown();
    running.await.unwrap()
}

/// Waits until a queue holds nothing; fails after a day.
pub(crate) async fn drained(queue: &MemQueue) {
    let day = Duration::from_secs(24 * 60 * 60);
    timeout(day, queue.drained()).await.expect("the queue must drain within a day");
}

/// Options for tests that must not wait for a batch of deletes.
pub(crate) fn options() -> ConsumerOptions {
    ConsumerOptions { delete_linger: Duration::ZERO, ..ConsumerOptions::default() }
}

/// A handler made of a function of each delivery, after a time.
pub(crate) struct Each<F> {
    pub(crate) takes: Duration,
    pub(crate) outcome: F,
}

#[async_trait]
impl<F: Fn(&Delivery) -> Outcome + Send + Sync + 'static> Handler for Each<F> {
    async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
        tokio::time::sleep(self.takes).await;
        batch.iter().map(&self.outcome).collect()
    }
}

/// What a test saw, in order.
#[derive(Clone, Default)]
pub(crate) struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T: Clone> Log<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn push(&self, entry: T) {
        self.0.lock().unwrap().push(entry);
    }

    pub(crate) fn entries(&self) -> Vec<T> {
        self.0.lock().unwrap().clone()
    }
}

/// A handler that takes no time.
pub(crate) const INSTANTLY: Duration = Duration::ZERO;

/// A handler that acknowledges everything after a time.
pub(crate) fn acknowledge(takes: Duration) -> Each<impl Fn(&Delivery) -> Outcome> {
    Each { takes, outcome: |_: &Delivery| Outcome::Ack }
}
