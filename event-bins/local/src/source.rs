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
    /// wrong with it if it is not a record.
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

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        source: SourceArgs,
    }

    fn args(arguments: &[&str]) -> SourceArgs {
        Program::try_parse_from(["program"].iter().chain(arguments)).expect("sound").source
    }

    async fn made_up(arguments: &[&str]) -> (Option<u64>, Vec<Message>) {
        let source = args(arguments).open(&SchemaArgs::default(), |_, _, _| panic!("no line"));
        let Source { mut events, seed } = source.expect("a source");
        (seed, events.next_batch(100).await.expect("events"))
    }

    fn invalid(events: &[Message]) -> usize {
        use event_core::{Retail, Schema};
        events.iter().filter(|event| Retail::default().identify(event).is_err()).count()
    }

    #[tokio::test]
    async fn a_seed_makes_the_same_events_of_days_of_its_own() {
        let (seed, events) = made_up(&["--seed", "7"]).await;
        assert_eq!(seed, Some(7));
        assert_eq!(made_up(&["--seed", "7"]).await.1, events);
        assert_ne!(made_up(&["--seed", "8"]).await.1, events);
        let first = |events: &[Message]| String::from_utf8_lossy(&events[0].body).into_owned();
        assert!(first(&events).contains("2026-01-01T00:00:"), "{}", first(&events));
        let (seed, of_now) = made_up(&[]).await;
        assert!(!first(&of_now).contains("2026-01-01T00:00:"), "{}", first(&of_now));
        // What made them can be asked for.
        let again = seed.expect("a seed").to_string();
        assert_eq!(made_up(&["--seed", &again]).await.0, seed);
    }

    #[tokio::test]
    async fn as_many_are_invalid_as_is_asked_for_and_none_where_none_shall_be() {
        let all = ["--seed", "7", "--invalid-rate", "1"];
        assert_eq!(invalid(&made_up(&all).await.1), 100);
        let none = [&all[..], &["--trigger-random-failures", "FALSE"]].concat();
        assert_eq!(invalid(&made_up(&none).await.1), 0);
        let usual = invalid(&made_up(&["--seed", "7"]).await.1);
        assert!((1..30).contains(&usual), "{usual}");
    }

    #[tokio::test]
    async fn as_many_repeat_an_earlier_one_as_is_asked_for() {
        let different = |events: Vec<Message>| {
            let bodies: std::collections::BTreeSet<_> =
                events.into_iter().map(|event| event.body).collect();
            bodies.len()
        };
        assert_eq!(different(made_up(&["--seed", "7"]).await.1), 100);
        let half = ["--seed", "7", "--duplicate-rate", "0.5"];
        assert!((30..70).contains(&different(made_up(&half).await.1)));
        assert_eq!(made_up(&half).await.1, made_up(&half).await.1);
    }

    #[tokio::test]
    async fn lines_of_an_input_are_looked_at_by_their_number_and_have_no_seed() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let line = r#"{"body": "{}", "attributes": {"event_type": "sale_event"}}"#;
        std::fs::write(file.path(), format!("{line}\nno record\n")).expect("written");
        let path = file.path().to_str().expect("text");
        let input = args(&["--input", path, "--seed", "7"]);
        let seen: Arc<Mutex<Vec<(u64, bool)>>> = Arc::default();
        let look = {
            let seen = Arc::clone(&seen);
            move |line, _: &Message, fault: Option<&str>| {
                seen.lock().expect("whole").push((line, fault.is_some()));
            }
        };
        let mut source = input.open(&SchemaArgs::default(), look).expect("a source");
        assert_eq!(source.events.next_batch(10).await.expect("lines").len(), 2);
        assert_eq!(*seen.lock().expect("whole"), [(1, false), (2, true)]);
        assert_eq!((source.seed, input.name().as_deref()), (None, Some(path)));
        assert_eq!(args(&["--input", "-"]).name().as_deref(), Some("standard input"));
        assert_eq!(args(&[]).name(), None);
    }
}
