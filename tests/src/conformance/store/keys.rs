//! Which keys are kept as they are, and which are refused.

use std::sync::Arc;

use bytes::Bytes;
use event_core::schema::{Identified, Partition};
use event_core::store::MAX_KEY_BYTES;
use event_core::{Error, ErrorKind, Layout, Message, PutMode, PutOutcome, Reason};

use super::StoreBackend;
use super::shelf::Shelf;
use crate::conformance::case::same;

pub(super) async fn keys_keep_their_bytes(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    let mut names = layout_keys();
    // Another key than the one before it, though one is the other in percent signs.
    names.extend(
        ["literal/%2e%2e%2F", "literal/%252e", "literal/dt=2026_01_02/~"].map(str::to_owned),
    );
    for name in &names {
        let outcome = shelf.put(name, name.clone(), PutMode::Create).await;
        same!(outcome, PutOutcome::Written, "{name:?} shares the place of another key");
    }
    for name in &names {
        same!(shelf.body(name).await, Some(name.clone().into()));
        same!(shelf.head(name).await.map(|meta| meta.key), Some(shelf.key(name)));
        same!(shelf.names(name).await, [name.as_str()]);
    }
    names.sort();
    let listed = shelf.names("").await;
    same!(listed.len(), names.len(), "keys that are listed");
    for (listed, name) in listed.iter().zip(&names) {
        same!(listed, name);
    }
}

/// Keys of events and of quarantined messages, made from what a hostile producer might send.
fn layout_keys() -> Vec<String> {
    let long = "p/".repeat(127) + "pp";
    let layouts = [Layout::default(), Layout::new(&long).expect("a long prefix")];
    let mut keys = Vec::new();
    for hostile in
        ["fbcb6bb3-3652", "../../etc", ".", "..", "a b", "50%", "%2e", "é", "CON", "a:b*?", "~"]
    {
        let ids = [hostile.to_owned(), hostile.to_owned() + &"/".repeat(200)];
        for id in ids {
            let (message, reason) = (Message::new(id.clone()), Reason::new(id.clone(), ""));
            keys.extend(layouts.iter().map(|layout| layout.quarantine_key(&message, &reason)));
            let partition = Partition::parse("event_type=sale_event/dt=2026_11_22");
            let partition = partition.expect("a partition").with("x", &id);
            let event = Identified { identity: id.clone().into(), partition };
            keys.extend(layouts.iter().map(|layout| layout.event_key(&event)));
        }
    }
    keys
}

pub(super) async fn unsafe_keys_are_refused(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    let longest = sized(&shelf, MAX_KEY_BYTES);
    same!(shelf.put(&longest, "longest", PutMode::Create).await, PutOutcome::Written);
    same!(shelf.body(&longest).await, Some("longest".into()));

    let too_long = shelf.key(&sized(&shelf, MAX_KEY_BYTES + 1));
    // By its bytes, of which these letters have two each.
    let wide = shelf.key(&(("é".repeat(49) + "/").repeat(11) + "x"));
    assert!(wide.len() > MAX_KEY_BYTES && wide.chars().count() < MAX_KEY_BYTES);
    for key in ["", &too_long, &wide] {
        for mode in [PutMode::Create, PutMode::Overwrite] {
            expect_invalid("put", shelf.store.put(key, Bytes::new(), mode).await);
        }
        expect_invalid("get", shelf.store.get(key).await);
        expect_invalid("head", shelf.store.head(key).await);
        let beside = [shelf.key("a"), key.to_owned(), shelf.key("b")];
        let mut outcomes = shelf.store.delete(&beside).await;
        assert!(matches!(outcomes[..], [Ok(()), Err(_), Ok(())]), "{outcomes:?}");
        expect_invalid("delete", outcomes.remove(1));
    }

    // Elsewhere these are keys like others; as paths they lead away, or to another key's place.
    for name in ["d/../escaped", "d/./same", "d//same", "../../escaped", "d/..", "d/.", "d/"] {
        refused_or_kept(&shelf, shelf.key(name)).await;
    }
    refused_or_kept(&shelf, format!("/{}", shelf.key("absolute"))).await;
    let mut listed = shelf.names("").await;
    listed.retain(|name| *name != longest);
    same!(listed, Vec::<String>::new(), "left over from keys that were refused or deleted");
}

/// Such a key is either refused by every call, or has a place of its own.
async fn refused_or_kept(shelf: &Shelf, key: String) {
    let store = &shelf.store;
    match store.put(&key, Bytes::from("unsafe"), PutMode::Create).await {
        Ok(outcome) => {
            same!(outcome, PutOutcome::Written, "{key:?}");
            let listed = event_core::store::list_all(&**store, &key).await.unwrap();
            let listed: Vec<_> = listed.into_iter().map(|meta| meta.key).collect();
            let outcomes = store.delete(std::slice::from_ref(&key)).await;
            same!(listed, [key.as_str()], "it is not listed as it was written");
            assert!(matches!(outcomes[..], [Ok(())]), "{key:?}: {outcomes:?}");
        }
        refused => {
            expect_invalid("put", refused);
            expect_invalid("get", store.get(&key).await);
            expect_invalid("head", store.head(&key).await);
            let mut outcomes = store.delete(std::slice::from_ref(&key)).await;
            expect_invalid("delete", outcomes.remove(0));
        }
    }
}

#[track_caller]
fn expect_invalid<T>(operation: &str, answer: Result<T, Error>) {
    match answer {
        Err(error) => same!(error.kind(), ErrorKind::Invalid, "{error}"),
        Ok(_) => panic!("a {operation} of a key that is unsafe was accepted"),
    }
}

/// A name that makes a key of so many bytes, in segments that any file system takes.
fn sized(shelf: &Shelf, bytes: usize) -> String {
    let rest = bytes - shelf.prefix.len();
    let segments = "s".repeat(99) + "/";
    let mut name = segments.repeat(rest / segments.len() + 1);
    name.truncate(rest - 1);
    name + "x"
}

pub(super) async fn a_key_may_also_be_a_prefix(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    // The shorter first, and the longer first.
    shelf.fill(&["a", "a/b", "a/b/c", "x/y/z", "x/y", "x"]).await;
    let names = ["a", "a/b", "a/b/c", "x", "x/y", "x/y/z"];
    same!(shelf.names("").await, names);
    for name in names {
        same!(shelf.body(name).await, Some(name.into()));
        same!(shelf.put(name, "other", PutMode::Create).await, PutOutcome::Exists);
    }
    let outcomes = shelf.delete(&["a", "x/y/z", "x/y"]).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    same!(shelf.names("").await, ["a/b", "a/b/c", "x"]);
}
