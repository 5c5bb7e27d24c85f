//! The steps of one commit, as a machine that asks for requests and is given their answers. It
//! does nothing itself: whoever drives it makes the requests, again until each has an answer that
//! is certain, and a test drives it through every order of things.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::entry::{Digest, Entry, Id};
use super::row::{Row, Slot};
use crate::compression::Compression;

/// A request to the store. Each creates an object that is never written again, or reads one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Request {
    /// Claim a slot.
    CreateEntry(Slot, Entry),
    /// See who claimed a slot.
    ReadEntry(Slot),
    /// Store the events at these places of what is held.
    CreateData(Slot, Vec<usize>),
    /// See what became of a claim.
    ReadData(Slot),
    /// Give up a claim for whoever made it.
    CreateTombstone(Slot),
}

/// The certain answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Of a creation: it happened now.
    Created,
    /// Of a creation: something was there.
    Exists,
    /// Of a read: nothing is there.
    Nothing,
    /// Of the read of an entry.
    Entry(Entry),
    /// Of the read of data: events. Nobody but the writer of the claim puts them there.
    Data,
    /// Of the read of data: a tombstone.
    Tombstone,
}

/// What became of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Fate {
    /// It is durable by this commit.
    Stored,
    /// It was durable before, with the same bytes.
    Duplicate,
    /// Another event with the same id is durable.
    Conflict,
}

/// One commit under way: some events of one partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    held: Vec<(Id, Digest)>,
    fates: Vec<Option<Fate>>,
    /// Of the entries that were read once more, what they say of the events held.
    recalled: BTreeMap<Slot, BTreeMap<Id, Digest>>,
    nonce: u128,
    compression: Compression,
    next: Step,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// What the row does not know of yet is to be claimed.
    Decide,
    /// An entry may claim what is held.
    Recall(Slot),
    Claim(Vec<usize>),
    /// The claim met an entry: whose is it?
    Identify(Vec<usize>),
    Look(Slot),
    Fence(Slot),
    Write(Slot, Vec<usize>),
    /// The write met something: what is it?
    Verify(Slot, Vec<usize>),
    Done,
}

impl Commit {
    /// Starts a commit, whose data is to be compressed like this. The nonce must be new.
    pub(crate) fn new(held: Vec<(Id, Digest)>, nonce: u128, compression: Compression) -> Self {
        let fates = vec![None; held.len()];
        let recalled = BTreeMap::new();
        Self { held, fates, recalled, nonce, compression, next: Step::Decide }
    }

    /// The fates, one for each event held, once there is nothing more to ask.
    pub(crate) fn fates(&self) -> Option<Vec<Fate>> {
        match self.next {
            Step::Done => self.fates.iter().copied().collect(),
            _ => None,
        }
    }

    /// The next request; none once it is done.
    pub(crate) fn request(
        &mut self,
        row: &Row,
        now: Instant,
        patience: Duration,
    ) -> Option<Request> {
        if self.next == Step::Decide {
            self.next = self.decide(row, now, patience);
        }
        match &self.next {
            Step::Decide | Step::Done => None,
            Step::Recall(slot) => Some(Request::ReadEntry(*slot)),
            Step::Claim(places) => Some(Request::CreateEntry(row.head(), self.entry(places))),
            Step::Identify(_) => Some(Request::ReadEntry(row.head())),
            Step::Look(slot) | Step::Verify(slot, _) => Some(Request::ReadData(*slot)),
            Step::Fence(slot) => Some(Request::CreateTombstone(*slot)),
            Step::Write(slot, places) => Some(Request::CreateData(*slot, places.clone())),
        }
    }

    /// Whether it holds a claim and only has to store what it claimed.
    pub(crate) fn holds_a_claim(&self) -> bool {
        matches!(self.next, Step::Write(..) | Step::Verify(..))
    }

    /// Whether nothing else may move the head of the row before it has its answer.
    pub(crate) fn needs_the_head(&self) -> bool {
        !self.holds_a_claim() && !matches!(self.next, Step::Recall(_))
    }

    /// Whether it waits for another writer to settle its claim.
    pub(crate) fn waits(&self, answer: &Answer) -> bool {
        matches!((&self.next, answer), (Step::Look(_), Answer::Nothing))
    }

    /// Takes the answer to the request that was asked for last.
    pub(crate) fn answer(&mut self, row: &mut Row, answer: &Answer, now: Instant) {
        let next = std::mem::replace(&mut self.next, Step::Decide);
        self.next = match (next, answer) {
            (Step::Recall(slot), Answer::Entry(entry)) => {
                self.recall(slot, entry);
                Step::Decide
            }
            (Step::Claim(places), Answer::Created) => self.claimed(row, places, now),
            (Step::Claim(places), Answer::Exists) => Step::Identify(places),
            (Step::Identify(places), Answer::Entry(entry)) => {
                // Our own first try may have won, and its answer been lost.
                if entry.nonce == self.nonce {
                    self.claimed(row, places, now)
                } else {
                    row.read(entry, now);
                    Step::Decide
                }
            }
            (Step::Look(slot), Answer::Data) => {
                row.settled(slot);
                Step::Decide
            }
            (Step::Look(slot), Answer::Tombstone) | (Step::Fence(slot), Answer::Created) => {
                row.dead(slot);
                Step::Decide
            }
            // Whoever claimed it may still be at work: look again, later.
            (Step::Look(_), Answer::Nothing) => Step::Decide,
            (Step::Fence(slot), Answer::Exists) => Step::Look(slot),
            (Step::Write(slot, places), Answer::Created) => self.written(row, slot, &places),
            (Step::Write(slot, places), Answer::Exists) => Step::Verify(slot, places),
            (Step::Verify(slot, places), Answer::Data) => self.written(row, slot, &places),
            (Step::Verify(slot, _), Answer::Tombstone) => {
                // Someone took us for dead. Our claim is, and another must be told from it.
                row.dead(slot);
                self.nonce = self.nonce.wrapping_add(1);
                Step::Decide
            }
            // An answer that fits no protocol, such as an object that was there and is gone: ask
            // again what was asked.
            (same, _) => same,
        };
    }

    fn entry(&self, places: &[usize]) -> Entry {
        let events = places.iter().map(|&place| self.held[place]).collect();
        Entry { nonce: self.nonce, compression: self.compression, events }
    }

    fn recall(&mut self, slot: Slot, entry: &Entry) {
        let held: BTreeSet<Id> = self.held.iter().map(|&(id, _)| id).collect();
        let of_use = entry.events.iter().copied().filter(|(id, _)| held.contains(id));
        self.recalled.insert(slot, of_use.collect());
    }

    fn claimed(&mut self, row: &mut Row, places: Vec<usize>, now: Instant) -> Step {
        let (slot, entry) = (row.head(), self.entry(&places));
        row.read(&entry, now);
        self.recalled.insert(slot, entry.events.into_iter().collect());
        Step::Write(slot, places)
    }

    fn written(&mut self, row: &mut Row, slot: Slot, places: &[usize]) -> Step {
        row.settled(slot);
        for &place in places {
            self.fates[place] = Some(Fate::Stored);
        }
        // What is left are repetitions of what was just written.
        Step::Decide
    }

    /// First what has to be read, then what is new, since what others have claimed may take a while.
    fn decide(&mut self, row: &Row, now: Instant, patience: Duration) -> Step {
        let mut new = Vec::new();
        let mut claimed = None;
        for (place, &(id, digest)) in self.held.iter().enumerate() {
            if self.fates[place].is_some() {
                continue;
            }
            match self.look_up(row, id) {
                Known::New => new.push((id, place)),
                Known::Perhaps(slot) => return Step::Recall(slot),
                Known::Claimed(slot) => claimed = Some(slot),
                Known::Stored(there) if there == digest => {
                    self.fates[place] = Some(Fate::Duplicate);
                }
                Known::Stored(_) => self.fates[place] = Some(Fate::Conflict),
            }
        }
        if !new.is_empty() {
            // Of two with one id the first is stored, and the other looked up after that.
            new.sort_unstable();
            new.dedup_by_key(|(id, _)| *id);
            let mut places: Vec<_> = new.into_iter().map(|(_, place)| place).collect();
            places.sort_unstable();
            return Step::Claim(places);
        }
        match claimed {
            Some(slot) if row.is_overdue(slot, now, patience) => Step::Fence(slot),
            Some(slot) => Step::Look(slot),
            None => Step::Done,
        }
    }

    fn look_up(&self, row: &Row, id: Id) -> Known {
        for slot in row.claims(id) {
            let Some(recalled) = self.recalled.get(&slot) else {
                return Known::Perhaps(slot);
            };
            if let Some(&digest) = recalled.get(&id) {
                return if row.is_open(slot) {
                    Known::Claimed(slot)
                } else {
                    Known::Stored(digest)
                };
            }
        }
        Known::New
    }
}

/// What is known of one event.
enum Known {
    /// No entry claims it.
    New,
    /// This entry may claim it.
    Perhaps(Slot),
    /// This entry claims it, and whether that has its data is to be seen.
    Claimed(Slot),
    /// It is stored, with these bytes.
    Stored(Digest),
}
