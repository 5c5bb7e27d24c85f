//! Lines, cut from what is read.

use event_core::codec::{BYTE_ORDER_MARK, decode_line};
use event_core::{Bytes, Error, Message, Result};

use super::{Format, start};

pub(super) const MAX_LINE: usize = 16 * 1024 * 1024;

pub(super) struct Line {
    pub(super) number: u64,
    pub(super) message: Message,
    pub(super) fault: Option<Box<str>>,
}

/// Cuts chunks into lines.
pub(super) struct Splitter {
    pub(super) name: String,
    format: Format,
    /// Whether the start of the input was looked at.
    begun: bool,
    /// Whether a line was that is not blank.
    told: bool,
    /// How many lines have ended.
    pub(super) lines: u64,
    /// The start of the line that has not ended.
    partial: Vec<u8>,
}

impl Splitter {
    pub(super) fn new(name: String, format: Format) -> Self {
        Self { name, format, begun: false, told: false, lines: 0, partial: Vec::new() }
    }

    /// Fails where the input is of another kind, or the line after the last one that ended is too
    /// long.
    pub(super) fn push(&mut self, chunk: &[u8], lines: &mut Vec<Line>) -> Result<()> {
        if self.begun {
            return self.cut(chunk, lines);
        }
        self.partial.extend_from_slice(chunk);
        // Whoever has written a line waits for no more.
        if self.partial.len() < start::LOOK && !self.partial.contains(&b'\n') {
            return Ok(());
        }
        self.begin(lines)
    }

    fn begin(&mut self, lines: &mut Vec<Line>) -> Result<()> {
        self.begun = true;
        let start = std::mem::take(&mut self.partial);
        if let Some(other) = start::other_format(&start) {
            return Err(self.of_another_kind(other));
        }
        self.cut(start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&start), lines)
    }

    fn of_another_kind(&self, (what, would_do): (&str, &str)) -> Error {
        let message = format!("{} is {what}: {would_do}", self.name);
        Error::invalid("replay", message)
    }

    fn cut(&mut self, mut chunk: &[u8], lines: &mut Vec<Line>) -> Result<()> {
        while let Some(end) = chunk.iter().position(|&byte| byte == b'\n') {
            if self.partial.len() + end > MAX_LINE {
                return Err(too_long(&self.name, self.lines + 1));
            }
            if self.partial.is_empty() {
                self.line(&chunk[..end], lines)?;
            } else {
                let mut line = std::mem::take(&mut self.partial);
                line.extend_from_slice(&chunk[..end]);
                self.line(&line, lines)?;
            }
            chunk = &chunk[end + 1..];
        }
        self.partial.extend_from_slice(chunk);
        if self.partial.len() > MAX_LINE {
            return Err(too_long(&self.name, self.lines + 1));
        }
        Ok(())
    }

    /// The last line need not end with a newline.
    pub(super) fn finish(&mut self, lines: &mut Vec<Line>) -> Result<()> {
        if !self.begun {
            self.begin(lines)?;
        }
        let line = std::mem::take(&mut self.partial);
        self.line(&line, lines)
    }

    fn line(&mut self, line: &[u8], lines: &mut Vec<Line>) -> Result<()> {
        self.lines += 1;
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let is_first = !std::mem::replace(&mut self.told, true);
        // Bare events are looked at by whoever gets them.
        let reads = is_first || !matches!(self.format, Format::Bodies(_));
        let record = reads.then(|| decode_line(line));
        if is_first {
            let is_record = matches!(record, Some(Ok(_)));
            if let Some(other) = start::other_lines(line, is_record, &self.format) {
                return Err(self.of_another_kind(other));
            }
        }
        let (message, fault) = match (&self.format, record) {
            (Format::Bodies(attributes), _) => {
                let body = line.strip_suffix(b"\r").unwrap_or(line);
                let body = Bytes::copy_from_slice(body);
                (Message { body, attributes: attributes.clone() }, None)
            }
            (_, Some(Ok(message))) => (message, None),
            (_, other) => {
                let fault = other.and_then(Result::err).map(String::into_boxed_str);
                (Message::new(Bytes::copy_from_slice(line)), fault)
            }
        };
        lines.push(Line { number: self.lines, message, fault });
        Ok(())
    }
}

fn too_long(name: &str, line: u64) -> Error {
    let message = format!(
        "{name} line {line} is longer than {} MiB, as no record is: name a file of JSON lines",
        MAX_LINE / 1024 / 1024
    );
    Error::invalid("replay", message)
}
