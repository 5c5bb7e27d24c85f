//! The compaction: few large objects for readers, beside the many small ones.

mod claim;
mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::Arc;

use futures_util::TryStreamExt;
use serde::Serialize;

use crate::compression::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::Layout;
use crate::layout::names::{slot_of_claim, slot_of_data};
use crate::maintain::dates::DateRange;
use crate::maintain::partitions::each_partition;
use crate::maintain::retrying::RetryingStore;
use crate::retry::Retry;
use crate::schema::{Partition, Schema};
use crate::shutdown::Shutdown;
use crate::store::{ObjectStore, PutOutcome};
use claim::next_lot;

pub(crate) use claim::{Claim, is_source};
pub(crate) use lines::lines_of_sources;

/// Merges the objects of each partition, of one event and of many, into few large ones for
/// readers, below a prefix of their own.
///
/// ```text
/// compacted/store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson.zst
/// compacted/_claims/store_events/event_type=sale_event/dt=2026_11_22/0000000000.json
/// ```
///
/// What is merged stays where it is, since it is what writers read. So a reader lists either
/// `store_events/`, which has every event at once, or `compacted/store_events/`, which has those
/// of the days that were compacted, in few objects; neither contains
/// duplicates.
///
/// Each merged object is claimed first, by a numbered entry that names its sources: objects of the
/// partition that no earlier entry names. Entries and objects are created once and never written
/// again. The sources never change, so the object is a function of its entry; whoever finds an
/// entry without its object, be it of one who crashed or is at work, makes it. So any number may
/// run at once, and what a crash left behind is done by the next run.
///
/// All that is there when it looks is merged, however little is left for the last object; what
/// comes later goes into another one. So it is best run on days that have ended.
///
/// In memory it has the names of the objects of one partition, and the lines of one object with
/// the object: uncompressed, and so larger than [`target_bytes`](Self::target_bytes) where sources
/// are compressed.
pub struct Compactor {
    store: RetryingStore,
    layout: Layout,
    schema: Arc<dyn Schema>,
    dates: DateRange,
    target_bytes: u64,
    compression: Compression,
}

/// What a compaction did; as JSON, one object with these names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CompactReport {
    /// The days that were looked at.
    pub dates: DateRange,
    /// The partitions in which something was made, by what stands before the name of an object.
    pub partitions: BTreeMap<String, Compacted>,
    /// What no compaction can have left, each with its key: what is wrong, by partition. The rest
    /// of such a partition is not merged before it is mended.
    pub faults: BTreeMap<String, String>,
}

/// What was made in one partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Compacted {
    /// Merged objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that were merged into them.
    pub sources: u64,
}

impl Compactor {
    /// Merges the objects of all days, with events of this schema, to some 32 MiB each.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout, schema: Arc<dyn Schema>) -> Self {
        let (dates, compression) = (DateRange::default(), Compression::default());
        let target_bytes = 32 * 1024 * 1024;
        Self { store: RetryingStore::new(store), layout, schema, dates, target_bytes, compression }
    }

    /// Only these days.
    #[must_use]
    pub fn dates(mut self, dates: DateRange) -> Self {
        self.dates = dates;
        self
    }

    /// Merges sources of at most so many bytes in all, as they are stored, into an object; one
    /// that is larger is an object of its own.
    #[must_use]
    pub fn target_bytes(mut self, target_bytes: u64) -> Self {
        self.target_bytes = target_bytes;
        self
    }

    /// Compresses what is claimed from now on.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is not built in.
    pub fn compression(mut self, compression: Compression) -> Result<Self> {
        compression.compress(Vec::new())?;
        self.compression = compression;
        Ok(self)
    }

    /// Sets the retry loop.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.store.retry = retry;
        self
    }

    /// Merges what no entry has claimed, and makes what was claimed and is not there. What may
    /// heal by itself is tried again for 30 s.
    ///
    /// # Errors
    ///
    /// That of a request that never succeeded; or `stop` was requested. What was made until then
    /// is sound.
    pub async fn run(mut self, stop: &Shutdown) -> Result<CompactReport> {
        self.store = self.store.until(stop);
        let (mut partitions, keys) = (BTreeSet::new(), self.schema.partition_keys());
        for root in [self.layout.data_root(), self.layout.claim_root()] {
            let each = |found: Result<Partition, String>| match found {
                Ok(partition) if self.dates.contains(partition.day()) => {
                    partitions.insert(partition);
                }
                // What is in no partition is the audit's to tell.
                Ok(_) | Err(_) => {}
            };
            each_partition(&self.store, &root, &keys, each).await?;
        }
        let mut report = CompactReport { dates: self.dates, ..CompactReport::default() };
        for partition in partitions {
            let name = partition.name();
            let mut done = Compacted::default();
            match self.compact(name, &mut done).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Invalid => {
                    report.faults.insert(name.to_owned(), error.to_string());
                }
                Err(error) => return Err(error),
            }
            if done.objects > 0 {
                tracing::debug!(partition = name, objects = done.objects, "compacted");
                report.partitions.insert(name.to_owned(), done);
            }
        }
        Ok(report)
    }

    async fn compact(&self, partition: &str, done: &mut Compacted) -> Result<()> {
        let target = self.layout.compacted();
        let made = self.slots(&target.data_prefix(partition), slot_of_data).await?;
        let claims = self.slots(&self.layout.claim_prefix(partition), slot_of_claim).await?;
        let mut unclaimed = self.sources(partition).await?;
        let mut slot = 0;
        // No entry is created before all entries below it were read, so no source is in two.
        loop {
            let key = self.layout.claim_key(partition, slot);
            if let Some(entry) = self.store.get(&key).await? {
                let claim = Claim::decode(&entry)
                    .ok_or_else(|| fault(&key, "is not a valid claim of a compaction"))?;
                for source in &claim.sources {
                    unclaimed.remove(source);
                }
                if !made.contains(&slot) {
                    done.bytes += self.make(partition, slot, &claim).await?;
                    done.objects += 1;
                    done.sources += claim.sources.len() as u64;
                }
                slot += 1;
                continue;
            }
            if claims.last().is_some_and(|&last| last >= slot) {
                return Err(fault(&key, "is not there, and entries after it are"));
            }
            if made.last().is_some_and(|&last| last >= slot) {
                return Err(fault(&key, "is not there, and the object that it claims is"));
            }
            let sources = next_lot(&unclaimed, self.target_bytes);
            if sources.is_empty() {
                return Ok(());
            }
            let claim = Claim { compression: self.compression, sources };
            // Whoever created it, it is read now, and counts.
            self.store.create(&key, claim.encode().into()).await?;
        }
    }

    async fn slots(&self, prefix: &str, slot: fn(&str) -> Option<u32>) -> Result<BTreeSet<u32>> {
        let mut slots = BTreeSet::new();
        let mut pages = pin!(self.store.pages(prefix.to_owned()));
        while let Some(page) = pages.try_next().await? {
            slots.extend(page.iter().filter_map(|object| slot(&object.key[prefix.len()..])));
        }
        Ok(slots)
    }

    /// The objects of a partition and their sizes.
    async fn sources(&self, partition: &str) -> Result<BTreeMap<String, u64>> {
        let prefix = self.layout.data_prefix(partition);
        let mut sources = BTreeMap::new();
        let mut pages = pin!(self.store.pages(prefix.clone()));
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let name = &object.key[prefix.len()..];
                if is_source(name) {
                    sources.insert(name.to_owned(), object.size);
                }
            }
        }
        Ok(sources)
    }

    /// Makes what an entry claims; answers its size in bytes.
    async fn make(&self, partition: &str, slot: u32, claim: &Claim) -> Result<u64> {
        let Claim { compression, sources } = claim;
        let key = self.layout.compacted().batch_key(partition, slot, *compression);
        let prefix = self.layout.data_prefix(partition);
        let lines = lines_of_sources(&self.store, &prefix, sources).await?;
        let lines = lines.map_err(|what| fault(&key, &format!("cannot be made: {what}")))?;
        let object = compression.compress(lines)?;
        let size = object.len() as u64;
        if self.store.create(&key, object.clone()).await? == PutOutcome::Exists {
            // By its lines, since another version of a compressor may write them in other bytes.
            let lines = |object| compression.decompress(object).ok();
            let there = self.store.get(&key).await?.and_then(lines);
            if there.is_none() || there != lines(object) {
                return Err(fault(&key, "does not hold what its claim names"));
            }
        }
        Ok(size)
    }
}

fn fault(key: &str, what: &str) -> Error {
    let message = format!("{key} {what}: an audit says what is wrong with its partition");
    Error::invalid("compact", message)
}
