//! The steps of one commit, as a machine that asks for requests and is given their answers. It
//! does nothing itself: the writer makes the requests, again until each has a certain answer, and
//! a test drives it through every order of events.

use std::collections::BTreeSet;

use super::index::{Fingerprint, Index, Slot};

/// What one process knows of a partition: every segment below the head, by its fingerprints.
#[derive(Clone, Debug, Default)]
pub(crate) struct KnownLog {
    head: Slot,
    index: Index,
}

impl KnownLog {
    /// The slot after the last segment that is known.
    pub(crate) fn head(&self) -> Slot {
        self.head
    }

    /// How many events are known.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    /// The segment at the head holds these.
    pub(crate) fn push(&mut self, fingerprints: impl IntoIterator<Item = Fingerprint>) {
        for fingerprint in fingerprints {
            self.index.insert(fingerprint, self.head);
        }
        self.head += 1;
    }

    #[cfg(test)]
    pub(super) fn slots(&self, fingerprint: Fingerprint) -> Vec<Slot> {
        self.index.slots(fingerprint).collect()
    }
}

/// A request to the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Request {
    /// Read the segment in a slot.
    Read(Slot),
    /// Create the segment in a slot with the pending events at these places.
    Create(Slot, Vec<usize>),
}

/// The certain answer to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Of a creation: it happened now.
    Created,
    /// Of a creation: the slot holds a segment, whoever wrote it.
    Exists,
    /// Of a read: the slot is empty.
    Nothing,
    /// Of a read: the segment, and those in the slots after it that were read with it.
    Segments(Vec<Segment>),
}

/// What a commit needs to know of a segment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Of all its lines.
    pub(crate) fingerprints: Vec<Fingerprint>,
    /// The pending events that it holds, each with whether its line has the same bytes.
    pub(crate) matches: Vec<(usize, bool)>,
}

/// What became of one pending event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum CommitOutcome {
    /// It is durable by this commit.
    Stored,
    /// It is durable with the same bytes: it was before, or by a put of this commit whose answer
    /// was lost.
    Duplicate,
    /// Another event with the same identity is durable.
    Conflict,
}

/// One commit under way: some events of one partition.
///
/// A segment is only ever put at the head of a log whose segments are all known, and with events
/// that are in none of them. So whichever put wins a slot, and however late, no event is in two:
/// the put of a slot that is taken changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pending: Vec<Fingerprint>,
    outcomes: Vec<Option<CommitOutcome>>,
    /// The slots whose lines were compared with what is pending.
    compared: BTreeSet<Slot>,
    step: Step,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// To be decided from what is known.
    Decide,
    /// A segment below the head may hold pending events.
    Compare(Slot),
    /// What is at the head? These places are in no segment below it.
    Probe(Vec<usize>),
    Create(Vec<usize>),
    /// The head was taken: by whose segment?
    ReadBack(Vec<usize>),
    Done,
}

impl Commit {
    /// Starts a commit of events with these fingerprints.
    pub(crate) fn new(pending: Vec<Fingerprint>) -> Self {
        let outcomes = vec![None; pending.len()];
        Self { pending, outcomes, compared: BTreeSet::new(), step: Step::Decide }
    }

    /// The outcomes, one for each pending event, once there is nothing more to ask.
    pub(crate) fn outcomes(&self) -> Option<Vec<CommitOutcome>> {
        match self.step {
            Step::Done => self.outcomes.iter().copied().collect(),
            _ => None,
        }
    }

    /// The next request; none once it is done.
    pub(crate) fn request(&mut self, known: &KnownLog) -> Option<Request> {
        if self.step == Step::Decide {
            self.step = self.decide(known);
        }
        match &self.step {
            Step::Decide | Step::Done => None,
            Step::Compare(slot) => Some(Request::Read(*slot)),
            Step::Probe(_) | Step::ReadBack(_) => Some(Request::Read(known.head())),
            Step::Create(places) => Some(Request::Create(known.head(), places.clone())),
        }
    }

    /// Whether the request is about the head, which nobody else of this process may move before
    /// its answer.
    pub(crate) fn needs_the_head(&self) -> bool {
        matches!(self.step, Step::Probe(_) | Step::Create(_) | Step::ReadBack(_))
    }

    /// Whether it is about to look what is at the head, which may wait.
    pub(crate) fn is_probe(&self) -> bool {
        matches!(self.step, Step::Probe(_))
    }

    /// Whether this answer contradicts what is known, so that the commit may go on only after a
    /// pause: a segment below the head is gone, or the head was taken and is empty.
    pub(crate) fn is_contradicted_by(&self, answer: &Answer) -> bool {
        matches!((&self.step, answer), (Step::Compare(_) | Step::ReadBack(_), Answer::Nothing))
    }

    /// Takes the answer to the request that was asked for last.
    pub(crate) fn answer(&mut self, known: &mut KnownLog, answer: Answer) {
        let step = std::mem::replace(&mut self.step, Step::Decide);
        self.step = match (step, answer) {
            (Step::Compare(slot), Answer::Segments(segments)) => {
                segments.iter().zip(slot..).for_each(|(segment, slot)| self.compare(slot, segment));
                Step::Decide
            }
            (Step::Probe(_) | Step::ReadBack(_), Answer::Segments(segments)) => {
                for segment in segments {
                    self.compare(known.head(), &segment);
                    known.push(segment.fingerprints);
                }
                Step::Decide
            }
            (Step::Probe(places), Answer::Nothing) => Step::Create(places),
            (Step::Create(places), Answer::Created) => {
                self.created(known, &places);
                Step::Decide
            }
            (Step::Create(places), Answer::Exists) => Step::ReadBack(places),
            // Contradicted. Others may have moved the head before this one goes on: it starts over
            // with what is known then, and puts nothing beyond a slot that is undecided.
            (Step::Compare(_) | Step::ReadBack(_), Answer::Nothing) => Step::Decide,
            // An answer that fits no request: ask again what was asked.
            (same, _) => same,
        };
    }

    fn compare(&mut self, slot: Slot, segment: &Segment) {
        self.compared.insert(slot);
        for &(place, same) in &segment.matches {
            let outcome = if same { CommitOutcome::Duplicate } else { CommitOutcome::Conflict };
            self.outcomes[place].get_or_insert(outcome);
        }
    }

    fn created(&mut self, known: &mut KnownLog, places: &[usize]) {
        known.push(places.iter().map(|&place| self.pending[place]));
        for &place in places {
            self.outcomes[place] = Some(CommitOutcome::Stored);
        }
    }

    /// First the segments that may hold what is pending, the oldest first; then the head.
    fn decide(&self, known: &KnownLog) -> Step {
        let open = || {
            let outcomes = self.pending.iter().zip(&self.outcomes).enumerate();
            outcomes.filter(|(_, (_, outcome))| outcome.is_none())
        };
        let perhaps = open().flat_map(|(_, (&fingerprint, _))| known.index.slots(fingerprint));
        if let Some(slot) = perhaps.filter(|slot| !self.compared.contains(slot)).min() {
            return Step::Compare(slot);
        }
        // Of events that look alike one is stored, and the others are compared with it after that.
        let mut new: Vec<_> =
            open().map(|(place, (&fingerprint, _))| (fingerprint, place)).collect();
        new.sort_unstable();
        new.dedup_by_key(|(fingerprint, _)| *fingerprint);
        let mut places: Vec<_> = new.into_iter().map(|(_, place)| place).collect();
        places.sort_unstable();
        if places.is_empty() { Step::Done } else { Step::Probe(places) }
    }
}
