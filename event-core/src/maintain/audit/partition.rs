//! The objects of one partition.

use std::pin::pin;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::id::Id;
use super::notes::{Listener, Record, Seen};
use super::report::{Finding, FindingKind};
use super::slots::Slots;
use crate::compression::Compression;
use crate::error::Result;
use crate::layout::Layout;
use crate::layout::names::slot_of_data;
use crate::log::lines_of;
use crate::maintain::retrying::RetryingStore;
use crate::message::{Attributes, Message};
use crate::schema::{Identified, Partition, Schema};
use crate::store::ObjectMeta;

/// Objects that are read at once.
pub(super) const READS: usize = 16;

/// A partition whose objects are looked at.
pub(super) struct Objects<'a> {
    pub(super) store: &'a RetryingStore,
    pub(super) layout: &'a Layout,
    pub(super) schema: &'a dyn Schema,
    pub(super) partition: &'a Partition,
    attributes: Attributes,
}

impl<'a> Objects<'a> {
    pub(super) fn new(
        store: &'a RetryingStore,
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
        let (partition, mut slots) = (self.partition, Slots::default());
        while let Some(page) = pages.try_next().await? {
            let mut objects = Vec::with_capacity(page.len());
            for ObjectMeta { key, .. } in page {
                let mut fault = None;
                if let Some(slot) = slot_of_data(&key[prefix.len()..]) {
                    let compression = Compression::of_key(&key).unwrap_or_default();
                    let key_of = |slot| self.layout.batch_key(partition.name(), slot, compression);
                    let (before, found) = slots.up_to(slot, &key, self.store, key_of).await?;
                    objects.extend(before.into_iter().map(|key| (key, None)));
                    fault = found;
                }
                objects.push((key, fault));
            }
            // What is wrong with its slot is told with the object, so that the order of findings is
            // not that of pages.
            let reads = objects.into_iter().map(|(key, fault)| async move {
                let mut seen = self.object(key).await?;
                seen.findings.splice(..0, fault);
                Ok(seen)
            });
            let mut reads = stream::iter(reads).buffered(READS);
            while let Some(seen) = reads.try_next().await? {
                listener.seen(self.partition, seen);
            }
        }
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
                seen.found(FindingKind::Foreign, format!("not a valid event ({reason}):"));
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
                Err(reason) => Some(format!("is not a valid event ({reason})")),
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
