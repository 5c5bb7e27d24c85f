//! Standard output and standard error that take nothing.

use std::process::Stdio;

use tempfile::TempDir;

use crate::{event_local, stderr};

/// A device without room, and a pipe whose reader left.
fn deaf() -> [Stdio; 2] {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    [full.into(), writer.into()]
}

#[test]
fn a_summary_that_cannot_be_written_ends_with_a_status_that_says_so() {
    let out = TempDir::new().unwrap();
    for arguments in [&["--json", "--count", "1"][..], &["--count", "1"], &["--help"]] {
        for stdout in deaf() {
            let output = event_local(out.path()).args(arguments).stdout(stdout).output().unwrap();
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {text}");
            assert!(text.starts_with("event-local: standard output cannot be written: "), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }
}

#[test]
fn complaints_that_cannot_be_written_change_no_exit_status() {
    let out = TempDir::new().unwrap();
    for (arguments, status) in
        [(&["--frobnicate"][..], 2), (&["--input", "-"], 2), (&["--count", "1"], 0)]
    {
        for stderr in deaf() {
            let mut command = event_local(out.path());
            // What is told in the log.
            command.env("S3_PERFIX", "x").args(arguments);
            let output = command.stderr(stderr).output().unwrap();
            assert_eq!(output.status.code(), Some(status), "{arguments:?}");
        }
    }
}
