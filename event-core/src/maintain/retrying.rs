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
pub(crate) struct RetryingStore {
    store: Arc<dyn ObjectStore>,
    pub(crate) retry: Retry,
    stop: Shutdown,
}

/// How long one request is tried: longer than a service takes to restart, shorter than a person
/// waits for the reason.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Objects in a page of a listing: what S3 answers at most.
const PAGE: usize = 1000;

impl RetryingStore {
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
            () = sleep(REQUEST_TIMEOUT) => {}
        }
        trigger.shutdown();
        answer.await
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::TryStreamExt;
    use tokio::time::Instant;

    use super::*;
    use crate::mocks::MockStore;
    use crate::store::ObjectMeta;

    fn retrying(store: MockStore) -> RetryingStore {
        RetryingStore::new(Arc::new(store))
    }

    fn failing(kind: ErrorKind) -> MockStore {
        let mut store = MockStore::new();
        store.expect_get().returning(move |_| Err(Error::new(kind, "get", "on purpose")));
        store
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_is_tried_for_30_s_of_its_own() {
        let store = retrying(failing(ErrorKind::Transient));
        for _ in 0..3 {
            let asked = Instant::now();
            let error = store.get("key").await.unwrap_err();
            assert_eq!((error.kind(), asked.elapsed()), (ErrorKind::Transient, REQUEST_TIMEOUT));
            // What passes between two requests is none of their time.
            sleep(REQUEST_TIMEOUT * 3).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_heal_is_not_tried_again() {
        let store = retrying(failing(ErrorKind::Denied));
        let asked = Instant::now();
        assert_eq!(store.get("key").await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(asked.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_ends_the_tries_at_once() {
        for after in [0, 1, 777, 20_000] {
            let (trigger, stop) = Shutdown::new();
            let store = retrying(failing(ErrorKind::Throttled)).until(&stop);
            let asked = Instant::now();
            let after = Duration::from_millis(after);
            let stops = async {
                sleep(after).await;
                trigger.shutdown();
            };
            let (answer, ()) = tokio::join!(store.get("key"), stops);
            assert_eq!((answer.is_err(), asked.elapsed()), (true, after));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_stop_nothing_is_asked() {
        let (trigger, stop) = Shutdown::new();
        trigger.shutdown();
        let store = retrying(MockStore::new()).until(&stop);
        assert!(store.get("key").await.is_err());
        assert!(store.head("key").await.is_err());
        assert!(store.create("key", Bytes::new()).await.is_err());
        assert!(store.first("key", None).await.is_err());
        let mut pages = pin!(store.pages("key".to_owned()));
        assert!(pages.try_next().await.is_err());
    }

    fn listed(keys: &BTreeSet<String>, request: &ListRequest, size: usize) -> Page {
        let after = request.after.as_deref().unwrap_or_default();
        let rest = keys.iter().filter(|key| key.starts_with(&request.prefix) && &***key > after);
        let mut rest = rest.map(|key| ObjectMeta {
            key: key.clone(),
            size: 1,
            modified: std::time::UNIX_EPOCH,
        });
        let objects = rest.by_ref().take(size.min(request.max)).collect();
        Page { objects, more: rest.next().is_some() }
    }

    /// A store of these keys whose pages hold so many objects at most.
    fn paged(keys: &BTreeSet<String>, size: usize) -> (RetryingStore, Arc<AtomicUsize>) {
        let requests = Arc::<AtomicUsize>::default();
        let (keys, counted) = (keys.clone(), Arc::clone(&requests));
        let mut store = MockStore::new();
        store.expect_list().returning(move |request| {
            counted.fetch_add(1, Ordering::Relaxed);
            Ok(listed(&keys, &request, size))
        });
        (retrying(store), requests)
    }

    #[tokio::test(start_paused = true)]
    async fn a_listing_has_each_object_once_in_pages_of_any_size() {
        let keys: BTreeSet<_> = (0..7).map(|key| format!("p/{key}")).collect();
        let others = ["o", "p", "p0", "q/1"].map(str::to_owned);
        let all: BTreeSet<_> = keys.iter().cloned().chain(others).collect();
        for size in 1..9 {
            let (store, requests) = paged(&all, size);
            let pages: Vec<_> = store.pages("p/".to_owned()).try_collect().await.unwrap();
            let found: Vec<_> = pages.into_iter().flatten().map(|object| object.key).collect();
            assert!(found.iter().eq(&keys), "{found:?} in pages of {size}");
            assert_eq!(requests.load(Ordering::Relaxed), keys.len().div_ceil(size));
            let (mut after, mut one_by_one) = (None, Vec::new());
            while let Some(first) = store.first("p/", after).await.unwrap() {
                after = Some(first.key.clone());
                one_by_one.push(first.key);
            }
            assert_eq!(one_by_one, found);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_object_is_created_and_never_written_over() {
        let mut store = MockStore::new();
        store.expect_put().times(2).returning(|key, body, mode| {
            assert_eq!((key, &*body, mode), ("key", &b"body"[..], PutMode::Create));
            Ok(PutOutcome::Exists)
        });
        let store = retrying(store);
        for _ in 0..2 {
            let outcome = store.create("key", Bytes::from_static(b"body")).await;
            assert_eq!(outcome.unwrap(), PutOutcome::Exists);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_partition_is_told_once_and_what_is_in_none_by_its_key() {
        use crate::maintain::partitions::each_partition;
        let of = |kind: &str, day: &str| format!("event_type={kind}_event/dt={day}");
        let partitions: BTreeSet<_> = [
            of("inventory", "2026_11_22"),
            of("sale", "2024_02_29"),
            of("sale", "2026_11_22"),
            of("sale", "2026_11_23"),
        ]
        .into();
        let names = ["!.json", "-.json", "0.json", "0000000000.ndjson", "_.json", "~.json"];
        let in_them = partitions.iter().flat_map(|of| names.map(|name| format!("r/{of}/{name}")));
        let hidden = ["r/.a", "r/_self_test/1", "r/event_type=sale_event/_x/1"].map(str::to_owned);
        let foreign: BTreeSet<_> = [
            "r/a".to_owned(),
            "r/event_type=sale_event/a".to_owned(),
            "r/event_type=a b/dt=2026_11_22/a".to_owned(),
            "r/dt=2026_11_22/a".to_owned(),
            "r/event_type=sale_event/z".to_owned(),
            "r/event_type=sale_event/dt=2026_11_220/a".to_owned(),
            "r/event_type=sale_event/dt=2026_11_22x/a".to_owned(),
            "r/z".to_owned(),
        ]
        .into();
        // Beside a key that is told, or outside of the root.
        let others = ["r/event_type=a b/dt=2026_11_22/b", "r", "r0/a", "s/b"].map(str::to_owned);
        let all = in_them.chain(hidden).chain(foreign.clone()).chain(others).collect();
        for size in 1..4 {
            let (store, _) = paged(&all, size);
            let (mut found, mut odd) = (Vec::new(), Vec::new());
            let each = |told: Result<crate::schema::Partition, String>| match told {
                Ok(partition) => found.push(partition.name().to_owned()),
                Err(key) => odd.push(key),
            };
            each_partition(&store, "r/", &["event_type".into(), "dt".into()], each).await.unwrap();
            assert!(found.iter().eq(&partitions), "{found:?}");
            assert!(odd.iter().eq(&foreign), "{odd:?}");
        }
    }
}
