//! Mistakes in what is read, looked at and deleted.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::SystemTime;

use event_core::{Bytes, Error, ErrorKind, ObjectMeta, ObjectStore, Result, async_trait};

use super::{Mistake, expect};

#[derive(Default)]
struct FailsForWhatIsMissing;
#[async_trait]
impl Mistake for FailsForWhatIsMissing {
    async fn get(&self, store: &dyn ObjectStore, key: &str) -> Result<Option<Bytes>> {
        let missing = || Error::new(ErrorKind::NotFound, "get", "no such key");
        store.get(key).await?.ok_or_else(missing).map(Some)
    }
}

#[test]
fn a_get_that_fails_for_what_is_missing_is_caught() {
    expect::<FailsForWhatIsMissing>(&["missing_objects_are_none", "delete_removes"]);
}

#[derive(Default)]
struct KeepsTheFirstTime(Mutex<HashMap<String, SystemTime>>);
#[async_trait]
impl Mistake for KeepsTheFirstTime {
    async fn head(&self, store: &dyn ObjectStore, key: &str) -> Result<Option<ObjectMeta>> {
        let mut meta = store.head(key).await?;
        if let Some(meta) = &mut meta {
            let mut times = self.0.lock().unwrap();
            meta.modified = *times.entry(key.to_owned()).or_insert(meta.modified);
        }
        Ok(meta)
    }
}

#[test]
fn a_head_that_tells_the_time_of_an_earlier_write_is_caught() {
    expect::<KeepsTheFirstTime>(&["head_tells_size_and_time"]);
}

#[derive(Default)]
struct DeletesTheFirstOnly;
#[async_trait]
impl Mistake for DeletesTheFirstOnly {
    async fn delete(&self, store: &dyn ObjectStore, keys: &[String]) -> Vec<Result<()>> {
        let mut outcomes = store.delete(&keys[..keys.len().min(1)]).await;
        outcomes.resize(keys.len(), Ok(()));
        outcomes
    }
}

#[test]
fn a_delete_of_only_the_first_is_caught() {
    expect::<DeletesTheFirstOnly>(&[
        "delete_removes",
        "unsafe_keys_are_refused",
        "a_key_may_also_be_a_prefix",
    ]);
}

#[derive(Default)]
struct FailsToDeleteWhatIsMissing;
#[async_trait]
impl Mistake for FailsToDeleteWhatIsMissing {
    async fn delete(&self, store: &dyn ObjectStore, keys: &[String]) -> Vec<Result<()>> {
        let mut outcomes = Vec::new();
        for key in keys {
            let missing = matches!(store.head(key).await, Ok(None));
            let outcome = store.delete(std::slice::from_ref(key)).await.remove(0);
            let error = || Error::new(ErrorKind::NotFound, "delete", "no such key");
            outcomes.push(if missing { Err(error()) } else { outcome });
        }
        outcomes
    }
}

#[test]
fn a_delete_that_fails_for_what_is_missing_is_caught() {
    expect::<FailsToDeleteWhatIsMissing>(&["delete_is_idempotent", "unsafe_keys_are_refused"]);
}

#[derive(Default)]
struct DeletesAThousand;
#[async_trait]
impl Mistake for DeletesAThousand {
    async fn delete(&self, store: &dyn ObjectStore, keys: &[String]) -> Vec<Result<()>> {
        store.delete(&keys[..keys.len().min(1000)]).await
    }
}

#[test]
fn a_delete_of_at_most_a_thousand_is_caught() {
    expect::<DeletesAThousand>(&["delete_is_idempotent"]);
}
