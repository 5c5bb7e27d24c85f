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
