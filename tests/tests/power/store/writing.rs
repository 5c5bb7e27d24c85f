//! Mistakes of writers.

use std::sync::Arc;
use std::time::Duration;

use event_core::{Bytes, ObjectStore, PutMode, PutOutcome, Result, async_trait};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::{Mistake, expect};

#[derive(Default)]
struct DropsEmptyBodies;
#[async_trait]
impl Mistake for DropsEmptyBodies {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        if body.is_empty() && mode == PutMode::Create && store.head(key).await?.is_none() {
            return Ok(PutOutcome::Written);
        }
        store.put(key, body, mode).await
    }
}

#[test]
fn a_store_that_drops_empty_objects_is_caught() {
    expect::<DropsEmptyBodies>(&["put_then_get"]);
}

#[derive(Default)]
struct LeavesTheRestOfWhatWasLonger;
#[async_trait]
impl Mistake for LeavesTheRestOfWhatWasLonger {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        let mut whole = body.to_vec();
        if mode == PutMode::Overwrite
            && let Some(old) = store.get(key).await?
        {
            whole.extend(old.get(body.len()..).unwrap_or_default());
        }
        store.put(key, whole.into(), mode).await
    }
}

#[test]
fn an_overwrite_that_leaves_the_rest_of_a_longer_object_is_caught() {
    expect::<LeavesTheRestOfWhatWasLonger>(&["overwrite_replaces"]);
}

#[derive(Default)]
struct OverwritesOnCreate;
#[async_trait]
impl Mistake for OverwritesOnCreate {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        _: PutMode,
    ) -> Result<PutOutcome> {
        store.put(key, body, PutMode::Overwrite).await
    }
}

#[test]
fn a_create_that_overwrites_is_caught() {
    expect::<OverwritesOnCreate>(&[
        "create_only_leaves_what_is_there",
        "create_only_has_one_winner",
        "head_tells_size_and_time",
        "a_key_may_also_be_a_prefix",
    ]);
}

#[derive(Default)]
struct OverwritesAndSaysExists;
#[async_trait]
impl Mistake for OverwritesAndSaysExists {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        let outcome = store.put(key, body.clone(), mode).await?;
        if outcome == PutOutcome::Exists {
            store.put(key, body, PutMode::Overwrite).await?;
        }
        Ok(outcome)
    }
}

#[test]
fn a_create_that_says_exists_and_overwrites_is_caught() {
    expect::<OverwritesAndSaysExists>(&[
        "create_only_leaves_what_is_there",
        "create_only_has_one_winner",
        "head_tells_size_and_time",
    ]);
}

#[derive(Default)]
struct LooksAndThenWrites;
#[async_trait]
impl Mistake for LooksAndThenWrites {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        if mode == PutMode::Create && store.head(key).await?.is_some() {
            return Ok(PutOutcome::Exists);
        }
        yield_now().await;
        store.put(key, body, PutMode::Overwrite).await
    }
}

#[test]
fn a_create_that_looks_first_and_then_writes_is_caught() {
    expect::<LooksAndThenWrites>(&["create_only_has_one_winner"]);
}

#[derive(Default)]
struct WritesInTwoParts;
#[async_trait]
impl Mistake for WritesInTwoParts {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        let part = body.slice(..body.len() / 2);
        let outcome = store.put(key, part, mode).await?;
        if outcome == PutOutcome::Written {
            yield_now().await;
            store.put(key, body, PutMode::Overwrite).await?;
        }
        Ok(outcome)
    }
}

#[test]
fn a_put_in_two_parts_is_caught() {
    expect::<WritesInTwoParts>(&["puts_are_whole"]);
}

#[derive(Default)]
struct AnswersTooSoon;
#[async_trait]
impl Mistake for AnswersTooSoon {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        if mode == PutMode::Create || body.len() < 1000 {
            return store.put(key, body, mode).await;
        }
        let (store, key) = (Arc::clone(store), key.to_owned());
        tokio::spawn(async move {
            sleep(Duration::from_millis(20)).await;
            store.put(&key, body, mode).await
        });
        Ok(PutOutcome::Written)
    }
}

#[test]
fn a_put_that_answers_before_it_has_happened_is_caught() {
    expect::<AnswersTooSoon>(&["put_then_get", "puts_are_whole"]);
}

#[derive(Default)]
struct ListsWhatIsBeingWritten;
#[async_trait]
impl Mistake for ListsWhatIsBeingWritten {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        let temporary = format!("{key}.tmp");
        if temporary.len() > event_core::store::MAX_KEY_BYTES {
            return store.put(key, body, mode).await;
        }
        store.put(&temporary, body.clone(), PutMode::Overwrite).await?;
        yield_now().await;
        let outcome = store.put(key, body, mode).await;
        store.delete(&[temporary]).await.remove(0)?;
        outcome
    }
}

#[test]
fn temporary_files_that_are_listed_are_caught() {
    expect::<ListsWhatIsBeingWritten>(&["puts_are_whole"]);
}
