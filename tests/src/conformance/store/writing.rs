//! Writers beside each other and beside readers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_core::store::list_all;
use event_core::{PutMode, PutOutcome};
use futures_util::future::join_all;
use tokio::sync::Barrier;

use super::StoreBackend;
use super::shelf::{Shelf, expect_whole, version};
use crate::conformance::case::{joined, poll_once, same};

pub(super) async fn create_only_leaves_what_is_there(backend: Arc<dyn StoreBackend>) {
    let shelf = Shelf::new(&*backend).await;
    for (mode, name) in [(PutMode::Create, "created"), (PutMode::Overwrite, "overwritten")] {
        same!(shelf.put(name, "first", mode).await, PutOutcome::Written);
        let before = shelf.head(name).await;
        for body in ["other, and longer", "first", ""] {
            same!(shelf.put(name, body, PutMode::Create).await, PutOutcome::Exists);
            same!(shelf.body(name).await, Some("first".into()));
        }
        same!(shelf.head(name).await, before);
    }
    same!(shelf.names("").await, ["created", "overwritten"]);
}

pub(super) async fn create_only_has_one_winner(backend: Arc<dyn StoreBackend>) {
    const WRITERS: usize = 6;
    let shelf = Shelf::new(&*backend).await;
    for round in 0..20 {
        let key = shelf.key(&format!("{round}/key"));
        let put = |n| {
            let (store, key) = (Arc::clone(&shelf.store), key.clone());
            async move { store.put(&key, version(n), PutMode::Create).await }
        };
        // On threads of their own, or each a step at a time.
        let answers = if round % 2 == 0 {
            let start = Arc::new(Barrier::new(WRITERS));
            let tasks = (0..WRITERS).map(|n| {
                let (start, put) = (Arc::clone(&start), put(n));
                tokio::spawn(async move {
                    start.wait().await;
                    put.await
                })
            });
            let tasks: Vec<_> = tasks.collect();
            join_all(tasks.into_iter().map(joined)).await
        } else {
            join_all((0..WRITERS).map(put)).await
        };
        let mut winners = Vec::new();
        for (n, answer) in answers.into_iter().enumerate() {
            match answer {
                Ok(PutOutcome::Written) => winners.push(n),
                Ok(PutOutcome::Exists) => {}
                // S3 answers "conflict" to some, who may try again.
                Err(error) => assert!(error.is_retryable(), "{:?}: {error}", error.kind()),
            }
        }
        let [winner] = winners[..] else {
            panic!("of {WRITERS} creations of one key {winners:?} have won");
        };
        let body = shelf.store.get(&key).await.unwrap();
        assert!(body == Some(version(winner)), "what is there is not the winner's");
    }
}

pub(super) async fn puts_are_whole(backend: Arc<dyn StoreBackend>) {
    const ROUNDS: usize = 40;
    let shelf = Shelf::new(&*backend).await;
    shelf.put("hot", version(0), PutMode::Overwrite).await;
    let done = Arc::new(AtomicBool::new(false));
    let readers: [_; 2] = std::array::from_fn(|_| {
        let (shelf, done) = (shelf.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            // Once more after the end, so that something is read however fast the writers are.
            while !done.load(Ordering::Relaxed) {
                read(&shelf).await;
            }
            read(&shelf).await;
        })
    });
    let neighbour = tokio::spawn(come_and_go(shelf.clone(), Arc::clone(&done)));
    for round in 1..=ROUNDS {
        put_watched(&shelf, "hot", round, PutMode::Overwrite).await;
        assert!(shelf.body("hot").await == Some(version(round)), "the last put is not there");
        let name = format!("new/{round:03}/key");
        put_watched(&shelf, &name, round, PutMode::Create).await;
        assert!(shelf.body(&name).await == Some(version(round)), "a new object is not there");
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        joined(reader).await;
    }
    joined(neighbour).await;
    same!(shelf.names("new/").await.len(), ROUNDS, "objects that were written");
}

/// Writes a version and reads between all steps of the put.
async fn put_watched(shelf: &Shelf, name: &str, round: usize, mode: PutMode) {
    let mut put = Box::pin(shelf.put(name, version(round), mode));
    while poll_once(&mut put).await.is_none() {
        read(shelf).await;
        tokio::task::yield_now().await;
    }
}

/// Whatever is there is whole, to `get`, `head` and `list`; and nothing else is listed.
async fn read(shelf: &Shelf) {
    let hot = shelf.body("hot").await;
    expect_whole(&hot.expect("an object that is overwritten is always there"));
    let head = shelf.head("hot").await;
    expect_size(head.expect("an object that is overwritten is always there").size);
    let objects = list_all(&*shelf.store, &shelf.prefix).await.unwrap();
    for object in &objects {
        let name = object.key.strip_prefix(&shelf.prefix).unwrap();
        let own = name == "hot" || name.ends_with("/key") || name.ends_with("/passing");
        assert!(own, "{name:?} was listed, which nobody wrote");
        expect_size(object.size);
    }
    if let Some(newest) = objects.iter().rfind(|object| object.key.ends_with("/key")) {
        let body = shelf.store.get(&newest.key).await.unwrap();
        expect_whole(&body.expect("what is listed is there"));
    }
}

fn expect_size(size: u64) {
    let whole = (0..251).any(|n| version(n).len() as u64 == size);
    assert!(whole, "{size} bytes are not the whole object");
}

/// Writes and deletes beside the others, where they write: a store that cleans up behind a delete
/// must not take away what is just being written.
async fn come_and_go(shelf: Shelf, done: Arc<AtomicBool>) {
    let mut round = 0;
    while !done.load(Ordering::Relaxed) {
        round = round % 40 + 1;
        let name = format!("new/{round:03}/passing");
        shelf.put(&name, version(round), PutMode::Create).await;
        let outcomes = shelf.delete(&[&name]).await;
        assert!(matches!(outcomes[..], [Ok(())]), "{outcomes:?}");
        tokio::task::yield_now().await;
    }
}
