//! The queue and the bucket, made where they are missing; what is there is changed only on demand.

use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use clap::{ArgAction, Args, ValueEnum, value_parser};
use event_aws::{
    Aws, BucketSetup, Change, Decision, Existing, Plan, QueueSetup, Setting, Step, What,
    plan_bucket, plan_queue,
};
use event_bins::aws::{AwsArgs, QueueArgs, bucket, with_retries};
use event_bins::pod::Failure;
use event_core::{Result, Shutdown};
use event_local::cli;
use tokio::time::sleep;

use crate::{answered, print};

#[derive(Clone, Debug, Args)]
pub(crate) struct SetupArgs {
    #[command(flatten)]
    queue: QueueArgs,

    #[command(flatten)]
    aws: AwsArgs,

    /// Bucket that events are stored in; without it only the queues are made
    #[arg(long, value_name = "BUCKET", env = "STORE_EVENTS_BKT", value_parser = bucket)]
    store_events_bkt: Option<String>,

    /// Name of the dead-letter queue [default: that of the queue and `_dlq`]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    dead_letter_queue: Option<String>,

    /// How long a new message is hidden
    #[arg(long, value_name = "SECONDS", default_value_t = QueueSetup::default().delay.as_secs(),
          value_parser = value_parser!(u64).range(..=900))]
    delay_secs: u64,

    /// How long a received message is hidden
    #[arg(long, value_name = "SECONDS", default_value_t = QueueSetup::default().visibility.as_secs(),
          value_parser = value_parser!(u64).range(..=43_200))]
    visibility_secs: u64,

    /// How long a message is kept in the queue
    #[arg(long, value_name = "SECONDS", default_value_t = QueueSetup::default().retention.as_secs(),
          value_parser = value_parser!(u64).range(60..=1_209_600))]
    retention_secs: u64,

    /// How long a message is kept in the dead-letter queue, from when it was first sent
    #[arg(long, value_name = "SECONDS",
          default_value_t = QueueSetup::default().dead_letter_retention.as_secs(),
          value_parser = value_parser!(u64).range(60..=1_209_600))]
    dead_letter_retention_secs: u64,

    /// How often a message is received before it goes to the dead-letter queue
    #[arg(long, value_name = "N", default_value_t = QueueSetup::default().max_receives,
          value_parser = value_parser!(u32).range(1..=1_000))]
    max_receives: u32,

    /// Whether the queues must be encrypted; if false, their encryption is not looked at
    #[arg(long, value_name = "BOOL", default_value = "true", value_parser = cli::boolean,
          action = ArgAction::Set)]
    encryption: bool,

    /// Whether the bucket must keep old versions; if false, that is not looked at
    #[arg(long, value_name = "BOOL", default_value = "true", value_parser = cli::boolean,
          action = ArgAction::Set)]
    versioning: bool,

    /// Whether the bucket must block all public access; if false, that is not looked at
    #[arg(long, value_name = "BOOL", default_value = "true", value_parser = cli::boolean,
          action = ArgAction::Set)]
    public_access_block: bool,

    /// Where a queue or the bucket is there with other settings: change nothing at all and tell
    /// each difference, keep it as it is, or update it
    #[arg(long, value_name = "CHOICE", default_value = "refuse")]
    existing: OnExisting,

    /// With --existing update: lower a retention, too. SQS deletes the messages that are older
    #[arg(long)]
    lower_retention: bool,

    /// Change nothing; tell what would be done. The status is 0 if that is nothing, else 5
    #[arg(long, conflicts_with = "every_secs")]
    dry_run: bool,

    /// Look again so many seconds after each run, until it is told to stop: for a service that
    /// forgets everything when it restarts
    #[arg(long, value_name = "SECONDS", value_parser = value_parser!(u64).range(1..=86_400))]
    every_secs: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnExisting {
    Refuse,
    Keep,
    Update,
}

/// What `--help` says of the exit status.
pub(crate) const EXIT_STATUS: &str = "Exit status: 0 if all is as wanted now, or was kept by \
    --existing keep; 1 if a service failed or it was told to stop; 2 if a setting is wrong or a right \
    is missing; 5 if what is there differs and nothing was changed; 130 if it was told to stop twice.";

impl SetupArgs {
    pub(crate) async fn run(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        if self.lower_retention && self.existing != OnExisting::Update {
            let text =
                "--lower-retention changes nothing by itself: give --existing update as well";
            return Err(Failure::Setting(text.to_owned()));
        }
        let aws = self.aws.load().await.map_err(|error| Failure::at_start(&error))?;
        let Some(seconds) = self.every_secs else {
            if !self.once(&aws, shutdown, &mut Vec::new()).await? {
                print("all is as it should be: nothing was changed")?;
            }
            return Ok(());
        };
        let mut kept = Vec::new();
        let look = async || self.once(&aws, shutdown, &mut kept).await;
        repeated(Duration::from_secs(seconds), shutdown, look).await
    }

    /// Whether there was anything to do or to keep. What is kept is told unless it `was` before.
    async fn once(
        &self,
        aws: &Aws,
        shutdown: &Shutdown,
        was: &mut Vec<Change>,
    ) -> Result<bool, Failure> {
        let plan = answered(with_retries(shutdown, || self.plan(aws)).await)?;
        let Decision { steps, refused, kept } = plan.decide(self.existing());
        // What nobody gets to read keeps nothing from being done.
        let mut printed = Ok(());
        for change in kept.iter().filter(|change| !was.contains(change)) {
            printed = printed.and(print(format_args!("kept: {change}")));
        }
        was.clone_from(&kept);
        if !refused.is_empty() {
            for change in &refused {
                print(format_args!("refused: {change}; {}", remedy(change)))?;
            }
            return Err(Failure::Differs(refusal(refused.len())));
        }
        if self.dry_run && !steps.is_empty() {
            for change in steps.iter().flat_map(Step::changes) {
                print(format_args!("to do: {change}"))?;
            }
            let text = "this was a dry run: nothing was created or changed";
            return Err(Failure::Differs(text.to_owned()));
        }
        for step in &steps {
            answered(with_retries(shutdown, || step.apply(aws)).await)?;
            for change in step.changes() {
                printed = printed.and(print(change));
            }
        }
        printed?;
        Ok(!steps.is_empty() || !kept.is_empty())
    }

    /// The bucket comes first: its name may be taken, and then no queue is made either.
    async fn plan(&self, aws: &Aws) -> Result<Plan> {
        let of_bucket = match &self.store_events_bkt {
            Some(bucket) => plan_bucket(aws, bucket, &self.bucket_setup()).await?,
            None => Plan::default(),
        };
        let name = &self.queue.reliable_queue_name;
        Ok(of_bucket.and(plan_queue(aws, name, &self.queue_setup()).await?))
    }

    fn queue_setup(&self) -> QueueSetup {
        QueueSetup {
            delay: Duration::from_secs(self.delay_secs),
            visibility: Duration::from_secs(self.visibility_secs),
            retention: Duration::from_secs(self.retention_secs),
            dead_letter_retention: Duration::from_secs(self.dead_letter_retention_secs),
            max_receives: self.max_receives,
            dead_letter_queue: self.dead_letter_queue.clone(),
            encrypted: self.encryption,
        }
    }

    fn bucket_setup(&self) -> BucketSetup {
        let Self { versioning, public_access_block, .. } = *self;
        BucketSetup { versioning, public_access_block }
    }

    fn existing(&self) -> Existing {
        match self.existing {
            OnExisting::Refuse => Existing::Refuse,
            OnExisting::Keep => Existing::Keep,
            OnExisting::Update => Existing::Update { lower_retention: self.lower_retention },
        }
    }
}

/// Looks, and again so long after each look, until it is told to stop. A service that fails is away
/// for a while; all else ends it.
async fn repeated(
    every: Duration,
    shutdown: &Shutdown,
    mut look: impl AsyncFnMut() -> Result<bool, Failure>,
) -> Result<(), Failure> {
    while !shutdown.is_requested() {
        match look().await {
            Ok(_) => {}
            Err(_) if shutdown.is_requested() => break,
            Err(Failure::Service(text)) => tracing::warn!("{text}"),
            Err(failure) => return Err(failure),
        }
        tokio::select! {
            biased;
            () = shutdown.requested() => {}
            () = sleep(every) => {}
        }
    }
    Ok(())
}

/// The flags that keep what is there, and those that change it.
fn remedy(change: &Change) -> String {
    let What::Set { setting, present, .. } = &change.what else { return String::new() };
    let value_of = |flag: &str| format!("{flag} {present}");
    let keeps = match setting {
        Setting::Delay => value_of("--delay-secs"),
        Setting::Visibility => value_of("--visibility-secs"),
        Setting::Retention => value_of("--retention-secs"),
        Setting::DeadLetterRetention => value_of("--dead-letter-retention-secs"),
        Setting::MaxReceives => value_of("--max-receives"),
        Setting::DeadLetterQueue if present != "none" => value_of("--dead-letter-queue"),
        Setting::Encryption => "--encryption false".to_owned(),
        Setting::Versioning => "--versioning false".to_owned(),
        Setting::PublicAccessBlock => "--public-access-block false".to_owned(),
        _ => "--existing keep".to_owned(),
    };
    if change.lowers_retention() {
        return format!(
            "keep it with {keeps}, lower it, which deletes messages, with --existing update \
             --lower-retention"
        );
    }
    format!("keep it with {keeps}, change it with --existing update")
}

fn refusal(differences: usize) -> String {
    let settings = if differences == 1 { "setting differs" } else { "settings differ" };
    format!(
        "{differences} {settings} from what is there: nothing was created or changed; --existing \
         keep leaves what is there as it is"
    )
}

#[cfg(test)]
mod tests;
