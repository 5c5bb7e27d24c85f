//! The lines of the objects that a claim names.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};

use crate::compression::Compression;
use crate::error::Result;
use crate::log::one_line;
use crate::maintain::retrying::RetryingStore;

/// Sources that are read at once.
const READS: usize = 16;

/// The lines of all sources, one after the other; or what is wrong with one of them.
///
/// `prefix` is what the keys of the partition start with.
pub(crate) async fn lines_of_sources(
    store: &RetryingStore,
    prefix: &str,
    sources: &[String],
) -> Result<Result<Vec<u8>, String>> {
    let keys: Vec<_> = sources.iter().map(|source| format!("{prefix}{source}")).collect();
    let mut reads = stream::iter(keys.into_iter().map(|key| read(store, key))).buffered(READS);
    let mut lines = Vec::new();
    while let Some(read) = reads.try_next().await? {
        match read {
            Ok(more) => lines.extend_from_slice(&more),
            Err(fault) => return Ok(Err(fault)),
        }
        if lines.last().is_some_and(|&last| last != b'\n') {
            lines.push(b'\n');
        }
    }
    Ok(Ok(lines))
}

async fn read(store: &RetryingStore, key: String) -> Result<Result<Bytes, String>> {
    let Some(object) = store.get(&key).await? else { return Ok(Err(format!("{key} is gone"))) };
    Ok(match Compression::of_key(&key) {
        Some(compression) => {
            compression.decompress(object).map_err(|error| format!("{key} is damaged: {error}"))
        }
        None => Ok(one_line(object)),
    })
}
