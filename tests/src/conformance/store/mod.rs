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
        objects::put_then_get,
        #[on_threads]
        objects::overwrite_replaces,
        #[on_threads]
        writing::create_only_leaves_what_is_there,
        #[on_threads]
        writing::create_only_has_one_winner,
        #[on_threads]
        writing::puts_are_whole,
        #[on_threads]
        objects::missing_objects_are_none,
        #[on_threads]
        objects::head_tells_size_and_time,
        #[on_threads]
        listing::list_is_ordered,
        #[on_threads]
        listing::list_keeps_to_its_prefix,
        #[on_threads]
        listing::list_is_paged_and_resumable,
        #[on_threads]
        objects::delete_removes,
        #[on_threads]
        objects::delete_is_idempotent,
        #[on_threads]
        keys::keys_keep_their_bytes,
        #[on_threads]
        keys::unsafe_keys_are_refused,
        #[on_threads]
        keys::a_key_may_also_be_a_prefix,
    ]
}

/// The cases as trials for [`libtest_mimic::run`].
pub fn store_trials(backend: impl StoreBackend) -> Vec<Trial> {
    let backend: Arc<dyn StoreBackend> = Arc::new(backend);
    trials(store_cases(), &backend)
}
