//! Stores with one mistake each.

mod keys;
mod listing;
mod objects;
mod writing;

use std::sync::Arc;

use event_core::{
    Bytes, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome, Result, async_trait,
};
use event_tests::backends::MemStores;
use event_tests::conformance::{Backend, StoreBackend, store_cases};

/// What a store does differently; by default nothing.
#[async_trait]
trait Mistake: Default + Send + Sync + 'static {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        store.put(key, body, mode).await
    }
    async fn get(&self, store: &dyn ObjectStore, key: &str) -> Result<Option<Bytes>> {
        store.get(key).await
    }
    async fn head(&self, store: &dyn ObjectStore, key: &str) -> Result<Option<ObjectMeta>> {
        store.head(key).await
    }
    async fn list(&self, store: &dyn ObjectStore, request: ListRequest) -> Result<Page> {
        store.list(request).await
    }
    async fn delete(&self, store: &dyn ObjectStore, keys: &[String]) -> Vec<Result<()>> {
        store.delete(keys).await
    }
    /// The key that a key is stored under.
    fn key(&self, key: &str) -> String {
        key.to_owned()
    }
}

struct Mistaken<M>(Arc<dyn ObjectStore>, M);

#[async_trait]
impl<M: Mistake> ObjectStore for Mistaken<M> {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.1.put(&self.0, &self.1.key(key), body, mode).await
    }
    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.1.get(&*self.0, &self.1.key(key)).await
    }
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.1.head(&*self.0, &self.1.key(key)).await
    }
    async fn list(&self, request: ListRequest) -> Result<Page> {
        self.1.list(&*self.0, request).await
    }
    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        let keys: Vec<_> = keys.iter().map(|key| self.1.key(key)).collect();
        self.1.delete(&*self.0, &keys).await
    }
}

struct Backends<M>(fn() -> M);

impl<M: Mistake> Backend for Backends<M> {
    fn name(&self) -> &str {
        "mistaken_store"
    }
}

#[async_trait]
impl<M: Mistake> StoreBackend for Backends<M> {
    async fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(Mistaken(MemStores.store().await, self.0()))
    }
}

#[track_caller]
fn expect<M: Mistake>(broken: &[&str]) {
    let backend: Arc<dyn StoreBackend> = Arc::new(Backends(M::default));
    super::expect_failures(&store_cases(), &backend, broken);
}

#[derive(Default)]
struct Faultless;
impl Mistake for Faultless {}

#[test]
fn a_store_without_a_mistake_passes() {
    expect::<Faultless>(&[]);
}
