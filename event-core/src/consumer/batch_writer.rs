//! The handler that writes many events into one object.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tracing::{Instrument, debug_span};

use crate::compression::Compression;
use crate::error::{ErrorKind, Result};
use crate::event::Event;
use crate::handler::{Handler, Outcome};
use crate::layout::Layout;
use crate::ledger::{Fate, Held, Ledger};
use crate::message::Message;
use crate::queue::Delivery;
use crate::reason::Reason;
use crate::retry::Retry;
use crate::shutdown::Shutdown;
use crate::store::ObjectStore;

/// Stores the valid events of a batch in one object for each type and day, a line for each event:
/// a thousandth of the requests that [`StoreWriter`](super::StoreWriter) makes, with the same
/// promise. How many events are in an object is up to
/// [`ConsumerOptions::batch`](super::ConsumerOptions::batch).
///
/// ```text
/// store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson
/// ledger/store_events/event_type=sale_event/dt=2026_11_22/0000000000.json
/// ```
///
/// Objects are created once and never written again. Each is claimed by an entry of the ledger of
/// its partition first, which says which events it is to hold, by the SHA-256 of their
/// `request_id`. So an event is in one object at most, whoever crashes in between, however often
/// it is delivered and to however many pods; an object without a line stands for a claim that was
/// given up.
///
/// | the event's `request_id` is | outcome |
/// |---|---|
/// | in no entry | stored; [`Outcome::Ack`] |
/// | stored, with the same bytes | [`Outcome::Duplicate`] |
/// | stored, with other bytes | [`Outcome::Quarantine`] with [`Reason::CONFLICT`] |
/// | claimed by another pod | waited for, until that is stored or given up |
///
/// While the store fails, it tries again and keeps the messages, as
/// [`StoreWriter`](super::StoreWriter) does.
///
/// # What is promised
///
/// Of all deliveries with the same `request_id`, type and day, one record is ever stored, as long
/// as nobody deletes from the store. A process keeps 15 bytes of memory for each event of the
/// partitions that it meets, see [`remember`](Self::remember), and reads what their ledgers hold when
/// it meets them for the first time.
///
/// A line holds the bytes of the event as they were received, but for line breaks between the
/// tokens of the JSON text, which become spaces.
///
/// All writers below one prefix must be batch writers: the two layouts do not know of each
/// other's records.
pub struct BatchWriter {
    ledger: Ledger,
}

/// When events are tried again whose ledger cannot be read: it takes a hand to mend that.
const AFTER_A_FAULT: Duration = Duration::from_secs(300);

impl BatchWriter {
    /// A writer into this store.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout) -> Self {
        Self { ledger: Ledger::new(store, layout) }
    }

    /// With this retry loop, as [`StoreWriter::retry`](super::StoreWriter::retry).
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.ledger.retry = retry;
        self
    }

    /// Waits this long for what another pod has claimed and not stored, and gives that pod up
    /// then. Less than a put may take makes pods give one another up for nothing. Default 30 s.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.ledger.patience = patience;
        self
    }

    /// Keeps so many ids in memory, over all partitions: those that were not used for longest are
    /// forgotten first, and read again from the ledger when they are needed again. What is in use is
    /// never forgotten. Default: 4 million, some 60 MB.
    #[must_use]
    pub fn remember(mut self, ids: usize) -> Self {
        self.ledger.remember = ids;
        self
    }

    /// Compresses what it writes from now on. Writers below one prefix need not agree, and what
    /// was written before stays as it is. Default: [`Compression::None`].
    ///
    /// # Errors
    ///
    /// `Invalid` if it is not built in.
    pub fn compression(mut self, compression: Compression) -> Result<Self> {
        compression.compress(Vec::new())?;
        self.ledger.compression = compression;
        Ok(self)
    }

    async fn store(
        &self,
        partition: &str,
        held: Vec<(usize, Held)>,
        stop: &Shutdown,
    ) -> Vec<(usize, Outcome)> {
        let (places, held): (Vec<_>, Vec<_>) = held.into_iter().unzip();
        let span = debug_span!("store", partition, events = held.len());
        let outcomes = match self.ledger.store(partition, &held, stop).instrument(span).await {
            Ok(fates) => fates.into_iter().map(outcome).collect(),
            Err(error) if error.kind() == ErrorKind::Invalid => {
                tracing::error!(%error, events = held.len(), "not stored");
                vec![Outcome::Retry(AFTER_A_FAULT); held.len()]
            }
            // Given up because of the shutdown: another consumer can have them at once.
            Err(_) => vec![Outcome::Retry(Duration::ZERO); held.len()],
        };
        places.into_iter().zip(outcomes).collect()
    }
}

fn outcome(fate: Fate) -> Outcome {
    match fate {
        Fate::Stored => Outcome::Ack,
        Fate::Duplicate => Outcome::Duplicate,
        Fate::Conflict => {
            let detail = "an event with the same request_id and other bytes is stored";
            Outcome::Quarantine(Reason::new(Reason::CONFLICT, detail))
        }
    }
}

#[async_trait]
impl Handler for BatchWriter {
    /// One for each type and day.
    fn group(&self, message: &Message) -> u64 {
        Event::type_and_day(message).map_or(0, |(kind, day)| Layout::partition_number(kind, day))
    }

    async fn handle(&self, batch: &[Delivery], shutdown: &Shutdown) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Retry(Duration::ZERO); batch.len()];
        let mut partitions: BTreeMap<u64, (String, Vec<(usize, Held)>)> = BTreeMap::new();
        for (place, delivery) in batch.iter().enumerate() {
            match Event::parse(&delivery.message) {
                Ok(event) => {
                    let held = Held::new(&event.request_id, delivery.message.body.clone());
                    let number = Layout::partition_number(event.event_type, event.ts.date());
                    let there = partitions.entry(number);
                    let there =
                        there.or_insert_with(|| (self.ledger.partition(&event), Vec::new()));
                    there.1.push((place, held));
                }
                Err(reason) => outcomes[place] = Outcome::Quarantine(reason),
            }
        }
        let stores = partitions
            .values_mut()
            .map(|(partition, held)| self.store(partition, std::mem::take(held), shutdown));
        for (place, outcome) in join_all(stores).await.into_iter().flatten() {
            outcomes[place] = outcome;
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::MockStore;

    /// Batches of two partitions make twice the objects; of none, what is no event is together.
    #[test]
    fn events_share_a_group_if_and_only_if_they_share_a_partition() {
        let writer = BatchWriter::new(Arc::new(MockStore::new()), Layout::default());
        let days =
            ["2026-11-22", "2026-11-23", "2026-12-22", "2025-11-22", "2026-01-31", "2026-02-01"];
        let kinds = ["sale_event", "inventory_event", "SALE_EVENT"];
        let mut messages = vec![Message::new("no event")];
        for (day, kind) in days.iter().flat_map(|day| kinds.map(|kind| (day, kind))) {
            for time in ["00:00:00", "23:59:59.999"] {
                let body = format!(
                    r#"{{"request_id": "r{time}", "store_id": 8, "cust_id": 538, "category": "Games",
                    "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
                    "variant": "black", "priority_shipping": true, "ts": "{day}T{time}"}}"#
                );
                messages.push(Message::new(body).with_attribute(crate::EVENT_TYPE, kind));
            }
        }
        let partition = |message: &Message| {
            Event::parse(message).ok().map(|event| Layout::default().partition(&event))
        };
        for a in &messages {
            for b in &messages {
                let together = writer.group(a) == writer.group(b);
                assert_eq!(together, partition(a) == partition(b), "{a:?} and {b:?}");
            }
        }
    }
}
