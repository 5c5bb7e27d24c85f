//! What is listed, in which order, and how to go on.

use std::sync::Arc;

use event_core::ListRequest;

use super::StoreBackend;
use super::shelf::Shelf;
use crate::conformance::case::same;

/// In order of their bytes, which is not that of a walk through directories.
const ORDERED: [&str; 10] =
    ["B", "a-b", "a.b", "a/B", "a/b-c", "a/b/c", "a/b0", "a0", "ab/c", "a~"];

pub(super) async fn list_is_ordered(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    // Written in another order, which leaves out none since 7 and 10 share no divisor.
    let order: Vec<_> = (0..10).map(|n| ORDERED[n * 7 % 10]).collect();
    shelf.fill(&order).await;
    same!(shelf.names("").await, ORDERED);
    same!(shelf.page("", None, 100).await, (owned(&ORDERED), false));
}

pub(super) async fn list_keeps_to_its_prefix(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    shelf.fill(&ORDERED).await;
    for prefix in ["a", "a/", "a/b", "a/b/", "a-", "ab", "a.b", "B", "b", "a/b/c/d", "a/b/cc", "/"]
    {
        let below = ORDERED.iter().filter(|name| name.starts_with(prefix));
        let below: Vec<_> = below.copied().collect();
        same!(shelf.names(prefix).await, below, "below {prefix:?}");
    }
    // An empty prefix is one of every key: what comes first after this case's own is its own.
    let all = shelf.list(ListRequest {
        prefix: String::new(),
        after: Some(shelf.prefix.clone()),
        max: 1,
    });
    same!(all.await.objects[0].key, shelf.key(ORDERED[0]));
}

pub(super) async fn list_is_paged_and_resumable(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    shelf.fill(&ORDERED).await;
    for max in 1..=ORDERED.len() + 1 {
        // `page` itself fails if there are too many, or none with others to come.
        let mut all: Vec<String> = Vec::new();
        loop {
            let (names, more) = shelf.page("", all.last().map(String::as_str), max).await;
            all.extend(names);
            same!(more, all.len() < ORDERED.len(), "more after {all:?}");
            if !more {
                break;
            }
        }
        same!(all, ORDERED, "in pages of {max}");
    }

    // Strictly after any text, whether there is such a key or not.
    for after in ["", "A", "a", "a-", "a/", "a/b", "a/b/", "a/b/c", "a/z", "a1", "ab/c", "b"] {
        let rest: Vec<_> = ORDERED.iter().filter(|name| **name > after).collect();
        let (names, more) = shelf.page("", Some(after), 100).await;
        same!((names, more), (owned(&rest), false), "after {after:?}");
        let below: Vec<_> = rest.into_iter().filter(|name| name.starts_with("a/")).collect();
        let (names, more) = shelf.page("a/", Some(after), 100).await;
        same!((names, more), (owned(&below), false), "below a/, after {after:?}");
    }
    for key in ORDERED {
        let rest = ORDERED.iter().filter(|name| name.starts_with(key) && **name > key);
        let (names, more) = shelf.page(key, Some(key), 100).await;
        same!((names, more), (owned(&rest.collect::<Vec<_>>()), false), "after {key}, itself");
    }

    // A listing goes on where it was, though the key it had come to is gone and others came.
    let (names, _) = shelf.page("", None, 2).await;
    same!(names, ["B", "a-b"]);
    shelf.fill(&["a-a", "a.a"]).await;
    shelf.delete(&["a-b"]).await;
    let (names, more) = shelf.page("", Some("a-b"), 2).await;
    same!((names, more), (owned(&["a.a", "a.b"]), true));
}

fn owned(names: &[impl AsRef<str>]) -> Vec<String> {
    names.iter().map(|name| name.as_ref().to_owned()).collect()
}
