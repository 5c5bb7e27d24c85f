//! Logs on standard error, as text or as JSON.

use std::io::IsTerminal;

use clap::Args;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::output::complain;

/// The settings of the logs.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// What to log: error, warn, info, debug, trace, off, or a tracing filter such as
    /// `info,event_core=debug`. Names of other worlds (WARNING, CRITICAL, verbose, 20) are taken
    #[arg(long, value_name = "FILTER", env = "LOG_LEVEL", default_value = DEFAULT_LEVEL)]
    pub log_level: String,

    /// How to log: one line of text, or one JSON object a line. At the level debug of event_core
    /// each request is a span, and JSON has a line with its duration (production: json)
    #[arg(
        long,
        value_name = "text|json",
        env = "LOG_FORMAT",
        default_value = "text",
        value_parser = log_format
    )]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// For a machine.
    Json,
}

const DEFAULT_LEVEL: &str = "INFO";

/// An empty one is that of a variable that stands for none.
fn log_format(text: &str) -> Result<LogFormat, String> {
    match text.trim().to_ascii_lowercase().as_str() {
        "text" | "" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}

/// A filter from the text of a setting, or the default where that is empty; the error says what is
/// wrong with it.
///
/// A word that is not a level would be a filter too: for a target of that name, which logs nothing at
/// all of any other. So a target needs its level.
pub fn filter(text: &str, default: &str) -> Result<EnvFilter, String> {
    let wrong = |why: &dyn std::fmt::Display| {
        format!(
            "--log-level (or the variable LOG_LEVEL) is {text:?}: {why}; expected error, warn, \
             info, debug, trace or off, or a filter such as info,event_core=debug"
        )
    };
    let given = if text.trim().is_empty() { default } else { text };
    let parts = given.split(',').map(str::trim).filter(|part| !part.is_empty());
    let directives: Result<Vec<_>, _> = parts.map(directive).collect();
    let directives = directives.map_err(|unknown| wrong(&format!("unknown level {unknown:?}")))?;
    EnvFilter::try_new(directives.join(",")).map_err(|error| wrong(&error))
}

/// With the level as tracing calls it; the error is what is not a level.
fn directive(text: &str) -> Result<String, &str> {
    if text.ends_with(']') {
        return Ok(text.to_owned());
    }
    match text.rsplit_once('=') {
        Some((target, name)) => level(name).map(|level| format!("{target}={level}")).ok_or(name),
        None => level(text).map(str::to_owned).ok_or(text),
    }
}

/// A level by the names that it has in other worlds too: those of Python with their numbers, of
/// syslog, Java, .NET and Node. The number 0 is none: it is everything to some and nothing to
/// others.
fn level(name: &str) -> Option<&'static str> {
    let level = match name.trim().to_ascii_lowercase().as_str() {
        "off" | "none" | "silent" => "off",
        "error" | "err" | "fatal" | "critical" | "crit" | "severe" | "panic" | "alert"
        | "emerg" | "emergency" | "40" | "50" => "error",
        "warn" | "warning" | "30" => "warn",
        "info" | "information" | "informational" | "notice" | "20" => "info",
        "debug" | "verbose" | "config" | "fine" | "http" | "10" => "debug",
        "trace" | "silly" | "finer" | "finest" | "all" | "notset" => "trace",
        // The numbers of tracing.
        "1" => "error",
        "2" => "warn",
        "3" => "info",
        "4" => "debug",
        "5" => "trace",
        _ => return None,
    };
    Some(level)
}

impl LogArgs {
    /// Starts to log. The error names the setting at fault.
    pub fn start(&self) -> Result<(), String> {
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter(&self.log_level, DEFAULT_LEVEL)?)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr)
            // To tell of a line that cannot be written, tracing would write to the same place, and
            // panic.
            .log_internal_errors(false);
        match self.log_format {
            LogFormat::Text => logs.try_init(),
            LogFormat::Json => {
                logs.json().with_span_events(FmtSpan::CLOSE).flatten_event(true).try_init()
            }
        }
        .map_err(|error| format!("logs do not start: {error}"))
    }

    /// The last words of a program that failed: one line, whatever is logged.
    pub fn last_words(&self, program: &str, text: &str) {
        match self.log_format {
            LogFormat::Text => complain(format_args!("{program}: {text}")),
            LogFormat::Json => {
                let line =
                    serde_json::json!({"level": "ERROR", "target": program, "message": text});
                complain(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        filter(text, "info").expect("a filter").to_string()
    }

    #[test]
    fn levels_have_the_names_of_other_worlds_too() {
        for (names, level) in [
            (&["error", "err", "CRITICAL", "FATAL", "Severe", "40", "50", "1"][..], "error"),
            (&["crit", "panic", "alert", "emerg", "Emergency"], "error"),
            (&["WARN", "WARNING", " warning\n", "30", "2"], "warn"),
            (&["INFO", "Information", "informational", "notice", "20", "3"], "info"),
            (&["", " ", "\n"], "info"),
            (&["DEBUG", "verbose", "config", "fine", "http", "10", "4"], "debug"),
            (&["trace", "silly", "finer", "finest", "all", "NOTSET", "5"], "trace"),
            (&["off", "OFF", "none", "silent"], "off"),
        ] {
            for name in names {
                assert_eq!(shown(name), level, "{name:?}");
            }
        }
        assert_eq!(shown("WARNING,event_core=VERBOSE"), "event_core=debug,warn");
        assert_eq!(shown(" WARNING , event_core=3,"), "event_core=info,warn");
        assert_eq!(filter(" ", "error").map(|filter| filter.to_string()), Ok("error".to_owned()));
    }

    #[test]
    fn filters_of_spans_stay_as_they_are() {
        for text in [
            "[put{key=a}]",
            "warn,event_core[put]=debug",
            "warn,event_core[handle{messages=3}]=debug",
        ] {
            assert_eq!(filter(text, "info").err(), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_level_is_answered_with_the_list() {
        for text in ["loud", "60", "0", "-1", "infos", "event_core", "info,loud", "a=loud", "a=b=c"]
        {
            let fault = filter(text, "info").expect_err(text);
            assert!(fault.contains("LOG_LEVEL") && fault.contains("error, warn, info"), "{fault}");
            assert!(!fault.contains('\n'), "{fault}");
        }
    }

    #[test]
    fn a_format_is_text_or_json() {
        assert_eq!(["JSON", "json\n"].map(log_format), [Ok(LogFormat::Json), Ok(LogFormat::Json)]);
        for text in ["", " ", "Text", "text\n"] {
            assert_eq!(log_format(text), Ok(LogFormat::Text), "{text:?}");
        }
        assert!(log_format("logfmt").is_err_and(|fault| fault == "expected text or json"));
    }
}
