//! What is under test beside the engines: a handler, and what its work must have left behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event_core::jiff::civil::date;
use event_core::retry::Retry;
use event_core::{
    AttributeValue, Bytes, Compression, Handler, Layout, Message, ObjectStore, Quarantine, Reason,
    Retail, Schema, StoreWriter,
};
use serde_json::Value;

use super::invariant::{Invariant, Violation};
use super::keys::key_of;
use super::traffic::{EventName, Fate, Traffic, identity};

/// How programs handle messages in a simulated world, and how it is seen that they did.
///
/// The simulator brings the messages ([`Traffic`]), the faults and every check that is about the
/// engines; this trait says what a message must have caused before it may leave the queue.
pub trait Subject: Send + Sync + 'static {
    /// The handler of a program that starts. The store is the one that fails; to try again, use
    /// this loop, whose clock and jitter are the world's.
    fn handler(&self, store: Arc<dyn ObjectStore>, retry: Retry) -> Arc<dyn Handler>;

    /// Where programs put what is not an event. Unless it is written: an object for each message.
    fn quarantine(&self, store: Arc<dyn ObjectStore>) -> Quarantine {
        Quarantine::new(store, Layout::default())
    }

    /// Looks at an object that was just written outside of quarantine; `objects` is what was there before.
    fn written(
        &self,
        traffic: &Traffic,
        key: &str,
        body: &Bytes,
        objects: &Objects,
    ) -> Result<(), Violation> {
        let _ = (traffic, key, body, objects);
        Ok(())
    }

    /// Whether a message that leaves the queue at this moment may do so; if not, why.
    fn settled(
        &self,
        traffic: &Traffic,
        message: &Message,
        objects: &Objects,
    ) -> Result<(), String>;

    /// The schema by which everything is stored in the layout of this project, so that an audit and a
    /// compaction of it are run at the end. Unless it is written: none, and they are not.
    fn schema(&self) -> Option<Arc<dyn Schema>> {
        None
    }

    /// Looks at everything, once the queue has drained; `buried` are the messages in the
    /// dead-letter queue. Unless it is written: whether every message is settled, but for poison,
    /// which must be buried, and for what no queue takes, which producers quarantine.
    fn finished(
        &self,
        traffic: &Traffic,
        objects: &Objects,
        buried: &[Message],
    ) -> Result<(), String> {
        each_in_its_place(traffic, buried, |message| {
            let refused = objects.quarantined(message).any(|code| code == Reason::REFUSED);
            if refused { Ok(()) } else { self.settled(traffic, message, objects) }
        })
    }
}

/// Whether poison is buried, and everything else is settled.
pub(super) fn each_in_its_place(
    traffic: &Traffic,
    buried: &[Message],
    settled: impl Fn(&Message) -> Result<(), String>,
) -> Result<(), String> {
    for (message, fate) in traffic.fates() {
        let in_its_place = match fate {
            Fate::Poison if buried.contains(message) => Ok(()),
            Fate::Poison => Err("poison is in no dead-letter queue".to_owned()),
            _ => settled(message),
        };
        let text = || String::from_utf8_lossy(&message.body).into_owned();
        in_its_place.map_err(|why| format!("{why}: {}", text()))?;
    }
    Ok(())
}

/// What is in the store of a simulated world.
#[derive(Debug, Default)]
pub struct Objects {
    /// Each object by its key.
    pub all: BTreeMap<String, Bytes>,
    /// What is in quarantine.
    quarantined: Vec<Quarantined>,
}

/// One line in quarantine.
#[derive(Debug)]
struct Quarantined {
    message: Message,
    /// The code of the reason.
    code: String,
    /// What stands before the name of the object.
    folder: String,
}

impl Objects {
    /// The codes of the reasons for which a message is in quarantine.
    pub fn quarantined(&self, message: &Message) -> impl Iterator<Item = &str> {
        let there = self.quarantined.iter();
        there.filter(move |there| there.message == *message).map(|there| &*there.code)
    }

    /// Adds an object; `is_of_day` tells whether the queue accepted a message on the day that a
    /// folder of the quarantine's log is of.
    pub(super) fn insert(
        &mut self,
        key: &str,
        body: &Bytes,
        is_of_day: impl Fn(&Message, &str) -> bool,
    ) -> Result<(), Violation> {
        if let Some(path) = key.strip_prefix("quarantine/store_events/") {
            self.quarantine(path, body, is_of_day).map_err(|(invariant, what)| Violation {
                invariant,
                what: format!("{key} {what}"),
            })?;
        }
        self.all.insert(key.to_owned(), body.clone());
        Ok(())
    }

    fn quarantine(
        &mut self,
        path: &str,
        body: &Bytes,
        is_of_day: impl Fn(&Message, &str) -> bool,
    ) -> Result<(), (Invariant, String)> {
        let (folder, name) = path.split_once('/').unwrap_or_default();
        let is_log = folder.starts_with("dt=");
        let no_message = |line: &[u8]| {
            (Invariant::Bytes, format!("holds no message: {}", String::from_utf8_lossy(line)))
        };
        let lines = if is_log {
            let before = format!("quarantine/store_events/{folder}/");
            let slot = self.all.keys().filter(|key| key.starts_with(&before)).count();
            if name != format!("{slot:010}.ndjson.zst") {
                return Err((Invariant::Keys, format!("is not slot {slot} of its log")));
            }
            Compression::Zstd.decompress(body.clone()).map_err(|_| no_message(body))?
        } else {
            body.clone()
        };
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let (message, code) = read_line(line).ok_or_else(|| no_message(line))?;
            if is_log && !is_of_day(&message, folder) {
                return Err((Invariant::Keys, "is of a day on which nobody sent this".to_owned()));
            }
            let is_twice = |there: &Quarantined| there.folder == folder && there.message == message;
            if self.quarantined.iter().any(is_twice) {
                let text = String::from_utf8_lossy(line);
                return Err((Invariant::Once, format!("holds a message once more: {text}")));
            }
            self.quarantined.push(Quarantined { message, code, folder: folder.to_owned() });
        }
        Ok(())
    }
}

/// A line in quarantine, read without the code that wrote it.
fn read_line(line: &[u8]) -> Option<(Message, String)> {
    let line: Value = serde_json::from_slice(line.strip_suffix(b"\n")?).ok()?;
    let text = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
    let body: Bytes = match (text("body"), text("body_hex")) {
        (Some(body), None) => body.into(),
        (None, Some(hex)) => {
            let pair = |at: usize| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok();
            (0..hex.len()).step_by(2).map(pair).collect::<Option<Vec<_>>>()?.into()
        }
        _ => return None,
    };
    let attributes = line.get("attributes")?.as_object()?.iter();
    let pair = |(name, value): (&String, &Value)| Some((name.clone(), read_value(value)?));
    let attributes = attributes.map(pair).collect::<Option<Vec<_>>>()?.into_iter().collect();
    Some((Message { body, attributes }, text("reason")?))
}

/// Text, or bytes in base64.
fn read_value(value: &Value) -> Option<AttributeValue> {
    match value.as_str() {
        Some(text) => Some(text.to_owned().into()),
        None => Some(STANDARD.decode(value.get("binary")?.as_str()?).ok()?.into()),
    }
}

/// What the first writer below the prefix leaves there.
pub(super) const MANIFEST: &str = "store_events/_manifest.json";

/// The subject of this project: [`StoreWriter`], one object for each event.
pub struct EventObjects {
    schema: Arc<dyn Schema>,
    /// The key of each event that is stored, by its name.
    live: Mutex<BTreeMap<EventName, String>>,
}

impl EventObjects {
    /// Of events of this schema.
    pub fn of(schema: Arc<dyn Schema>) -> Self {
        Self { schema, live: Mutex::default() }
    }
}

impl Default for EventObjects {
    fn default() -> Self {
        Self::of(Arc::new(Retail::default()))
    }
}

impl Subject for EventObjects {
    fn handler(&self, store: Arc<dyn ObjectStore>, retry: Retry) -> Arc<dyn Handler> {
        Arc::new(
            StoreWriter::new(store, Layout::default(), Arc::clone(&self.schema))
                .retry(retry)
                .today(|| date(2026, 11, 23)),
        )
    }

    fn schema(&self) -> Option<Arc<dyn Schema>> {
        Some(Arc::clone(&self.schema))
    }

    fn written(
        &self,
        traffic: &Traffic,
        key: &str,
        body: &Bytes,
        _: &Objects,
    ) -> Result<(), Violation> {
        let broken = |invariant, what| Err(Violation { invariant, what });
        if key == MANIFEST {
            return Ok(());
        }
        let Some(name) = traffic.name_of(body) else {
            let text = String::from_utf8_lossy(body);
            return broken(
                Invariant::Bytes,
                format!("{key} was written, which nobody sent: {text}"),
            );
        };
        if key_of(name) != key {
            return broken(Invariant::Keys, format!("event {name} was stored as {key}"));
        }
        let mut live = self.live.lock().unwrap();
        if let Some(other) = live.insert(name.clone(), key.to_owned()) {
            return broken(Invariant::Once, format!("event {name} is in {other} and in {key}"));
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
        let stored = |name: &EventName| live.get(name).and_then(|key| objects.all.get(key));
        stored_or_quarantined(traffic, message, objects, stored)
    }

    fn finished(
        &self,
        traffic: &Traffic,
        objects: &Objects,
        buried: &[Message],
    ) -> Result<(), String> {
        each_in_its_place(traffic, buried, |message| self.settled(traffic, message, objects))?;
        nothing_else(traffic, objects)?;
        let found = objects.all.keys().filter(|key| *key != MANIFEST).count();
        let expected = traffic.stored() + traffic.quarantined();
        if found != expected {
            return Err(format!("there are {found} objects for {expected} messages"));
        }
        Ok(())
    }
}

/// Whether nothing is in quarantine but what belongs there. What was sent on two days may be there
/// on each.
pub(super) fn nothing_else(traffic: &Traffic, objects: &Objects) -> Result<(), String> {
    let messages: BTreeSet<_> =
        objects.quarantined.iter().map(|there| identity(&there.message)).collect();
    let (found, expected) = (messages.len(), traffic.quarantined());
    if found != expected {
        return Err(format!("{found} messages are in quarantine, in place of {expected}"));
    }
    Ok(())
}

/// Whether a message is where it belongs, given the record of each event that is stored.
pub(super) fn stored_or_quarantined<'a>(
    traffic: &Traffic,
    message: &Message,
    objects: &Objects,
    stored: impl FnOnce(&EventName) -> Option<&'a Bytes>,
) -> Result<(), String> {
    let mut reasons = objects.quarantined(message).peekable();
    match traffic.fate(message) {
        None => Err("nobody sent it".to_owned()),
        Some(Fate::Poison) => Err("no handler can have handled it".to_owned()),
        Some(Fate::Quarantined { code }) => match reasons.any(|reason| reason == *code) {
            true => Ok(()),
            false => Err(format!("it is not in quarantine as {code}")),
        },
        Some(Fate::Stored(name)) => match (stored(name), reasons.next()) {
            (Some(stored), None) if *stored == message.body => Ok(()),
            (Some(stored), Some("conflict")) if *stored != message.body => Ok(()),
            (None, None) => Err(format!("event {name} is not stored")),
            (Some(_), None) => Err(format!("another event is stored as {name}")),
            (_, Some(reason)) => Err(format!("the good event {name} is in quarantine as {reason}")),
        },
    }
}
