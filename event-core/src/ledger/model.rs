//! Every order of things: the real commits of several writers on one partition, with crashes, lost
//! answers, requests that land late and messages that come again, over the whole state space.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::commit::{Answer, Commit, Fate, Request};
use super::entry::{Digest, Entry, Id};
use super::row::{Row, Slot};
use crate::compression::Compression;

/// What is explored: how many of each, and which mistake is made.
#[derive(Clone, Copy)]
struct Scope {
    writers: usize,
    ids: usize,
    crashes: u8,
    lost_answers: u8,
    /// Messages that come again, while they are held or after they were deleted.
    returns: u8,
    /// Most slots that are claimed: writers that fence one another could go on for ever.
    slots: usize,
    mistake: Option<Mistake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    AcknowledgesBeforeThePut,
    PutsUnconditionally,
    TakesExistsForSuccess,
    LeavesTheFenceOut,
    TrustsAnEntryWithoutItsData,
}

#[derive(Clone)]
struct World {
    /// Per slot: the entry, and the ids of its data, none of them for a tombstone.
    entries: BTreeMap<Slot, Entry>,
    data: BTreeMap<Slot, BTreeSet<Id>>,
    /// Copies of each message on the queue, visible.
    visible: BTreeMap<Id, u8>,
    deleted: BTreeSet<Id>,
    writers: Vec<Writer>,
    /// Requests of writers that crashed, which may still land.
    late: Vec<(Request, BTreeSet<Id>)>,
    crashes: u8,
    lost_answers: u8,
    returns: u8,
}

#[derive(Clone, Default)]
struct Writer {
    row: Row,
    held: Vec<Id>,
    commit: Option<Commit>,
}

type Key = String;

impl World {
    fn new(scope: &Scope) -> Self {
        Self {
            entries: BTreeMap::new(),
            data: BTreeMap::new(),
            visible: (0..scope.ids as u128).map(|id| (Id(id), 1)).collect(),
            deleted: BTreeSet::new(),
            writers: vec![Writer::default(); scope.writers],
            late: Vec::new(),
            crashes: scope.crashes,
            lost_answers: scope.lost_answers,
            returns: scope.returns,
        }
    }

    /// Equal for worlds that are.
    fn key(&self) -> Key {
        let writers: Vec<_> = self
            .writers
            .iter()
            .map(|writer| (writer.row.content(), &writer.held, &writer.commit))
            .collect();
        format!(
            "{:?}{:?}{:?}{:?}{writers:?}{:?}{}{}{}",
            self.entries,
            self.data,
            self.visible,
            self.deleted,
            self.late,
            self.crashes,
            self.lost_answers,
            self.returns
        )
    }

    /// What is wrong here, if anything is.
    fn fault(&self) -> Option<String> {
        for id in self.visible.keys() {
            let slots: Vec<_> = self
                .data
                .iter()
                .filter(|(_, ids)| ids.contains(id))
                .map(|(slot, _)| slot)
                .collect();
            if slots.len() > 1 {
                return Some(format!("{id:?} is stored in {slots:?}"));
            }
            if slots.is_empty() && self.deleted.contains(id) {
                return Some(format!("{id:?} is deleted and not stored"));
            }
        }
        None
    }

    /// Applies a request to the store.
    fn apply(&mut self, request: &Request, ids: &BTreeSet<Id>, mistake: Option<Mistake>) -> Answer {
        use Mistake::{LeavesTheFenceOut, PutsUnconditionally, TrustsAnEntryWithoutItsData};
        match request {
            Request::CreateEntry(slot, entry) => {
                if self.entries.contains_key(slot) && mistake != Some(PutsUnconditionally) {
                    return exists(mistake);
                }
                self.entries.insert(*slot, entry.clone());
                Answer::Created
            }
            Request::CreateData(slot, _) => self.create(*slot, ids.clone(), mistake),
            Request::CreateTombstone(_) if mistake == Some(LeavesTheFenceOut) => Answer::Created,
            Request::CreateTombstone(slot) => self.create(*slot, BTreeSet::new(), mistake),
            Request::ReadEntry(slot) => {
                self.entries.get(slot).cloned().map_or(Answer::Nothing, Answer::Entry)
            }
            Request::ReadData(slot) => match self.data.get(slot) {
                None if mistake == Some(TrustsAnEntryWithoutItsData) => Answer::Data,
                None => Answer::Nothing,
                Some(ids) if ids.is_empty() => Answer::Tombstone,
                Some(_) => Answer::Data,
            },
        }
    }

    fn create(&mut self, slot: Slot, ids: BTreeSet<Id>, mistake: Option<Mistake>) -> Answer {
        if self.data.contains_key(&slot) && mistake != Some(Mistake::PutsUnconditionally) {
            return exists(mistake);
        }
        self.data.insert(slot, ids);
        Answer::Created
    }

    /// Every world that may come next, each with what led there.
    fn next(&self, mistake: Option<Mistake>, now: Instant) -> Vec<(String, Self)> {
        let mut next = Vec::new();
        for writer in 0..self.writers.len() {
            self.steps_of(writer, mistake, now, &mut next);
        }
        for place in 0..self.late.len() {
            let mut world = self.clone();
            let (request, ids) = world.late.remove(place);
            world.apply(&request, &ids, mistake);
            next.push((format!("{request:?} lands late"), world));
        }
        if self.returns > 0 {
            for &id in self.visible.keys() {
                let mut world = self.clone();
                world.returns -= 1;
                world.visible.entry(id).and_modify(|copies| *copies += 1);
                next.push((format!("{id:?} comes again"), world));
            }
        }
        next
    }

    fn steps_of(
        &self,
        at: usize,
        mistake: Option<Mistake>,
        now: Instant,
        next: &mut Vec<(String, Self)>,
    ) {
        let writer = &self.writers[at];
        let mut push = |what: String, world: Self| next.push((format!("{at}: {what}"), world));
        if self.crashes > 0 && writer.commit.is_some() {
            for lands in [false, true] {
                let mut world = self.clone();
                world.crash(at, lands, now);
                push(format!("crashes, a request lands late: {lands}"), world);
            }
        }
        if writer.commit.is_none() {
            for (&id, &copies) in &self.visible {
                if copies > 0 && !writer.held.contains(&id) {
                    let mut world = self.clone();
                    world.visible.insert(id, copies - 1);
                    world.writers[at].held.push(id);
                    push(format!("receives {id:?}"), world);
                }
            }
            if !writer.held.is_empty() {
                let mut world = self.clone();
                world.start(at);
                push("starts a commit".to_owned(), world);
            }
            return;
        }
        // Whether a claim of another is old enough to be fenced is a matter of time: both.
        for patience in [Duration::ZERO, Duration::MAX] {
            for lost in [false, true] {
                if lost && self.lost_answers == 0 {
                    continue;
                }
                let mut world = self.clone();
                let what = world.step(at, patience, lost, mistake, now);
                push(what, world);
            }
        }
    }

    /// With a nonce that no entry has, nor any that may still land.
    fn start(&mut self, at: usize) {
        let late = self.late.iter().filter_map(|(request, _)| match request {
            Request::CreateEntry(_, entry) => Some(entry.nonce),
            _ => None,
        });
        let used: BTreeSet<_> =
            self.entries.values().map(|entry| entry.nonce).chain(late).collect();
        // Far apart, since a commit that is fenced counts on from its nonce.
        let nonces = (0..).map(|commit| (at as u128 * 100 + commit) * 100);
        let nonce =
            nonces.into_iter().find(|nonce| used.range(nonce..&(nonce + 100)).next().is_none());
        let writer = &mut self.writers[at];
        let held = writer.held.iter().map(|&id| (id, Digest(0))).collect();
        writer.commit = nonce.map(|nonce| Commit::new(held, nonce, Compression::None));
    }

    fn crash(&mut self, at: usize, lands: bool, now: Instant) {
        self.crashes -= 1;
        let crashed = std::mem::take(&mut self.writers[at]);
        for id in &crashed.held {
            self.visible.entry(*id).and_modify(|copies| *copies += 1);
        }
        if let (true, Some(mut commit)) = (lands, crashed.commit)
            && let Some(request) = commit.request(&crashed.row, now, Duration::ZERO)
        {
            let ids = stored_by(&request, &crashed.held);
            self.late.push((request, ids));
        }
    }

    fn step(
        &mut self,
        at: usize,
        patience: Duration,
        lost: bool,
        mistake: Option<Mistake>,
        now: Instant,
    ) -> String {
        let writer = &mut self.writers[at];
        let Some(commit) = &mut writer.commit else { return String::new() };
        let early = mistake == Some(Mistake::AcknowledgesBeforeThePut) && commit.holds_a_claim();
        let request = commit.request(&writer.row, now, patience).filter(|_| !early);
        let Some(request) = request else {
            self.settle(at);
            return "settles".to_owned();
        };
        let ids = stored_by(&request, &writer.held);
        let answer = self.apply(&request, &ids, mistake);
        if lost {
            self.lost_answers -= 1;
            return format!("{request:?}, and the answer is lost");
        }
        let writer = &mut self.writers[at];
        if let Some(commit) = &mut writer.commit {
            commit.answer(&mut writer.row, &answer, now);
        }
        format!("{request:?}: {answer:?}")
    }

    fn settle(&mut self, at: usize) {
        let writer = &mut self.writers[at];
        let Some(commit) = writer.commit.take() else { return };
        let held = std::mem::take(&mut writer.held);
        let fates = commit.fates().unwrap_or_else(|| vec![Fate::Stored; held.len()]);
        for (id, fate) in held.into_iter().zip(fates) {
            // Whatever it was, it is done.
            let (Fate::Stored | Fate::Duplicate | Fate::Conflict) = fate;
            self.deleted.insert(id);
        }
    }
}

fn exists(mistake: Option<Mistake>) -> Answer {
    match mistake {
        Some(Mistake::TakesExistsForSuccess) => Answer::Created,
        _ => Answer::Exists,
    }
}

fn stored_by(request: &Request, held: &[Id]) -> BTreeSet<Id> {
    match request {
        Request::CreateData(_, places) => places.iter().map(|&place| held[place]).collect(),
        _ => BTreeSet::new(),
    }
}

/// Explores everything; the number of worlds, or the shortest way to a fault.
fn explore(scope: Scope) -> Result<usize, (String, Vec<String>)> {
    let now = Instant::now();
    let start = World::new(&scope);
    let mut seen: HashSet<Key> = HashSet::from([start.key()]);
    // Each world with the way to it, by the place of the one before in this list.
    let mut ways: Vec<(usize, String)> = vec![(0, String::new())];
    let mut edge = vec![(0, start)];
    while !edge.is_empty() {
        let mut beyond = Vec::new();
        for (place, world) in edge {
            for (what, next) in world.next(scope.mistake, now) {
                if next.entries.len() > scope.slots || !seen.insert(next.key()) {
                    continue;
                }
                ways.push((place, what));
                if let Some(fault) = next.fault() {
                    return Err((fault, way_to(&ways)));
                }
                beyond.push((ways.len() - 1, next));
            }
        }
        edge = beyond;
    }
    Ok(seen.len())
}

fn way_to(ways: &[(usize, String)]) -> Vec<String> {
    let mut at = ways.len() - 1;
    let mut way = Vec::new();
    while at > 0 {
        way.push(ways[at].1.clone());
        at = ways[at].0;
    }
    way.reverse();
    way
}

const SCOPE: Scope =
    Scope { writers: 2, ids: 2, crashes: 0, lost_answers: 0, returns: 0, slots: 3, mistake: None };

fn holds(scope: Scope) {
    match explore(scope) {
        Ok(worlds) => assert!(worlds > 100, "{worlds} worlds are too few to show anything"),
        Err((fault, way)) => panic!("{fault}, after\n{}", way.join("\n")),
    }
}

#[test]
fn two_writers_and_two_ids_with_a_crash_lose_nothing_and_store_nothing_twice() {
    holds(Scope { crashes: 1, ..SCOPE });
}

#[test]
fn one_id_with_a_crash_and_a_lost_answer() {
    holds(Scope { ids: 1, crashes: 1, lost_answers: 1, ..SCOPE });
}

#[test]
fn one_id_with_a_message_that_comes_again_and_a_crash() {
    holds(Scope { ids: 1, returns: 1, crashes: 1, ..SCOPE });
}

#[test]
fn three_writers_and_one_id_with_a_message_that_comes_again() {
    holds(Scope { writers: 3, ids: 1, returns: 1, ..SCOPE });
}

#[test]
fn every_mistake_is_caught() {
    use Mistake::{
        AcknowledgesBeforeThePut, LeavesTheFenceOut, PutsUnconditionally, TakesExistsForSuccess,
        TrustsAnEntryWithoutItsData,
    };
    for mistake in [
        AcknowledgesBeforeThePut,
        PutsUnconditionally,
        TakesExistsForSuccess,
        LeavesTheFenceOut,
        TrustsAnEntryWithoutItsData,
    ] {
        let scope = Scope { crashes: 1, returns: 1, mistake: Some(mistake), ..SCOPE };
        let (_, way) = explore(scope).expect_err(&format!("{mistake:?} goes unnoticed"));
        assert!(way.len() <= 18, "{mistake:?} takes {} steps", way.len());
    }
}
