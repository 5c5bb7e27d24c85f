//! The subject for objects of many events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use event_core::jiff::civil::date;
use event_core::retry::Retry;
use event_core::{
    BatchWriter, Bytes, Compression, Handler, Layout, Message, ObjectStore, Quarantine, Retail,
    Schema,
};

use super::invariant::{Invariant, Violation};
use super::keys::folder_of;
use super::subject::{
    MANIFEST, Objects, Subject, each_in_its_place, nothing_else, stored_or_quarantined,
};
use super::traffic::{EventName, Traffic};

/// [`BatchWriter`]: many events in one object.
pub struct EventBatches {
    schema: Arc<dyn Schema>,
    /// The body of each event that is stored, by its name.
    live: Mutex<BTreeMap<EventName, Bytes>>,
}

impl EventBatches {
    /// Of events of this schema.
    pub fn of(schema: Arc<dyn Schema>) -> Self {
        Self { schema, live: Mutex::default() }
    }
}

impl Default for EventBatches {
    fn default() -> Self {
        Self::of(Arc::new(Retail::default()))
    }
}

impl Subject for EventBatches {
    fn handler(&self, store: Arc<dyn ObjectStore>, retry: Retry) -> Arc<dyn Handler> {
        Arc::new(
            BatchWriter::new(store, Layout::default(), Arc::clone(&self.schema))
                .retry(retry)
                .today(|| date(2026, 11, 23)),
        )
    }

    fn quarantine(&self, store: Arc<dyn ObjectStore>) -> Quarantine {
        Quarantine::log(store, Layout::default())
    }

    fn schema(&self) -> Option<Arc<dyn Schema>> {
        Some(Arc::clone(&self.schema))
    }

    fn written(
        &self,
        traffic: &Traffic,
        key: &str,
        body: &Bytes,
        objects: &Objects,
    ) -> Result<(), Violation> {
        let broken = |invariant, what| Err(Violation { invariant, what });
        if key == MANIFEST {
            return Ok(());
        }
        let Some((partition, object)) = key.rsplit_once('/') else {
            return broken(Invariant::Keys, format!("{key} is in no partition"));
        };
        let (slot, kind) = object.split_once('.').unwrap_or_default();
        if slot.len() != 10 || !slot.bytes().all(|byte| byte.is_ascii_digit()) {
            return broken(Invariant::Keys, format!("{key} has no slot"));
        }
        if kind != "ndjson.zst" {
            return broken(Invariant::Keys, format!("{key} is of no known kind"));
        }
        let slot: usize = slot.parse().unwrap_or(usize::MAX);
        let before = objects.all.range(format!("{partition}/")..format!("{partition}0"));
        if before.count() != slot {
            return broken(Invariant::Keys, format!("{key} leaves a gap in its log"));
        }
        let Ok(body) = Compression::Zstd.decompress(body.clone()) else {
            return broken(Invariant::Bytes, format!("{key} cannot be read"));
        };
        let mut live = self.live.lock().unwrap();
        for line in body.split_inclusive(|&byte| byte == b'\n') {
            let event = line.strip_suffix(b"\n").map(|event| body.slice_ref(event));
            let Some((event, name)) = event.and_then(|event| {
                let name = traffic.name_of(&event)?.clone();
                Some((event, name))
            }) else {
                let text = String::from_utf8_lossy(line).into_owned();
                return broken(Invariant::Bytes, format!("{key} holds what nobody sent: {text}"));
            };
            if folder_of(&name) != partition {
                return broken(Invariant::Keys, format!("event {name} was stored in {key}"));
            }
            if live.insert(name.clone(), event).is_some() {
                return broken(Invariant::Once, format!("event {name} is stored again, in {key}"));
            }
        }
        Ok(())
    }

    fn settled(
        &self,
        traffic: &Traffic,
        message: &Message,
        objects: &Objects,
    ) -> Result<(), String> {
        let live = self.live.lock().unwrap();
        stored_or_quarantined(traffic, message, objects, |name| live.get(name))
    }

    fn finished(
        &self,
        traffic: &Traffic,
        objects: &Objects,
        buried: &[Message],
    ) -> Result<(), String> {
        each_in_its_place(traffic, buried, |message| self.settled(traffic, message, objects))?;
        nothing_else(traffic, objects)
    }
}
