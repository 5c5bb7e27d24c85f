//! What can be asked for.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the pods on SQS and S3 in memory, beside bare loops on the SDK.
#[derive(Debug, Parser)]
#[command(name = "pipeline", max_term_width = 100)]
pub(crate) struct Args {
    /// What to measure
    #[arg(long, value_name = "NAMES", value_delimiter = ',',
          default_values_t = [Scenario::Throughput, Scenario::Producer, Scenario::Latency])]
    pub(crate) scenario: Vec<Scenario>,

    /// Events of each run; with few of them the start of the program weighs, seven requests one
    /// after the other
    #[arg(long, value_name = "N", default_value = "60000",
          value_parser = clap::value_parser!(u64).range(1000..=1_000_000))]
    pub(crate) events: u64,

    /// Runs of each client, in turns
    #[arg(long, value_name = "N", default_value = "5",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    pub(crate) rounds: u16,

    /// Events that are there at the start of `start`; they are held in memory, some 60 bytes each
    #[arg(long, value_name = "N", default_value = "10000000",
          value_parser = clap::value_parser!(u64).range(1000..=100_000_000))]
    pub(crate) stored: u64,

    /// Seconds to count the requests of an idle consumer for; 0: do not
    #[arg(long, value_name = "SECONDS", default_value = "0")]
    pub(crate) idle: u64,

    /// One JSON document on standard output, and nothing else there
    #[arg(long)]
    pub(crate) json: bool,

    /// Directory with event-consumer, event-producer and floor, built alike [default: they are built]
    #[arg(long, value_name = "DIR")]
    pub(crate) programs: Option<PathBuf>,

    /// Directory with the same of another build, such as the commit before: they take turns in
    /// `throughput` and `producer`, and CPU time is compared
    #[arg(long, value_name = "DIR")]
    pub(crate) beside: Option<PathBuf>,

    /// Directory for the plots
    #[arg(long, value_name = "DIR", default_value = "target/pipeline")]
    pub(crate) plots: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// Both layouts draining a backlog, beside their floors
    Throughput,
    /// A backlog of which one event in ten is invalid, in the layout of many events
    Invalid,
    /// The producer beside a loop of SendMessageBatch
    Producer,
    /// A backlog with 10 ms on each answer of SQS and 30 ms on each of S3
    Latency,
    /// Ten times the backlog in the layout of many events
    Drain,
    /// The start of a consumer in the layout of many events, in a partition that has many, with the
    /// delays of `latency`
    Start,
    /// One, three and six consumers at once in the layout of many events, which share a store and
    /// nothing else, with the delays of `latency`
    Pods,
    /// An event a second, one object for each
    Trickle,
}

impl std::fmt::Display for Scenario {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // No variant is hidden.
        let value = self.to_possible_value().expect("a name");
        f.write_str(value.get_name())
    }
}
