//! Backends that fail on purpose: wrappers that are backends themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use event_core::{
    Bytes, Delivery, Depth, Error, ListRequest, Message, MessageId, ObjectMeta, ObjectStore, Page,
    PutMode, PutOutcome, Queue, QueueLimits, Receipt, ReceiveRequest, Result,
};

/// One entry of one call, about to reach the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call {
    /// The trait's method.
    pub operation: &'static str,
    /// How many calls came before, of any operation.
    pub number: u64,
    /// Which entry of the batch; 0 where there is no batch.
    pub entry: usize,
}

type Plan = Arc<dyn Fn(Call) -> Option<Error> + Send + Sync>;

/// A backend that asks a plan before each entry of each call: an entry for which the plan has an
/// error fails with it and does not reach the backend.
///
/// ```
/// use event_core::{Error, ErrorKind, ObjectStore, PutMode};
/// use event_mem::MemStore;
/// use event_tests::Faulty;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let broken = Faulty::new(MemStore::new(), |call| {
///     (call.operation == "put").then(|| Error::new(ErrorKind::Transient, "put", "on purpose"))
/// });
/// assert!(broken.put("key", "body".into(), PutMode::Create).await.is_err());
/// assert_eq!(broken.get("key").await.unwrap(), None);
/// # }
/// ```
pub struct Faulty<B> {
    inner: B,
    plan: Plan,
    calls: AtomicU64,
}

impl<B> Faulty<B> {
    /// Wraps a backend.
    pub fn new(inner: B, plan: impl Fn(Call) -> Option<Error> + Send + Sync + 'static) -> Self {
        Self { inner, plan: Arc::new(plan), calls: AtomicU64::new(0) }
    }

    fn call(&self, operation: &'static str) -> Call {
        Call { operation, number: self.calls.fetch_add(1, Ordering::SeqCst), entry: 0 }
    }

    fn check(&self, operation: &'static str) -> Result<()> {
        (self.plan)(self.call(operation)).map_or(Ok(()), Err)
    }

    /// The faults of a batch, and the entries that are left.
    fn part<E: Clone>(&self, operation: &'static str, batch: &[E]) -> (Vec<Option<Error>>, Vec<E>) {
        let call = self.call(operation);
        let faults: Vec<_> =
            (0..batch.len()).map(|entry| (self.plan)(Call { entry, ..call })).collect();
        let left = batch.iter().zip(&faults).filter(|(_, fault)| fault.is_none());
        let left = left.map(|(entry, _)| entry.clone()).collect();
        (faults, left)
    }
}

fn join<T>(faults: Vec<Option<Error>>, outcomes: Vec<Result<T>>) -> Vec<Result<T>> {
    let mut outcomes = outcomes.into_iter();
    faults
        .into_iter()
        .filter_map(|fault| match fault {
            Some(error) => Some(Err(error)),
            None => outcomes.next(),
        })
        .collect()
}

#[async_trait]
impl<Q: Queue> Queue for Faulty<Q> {
    fn limits(&self) -> QueueLimits {
        self.inner.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        let (faults, left) = self.part("send", batch);
        join(faults, self.inner.send(&left).await)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        self.check("receive")?;
        self.inner.receive(request).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        let (faults, left) = self.part("delete", receipts);
        join(faults, self.inner.delete(&left).await)
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let (faults, left) = self.part("change_visibility", changes);
        join(faults, self.inner.change_visibility(&left).await)
    }

    async fn depth(&self) -> Result<Depth> {
        self.check("depth")?;
        self.inner.depth().await
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Faulty<S> {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.check("put")?;
        self.inner.put(key, body, mode).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.check("get")?;
        self.inner.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.check("head")?;
        self.inner.head(key).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        self.check("list")?;
        self.inner.list(request).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        let (faults, left) = self.part("delete", keys);
        join(faults, self.inner.delete(&left).await)
    }
}
