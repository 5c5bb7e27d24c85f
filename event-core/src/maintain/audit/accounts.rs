//! What is there, against what was sent.

use std::collections::{BTreeMap, BTreeSet};

use super::expected::{Expected, ExpectedEvents};
use super::id::Id;
use super::notes::{Findings, Places};
use super::report::{Finding, FindingKind, Verdict};
use super::scope::Scope;
use crate::maintain::dates::DateRange;
use crate::queue::Depth;
use crate::schema::Partition;

/// The different events that are somewhere: one identity in two partitions is two events.
pub(super) struct Accounts {
    /// Those of each partition, in order.
    partitions: Vec<(Scope, Vec<Id>)>,
    /// All ids that are stored, in order; as often as they are in partitions.
    stored: Vec<Id>,
    /// In quarantine and not stored, of the days that are looked at.
    pub(super) only_quarantined: BTreeSet<(Id, Scope)>,
    /// In quarantine, on whatever day.
    quarantined: BTreeSet<(Id, Scope)>,
}

impl Accounts {
    /// Of these records, by partition, and of these messages in quarantine. What is to be named of
    /// what is found goes to `wanted`.
    pub(super) fn new(
        records: BTreeMap<Partition, Vec<Id>>,
        on_days: Vec<(Id, Scope)>,
        beyond: Vec<(Id, Scope)>,
        wanted: &mut BTreeSet<Id>,
        findings: &mut Findings,
    ) -> Self {
        let mut stored = Vec::new();
        let records = records.into_iter().map(|(partition, ids)| (Scope::from(&partition), ids));
        let partitions: Vec<_> = records
            .map(|(scope, mut ids)| {
                ids.sort_unstable();
                let twice = ids.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
                findings.want(FindingKind::Duplicate, twice.map(|group| group[0]), wanted);
                ids.dedup();
                stored.extend_from_slice(&ids);
                (scope, ids)
            })
            .collect();
        stored.sort_unstable();
        let elsewhere = stored.chunk_by(|a, b| a == b).filter(|group| group.len() > 1);
        findings.want(FindingKind::AlsoElsewhere, elsewhere.map(|group| group[0]), wanted);
        let mut accounts = Self {
            partitions,
            stored,
            only_quarantined: events(&on_days),
            quarantined: on_days.into_iter().chain(beyond).collect(),
        };
        let mut only_quarantined = std::mem::take(&mut accounts.only_quarantined);
        only_quarantined.retain(|&(id, scope)| !accounts.is_stored(id, scope));
        Self { only_quarantined, ..accounts }
    }

    /// How many different events are stored.
    pub(super) fn stored(&self) -> u64 {
        self.stored.len() as u64
    }

    fn is_stored(&self, id: Id, scope: Scope) -> bool {
        if scope == Scope::default() {
            return self.stored.binary_search(&id).is_ok();
        }
        let mut those = self.partitions.iter().filter(|(of, _)| of.agrees(scope));
        those.any(|(_, ids)| ids.binary_search(&id).is_ok())
    }

    /// Whether the event is stored or in quarantine. A message of no known day may have been
    /// quarantined on another.
    pub(super) fn has(&self, id: Id, scope: Scope) -> bool {
        let those = self.quarantined.range((id, Scope::default())..);
        let mut those = those.take_while(|(other, _)| *other == id);
        self.is_stored(id, scope) || those.any(|(_, of)| of.agrees(scope))
    }

    /// How many are missing of so many that were sent.
    pub(super) fn compare_count(&self, sent: u64, findings: &mut Findings) -> u64 {
        let there = self.stored() + self.only_quarantined.len() as u64;
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
        sent: &ExpectedEvents,
        dates: DateRange,
        wanted: &mut BTreeSet<Id>,
        findings: &mut Findings,
    ) -> u64 {
        let mut missing = 0;
        for (_, _, name) in sent.on(dates).filter(|(id, scope, _)| !self.has(*id, *scope)) {
            missing += 1;
            let what = format!("{name} was sent, and is neither stored nor in quarantine");
            findings.add(Finding { kind: FindingKind::Missing, keys: Vec::new(), what });
        }
        let stored = self.partitions.iter().flat_map(|(of, ids)| ids.iter().map(|id| (*id, *of)));
        let there = stored.chain(self.only_quarantined.iter().copied());
        let never_sent = there.filter(|(id, scope)| !sent.contains(*id, *scope));
        findings.want(FindingKind::NeverSent, never_sent.map(|(id, _)| id), wanted);
        missing
    }
}

/// Each event once: of one identity, what says less of an event is no other.
fn events(quarantined: &[(Id, Scope)]) -> BTreeSet<(Id, Scope)> {
    let mut by_id: BTreeMap<Id, BTreeSet<Scope>> = BTreeMap::new();
    quarantined.iter().for_each(|&(id, scope)| scope.add_to(by_id.entry(id).or_default()));
    let each = |(id, scopes): (Id, BTreeSet<Scope>)| scopes.into_iter().map(move |of| (id, of));
    by_id.into_iter().flat_map(each).collect()
}

/// Names what was wanted, now that its places are known.
pub(super) fn name(places: Places, sent: &Expected, findings: &mut Findings) {
    for (id, place) in places.found {
        let name = place.name;
        let mut list = |kind, keys: Vec<String>, what| {
            findings.listed.push(Finding { kind, keys, what });
        };
        for keys in place.records.values().filter(|keys| keys.len() > 1) {
            let what = format!("{name} is in {} records of one partition:", keys.len());
            list(FindingKind::Duplicate, keys.clone(), what);
        }
        if place.records.len() > 1 {
            let keys = place.records.values().flatten().cloned().collect();
            let what = format!("{name} is an event in each of {} partitions:", place.records.len());
            list(FindingKind::AlsoElsewhere, keys, what);
        }
        if let Expected::Events(sent) = sent {
            let records = place.records.into_iter().flat_map(|(partition, keys)| {
                let scope = Scope::from(&partition);
                keys.into_iter().map(move |key| (key, scope))
            });
            let never_sent =
                records.chain(place.quarantined).filter(|(_, scope)| !sent.contains(id, *scope));
            let keys: Vec<_> = never_sent.map(|(key, _)| key).collect();
            if !keys.is_empty() {
                list(FindingKind::NeverSent, keys, format!("{name} was never sent, and is in"));
            }
        }
    }
}

/// Whether the books balance, with so many missing and so much on the queue and in its
/// dead-letter queue; `empty` if nothing at all was found and nobody said that nothing was sent.
pub(super) fn verdict(
    faults: bool,
    empty: bool,
    missing: u64,
    queues: Option<(Depth, Depth)>,
) -> Verdict {
    let (queue, dead) = queues.map_or((0, 0), |(queue, dead)| (queue.total(), dead.total()));
    if faults {
        Verdict::Unbalanced
    } else if empty && missing == 0 {
        Verdict::Empty
    } else if missing == 0 || (queue == 0 && missing == dead) {
        Verdict::Balanced
    } else if missing <= queue + dead {
        Verdict::Open
    } else {
        Verdict::Unbalanced
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::schema::PartitionBy;

    /// Whatever is known of the one and of the other.
    #[test]
    fn what_is_in_quarantine_is_found_by_whatever_may_be_the_same_event() {
        let day = |day| Scope { day: Some(date(2026, 11, day)), ..Scope::default() };
        let of = |kind, day| {
            let time = date(2026, 11, day).at(1, 2, 3, 4);
            Scope::from(&Partition::new(Some(kind), time, PartitionBy::Day))
        };
        let mut scopes = vec![Scope::default()];
        scopes.extend([22, 23].map(day));
        scopes.extend([("sale", 22), ("stock", 22), ("sale", 23)].map(|(kind, day)| of(kind, day)));
        let id = Id::of("r1");
        for &quarantined in &scopes {
            for beyond in [false, true] {
                let there = vec![(id, quarantined)];
                let (on_days, beyond) =
                    if beyond { (Vec::new(), there) } else { (there, Vec::new()) };
                let (mut wanted, mut findings) = (BTreeSet::new(), Findings::default());
                let records = BTreeMap::new();
                let accounts = Accounts::new(records, on_days, beyond, &mut wanted, &mut findings);
                for &sent in &scopes {
                    let agrees = quarantined.agrees(sent);
                    assert_eq!(accounts.has(id, sent), agrees, "{quarantined:?} {sent:?}");
                }
                assert!(!accounts.has(Id::of("r2"), quarantined));
            }
        }
    }

    #[test]
    fn counts_of_messages_prove_as_much_as_they_can() {
        let depth = |visible| Depth { visible, ..Depth::default() };
        let verdict = |missing, queue, dead| {
            verdict(false, false, missing, Some((depth(queue), depth(dead))))
        };
        assert_eq!(verdict(0, 5, 5), Verdict::Balanced);
        assert_eq!(verdict(3, 0, 3), Verdict::Balanced);
        assert_eq!(verdict(3, 1, 3), Verdict::Open);
        assert_eq!(verdict(3, 0, 4), Verdict::Open);
        assert_eq!(verdict(3, 3, 0), Verdict::Open);
        assert_eq!(verdict(3, 1, 1), Verdict::Unbalanced);
        assert_eq!(verdict(4, 2, 2), Verdict::Open);
        assert_eq!(verdict(5, 2, 2), Verdict::Unbalanced);
        assert_eq!(super::verdict(false, false, 0, None), Verdict::Balanced);
        assert_eq!(super::verdict(false, false, 1, None), Verdict::Unbalanced);
        let queues = Some((depth(9), depth(9)));
        assert_eq!(super::verdict(true, false, 0, queues), Verdict::Unbalanced);
        assert_eq!(super::verdict(false, true, 0, queues), Verdict::Empty);
        assert_eq!(super::verdict(false, true, 1, None), Verdict::Unbalanced);
    }
}
