//! `event-local`: the whole path on this machine, without an account and without a server.
//!
//! Exit status: 0 if every message is accounted for; 1 if not, or if an engine failed; 2 if the
//! arguments or lines of the input are wrong; 130 if it was interrupted a second time.

mod args;
mod complaints;
mod cost;
mod progress;
mod run;
mod summary;
mod tally;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use event_core::{Error, ErrorKind};
use event_local::{cli, logs};

use args::Args;
use run::Ended;

const NOT_ACCOUNTED: u8 = 1;
const BAD_INPUT: u8 = 2;

fn main() -> ExitCode {
    match start() {
        Ok((args, ended)) => report(&args, &ended),
        Err(message) => {
            eprintln!("event-local: {message}");
            ExitCode::from(BAD_INPUT)
        }
    }
}

fn start() -> Result<(Args, Ended), String> {
    let args: Args = cli::read()?;
    let filter = logs::filter(&args.log_level)?;
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(ansi)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("the runtime does not start: {error}"))?;
    let ended = runtime.block_on(run::run(&args)).map_err(|error| error.to_string())?;
    // A read of standard input that waits for a line nobody needs any more must not keep it up.
    runtime.shutdown_background();
    Ok((args, ended))
}

fn report(args: &Args, ended: &Ended) -> ExitCode {
    for line in &ended.complaints {
        eprintln!("event-local: {line}");
    }
    let summary = &ended.summary;
    let text = if args.json {
        serde_json::to_string(summary).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    } else {
        summary.to_string()
    };
    // A reader that went away has what it wanted; the exit status still tells.
    let _ = writeln!(std::io::stdout(), "{text}");
    if let Some(error) = &ended.error {
        eprintln!("event-local: {error}");
    }
    if !summary.balanced {
        let accounted = summary.stored + summary.quarantined + summary.suppressed;
        eprintln!(
            "event-local: of {} messages sent, {accounted} are accounted for; the others were on \
             the queue in memory, which is gone",
            summary.sent
        );
    }
    match &ended.error {
        Some(error) if is_bad_input(error) => ExitCode::from(BAD_INPUT),
        Some(_) => ExitCode::from(NOT_ACCOUNTED),
        None if !summary.balanced => ExitCode::from(NOT_ACCOUNTED),
        None if !ended.complaints.is_empty() => ExitCode::from(BAD_INPUT),
        None => ExitCode::SUCCESS,
    }
}

fn is_bad_input(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid
}
