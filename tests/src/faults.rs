//! Backends that fail on purpose: wrappers that are backends themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use event_core::{
    Bytes, Delivery, Depth, Error, ErrorKind, ListRequest, Message, MessageId, ObjectMeta,
    ObjectStore, Page, PutMode, PutOutcome, Queue, QueueLimits, Receipt, ReceiveRequest, Result,
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

/// A backend that asks a plan before each entry of each call, and fails those for which the plan
/// has an error.
///
/// An entry that fails does not reach the backend, unless its error is
/// [`ErrorKind::Ambiguous`]: then it does, and only its answer is lost.
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

    /// Makes a call without a batch, if the plan lets it, and loses its answer if the plan says so.
    async fn once<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match (self.plan)(self.call(operation)) {
            Some(error) if !is_applied(&error) => Err(error),
            Some(error) => call.await.and(Err(error)),
            None => call.await,
        }
    }

    /// Makes a call with those entries that the plan lets through.
    async fn each<E: Clone, T>(
        &self,
        operation: &'static str,
        batch: &[E],
        call: impl AsyncFnOnce(Vec<E>) -> Vec<Result<T>>,
    ) -> Vec<Result<T>> {
        let first = self.call(operation);
        let faults: Vec<_> =
            (0..batch.len()).map(|entry| (self.plan)(Call { entry, ..first })).collect();
        let arrives = |fault: &Option<Error>| fault.as_ref().is_none_or(is_applied);
        let entries = batch.iter().zip(&faults).filter(|(_, fault)| arrives(fault));
        let entries = entries.map(|(entry, _)| entry.clone()).collect();
        let mut outcomes = call(entries).await.into_iter();
        let outcome = |fault: Option<Error>| match fault {
            Some(error) if !is_applied(&error) => Some(Err(error)),
            Some(error) => outcomes.next().map(|_| Err(error)),
            None => outcomes.next(),
        };
        faults.into_iter().filter_map(outcome).collect()
    }
}

fn is_applied(error: &Error) -> bool {
    error.kind() == ErrorKind::Ambiguous
}

#[async_trait]
impl<Q: Queue> Queue for Faulty<Q> {
    fn limits(&self) -> QueueLimits {
        self.inner.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        self.each("send", batch, async |left| self.inner.send(&left).await).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        self.once("receive", self.inner.receive(request)).await
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        self.each("delete", receipts, async |left| self.inner.delete(&left).await).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let change = async |left: Vec<_>| self.inner.change_visibility(&left).await;
        self.each("change_visibility", changes, change).await
    }

    async fn depth(&self) -> Result<Depth> {
        self.once("depth", self.inner.depth()).await
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Faulty<S> {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.once("put", self.inner.put(key, body, mode)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.once("get", self.inner.get(key)).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.once("head", self.inner.head(key)).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        self.once("list", self.inner.list(request)).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        self.each("delete", keys, async |left| self.inner.delete(&left).await).await
    }
}
