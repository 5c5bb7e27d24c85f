//! Every order of events: the real commits of several writers on one partition, with crashes, lost
//! answers, puts that land late and messages that come again, over the whole state space.

mod explore;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use super::commit::{Answer, Commit, CommitOutcome, KnownLog, Request, Segment};
use super::index::{Fingerprint, Slot};

/// A message: the event in it, and which bytes of that event it has.
type Message = (u8, u8);

/// What is explored: how many of each, and which mistake is made.
#[derive(Clone, Debug)]
struct Scope {
    writers: usize,
    /// Commits that one process may have under way at once.
    lanes: usize,
    /// One message each, on the queue at the start; two of one event with other bytes are a
    /// conflict.
    messages: Vec<Message>,
    crashes: u8,
    lost_answers: u8,
    /// Messages that come again, while they are held or after they were deleted.
    returns: u8,
    /// Whether all events have the same fingerprint.
    alike: bool,
    mistake: Option<Mistake>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    AcknowledgesBeforeThePut,
    PutsUnconditionally,
    TakesExistsForSuccess,
    StartsAtTheEnd,
    LeavesTheReadOutAfterALoss,
    TakesALikelyMatchForOne,
    SharesTheHead,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    segments: BTreeMap<Slot, Vec<Message>>,
    /// Copies of each message on the queue, visible.
    visible: BTreeMap<Message, u8>,
    deleted: BTreeSet<Message>,
    quarantined: BTreeSet<Message>,
    writers: Vec<Writer>,
    /// Puts whose writer crashed or got no answer, which may still land.
    late: Vec<(Slot, Vec<Message>)>,
    crashes: u8,
    lost_answers: u8,
    returns: u8,
}

/// What a process is and knows. A writer that crashes starts anew, without knowing anything.
#[derive(Clone, Debug, Default)]
struct Writer {
    known: KnownLog,
    /// How many segments a listing had, until all of them are read.
    listed: Option<Slot>,
    is_loaded: bool,
    lanes: Vec<Lane>,
}

/// A batch and its commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Lane {
    pending: Vec<Message>,
    commit: Option<Commit>,
}

impl Writer {
    fn new(lanes: usize) -> Self {
        Self { lanes: vec![Lane::default(); lanes], ..Self::default() }
    }

    fn key(&self) -> impl Hash + PartialEq + '_ {
        let known = [0, 1, 2].map(|event: u64| self.known.slots(Fingerprint(event << 40)));
        let lanes: Vec<_> =
            self.lanes.iter().map(|lane| (&lane.pending, format!("{:?}", lane.commit))).collect();
        (self.known.head(), known, self.listed, self.is_loaded, lanes)
    }

    /// Whether a commit other than this one holds the head.
    fn head_is_held_from(&self, lane: usize) -> bool {
        let commits = self.lanes.iter().map(|lane| lane.commit.as_ref());
        commits
            .enumerate()
            .any(|(other, commit)| other != lane && commit.is_some_and(Commit::needs_the_head))
    }
}

impl PartialEq for Writer {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Writer {}
impl Hash for Writer {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl Scope {
    fn fingerprint(&self, (event, _): Message) -> Fingerprint {
        Fingerprint(if self.alike { 0 } else { u64::from(event) << 40 })
    }

    fn start(&self) -> World {
        World {
            segments: BTreeMap::new(),
            visible: self.messages.iter().map(|&message| (message, 1)).collect(),
            deleted: BTreeSet::new(),
            quarantined: BTreeSet::new(),
            writers: vec![Writer::new(self.lanes); self.writers],
            late: Vec::new(),
            crashes: self.crashes,
            lost_answers: self.lost_answers,
            returns: self.returns,
        }
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }
}

impl World {
    /// What is wrong here, if anything is.
    fn fault(&self) -> Option<String> {
        let mut places = BTreeMap::<u8, Vec<Slot>>::new();
        for (&slot, lines) in &self.segments {
            lines.iter().for_each(|&(event, _)| places.entry(event).or_default().push(slot));
        }
        if let Some((event, slots)) = places.iter().find(|(_, slots)| slots.len() > 1) {
            return Some(format!("event {event} is stored in {slots:?}"));
        }
        for message in &self.deleted {
            let all = self.segments.values();
            let stored = all.flatten().any(|line| line == message);
            if !stored && !self.quarantined.contains(message) {
                return Some(format!("{message:?} is deleted, and neither stored nor quarantined"));
            }
        }
        for &(event, bytes) in &self.quarantined {
            let mut all = self.segments.values().flatten();
            if !all.any(|&(stored, other)| stored == event && other != bytes) {
                return Some(format!("{:?} is quarantined without a conflict", (event, bytes)));
            }
        }
        None
    }

    fn put(&mut self, slot: Slot, lines: &[Message], scope: &Scope) -> Answer {
        if self.segments.contains_key(&slot) {
            if scope.is(Mistake::TakesExistsForSuccess) {
                return Answer::Created;
            }
            if !scope.is(Mistake::PutsUnconditionally) {
                return Answer::Exists;
            }
        }
        self.segments.insert(slot, lines.to_vec());
        Answer::Created
    }

    fn get(&self, slot: Slot, pending: &[Message], scope: &Scope) -> Answer {
        let Some(lines) = self.segments.get(&slot) else { return Answer::Nothing };
        let mut matches = Vec::new();
        for (place, &message) in pending.iter().enumerate() {
            let of_event = lines.iter().find(|line| {
                line.0 == message.0
                    || scope.is(Mistake::TakesALikelyMatchForOne)
                        && scope.fingerprint(**line) == scope.fingerprint(message)
            });
            let same =
                |&line: &Message| line == message || scope.is(Mistake::TakesALikelyMatchForOne);
            matches.extend(of_event.map(|line| (place, same(line))));
        }
        let fingerprints = lines.iter().map(|&line| scope.fingerprint(line)).collect();
        Answer::Segments(vec![Segment { fingerprints, matches }])
    }

    /// Every world that may come next, each with what led there.
    fn next(&self, scope: &Scope) -> Vec<(String, Self)> {
        let mut next = Vec::new();
        for at in 0..self.writers.len() {
            self.steps_of(at, scope, &mut next);
        }
        for place in 0..self.late.len() {
            let mut world = self.clone();
            let (slot, lines) = world.late.remove(place);
            world.put(slot, &lines, scope);
            next.push((format!("the put of {lines:?} in {slot} lands late"), world));
        }
        if self.returns > 0 {
            for &message in self.visible.keys() {
                let mut world = self.clone();
                world.returns -= 1;
                *world.visible.entry(message).or_default() += 1;
                next.push((format!("{message:?} comes again"), world));
            }
        }
        next
    }

    fn steps_of(&self, at: usize, scope: &Scope, next: &mut Vec<(String, Self)>) {
        let writer = &self.writers[at];
        let mut push = |what: String, world: Self| next.push((format!("{at}: {what}"), world));
        let is_busy = writer.lanes.iter().any(|lane| !lane.pending.is_empty());
        if self.crashes > 0 && is_busy {
            for lands in [false, true] {
                let mut world = self.clone();
                world.crash(at, lands);
                push(format!("crashes, its puts land late: {lands}"), world);
            }
        }
        if is_busy && !writer.is_loaded {
            let mut world = self.clone();
            let what = world.load(at, scope);
            push(what, world);
        }
        for (lane, Lane { pending, commit }) in writer.lanes.iter().enumerate() {
            if commit.is_some() {
                let mut world = self.clone();
                if let Some(what) = world.step(at, lane, scope) {
                    push(what, world);
                }
                if let Some(world) = self.without_an_answer(at, lane) {
                    push("a put gets no answer and may land later".to_owned(), world);
                }
                continue;
            }
            for (&message, &copies) in &self.visible {
                if copies > 0 && !pending.contains(&message) {
                    let mut world = self.clone();
                    world.visible.insert(message, copies - 1);
                    world.writers[at].lanes[lane].pending.push(message);
                    push(format!("receives {message:?}"), world);
                }
            }
            if !pending.is_empty() && writer.is_loaded {
                let mut world = self.clone();
                let pending = pending.iter().map(|&message| scope.fingerprint(message)).collect();
                world.writers[at].lanes[lane].commit = Some(Commit::new(pending));
                push("starts a commit".to_owned(), world);
            }
        }
    }

    /// Lists the partition, or reads the next segment that was listed; the log may grow meanwhile.
    /// One who finds a gap waits for ever.
    fn load(&mut self, at: usize, scope: &Scope) -> String {
        let there = self.segments.len() as Slot;
        let writer = &mut self.writers[at];
        let Some(listed) = writer.listed else {
            let is_whole = self.segments.keys().copied().eq(0..there);
            writer.listed = is_whole.then_some(there);
            writer.is_loaded = is_whole && there == 0;
            return format!("lists {there}");
        };
        let head = writer.known.head();
        if let Some(lines) = self.segments.get(&head) {
            let lines = lines.iter().filter(|_| !scope.is(Mistake::StartsAtTheEnd));
            writer.known.push(lines.map(|&line| scope.fingerprint(line)));
            writer.is_loaded = head + 1 == listed;
        }
        format!("reads {head} of {listed}")
    }

    fn crash(&mut self, at: usize, lands: bool) {
        self.crashes -= 1;
        let puts = (0..self.writers[at].lanes.len()).filter_map(|lane| self.put_of(at, lane));
        let puts: Vec<_> = puts.filter(|_| lands).collect();
        self.late.extend(puts);
        let lanes = self.writers[at].lanes.len();
        let crashed = std::mem::replace(&mut self.writers[at], Writer::new(lanes));
        for message in crashed.lanes.into_iter().flat_map(|lane| lane.pending) {
            *self.visible.entry(message).or_default() += 1;
        }
    }

    /// What a commit is about to put.
    fn put_of(&self, at: usize, lane: usize) -> Option<(Slot, Vec<Message>)> {
        let writer = &self.writers[at];
        let mut commit = writer.lanes[lane].commit.clone()?;
        match commit.request(&writer.known)? {
            Request::Create(slot, places) => {
                let pending = &writer.lanes[lane].pending;
                Some((slot, places.iter().map(|&place| pending[place]).collect()))
            }
            Request::Read(_) => None,
        }
    }

    /// A put is on its way for longer than anybody waits; the writer asks again.
    fn without_an_answer(&self, at: usize, lane: usize) -> Option<Self> {
        let put = self.put_of(at, lane).filter(|_| self.lost_answers > 0)?;
        let mut world = self.clone();
        world.lost_answers -= 1;
        world.late.push(put);
        Some(world)
    }

    /// The next step of a commit; none if it waits for another to leave the head.
    fn step(&mut self, at: usize, lane: usize, scope: &Scope) -> Option<String> {
        let held = self.writers[at].head_is_held_from(lane) && !scope.is(Mistake::SharesTheHead);
        let mut writer = std::mem::take(&mut self.writers[at]);
        let Lane { pending, commit } = &mut writer.lanes[lane];
        let (machine, known) = (commit.as_mut()?, &mut writer.known);
        let request = machine.request(known);
        if held && (machine.needs_the_head() || request.is_none()) {
            return None;
        }
        let early = scope.is(Mistake::AcknowledgesBeforeThePut)
            && matches!(request, Some(Request::Create(..)));
        let what = match request.filter(|_| !early) {
            None => {
                let outcomes = machine.outcomes();
                *commit = None;
                self.settle(std::mem::take(pending), outcomes);
                "settles".to_owned()
            }
            Some(Request::Read(slot)) => {
                let answer = self.get(slot, pending, scope);
                let what = format!("reads {slot}: {answer:?}");
                machine.answer(known, answer);
                what
            }
            Some(Request::Create(slot, places)) => {
                let lines: Vec<_> = places.iter().map(|&place| pending[place]).collect();
                let answer = self.put(slot, &lines, scope);
                let what = format!("puts {lines:?} in {slot}: {answer:?}");
                if answer == Answer::Exists && scope.is(Mistake::LeavesTheReadOutAfterALoss) {
                    known.push([]);
                } else {
                    machine.answer(known, answer);
                }
                what
            }
        };
        self.writers[at] = writer;
        Some(what)
    }

    fn settle(&mut self, pending: Vec<Message>, outcomes: Option<Vec<CommitOutcome>>) {
        let outcomes = outcomes.unwrap_or_else(|| vec![CommitOutcome::Stored; pending.len()]);
        for (message, outcome) in pending.into_iter().zip(outcomes) {
            if outcome == CommitOutcome::Conflict {
                self.quarantined.insert(message);
            }
            self.deleted.insert(message);
        }
    }

    fn digest(&self) -> u128 {
        let half = |salt: u64| {
            let mut hash = DefaultHasher::new();
            salt.hash(&mut hash);
            self.hash(&mut hash);
            u128::from(hash.finish())
        };
        half(1) << 64 | half(2)
    }
}
