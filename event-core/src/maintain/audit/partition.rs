//! The objects of one partition.

use std::pin::pin;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::id::Id;
use super::notes::{Listener, Record, Seen};
use super::report::{Finding, FindingKind};
use crate::compression::Compression;
use crate::error::Result;
use crate::layout::Layout;
use crate::layout::names::slot_of_data;
use crate::log::{Slot, lines_of};
use crate::maintain::patient::PatientStore;
use crate::message::{Attributes, Message};
use crate::schema::{Identified, Partition, Schema};

/// Objects that are read at once.
pub(super) const READS: usize = 16;

/// A partition whose objects are looked at.
pub(super) struct Objects<'a> {
    pub(super) store: &'a PatientStore,
    pub(super) layout: &'a Layout,
    pub(super) schema: &'a dyn Schema,
    pub(super) partition: &'a Partition,
    attributes: Attributes,
}

impl<'a> Objects<'a> {
    pub(super) fn new(
        store: &'a PatientStore,
        layout: &'a Layout,
        schema: &'a dyn Schema,
        partition: &'a Partition,
    ) -> Self {
        let attributes = schema.attributes_of(partition);
        Self { store, layout, schema, partition, attributes }
    }

    /// Reads all of it.
    pub(super) async fn read(&self, listener: &mut impl Listener) -> Result<()> {
        let prefix = self.layout.data_prefix(self.partition.name());
        let mut pages = pin!(self.store.pages(prefix.clone()));
        let mut head: Slot = 0;
        while let Some(page) = pages.try_next().await? {
            let mut keys = Vec::with_capacity(page.len());
            for object in page {
                if let Some(slot) = slot_of_data(&object.key[prefix.len()..]) {
                    self.up_to(slot, &object.key, &mut head, &mut keys, listener).await?;
                }
                keys.push(object.key);
            }
            let reads = keys.into_iter().map(|key| self.object(key));
            let mut reads = stream::iter(reads).buffered(READS);
            while let Some(seen) = reads.try_next().await? {
                listener.seen(self.partition, seen);
            }
        }
        Ok(())
    }

    /// Adds the keys of the segments between the head and a slot that was listed under this key. A
    /// listing need not be of one moment: it may have a segment, and none of those that were
    /// created before it.
    async fn up_to(
        &self,
        slot: Slot,
        key: &str,
        head: &mut Slot,
        keys: &mut Vec<String>,
        listener: &mut impl Listener,
    ) -> Result<()> {
        if slot < *head {
            let mut seen = Seen::of(key);
            seen.found(FindingKind::Foreign, "another segment has the slot of");
            listener.seen(self.partition, seen);
            return Ok(());
        }
        let compression = Compression::of_key(key).unwrap_or_default();
        while *head < slot {
            let before = self.layout.batch_key(self.partition.name(), *head, compression);
            if self.store.head(&before).await?.is_none() {
                let mut seen = Seen::of(key);
                let what = format!("slots {head} to {} are empty before", slot - 1);
                seen.found(FindingKind::SlotGap, what);
                listener.seen(self.partition, seen);
                break;
            }
            keys.push(before);
            *head += 1;
        }
        *head = slot + 1;
        Ok(())
    }

    async fn object(&self, key: String) -> Result<Seen> {
        let name = key.rsplit('/').next().unwrap_or_default();
        match Compression::of_key(name).filter(|_| slot_of_data(name).is_some()) {
            Some(compression) => self.segment(key, compression).await,
            None => self.event(key).await,
        }
    }

    async fn segment(&self, key: String, compression: Compression) -> Result<Seen> {
        let object = self.store.get(&key).await?;
        let mut seen = Seen::of(key);
        let Some(object) = object else {
            seen.found(FindingKind::Unreadable, "this was listed and is gone");
            return Ok(seen);
        };
        match compression.decompress(object) {
            Ok(lines) => self.read_lines(&lines, &mut seen),
            Err(error) => seen.found(FindingKind::Unreadable, format!("{error}, in")),
        }
        Ok(seen)
    }

    async fn event(&self, key: String) -> Result<Seen> {
        let body = self.store.get(&key).await?;
        let mut seen = Seen::of(key);
        let Some(body) = body else {
            seen.found(FindingKind::Unreadable, "this was listed and is gone");
            return Ok(seen);
        };
        let message = Message { body, attributes: self.attributes.clone() };
        match self.schema.identify(&message) {
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

    /// What readers find in an object of many events.
    fn read_lines(&self, lines: &bytes::Bytes, seen: &mut Seen) {
        for (number, line) in lines_of(lines).enumerate() {
            let body = lines.slice_ref(line);
            let message = Message { body, attributes: self.attributes.clone() };
            let fault = match self.schema.identify(&message) {
                Ok(event) => {
                    seen.records.push(record(&event));
                    let is_elsewhere = event.partition != *self.partition;
                    is_elsewhere.then(|| format!("belongs to {}", event.partition))
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

fn record(event: &Identified) -> Record {
    Record { id: Id::of(&event.identity), name: event.identity.to_string() }
}
