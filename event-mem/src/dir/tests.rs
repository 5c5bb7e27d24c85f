use std::fs;
use std::time::SystemTime;

use event_core::schema::{Identified, Partition};
use event_core::store::list_all;
use event_core::{Layout, Message, Reason};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::MemStore;

fn store() -> (TempDir, DirStore) {
    let dir = tempfile::tempdir().unwrap();
    let store = DirStore::open(dir.path()).unwrap();
    (dir, store)
}

async fn put(store: &dyn ObjectStore, key: &str, mode: PutMode) -> Result<PutOutcome> {
    store.put(key, key.to_owned().into(), mode).await
}

async fn keys(store: &dyn ObjectStore, prefix: &str) -> Vec<String> {
    let objects = list_all(store, prefix).await.unwrap();
    objects.into_iter().map(|object| object.key).collect()
}

fn kind<T>(result: Result<T>) -> Option<ErrorKind> {
    result.err().map(|error| error.kind())
}

#[tokio::test]
async fn an_object_is_a_file_at_its_key() {
    let (dir, store) = store();
    for mode in [PutMode::Create, PutMode::Overwrite] {
        let key = format!("a/b c/{mode:?}.json");
        assert_eq!(put(&store, &key, mode).await.unwrap(), PutOutcome::Written);
        assert_eq!(fs::read_to_string(dir.path().join(&key)).unwrap(), key);
        assert_eq!(store.get(&key).await.unwrap(), Some(key.clone().into()));
        let meta = store.head(&key).await.unwrap().unwrap();
        assert_eq!((meta.key, meta.size), (key.clone(), key.len() as u64));
        assert!(meta.modified <= SystemTime::now());
        assert!(store.delete(std::slice::from_ref(&key)).await[0].is_ok());
        assert!(store.delete(std::slice::from_ref(&key)).await[0].is_ok());
        assert_eq!(store.head(&key).await.unwrap(), None);
    }
}

#[tokio::test]
async fn create_only_leaves_what_is_there_and_no_trace() {
    let (dir, store) = store();
    for store in [store.clone(), store.fsync(true)] {
        store.put("a/b", "old".into(), PutMode::Overwrite).await.unwrap();
        let again = store.put("a/b", "new".into(), PutMode::Create).await.unwrap();
        assert_eq!(again, PutOutcome::Exists);
        assert_eq!(store.get("a/b").await.unwrap(), Some("old".into()));
        store.put("a/b", "new".into(), PutMode::Overwrite).await.unwrap();
        assert_eq!(store.get("a/b").await.unwrap(), Some("new".into()));
        assert_eq!(fs::read_dir(dir.path().join(".tmp")).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn creations_at_the_same_time_have_one_winner() {
    let (_dir, store) = store();
    for round in 0..20 {
        let key = format!("{round}/key");
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (store, key) = (store.clone(), key.clone());
                let body = Bytes::from(n.to_string());
                tokio::spawn(
                    async move { (body.clone(), store.put(&key, body, PutMode::Create).await) },
                )
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            let (body, outcome) = task.await.unwrap();
            winners.extend((outcome.unwrap() == PutOutcome::Written).then_some(body));
        }
        assert_eq!(winners.len(), 1);
        assert_eq!(store.get(&key).await.unwrap(), winners.pop());
    }
}

#[tokio::test]
async fn keys_that_could_leave_their_place_are_refused_and_nothing_is_written() {
    let (dir, store) = store();
    let (long, wide) = ("x".repeat(256), "é".repeat(128));
    let deep = "x/".repeat(512) + "x";
    for key in [
        "", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", ".tmp/a", ".hidden",
        "a/.b", "a\0b", "a\\b", "a\nb", "a\u{7f}", "a\u{85}", &long, &wide, &deep,
    ] {
        assert_eq!(
            kind(put(&store, key, PutMode::Create).await),
            Some(ErrorKind::Invalid),
            "{key:?}"
        );
        assert_eq!(kind(put(&store, key, PutMode::Overwrite).await), Some(ErrorKind::Invalid));
        assert_eq!(kind(store.get(key).await), Some(ErrorKind::Invalid));
        assert_eq!(kind(store.head(key).await), Some(ErrorKind::Invalid));
        let mut deleted = store.delete(&[key.to_owned(), "a".to_owned()]).await;
        assert!(deleted.pop().unwrap().is_ok());
        assert_eq!(kind(deleted.pop().unwrap()), Some(ErrorKind::Invalid));
    }
    let there: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(there.len(), 1, "only .tmp: {there:?}");
}

#[tokio::test]
async fn the_longest_names_and_keys_are_stored_and_listed() {
    let (_dir, store) = store();
    let (long, wide) = ("x".repeat(255), "é".repeat(127));
    let deep = "y/".repeat(511) + "yy";
    assert_eq!(deep.len(), event_core::store::MAX_KEY_BYTES);
    for key in [&long, &deep, &wide] {
        assert_eq!(put(&store, key, PutMode::Create).await.unwrap(), PutOutcome::Written);
    }
    assert_eq!(keys(&store, "").await, [long, deep, wide]);
}

#[tokio::test]
async fn every_key_of_a_layout_is_stored_under_its_name() {
    let (_dir, store) = store();
    let layout = Layout::default();
    let mut expected = Vec::new();
    for hostile in ["..", "a/b", "a\\b", "\0", "é", &"y".repeat(999)] {
        let reason = Reason::new(hostile.to_owned(), "");
        let partition = Partition::parse("dt=2026_11_22").unwrap().with("x", hostile);
        let event = Identified { identity: hostile.into(), partition };
        let (message, event) = (Message::new(hostile.to_owned()), layout.event_key(&event));
        for key in [layout.quarantine_key(&message, &reason), event] {
            put(&store, &key, PutMode::Create).await.unwrap();
            expected.push(key);
        }
    }
    expected.sort();
    assert_eq!(keys(&store, "").await, expected);
}

#[tokio::test]
async fn a_name_is_an_object_or_a_directory_but_not_both() {
    let (_dir, store) = store();
    put(&store, "a", PutMode::Create).await.unwrap();
    put(&store, "b/c", PutMode::Create).await.unwrap();
    for mode in [PutMode::Create, PutMode::Overwrite] {
        for key in ["a/b", "a/b/c", "b"] {
            let error = put(&store, key, mode).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
            assert!(error.to_string().contains(&format!("{key:?}")), "{error}");
        }
    }
    for key in ["a/b", "a/b/c", "b", "c/d"] {
        assert_eq!(store.get(key).await.unwrap(), None);
        assert_eq!(store.head(key).await.unwrap(), None);
        assert!(store.delete(&[key.to_owned()]).await[0].is_ok());
    }
    assert_eq!(keys(&store, "").await, ["a", "b/c"]);
}

#[cfg(unix)]
#[tokio::test]
async fn links_and_foreign_files_are_no_objects() {
    use std::os::unix::ffi::OsStrExt;

    let (dir, store) = store();
    put(&store, "a/b", PutMode::Create).await.unwrap();
    let link =
        |to: &str, name: &str| std::os::unix::fs::symlink(to, dir.path().join(name)).unwrap();
    link("/etc", "etc");
    link("a/b", "link");
    link("..", "a/up");
    fs::write(dir.path().join(".hidden"), "").unwrap();
    fs::write(dir.path().join(std::ffi::OsStr::from_bytes(b"\xff")), "").unwrap();
    assert_eq!(keys(&store, "").await, ["a/b"]);
    assert_eq!(keys(&store, "etc/").await, [""; 0]);
    assert_eq!(store.get("link").await.unwrap(), None);
    assert_eq!(store.head("etc").await.unwrap(), None);
    assert_eq!(kind(put(&store, "link", PutMode::Create).await), Some(ErrorKind::Invalid));
    assert!(store.delete(&["link".to_owned()]).await[0].is_ok());
    assert!(dir.path().join("link").exists());
}

#[tokio::test]
async fn a_store_that_is_gone_is_told_from_a_missing_object() {
    let (dir, store) = store();
    drop(dir);
    assert_eq!(kind(put(&store, "a", PutMode::Create).await), Some(ErrorKind::NotFound));
    assert_eq!(kind(store.get("a").await), Some(ErrorKind::NotFound));
    assert_eq!(kind(store.head("a").await), Some(ErrorKind::NotFound));
    assert_eq!(kind(list_all(&store, "").await), Some(ErrorKind::NotFound));
    assert_eq!(kind(store.delete(&["a".to_owned()]).await.remove(0)), Some(ErrorKind::NotFound));
}

#[test]
fn a_path_that_can_be_no_store_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let error = DirStore::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        let line = error.to_string();
        assert!(line.contains(path.to_str().unwrap()) && !line.contains('\n'), "{line}");
    }
    assert!(DirStore::open(dir.path().join("made/on/demand")).is_ok());
}

#[cfg(unix)]
#[tokio::test]
async fn files_have_the_permissions_of_any_new_file() {
    use std::os::unix::fs::PermissionsExt;

    let (dir, store) = store();
    put(&store, "a", PutMode::Create).await.unwrap();
    fs::write(dir.path().join("b"), "").unwrap();
    let mode = |name| fs::metadata(dir.path().join(name)).unwrap().permissions().mode();
    assert_eq!(mode("a"), mode("b"));
}

/// The same keys in two stores, less those that a directory cannot hold beside others.
async fn both(keys: &[String]) -> (TempDir, DirStore, MemStore) {
    let ((dir, store), model) = (store(), MemStore::default());
    for key in keys {
        if put(&store, key, PutMode::Overwrite).await.is_ok() {
            put(&model, key, PutMode::Overwrite).await.unwrap();
        }
    }
    (dir, store, model)
}

async fn listings_agree(keys: &[String], prefix: &str, after: Option<&str>, max: usize) {
    let (_dir, store, model) = both(keys).await;
    let mut after = after.map(str::to_owned);
    loop {
        let request = ListRequest { prefix: prefix.to_owned(), after, max };
        let page = store.list(request.clone()).await.unwrap();
        let expected = model.list(request).await.unwrap();
        let key = |page: &Page| -> Vec<(String, u64)> {
            page.objects.iter().map(|o| (o.key.clone(), o.size)).collect()
        };
        assert_eq!((key(&page), page.more), (key(&expected), expected.more));
        if !page.more {
            return;
        }
        after = page.objects.last().map(|object| object.key.clone());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    #[test]
    fn listings_are_in_the_order_of_the_keys_bytes(
        keys in prop::collection::vec("[a-c][a-c!.0é-]{0,2}(/[a-c][a-c!.0é-]{0,2}){0,3}", 0..30),
        prefix in "([a-c/.!-]{0,3})?",
        after in prop::option::of("[a-c/.!0é-]{0,6}"),
        max in 1..8_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(listings_agree(&keys, &prefix, after.as_deref(), max));
    }
}
