//! An object store in memory.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use event_core::{
    Bytes, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome, Result, async_trait,
};
use tokio::time::Instant;

use crate::clock::Clock;
use crate::key::{check_key, check_list};

/// An object store in memory.
///
/// Clones are handles to the same store; what it holds is gone with the last of them. It keeps
/// the bytes that it is given, uncopied. Objects are dated by tokio's clock, as in
/// [`MemQueue`](crate::MemQueue).
///
/// ```
/// use event_core::{ObjectStore, PutMode, PutOutcome};
/// use event_mem::MemStore;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let store = MemStore::default();
/// store.put("a/b", "first".into(), PutMode::Create).await?;
/// let again = store.put("a/b", "second".into(), PutMode::Create).await?;
/// assert_eq!(again, PutOutcome::Exists);
/// assert_eq!(store.get("a/b").await?, Some("first".into()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemStore {
    clock: Clock,
    objects: Arc<RwLock<Objects>>,
}

type Objects = BTreeMap<String, (Bytes, SystemTime)>;

impl MemStore {
    /// An empty store.
    pub fn new() -> Self {
        Self { clock: Clock::start(), objects: Arc::default() }
    }

    fn read(&self) -> RwLockReadGuard<'_, Objects> {
        self.objects.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Objects> {
        self.objects.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl ObjectStore for MemStore {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        check_key("put", key)?;
        let object = (body, self.clock.time_at(Instant::now()));
        match self.write().entry(key.to_owned()) {
            Entry::Occupied(_) if mode == PutMode::Create => return Ok(PutOutcome::Exists),
            Entry::Occupied(mut there) => {
                there.insert(object);
            }
            Entry::Vacant(free) => {
                free.insert(object);
            }
        }
        Ok(PutOutcome::Written)
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        check_key("get", key)?;
        Ok(self.read().get(key).map(|(body, _)| body.clone()))
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        check_key("head", key)?;
        let objects = self.read();
        Ok(objects.get_key_value(key).map(meta))
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        check_list(&request)?;
        let prefix = &*request.prefix;
        let start = match request.after.as_deref() {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let objects = self.read();
        let mut rest = objects
            .range::<str, _>((start, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix));
        Ok(Page {
            objects: rest.by_ref().take(request.max).map(meta).collect(),
            more: rest.next().is_some(),
        })
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        let mut objects = self.write();
        keys.iter()
            .map(|key| {
                check_key("delete", key)?;
                objects.remove(key);
                Ok(())
            })
            .collect()
    }
}

fn meta((key, (body, modified)): (&String, &(Bytes, SystemTime))) -> ObjectMeta {
    ObjectMeta { key: key.clone(), size: body.len() as u64, modified: *modified }
}

impl Default for MemStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let objects = self.read().len();
        f.debug_struct("MemStore").field("objects", &objects).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use event_core::ErrorKind;
    use event_core::store::list_all;
    use std::time::Duration;

    async fn store_of(keys: &[&str]) -> MemStore {
        let store = MemStore::default();
        for key in keys {
            let put = store.put(key, (*key).to_owned().into(), PutMode::Create);
            assert_eq!(put.await.unwrap(), PutOutcome::Written);
        }
        store
    }

    #[tokio::test]
    async fn a_listing_resumes_after_any_text() {
        let store = store_of(&["a", "b/1", "b/2", "b/3", "c"]).await;
        let list = |prefix: &str, after: Option<&str>, max| {
            let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
            store.list(ListRequest { prefix, after, max })
        };
        let keys = |page: &Page| -> Vec<String> {
            page.objects.iter().map(|object| object.key.clone()).collect()
        };
        let page = list("b/", None, 2).await.unwrap();
        assert_eq!((keys(&page), page.more), (vec!["b/1".into(), "b/2".into()], true));
        let page = list("b/", Some("b/2"), 2).await.unwrap();
        assert_eq!((keys(&page), page.more), (vec!["b/3".into()], false));
        let page = list("b/", Some("a"), 3).await.unwrap();
        assert_eq!((keys(&page).len(), page.more), (3, false));
        let page = list("b/", Some("c"), 3).await.unwrap();
        assert_eq!((keys(&page).len(), page.more), (0, false));
        assert_eq!(list("", None, 0).await.unwrap_err().kind(), ErrorKind::Invalid);
        assert_eq!(list_all(&store, "").await.unwrap().len(), 5);
    }

    #[tokio::test]
    async fn keys_of_no_or_too_many_bytes_are_refused() {
        let store = store_of(&[&"k".repeat(MAX)]).await;
        for key in [String::new(), "k".repeat(MAX + 1)] {
            let put = store.put(&key, Bytes::new(), PutMode::Overwrite).await;
            assert_eq!(put.unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Invalid);
            assert_eq!(store.head(&key).await.unwrap_err().kind(), ErrorKind::Invalid);
            let both = store.delete(&[key, "k".repeat(MAX)]).await;
            assert!(both[0].is_err() && both[1].is_ok());
        }
    }

    const MAX: usize = event_core::store::MAX_KEY_BYTES;

    #[tokio::test(start_paused = true)]
    async fn objects_are_dated_by_the_runtimes_clock() {
        let store = store_of(&["a"]).await;
        let written = store.head("a").await.unwrap().unwrap().modified;
        tokio::time::advance(Duration::from_secs(60)).await;
        store.put("a", "new".into(), PutMode::Overwrite).await.unwrap();
        let meta = store.head("a").await.unwrap().unwrap();
        assert_eq!(meta.modified, written + Duration::from_secs(60));
        assert_eq!(meta.size, 3);
    }
}
