//! Messages from lines of JSON.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use event_core::codec::decode_line;
use event_core::{Bytes, Error, ErrorKind, EventSource, Message, Result, async_trait};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A source that reads messages from a file or a pipe, one for each line, in the format of
/// [`event_core::codec`]: captures, and quarantined messages as they are.
///
/// A line that is no such record is no error: it becomes a message whose body is the line, so
/// that the consumer quarantines it where it can be found. Blank lines are skipped. What a slow
/// writer has written is answered at once, and memory does not grow with the file.
///
/// A line over 16 MiB ends the source with an error, as a failing read does. No record comes
/// near: SQS takes 1 MiB, which JSON writes as six at most; so the input is something else, and to
/// look for the end of that line could take all memory.
///
/// ```
/// use event_core::EventSource;
/// use event_mem::Replay;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let lines = "{\"body\": \"{}\"}\nnot a record\n";
/// let mut source = Replay::from_reader(lines.as_bytes(), "example").inspect(|line, _, fault| {
///     if let Some(fault) = fault {
///         eprintln!("example line {line}: {fault}");
///     }
/// });
/// let batch = source.next_batch(10).await?;
/// assert_eq!(batch[0].body, "{}");
/// assert_eq!(batch[1].body, "not a record");
/// # Ok(())
/// # }
/// ```
pub struct Replay {
    name: String,
    lines: Receiver<Result<Vec<Line>>>,
    /// Read and not answered yet.
    ready: VecDeque<Line>,
    /// Why there is nothing more to read.
    ended: Option<Result<()>>,
    inspect: Option<Inspect>,
}

type Inspect = Box<dyn FnMut(u64, &Message, Option<&str>) + Send>;

struct Line {
    number: u64,
    message: Message,
    fault: Option<Box<str>>,
}

const MAX_LINE: usize = 16 * 1024 * 1024;

/// What is read at once. A list of lines holds no more, but for a line that began before.
const CHUNK: usize = 64 * 1024;

/// How many lists of lines may wait to be answered.
const READ_AHEAD: usize = 2;

impl Replay {
    /// Reads this file. Fails with `NotFound`, `Denied` or, for a directory, `Invalid`.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.is_dir(), file)));
        match opened {
            Ok((false, file)) => Ok(Self::from_reader(file, name)),
            Ok((true, _)) => {
                let message = format!("{name} is a directory: name one file of JSON lines");
                Err(Error::invalid("replay", message))
            }
            Err(error) => Err(open_fault(&name, error)),
        }
    }

    /// Reads standard input, which nothing else should read then.
    pub fn stdin() -> Self {
        Self::from_reader(io::stdin(), "standard input")
    }

    /// Reads this reader, on a thread of its own; `name` stands for it in errors.
    pub fn from_reader(reader: impl Read + Send + 'static, name: impl Into<String>) -> Self {
        let name = name.into();
        let (sender, lines) = channel(READ_AHEAD);
        let thread = std::thread::Builder::new().name("replay".to_owned());
        let started = thread.spawn({
            let name = name.clone();
            move || read(reader, &name, &sender)
        });
        let ended = started.err().map(|error| {
            let message = format!("no thread could be started to read {name}");
            Err(Error::new(ErrorKind::Transient, "replay", message).with_source(error))
        });
        Self { name, lines, ready: VecDeque::new(), ended, inspect: None }
    }

    /// Calls this with each line when its message is answered, in order: the number of the line
    /// from 1, the message, and what is wrong with the line if it is no record.
    #[must_use]
    pub fn inspect(
        mut self,
        inspect: impl FnMut(u64, &Message, Option<&str>) + Send + 'static,
    ) -> Self {
        self.inspect = Some(Box::new(inspect));
        self
    }

    /// Fails now and at each later call: what failed shall not look like the end.
    fn fail<T>(&mut self, error: Error) -> Result<T> {
        self.ended = Some(Err(error.clone()));
        Err(error)
    }

    fn answer(&mut self, max: usize) -> Vec<Message> {
        let count = max.min(self.ready.len());
        let inspected = |line: Line| {
            if let Some(inspect) = &mut self.inspect {
                inspect(line.number, &line.message, line.fault.as_deref());
            }
            line.message
        };
        self.ready.drain(..count).map(inspected).collect()
    }
}

#[async_trait]
impl EventSource for Replay {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        if self.ready.is_empty() {
            if let Some(ended) = &self.ended {
                return ended.clone().map(|()| Vec::new());
            }
            match self.lines.recv().await {
                Some(Ok(lines)) if lines.is_empty() => self.ended = Some(Ok(())),
                Some(Ok(lines)) => self.ready = lines.into(),
                Some(Err(error)) => return self.fail(error),
                // Or a reader that panics would look like the end of the file.
                None => {
                    let message = format!("reading {} was given up", self.name);
                    return self.fail(Error::new(ErrorKind::Unknown, "replay", message));
                }
            }
        }
        Ok(self.answer(max))
    }
}

/// Sends lists of lines, and at the end an error or an empty list; returns early when nobody
/// wants them any more.
fn read(mut reader: impl Read, name: &str, sender: &Sender<Result<Vec<Line>>>) {
    let mut splitter = Splitter::default();
    let mut chunk = vec![0; CHUNK];
    loop {
        let mut lines = Vec::new();
        let ended = match reader.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Some(Err(read_fault(name, splitter.lines + 1, error))),
            Ok(0) => {
                splitter.finish(&mut lines);
                Some(Ok(Vec::new()))
            }
            Ok(count) => {
                let whole = splitter.push(&chunk[..count], &mut lines);
                (!whole).then(|| Err(too_long(name, splitter.lines + 1)))
            }
        };
        // Before the next read, which may wait for long.
        let wanted = lines.is_empty() || sender.blocking_send(Ok(lines)).is_ok();
        if let Some(ended) = ended {
            // Nobody may want to know.
            let _ = sender.blocking_send(ended);
            return;
        }
        if !wanted {
            return;
        }
    }
}

/// Cuts chunks into lines.
#[derive(Default)]
struct Splitter {
    /// How many lines have ended.
    lines: u64,
    /// The start of the line that has not ended.
    partial: Vec<u8>,
}

impl Splitter {
    /// False where the line after the last one that ended is too long.
    fn push(&mut self, mut chunk: &[u8], lines: &mut Vec<Line>) -> bool {
        while let Some(end) = chunk.iter().position(|&byte| byte == b'\n') {
            if self.partial.len() + end > MAX_LINE {
                return false;
            }
            if self.partial.is_empty() {
                self.line(&chunk[..end], lines);
            } else {
                let mut line = std::mem::take(&mut self.partial);
                line.extend_from_slice(&chunk[..end]);
                self.line(&line, lines);
            }
            chunk = &chunk[end + 1..];
        }
        self.partial.extend_from_slice(chunk);
        self.partial.len() <= MAX_LINE
    }

    /// The last line need not end with a newline.
    fn finish(&mut self, lines: &mut Vec<Line>) {
        let line = std::mem::take(&mut self.partial);
        self.line(&line, lines);
    }

    fn line(&mut self, line: &[u8], lines: &mut Vec<Line>) {
        self.lines += 1;
        if line.trim_ascii().is_empty() {
            return;
        }
        let (message, fault) = match decode_line(line) {
            Ok(message) => (message, None),
            Err(fault) => (Message::new(Bytes::copy_from_slice(line)), Some(fault.into())),
        };
        lines.push(Line { number: self.lines, message, fault });
    }
}

fn open_fault(name: &str, error: io::Error) -> Error {
    let (kind, message) = match error.kind() {
        io::ErrorKind::NotFound => {
            (ErrorKind::NotFound, format!("{name} is not there: name a file of JSON lines"))
        }
        io::ErrorKind::PermissionDenied => {
            (ErrorKind::Denied, format!("{name} may not be read: allow it or name another file"))
        }
        _ => (ErrorKind::Unknown, format!("{name} cannot be opened")),
    };
    Error::new(kind, "replay", message).with_source(error)
}

fn read_fault(name: &str, line: u64, error: io::Error) -> Error {
    let message = format!("{name} line {line} cannot be read");
    Error::new(ErrorKind::Unknown, "replay", message).with_source(error)
}

fn too_long(name: &str, line: u64) -> Error {
    let message = format!(
        "{name} line {line} is longer than {} MiB, as no record is: name a file of JSON lines",
        MAX_LINE / 1024 / 1024
    );
    Error::invalid("replay", message)
}

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("name", &self.name).finish_non_exhaustive()
    }
}
