//! What was merged for readers: does it hold its sources, each once?

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures_util::TryStreamExt;

use super::notes::Findings;
use super::report::{Finding, FindingKind};
use crate::error::Result;
use crate::layout::Layout;
use crate::layout::names::{slot_of_claim, slot_of_data};
use crate::maintain::compact::{Claim, lines_of_sources};
use crate::maintain::retrying::RetryingStore;

/// The merged objects of one partition, and the entries that claim them.
pub(super) struct Merged<'a> {
    pub(super) store: &'a RetryingStore,
    pub(super) layout: &'a Layout,
    pub(super) partition: &'a str,
}

impl Merged<'_> {
    /// Reads all of it, and its sources once more; answers how many objects there are. They are
    /// listed before the entries, which are created first: so each of them has its own.
    pub(super) async fn read(&self, findings: &mut Findings) -> Result<u64> {
        let target = self.layout.compacted();
        let prefix = target.data_prefix(self.partition);
        let mut objects = self.keys(&prefix).await?;
        let count = objects.len() as u64;
        let mut merged = BTreeMap::new();
        for (slot, claim) in self.claims(findings).await? {
            let entry = self.layout.claim_key(self.partition, slot);
            for source in &claim.sources {
                if let Some(other) = merged.insert(source.clone(), slot) {
                    let what = format!("{source} is merged by entry {other} and by");
                    findings.add(Finding::new(FindingKind::Duplicate, &*entry, what));
                }
            }
            let object = target.batch_key(self.partition, slot, claim.compression);
            objects.remove(&object);
            if let Some((kind, what)) = self.difference(&object, &claim).await? {
                let key = if kind.is_fault() { object } else { entry };
                findings.add(Finding::new(kind, key, what));
            }
        }
        for object in objects {
            let kind = match slot_of_data(&object[prefix.len()..]) {
                Some(_) => FindingKind::Unclaimed,
                None => FindingKind::Foreign,
            };
            findings.add(Finding::new(kind, object, "no entry of a compaction claims this:"));
        }
        Ok(count)
    }

    /// The entries that can be read. They are read one after the other, as a compaction does it,
    /// and listed only to see whether there are others after the last of these.
    async fn claims(&self, findings: &mut Findings) -> Result<Vec<(u32, Claim)>> {
        let prefix = self.layout.claim_prefix(self.partition);
        let mut listed = BTreeSet::new();
        for key in self.keys(&prefix).await? {
            match slot_of_claim(&key[prefix.len()..]) {
                Some(slot) => {
                    listed.insert(slot);
                }
                None => {
                    let what = "not a valid claim of a compaction:";
                    findings.add(Finding::new(FindingKind::Foreign, key, what));
                }
            }
        }
        let mut claims = Vec::new();
        let mut slot = 0;
        loop {
            let key = self.layout.claim_key(self.partition, slot);
            match self.store.get(&key).await?.map(|entry| Claim::decode(&entry)) {
                Some(Some(claim)) => claims.push((slot, claim)),
                Some(None) => {
                    let what = "not a valid claim of a compaction:";
                    findings.add(Finding::new(FindingKind::Unreadable, key, what));
                }
                None => {
                    let Some(&later) = listed.range(slot + 1..).next() else { return Ok(claims) };
                    let what = format!("slots {slot} to {} are empty before", later - 1);
                    let key = self.layout.claim_key(self.partition, later);
                    findings.add(Finding::new(FindingKind::SlotGap, key, what));
                    slot = later;
                    continue;
                }
            }
            slot += 1;
        }
    }

    /// What of a merged object is not as its entry says, if anything.
    async fn difference(&self, key: &str, claim: &Claim) -> Result<Option<(FindingKind, String)>> {
        let Some(object) = self.store.get(key).await? else {
            let what = "the object that this claims is made by the next compaction:";
            return Ok(Some((FindingKind::OpenClaim, what.to_owned())));
        };
        let prefix = self.layout.data_prefix(self.partition);
        let lines = lines_of_sources(self.store, &prefix, &claim.sources).await?;
        Ok(match (claim.compression.decompress(object), lines) {
            (Err(error), _) => Some((FindingKind::Unreadable, format!("{error}, in"))),
            (_, Err(fault)) => Some((FindingKind::WrongData, format!("a source, {fault}; of"))),
            (Ok(merged), Ok(lines)) if merged == lines => None,
            (Ok(_), Ok(_)) => {
                let what = "the lines are not those of the sources that its entry names, in";
                Some((FindingKind::WrongData, what.to_owned()))
            }
        })
    }

    async fn keys(&self, prefix: &str) -> Result<BTreeSet<String>> {
        let mut keys = BTreeSet::new();
        let mut pages = pin!(self.store.pages(prefix.to_owned()));
        while let Some(page) = pages.try_next().await? {
            keys.extend(page.into_iter().map(|object| object.key));
        }
        Ok(keys)
    }
}
