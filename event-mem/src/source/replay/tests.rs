use std::sync::{Arc, Mutex};

use event_core::codec::{decode_line, encode_line, encode_quarantined};
use event_core::{Bytes, Reason};
use proptest::prelude::*;

use super::splitter::MAX_LINE;
use super::*;

async fn read_all(source: &mut Replay, max: usize) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        let batch = source.next_batch(max).await.unwrap();
        assert!(batch.len() <= max);
        if batch.is_empty() {
            assert!(source.next_batch(max).await.unwrap().is_empty());
            return all;
        }
        all.extend(batch);
    }
}

type Seen = Vec<(u64, Bytes, Option<String>)>;

fn seen(source: Replay) -> (Replay, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::new()));
    let source = source.inspect({
        let seen = Arc::clone(&seen);
        move |number, message, fault| {
            let line = (number, message.body.clone(), fault.map(str::to_owned));
            seen.lock().unwrap().push(line);
        }
    });
    (source, seen)
}

/// Answers these pieces, one for each read, and then fails if it shall.
struct Pieces(VecDeque<Vec<u8>>, bool);

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.pop_front() {
            Some(piece) => {
                buffer[..piece.len()].copy_from_slice(&piece);
                Ok(piece.len())
            }
            None if self.1 => Err(io::Error::other("the cable was pulled")),
            None => Ok(0),
        }
    }
}

#[tokio::test]
async fn lines_that_are_no_records_are_messages_and_are_reported_with_their_numbers() {
    let record = Message::new("{}").with_attribute("event_type", "sale_event");
    let mut input = encode_line(&record);
    input.extend_from_slice(b"\n \r\nnot a record\n\xff\xfe\n");
    input.extend(encode_quarantined(&record, &Reason::new("x", "y")));
    input.extend_from_slice(b"{\"body\": \"last\"}");
    let (mut source, seen) = seen(Replay::from_reader(io::Cursor::new(input), "test"));
    assert_eq!(source.next_batch(1).await.unwrap(), std::slice::from_ref(&record));
    assert_eq!(seen.lock().unwrap().len(), 1, "only what was answered");
    let rest = read_all(&mut source, 10).await;
    assert_eq!(rest[0], Message::new("not a record"));
    assert_eq!(rest[1], Message::new(&b"\xff\xfe"[..]));
    assert_eq!(rest[2..], [record, Message::new("last")]);
    let seen = seen.lock().unwrap();
    let faults = seen.iter().map(|(number, _, fault)| (*number, fault.is_some()));
    let expected = [(1, false), (4, true), (5, true), (6, false), (7, false)];
    assert_eq!(faults.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn a_slow_writer_is_not_made_to_wait() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut source = Replay::from_reader(reader, "pipe");
    io::Write::write_all(&mut writer, b"a\n").unwrap();
    assert_eq!(source.next_batch(10).await.unwrap(), [Message::new("a")]);
    for n in 0..3 {
        let message = Message::new(n.to_string());
        io::Write::write_all(&mut writer, &encode_line(&message)).unwrap();
        // The pipe stays open: this would hang if the source wanted more.
        assert_eq!(source.next_batch(10).await.unwrap(), [message]);
    }
    drop(writer);
    assert_eq!(source.next_batch(10).await.unwrap(), []);
}

#[tokio::test]
async fn an_abandoned_read_loses_nothing() {
    let (reader, mut writer) = io::pipe().unwrap();
    let mut source = Replay::from_reader(reader, "pipe");
    let abandoned = tokio::time::timeout(std::time::Duration::ZERO, source.next_batch(10));
    assert!(abandoned.await.is_err());
    io::Write::write_all(&mut writer, &encode_line(&Message::new("a"))).unwrap();
    assert_eq!(source.next_batch(10).await.unwrap(), [Message::new("a")]);
}

#[tokio::test]
async fn a_read_that_fails_names_file_and_line_and_does_not_look_like_the_end() {
    let pieces = [b"{\"body\": \"a\"}\n{\"body\"".to_vec()];
    let mut source = Replay::from_reader(Pieces(pieces.into(), true), "orders.ndjson");
    assert_eq!(source.next_batch(10).await.unwrap(), [Message::new("a")]);
    for _ in 0..2 {
        let error = source.next_batch(10).await.unwrap_err().to_string();
        assert!(error.contains("orders.ndjson line 2") && error.contains("cable"), "{error}");
    }
}

#[tokio::test]
async fn a_read_that_was_interrupted_is_done_again() {
    struct Interrupted(bool, Pieces);
    impl Read for Interrupted {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 = !self.0;
            if self.0 { Err(io::ErrorKind::Interrupted.into()) } else { self.1.read(buffer) }
        }
    }
    let pieces = [encode_line(&Message::new("a")), encode_line(&Message::new("b"))];
    let reader = Interrupted(false, Pieces(pieces.into(), false));
    let mut source = Replay::from_reader(reader, "test");
    assert_eq!(read_all(&mut source, 10).await, ["a", "b"].map(Message::new));
}

#[test]
fn why_a_file_cannot_be_opened_is_told() {
    for (cause, kind, text) in [
        (io::ErrorKind::NotFound, ErrorKind::NotFound, "is not there"),
        (io::ErrorKind::PermissionDenied, ErrorKind::Denied, "may not be read"),
        (io::ErrorKind::InvalidInput, ErrorKind::Unknown, "cannot be opened"),
    ] {
        let error = open_fault("capture.ndjson", cause.into());
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(&format!("capture.ndjson {text}")), "{error}");
    }
}

#[tokio::test]
async fn a_reader_that_panics_does_not_look_like_the_end() {
    struct Panics;
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("on purpose");
        }
    }
    let mut source = Replay::from_reader(Panics, "test");
    assert!(source.next_batch(10).await.is_err());
    assert!(source.next_batch(10).await.is_err());
}

#[tokio::test]
async fn a_line_without_end_is_an_error_that_names_it() {
    for length in [MAX_LINE, MAX_LINE + 1] {
        for end in ["\n", ""] {
            let input = io::Cursor::new(format!("a\n{}{end}", "x".repeat(length)));
            let mut source = Replay::from_reader(input, "disk.img");
            assert_eq!(source.next_batch(1).await.unwrap(), [Message::new("a")]);
            let next = source.next_batch(1).await;
            if length == MAX_LINE {
                assert_eq!(next.unwrap()[0].body.len(), MAX_LINE);
            } else {
                let error = next.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Invalid);
                assert!(error.to_string().contains("disk.img line 2"), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn a_file_is_read_and_a_wrong_path_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("capture.ndjson");
    let error = Replay::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("capture.ndjson is not there"), "{error}");
    let error = Replay::open(dir.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("is a directory"), "{error}");
    std::fs::write(&path, "{\"body\": \"a\"}\n\n").unwrap();
    let mut source = Replay::open(&path).unwrap();
    assert_eq!(read_all(&mut source, 10).await, [Message::new("a")]);
}

async fn pieces_do_not_matter(input: Vec<u8>, cuts: Vec<usize>, max: usize) {
    let whole =
        read_all(&mut Replay::from_reader(io::Cursor::new(input.clone()), "whole"), 1000).await;
    let mut pieces = VecDeque::new();
    let mut rest = &input[..];
    for cut in cuts {
        let (piece, after) = rest.split_at(cut.clamp(1, rest.len().max(1)).min(rest.len()));
        pieces.extend((!piece.is_empty()).then(|| piece.to_vec()));
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then(|| rest.to_vec()));
    let (mut source, seen) = seen(Replay::from_reader(Pieces(pieces, false), "pieces"));
    assert_eq!(read_all(&mut source, max).await, whole);
    let lines: Vec<&[u8]> = input.split(|&byte| byte == b'\n').collect();
    for (number, body, _) in &*seen.lock().unwrap() {
        assert_eq!(lines[usize::try_from(*number).unwrap() - 1], body);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(50))]
    #[test]
    fn what_is_read_depends_neither_on_the_reads_nor_on_the_batches(
        input in "[ab \n]{0,60}",
        cuts in prop::collection::vec(1..20_usize, 0..10),
        max in 1..5_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(pieces_do_not_matter(input.into_bytes(), cuts, max));
    }
}

const BARE: &str = include_str!("../../../../tests/data/cases/bare-events-file.ndjson");
const MARKED: &str = include_str!("../../../../tests/data/cases/bom-before-file.ndjson");

fn of(input: impl Into<Vec<u8>>) -> Replay {
    Replay::from_reader(io::Cursor::new(input.into()), "input")
}

/// The one error that is all there is to get from this.
async fn refusal(mut source: Replay) -> String {
    let error = source.next_batch(10).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(source.next_batch(10).await.is_err(), "an error looks like the end");
    let text = error.to_string();
    assert!(text.contains("input is ") && !text.contains('\n'), "{text}");
    text
}

#[tokio::test]
async fn what_is_no_capture_is_refused_before_its_first_message_with_what_would_do() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    for (input, text) in [
        (BARE.as_bytes().to_vec(), "`event_type`"),
        (format!("\n \r\n{BARE}").into(), "`event_type`"),
        (format!("\u{feff}{BARE}").into(), "`event_type`"),
        (format!("[{}]", BARE.trim().replace('\n', ",")).into(), "jq -c '.[]'"),
        (b"[\n {\"body\": \"\"}\n]\n".to_vec(), "jq -c '.[]'"),
        (b"{\n  \"body\": \"{}\"\n}\n".to_vec(), "jq -c ."),
        (b"request_id,store_id,ts\n1,2,3\n".to_vec(), "a table"),
        (b"\x1f\x8b\x08\x00\x00".to_vec(), "gzip -dc"),
        (b"\x28\xb5\x2f\xfd".to_vec(), "zstd -dc"),
        (b"BZh91AY&SY".to_vec(), "bzip2 -dc"),
        (utf_16(BARE), "iconv"),
        (utf_16("\u{feff}{}"), "iconv"),
    ] {
        assert!(refusal(of(input.clone())).await.contains(text), "{text}");
        // Byte by byte it is the same.
        let bytes = input.iter().map(|&byte| vec![byte]).collect();
        let pieces = Replay::from_reader(Pieces(bytes, false), "input");
        assert!(refusal(pieces).await.contains(text), "{text}");
    }
}

#[tokio::test]
async fn a_byte_order_mark_at_the_start_is_skipped() {
    let (mut source, seen) = seen(of(MARKED));
    let read = read_all(&mut source, 10).await;
    let records = MARKED.trim_start_matches('\u{feff}').lines();
    let expected: Vec<_> = records.map(|line| decode_line(line.as_bytes()).unwrap()).collect();
    assert_eq!(read, expected);
    assert!(seen.lock().unwrap().iter().all(|(_, _, fault)| fault.is_none()));
    let bytes = MARKED.bytes().map(|byte| vec![byte]).collect();
    let mut pieces = Replay::from_reader(Pieces(bytes, false), "input");
    assert_eq!(read_all(&mut pieces, 10).await, expected);
    assert_eq!(read_all(&mut of("\u{feff}"), 10).await, []);
    assert_eq!(read_all(&mut of("\u{feff}\n"), 10).await, []);
}

#[tokio::test]
async fn bare_events_get_the_attributes_that_were_given() {
    let attributes: Attributes = [("event_type", "sale_event")].into_iter().collect();
    let message =
        |body: &str| Message { attributes: attributes.clone(), ..Message::new(body.to_owned()) };
    let expected: Vec<_> = BARE.lines().map(message).collect();
    for input in [BARE.to_owned(), format!("\u{feff}{}", BARE.replace('\n', "\r\n"))] {
        let (mut source, seen) = seen(of(input).bodies(attributes.clone()));
        assert_eq!(read_all(&mut source, 10).await, expected);
        let seen = seen.lock().unwrap();
        let numbers = seen.iter().map(|(number, _, fault)| (*number, fault.is_some()));
        assert_eq!(numbers.collect::<Vec<_>>(), [(1, false), (2, false)]);
    }
    // As it is but for the end of the line.
    let mut source = of("{}  \n \t{} \r\r\n\r\n{}\r").bodies(attributes.clone());
    let expected = [message("{}  "), message(" \t{} \r"), message("{}")];
    assert_eq!(read_all(&mut source, 10).await, expected);
    // What is not an event is for the consumer to say.
    let mut source = of("no event\n{\"body\": \"{}\"}\n").bodies(attributes.clone());
    let expected = [message("no event"), message("{\"body\": \"{}\"}")];
    assert_eq!(read_all(&mut source, 10).await, expected);
    // A capture has types of its own.
    assert!(refusal(of(MARKED).bodies(attributes.clone())).await.contains("leave out"));
    assert!(refusal(of("[{}]").bodies(attributes.clone())).await.contains("jq"));
    assert!(refusal(of("\n\n{\n").bodies(attributes.clone())).await.contains("jq -c ."));
    assert!(refusal(of("a,b,c\n").bodies(attributes)).await.contains("a table"));
}

#[tokio::test]
async fn where_lines_may_be_anything_the_first_may_be_so_too() {
    for first in ["good-0", "{\"request_id\": \"r1\"}", "[1]", "a,b,c", "{"] {
        let (mut source, seen) = seen(of(format!("\u{feff}{first}\ngood-1\n")).any_lines());
        let expected = [first, "good-1"].map(Message::new);
        assert_eq!(read_all(&mut source, 10).await, expected);
        assert!(seen.lock().unwrap().iter().all(|(_, _, fault)| fault.is_some()));
    }
    assert!(refusal(of(&b"\x1f\x8b\x08\x00"[..]).any_lines()).await.contains("gzip"));
}
