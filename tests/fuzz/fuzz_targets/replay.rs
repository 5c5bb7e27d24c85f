//! Captures: any bytes as lines of the codec, and as a file that is replayed.
//!
//! The first two bytes are the size of the batches and of the reads below them; `!` as the third
//! lets the file fail at its end. The rest is the file. What is refused as a file of another kind
//! has no record on its first line.

#![no_main]

use std::io::{self, Read};
use std::sync::mpsc::channel;

use event_core::codec::{BYTE_ORDER_MARK, decode_line, encode_line, encode_quarantined};
use event_core::{ErrorKind, EventSource, Message, Reason};
use event_mem::Replay;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&[batch, piece, end], file)) = input.split_first_chunk() else { return };
    let fails = end == b'!';
    let name = String::from_utf8_lossy(file).into_owned();
    let message = Message::new(file.to_vec()).with_attribute(name.clone(), name);
    is_read_again(&message.with_attribute("bytes", file.to_vec()));
    // From a list that knows no batches and no reads: so neither changes what is read.
    let marked = file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file);
    let lines = lines(marked, fails);
    lines.iter().for_each(|(_, message, _)| is_read_again(message));
    let piece = if piece < 32 { usize::from(piece) + 1 } else { usize::MAX };
    let pieces = Pieces { rest: file.to_vec().into(), piece, fails };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("no driver to fail");
    match runtime.block_on(replayed(pieces, usize::from(batch % 32) + 1)) {
        Some(replayed) => assert_eq!(replayed, lines),
        None => assert!(lines.first().is_none_or(|(_, _, is_record)| !is_record), "{lines:?}"),
    }
});

/// A line of the file: its number, its message, and whether it is a record.
type Line = (u64, Message, bool);

/// What the file says, without a source that reads it.
fn lines(file: &[u8], fails: bool) -> Vec<Line> {
    let mut lines: Vec<&[u8]> = file.split(|&byte| byte == b'\n').collect();
    if fails {
        // Where the reader fails, who knows how the line would have gone on.
        lines.pop();
    }
    let numbered = (1..).zip(lines).filter(|(_, line)| !line.trim_ascii().is_empty());
    let read = numbered.map(|(number, line)| match read(line) {
        Some(message) => (number, message, true),
        None => (number, Message::new(line.to_vec()), false),
    });
    read.collect()
}

fn read(line: &[u8]) -> Option<Message> {
    let fault = match decode_line(line) {
        Ok(message) => return Some(message),
        Err(fault) => fault,
    };
    assert!(!fault.contains('\n') && fault.len() <= 203, "{fault}");
    None
}

/// Whatever is written is one line, and read as the same message.
fn is_read_again(message: &Message) {
    let reason = Reason::new(String::from_utf8_lossy(&message.body).into_owned(), "\n");
    for written in [encode_line(message), encode_quarantined(message, &reason)] {
        let newline = written.iter().position(|&byte| byte == b'\n');
        assert_eq!(newline, Some(written.len() - 1), "a record is one line");
        assert_eq!(decode_line(&written).as_ref(), Ok(message));
    }
}

/// The lines as they were inspected; none if the file was refused as one of another kind.
async fn replayed(file: Pieces, max: usize) -> Option<Vec<Line>> {
    let fails = file.fails;
    let (sender, seen) = channel();
    let mut source = Replay::from_reader(file, "fuzzed").inspect(move |number, message, fault| {
        let line = (number, message.clone(), fault.is_none());
        sender.send(line).expect("the lines are wanted to the end");
    });
    let mut answered = Vec::new();
    let ended = loop {
        match source.next_batch(max).await {
            Ok(batch) if batch.is_empty() => break Ok(()),
            Ok(batch) => {
                assert!(batch.len() <= max);
                answered.extend(batch);
            }
            Err(error) if error.kind() == ErrorKind::Invalid && answered.is_empty() => return None,
            Err(error) => break Err(error.to_string()),
        }
    };
    for _ in 0..2 {
        let again = source.next_batch(max).await.map_err(|error| error.to_string());
        assert_eq!(again, ended.clone().map(|()| Vec::new()), "the end is the end");
    }
    assert_eq!(ended.is_err(), fails, "{ended:?}");
    drop(source);
    let seen: Vec<Line> = seen.into_iter().collect();
    assert!(seen.iter().map(|(_, message, _)| message).eq(&answered), "all that is read is seen");
    Some(seen)
}

/// A file that answers so many bytes for each read, at most.
struct Pieces {
    rest: std::collections::VecDeque<u8>,
    piece: usize,
    fails: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.fails {
            return Err(io::Error::other("the cable was pulled"));
        }
        let most = buffer.len().min(self.piece);
        self.rest.read(&mut buffer[..most])
    }
}
