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
pub struct MeteredQueue<Q>(pub Q, pub Arc<Meter>);

#[async_trait]
impl<Q: Queue> Queue for MeteredQueue<Q> {
    fn limits(&self) -> QueueLimits {
        self.0.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        count(&self.1.send, billed(batch.iter().map(Message::size).sum()));
        self.0.send(batch).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let answer = self.0.receive(request).await;
        let deliveries = answer.as_deref().unwrap_or_default();
        count(&self.1.receive, billed(deliveries.iter().map(|d| d.message.size()).sum()));
        answer
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        count(&self.1.delete, 1);
        self.0.delete(receipts).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        count(&self.1.change_visibility, 1);
        self.0.change_visibility(changes).await
    }

    async fn depth(&self) -> Result<Depth> {
        count(&self.1.depth, 1);
        self.0.depth().await
    }
}

/// A store whose requests are counted.
pub struct MeteredStore<S>(pub S, pub Arc<Meter>);

#[async_trait]
impl<S: ObjectStore> ObjectStore for MeteredStore<S> {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        count(&self.1.put, 1);
        self.0.put(key, body, mode).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        count(&self.1.get, 1);
        self.0.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        count(&self.1.head, 1);
        self.0.head(key).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        count(&self.1.list, 1);
        self.0.list(request).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        count(&self.1.delete_objects, 1);
        self.0.delete(keys).await
    }
}
