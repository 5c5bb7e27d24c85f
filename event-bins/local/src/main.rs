//! `event-local`: the whole path on this machine, without an account and without a server.
//!
//! Exit status: 0 if every message is accounted for; 1 if not, if an engine failed, or if the summary
//! could not be written; 2 if the arguments or lines of the input are wrong, or there are none; 130 if it
//! was interrupted a second time.

mod args;
mod cost;
mod progress;
mod run;
mod signals;
mod summary;
mod tally;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::CommandFactory;
use event_core::{Error, ErrorKind};
use event_local::output::{self, NOT_WRITTEN, complain};
use event_local::{cli, logs, variables};

use args::{Args, DEFAULT_LEVEL};
use run::Ended;

const NOT_ACCOUNTED: u8 = 1;
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    match start() {
        Ok((args, ended)) => report(&args, &ended),
        Err(message) => {
            complain(format_args!("event-local: {message}"));
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn start() -> Result<(Args, Ended), String> {
    let args: Args = cli::read()?;
    let filter = logs::filter(&args.log_level, DEFAULT_LEVEL)?;
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ansi)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    variables::warn_of_misspelt(&Args::command());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"))?;
    let ended = runtime.block_on(run::run(&args));
    // What blocks must not keep it up: a read of standard input that waits for a line nobody
    // needs any more, a disk that does not answer.
    runtime.shutdown_background();
    Ok((args, ended.map_err(|error| variables::in_settings(&error))?))
}

fn report(args: &Args, ended: &Ended) -> ExitCode {
    for line in &ended.complaints {
        complain(format_args!("event-local: {line}"));
    }
    let summary = &ended.summary;
    let text = if args.json {
        serde_json::to_string(summary).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    } else {
        summary.to_string()
    };
    // An input of another kind is refused as a wrong argument is, with nothing but one line.
    let nothing_began = summary.sent == 0 && ended.error.as_ref().is_some_and(is_bad_input);
    let printed = if nothing_began { Ok(()) } else { output::print(text) };
    if let Err(why) = &printed {
        complain(format_args!("event-local: {why}"));
    }
    if let Some(error) = &ended.error {
        complain(format_args!("event-local: {}", variables::in_settings(error)));
    }
    let unaccounted = summary.unaccounted();
    if let Some(text) = &unaccounted {
        complain(format_args!("event-local: {text}"));
    }
    let is_accounted = unaccounted.is_none();
    let status =
        status(ended.error.as_ref(), is_accounted, !ended.complaints.is_empty(), printed.is_ok());
    ExitCode::from(status)
}

/// What is worse goes before.
fn status(error: Option<&Error>, is_accounted: bool, complained: bool, printed: bool) -> u8 {
    match error {
        Some(error) if is_bad_input(error) => BAD_INPUT,
        Some(_) => NOT_ACCOUNTED,
        None if !is_accounted => NOT_ACCOUNTED,
        None if complained => BAD_INPUT,
        None if !printed => NOT_WRITTEN,
        None => 0,
    }
}

fn is_bad_input(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_that_of_the_worst() {
        let bad_input = Error::invalid("run", "on purpose");
        let failed = Error::new(ErrorKind::Denied, "run", "on purpose");
        for (error, is_accounted, complained, printed, expected) in [
            (None, true, false, true, 0),
            (None, true, false, false, 1),
            (None, true, true, true, 2),
            (None, true, true, false, 2),
            (None, false, true, true, 1),
            (Some(&failed), true, true, true, 1),
            (Some(&bad_input), true, false, true, 2),
            (Some(&bad_input), false, true, false, 2),
        ] {
            let status = status(error, is_accounted, complained, printed);
            assert_eq!(status, expected, "{error:?} {is_accounted} {complained} {printed}");
        }
    }
}
