//! A store before whose requests something else happens.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use event_core::{Bytes, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome, Result};
use futures_util::future::BoxFuture;

/// A request, about to reach the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// The trait's method.
    pub operation: &'static str,
    /// The key, or the prefix of a listing; of a delete the first key.
    pub key: &'a str,
    /// How many requests came before, of any operation.
    pub number: u64,
}

type Before = Box<dyn Fn(Request<'_>) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// A store that lets something else happen before each request, which fails if that does; and, if
/// asked to, answers listings in small pages and does not show everything.
///
/// Run once for each request of a program, with another program as what happens before it, this
/// tries every moment at which the second can come between the steps of the first.
///
/// ```
/// use event_core::{ObjectStore, PutMode};
/// use event_mem::MemStore;
/// use event_tests::Meanwhile;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let inner = MemStore::new();
/// let other = inner.clone();
/// let store = Meanwhile::new(inner, move |request| {
///     let (other, is_get) = (other.clone(), request.operation == "get");
///     Box::pin(async move {
///         if is_get {
///             other.put("key", "theirs".into(), PutMode::Create).await?;
///         }
///         Ok(())
///     })
/// });
/// assert_eq!(store.get("key").await?, Some("theirs".into()));
/// # Ok(())
/// # }
/// ```
pub struct Meanwhile<S> {
    inner: S,
    before: Before,
    requests: AtomicU64,
    page: usize,
    hides: Box<dyn Fn(&str) -> bool + Send + Sync>,
}

impl<S> Meanwhile<S> {
    /// Wraps a store.
    pub fn new(
        inner: S,
        before: impl Fn(Request<'_>) -> BoxFuture<'static, Result<()>> + Send + Sync + 'static,
    ) -> Self {
        let (before, requests) = (Box::new(before), AtomicU64::new(0));
        Self { inner, before, requests, page: usize::MAX, hides: Box::new(|_| false) }
    }

    /// With so many objects in a page of a listing, at most.
    #[must_use]
    pub fn page(mut self, objects: usize) -> Self {
        self.page = objects;
        self
    }

    /// Reads and listings go as if nothing were under these keys.
    #[must_use]
    pub fn hides(mut self, hides: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.hides = Box::new(hides);
        self
    }

    async fn before(&self, operation: &'static str, key: &str) -> Result<()> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        (self.before)(Request { operation, key, number }).await
    }
}

#[async_trait]
impl<S: ObjectStore> ObjectStore for Meanwhile<S> {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.before("put", key).await?;
        self.inner.put(key, body, mode).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.before("get", key).await?;
        Ok(self.inner.get(key).await?.filter(|_| !(self.hides)(key)))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.before("head", key).await?;
        Ok(self.inner.head(key).await?.filter(|_| !(self.hides)(key)))
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        self.before("list", &request.prefix).await?;
        let max = request.max.min(self.page);
        let mut page = self.inner.list(ListRequest { max, ..request }).await?;
        page.objects.retain(|object| !(self.hides)(&object.key));
        Ok(page)
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        let first = keys.first().map_or("", String::as_str);
        match self.before("delete", first).await {
            Ok(()) => self.inner.delete(keys).await,
            Err(error) => vec![Err(error); keys.len()],
        }
    }
}
