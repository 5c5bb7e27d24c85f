//! Logs on standard error, as text or as JSON.

use std::io::IsTerminal;

use clap::{Args, ValueEnum};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// The settings of the logs.
#[derive(Clone, Debug, Args)]
pub struct LogArgs {
    /// What to log: error, warn, info, debug, trace, or a tracing filter such as
    /// `info,event_core=debug`
    #[arg(long, value_name = "FILTER", env = "LOG_LEVEL", default_value = "INFO")]
    pub log_level: String,

    /// How to log: one line of text, or one JSON object a line. At the level debug of event_core
    /// each request is a span, and JSON has a line with its duration (production: json)
    #[arg(
        long,
        value_name = "FORMAT",
        env = "LOG_FORMAT",
        default_value = "text",
        ignore_case = true
    )]
    pub log_format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For a person.
    Text,
    /// For a machine.
    Json,
}

/// A filter from the text of a setting; the error says what is wrong with it.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    EnvFilter::try_new(text)
        .map_err(|error| format!("--log-level (or the variable LOG_LEVEL) is {text:?}: {error}"))
}

impl LogArgs {
    /// Starts to log. The error names the setting at fault.
    pub fn start(&self) -> Result<(), String> {
        let logs = tracing_subscriber::fmt()
            .with_env_filter(filter(&self.log_level)?)
            .with_ansi(std::io::stderr().is_terminal())
            .with_writer(std::io::stderr);
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
            LogFormat::Text => eprintln!("{program}: {text}"),
            LogFormat::Json => {
                let line =
                    serde_json::json!({"level": "ERROR", "target": program, "message": text});
                eprintln!("{line}");
            }
        }
    }
}
