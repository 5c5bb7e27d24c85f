//! What is written down during an audit.

use std::collections::{BTreeMap, BTreeSet};

use super::id::Id;
use super::report::{Finding, FindingKind, Stored};
use super::scope::Scope;
use crate::schema::Partition;

/// One event, as a reader finds it.
pub(super) struct Record {
    pub(super) id: Id,
    /// The identity.
    pub(super) name: String,
}

/// What one object shows.
#[derive(Default)]
pub(super) struct Seen {
    /// Of the object that has the records.
    pub(super) key: String,
    pub(super) records: Vec<Record>,
    pub(super) findings: Vec<Finding>,
}

impl Seen {
    pub(super) fn of(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    pub(super) fn found(&mut self, kind: FindingKind, what: impl Into<String>) {
        self.findings.push(Finding::new(kind, &*self.key, what));
    }
}

/// Counts all findings, and keeps the first of each kind.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) counts: BTreeMap<FindingKind, u64>,
    pub(super) listed: Vec<Finding>,
}

impl Findings {
    pub(super) fn add(&mut self, finding: Finding) {
        if self.count(finding.kind) <= Finding::LISTED as u64 {
            self.listed.push(finding);
        }
    }

    /// Counts a finding for each of these events; their places are to be found for the first of
    /// them.
    pub(super) fn want(
        &mut self,
        kind: FindingKind,
        ids: impl Iterator<Item = Id>,
        wanted: &mut BTreeSet<Id>,
    ) {
        for id in ids {
            if self.count(kind) <= Finding::LISTED as u64 {
                wanted.insert(id);
            }
        }
    }

    /// One more of a kind; answers how many there are.
    fn count(&mut self, kind: FindingKind) -> u64 {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        *count
    }
}

/// Who hears of what is seen, object by object.
pub(super) trait Listener {
    fn seen(&mut self, partition: &Partition, seen: Seen);
}

/// The first time: counts, and keeps of each record no more than its id.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) stored: Stored,
    /// One for each record, by partition.
    pub(super) ids: BTreeMap<Partition, Vec<Id>>,
    pub(super) findings: Findings,
}

impl Listener for Tally {
    fn seen(&mut self, partition: &Partition, seen: Seen) {
        self.stored.objects += u64::from(!seen.records.is_empty());
        self.stored.records += seen.records.len() as u64;
        if !seen.records.is_empty() {
            let ids = seen.records.iter().map(|record| record.id);
            match self.ids.get_mut(partition) {
                Some(there) => there.extend(ids),
                None => drop(self.ids.insert(partition.clone(), ids.collect())),
            }
        }
        seen.findings.into_iter().for_each(|finding| self.findings.add(finding));
    }
}

/// The second time, where there is something to name: where these events are.
#[derive(Default)]
pub(super) struct Places {
    pub(super) wanted: BTreeSet<Id>,
    pub(super) found: BTreeMap<Id, Place>,
}

#[derive(Default)]
pub(super) struct Place {
    /// The identity.
    pub(super) name: String,
    /// The keys of its records, by partition.
    pub(super) records: BTreeMap<Partition, Vec<String>>,
    /// Its keys in quarantine, and what is known of the event there.
    pub(super) quarantined: Vec<(String, Scope)>,
}

impl Places {
    /// The place of an event, if it is to be named.
    pub(super) fn of(&mut self, id: Id, name: String) -> Option<&mut Place> {
        let wanted = self.wanted.contains(&id);
        wanted.then(|| self.found.entry(id).or_insert_with(|| Place { name, ..Place::default() }))
    }
}

impl Listener for Places {
    fn seen(&mut self, partition: &Partition, seen: Seen) {
        for record in seen.records {
            if let Some(place) = self.of(record.id, record.name) {
                place.records.entry(partition.clone()).or_default().push(seen.key.clone());
            }
        }
    }
}
