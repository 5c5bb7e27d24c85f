//! A store that is slow, or shows less than there is, or is always too late.

use std::future::{Future, poll_fn};
use std::task::Poll;

use event_core::{
    Bytes, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome, Result, async_trait,
};
use event_mem::MemStore;

use crate::support::write;

/// A wrapper of a store.
pub(crate) struct Odd {
    pub(crate) inner: MemStore,
    /// Whoever waits can be dropped before each request, and before its answer.
    pub(crate) slow: bool,
    /// No listing has this key.
    pub(crate) hidden: Option<String>,
    /// Listings have this key, and nothing is there.
    pub(crate) gone: Option<String>,
    /// Another object is under this key by the time that it is put.
    pub(crate) taken: Option<String>,
}

impl From<&MemStore> for Odd {
    fn from(inner: &MemStore) -> Self {
        Self { inner: inner.clone(), slow: false, hidden: None, gone: None, taken: None }
    }
}

impl Odd {
    async fn slowly<T>(&self, request: impl Future<Output = T>) -> T {
        self.pause().await;
        let answer = request.await;
        self.pause().await;
        answer
    }

    /// Pending once.
    async fn pause(&self) {
        let mut paused = !self.slow;
        poll_fn(|context| {
            if std::mem::replace(&mut paused, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

#[async_trait]
impl ObjectStore for Odd {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        if self.taken.as_deref() == Some(key) {
            write(&self.inner, key, "{}\n").await;
        }
        self.slowly(self.inner.put(key, body, mode)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let object = self.slowly(self.inner.get(key)).await?;
        Ok(object.filter(|_| self.gone.as_deref() != Some(key)))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.slowly(self.inner.head(key)).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        let mut page = self.slowly(self.inner.list(request)).await?;
        page.objects.retain(|object| Some(&object.key) != self.hidden.as_ref());
        Ok(page)
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        self.slowly(self.inner.delete(keys)).await
    }
}
