//! The audit: is everything that was sent where it should be, once?

mod accounts;
mod compacted;
mod expected;
mod id;
mod notes;
mod partition;
mod quarantine;
mod report;
mod scope;
mod slots;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::error::Result;
use crate::layout::Layout;
use crate::maintain::dates::DateRange;
use crate::maintain::partitions::each_partition;
use crate::maintain::retrying::RetryingStore;
use crate::queue::Depth;
use crate::retry::Retry;
use crate::schema::{Partition, Schema};
use crate::shutdown::Shutdown;
use crate::store::ObjectStore;
use accounts::{Accounts, name, verdict};
use compacted::Merged;
use id::Id;
use notes::{Findings, Places, Tally};
use partition::Objects;
use quarantine::{QuarantinedMessage, read_quarantine};
use scope::Scope;

pub use expected::{Expected, ExpectedEvents};
pub use report::{AuditReport, Finding, FindingKind, Quarantined, Stored, Verdict};

/// Proves, from the store alone, that each event that was sent is in exactly one record or in
/// quarantine; in both layouts, also side by side below one prefix.
///
/// - Each object of one event holds that event, under its own key.
/// - The slots of each log have no gap, and each line of a segment is an event of its partition; or,
///   in that of the quarantine, a quarantined message.
/// - No event is in two records: no identity in two of one partition. In two partitions it is
///   two events, and told as [`FindingKind::AlsoElsewhere`].
/// - Each event that was sent is in a record or in quarantine, and nothing else is.
/// - What a [`Compactor`](crate::maintain::Compactor) merged is what its sources hold, each of them once.
///
/// How many messages are on the queues may be given as well. They are counts, and messages there
/// may be repetitions of what is stored, so they prove little: if no event is missing, the books
/// balance whatever is on the queues; if more are missing than the queues hold, they do not; if
/// nothing is on the way and as many are in the dead-letter queue as are missing, they balance by
/// count; else it is to be seen. Queues know no days: what they hold may be of any.
///
/// # While pods write
///
/// Depths are to be taken before the audit starts, and of the queue before its dead-letter queue:
/// events move from there to the store, so none is overlooked in between, and one that is seen
/// twice does no harm. What begins after a partition was listed is not looked at.
///
/// # Costs
///
/// Each object is read once, once more if it was merged into another, and once more where there is
/// a duplicate, an identity elsewhere too or a record of what was never sent to name. Up to 16 objects are read at once. It
/// keeps in memory 32 bytes for each event of the range and 48 for each message in quarantine (up to
/// twice as much while that grows), the names of the batch objects and of the merged ones of one
/// partition, the objects that are being read, and [`ExpectedEvents`].
pub struct Audit {
    store: RetryingStore,
    layout: Layout,
    schema: Arc<dyn Schema>,
    dates: DateRange,
    expected: Expected,
    queues: Option<(Depth, Depth)>,
}

impl Audit {
    /// An audit of all days of events of this schema, of which nobody knows what was sent.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout, schema: Arc<dyn Schema>) -> Self {
        let (dates, expected) = (DateRange::default(), Expected::default());
        Self { store: RetryingStore::new(store), layout, schema, dates, expected, queues: None }
    }

    /// Of these days.
    #[must_use]
    pub fn dates(mut self, dates: DateRange) -> Self {
        self.dates = dates;
        self
    }

    /// Sets what was sent.
    #[must_use]
    pub fn expected(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    /// With how much is on the queue, and in its dead-letter queue (none: empty), as it was
    /// before this is run.
    #[must_use]
    pub fn queues(mut self, queue: Depth, dead_letters: Depth) -> Self {
        self.queues = Some((queue, dead_letters));
        self
    }

    /// Sets the retry loop.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.store.retry = retry;
        self
    }

    /// Reads everything and reports. Transient errors are retried for 30 s, and is no
    /// finding.
    ///
    /// # Errors
    ///
    /// That of a request that never succeeded; or `stop` was requested.
    pub async fn run(self, stop: &Shutdown) -> Result<AuditReport> {
        let Self { store, layout, schema, dates, expected, queues } = self;
        let (store, schema) = (&store.until(stop), &*schema);
        let mut tally = Tally::default();
        // Before the records: what leaves quarantine by a replay comes to them.
        let quarantined_ids =
            QuarantinedIds::read(store, &layout, schema, dates, &mut tally.findings).await?;
        let partitions = partitions_on(store, &layout, schema, dates, &mut tally.findings).await?;
        for partition in &partitions {
            Objects::new(store, &layout, schema, partition).read(&mut tally).await?;
            let merged = Merged { store, layout: &layout, partition: partition.name() };
            tally.stored.compacted += merged.read(&mut tally.findings).await?;
        }
        let Tally { stored, ids, mut findings } = tally;
        let mut wanted = BTreeSet::new();
        let reasons = quarantined_ids.reasons();
        let QuarantinedIds { on_days, beyond, .. } = quarantined_ids;
        let accounts = Accounts::new(ids, on_days, beyond, &mut wanted, &mut findings);
        let (sent, missing) = match &expected {
            Expected::Unknown => (None, 0),
            Expected::Count(count) => (Some(*count), accounts.compare_count(*count, &mut findings)),
            Expected::Events(events) => (
                Some(events.on(dates).count() as u64),
                accounts.compare(events, dates, &mut wanted, &mut findings),
            ),
        };
        if !wanted.is_empty() {
            let places = places(store, &layout, schema, &partitions, wanted).await?;
            name(places, &expected, &mut findings);
        }
        let faults = findings.counts.keys().any(|kind| kind.is_fault());
        let quarantined = accounts.only_quarantined.len() as u64;
        let empty = partitions.is_empty()
            && reasons.is_empty()
            && findings.counts.is_empty()
            && !matches!(expected, Expected::Count(0));
        Ok(AuditReport {
            dates,
            verdict: verdict(faults, empty, missing, queues),
            expected: sent,
            stored: Stored {
                partitions: partitions.len() as u64,
                events: accounts.stored(),
                ..stored
            },
            quarantined: Quarantined { events: quarantined, reasons },
            dead_lettered: queues.map(|(_, dead_letters)| dead_letters.total()),
            on_the_way: queues.map(|(queue, _)| queue.total()),
            missing,
            counts: findings.counts,
            findings: findings.listed,
        })
    }
}

/// What is in quarantine.
#[derive(Default)]
struct QuarantinedIds {
    on_days: Vec<(Id, Scope)>,
    beyond: Vec<(Id, Scope)>,
    /// The digests of the messages of each reason: one that was sent again on another day may be in
    /// a log twice.
    messages: BTreeMap<String, BTreeSet<Id>>,
}

impl QuarantinedIds {
    async fn read(
        store: &RetryingStore,
        layout: &Layout,
        schema: &dyn Schema,
        dates: DateRange,
        findings: &mut Findings,
    ) -> Result<Self> {
        let mut quarantined_ids = Self::default();
        let each = |read: Result<QuarantinedMessage, Finding>| match read {
            Ok(message) if dates.contains(message.day) => {
                quarantined_ids.messages.entry(message.reason).or_default().insert(message.digest);
                quarantined_ids.on_days.push((message.who.id, message.who.scope));
            }
            Ok(message) => quarantined_ids.beyond.push((message.who.id, message.who.scope)),
            Err(finding) => findings.add(finding),
        };
        read_quarantine(store, layout, schema, each).await?;
        Ok(quarantined_ids)
    }

    /// How many different messages there are of each reason.
    fn reasons(&self) -> BTreeMap<String, u64> {
        let count = |(reason, of): (&String, &BTreeSet<Id>)| (reason.clone(), of.len() as u64);
        self.messages.iter().map(count).collect()
    }
}

/// All partitions of these days, merged ones and their claims among them.
async fn partitions_on(
    store: &RetryingStore,
    layout: &Layout,
    schema: &dyn Schema,
    dates: DateRange,
    findings: &mut Findings,
) -> Result<BTreeSet<Partition>> {
    let (mut partitions, keys) = (BTreeSet::new(), schema.partition_keys());
    let target = layout.compacted();
    for root in [layout.data_root(), target.data_root(), layout.claim_root()] {
        let each = |found: Result<Partition, String>| match found {
            Ok(partition) if dates.contains(partition.day()) => {
                partitions.insert(partition);
            }
            Ok(_) => {}
            // Whatever the days.
            Err(key) => {
                let what = "this is in no partition, and others beside it may be in none:";
                findings.add(Finding::new(FindingKind::Foreign, key, what));
            }
        };
        each_partition(store, &root, &keys, each).await?;
    }
    Ok(partitions)
}

/// Where the events are that are to be named: everything is read once more.
async fn places(
    store: &RetryingStore,
    layout: &Layout,
    schema: &dyn Schema,
    partitions: &BTreeSet<Partition>,
    wanted: BTreeSet<Id>,
) -> Result<Places> {
    let mut places = Places { wanted, ..Places::default() };
    for partition in partitions {
        Objects::new(store, layout, schema, partition).read(&mut places).await?;
    }
    let each = |read: Result<QuarantinedMessage, Finding>| {
        let Ok(QuarantinedMessage { key, who, .. }) = read else { return };
        if let Some(place) = places.of(who.id, who.name) {
            let there = (key, who.scope);
            // Two messages of one event may be in one segment.
            if !place.quarantined.contains(&there) {
                place.quarantined.push(there);
            }
        }
    };
    read_quarantine(store, layout, schema, each).await?;
    Ok(places)
}
