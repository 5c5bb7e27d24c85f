//! `event-producer`: events from a source to a queue in SQS.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use event_bins::aws::{AwsArgs, QueueArgs, with_retries};
use event_bins::health::Needs;
use event_bins::metrics::ProducerMetrics;
use event_bins::pod::{self, EXIT_STATUS, Failure, PodArgs};
use event_core::{Error, Message, Producer, ProducerOptions, QueueLimits, Shutdown};
use event_local::cli::{self, Total};
use event_local::complaints::Complaints;
use event_local::logs::LogArgs;
use event_local::schema::SchemaArgs;
use event_local::source::{SourceArgs, nothing_to_send};

/// Sends events to a queue in SQS.
///
/// Defaults are those of the original demo; in brackets what production wants.
#[derive(Clone, Debug, Parser)]
#[command(name = "event-producer", version, max_term_width = 100, allow_negative_numbers = true,
          after_help = EXIT_STATUS)]
struct Args {
    #[command(flatten)]
    queue: QueueArgs,

    #[command(flatten)]
    aws: AwsArgs,

    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    schema: SchemaArgs,

    /// Stop with success after so many messages, or never if `unlimited`. Each start begins to
    /// count anew [default: 10000, or all of the input]
    #[arg(long, value_name = "N|unlimited", env = "TOT_MSGS_TO_PRODUCE", value_parser = cli::total)]
    tot_msgs_to_produce: Option<Total>,

    /// Pause between two messages in seconds, fractions allowed; 0: as fast as it goes
    #[arg(long, value_name = "SECONDS", env = "WAIT_SECS_BETWEEN_MSGS", default_value = "2",
          value_parser = cli::seconds)]
    wait_secs_between_msgs: Duration,

    #[command(flatten)]
    pod: PodArgs,
}

impl AsRef<LogArgs> for Args {
    fn as_ref(&self) -> &LogArgs {
        &self.pod.logs
    }
}

/// Messages to send where nobody says how many, as in the original demo.
const DEFAULT_TOTAL: Total = Total::Messages(10_000);

impl Args {
    fn options(&self) -> ProducerOptions {
        ProducerOptions {
            total: self.total(),
            interval: self.wait_secs_between_msgs,
            grace: self.pod.shutdown_grace_secs,
            ..ProducerOptions::default()
        }
    }

    fn total(&self) -> Option<u64> {
        let default = match self.source.input {
            Some(_) => Total::Unlimited,
            None => DEFAULT_TOTAL,
        };
        self.tot_msgs_to_produce.unwrap_or(default).messages()
    }

    /// The end of a pod that was told to stop after so many messages. Where nobody says how many
    /// to send of an input, it is all of them.
    fn stopped(&self, sent: u64) -> Result<(), Failure> {
        if self.tot_msgs_to_produce.is_none() && self.source.input.is_some() {
            let text = format!("told to stop after {sent} messages, before the end of the input");
            return Err(Failure::Stopped(text));
        }
        pod::stopped(sent, self.total(), "TOT_MSGS_TO_PRODUCE")
    }
}

fn main() -> ExitCode {
    pod::main(run)
}

async fn run(args: Args, shutdown: Shutdown) -> Result<(), Failure> {
    let wrong = |error: Error| Failure::at_start(&error);
    let schema = args.schema.schema(None).map_err(wrong)?;
    let complaints = |name| Complaints::about(name, "sent as it is", schema);
    let complaints = args.source.name().map(complaints);
    let source = args.source.open(&args.schema, look(complaints.clone())).map_err(wrong)?;
    let Some(aws) = pod::unless_stopped(&shutdown, Box::pin(args.aws.load())).await else {
        return args.stopped(0);
    };
    let aws = aws.map_err(|error| Failure::at_start(&error))?;
    let watched =
        args.pod.watch(ProducerMetrics::new(&aws), args.wait_secs_between_msgs, &shutdown).await?;

    let Some(found) = with_retries(&shutdown, || args.queue.connect(&aws)).await else {
        return args.stopped(0);
    };
    let queue = found.map_err(|error| Failure::at_start(&error))?;
    watched.readiness.started(Needs { queue: queue.clone(), store: None });
    tracing::info!(queue = queue.url(), seed = source.seed, "producing");

    let producer = Producer::new(Arc::new(queue), source.events)
        .options(args.options())
        .observer(watched.observer);
    let input = args.source.name();
    let report = pod::engine(producer.run(shutdown)).await?;
    tracing::info!(sent = report.sent, "finished");
    if !report.complete {
        return args.stopped(report.sent);
    }
    if let Some(wrong) = complaints.and_then(|complaints| complaints.in_one_line()) {
        return Err(Failure::Setting(wrong));
    }
    match input {
        Some(input) if report.sent == 0 => Err(Failure::Setting(nothing_to_send(&input))),
        _ => Ok(()),
    }
}

/// A line of the input that is not an event is sent as it is: the consumer quarantines it.
fn look(complaints: Option<Complaints>) -> impl FnMut(u64, &Message, Option<&str>) {
    move |line, message, fault| {
        let largest = QueueLimits::SQS.message_bytes;
        let wrong = complaints.as_ref().and_then(|all| all.look(line, message, fault, largest));
        if let Some(wrong) = wrong {
            tracing::warn!(line, "{wrong}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it was told to stop too early, after 7 messages.
    fn is_stopped(arguments: &[&str]) -> bool {
        let args = Args::try_parse_from(["event-producer"].iter().chain(arguments));
        args.expect("sound settings").stopped(7).is_err()
    }

    #[test]
    fn every_setting_reaches_the_engine() {
        let options = |arguments: &[&str]| {
            let args = Args::try_parse_from(["event-producer"].iter().chain(arguments));
            args.expect("sound settings").options()
        };
        let defaults = options(&[]);
        assert_eq!((defaults.total, defaults.interval.as_secs()), (Some(10_000), 2));
        assert_eq!(defaults.grace, Duration::from_secs(25));
        let pause = ["--wait-secs-between-msgs", "0.5", "--shutdown-grace-secs", "11"];
        let set = options(&pause);
        assert_eq!((set.interval, set.grace.as_secs()), (Duration::from_millis(500), 11));
        let input = ["--input", "messages.ndjson"];
        assert_eq!(options(&input).total, None);
        let both = [&input[..], &["--tot-msgs-to-produce", "7"]].concat();
        assert_eq!(options(&both).total, Some(7));
    }

    #[test]
    fn only_without_a_total_there_is_no_more_to_do() {
        for (arguments, stopped) in [
            (&[][..], true),
            (&["--tot-msgs-to-produce", "8"], true),
            (&["--tot-msgs-to-produce", "7"], false),
            (&["--tot-msgs-to-produce", "unlimited"], false),
            (&["--input", "messages.ndjson"], true),
            (&["--input", "messages.ndjson", "--tot-msgs-to-produce", "8"], true),
            (&["--input", "messages.ndjson", "--tot-msgs-to-produce", "unlimited"], false),
        ] {
            assert_eq!(is_stopped(arguments), stopped, "{arguments:?}");
        }
    }
}
