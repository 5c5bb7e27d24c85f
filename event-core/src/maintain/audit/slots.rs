//! The slots of a log, as a listing brings them.

use super::report::{Finding, FindingKind};
use crate::error::Result;
use crate::log::Slot;
use crate::maintain::retrying::RetryingStore;

/// How far the slots of one log were seen.
#[derive(Default)]
pub(super) struct Slots {
    head: Slot,
}

impl Slots {
    /// Goes on to a slot that was listed under this key. Answers the keys of the segments between
    /// the head and it, and what is wrong with the slot. A listing need not be of one moment: it may
    /// have a segment, and none of those that were created before it.
    pub(super) async fn up_to(
        &mut self,
        slot: Slot,
        key: &str,
        store: &RetryingStore,
        key_of: impl Fn(Slot) -> String,
    ) -> Result<(Vec<String>, Option<Finding>)> {
        let mut keys = Vec::new();
        if slot < self.head {
            let what = "another segment has the slot of";
            return Ok((keys, Some(Finding::new(FindingKind::Foreign, key, what))));
        }
        let mut gap = None;
        while self.head < slot {
            let before = key_of(self.head);
            if store.head(&before).await?.is_none() {
                let what = format!("slots {} to {} are empty before", self.head, slot - 1);
                gap = Some(Finding::new(FindingKind::SlotGap, key, what));
                break;
            }
            keys.push(before);
            self.head += 1;
        }
        self.head = slot + 1;
        Ok((keys, gap))
    }
}
