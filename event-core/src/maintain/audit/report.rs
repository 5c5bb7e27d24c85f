//! What an audit found.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use crate::maintain::dates::DateRange;

/// What an audit counted and found; as JSON, one object with these names.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct AuditReport {
    /// The days that were looked at.
    pub dates: DateRange,
    /// Whether the books balance.
    pub verdict: Verdict,
    /// Different events that were sent on these days; none if nobody said.
    pub expected: Option<u64>,
    /// What is stored.
    pub stored: Stored,
    /// What is in quarantine.
    pub quarantined: Quarantined,
    /// Messages in the dead-letter queue, of whatever day; none if the queue was not asked.
    pub dead_lettered: Option<u64>,
    /// Messages on the queue: visible, in flight and delayed, of whatever day; none if the queue
    /// was not asked.
    pub on_the_way: Option<u64>,
    /// Events that were sent, and are neither stored nor in quarantine.
    pub missing: u64,
    /// How many findings there are of each kind.
    pub counts: BTreeMap<FindingKind, u64>,
    /// The first [`Finding::LISTED`] of each kind.
    pub findings: Vec<Finding>,
}

/// What is stored, in both layouts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Stored {
    /// Partitions with an object, or with one that a compaction claimed.
    pub partitions: u64,
    /// Objects that hold events.
    pub objects: u64,
    /// Events, as a reader counts them.
    pub records: u64,
    /// Different events: one `request_id` in two partitions is two.
    pub events: u64,
    /// Objects that were merged for readers; their events are not counted again.
    pub compacted: u64,
}

/// What is in quarantine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Quarantined {
    /// Different events that are in quarantine and not stored.
    pub events: u64,
    /// Different messages by reason, whether or not the event is stored, too. One that is there on
    /// two days counts once.
    pub reasons: BTreeMap<String, u64>,
}

/// Whether the books balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Each event that was sent is stored or in quarantine; or the dead-letter queue holds as many
    /// messages as events are missing, and there is nothing on the way.
    Balanced,
    /// Events are missing, and the queues hold enough messages to have them all: to be seen once
    /// the queue is drained.
    Open,
    /// Events are lost, or there is a fault.
    Unbalanced,
    /// Nothing at all was found on these days, and nobody said that nothing was sent: the bucket,
    /// the prefix or the days may be others than those that are meant.
    Empty,
}

/// One fault, or one thing to know of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What sort of thing it is.
    pub kind: FindingKind,
    /// The keys of the objects that it is about; none for an event that is nowhere.
    pub keys: Vec<String>,
    /// What is found there.
    pub what: String,
}

impl Finding {
    /// How many of each kind are listed. All are counted.
    pub const LISTED: usize = 100;

    pub(super) fn new(kind: FindingKind, key: impl Into<String>, what: impl Into<String>) -> Self {
        Self { kind, keys: vec![key.into()], what: what.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.what.escape_debug())?;
        self.keys.iter().try_for_each(|key| write!(f, " {}", key.escape_debug()))
    }
}

/// The sorts of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FindingKind {
    /// Events that were sent, and are neither stored nor in quarantine.
    Missing,
    /// A record, or a quarantined message, of an event that was never sent.
    NeverSent,
    /// An event that is in more than one record of its partition.
    Duplicate,
    /// A `request_id` in more than one partition, of two days or types: each is an event of its
    /// own, and no fault.
    AlsoElsewhere,
    /// A segment, a claim of a compaction or a quarantined message that cannot be read, or is gone.
    Unreadable,
    /// Slots of a log without a segment, and segments after them; the same of claims.
    SlotGap,
    /// A merged object that does not hold the lines of the sources that its claim names.
    WrongData,
    /// A merged object that no claim names.
    Unclaimed,
    /// What is not an event, or not under the key of it.
    Foreign,
    /// A claim of a compaction without its object: the next compaction makes it.
    OpenClaim,
}

impl FindingKind {
    /// Whether it alone shows that the books do not balance. Missing events and open claims do
    /// not: they may be on the queue.
    pub fn is_fault(self) -> bool {
        !matches!(self, Self::Missing | Self::OpenClaim | Self::AlsoElsewhere)
    }
}

impl fmt::Display for FindingKind {
    /// The name as JSON has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
