//! The object store: what a backend promises.

use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use crate::error::Result;

/// A store of objects by key, like S3.
///
/// # For users
///
/// Keys are UTF-8 text of 1 to 1,024 bytes, segments parted by `/`. Objects are small: bodies are
/// whole in memory. Nothing here retries.
///
/// # For implementors
///
/// Every promise is a case of the conformance suite in `event-tests`, under the name given here.
///
/// 1. `put_then_get`: an object is read as it was written, empty ones included.
/// 2. `overwrite_replaces`: [`PutMode::Overwrite`] replaces what is there.
/// 3. `create_only_leaves_what_is_there`: [`PutMode::Create`] on a key that exists answers
///    [`PutOutcome::Exists`] and changes nothing.
/// 4. `create_only_has_one_winner`: of creations at the same time exactly one is
///    [`PutOutcome::Written`], and its bytes are there. The others are
///    [`PutOutcome::Exists`] or fail with an error that can be retried.
/// 5. `puts_are_whole`: a reader sees an object whole or not at all, while it is overwritten
///    too; a put that answered has happened.
/// 6. `missing_objects_are_none`: [`get`](Self::get) and [`head`](Self::head) answer `None`.
/// 7. `head_tells_size_and_time`: of the last write.
/// 8. `list_is_ordered`: [`list`](Self::list) answers keys in order of their bytes.
/// 9. `list_keeps_to_its_prefix`: the prefix is a prefix of the key's text, not of segments.
/// 10. `list_is_paged_and_resumable`: at most [`ListRequest::max`] objects, strictly after
///     [`ListRequest::after`]; [`Page::more`] says whether there are others, and a page before
///     the last is not empty.
/// 11. `delete_removes`: a deleted object is gone, and its key can be created again.
/// 12. `delete_is_idempotent`: deleting what is not there succeeds. A batch of any size is taken.
/// 13. `keys_keep_their_bytes`: every key of the [`Layout`](crate::Layout) is stored under its
///     own name, and listed so.
/// 14. `unsafe_keys_are_refused`: an empty key or one over 1,024 bytes fails with `Invalid` in
///     every call, alone in its batch; a store that maps keys to paths refuses those that would
///     leave their place as well.
/// 15. `a_key_may_also_be_a_prefix`: `a` and `a/b` can both be there.
#[async_trait]
pub trait ObjectStore: Send + Sync + 'static {
    /// Writes an object.
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome>;

    /// Reads an object.
    async fn get(&self, key: &str) -> Result<Option<Bytes>>;

    /// Looks whether an object is there.
    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>>;

    /// Lists objects in order of their keys.
    async fn list(&self, request: ListRequest) -> Result<Page>;

    /// Deletes objects; one outcome for each, in order.
    async fn delete(&self, keys: &[String]) -> Vec<Result<()>>;
}

/// The longest key, in bytes, after
/// [S3](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
pub const MAX_KEY_BYTES: usize = 1024;

/// What a put does where an object is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutMode {
    /// Leaves it and answers [`PutOutcome::Exists`].
    Create,
    /// Replaces it.
    Overwrite,
}

/// What a put did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    /// The object is there, whole, with these bytes.
    Written,
    /// Another object is there and was left alone. It may be the same bytes, even from a try of
    /// this very put whose answer was lost: look before deciding.
    Exists,
}

/// Which objects to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListRequest {
    /// Only keys that start with this text; empty: all.
    pub prefix: String,
    /// Only keys after this one, which need not exist; none: from the start.
    pub after: Option<String>,
    /// Most objects to answer; at least 1. A backend may answer fewer.
    pub max: usize,
}

/// Some of the objects that a listing holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In order of their keys.
    pub objects: Vec<ObjectMeta>,
    /// Whether there are others after the last of these.
    pub more: bool,
}

/// What is known of an object without reading it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectMeta {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, by the store's clock.
    pub modified: SystemTime,
}

/// Every object below a prefix, page by page, in memory: for tests and small listings.
pub async fn list_all(store: &dyn ObjectStore, prefix: &str) -> Result<Vec<ObjectMeta>> {
    let mut objects: Vec<ObjectMeta> = Vec::new();
    loop {
        let request = ListRequest {
            prefix: prefix.to_owned(),
            after: objects.last().map(|object| object.key.clone()),
            max: 1000,
        };
        let page = store.list(request).await?;
        // A page that has others after it but is empty itself would go on for ever.
        let more = page.more && !page.objects.is_empty();
        objects.extend(page.objects);
        if !more {
            return Ok(objects);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::MockStore;

    fn page(keys: &[&str], more: bool) -> Page {
        let object = |key: &&str| ObjectMeta {
            key: (*key).to_owned(),
            size: 1,
            modified: SystemTime::UNIX_EPOCH,
        };
        Page { objects: keys.iter().map(object).collect(), more }
    }

    async fn keys_of(store: MockStore) -> Vec<String> {
        let objects = list_all(&store, "p").await.unwrap();
        objects.into_iter().map(|object| object.key).collect()
    }

    #[tokio::test]
    async fn a_listing_goes_on_after_the_last_key_until_there_are_no_more() {
        let mut store = MockStore::new();
        store.expect_list().times(3).returning(|request| {
            assert_eq!((&*request.prefix, request.max), ("p", 1000));
            Ok(match request.after.as_deref() {
                None => page(&["p1", "p2"], true),
                Some("p2") => page(&["p3"], true),
                Some("p3") => page(&["p4"], false),
                other => panic!("after {other:?}"),
            })
        });
        assert_eq!(keys_of(store).await, ["p1", "p2", "p3", "p4"]);
    }

    #[tokio::test]
    async fn an_empty_page_is_the_last_whatever_it_says() {
        let mut store = MockStore::new();
        store.expect_list().once().returning(|_| Ok(page(&[], true)));
        assert_eq!(keys_of(store).await, [""; 0]);
    }
}
