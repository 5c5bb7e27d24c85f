//! `eventctl`: makes what the pods need, tells how it is, audits the books, and compacts.

mod audit;
mod compact;
mod setup;
mod status;
mod stored;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use event_bins::aws::{AwsArgs, QueueArgs, bucket, with_retries};
use event_bins::pod::{self, EXIT_STATUS, Failure};
use event_core::{Error, Layout, Result, Shutdown};
use event_local::logs::LogArgs;
use event_local::{cli, output};

/// Makes the queue and the bucket of the pods, tells how they are, audits and compacts what
/// is there.
#[derive(Clone, Debug, Parser)]
#[command(name = "eventctl", version, max_term_width = 100, after_help = EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    logs: LogArgs,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Make the queue, its dead-letter queue and the bucket, where they are missing
    ///
    /// The bucket keeps versions and is closed to the public. What is there is changed only by
    /// --existing update; where it differs from what the flags say, nothing is made or changed, and
    /// each difference is told. A second run changes nothing.
    #[command(after_help = setup::EXIT_STATUS)]
    #[command(allow_negative_numbers = true)]
    Setup(setup::SetupArgs),
    /// Tell how much is on the queue, in the dead-letter queue and in the bucket
    Status(Status),
    /// Prove that each event that was sent is stored once, in quarantine, or a dead letter
    ///
    /// Reads every object of the days that are given, in both layouts; writes
    /// nothing. Without --sent and --sent-file nobody knows what was sent, and the books are held
    /// against themselves alone.
    #[command(after_help = audit::EXIT_STATUS)]
    #[command(allow_negative_numbers = true)]
    Audit(audit::AuditArgs),
    /// Merge the small objects of days that have ended into few large ones for readers
    ///
    /// They are below `compacted/` and the prefix; the small ones stay where they are. It can be run again
    /// at any time, several at once too, and makes good what a crash left behind.
    #[command(after_help = compact::EXIT_STATUS)]
    #[command(allow_negative_numbers = true)]
    Compact(compact::CompactArgs),
}

#[derive(Clone, Debug, Args)]
struct Status {
    #[command(flatten)]
    queue: QueueArgs,

    #[command(flatten)]
    aws: AwsArgs,

    /// Bucket that events are stored in; without it only the queues are looked at
    #[arg(long, value_name = "BUCKET", env = "STORE_EVENTS_BKT", value_parser = bucket)]
    store_events_bkt: Option<String>,

    /// Prefix of the stored events
    #[arg(long, value_name = "PREFIX", env = "S3_PREFIX", default_value = Layout::DEFAULT_PREFIX,
          value_parser = cli::layout)]
    s3_prefix: Layout,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl AsRef<LogArgs> for Arguments {
    fn as_ref(&self) -> &LogArgs {
        &self.logs
    }
}

fn main() -> ExitCode {
    pod::main(async |args: Arguments, shutdown| match args.command {
        Command::Setup(setup) => setup.run(&shutdown).await,
        Command::Status(status) => status.run(&shutdown).await,
        Command::Audit(audit) => audit.run(&shutdown).await,
        Command::Compact(compact) => compact.run(&shutdown).await,
    })
}

impl Status {
    async fn run(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        let aws = self.aws.load().await.map_err(|error| Failure::at_start(&error))?;
        let status = with_retries(shutdown, || status::look(&aws, self));
        let status = answered(status.await)?;
        if self.json { print(serde_json::json!(status)) } else { print(status) }
    }
}

/// Interrupted, there is nothing to tell.
fn answered<T>(answer: Option<Result<T, Error>>) -> Result<T, Failure> {
    let interrupted = || Failure::Service("interrupted".to_owned());
    answer.ok_or_else(interrupted)?.map_err(|error| Failure::at_start(&error))
}

/// What nobody gets to read was done for nothing, and ends with a status that says so.
fn print(line: impl std::fmt::Display) -> Result<(), Failure> {
    output::print(line).map_err(Failure::Service)
}
