//! What is there, against what was sent.

use std::collections::BTreeSet;

use super::notes::{Findings, OpenClaim, Places};
use super::report::{Books, Finding, FindingKind};
use super::sent::{Sent, SentEvents};
use crate::dates::Dates;
use crate::ledger::Id;
use crate::queue::Depth;

/// The different events that are somewhere, each list in order and without repetitions.
pub(super) struct Accounts {
    pub(super) stored: Vec<Id>,
    /// In quarantine and not stored, of the days that are looked at.
    pub(super) aside: Vec<Id>,
    /// In quarantine, of other days.
    pub(super) beyond: Vec<Id>,
}

impl Accounts {
    pub(super) fn new(mut stored: Vec<Id>, mut aside: Vec<Id>, mut beyond: Vec<Id>) -> Self {
        for ids in [&mut stored, &mut aside, &mut beyond] {
            ids.sort_unstable();
            ids.dedup();
        }
        aside.retain(|id| stored.binary_search(id).is_err());
        Self { stored, aside, beyond }
    }

    pub(super) fn has(&self, id: Id) -> bool {
        // A message of no known day may have been put aside on another.
        let lists = [&self.stored, &self.aside, &self.beyond];
        lists.iter().any(|ids| ids.binary_search(&id).is_ok())
    }

    /// How many are missing of so many that were sent.
    pub(super) fn compare_count(&self, sent: u64, findings: &mut Findings) -> u64 {
        let there = (self.stored.len() + self.aside.len()) as u64;
        if there > sent {
            let what = format!("{there} events are stored or in quarantine, {sent} were sent");
            findings.add(Finding { kind: FindingKind::NeverSent, keys: Vec::new(), what });
        }
        sent.saturating_sub(there)
    }

    /// How many are missing of those that were sent. What is to be named of what was never sent
    /// goes to `wanted`.
    pub(super) fn compare(
        &self,
        sent: &SentEvents,
        dates: Dates,
        wanted: &mut BTreeSet<Id>,
        findings: &mut Findings,
    ) -> u64 {
        let mut missing = 0;
        for (_, name) in sent.on(dates).filter(|(id, _)| !self.has(*id)) {
            missing += 1;
            let what = format!("{name} was sent, and is neither stored nor in quarantine");
            findings.add(Finding { kind: FindingKind::Missing, keys: Vec::new(), what });
        }
        let there = self.stored.iter().chain(&self.aside);
        let never_sent = there.filter(|id| !sent.contains(**id));
        findings.want(FindingKind::NeverSent, never_sent.copied(), wanted);
        missing
    }

    pub(super) fn open_claim(&self, claim: &OpenClaim) -> Finding {
        let OpenClaim { key, ids, written, .. } = claim;
        let elsewhere = ids.iter().filter(|id| self.has(**id)).count();
        let what = format!(
            "of {} events claimed at {written}, {elsewhere} are stored or in quarantine; the data is \
             not there:",
            ids.len()
        );
        Finding::new(FindingKind::OpenClaim, &**key, what)
    }
}

/// The ids that stand more than once in this list, which is in order. Those to name go to `wanted`.
pub(super) fn duplicates(ids: &[Id], wanted: &mut BTreeSet<Id>, findings: &mut Findings) {
    let groups = ids.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
    findings.want(FindingKind::Duplicate, groups.map(|group| group[0]), wanted);
}

/// Names what was wanted, now that its places are known.
pub(super) fn name(places: Places, sent: &Sent, findings: &mut Findings) {
    for (id, place) in places.found {
        let keys = place.records;
        if keys.len() > 1 {
            let what = format!("{} is in {} records:", place.name, keys.len());
            let keys = keys.clone();
            findings.listed.push(Finding { kind: FindingKind::Duplicate, keys, what });
        }
        if matches!(sent, Sent::Events(sent) if !sent.contains(id)) {
            let what = format!("{} was never sent, and is in", place.name);
            let keys = keys.into_iter().chain(place.aside).collect();
            findings.listed.push(Finding { kind: FindingKind::NeverSent, keys, what });
        }
    }
}

/// Whether the books balance, with so many missing and so much on the queue and in its
/// dead-letter queue.
pub(super) fn verdict(faults: bool, missing: u64, queues: Option<(Depth, Depth)>) -> Books {
    let (queue, dead) = queues.map_or((0, 0), |(queue, dead)| (queue.total(), dead.total()));
    if faults {
        Books::Unbalanced
    } else if missing == 0 || (queue == 0 && missing == dead) {
        Books::Balanced
    } else if missing <= queue + dead {
        Books::Open
    } else {
        Books::Unbalanced
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_messages_prove_as_much_as_they_can() {
        let depth = |visible| Depth { visible, ..Depth::default() };
        let verdict =
            |missing, queue, dead| verdict(false, missing, Some((depth(queue), depth(dead))));
        assert_eq!(verdict(0, 5, 5), Books::Balanced);
        assert_eq!(verdict(3, 0, 3), Books::Balanced);
        assert_eq!(verdict(3, 1, 3), Books::Open);
        assert_eq!(verdict(3, 0, 4), Books::Open);
        assert_eq!(verdict(3, 3, 0), Books::Open);
        assert_eq!(verdict(3, 1, 1), Books::Unbalanced);
        assert_eq!(super::verdict(false, 0, None), Books::Balanced);
        assert_eq!(super::verdict(false, 1, None), Books::Unbalanced);
        assert_eq!(super::verdict(true, 0, Some((depth(9), depth(9)))), Books::Unbalanced);
    }
}
