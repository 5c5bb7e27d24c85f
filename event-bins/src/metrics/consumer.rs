//! What the consumer counts.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use event_aws::Aws;
use event_core::batch::FlushReason;
use event_core::{Delivery, Error, Observer, Outcome};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::{Metrics, Retries, add};

/// Counts as an [`Observer`] of the consumer.
#[derive(Debug)]
pub struct ConsumerMetrics {
    received: Counter,
    stored: Family<TypeLabel, Counter>,
    /// The types that are told apart: a label must not grow with what strangers send.
    types: Mutex<BTreeSet<String>>,
    duplicates: Counter,
    quarantined: Family<ReasonLabel, Counter>,
    deleted: Counter,
    delete_failed: Counter,
    released: Counter,
    retries: Retries,
    in_flight: Gauge,
    held_bytes: Gauge,
    flush_messages: Family<ReasonLabel, Histogram, fn() -> Histogram>,
    flush_bytes: Family<ReasonLabel, Histogram, fn() -> Histogram>,
    age_at_store: Histogram,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TypeLabel {
    event_type: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: String,
}

/// Types of events that are told apart.
const MOST_TYPES: usize = 20;

/// From 1 to 8,192 messages.
fn counts() -> Histogram {
    Histogram::new(exponential_buckets(1.0, 2.0, 14))
}

/// From 256 bytes to 16 MiB.
fn sizes() -> Histogram {
    Histogram::new(exponential_buckets(256.0, 4.0, 9))
}

/// From 5 ms to some 22 minutes.
fn ages() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 19))
}

impl ConsumerMetrics {
    /// The metrics of a consumer on these clients, and who counts them.
    ///
    /// `types` are those that events are known to have; of others as many are told apart as bring
    /// them to 20, and the rest are `other`.
    pub fn new(aws: &Aws, types: &[&str]) -> (Metrics, Self) {
        Metrics::new(aws, |registry| {
            let metrics = Self {
                received: Counter::default(),
                stored: Family::default(),
                types: Mutex::default(),
                duplicates: Counter::default(),
                quarantined: Family::default(),
                deleted: Counter::default(),
                delete_failed: Counter::default(),
                released: Counter::default(),
                retries: Retries::default(),
                in_flight: Gauge::default(),
                held_bytes: Gauge::default(),
                flush_messages: Family::new_with_constructor(counts),
                flush_bytes: Family::new_with_constructor(sizes),
                age_at_store: ages(),
            };
            metrics.register(registry.sub_registry_with_prefix("event_consumer"));
            // A rate needs a first value: types that are known are there before their first event.
            for event_type in types {
                metrics
                    .types
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert((*event_type).to_owned());
                let label = TypeLabel { event_type: (*event_type).to_owned() };
                drop(metrics.stored.get_or_create(&label));
            }
            metrics
        })
    }

    /// The type that an event is counted under.
    fn type_of(&self, delivery: &Delivery) -> String {
        let partition =
            delivery.event.as_ref().and_then(|event| Some(&event.as_ref().ok()?.partition));
        let event_type = partition.and_then(|partition| partition.value("event_type"));
        let event_type = event_type.unwrap_or_default();
        let mut types = self.types.lock().unwrap_or_else(PoisonError::into_inner);
        if types.contains(&*event_type) {
            return event_type.into_owned();
        }
        if types.len() >= MOST_TYPES {
            return "other".to_owned();
        }
        types.insert(event_type.clone().into_owned());
        event_type.into_owned()
    }

    fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register("received", "Messages received, each delivery counted", self.received.clone());
        r.register("stored", "Events written to the store", self.stored.clone());
        let help = "Messages whose event had been stored before, same bytes";
        r.register("duplicates", help, self.duplicates.clone());
        r.register("quarantined", "Messages quarantined, by reason", self.quarantined.clone());
        r.register("deleted", "Messages deleted from the queue", self.deleted.clone());
        let help = "Messages that are done and could not be deleted, to come again";
        r.register("delete_failed", help, self.delete_failed.clone());
        r.register("released", "Messages given back to the queue", self.released.clone());
        self.retries.register(r);
        let help = "Messages held now, from their receive until they are deleted or given back";
        r.register("in_flight", help, self.in_flight.clone());
        let help = "Bytes of messages held now, from their receive until they are handled";
        r.register_with_unit("held", help, Unit::Bytes, self.held_bytes.clone());
        let help = "Messages in a batch for the handler, by why it was closed";
        r.register("flush_messages", help, self.flush_messages.clone());
        let help = "Bytes in a batch for the handler, by why it was closed";
        r.register_with_unit("flush", help, Unit::Bytes, self.flush_bytes.clone());
        let help = "From the queue's acceptance of a message to its event in the store";
        r.register_with_unit("age_at_store", help, Unit::Seconds, self.age_at_store.clone());
    }
}

impl Observer for ConsumerMetrics {
    fn received(&self, deliveries: &[Delivery]) {
        add(&self.received, deliveries.len());
    }

    fn held(&self, messages: usize, bytes: usize) {
        let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
        self.in_flight.set(gauge(messages));
        self.held_bytes.set(gauge(bytes));
    }

    fn flushed(&self, reason: FlushReason, messages: usize, bytes: usize) {
        let label = ReasonLabel { reason: reason.as_str().to_owned() };
        self.flush_messages.get_or_create(&label).observe(messages as f64);
        self.flush_bytes.get_or_create(&label).observe(bytes as f64);
    }

    fn handled(&self, delivery: &Delivery, outcome: &Outcome) {
        match outcome {
            Outcome::Ack => {
                let label = TypeLabel { event_type: self.type_of(delivery) };
                self.stored.get_or_create(&label).inc();
                let age = SystemTime::now().duration_since(delivery.sent_at).unwrap_or_default();
                self.age_at_store.observe(age.as_secs_f64());
            }
            Outcome::Duplicate => add(&self.duplicates, 1),
            Outcome::Quarantine(reason) => {
                let label = ReasonLabel { reason: reason.code().to_owned() };
                self.quarantined.get_or_create(&label).inc();
            }
            // Counted when it is given back.
            Outcome::Retry(_) => {}
        }
    }

    fn deleted(&self, messages: usize) {
        add(&self.deleted, messages);
    }

    fn delete_failed(&self, messages: usize) {
        add(&self.delete_failed, messages);
    }

    fn released(&self, messages: usize) {
        add(&self.released, messages);
    }

    fn retried(&self, error: &Error, entries: usize) {
        self.retries.count(error, entries);
    }
}
