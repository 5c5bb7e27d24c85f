//! What the pods count, in the text format of Prometheus. The table of all of it is in the README
//! of this crate.

mod consumer;
mod producer;

use std::fmt;
use std::sync::Arc;

use event_aws::Aws;
use event_core::Error;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeLabelSet, EncodeMetric, prometheus_text,
};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

pub use consumer::ConsumerMetrics;
pub use producer::ProducerMetrics;

/// All metrics of a pod.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Registry>);

impl Metrics {
    /// Those that `register` adds, the requests to AWS and the version.
    fn new<M>(aws: &Aws, register: impl FnOnce(&mut Registry) -> M) -> (Self, M) {
        let mut registry = Registry::default();
        let metrics = register(&mut registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("event_build", "The version of this program", build);
        registry.register_collector(Box::new(AwsRequests(aws.clone())));
        (Self(Arc::new(registry)), metrics)
    }

    /// The text of a scrape, in the
    /// [exposition format](https://prometheus.io/docs/instrumenting/exposition_formats/) 0.0.4.
    pub fn text(&self) -> String {
        let mut text = String::new();
        // To write to a `String` never fails.
        let _ = prometheus_text::encode(&mut text, &self.0);
        text
    }
}

/// Retries by what was tried and why it had failed.
#[derive(Clone, Debug, Default)]
struct Retries(Family<RetryLabels, Counter>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RetryLabels {
    operation: &'static str,
    reason: &'static str,
}

impl Retries {
    fn register(&self, registry: &mut Registry) {
        let help = "Entries of requests that were tried again, by the error before";
        registry.register("retries", help, self.0.clone());
    }

    fn count(&self, error: &Error, entries: usize) {
        let labels = RetryLabels { operation: error.operation(), reason: error.kind().as_str() };
        add(&self.0.get_or_create(&labels), entries);
    }
}

fn add(counter: &Counter, messages: usize) {
    // usize fits in u64 on every platform that Rust supports.
    counter.inc_by(messages as u64);
}

/// Reads at each scrape what the clients have counted.
struct AwsRequests(Aws);

#[derive(Debug, EncodeLabelSet)]
struct ApiLabels {
    service: String,
    operation: String,
}

impl Collector for AwsRequests {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let requests = self.0.requests();
        let counter = ConstCounter::new(0u64);
        let help = "Requests sent to AWS, every try counted: what is billed and must be allowed";
        let mut family =
            encoder.encode_descriptor("event_aws_requests", help, None, counter.metric_type())?;
        for api in requests {
            let labels = ApiLabels {
                service: api.service.to_string(),
                operation: api.operation.to_string(),
            };
            ConstCounter::new(api.count).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

impl fmt::Debug for AwsRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsRequests").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use event_aws::AwsOptions;
    use event_core::batch::FlushReason;
    use event_core::schema::{Identified, Partition};
    use event_core::{Delivery, ErrorKind, Message, MessageId, Observer, Outcome, Receipt};

    use super::*;

    async fn aws() -> Aws {
        let region = Some("us-east-1".to_owned());
        AwsOptions { region, ..AwsOptions::default() }.load().await.unwrap()
    }

    fn delivery(event_type: &str) -> Delivery {
        let partition = Partition::parse(&format!("event_type={event_type}/dt=2026_11_22"));
        Delivery {
            message: Message::new("{}"),
            id: MessageId::new("id"),
            receipt: Receipt::new("receipt"),
            receive_count: 1,
            sent_at: SystemTime::now() - Duration::from_secs(1000),
            event: Some(Ok(Identified::new("r1", partition.unwrap()).unwrap())),
        }
    }

    fn has(metrics: &Metrics, line: &str) {
        let text = metrics.text();
        assert!(text.lines().any(|own| own == line), "{line} is not in {text}");
    }

    #[tokio::test]
    async fn messages_are_counted_one_by_one_and_bytes_with_their_attributes() {
        let (metrics, counts) = ProducerMetrics::new(&aws().await);
        let messages =
            [Message::new("é"), Message::new("ab").with_attribute("event_type", "sale_event")];
        counts.sent(&messages);
        counts.sent(&messages[..1]);
        has(&metrics, "event_producer_sent_total 3");
        let bytes = 2 + 2 + messages[1].size();
        has(&metrics, &format!("event_producer_sent_bytes_total {bytes}"));
        let error = Error::new(ErrorKind::Throttled, "send", "on purpose");
        counts.retried(&error, 7);
        let retries = "event_producer_retries_total{operation=\"send\",reason=\"throttled\"} 7";
        has(&metrics, retries);
        let version = env!("CARGO_PKG_VERSION");
        has(&metrics, &format!("event_build_info{{version=\"{version}\"}} 1"));
    }

    #[tokio::test]
    async fn what_is_held_is_a_level_and_what_is_flushed_a_sum_by_reason() {
        let (metrics, counts) = ConsumerMetrics::new(&aws().await, &[]);
        counts.received(&[delivery("a"), delivery("a")]);
        counts.received(&[]);
        has(&metrics, "event_consumer_received_total 2");
        counts.held(9, 1 << 40);
        counts.held(3, 4);
        has(&metrics, "event_consumer_in_flight 3");
        has(&metrics, "event_consumer_held_bytes 4");
        for (reason, messages) in [(FlushReason::Count, 10), (FlushReason::Count, 20)] {
            counts.flushed(reason, messages, messages * 100);
        }
        has(&metrics, "event_consumer_flush_messages_sum{reason=\"count\"} 30.0");
        has(&metrics, "event_consumer_flush_messages_count{reason=\"count\"} 2");
        has(&metrics, "event_consumer_flush_bytes_sum{reason=\"count\"} 3000.0");
        // Between 8 and 16, and between 16 and 32; of bytes one is below 1024.
        for (metric, bound, below) in [
            ("flush_messages", "8", 0),
            ("flush_messages", "16", 1),
            ("flush_messages", "8192", 2),
            ("flush_bytes", "256", 0),
            ("flush_bytes", "1024", 1),
            ("flush_bytes", "1.6777216e+07", 2),
        ] {
            let bucket = format!("{metric}_bucket{{reason=\"count\",le=\"{bound}\"}} {below}");
            has(&metrics, &format!("event_consumer_{bucket}"));
        }
        counts.handled(&delivery("a"), &Outcome::Duplicate);
        counts.handled(&delivery("a"), &Outcome::Retry(Duration::ZERO));
        assert!(metrics.text().contains("event_consumer_age_at_store_seconds_count 0\n"));
        counts.handled(&delivery("a"), &Outcome::Ack);
        // In seconds: between 640 and 1280.
        has(&metrics, "event_consumer_age_at_store_seconds_bucket{le=\"655.36\"} 0");
        has(&metrics, "event_consumer_age_at_store_seconds_bucket{le=\"1310.72\"} 1");
        has(&metrics, "event_consumer_stored_total{event_type=\"a\"} 1");
    }

    #[tokio::test]
    async fn twenty_types_are_told_apart_those_that_are_known_among_them() {
        let (metrics, counts) = ConsumerMetrics::new(&aws().await, &["known", "idle"]);
        for number in 0..20 {
            counts.handled(&delivery(&format!("type-{number}")), &Outcome::Ack);
        }
        for event_type in ["known", "type-17", "type-18"] {
            counts.handled(&delivery(event_type), &Outcome::Ack);
        }
        for (event_type, stored) in
            [("idle", 0), ("known", 1), ("type-0", 1), ("type-17", 2), ("other", 3)]
        {
            let line =
                format!("event_consumer_stored_total{{event_type=\"{event_type}\"}} {stored}");
            has(&metrics, &line);
        }
        assert!(!metrics.text().contains("type-18"));
    }
}
