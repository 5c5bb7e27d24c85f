//! One slot of a ledger: its entry, and what became of it.

use bytes::Bytes;
use jiff::Timestamp;

use super::notes::{Claim, Seen};
use super::partition::{Objects, lines_of};
use super::report::FindingKind;
use crate::error::Result;
use crate::ledger::{Digest, Entry, Slot};
use crate::store::ObjectMeta;

impl Objects<'_> {
    /// Looks at a claim and its data; answers the name of the data, if the entry can be read.
    pub(super) async fn slot(
        &self,
        slot: Slot,
        listed: ObjectMeta,
    ) -> Result<(Seen, Option<String>)> {
        let Some(bytes) = self.store.get(&listed.key).await? else {
            let mut seen = Seen::of(listed.key);
            seen.found(FindingKind::Unreadable, "this entry was listed and is gone");
            return Ok((seen, None));
        };
        let Some(entry) = Entry::decode(&bytes) else {
            let mut seen = Seen::of(listed.key);
            seen.found(FindingKind::Unreadable, "this is no entry of a ledger");
            return Ok((seen, None));
        };
        let key = self.layout.batch_key(&self.partition.name, slot, entry.compression);
        let name = key.rsplit('/').next().map(str::to_owned);
        let seen = match self.store.get(&key).await? {
            None => {
                let ids = entry.events.iter().map(|&(id, _)| id).collect();
                let written = Timestamp::try_from(listed.modified);
                let written = written.map_or_else(|_| "?".to_owned(), |time| time.to_string());
                let claim = Some(Claim::Open(slot, ids, written));
                Seen { claim, ..Seen::of(listed.key) }
            }
            Some(object) => self.data(key, &entry, object),
        };
        Ok((seen, name))
    }

    fn data(&self, key: String, entry: &Entry, object: Bytes) -> Seen {
        let mut seen = Seen::of(key);
        if object == entry.compression.empty_object() {
            seen.claim = Some(Claim::GivenUp);
            return seen;
        }
        seen.claim = Some(Claim::Settled);
        let lines = match entry.compression.decompress(object) {
            Ok(lines) => lines,
            Err(error) => {
                seen.found(FindingKind::Unreadable, format!("{error}, in"));
                return seen;
            }
        };
        self.read_lines(&lines, &mut seen);
        if let Some(fault) = difference(entry, &lines, &seen) {
            seen.found(FindingKind::WrongData, fault);
        }
        seen
    }
}

/// What of the data is not as its entry says, if anything.
fn difference(entry: &Entry, lines: &[u8], seen: &Seen) -> Option<String> {
    let count = lines_of(lines).count();
    let expected = entry.events.len();
    if count != expected {
        return Some(format!("there are {count} lines for the {expected} events of its entry in"));
    }
    let digests = lines_of(lines).map(Digest::of);
    let other = digests.zip(&entry.events).position(|(digest, event)| digest != event.1);
    if let Some(other) = other {
        return Some(format!("line {} is not the event of its entry, in", other + 1));
    }
    let ids = seen.records.iter().map(|record| record.id);
    // Of a line that is no event there is no record, which was found before.
    let whole = seen.records.len() == expected;
    let other = ids.zip(&entry.events).position(|(id, event)| id != event.0);
    let other = other.filter(|_| whole)?;
    Some(format!("line {} has another request_id than its entry, in", other + 1))
}
