//! The command line, and the variables of the reference where they apply.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, Parser};
use event_core::{IdleBackoff, Layout};

/// Runs the whole path on this machine: a producer, a queue in memory, a consumer, and a
/// directory as the store.
#[derive(Debug, Parser)]
#[command(name = "event-local", version, max_term_width = 100, allow_negative_numbers = true)]
pub(crate) struct Args {
    /// Replay the messages of this file, one JSON record a line; `-` is standard input.
    /// Without it, messages are made up
    #[arg(long, value_name = "FILE|-")]
    pub(crate) input: Option<PathBuf>,

    /// Store below this directory
    #[arg(long, value_name = "DIR", default_value = "out")]
    pub(crate) out: PathBuf,

    /// Print the summary as JSON on standard output
    #[arg(long)]
    pub(crate) json: bool,

    /// Messages to send, duplicates counted [default: 10000, or all of the input]
    #[arg(long, value_name = "N", env = "TOT_MSGS_TO_PRODUCE", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,

    /// Pause between two messages in seconds, fractions allowed; 0 is as fast as it goes
    #[arg(long, value_name = "SECONDS", env = "WAIT_SECS_BETWEEN_MSGS", default_value = "0",
          value_parser = seconds)]
    pub(crate) wait_secs_between_msgs: Duration,

    /// Messages a second, in place of the pause
    #[arg(long, value_name = "N", value_parser = rate)]
    pub(crate) rate: Option<Duration>,

    /// Producers that share the messages
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) producers: u16,

    /// Consumers that compete for them
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(crate) consumers: u16,

    /// How many of the messages repeat an earlier one, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub(crate) duplicate_rate: f64,

    /// How many of the made-up events are invalid, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share)]
    pub(crate) invalid_rate: f64,

    /// Whether any of the made-up events are invalid at all
    #[arg(long, value_name = "BOOL", env = "TRIGGER_RANDOM_FAILURES", default_value = "true",
          action = ArgAction::Set, ignore_case = true, value_parser = boolean)]
    pub(crate) trigger_random_failures: bool,

    /// Make up the same events as another run with this seed, byte for byte: their times then
    /// start at 2026-01-01 [default: random, from now on]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Prefix of the stored events, below the directory
    #[arg(long, value_name = "PREFIX", env = "S3_PREFIX", default_value = Layout::DEFAULT_PREFIX,
          value_parser = layout)]
    pub(crate) s3_prefix: Layout,

    /// Messages asked for in each receive
    #[arg(long, value_name = "N", env = "MAX_MSGS_PER_BATCH", default_value = "10",
          value_parser = clap::value_parser!(u16).range(1..=10))]
    pub(crate) max_msgs_per_batch: u16,

    /// Poll without waiting at the queue, and pause after a poll that finds nothing: so many
    /// seconds, doubling up to 512 [default: wait at the queue]
    #[arg(long, value_name = "SECONDS", env = "MSG_POLL_BACKOFF", value_parser = backoff)]
    pub(crate) msg_poll_backoff: Option<Duration>,

    /// Pause between two receives in seconds
    #[arg(long, value_name = "SECONDS", env = "MSG_PROCESS_DELAY", default_value = "0",
          value_parser = seconds)]
    pub(crate) msg_process_delay: Duration,

    /// Bring every object to the disk before its message is deleted, so that it survives a power
    /// cut as well; slower
    #[arg(long)]
    pub(crate) fsync: bool,

    /// What to log on standard error: error, warn, info, debug, trace, or a tracing filter
    #[arg(long, value_name = "FILTER", env = "LOG_LEVEL", default_value = "warn")]
    pub(crate) log_level: String,
}

impl Args {
    /// The arguments of this process; the error is one line that names the argument, its value
    /// and what would do.
    pub(crate) fn read() -> Result<Self, String> {
        Self::try_parse().map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => error.exit(),
            _ => one_line(&error),
        })
    }

    /// The pause between two messages of all producers together.
    pub(crate) fn interval(&self) -> Duration {
        self.rate.unwrap_or(self.wait_secs_between_msgs)
    }
}

/// The first line of clap's report, with the variable that the value may have come from.
fn one_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("error: ").unwrap_or(line);
    let variable = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(argument)) => variable_of(argument),
        _ => None,
    };
    match variable {
        Some(variable) => format!("{line} (or the variable {variable})"),
        None => format!("{line} (see --help)"),
    }
}

fn variable_of(argument: &str) -> Option<String> {
    let command = Args::command();
    let mut arguments = command.get_arguments();
    let found = arguments.find(|known| {
        let long = known.get_long().map(|long| format!("--{long} "));
        long.is_some_and(|long| argument.starts_with(&long))
    })?;
    Some(found.get_env()?.to_string_lossy().into_owned())
}

fn number(text: &str) -> Result<f64, String> {
    f64::from_str(text).map_err(|_| "give a number".to_owned())
}

/// Longer pauses are taken for a mistake in the unit.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = Duration::try_from_secs_f64(number(text)?).ok();
    seconds
        .filter(|seconds| *seconds <= DAY)
        .ok_or_else(|| format!("give seconds, 0 to {}", DAY.as_secs()))
}

fn backoff(text: &str) -> Result<Duration, String> {
    let first = Duration::try_from_secs_f64(number(text)?).ok();
    first.filter(|first| !first.is_zero() && *first <= IdleBackoff::MAX).ok_or_else(|| {
        format!("give seconds, more than 0 and up to {}", IdleBackoff::MAX.as_secs())
    })
}

fn rate(text: &str) -> Result<Duration, String> {
    let interval = Duration::try_from_secs_f64(1.0 / number(text)?).ok();
    interval
        .filter(|interval| *interval <= DAY)
        .ok_or_else(|| "give messages a second, more than 0".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = number(text)?;
    let sound = (0.0..=1.0).contains(&share);
    sound.then_some(share).ok_or_else(|| "give a share from 0 to 1".to_owned())
}

/// As the reference's users write it, `True` and `False` included.
fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("give true or false".to_owned()),
    }
}

fn layout(text: &str) -> Result<Layout, String> {
    Layout::new(text).map_err(|error| error.to_string())
}
