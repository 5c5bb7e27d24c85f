//! What the producer counts.

use event_aws::Aws;
use event_core::{Error, Message, Observer};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::{Registry, Unit};

use super::{Metrics, Retries, add};

/// Counts as an [`Observer`] of the producer.
#[derive(Debug, Default)]
pub struct ProducerMetrics {
    sent: Counter,
    sent_bytes: Counter,
    retries: Retries,
}

impl ProducerMetrics {
    /// The metrics of a producer on these clients, and who counts them.
    pub fn new(aws: &Aws) -> (Metrics, Self) {
        Metrics::new(aws, |registry| {
            let metrics = Self::default();
            metrics.register(registry.sub_registry_with_prefix("event_producer"));
            metrics
        })
    }

    fn register(&self, registry: &mut Registry) {
        let r = registry;
        r.register("sent", "Messages that the queue accepted", self.sent.clone());
        let help = "Bytes of the messages that the queue accepted, attributes included";
        r.register_with_unit("sent", help, Unit::Bytes, self.sent_bytes.clone());
        self.retries.register(r);
    }
}

impl Observer for ProducerMetrics {
    fn sent(&self, messages: &[Message]) {
        add(&self.sent, messages.len());
        add(&self.sent_bytes, messages.iter().map(Message::size).sum());
    }

    fn retried(&self, error: &Error, entries: usize) {
        self.retries.count(error, entries);
    }
}
