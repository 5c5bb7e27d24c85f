//! Counts requests as a service would bill them: wrappers that are backends themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;

use crate::error::Result;
use crate::message::Message;
use crate::queue::{Delivery, Depth, MessageId, Queue, QueueLimits, Receipt, ReceiveRequest};
use crate::store::{ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome};

/// SQS bills each 64 KiB of payload as [one request](https://aws.amazon.com/sqs/pricing/).
const BILLED_CHUNK: usize = 64 * 1024;

/// Requests by kind, counted by [`MeteredQueue`] and [`MeteredStore`]; those that failed count.
#[derive(Debug, Default)]
pub struct Meter {
    send: AtomicU64,
    receive: AtomicU64,
    delete: AtomicU64,
    change_visibility: AtomicU64,
    depth: AtomicU64,
    put: AtomicU64,
    get: AtomicU64,
    head: AtomicU64,
    list: AtomicU64,
    delete_objects: AtomicU64,
}

/// What a [`Meter`] had counted at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(missing_docs, reason = "each is the method of that name")]
pub struct Requests {
    pub send: u64,
    pub receive: u64,
    pub delete: u64,
    pub change_visibility: u64,
    pub depth: u64,
    pub put: u64,
    pub get: u64,
    pub head: u64,
    pub list: u64,
    pub delete_objects: u64,
}

impl Meter {
    /// What was counted so far.
    pub fn requests(&self) -> Requests {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Requests {
            send: read(&self.send),
            receive: read(&self.receive),
            delete: read(&self.delete),
            change_visibility: read(&self.change_visibility),
            depth: read(&self.depth),
            put: read(&self.put),
            get: read(&self.get),
            head: read(&self.head),
            list: read(&self.list),
            delete_objects: read(&self.delete_objects),
        }
    }
}

fn count(counter: &AtomicU64, requests: usize) {
    // usize fits in u64 on every platform that Rust supports.
    counter.fetch_add(requests as u64, Ordering::Relaxed);
}

fn billed(bytes: usize) -> usize {
    bytes.div_ceil(BILLED_CHUNK).max(1)
}

/// A queue whose requests are counted.
///
/// ```
/// use event_core::meter::{Meter, MeteredQueue};
/// use event_core::Queue;
/// use std::sync::Arc;
///
/// # async fn example(queue: impl Queue) -> event_core::Result<()> {
/// let meter = Arc::new(Meter::default());
/// let queue = MeteredQueue::new(queue, Arc::clone(&meter));
/// queue.depth().await?;
/// assert_eq!(meter.requests().depth, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct MeteredQueue<Q> {
    queue: Q,
    meter: Arc<Meter>,
}

impl<Q> MeteredQueue<Q> {
    /// Counts the requests to this queue.
    pub fn new(queue: Q, meter: Arc<Meter>) -> Self {
        Self { queue, meter }
    }
}

#[async_trait]
impl<Q: Queue> Queue for MeteredQueue<Q> {
    fn limits(&self) -> QueueLimits {
        self.queue.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        count(&self.meter.send, billed(batch.iter().map(Message::size).sum()));
        self.queue.send(batch).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let answer = self.queue.receive(request).await;
        let deliveries = answer.as_deref().unwrap_or_default();
        count(&self.meter.receive, billed(deliveries.iter().map(|d| d.message.size()).sum()));
        answer
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        count(&self.meter.delete, 1);
        self.queue.delete(receipts).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        count(&self.meter.change_visibility, 1);
        self.queue.change_visibility(changes).await
    }

    async fn depth(&self) -> Result<Depth> {
        count(&self.meter.depth, 1);
        self.queue.depth().await
    }
}

/// A store whose requests are counted.
#[derive(Clone, Debug)]
pub struct MeteredStore<S> {
    store: S,
    meter: Arc<Meter>,
}

impl<S> MeteredStore<S> {
    /// Counts the requests to this store.
    pub fn new(store: S, meter: Arc<Meter>) -> Self {
        Self { store, meter }
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for MeteredStore<S> {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        count(&self.meter.put, 1);
        self.store.put(key, body, mode).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        count(&self.meter.get, 1);
        self.store.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        count(&self.meter.head, 1);
        self.store.head(key).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        count(&self.meter.list, 1);
        self.store.list(request).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        count(&self.meter.delete_objects, 1);
        self.store.delete(keys).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use crate::mocks::{MockQueue, MockStore, delivery};

    fn failure() -> Error {
        Error::new(ErrorKind::Transient, "test", "on purpose")
    }

    #[tokio::test]
    async fn a_metered_queue_answers_as_the_queue_and_counts_each_request() {
        let mut mock = MockQueue::new();
        mock.expect_limits().return_const(QueueLimits::SQS);
        mock.expect_send().returning(|_| vec![Ok(MessageId::new("sent")), Err(failure())]);
        mock.expect_receive()
            .returning(|request| Ok(vec![delivery(Message::new("x")); request.max]));
        mock.expect_delete().returning(|_| vec![Err(failure()), Ok(())]);
        mock.expect_change_visibility().returning(|_| vec![Ok(()), Err(failure())]);
        mock.expect_depth().returning(|| Ok(Depth { visible: 7, ..Depth::default() }));
        let queue = MeteredQueue::new(mock, Arc::default());

        assert_eq!(queue.limits(), QueueLimits::SQS);
        let sent = queue.send(&[Message::new("a"), Message::new("b")]).await;
        assert_eq!((sent.len(), sent[0].as_ref().unwrap().as_str()), (2, "sent"));
        let request = ReceiveRequest { max: 3, wait: Duration::ZERO, visibility: Duration::ZERO };
        for _ in 0..2 {
            assert_eq!(queue.receive(request).await.unwrap().len(), 3);
        }
        for _ in 0..3 {
            let deleted = queue.delete(&[]).await;
            assert!(matches!(deleted[..], [Err(_), Ok(())]));
        }
        for _ in 0..4 {
            let changed = queue.change_visibility(&[]).await;
            assert!(matches!(changed[..], [Ok(()), Err(_)]));
        }
        for _ in 0..5 {
            assert_eq!(queue.depth().await.unwrap().visible, 7);
        }
        let counted = Requests {
            send: 1,
            receive: 2,
            delete: 3,
            change_visibility: 4,
            depth: 5,
            ..Requests::default()
        };
        assert_eq!(queue.meter.requests(), counted);
    }

    #[tokio::test]
    async fn each_64_kib_are_billed_as_a_request_of_their_own_and_nothing_as_one() {
        const KIB_64: usize = 65_536;
        for (sizes, billed) in [
            (&[0][..], 1),
            (&[KIB_64], 1),
            (&[KIB_64 + 1], 2),
            (&[KIB_64 / 2, KIB_64 / 2], 1),
            (&[KIB_64, 1], 2),
            (&[10 * KIB_64], 10),
        ] {
            let batch: Vec<_> = sizes.iter().map(|&size| Message::new(vec![b'x'; size])).collect();
            let deliveries: Vec<_> = batch.iter().cloned().map(delivery).collect();
            let mut mock = MockQueue::new();
            mock.expect_send().returning(|_| Vec::new());
            mock.expect_receive().return_once(move |_| Ok(deliveries));
            let queue = MeteredQueue::new(mock, Arc::default());
            queue.send(&batch).await;
            let request =
                ReceiveRequest { max: 10, wait: Duration::ZERO, visibility: Duration::ZERO };
            queue.receive(request).await.unwrap();
            let requests = queue.meter.requests();
            assert_eq!((requests.send, requests.receive), (billed, billed), "{sizes:?}");
        }
    }

    #[tokio::test]
    async fn a_metered_store_answers_as_the_store_and_counts_each_request() {
        let object = ObjectMeta { key: "a".to_owned(), size: 9, modified: std::time::UNIX_EPOCH };
        let page = Page { objects: vec![object.clone()], more: true };
        let mut mock = MockStore::new();
        mock.expect_put().returning(|_, _, _| Ok(PutOutcome::Exists));
        mock.expect_get().returning(|_| Ok(Some("body".into())));
        mock.expect_head().return_once({
            let object = object.clone();
            move |_| Ok(Some(object))
        });
        mock.expect_list().returning({
            let page = page.clone();
            move |_| Ok(page.clone())
        });
        mock.expect_delete().returning(|_| vec![Err(failure()), Ok(())]);
        let store = MeteredStore::new(mock, Arc::default());

        store.put("a", Bytes::new(), PutMode::Create).await.unwrap();
        for _ in 0..2 {
            assert_eq!(store.get("a").await.unwrap(), Some("body".into()));
        }
        assert_eq!(store.head("a").await.unwrap(), Some(object));
        for _ in 0..3 {
            let request = ListRequest { prefix: String::new(), after: None, max: 1 };
            assert_eq!(store.list(request).await.unwrap(), page);
        }
        for _ in 0..4 {
            assert!(matches!(store.delete(&[]).await[..], [Err(_), Ok(())]));
        }
        let counted =
            Requests { put: 1, get: 2, head: 1, list: 3, delete_objects: 4, ..Requests::default() };
        assert_eq!(store.meter.requests(), counted);
    }

    #[tokio::test]
    async fn requests_that_fail_are_counted() {
        let (mut queue, mut store) = (MockQueue::new(), MockStore::new());
        queue.expect_receive().returning(|_| Err(failure()));
        queue.expect_depth().returning(|| Err(failure()));
        store.expect_put().returning(|_, _, _| Err(failure()));
        store.expect_get().returning(|_| Err(failure()));
        let meter = Arc::new(Meter::default());
        let (queue, store) = (
            MeteredQueue::new(queue, Arc::clone(&meter)),
            MeteredStore::new(store, Arc::clone(&meter)),
        );

        let request = ReceiveRequest { max: 1, wait: Duration::ZERO, visibility: Duration::ZERO };
        assert!(queue.receive(request).await.is_err() && queue.depth().await.is_err());
        assert!(store.put("a", Bytes::new(), PutMode::Create).await.is_err());
        assert!(store.get("a").await.is_err());
        let counted = Requests { receive: 1, depth: 1, put: 1, get: 1, ..Requests::default() };
        assert_eq!(meter.requests(), counted);
    }
}
