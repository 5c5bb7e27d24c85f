//! Messages from lines of JSON.

mod splitter;
mod start;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use event_core::{Attributes, Error, ErrorKind, EventSource, Message, Result, async_trait};
use splitter::{Line, Splitter};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// A source that reads messages from a file or a pipe, one for each line, in the format of
/// [`event_core::codec`]: captures, and quarantined messages as they are.
///
/// A line that is not such a record is not an error: it becomes a message whose body is the line, so
/// that the consumer quarantines it where it can be found. Blank lines are skipped, and a byte order
/// mark at the start. What a slow writer has written is answered at once, and memory does not grow
/// with the file.
///
/// An input that is of another kind as a whole ends the source with an `Invalid` error before its
/// first message: one that is compressed or in UTF-16, and one whose first line is a bare event, a
/// JSON list, an object over several lines or the header of a table.
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
    format: Format,
    /// Not read from yet.
    reader: Option<Box<dyn Read + Send>>,
    /// What the thread that reads has read; none before it started.
    lines: Option<Receiver<Result<Vec<Line>>>>,
    /// Read and not answered yet.
    ready: VecDeque<Line>,
    /// Why there is nothing more to read.
    ended: Option<Result<()>>,
    inspect: Option<Inspect>,
}

/// What lines are.
enum Format {
    Records,
    /// Bodies of messages with these attributes.
    Bodies(Attributes),
    /// Records or anything else, from the first line on.
    Any,
}

type Inspect = Box<dyn FnMut(u64, &Message, Option<&str>) + Send>;

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

    /// Reads this reader, on a thread of its own that starts with the first batch; `name` stands
    /// for it in errors.
    pub fn from_reader(reader: impl Read + Send + 'static, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            format: Format::Records,
            reader: Some(Box::new(reader)),
            lines: None,
            ready: VecDeque::new(),
            ended: None,
            inspect: None,
        }
    }

    /// Takes each line for the body of a message with these attributes, as it is but for the end
    /// of the line.
    #[must_use]
    pub fn bodies(mut self, attributes: Attributes) -> Self {
        self.format = Format::Bodies(attributes);
        self
    }

    /// Takes lines of any kind, the first as well, where what is not a record means something to who
    /// [inspects](Self::inspect) it.
    #[must_use]
    pub fn any_lines(mut self) -> Self {
        self.format = Format::Any;
        self
    }

    /// Calls this with each line when its message is answered, in order: the number of the line
    /// from 1, the message, and what is wrong with the line if it is not a record.
    #[must_use]
    pub fn inspect(
        mut self,
        inspect: impl FnMut(u64, &Message, Option<&str>) + Send + 'static,
    ) -> Self {
        self.inspect = Some(Box::new(inspect));
        self
    }

    /// Starts to read, if that has not been done.
    fn lines(&mut self) -> Result<&mut Receiver<Result<Vec<Line>>>> {
        if let Some(reader) = self.reader.take() {
            let (sender, lines) = channel(READ_AHEAD);
            self.lines = Some(lines);
            let format = std::mem::replace(&mut self.format, Format::Any);
            let splitter = Splitter::new(self.name.clone(), format);
            let thread = std::thread::Builder::new().name("replay".to_owned());
            thread.spawn(move || read(reader, splitter, &sender)).map_err(|error| {
                let message = format!("no thread could be started to read {}", self.name);
                Error::new(ErrorKind::Transient, "replay", message).with_source(error)
            })?;
        }
        // Set where the reader was taken.
        Ok(self.lines.as_mut().expect("a reader that was taken"))
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
            let lines = match self.lines() {
                Ok(lines) => lines,
                Err(error) => return self.fail(error),
            };
            match lines.recv().await {
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
fn read(mut reader: impl Read, mut splitter: Splitter, sender: &Sender<Result<Vec<Line>>>) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let mut lines = Vec::new();
        let ended = match reader.read(&mut chunk) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Some(Err(read_fault(&splitter.name, splitter.lines + 1, error))),
            Ok(0) => Some(splitter.finish(&mut lines).map(|()| Vec::new())),
            Ok(count) => splitter.push(&chunk[..count], &mut lines).err().map(Err),
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

impl fmt::Debug for Replay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Replay").field("name", &self.name).finish_non_exhaustive()
    }
}
