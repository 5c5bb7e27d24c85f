//! A store that keeps every promise and has no habit beside them.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use event_core::{Bytes, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome, Result};
use fastrand::Rng;
use tokio::time::sleep;

/// A store whose answers come in any order and whose pages are of any size, as a seed decides:
/// each request takes a time of its own before it reaches the store inside and before it is
/// answered, and a listing answers between one object and as many as were asked for.
///
/// Both are allowed by the contract, and a store in memory does neither: what is read at once
/// comes back in the order of the requests, and a listing fits into one page. Whoever depends on
/// that is seen here. Tests pause the clock.
///
/// ```
/// use event_core::store::list_all;
/// use event_core::{ObjectStore, PutMode};
/// use event_mem::MemStore;
/// use event_tests::AnyOrder;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> event_core::Result<()> {
/// let store = AnyOrder::new(MemStore::new(), 7);
/// for key in ["a/1", "a/2", "a/3"] {
///     store.put(key, key.into(), PutMode::Create).await?;
/// }
/// assert_eq!(list_all(&store, "a/").await?.len(), 3);
/// # Ok(())
/// # }
/// ```
pub struct AnyOrder {
    inner: Arc<dyn ObjectStore>,
    rng: Mutex<Rng>,
}

impl AnyOrder {
    /// Wraps a store; the seed decides what takes how long.
    pub fn new(inner: impl ObjectStore, seed: u64) -> Self {
        Self::over(Arc::new(inner), seed)
    }

    /// Wraps a store that others have as well.
    pub fn over(inner: Arc<dyn ObjectStore>, seed: u64) -> Self {
        Self { inner, rng: Mutex::new(Rng::with_seed(seed)) }
    }

    fn random<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap())
    }

    async fn asked<T>(&self, request: impl Future<Output = T>) -> T {
        let [there, back] = self.random(|rng| [rng.u64(0..50), rng.u64(0..50)]);
        sleep(Duration::from_millis(there)).await;
        let answer = request.await;
        sleep(Duration::from_millis(back)).await;
        answer
    }
}

#[async_trait]
impl ObjectStore for AnyOrder {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.asked(self.inner.put(key, body, mode)).await
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.asked(self.inner.get(key)).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.asked(self.inner.head(key)).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        // Small ones most of the time: pages of a thousand are not pages in a test.
        let most = self.random(|rng| [1, 2, 3, 7, request.max][rng.usize(..5)]);
        let max = most.clamp(1, request.max.max(1));
        self.asked(self.inner.list(ListRequest { max, ..request })).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        self.asked(self.inner.delete(keys)).await
    }
}
