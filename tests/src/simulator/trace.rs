//! What happened in a simulated world, as lines to read and as one number to compare.

use std::fmt::{self, Write};
use std::hash::{DefaultHasher, Hasher};
use std::time::Duration;

/// Hashes each line, and keeps it where someone is going to read it.
#[derive(Default)]
pub(super) struct Trace {
    hash: DefaultHasher,
    lines: Option<Vec<String>>,
    steps: u64,
}

impl Trace {
    pub(super) fn new(keep: bool) -> Self {
        Self { lines: keep.then(Vec::new), ..Self::default() }
    }

    pub(super) fn line(&mut self, at: Duration, line: fmt::Arguments<'_>) {
        self.steps += 1;
        self.hash.write_u128(at.as_nanos());
        // Hashing never fails.
        let _ = Hashed(&mut self.hash).write_fmt(line);
        if let Some(lines) = &mut self.lines {
            lines.push(format!("{:>12.3}s  {line}", at.as_secs_f64()));
        }
    }

    pub(super) fn steps(&self) -> u64 {
        self.steps
    }

    /// The number that two runs of one seed must share, and the lines that were kept.
    pub(super) fn finish(&mut self) -> (u64, Vec<String>) {
        (self.hash.finish(), self.lines.take().unwrap_or_default())
    }
}

struct Hashed<'a>(&'a mut DefaultHasher);

impl Write for Hashed<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.write(text.as_bytes());
        Ok(())
    }
}
