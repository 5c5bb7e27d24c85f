//! Where the events of a producer come from, as settings.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args};
use event_core::{EventSource, Message, Result};
use event_mem::{Duplicates, Replay, Synthetic, SyntheticOptions};
use jiff::civil::{DateTime, datetime};
use jiff::{Timestamp, tz::Offset};

use crate::cli::{boolean, share};
use crate::schema::SchemaArgs;

/// The source, and what it gets wrong on purpose.
#[derive(Clone, Debug, Args)]
pub struct SourceArgs {
    /// Replay the messages of this file, one JSON record a line; `-` is standard input.
    /// Without it, messages are made up
    #[arg(long, value_name = "FILE|-")]
    pub input: Option<PathBuf>,

    /// The lines of the input are bare events of this type, each the body of a message
    #[arg(long, value_name = "TYPE", requires = "input")]
    pub event_type: Option<String>,

    /// How many of the messages repeat an earlier one, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0", value_parser = share)]
    pub duplicate_rate: f64,

    /// How many of the made-up events are invalid, from 0 to 1
    #[arg(long, value_name = "SHARE", default_value = "0.1", value_parser = share)]
    pub invalid_rate: f64,

    /// Whether any of the made-up events are invalid at all (production: false)
    #[arg(long, value_name = "BOOL", env = "TRIGGER_RANDOM_FAILURES", default_value = "true",
          action = ArgAction::Set, ignore_case = true, value_parser = boolean)]
    pub trigger_random_failures: bool,

    /// Make up the same events as another run with this seed, byte for byte: their times then
    /// start at 2026-01-01 [default: random, from now on]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// A source, opened.
pub struct Source {
    /// Endless, where events are made up.
    pub events: Box<dyn EventSource>,
    /// Makes the same events again, where they are made up.
    pub seed: Option<u64>,
}

impl SourceArgs {
    /// Opens the source. `look` sees each line of the input: its number, its message, and what is
    /// wrong with it if it is no record.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or no event has the type.
    pub fn open(
        &self,
        schema: &SchemaArgs,
        look: impl FnMut(u64, &Message, Option<&str>) + Send + 'static,
    ) -> Result<Source> {
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..));
        let events: Box<dyn EventSource> = match &self.input {
            Some(input) => Box::new(self.replay(input, schema)?.inspect(look)),
            None => Box::new(Synthetic::new(SyntheticOptions {
                seed,
                invalid_rate: if self.trigger_random_failures { self.invalid_rate } else { 0.0 },
                start: if self.seed.is_some() { datetime(2026, 1, 1, 0, 0, 0, 0) } else { now() },
            })?),
        };
        let events = if self.duplicate_rate > 0.0 {
            Box::new(Duplicates::new(events, self.duplicate_rate, seed)?)
        } else {
            events
        };
        Ok(Source { events, seed: self.input.is_none().then_some(seed) })
    }

    fn replay(&self, input: &Path, schema: &SchemaArgs) -> Result<Replay> {
        let replay = if is_stdin(input) { Replay::stdin() } else { Replay::open(input)? };
        Ok(match &self.event_type {
            Some(event_type) => {
                replay.bodies([schema.attribute(event_type)?].into_iter().collect())
            }
            None => replay,
        })
    }

    /// The name of the input, for a person.
    pub fn name(&self) -> Option<String> {
        let name = |input: &PathBuf| match is_stdin(input) {
            true => "standard input".to_owned(),
            false => input.display().to_string(),
        };
        self.input.as_ref().map(name)
    }
}

/// What to say of an input that has no message.
pub fn nothing_to_send(input: &str) -> String {
    format!("{input} is empty: give messages, one JSON record a line")
}

fn is_stdin(input: &Path) -> bool {
    input == Path::new("-")
}

fn now() -> DateTime {
    Offset::UTC.to_datetime(Timestamp::now())
}
