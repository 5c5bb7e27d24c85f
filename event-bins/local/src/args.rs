//! The command line, and the variables of the original demo where they apply.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::Parser;
use event_core::Layout;
use event_local::cli::{DAY, backoff, layout, seconds};
use event_local::objects::ObjectArgs;
use event_local::schema::SchemaArgs;
use event_local::source::SourceArgs;

/// The level of the logs where nobody sets one.
pub(crate) const DEFAULT_LEVEL: &str = "warn";

/// Runs the whole path on this machine: a producer, a queue in memory, a consumer, and a
/// directory as the store.
#[derive(Debug, Parser)]
#[command(name = "event-local", version, max_term_width = 100, allow_negative_numbers = true)]
// Somebody watches it, and a put into a directory costs nothing.
#[command(mut_arg("batch_max_age_secs", |arg| arg.default_value("0.5")))]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) source: SourceArgs,

    #[command(flatten)]
    pub(crate) schema: SchemaArgs,

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

    /// Prefix of the stored events, below the directory
    #[arg(long, value_name = "PREFIX", env = "S3_PREFIX", default_value = Layout::DEFAULT_PREFIX,
          value_parser = layout)]
    pub(crate) s3_prefix: Layout,

    #[command(flatten)]
    pub(crate) objects: ObjectArgs,

    /// Messages asked for in each receive
    #[arg(long, value_name = "N", env = "MAX_MSGS_PER_BATCH", default_value = "10",
          value_parser = clap::value_parser!(u16).range(1..=10))]
    pub(crate) max_msgs_per_batch: u16,

    /// First pause in seconds after a poll that found nothing; it doubles up to 512 s. 0: no
    /// pause, but polls that wait up to 20 s at the queue
    #[arg(long, value_name = "SECONDS", env = "MSG_POLL_BACKOFF", default_value = "0",
          value_parser = backoff)]
    pub(crate) msg_poll_backoff: Duration,

    /// Pause between two receives in seconds
    #[arg(long, value_name = "SECONDS", env = "MSG_PROCESS_DELAY", default_value = "0",
          value_parser = seconds)]
    pub(crate) msg_process_delay: Duration,

    /// Quarantine a message on which the handler has panicked at so many receives in a row
    #[arg(long, value_name = "N", env = "MAX_PANICS_PER_MSG", default_value = "10",
          value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_panics_per_msg: u32,

    /// From an interrupt to the end in seconds, at most; what is not stored by then is lost with
    /// the queue in memory
    #[arg(long, value_name = "SECONDS", env = "SHUTDOWN_GRACE_SECS", default_value = "25",
          value_parser = seconds)]
    pub(crate) shutdown_grace_secs: Duration,

    /// Bring every object to the disk before its message is deleted, so that it survives a power
    /// cut as well; slower
    #[arg(long)]
    pub(crate) fsync: bool,

    /// What to log on standard error: error, warn, info, debug, trace, off, or a tracing filter
    #[arg(long, value_name = "FILTER", env = "LOG_LEVEL", default_value = DEFAULT_LEVEL)]
    pub(crate) log_level: String,
}

impl Args {
    /// The pause between two messages of all producers together.
    pub(crate) fn interval(&self) -> Duration {
        self.rate.unwrap_or(self.wait_secs_between_msgs)
    }

    /// The first pause after a poll that found nothing; none, to wait at the queue.
    pub(crate) fn idle_backoff(&self) -> Option<Duration> {
        Some(self.msg_poll_backoff).filter(|first| !first.is_zero())
    }
}

/// As an interval.
fn rate(text: &str) -> Result<Duration, String> {
    let rate = f64::from_str(text).map_err(|_| "give a number".to_owned())?;
    let interval = Duration::try_from_secs_f64(1.0 / rate).ok();
    interval
        // One over minus infinity is not an error but zero.
        .filter(|interval| rate > 0.0 && *interval <= DAY)
        .ok_or_else(|| "give messages a second, more than 0 and at least one a day".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_above_zero_and_at_least_one_message_a_day() {
        assert_eq!(rate("4"), Ok(Duration::from_millis(250)));
        assert_eq!(rate("inf"), Ok(Duration::ZERO));
        for bad in ["0", "-0", "-5", "-inf", "-1e999", "NaN", "1e-5", "fast"] {
            assert!(rate(bad).is_err(), "{bad:?}");
        }
        assert!(rate("1e-5").is_err_and(|fault| fault.contains("one a day")));
        assert_eq!(rate("2e-5"), Ok(Duration::from_secs(50_000)));
    }

    fn args(arguments: &[&str]) -> Args {
        let program = ["event-local"].iter().chain(arguments);
        Args::try_parse_from(program).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
    }

    #[test]
    fn a_rate_stands_in_place_of_the_pause() {
        let pause = ["--wait-secs-between-msgs", "3"];
        assert_eq!(args(&[]).interval(), Duration::ZERO);
        assert_eq!(args(&pause).interval(), Duration::from_secs(3));
        let both = args(&[&pause[..], &["--rate", "4"]].concat());
        assert_eq!(both.interval(), Duration::from_millis(250));
    }

    #[test]
    fn without_a_backoff_polls_wait_at_the_queue() {
        assert_eq!(args(&[]).idle_backoff(), None);
        let first = args(&["--msg-poll-backoff", "0.5"]).idle_backoff();
        assert_eq!(first, Some(Duration::from_millis(500)));
    }

    /// Half a second after the last event, instead of the five of a pod.
    #[test]
    fn a_batch_that_is_not_full_does_not_wait_for_long() {
        assert_eq!(args(&[]).objects.batch_max_age_secs, Duration::from_millis(500));
        let given = args(&["--batch-max-age-secs", "7"]).objects.batch_max_age_secs;
        assert_eq!(given, Duration::from_secs(7));
    }

    #[test]
    fn numbers_have_bounds_and_defaults() {
        let args = args(&[]);
        assert_eq!((args.producers, args.consumers, args.max_msgs_per_batch), (1, 1, 10));
        assert_eq!((args.count, args.max_panics_per_msg), (None, 10));
        assert_eq!(args.shutdown_grace_secs, Duration::from_secs(25));
        for (argument, sound, wrong) in [
            ("--producers", ["1", "1000"], ["0", "1001"]),
            ("--consumers", ["1", "1000"], ["0", "1001"]),
            ("--max-msgs-per-batch", ["1", "10"], ["0", "11"]),
            ("--max-panics-per-msg", ["1", "4294967295"], ["0", "-1"]),
            ("--count", ["1", "18446744073709551615"], ["0", "-1"]),
            ("--msg-process-delay", ["0", "86400"], ["-1", "86401"]),
        ] {
            let is_taken = |value| Args::try_parse_from(["event-local", argument, value]).is_ok();
            assert_eq!(sound.map(is_taken), [true; 2], "{argument} {sound:?}");
            assert_eq!(wrong.map(is_taken), [false; 2], "{argument} {wrong:?}");
        }
    }
}
