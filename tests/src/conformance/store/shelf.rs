//! What the cases do with a store again and again.

use std::sync::Arc;

use bytes::Bytes;
use event_core::store::list_all;
use event_core::{Error, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome};

use super::StoreBackend;
use crate::conformance::case::same;

/// A part of a store that is one case's own, below a prefix; fails the case where a call fails.
#[derive(Clone)]
pub(super) struct Shelf {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) prefix: String,
}

impl Shelf {
    pub(super) async fn new(backend: &dyn StoreBackend) -> Self {
        let store = backend.store().await;
        let prefix = format!("conformance/{:016x}/", fastrand::u64(..));
        Self { store, prefix }
    }

    /// The whole key of what the case calls by this name.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    pub(super) async fn put(
        &self,
        name: &str,
        body: impl Into<Bytes>,
        mode: PutMode,
    ) -> PutOutcome {
        let answer = self.store.put(&self.key(name), body.into(), mode).await;
        answer.unwrap_or_else(|error| panic!("put of {name:?} failed: {error}"))
    }

    /// Writes objects whose bodies are their names.
    pub(super) async fn fill(&self, names: &[&'static str]) {
        for name in names {
            let outcome = self.put(name, *name, PutMode::Overwrite).await;
            same!(outcome, PutOutcome::Written, "{name:?}");
        }
    }

    pub(super) async fn body(&self, name: &str) -> Option<Bytes> {
        let answer = self.store.get(&self.key(name)).await;
        answer.unwrap_or_else(|error| panic!("get of {name:?} failed: {error}"))
    }

    pub(super) async fn head(&self, name: &str) -> Option<ObjectMeta> {
        let answer = self.store.head(&self.key(name)).await;
        answer.unwrap_or_else(|error| panic!("head of {name:?} failed: {error}"))
    }

    /// The names below the case's prefix that start with this one.
    pub(super) async fn names(&self, start: &str) -> Vec<String> {
        let answer = list_all(&*self.store, &self.key(start)).await;
        let objects = answer.unwrap_or_else(|error| panic!("list of {start:?} failed: {error}"));
        self.own(objects)
    }

    /// One page of them, after a name, and whether there are others.
    pub(super) async fn page(
        &self,
        start: &str,
        after: Option<&str>,
        max: usize,
    ) -> (Vec<String>, bool) {
        let request =
            ListRequest { prefix: self.key(start), after: after.map(|after| self.key(after)), max };
        let page = self.list(request).await;
        (self.own(page.objects), page.more)
    }

    pub(super) async fn list(&self, request: ListRequest) -> Page {
        let answer = self.store.list(request.clone()).await;
        let page = answer.unwrap_or_else(|error| panic!("{request:?} failed: {error}"));
        assert!(page.objects.len() <= request.max, "{request:?} answered {page:?}");
        assert!(!page.more || !page.objects.is_empty(), "{request:?} answered {page:?}");
        page
    }

    pub(super) async fn delete(&self, names: &[&str]) -> Vec<Result<(), Error>> {
        let keys: Vec<_> = names.iter().map(|name| self.key(name)).collect();
        self.store.delete(&keys).await
    }

    fn own(&self, objects: Vec<ObjectMeta>) -> Vec<String> {
        let name = |object: ObjectMeta| match object.key.strip_prefix(&self.prefix) {
            Some(name) => name.to_owned(),
            None => panic!("{:?} was listed, outside of {:?}", object.key, self.prefix),
        };
        objects.into_iter().map(name).collect()
    }
}

/// Bytes that tell of which version they are, and whether they are whole.
pub(super) fn version(n: usize) -> Bytes {
    let digit = u8::try_from(n % 251).unwrap();
    Bytes::from(vec![digit; 100_000 + 1_000 * (n % 251)])
}

/// Fails if these are not the bytes of one whole [`version`].
pub(super) fn expect_whole(body: &Bytes) {
    let first = body.first().copied();
    let expected = first.map(|digit| version(usize::from(digit)));
    assert!(
        expected.as_ref() == Some(body),
        "{} bytes that start with {first:?} are not one whole object",
        body.len()
    );
}
