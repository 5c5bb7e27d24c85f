//! The subject for objects of many events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use event_core::{BatchWriter, Bytes, Handler, Layout, Message, ObjectStore, Retry};

use super::invariant::{Invariant, Violation};
use super::subject::{Objects, Subject, each_in_its_place, nothing_else, stored_or_quarantined};
use super::traffic::{Traffic, plain_key};

/// [`BatchWriter`]: many events in one object, with a ledger.
#[derive(Default)]
pub struct EventBatches {
    /// The body of each event that is stored, by its name.
    live: Mutex<BTreeMap<String, Bytes>>,
}

impl Subject for EventBatches {
    fn handler(&self, store: Arc<dyn ObjectStore>, retry: Retry) -> Arc<dyn Handler> {
        Arc::new(BatchWriter::new(store, Layout::default()).retry(retry))
    }

    fn written(
        &self,
        traffic: &Traffic,
        key: &str,
        body: &Bytes,
        _: &Objects,
    ) -> Result<(), Violation> {
        let broken = |invariant, what| Err(Violation { invariant, what });
        let (prefix, suffix) = match key.split_once('/') {
            Some(("ledger", rest)) => (rest, ".json"),
            _ => (key, ".ndjson"),
        };
        let Some((partition, slot)) = prefix.rsplit_once('/') else {
            return broken(Invariant::Keys, format!("{key} is in no partition"));
        };
        let number = slot.strip_suffix(suffix).unwrap_or_default();
        if number.len() != 10 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return broken(Invariant::Keys, format!("{key} has no slot"));
        }
        if suffix == ".json" {
            return Ok(());
        }
        let mut live = self.live.lock().unwrap();
        for line in body.split_inclusive(|&byte| byte == b'\n') {
            let event = line.strip_suffix(b"\n").map(|event| body.slice_ref(event));
            let Some((event, name)) = event.and_then(|event| {
                let name = traffic.name_of(&event)?.to_owned();
                Some((event, name))
            }) else {
                let text = String::from_utf8_lossy(line).into_owned();
                return broken(Invariant::Bytes, format!("{key} holds what nobody sent: {text}"));
            };
            // The partition is that of any other event of the same type and day.
            let mut parts = name.split('/');
            let (kind, day) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let key_of_another = plain_key(&format!("{kind}/{day}/x"));
            let expected = key_of_another.as_deref().and_then(|key| key.strip_suffix("/x.json"));
            if expected != Some(partition) {
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
