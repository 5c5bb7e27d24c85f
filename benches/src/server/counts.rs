//! How often each API was called, and what became of the puts of each client.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Requests by the name of their API, such as `ReceiveMessage` or `PutObject`.
#[derive(Debug, Default)]
pub struct Counts {
    calls: Mutex<BTreeMap<&'static str, u64>>,
    puts: Mutex<BTreeMap<String, Puts>>,
}

/// What became of puts of data: of objects whose names do not begin with `_`, as a manifest's does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Puts {
    /// They made their object, or replaced it.
    pub written: u64,
    /// They lost to one that was there.
    pub lost: u64,
}

impl Counts {
    /// All so far.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        locked(&self.calls).clone()
    }

    /// The puts of each client, by the id of its access key.
    pub fn puts(&self) -> BTreeMap<String, Puts> {
        locked(&self.puts).clone()
    }

    pub(super) fn add(&self, api: &'static str) {
        *locked(&self.calls).entry(api).or_default() += 1;
    }

    pub(super) fn put(&self, access_key: &str, is_written: bool) {
        let mut puts = locked(&self.puts);
        let puts = puts.entry(access_key.to_owned()).or_default();
        *(if is_written { &mut puts.written } else { &mut puts.lost }) += 1;
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
