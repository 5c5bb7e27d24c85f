//! All that was measured, as the JSON document has it.

use serde::Serialize;

use crate::client::Client;
use crate::run::Run;
use crate::series::{Line, Spread, cpu_per_1000};

#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) events: u64,
    pub(crate) rounds: u16,
    /// Where and when the prices were public.
    pub(crate) prices: &'static str,
    /// Clients that were held up by the server: their rates are the server's.
    pub(crate) held_up_by_server: Vec<String>,
    pub(crate) layouts: Layouts,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) floors: Option<Floors>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) producer: Option<Producer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) latency: Option<Latency>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) drain: Option<Drain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) trickle: Option<Trickle>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<Start>,
    /// Pods at once, in ascending order of how many.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) pods: Vec<Pods>,
    /// What `--beside` compares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) beside: Vec<Beside>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) idle_requests_per_minute: Option<f64>,
}

#[derive(Debug, Default, Serialize)]
pub(crate) struct Layouts {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) event: Option<Line>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<Line>,
    /// That of many events, with invalid ones among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) invalid: Option<Line>,
}

/// Each with eight loops.
#[derive(Debug, Serialize)]
pub(crate) struct Floors {
    pub(crate) receive_delete: Line,
    pub(crate) receive_put_delete: Line,
}

#[derive(Debug, Serialize)]
pub(crate) struct Producer {
    pub(crate) producer: Line,
    pub(crate) floor: Line,
}

#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) sqs_delay_ms: u64,
    pub(crate) s3_delay_ms: u64,
    /// The rate of the layout of many events as a share of that without delays.
    pub(crate) batch_share_of_rate: Spread,
    pub(crate) batch_without: Line,
    pub(crate) batch: Line,
    pub(crate) event: Line,
    pub(crate) floor_8: Line,
    pub(crate) floor_32: Line,
}

#[derive(Debug, Serialize)]
pub(crate) struct Drain {
    /// Time for ten times the backlog, by the time for it.
    pub(crate) time_ratio: Spread,
    pub(crate) once: Line,
    pub(crate) ten_times: Line,
}

#[derive(Debug, Serialize)]
pub(crate) struct Trickle {
    pub(crate) events_per_s: f64,
    pub(crate) event: Line,
}

/// A consumer of one event, whose partition holds many.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    pub(crate) stored: u64,
    pub(crate) seconds: Spread,
    pub(crate) cpu_seconds: Spread,
    pub(crate) peak_rss_mib: Spread,
    /// More memory than where nothing is stored, for each stored event.
    pub(crate) bytes_per_event: Spread,
}

/// Consumers that share the partitions of one store and know nothing of each other.
#[derive(Debug, Serialize)]
pub(crate) struct Pods {
    pub(crate) pods: usize,
    pub(crate) events_per_s: Spread,
    /// Of all pods and partitions.
    pub(crate) segments_per_s: Spread,
    pub(crate) events_per_segment: Spread,
    /// Puts that lost to another pod's, for each that won.
    pub(crate) lost_puts_per_segment: Spread,
    pub(crate) gets_per_segment: Spread,
    /// Segments of the pod that wrote the fewest, by the mean of all.
    pub(crate) least_share: Spread,
    pub(crate) cpu_s_per_1000: Spread,
}

/// One client in two builds, in the same rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Beside {
    pub(crate) client: String,
    pub(crate) cpu_s_per_1000: Spread,
    pub(crate) cpu_s_per_1000_other: Spread,
    /// CPU time of this build by that of the other.
    pub(crate) cpu_ratio: Spread,
}

impl Beside {
    pub(crate) fn of(client: Client, runs: &[Run], other: &[Run]) -> Self {
        let pairs = runs.iter().zip(other);
        let ratios = pairs.map(|(run, other)| cpu_per_1000(run) / cpu_per_1000(other));
        Self {
            client: client.name(),
            cpu_s_per_1000: Spread::of(runs.iter().map(cpu_per_1000)),
            cpu_s_per_1000_other: Spread::of(other.iter().map(cpu_per_1000)),
            cpu_ratio: Spread::of(ratios),
        }
    }
}
