//! `event-consumer`: from a queue in SQS to a bucket in S3.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use event_aws::{Aws, S3Store, SqsQueue};
use event_bins::aws::{AwsArgs, QueueArgs, bucket, with_retries};
use event_bins::health::Needs;
use event_bins::metrics::ConsumerMetrics;
use event_bins::pod::{self, EXIT_STATUS, Failure, PodArgs};
use event_core::log::{Manifest, ObjectLayout};
use event_core::retry::{IdleBackoff, Outages, Retry};
use event_core::{Consumer, ConsumerOptions, Error, Layout, ObjectStore, Result, Retail, Shutdown};
use event_local::cli::{self, Total};
use event_local::logs::LogArgs;
use event_local::objects::ObjectArgs;
use event_local::schema::SchemaArgs;

/// Moves events from a queue in SQS to a bucket in S3, each exactly once.
///
/// Defaults are those of the original demo; in brackets what production wants.
#[derive(Clone, Debug, Parser)]
#[command(name = "event-consumer", version, max_term_width = 100, allow_negative_numbers = true,
          after_help = EXIT_STATUS)]
struct Args {
    #[command(flatten)]
    queue: QueueArgs,

    #[command(flatten)]
    aws: AwsArgs,

    /// Bucket that events are stored in
    #[arg(long, value_name = "BUCKET", env = "STORE_EVENTS_BKT", value_parser = bucket)]
    store_events_bkt: String,

    /// Account that the bucket must belong to, so that events never go to a stranger who took the
    /// name [default: the account of the queue]
    #[arg(long, value_name = "ACCOUNT", env = "STORE_EVENTS_BKT_OWNER")]
    store_events_bkt_owner: Option<String>,

    /// Prefix of the stored events
    #[arg(long, value_name = "PREFIX", env = "S3_PREFIX", default_value = Layout::DEFAULT_PREFIX,
          value_parser = cli::layout)]
    s3_prefix: Layout,

    #[command(flatten)]
    schema: SchemaArgs,

    #[command(flatten)]
    objects: ObjectArgs,

    /// Stop with success after so many messages, or never if `unlimited` (production: unlimited).
    /// Each start begins to count anew
    #[arg(long, value_name = "N|unlimited", env = "TOT_MSGS_TO_PROCESS", default_value = "10000",
          value_parser = cli::total)]
    tot_msgs_to_process: Total,

    /// Quarantine a message on which the handler has panicked at so many receives in a row, each
    /// pod counting its own
    #[arg(long, value_name = "N", env = "MAX_PANICS_PER_MSG", default_value = "10",
          value_parser = clap::value_parser!(u32).range(1..))]
    max_panics_per_msg: u32,

    /// Messages asked for in each poll, 1 to 10 (production: 10)
    #[arg(long, value_name = "N", env = "MAX_MSGS_PER_BATCH", default_value = "5",
          value_parser = clap::value_parser!(u16).range(1..=10))]
    max_msgs_per_batch: u16,

    /// First pause in seconds after a poll that found nothing; it doubles up to 512 s, then starts
    /// again at 2 s. 0: no pause, but polls that wait up to 20 s at the queue (production: 0)
    #[arg(long, value_name = "SECONDS", env = "MSG_POLL_BACKOFF", default_value = "2",
          value_parser = cli::backoff)]
    msg_poll_backoff: Duration,

    /// Pause between two polls in seconds; 0: none, and several polls at once (production: 0)
    #[arg(long, value_name = "SECONDS", env = "MSG_PROCESS_DELAY", default_value = "10",
          value_parser = cli::seconds)]
    msg_process_delay: Duration,

    #[command(flatten)]
    pod: PodArgs,
}

impl AsRef<LogArgs> for Args {
    fn as_ref(&self) -> &LogArgs {
        &self.pod.logs
    }
}

/// What a consumer works on.
struct Connected {
    queue: SqsQueue,
    store: S3Store,
    manifest: Manifest,
}

/// The shortest that SQS knows, beside none.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);

impl Args {
    fn options(&self, layout: ObjectLayout) -> ConsumerOptions {
        let defaults = ConsumerOptions::default();
        let waits_at_queue = self.msg_poll_backoff.is_zero();
        // A poll under way is awaited when the pod is told to stop, and what it brings wants
        // handling: a shorter grace makes shorter polls.
        let wait = defaults.wait.min(self.pod.shutdown_grace_secs * 4 / 5).max(SHORTEST_WAIT);
        self.objects.options(
            layout,
            ConsumerOptions {
                receive_max: usize::from(self.max_msgs_per_batch),
                wait: if waits_at_queue { wait } else { Duration::ZERO },
                idle_backoff: (!waits_at_queue).then_some(self.msg_poll_backoff),
                pause: self.msg_process_delay,
                max_panics: self.max_panics_per_msg,
                total: self.tot_msgs_to_process.messages(),
                grace: self.pod.shutdown_grace_secs,
                ..defaults
            },
        )
    }

    /// The longest time between two polls that these settings allow.
    fn longest_pause(&self) -> Duration {
        let idle = if self.msg_poll_backoff.is_zero() { Duration::ZERO } else { IdleBackoff::MAX };
        self.msg_process_delay + idle
    }

    /// Looks that all is there before the first message is touched.
    async fn connect(&self, aws: &Aws, retry: &Retry) -> Result<Connected> {
        let queue = self.queue.connect(aws).await?;
        let store = S3Store::new(aws, &self.store_events_bkt);
        let owner = self.store_events_bkt_owner.as_deref().filter(|owner| !owner.is_empty());
        let store = match owner.or(queue.account()) {
            Some(owner) => store.owned_by(owner)?,
            None => store,
        };
        // By a request that writes nothing, before one that does.
        store.check().await?;
        // Once: the caller tries again.
        let (stop, stopped) = Shutdown::new();
        stop.shutdown();
        let options = self.objects.manifest(&self.schema, ObjectLayout::Event);
        let manifest = Manifest::open(&store, &self.s3_prefix, &options, retry, &stopped).await?;
        Ok(Connected { queue, store, manifest })
    }
}

fn main() -> ExitCode {
    pod::main(run)
}

async fn run(args: Args, shutdown: Shutdown) -> Result<(), Failure> {
    let stopped =
        |done| pod::stopped(done, args.tot_msgs_to_process.messages(), "TOT_MSGS_TO_PROCESS");
    let Some(aws) = pod::unless_stopped(&shutdown, Box::pin(args.aws.load())).await else {
        return stopped(0);
    };
    let aws = aws.map_err(|error| Failure::at_start(&error))?;
    let watched = args
        .pod
        .watch(ConsumerMetrics::new(&aws, &Retail::EVENT_TYPES), args.longest_pause(), &shutdown)
        .await?;

    // What fails for writer and engine, as every put in an outage, is told once.
    let outages = Outages::default();
    let retry = Retry::default().outages(outages.clone());
    let retry = retry.observed_by(Arc::clone(&watched.observer));
    let Some(found) = with_retries(&shutdown, || args.connect(&aws, &retry)).await else {
        return stopped(0);
    };
    let wrong = |error: Error| Failure::at_start(&error);
    let Connected { queue, store, manifest } = found.map_err(wrong)?;
    let schema = args.schema.schema(Some(&manifest)).map_err(wrong)?;
    watched.readiness.started(Needs { queue: queue.clone(), store: Some(store.clone()) });
    tracing::info!(queue = queue.url(), bucket = store.bucket(), "consuming");

    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let (layout, prefix) = (manifest.layout(), &args.s3_prefix);
    let quarantine = ObjectArgs::quarantine(&manifest, Arc::clone(&store), prefix.clone());
    let writer = args.objects.writer(&manifest, store, prefix.clone(), schema, retry);
    let consumer = Consumer::new(Arc::new(queue), writer.map_err(wrong)?, quarantine)
        .options(args.options(layout))
        .retry(Retry::default().outages(outages))
        .observer(watched.observer);
    let report = pod::engine(consumer.run(shutdown)).await?;
    tracing::info!(
        received = report.received,
        stored = report.acknowledged,
        duplicates = report.duplicates,
        quarantined = report.quarantined,
        released = report.released,
        deleted = report.deleted,
        delete_failed = report.delete_failed,
        abandoned = report.abandoned,
        "finished"
    );
    stopped(report.deleted + report.delete_failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: &[&str]) -> ConsumerOptions {
        let program = ["event-consumer", "--store-events-bkt", "events"];
        Args::try_parse_from(program.iter().chain(arguments))
            .expect("sound settings")
            .options(ObjectLayout::Event)
    }

    #[test]
    fn a_poll_ends_before_the_grace_does() {
        let wait = |grace| {
            let arguments = ["--msg-poll-backoff", "0", "--shutdown-grace-secs", grace];
            options(&arguments).wait.as_secs()
        };
        assert_eq!(["60", "25", "10", "0"].map(wait), [20, 20, 8, 1]);
    }

    #[test]
    fn every_setting_reaches_the_engine() {
        let arguments = "--tot-msgs-to-process 7 --max-panics-per-msg 3 --max-msgs-per-batch 9 \
                         --msg-poll-backoff 512 --msg-process-delay 0.5 --shutdown-grace-secs 11";
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        let set = ConsumerOptions {
            receive_max: 9,
            wait: Duration::ZERO,
            idle_backoff: Some(Duration::from_secs(512)),
            pause: Duration::from_millis(500),
            max_panics: 3,
            total: Some(7),
            grace: Duration::from_secs(11),
            ..ConsumerOptions::default()
        };
        assert_eq!(options(&arguments), set);
        assert_eq!(options(&["--tot-msgs-to-process", "unlimited"]).total, None);
    }

    /// Whoever watches the pod must not take a pause for silence.
    #[test]
    fn the_longest_pause_is_that_of_idle_polls_and_the_one_between_all() {
        let longest = |backoff, delay| {
            let program = ["event-consumer", "--store-events-bkt", "events"];
            let pauses = ["--msg-poll-backoff", backoff, "--msg-process-delay", delay];
            Args::try_parse_from(program.iter().chain(&pauses)).unwrap().longest_pause().as_secs()
        };
        assert_eq!([longest("2", "10"), longest("0", "10"), longest("0", "0")], [522, 10, 0]);
    }

    #[test]
    fn defaults_poll_as_the_original_demo_does() {
        let demo = ConsumerOptions {
            receive_max: 5,
            wait: Duration::ZERO,
            idle_backoff: Some(Duration::from_secs(2)),
            pause: Duration::from_secs(10),
            max_panics: 10,
            total: Some(10_000),
            grace: Duration::from_secs(25),
            ..ConsumerOptions::default()
        };
        assert_eq!(options(&[]), demo);
    }

    #[test]
    fn production_polls_without_a_pause_and_waits_at_the_queue() {
        let arguments = "--tot-msgs-to-process unlimited --max-msgs-per-batch 10 \
                         --msg-poll-backoff 0 --msg-process-delay 0";
        let arguments: Vec<_> = arguments.split_whitespace().collect();
        assert_eq!(options(&arguments), ConsumerOptions::default());
    }
}
