//! The objects of one partition, and its ledger.

use std::collections::BTreeSet;
use std::pin::pin;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::notes::{Listener, Record, Seen};
use super::report::{Finding, FindingKind};
use crate::compression::Compression;
use crate::error::Result;
use crate::event::{EVENT_TYPE, Event};
use crate::layout::Layout;
use crate::ledger::{Id, Slot};
use crate::message::{Attributes, Message};
use crate::names::{Partition, slot_of_data, slot_of_entry};
use crate::patient::PatientStore;
use crate::store::ObjectMeta;

/// Objects that are read at once.
pub(super) const READS: usize = 16;

/// A partition whose objects are looked at.
pub(super) struct Objects<'a> {
    pub(super) store: &'a PatientStore,
    pub(super) layout: &'a Layout,
    pub(super) partition: &'a Partition,
    attributes: Attributes,
}

impl<'a> Objects<'a> {
    pub(super) fn new(
        store: &'a PatientStore,
        layout: &'a Layout,
        partition: &'a Partition,
    ) -> Self {
        let attributes = [(EVENT_TYPE, partition.event_type.as_str())].into_iter().collect();
        Self { store, layout, partition, attributes }
    }

    /// Reads all of it.
    ///
    /// Data is listed before the ledger. An entry is created before its data, so each object that
    /// is listed has its entry in the later listing, or never had one. Data that comes between
    /// the two is read by the key that its entry names, so no listing need have it.
    pub(super) async fn read(&self, listener: &mut impl Listener) -> Result<()> {
        let batches = self.read_objects(listener).await?;
        let claimed = self.read_ledger(listener).await?;
        let unclaimed = batches.into_iter().filter(|batch| !claimed.contains(batch));
        let unclaimed = unclaimed.map(|batch| self.unclaimed(batch));
        let mut unclaimed = stream::iter(unclaimed).buffered(READS);
        while let Some(seen) = unclaimed.try_next().await? {
            listener.seen(&self.partition.name, seen);
        }
        Ok(())
    }

    /// Reads the objects of one event each; answers the names of those of many.
    async fn read_objects(&self, listener: &mut impl Listener) -> Result<BTreeSet<String>> {
        let prefix = self.layout.data_prefix(&self.partition.name);
        let mut pages = pin!(self.store.pages(prefix.clone()));
        let mut batches = BTreeSet::new();
        while let Some(page) = pages.try_next().await? {
            let mut events = Vec::new();
            for object in page {
                let name = &object.key[prefix.len()..];
                if slot_of_data(name).is_some() {
                    batches.insert(name.to_owned());
                } else {
                    events.push(self.event(object.key));
                }
            }
            let mut events = stream::iter(events).buffered(READS);
            while let Some(seen) = events.try_next().await? {
                listener.seen(&self.partition.name, seen);
            }
        }
        Ok(batches)
    }

    /// Reads the entries and their data; answers the names of the data that they claim.
    async fn read_ledger(&self, listener: &mut impl Listener) -> Result<BTreeSet<String>> {
        let prefix = self.layout.ledger_prefix(&self.partition.name);
        let mut pages = pin!(self.store.pages(prefix.clone()));
        let mut claimed = BTreeSet::new();
        let mut head: Slot = 0;
        while let Some(page) = pages.try_next().await? {
            let mut slots = Vec::new();
            for entry in page {
                let Some(slot) = slot_of_entry(&entry.key[prefix.len()..]) else {
                    let mut seen = Seen::of(entry.key);
                    seen.found(FindingKind::Foreign, "this is no entry of a ledger");
                    listener.seen(&self.partition.name, seen);
                    continue;
                };
                // A listing need not be of one moment: it may have an entry, and none of those
                // that were created before it.
                while head < slot {
                    let key = self.layout.ledger_key(&self.partition.name, head);
                    let Some(before) = self.store.head(&key).await? else {
                        listener.seen(&self.partition.name, gap(head, slot, &entry));
                        break;
                    };
                    slots.push(self.slot(head, before));
                    head += 1;
                }
                head = slot + 1;
                slots.push(self.slot(slot, entry));
            }
            let mut slots = stream::iter(slots).buffered(READS);
            while let Some((seen, data)) = slots.try_next().await? {
                claimed.extend(data);
                listener.seen(&self.partition.name, seen);
            }
        }
        Ok(claimed)
    }

    async fn event(&self, key: String) -> Result<Seen> {
        let body = self.store.get(&key).await?;
        let mut seen = Seen::of(key);
        let Some(body) = body else {
            seen.found(FindingKind::Unreadable, "this was listed and is gone");
            return Ok(seen);
        };
        let message = Message { body, attributes: self.attributes.clone() };
        match Event::parse(&message) {
            Ok(event) => {
                seen.records.push(record(&event));
                let expected = self.layout.event_key(&event);
                if expected != seen.key {
                    let what = format!("the key of the event in it is {expected}, not");
                    seen.found(FindingKind::Foreign, what);
                }
            }
            Err(reason) => {
                seen.found(FindingKind::Foreign, format!("this is no valid event ({reason}):"));
            }
        }
        Ok(seen)
    }

    async fn unclaimed(&self, name: String) -> Result<Seen> {
        let key = format!("{}{name}", self.layout.data_prefix(&self.partition.name));
        let object = self.store.get(&key).await?;
        let mut seen = Seen::of(key);
        seen.found(FindingKind::Unclaimed, "no entry of the ledger claims this");
        let (Some(compression), Some(object)) = (Compression::of_key(&name), object) else {
            return Ok(seen);
        };
        match compression.decompress(object) {
            Ok(lines) => self.read_lines(&lines, &mut seen),
            Err(error) => seen.found(FindingKind::Unreadable, error.to_string()),
        }
        Ok(seen)
    }

    /// What readers find in an object of many events.
    pub(super) fn read_lines(&self, lines: &bytes::Bytes, seen: &mut Seen) {
        for (number, line) in lines_of(lines).enumerate() {
            let body = lines.slice_ref(line);
            let message = Message { body, attributes: self.attributes.clone() };
            let fault = match Event::parse(&message) {
                Ok(event) => {
                    seen.records.push(record(&event));
                    let partition = self.layout.partition(&event);
                    (partition != self.partition.name).then(|| format!("belongs to {partition}"))
                }
                Err(reason) => Some(format!("is no valid event ({reason})")),
            };
            if let Some(fault) = fault {
                let what = format!("line {} {fault}, in", number + 1);
                seen.findings.push(Finding::new(FindingKind::Foreign, &*seen.key, what));
            }
        }
    }
}

/// The lines of an object, without their ends.
pub(super) fn lines_of(lines: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = lines.split_inclusive(|&byte| byte == b'\n');
    lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

fn gap(head: Slot, slot: Slot, entry: &ObjectMeta) -> Seen {
    let mut seen = Seen::of(&*entry.key);
    seen.found(FindingKind::SlotGap, format!("slots {head} to {} are empty before", slot - 1));
    seen
}

fn record(event: &Event<'_>) -> Record {
    let name = event.request_id.clone().into_owned();
    Record { id: Id::of(&name), name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_a_line_break_or_with_the_object() {
        let lines = |text: &'static str| lines_of(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(lines(""), [b""; 0]);
        assert_eq!(lines("a\nb\n"), [b"a", b"b"]);
        assert_eq!(lines("a\nb"), [b"a", b"b"]);
    }
}
