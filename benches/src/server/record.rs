//! What became of what was sent, from the server's own records.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use event_core::{Compression, ListRequest, Message, ObjectStore, Result};
use serde::Deserialize;

use super::State;

/// When each message was sent, by its body.
#[derive(Debug, Default)]
pub struct SentAt(Mutex<Vec<(Bytes, SystemTime)>>);

impl SentAt {
    /// Notes that these were sent now.
    pub fn add(&self, messages: &[Message], now: SystemTime) {
        self.lock().extend(messages.iter().map(|message| (message.body.clone(), now)));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Bytes, SystemTime)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the messages are after a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Events in the store.
    pub stored: usize,
    /// Of these, copies of one that was there before: none, if the books balance.
    pub twice: usize,
    /// Messages in quarantine.
    pub quarantined: usize,
    /// From the send of an event to the put of the object that holds it, shortest first.
    pub send_to_durable: Vec<Duration>,
}

impl Outcome {
    /// The time within which this share of the events was durable; zero if there were none.
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.send_to_durable.len().saturating_sub(1);
        let index = (share * last as f64).round() as usize;
        self.send_to_durable.get(index).copied().unwrap_or_default()
    }
}

/// The one field that is looked at.
#[derive(Deserialize)]
struct Id {
    request_id: String,
}

fn id(line: &[u8]) -> Option<String> {
    serde_json::from_slice::<Id>(line).ok().map(|id| id.request_id)
}

impl State {
    /// Looks at every object: events are lines with a `request_id` outside `quarantine/`, many to an
    /// object or one.
    ///
    /// # Errors
    ///
    /// Those of a listing or a read of the store; `Invalid` for an object that is damaged.
    pub async fn outcome(&self) -> Result<Outcome> {
        let sent: HashMap<String, SystemTime> =
            self.sent().lock().iter().filter_map(|(body, at)| Some((id(body)?, *at))).collect();
        let mut outcome = Outcome::default();
        let mut seen = HashMap::with_capacity(sent.len());
        let mut after = None;
        loop {
            let request = ListRequest { prefix: String::new(), after, max: 1_000 };
            let page = self.store().list(request).await?;
            for object in &page.objects {
                let body = self.store().get(&object.key).await?.unwrap_or_default();
                let body = match Compression::of_key(&object.key) {
                    Some(compression) => compression.decompress(body)?,
                    None => body,
                };
                if object.key.starts_with("quarantine/") {
                    outcome.quarantined += body.split_inclusive(|byte| *byte == b'\n').count();
                    continue;
                }
                for id in body.split(|byte| *byte == b'\n').filter_map(id) {
                    outcome.stored += 1;
                    if let Some(at) = sent.get(&id) {
                        let time = object.modified.duration_since(*at);
                        outcome.send_to_durable.push(time.unwrap_or_default());
                    }
                    let copies = seen.entry(id).or_insert(0);
                    outcome.twice += usize::from(*copies > 0);
                    *copies += 1;
                }
            }
            after = page.objects.last().map(|object| object.key.clone());
            if !page.more {
                break;
            }
        }
        outcome.send_to_durable.sort_unstable();
        Ok(outcome)
    }
}
