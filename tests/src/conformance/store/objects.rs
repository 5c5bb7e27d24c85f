//! Objects one by one: written, read, looked at, deleted.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use event_core::{ObjectMeta, PutMode, PutOutcome};

use super::StoreBackend;
use super::shelf::{Shelf, version};
use crate::conformance::case::same;
use crate::conformance::clock::eventually;

pub(super) async fn put_then_get(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    let bodies = [
        Bytes::new(),
        Bytes::from("{\"request_id\": \"é\"}\r\n"),
        Bytes::from((0..=255).collect::<Vec<u8>>()),
        version(7),
    ];
    for (mode, name) in [(PutMode::Create, "created"), (PutMode::Overwrite, "overwritten")] {
        for (n, body) in bodies.iter().enumerate() {
            let name = format!("{name}/{n}.json");
            same!(shelf.put(&name, body.clone(), mode).await, PutOutcome::Written);
            assert!(shelf.body(&name).await.as_ref() == Some(body), "{name} has changed");
        }
    }
}

pub(super) async fn overwrite_replaces(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    same!(shelf.put("a", "created", PutMode::Create).await, PutOutcome::Written);
    // A shorter body than before leaves nothing of the longer one behind it.
    for body in ["longer than before", "short", ""] {
        same!(shelf.put("a", body, PutMode::Overwrite).await, PutOutcome::Written);
        same!(shelf.body("a").await, Some(body.into()));
    }
    same!(shelf.names("").await, ["a"]);
}

pub(super) async fn missing_objects_are_none(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    shelf.fill(&["a/b"]).await;
    // Nothing at all, a prefix of what is there, and what would be below it.
    for missing in ["b", "x/y/z", "a", "a/b/c", "a/bc"] {
        same!(shelf.body(missing).await, None, "{missing:?}");
        same!(shelf.head(missing).await, None, "{missing:?}");
    }
}

pub(super) async fn head_tells_size_and_time(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    let now = SystemTime::now();
    shelf.put("a", "first", PutMode::Create).await;
    let first = expect_head(&shelf, 5).await;
    // The store's clock is not ours; S3 itself refuses clients that are more than this off.
    let skew = Duration::from_secs(15 * 60);
    assert!(
        (now - skew..=now + skew).contains(&first.modified),
        "{first:?} was written about {now:?}"
    );

    // The time moves on with a later write, though the store may count it coarsely.
    eventually(Duration::from_secs(3), async || {
        shelf.put("a", "again", PutMode::Overwrite).await;
        let later = expect_head(&shelf, 5).await.modified;
        let moved = later > first.modified;
        moved.then_some(()).ok_or("the time of the first write".to_owned())
    })
    .await;
    shelf.put("a", "and longer", PutMode::Overwrite).await;
    let longer = expect_head(&shelf, 10).await;

    // To leave it alone is not a write.
    same!(shelf.put("a", "x", PutMode::Create).await, PutOutcome::Exists);
    same!(expect_head(&shelf, 10).await, longer);
}

/// What is known of object `a`, by `head` and by `list` alike.
async fn expect_head(shelf: &Shelf, size: u64) -> ObjectMeta {
    let meta = shelf.head("a").await.expect("an object that was written");
    same!((&meta.key, meta.size), (&shelf.key("a"), size));
    let listed = event_core::store::list_all(&*shelf.store, &shelf.key("a")).await.unwrap();
    same!(listed.len(), 1, "{listed:?}");
    same!((&listed[0].key, listed[0].size), (&meta.key, size));
    meta
}

pub(super) async fn delete_removes(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    shelf.fill(&["a", "d/b", "d/kept"]).await;
    let outcomes = shelf.delete(&["a", "d/b"]).await;
    assert!(matches!(outcomes[..], [Ok(()), Ok(())]), "{outcomes:?}");
    for gone in ["a", "d/b"] {
        same!(shelf.body(gone).await, None, "{gone:?}");
        same!(shelf.head(gone).await, None, "{gone:?}");
    }
    same!(shelf.names("").await, ["d/kept"]);
    same!(shelf.body("d/kept").await, Some("d/kept".into()));
    same!(shelf.put("a", "new", PutMode::Create).await, PutOutcome::Written);
    same!(shelf.body("a").await, Some("new".into()));
}

pub(super) async fn delete_is_idempotent(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    same!(shelf.delete(&[]).await.len(), 0, "outcomes of an empty batch");
    shelf.fill(&["a"]).await;
    for batch in [&["a"][..], &["a"], &["never/there", "never"], &["a/below", "twice", "twice"]] {
        let outcomes = shelf.delete(batch).await;
        same!(outcomes.len(), batch.len(), "outcomes of {batch:?}");
        assert!(outcomes.iter().all(Result::is_ok), "{batch:?}: {outcomes:?}");
    }
    // More than S3 takes in one request.
    let many: Vec<_> = (0..1_001).map(|n| format!("missing/{n}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let outcomes = shelf.delete(&many).await;
    same!(outcomes.len(), many.len(), "outcomes of a long batch");
    assert!(outcomes.iter().all(Result::is_ok), "a key that is not there failed");
}
