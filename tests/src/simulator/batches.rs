//! The subject for objects of many events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_core::{BatchWriter, Bytes, Handler, Layout, Message, ObjectStore, Retry};
use fastrand::Rng;

use super::invariant::{Invariant, Violation};
use super::subject::{Objects, Subject, stored_or_quarantined};
use super::traffic::{Traffic, plain_key};

/// [`BatchWriter`]: many events in one object, with a ledger.
#[derive(Default)]
pub struct EventBatches {
    /// The body of each event that is stored, by its name.
    live: Mutex<BTreeMap<String, Bytes>>,
}

impl Subject for EventBatches {
    fn handler(&self, store: Arc<dyn ObjectStore>, retry: Retry) -> Arc<dyn Handler> {
        let patience = Duration::from_secs(30);
        // Seeded by the thread's own generator, which each world seeds.
        Arc::new(BatchWriter::with(store, Layout::default(), retry, patience, Rng::new()))
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
            let day = name.rsplit_once('/').and_then(|(day, _)| plain_key(&format!("{day}/x")));
            let expected = day.as_deref().and_then(|key| key.strip_suffix("/x.json"));
            if expected.is_some_and(|expected| expected != partition) {
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
}
