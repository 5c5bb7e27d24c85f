//! Command lines: errors of one line, and the forms of values.

use std::ffi::OsString;
use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Parser};
use event_core::Layout;
use event_core::retry::IdleBackoff;
use jiff::civil::Date;

use crate::output::{NOT_WRITTEN, complain, not_written};
use crate::variables;

/// The arguments of this process; the error is one line that names the argument, its value and
/// what would do. Prints and exits where help or the version is asked for.
pub fn read<A: Parser>() -> Result<A, String> {
    read_as(&A::command())
}

/// The same of a program whose command is A's under another name.
pub fn read_as<A: Parser>(command: &Command) -> Result<A, String> {
    read_from(command, std::env::args_os())
}

fn read_from<A: Parser>(
    command: &Command,
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<A, String> {
    let matches = command.clone().try_get_matches_from(arguments);
    matches.and_then(|matches| A::from_arg_matches(&matches)).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let written = error.print().and_then(|()| std::io::stdout().flush());
            let Err(why) = written else { std::process::exit(0) };
            complain(format_args!("{}: {}", command.get_name(), not_written(&why)));
            std::process::exit(NOT_WRITTEN.into())
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => error.exit(),
        _ => in_one_line(error, command),
    })
}

/// What is wrong with arguments, in one line that names the argument, its value and what would do.
pub fn in_one_line(mut error: clap::Error, command: &Command) -> String {
    escape_quoted(&mut error);
    one_line(&error, command)
}

/// What was given is quoted on the first line, and would break it.
fn escape_quoted(error: &mut clap::Error) {
    for kind in [ContextKind::InvalidArg, ContextKind::InvalidValue] {
        let Some(ContextValue::String(quoted)) = error.get(kind) else { continue };
        if quoted.contains(char::is_control) {
            let escaped = quoted.escape_debug().to_string();
            error.insert(kind, ContextValue::String(escaped));
        }
    }
}

/// The first line of clap's report, with the variable that the value may have come from.
fn one_line(error: &clap::Error, command: &Command) -> String {
    let (line, variable) = match error.get(ContextKind::InvalidArg) {
        // The names of what is missing are on the lines below.
        Some(ContextValue::Strings(missing)) => {
            let variable = missing.first().and_then(|argument| variable_of(argument, command));
            (format!("{} is missing", missing.join(", ")), variable)
        }
        // Another command may know it.
        _ if error.kind() == ErrorKind::UnknownArgument => (first_line(error), None),
        Some(ContextValue::String(argument)) => (first_line(error), variable_of(argument, command)),
        _ => (first_line(error), None),
    };
    let line = format!("{line}{}", hint(error));
    match variable {
        Some(variable) => {
            format!("{line} (or the variable {variable}{})", instead(&variable, command))
        }
        None => format!("{line} (see --help)"),
    }
}

/// What clap says of it below the first line: what there is, and what may be meant.
fn hint(error: &clap::Error) -> String {
    let listed = |kind| {
        let all = match error.get(kind)? {
            ContextValue::String(one) => std::slice::from_ref(one),
            ContextValue::Strings(some) => some,
            _ => return None,
        };
        // A setting that may be left blank lists the empty text as well.
        let named: Vec<_> = all.iter().map(String::as_str).filter(|one| !one.is_empty()).collect();
        (!named.is_empty()).then(|| named.join(", "))
    };
    use ContextKind::{SuggestedArg, SuggestedSubcommand, SuggestedValue, ValidValue};
    let meant = [SuggestedArg, SuggestedSubcommand, SuggestedValue].into_iter().find_map(listed);
    let there_is = listed(ValidValue).map(|values| format!(": expected one of {values}"));
    let meant = meant.map(|meant| format!("; did you mean {meant}?"));
    there_is.unwrap_or_default() + &meant.unwrap_or_default()
}

/// A variable that is set in the place of one that is not.
fn instead(variable: &str, command: &Command) -> String {
    let found = variables::misspelt(command, std::env::vars_os());
    let found = found.into_iter().find(|found| found.meant == variable);
    found.map_or_else(String::new, |found| format!("; {} is set: did you mean it?", found.name))
}

fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}

/// The variable of an argument that clap shows as `--name <VALUE>`, in this command or one below.
fn variable_of(argument: &str, command: &Command) -> Option<String> {
    let is_meant =
        |long: &str| argument == format!("--{long}") || argument.starts_with(&format!("--{long} "));
    let own = command.get_arguments().find(|known| known.get_long().is_some_and(is_meant));
    match own {
        Some(own) => Some(own.get_env()?.to_string_lossy().into_owned()),
        None => command.get_subcommands().find_map(|below| variable_of(argument, below)),
    }
}

fn number(text: &str) -> Result<f64, String> {
    f64::from_str(text).map_err(|_| "give a number".to_owned())
}

/// Longer pauses are taken for a mistake in the unit.
pub const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A time in seconds, fractions allowed, at most a [`DAY`].
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = Duration::try_from_secs_f64(number(text)?).ok();
    seconds
        .filter(|seconds| *seconds <= DAY)
        .ok_or_else(|| format!("give seconds, 0 to {}", DAY.as_secs()))
}

/// Longer ones are taken for milliseconds: no cluster waits an hour for a pod.
const LONGEST_GRACE: Duration = Duration::from_secs(60 * 60);

/// A time to settle what is held at the end, in seconds, at most an hour.
pub fn grace(text: &str) -> Result<Duration, String> {
    let grace = seconds(text).ok().filter(|grace| *grace <= LONGEST_GRACE);
    grace.ok_or_else(|| format!("give seconds, 0 to {}", LONGEST_GRACE.as_secs()))
}

/// The first wait of an [`IdleBackoff`] in seconds; zero stands for none.
pub fn backoff(text: &str) -> Result<Duration, String> {
    let first = Duration::try_from_secs_f64(number(text)?).ok();
    first
        .filter(|first| *first <= IdleBackoff::MAX)
        .ok_or_else(|| format!("give seconds, 0 to {}", IdleBackoff::MAX.as_secs()))
}

/// A share from 0 to 1.
pub fn share(text: &str) -> Result<f64, String> {
    let share = number(text)?;
    let sound = (0.0..=1.0).contains(&share);
    sound.then_some(share).ok_or_else(|| "give a share from 0 to 1".to_owned())
}

/// As the original demo's users write it, `True` and `False` included.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err("give true or false".to_owned()),
    }
}

/// A number of messages, or that there is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// So many; at least 1.
    Messages(u64),
    /// Until it is told to stop.
    Unlimited,
}

impl Total {
    /// The number, if there is one.
    pub fn messages(self) -> Option<u64> {
        match self {
            Self::Messages(messages) => Some(messages),
            Self::Unlimited => None,
        }
    }
}

/// A [`Total`]: a number from 1, or the word `unlimited`.
pub fn total(text: &str) -> Result<Total, String> {
    if text.eq_ignore_ascii_case("unlimited") {
        return Ok(Total::Unlimited);
    }
    let messages = text.parse().ok().filter(|messages| *messages > 0);
    messages
        .map(Total::Messages)
        .ok_or_else(|| format!("give a number of messages, 1 to {}, or unlimited", u64::MAX))
}

/// A day, `2026-11-22`.
pub fn day(text: &str) -> Result<Date, String> {
    // Other forms, such as a time, say more than is meant.
    let day = text.parse().ok().filter(|day: &Date| day.to_string() == text);
    day.ok_or_else(|| "give a day like 2026-11-22".to_owned())
}

/// The prefix of the stored events.
pub fn layout(text: &str) -> Result<Layout, String> {
    Layout::new(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[derive(Debug, Parser)]
    struct Args {
        /// Needed.
        #[arg(long, env = "EVENT_BINS_TEST_BUCKET")]
        bucket: String,
        /// Bounded.
        #[arg(long, env = "EVENT_BINS_TEST_TOTAL", default_value = "1", value_parser = total)]
        total: Total,
        /// Without a variable.
        #[arg(long)]
        plain: Option<u8>,
        /// Of a name that starts as another one.
        #[arg(long, env = "EVENT_BINS_TEST_PLAIN_TEXT", value_parser = ["", "many", "one"])]
        plain_text: Option<String>,
    }

    #[derive(Debug, Parser)]
    struct Two {
        #[arg(long, env = "EVENT_BINS_TEST_TO")]
        to: String,
        #[arg(long)]
        from: String,
    }

    #[derive(Debug, Parser)]
    enum Commands {
        One {
            #[arg(long, env = "EVENT_BINS_TEST_ONE")]
            one: bool,
        },
        Two,
    }

    fn fault(arguments: &[&str]) -> String {
        let arguments = ["test"].iter().chain(arguments).map(OsString::from);
        read_from::<Args>(&Args::command(), arguments).unwrap_err()
    }

    #[test]
    fn faults_are_one_line_that_names_the_argument_and_its_variable() {
        let missing = fault(&[]);
        assert_eq!(
            missing,
            "--bucket <BUCKET> is missing (or the variable EVENT_BINS_TEST_BUCKET)"
        );
        let zero = fault(&["--bucket", "b", "--total", "0"]);
        assert!(zero.contains("'0'") && zero.contains("1 to"), "{zero}");
        assert!(zero.ends_with("(or the variable EVENT_BINS_TEST_TOTAL)"), "{zero}");
        let plain = fault(&["--bucket", "b", "--plain", "x"]);
        assert!(plain.contains("--plain") && plain.ends_with("(see --help)"), "{plain}");
        let text = fault(&["--bucket", "b", "--plain-text", "on"]);
        assert!(text.ends_with("(or the variable EVENT_BINS_TEST_PLAIN_TEXT)"), "{text}");
        assert!(text.contains(": expected one of many, one; did you mean one?"), "{text}");
        let both = read_from::<Two>(&Two::command(), ["test".into()]).unwrap_err();
        let expected = "--to <TO>, --from <FROM> is missing (or the variable EVENT_BINS_TEST_TO)";
        assert_eq!(both, expected);
        let elsewhere = read_from::<Commands>(
            &Commands::command(),
            ["test", "two", "--one"].map(OsString::from),
        );
        let elsewhere = elsewhere.unwrap_err();
        assert!(elsewhere.contains("--one") && elsewhere.ends_with("(see --help)"), "{elsewhere}");
        for fault in [missing, zero, plain, elsewhere, fault(&["stray"])] {
            assert!(!fault.contains('\n'), "{fault}");
        }
    }

    #[test]
    fn an_argument_that_is_misspelt_is_told_with_what_may_be_meant() {
        let close = fault(&["--bucket", "b", "--totl", "1"]);
        assert!(close.contains("'--totl'") && close.contains("did you mean --total?"), "{close}");
        let far = fault(&["--bucket", "b", "--qqqqqqq"]);
        assert!(!far.contains("did you mean"), "{far}");
        let command =
            read_from::<Commands>(&Commands::command(), ["test", "twoo"].map(OsString::from))
                .unwrap_err();
        assert!(command.contains("did you mean two?"), "{command}");
    }

    #[test]
    fn a_fault_in_a_value_of_several_lines_is_one_line_all_the_same() {
        let value = fault(&["--bucket", "b", "--plain", "1\n\n2"]);
        assert!(value.contains(r"'1\n\n2'") && value.contains("--plain"), "{value}");
        let argument = fault(&["--bucket", "b", "--st\tray\n"]);
        assert!(argument.contains(r"'--st\tray\n'"), "{argument}");
    }

    #[test]
    fn a_total_is_a_number_from_one_or_unlimited() {
        assert_eq!(total("10000"), Ok(Total::Messages(10_000)));
        assert_eq!(total("Unlimited"), Ok(Total::Unlimited));
        let most = total("18446744073709551615").unwrap();
        assert_eq!(most.messages(), Some(u64::MAX));
        assert_eq!((total("1").unwrap().messages(), Total::Unlimited.messages()), (Some(1), None));
        for bad in ["0", "-1", "", "1.5", "18446744073709551616", "all"] {
            assert!(total(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_share_is_from_nothing_to_all() {
        assert_eq!(["0", "0.25", "1"].map(share), [Ok(0.0), Ok(0.25), Ok(1.0)]);
        for bad in ["-0.1", "1.1", "NaN", "inf", "", "all"] {
            assert!(share(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn truth_has_the_words_of_many_worlds() {
        assert_eq!(
            ["true", "True", "TRUE", "1", "yes", "Yes"].map(boolean),
            [const { Ok(true) }; 6]
        );
        assert_eq!(["false", "False", "0", "no", "NO"].map(boolean), [const { Ok(false) }; 5]);
        for bad in ["", "2", "on", "y", "truee"] {
            assert!(boolean(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_day_is_written_in_one_way() {
        assert!(day("2026-11-22").is_ok());
        for bad in ["", "22.11.2026", "2026-11-31", "20261122", "2026-11-22T10:00:00", "today"] {
            assert!(day(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn times_have_bounds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for (read, longest) in [
            (seconds as fn(&str) -> Result<Duration, String>, 86_400),
            (backoff, 512),
            (grace, 3600),
        ] {
            assert_eq!(read("0"), Ok(Duration::ZERO));
            assert_eq!(read(&longest.to_string()), Ok(Duration::from_secs(longest)));
            let longer = format!("{longest}.001");
            for bad in ["-1", &longer, "NaN", "inf", "two", ""] {
                assert!(read(bad).is_err(), "{bad:?}, at most {longest}");
            }
        }
        assert!(grace("25000").is_err_and(|fault| fault == "give seconds, 0 to 3600"));
    }
}
