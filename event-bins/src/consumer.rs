//! A consumer as a pod: settings, signals, probes, metrics, logs and exit statuses around a handler.
//!
//! `event-consumer` is one whose handler stores events. One of your own is a `main` of a line:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! use event_bins::consumer::{self, Work};
//! use event_core::{Delivery, Handler, Outcome, Shutdown, async_trait};
//!
//! struct Warehouse;
//!
//! #[async_trait]
//! impl Handler for Warehouse {
//!     async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
//!         // The effect must be durable and idempotent before a delivery is acknowledged.
//!         vec![Outcome::Ack; batch.len()]
//!     }
//! }
//!
//! fn main() -> ExitCode {
//!     consumer::main("warehouse", async |_| Ok(Work::new(Warehouse)))
//! }
//! ```
//!
//! It takes the settings of `event-consumer`: the queue is `RELIABLE_QUEUE_NAME`, and what the handler
//! quarantines goes to `STORE_EVENTS_BKT` below `quarantine/S3_PREFIX/`. A prefix of its own keeps its
//! quarantine apart from that of other programs.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use event_aws::{Aws, S3Store, SqsQueue};
use event_core::log::{Manifest, ObjectLayout};
use event_core::retry::{IdleBackoff, Outages, Retry};
use event_core::{
    Consumer, ConsumerOptions, Error, ErrorKind, Handler, Layout, ObjectStore, Quarantine, Result,
    Retail, Shutdown,
};
use event_local::cli::{self, Total};
use event_local::logs::LogArgs;
use event_local::objects::ObjectArgs;
use event_local::schema::SchemaArgs;

use crate::aws::{AwsArgs, QueueArgs, bucket, with_retries};
use crate::health::Needs;
use crate::metrics::ConsumerMetrics;
use crate::pod::{self, EXIT_STATUS, Failure, PodArgs};

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

/// What a handler is made of, once the queue and the bucket are there.
pub struct Context {
    args: Args,
    store: Arc<dyn ObjectStore>,
    retry: Retry,
    shutdown: Shutdown,
}

/// What a consumer does with messages.
pub struct Work {
    handler: Arc<dyn Handler>,
    layout: ObjectLayout,
    quarantine: Option<Quarantine>,
}

impl Work {
    /// Hands messages to this handler in the batches of a receive.
    pub fn new(handler: impl Handler) -> Self {
        Self { handler: Arc::new(handler), layout: ObjectLayout::Event, quarantine: None }
    }

    /// Gathers messages into large batches first, as `BATCH_MAX_EVENTS` and its like say.
    #[must_use]
    pub fn in_batches(mut self) -> Self {
        self.layout = ObjectLayout::Batch;
        self
    }
}

impl Context {
    /// The bucket, for a handler that stores something of its own.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// A retry loop whose failures are told once, and counted in the metrics.
    pub fn retry(&self) -> &Retry {
        &self.retry
    }

    /// Requested once the pod is to stop.
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Stores events below the prefix, in its layout: what `event-consumer` does.
    ///
    /// # Errors
    ///
    /// Of [`Manifest::open`], after it was tried for a while; and if the schema cannot be had.
    pub async fn store_events(&self) -> Result<Work> {
        let Self { args, store, retry, shutdown } = self;
        // Once: the caller tries again.
        let (stop, stopped) = Shutdown::new();
        stop.shutdown();
        let options = args.objects.manifest(&args.schema, ObjectLayout::Event);
        let open = || Manifest::open(&**store, &args.s3_prefix, &options, retry, &stopped);
        let opened = with_retries(shutdown, open).await;
        let stopped = || Error::new(ErrorKind::Transient, "open", "told to stop");
        let manifest = opened.ok_or_else(stopped)??;
        let schema = args.schema.schema(Some(&manifest))?;
        let (store, prefix) = (Arc::clone(store), args.s3_prefix.clone());
        let quarantine = ObjectArgs::quarantine(&manifest, Arc::clone(&store), prefix.clone());
        let handler = args.objects.writer(&manifest, store, prefix, schema, retry.clone())?;
        Ok(Work { handler, layout: manifest.layout(), quarantine: Some(quarantine) })
    }
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
    async fn connect(&self, aws: &Aws) -> Result<(SqsQueue, S3Store)> {
        let queue = self.queue.connect(aws).await?;
        let store = S3Store::new(aws, &self.store_events_bkt);
        let owner = self.store_events_bkt_owner.as_deref().filter(|owner| !owner.is_empty());
        let store = match owner.or(queue.account()) {
            Some(owner) => store.owned_by(owner)?,
            None => store,
        };
        // By a request that writes nothing, before one that does.
        store.check().await?;
        Ok((queue, store))
    }
}

/// Runs a consumer under this name until it ends or a signal ends it. `work` is called once the queue
/// and the bucket are there, before the first message is received.
pub fn main(name: &'static str, work: impl AsyncFnOnce(&Context) -> Result<Work>) -> ExitCode {
    pod::main_as(&Args::command().name(name), async |args, shutdown| {
        run(args, shutdown, work).await
    })
}

async fn run(
    args: Args,
    shutdown: Shutdown,
    work: impl AsyncFnOnce(&Context) -> Result<Work>,
) -> Result<(), Failure> {
    let total = args.tot_msgs_to_process.messages();
    let stopped = |done| pod::stopped(done, total, "TOT_MSGS_TO_PROCESS");
    let Some(aws) = pod::unless_stopped(&shutdown, Box::pin(args.aws.load())).await else {
        return stopped(0);
    };
    let wrong = |error: Error| Failure::at_start(&error);
    let aws = aws.map_err(wrong)?;
    let watched = args
        .pod
        .watch(ConsumerMetrics::new(&aws, &Retail::EVENT_TYPES), args.longest_pause(), &shutdown)
        .await?;

    let Some(found) = with_retries(&shutdown, || args.connect(&aws)).await else {
        return stopped(0);
    };
    let (queue, store) = found.map_err(wrong)?;
    let needs = Needs { queue: queue.clone(), store: Some(store.clone()) };
    let (url, bucket) = (queue.url().to_owned(), store.bucket().to_owned());
    // What fails for handler and engine, as every put in an outage, is told once.
    let outages = Outages::default();
    let retry = Retry::default().outages(outages.clone());
    let retry = retry.observed_by(Arc::clone(&watched.observer));
    let store: Arc<dyn ObjectStore> = Arc::new(store);
    let context = Context { args, store, retry, shutdown: shutdown.clone() };
    let Work { handler, layout, quarantine } = match work(&context).await {
        Ok(work) => work,
        // A wrong setting is one at a stop, too.
        Err(error) if shutdown.is_requested() && error.is_retryable() => return stopped(0),
        Err(error) => return Err(wrong(error)),
    };
    let Context { args, store, .. } = context;
    watched.readiness.started(needs);
    tracing::info!(queue = url, bucket, "consuming");

    let quarantine = quarantine.unwrap_or_else(|| Quarantine::new(store, args.s3_prefix.clone()));
    let consumer = Consumer::new(Arc::new(queue), handler, quarantine)
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
