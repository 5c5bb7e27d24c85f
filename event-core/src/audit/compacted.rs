//! What was merged for readers: does it hold its sources, each once?

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures_util::TryStreamExt;

use super::notes::Findings;
use super::report::{Finding, FindingKind};
use crate::compact::{Claim, lines_of_sources};
use crate::error::Result;
use crate::layout::Layout;
use crate::names::{slot_of_data, slot_of_entry};
use crate::patient::PatientStore;

/// The merged objects of one partition, and the entries that claim them.
pub(super) struct Merged<'a> {
    pub(super) store: &'a PatientStore,
    pub(super) layout: &'a Layout,
    pub(super) partition: &'a str,
}

impl Merged<'_> {
    /// Reads all of it, and its sources once more; answers how many objects there are. They are
    /// listed before the entries, for the reason that data is listed before its ledger.
    pub(super) async fn read(&self, findings: &mut Findings) -> Result<u64> {
        let target = self.layout.compacted();
        let (data, ledger) =
            (target.data_prefix(self.partition), target.ledger_prefix(self.partition));
        let mut objects = self.keys(&data).await?;
        let count = objects.len() as u64;
        let mut claimed = BTreeMap::new();
        let mut head = 0;
        for key in self.keys(&ledger).await? {
            let mut found = |kind, what: String| findings.add(Finding::new(kind, &*key, what));
            let slot = slot_of_entry(&key[ledger.len()..]);
            let entry = self.store.get(&key).await?;
            let claim = entry.and_then(|entry| Claim::decode(&entry));
            let (Some(slot), Some(claim)) = (slot, claim) else {
                found(FindingKind::Unreadable, "this is no entry of a compaction:".to_owned());
                continue;
            };
            if slot > head {
                let what = format!("{} slots before this entry are empty:", slot - head);
                found(FindingKind::SlotGap, what);
            }
            head = slot + 1;
            for source in &claim.sources {
                if let Some(other) = claimed.insert(source.clone(), slot) {
                    let what = format!("{source} is merged by entry {other} and by");
                    found(FindingKind::Duplicate, what);
                }
            }
            let object = target.batch_key(self.partition, slot, claim.compression);
            objects.remove(&object);
            if let Some((kind, what)) = self.difference(&object, &claim).await? {
                findings.add(Finding::new(kind, if kind.is_fault() { object } else { key }, what));
            }
        }
        for object in objects {
            let kind = match slot_of_data(&object[data.len()..]) {
                Some(_) => FindingKind::Unclaimed,
                None => FindingKind::Foreign,
            };
            findings.add(Finding::new(kind, object, "no entry of a compaction claims this:"));
        }
        Ok(count)
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
