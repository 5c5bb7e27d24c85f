//! What one process knows of the ledger of one partition. Pure: the time is an argument.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Digest, Entry, Id};
use crate::compression::Compression;

/// A place in the row of a partition's entries, and in that of its data.
pub(crate) type Slot = u64;

/// The entries of one partition, as far as this process has read them.
///
/// An id that stands in several entries counts by the last of them: whoever claimed it again had
/// seen that every claim before was dead.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// The first slot that was not read.
    head: Slot,
    ids: HashMap<Id, (Slot, Digest)>,
    /// Entries whose data was not seen.
    open: BTreeMap<Slot, Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    read: Instant,
    compression: Compression,
}

/// What a row says of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// No entry claims it.
    New,
    /// It is stored, with these bytes or with others.
    Stored { same: bool },
    /// An entry claims it, and whether that has its data is to be seen.
    Claimed(Slot),
}

impl Row {
    pub(crate) fn head(&self) -> Slot {
        self.head
    }

    /// The entry at the head was read.
    pub(crate) fn read(&mut self, entry: &Entry, now: Instant) {
        for &(id, digest) in &entry.events {
            self.ids.insert(id, (self.head, digest));
        }
        self.open.insert(self.head, Open { read: now, compression: entry.compression });
        self.head += 1;
    }

    /// The data of an entry is there.
    pub(crate) fn settled(&mut self, slot: Slot) {
        self.open.remove(&slot);
    }

    /// A tombstone stands where the data of an entry would be: what it claims is still to do.
    pub(crate) fn dead(&mut self, slot: Slot) {
        self.open.remove(&slot);
        self.ids.retain(|_, &mut (claimed, _)| claimed != slot);
    }

    pub(crate) fn look_up(&self, id: Id, digest: Digest) -> Known {
        match self.ids.get(&id) {
            None => Known::New,
            Some((slot, _)) if self.open.contains_key(slot) => Known::Claimed(*slot),
            Some((_, stored)) => Known::Stored { same: *stored == digest },
        }
    }

    /// Whether an entry has been without data for so long that its writer is given up.
    pub(crate) fn is_overdue(&self, slot: Slot, now: Instant, patience: Duration) -> bool {
        let open = self.open.get(&slot);
        open.is_some_and(|open| now.saturating_duration_since(open.read) >= patience)
    }

    /// How the data of an entry is compressed, as long as that was not seen.
    pub(crate) fn compression(&self, slot: Slot) -> Compression {
        self.open.get(&slot).map(|open| open.compression).unwrap_or_default()
    }

    /// Everything in it, in an order that does not depend on chance.
    #[cfg(test)]
    pub(super) fn content(&self) -> (Slot, BTreeMap<Id, (Slot, Digest)>, Vec<Slot>) {
        let ids = self.ids.iter().map(|(&id, &claim)| (id, claim)).collect();
        (self.head, ids, self.open.keys().copied().collect())
    }
}
