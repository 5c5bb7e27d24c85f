//! A store whose requests are tried again for a while.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use tokio::time::sleep;

use crate::error::{Error, ErrorKind, Result};
use crate::retry::Retry;
use crate::shutdown::Shutdown;
use crate::store::{ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome};

/// For what a person waits for: each request is tried again while its error may heal by itself,
/// but not for ever as the engines do.
#[derive(Clone)]
pub(crate) struct PatientStore {
    store: Arc<dyn ObjectStore>,
    pub(crate) retry: Retry,
    stop: Shutdown,
}

/// How long one request is tried: longer than a service takes to restart, shorter than a person
/// waits for the reason.
const PATIENCE: Duration = Duration::from_secs(30);
/// Objects in a page of a listing: what S3 answers at most.
const PAGE: usize = 1000;

impl PatientStore {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, retry: Retry::default(), stop: Shutdown::never() }
    }

    /// The same store, until this is requested.
    pub(crate) fn until(&self, stop: &Shutdown) -> Self {
        Self { stop: stop.clone(), ..self.clone() }
    }

    pub(crate) async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.ask(|| self.store.get(key)).await
    }

    /// Creates an object, unless one is there.
    pub(crate) async fn create(&self, key: &str, body: Bytes) -> Result<PutOutcome> {
        self.ask(|| self.store.put(key, body.clone(), PutMode::Create)).await
    }

    pub(crate) async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.ask(|| self.store.head(key)).await
    }

    /// The first object whose key has this prefix and comes after that text.
    pub(crate) async fn first(
        &self,
        prefix: &str,
        after: Option<String>,
    ) -> Result<Option<ObjectMeta>> {
        Ok(self.list(prefix, after, 1).await?.objects.into_iter().next())
    }

    /// A whole listing, page by page.
    pub(crate) fn pages(&self, prefix: String) -> impl Stream<Item = Result<Vec<ObjectMeta>>> + '_ {
        try_unfold((prefix, Some(None)), async |(prefix, after)| {
            let Some(after) = after else { return Ok(None) };
            let page = self.list(&prefix, after, PAGE).await?;
            let last = page.objects.last().filter(|_| page.more);
            let after = last.map(|object| Some(object.key.clone()));
            Ok(Some((page.objects, (prefix, after))))
        })
    }

    async fn list(&self, prefix: &str, after: Option<String>, max: usize) -> Result<Page> {
        let request = ListRequest { prefix: prefix.to_owned(), after, max };
        self.ask(|| self.store.list(request.clone())).await
    }

    async fn ask<T, F, Fut>(&self, request: F) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        if self.stop.is_requested() {
            return Err(Error::new(ErrorKind::Transient, "store", "interrupted"));
        }
        let (trigger, until) = Shutdown::new();
        let mut answer = pin!(self.retry.one(Error::is_retryable, &until, request));
        tokio::select! {
            biased;
            answer = &mut answer => return answer,
            () = self.stop.requested() => {}
            () = sleep(PATIENCE) => {}
        }
        trigger.shutdown();
        answer.await
    }
}
