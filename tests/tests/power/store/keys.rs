//! Mistakes in what becomes of keys.

use std::sync::Arc;

use event_core::{Bytes, Error, ObjectStore, PutMode, PutOutcome, Result, async_trait};

use super::{Mistake, expect};

#[derive(Default)]
struct DecodesKeys;
impl Mistake for DecodesKeys {
    fn key(&self, key: &str) -> String {
        key.replace("%2e", ".").replace("%25", "%")
    }
}

#[test]
fn a_store_that_decodes_keys_is_caught() {
    expect::<DecodesKeys>(&["keys_keep_their_bytes"]);
}

#[derive(Default)]
struct ResolvesPaths;
impl Mistake for ResolvesPaths {
    fn key(&self, key: &str) -> String {
        let mut path = Vec::new();
        for segment in key.split('/') {
            match segment {
                ".." => drop(path.pop()),
                "" | "." => {}
                name => path.push(name),
            }
        }
        path.join("/")
    }
}

#[test]
fn a_store_that_resolves_paths_is_caught() {
    expect::<ResolvesPaths>(&["unsafe_keys_are_refused"]);
}

#[derive(Default)]
struct CutsLongKeys;
impl Mistake for CutsLongKeys {
    fn key(&self, key: &str) -> String {
        key.chars().take(event_core::store::MAX_KEY_BYTES).collect()
    }
}

#[test]
fn a_store_that_cuts_long_keys_is_caught() {
    expect::<CutsLongKeys>(&["unsafe_keys_are_refused"]);
}

#[derive(Default)]
struct HasNothingBelowAKey;
#[async_trait]
impl Mistake for HasNothingBelowAKey {
    async fn put(
        &self,
        store: &Arc<dyn ObjectStore>,
        key: &str,
        body: Bytes,
        mode: PutMode,
    ) -> Result<PutOutcome> {
        for (slash, _) in key.match_indices('/').filter(|(slash, _)| *slash > 0) {
            if store.head(&key[..slash]).await?.is_some() {
                return Err(Error::invalid("put", "not a directory"));
            }
        }
        store.put(key, body, mode).await
    }
}

#[test]
fn a_store_with_nothing_below_a_key_is_caught() {
    expect::<HasNothingBelowAKey>(&["a_key_may_also_be_a_prefix"]);
}
