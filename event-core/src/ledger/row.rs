//! What one process knows of the ledger of one partition. Pure: the time is an argument.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Entry, Id};
use crate::compression::Compression;

/// A place in the row of a partition's entries, and in that of its data.
pub(crate) type Slot = u32;

/// The entries of one partition, as far as this process has read them.
///
/// Of each id it has the first five bytes and the slot, some 15 bytes in all. So it can say for
/// certain that an id is in no entry; where one may be, that entry tells. One of ten thousand new
/// ids is looked for in vain in a partition of a hundred million.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// The first slot that was not read.
    head: Slot,
    /// The last slot with an id that starts so. As bytes, since aligned ones would take half as
    /// much again.
    last: HashMap<Start, [u8; 4]>,
    /// All slots before that, for the few starts that have some.
    earlier: HashMap<Start, Vec<Slot>>,
    /// Entries whose data was not seen.
    open: BTreeMap<Slot, Open>,
    /// Entries with a tombstone: what they claim is still to do.
    dead: BTreeSet<Slot>,
}

type Start = [u8; 5];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Open {
    read: Instant,
    compression: Compression,
}

impl Row {
    pub(crate) fn head(&self) -> Slot {
        self.head
    }

    /// How many ids are in its entries.
    pub(crate) fn ids(&self) -> usize {
        self.last.len()
    }

    /// The entry at the head was read.
    pub(crate) fn read(&mut self, entry: &Entry, now: Instant) {
        let slot = self.head;
        for (id, _) in &entry.events {
            let start = start(*id);
            if let Some(before) = self.last.insert(start, slot.to_be_bytes()) {
                self.earlier.entry(start).or_default().push(Slot::from_be_bytes(before));
            }
        }
        self.open.insert(slot, Open { read: now, compression: entry.compression });
        self.head += 1;
    }

    /// The data of an entry is there.
    pub(crate) fn settled(&mut self, slot: Slot) {
        self.open.remove(&slot);
    }

    /// A tombstone stands where the data of an entry would be.
    pub(crate) fn dead(&mut self, slot: Slot) {
        self.open.remove(&slot);
        self.dead.insert(slot);
    }

    /// The entries that may claim an id, but for dead ones, the last first. If it stands in several,
    /// the last counts: whoever claimed it again had seen that every claim before was dead.
    pub(crate) fn claims(&self, id: Id) -> impl Iterator<Item = Slot> {
        let start = start(id);
        let last = self.last.get(&start).map(|&last| Slot::from_be_bytes(last));
        let earlier = self.earlier.get(&start).into_iter().flatten().rev().copied();
        last.into_iter().chain(earlier).filter(|slot| !self.dead.contains(slot))
    }

    /// Whether the data of an entry was not seen.
    pub(crate) fn is_open(&self, slot: Slot) -> bool {
        self.open.contains_key(&slot)
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
    pub(super) fn content(&self) -> impl std::fmt::Debug {
        let ordered = |start: &Start| (*start, self.last[start], self.earlier.get(start));
        let starts: BTreeSet<_> = self.last.keys().map(ordered).collect();
        (self.head, starts, self.open.keys().copied().collect::<Vec<_>>(), &self.dead)
    }
}

fn start(id: Id) -> Start {
    let [a, b, c, d, e, ..] = id.0.to_be_bytes();
    [a, b, c, d, e]
}

#[cfg(test)]
mod tests {
    use super::super::entry::Digest;
    use super::*;

    fn read(row: &mut Row, ids: &[u128]) {
        let events = ids.iter().map(|&id| (Id(id), Digest(0))).collect();
        let entry = Entry { nonce: 0, compression: Compression::None, events };
        row.read(&entry, Instant::now());
    }

    #[test]
    fn every_entry_that_may_claim_an_id_is_told_the_last_first() {
        let mut row = Row::default();
        // The first two start alike.
        let [a, like_a, b] = [1, 2, 1 << 90];
        read(&mut row, &[a, b]);
        read(&mut row, &[b]);
        read(&mut row, &[like_a]);
        let claims = |row: &Row, id| row.claims(Id(id)).collect::<Vec<_>>();
        assert_eq!([claims(&row, a), claims(&row, like_a)], [[2, 0], [2, 0]]);
        assert_eq!(claims(&row, b), [1, 0]);
        assert!(claims(&row, 1 << 91).is_empty());
        row.dead(1);
        assert_eq!(claims(&row, b), [0]);
        assert!(row.is_open(0) && !row.is_open(1));
    }
}
