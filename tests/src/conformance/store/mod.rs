//! The promises of [`ObjectStore`].

mod keys;
mod listing;
mod objects;
mod shelf;
mod writing;

use std::sync::Arc;

use async_trait::async_trait;
use event_core::ObjectStore;
use libtest_mimic::Trial;

use super::case::{Backend, Case, cases, trials};

/// Gives stores to the cases, which all run on several threads and by the wall clock.
#[async_trait]
pub trait StoreBackend: Backend {
    /// A store. It need be neither new nor empty: each case keeps below a prefix of its own
    /// under `conformance/`, and leaves there what it wrote.
    async fn store(&self) -> Arc<dyn ObjectStore>;
}

/// One case for each promise, in the order of the documentation.
pub fn store_cases() -> Vec<Case<dyn StoreBackend>> {
    cases![
        #[on_threads]
        objects::put_then_get => "an object is read as it was written, empty ones included.",
        #[on_threads]
        objects::overwrite_replaces => "`PutMode::Overwrite` replaces what is there.",
        #[on_threads]
        writing::create_only_leaves_what_is_there => "`PutMode::Create` on a key that exists answers `PutOutcome::Exists` and changes nothing.",
        #[on_threads]
        writing::create_only_has_one_winner => "of creations at the same time exactly one is `PutOutcome::Written`, and its bytes are there. The others are `PutOutcome::Exists` or fail with an error that can be retried.",
        #[on_threads]
        writing::puts_are_whole => "a reader sees an object whole or not at all, while it is overwritten too; a put that answered has happened.",
        #[on_threads]
        objects::missing_objects_are_none => "`get` and `head` answer `None`.",
        #[on_threads]
        objects::head_tells_size_and_time => "of the last write.",
        #[on_threads]
        listing::list_is_ordered => "`list` answers keys in order of their bytes.",
        #[on_threads]
        listing::list_keeps_to_its_prefix => "the prefix is a prefix of the key's text, not of segments.",
        #[on_threads]
        listing::list_is_paged_and_resumable => "at most `ListRequest::max` objects, strictly after `ListRequest::after`; `Page::more` says whether there are others, and a page before the last is not empty.",
        #[on_threads]
        objects::delete_removes => "a deleted object is gone, and its key can be created again.",
        #[on_threads]
        objects::delete_is_idempotent => "deleting what is not there succeeds. A batch of any size is taken.",
        #[on_threads]
        keys::keys_keep_their_bytes => "every key of the `Layout` is stored under its own name, and listed so.",
        #[on_threads]
        keys::unsafe_keys_are_refused => "an empty key or one over 1,024 bytes fails with `Invalid` in every call, alone in its batch; a store that maps keys to paths refuses those that would leave their place as well.",
        #[on_threads]
        keys::a_key_may_also_be_a_prefix => "`a` and `a/b` can both be there.",
    ]
}

/// The cases as trials for [`libtest_mimic::run`].
pub fn store_trials(backend: impl StoreBackend) -> Vec<Trial> {
    let backend: Arc<dyn StoreBackend> = Arc::new(backend);
    trials(store_cases(), &backend)
}
