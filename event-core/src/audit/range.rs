//! Which partitions there are.

use std::collections::BTreeMap;

use super::notes::Findings;
use super::partition::is_hidden;
use super::report::{Finding, FindingKind};
use crate::dates::{Dates, Partition};
use crate::error::Result;
use crate::layout::Layout;
use crate::patient::PatientStore;

/// The partitions of these days that have data or a ledger, by name. What belongs to no partition
/// is a finding, whatever the days.
pub(super) async fn partitions(
    store: &PatientStore,
    layout: &Layout,
    dates: Dates,
    findings: &mut Findings,
) -> Result<BTreeMap<String, Partition>> {
    let mut partitions = BTreeMap::new();
    for root in [layout.data_root(), layout.ledger_root()] {
        let mut after = None;
        while let Some(object) = store.first(&root, after).await? {
            let path = &object.key[root.len()..];
            let folder = path.rsplit_once('/').map(|(folder, _)| folder);
            match folder.and_then(Partition::parse) {
                Some(partition) if dates.contains(partition.day) => {
                    partitions.insert(partition.name.clone(), partition);
                }
                Some(_) => {}
                None if is_hidden(path) => {}
                None => {
                    let what = "this is in no partition, and with it what is beside it:";
                    findings.add(Finding::new(FindingKind::Foreign, &*object.key, what));
                }
            }
            // One request for a partition, however much is in it: no key of it comes after this,
            // since '0' is next to '/'.
            after = Some(folder.map_or(object.key.clone(), |folder| format!("{root}{folder}0")));
        }
    }
    Ok(partitions)
}
