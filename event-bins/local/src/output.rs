//! Standard output and standard error, either of which may be a full disk or a reader that left.

use std::fmt::Display;
use std::io::{self, Write};

/// The exit status of a program whose result could not be written.
pub const NOT_WRITTEN: u8 = 1;

/// Writes a result and a line end to standard output, all of it.
///
/// # Errors
///
/// One line that says why it was not written: the device is full, the reader left.
pub fn print(result: impl Display) -> Result<(), String> {
    let mut output = io::stdout().lock();
    let written = writeln!(output, "{result}").and_then(|()| output.flush());
    written.map_err(|error| not_written(&error))
}

/// What is said where standard output does not take what is written to it.
pub fn not_written(error: &io::Error) -> String {
    format!("standard output cannot be written: {error}")
}

/// Writes a line to standard error. Where that fails nobody is left to be told, and the exit
/// status is all that says it; `eprintln!` would panic.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
