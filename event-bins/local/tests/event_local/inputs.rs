//! What is given by `--input`, and what of it is not a message.

use super::*;

#[test]
fn bad_lines_are_named_and_quarantined_and_the_rest_goes_on() {
    let capture = std::fs::read_to_string(CAPTURE).unwrap();
    let good: Vec<&str> = capture.lines().take(5).collect();
    let body = good[1].replace("inventory_event", "../../etc");
    let newline = good[2].replacen(r#"\"request_id\": \"4ce"#, r#"\"request_id\": \"\\n4ce"#, 1);
    assert_ne!(newline, good[2]);
    let huge = format!(
        r#"{{"body": "{}", "attributes": {{"event_type": "sale_event"}}}}"#,
        "x".repeat(2 << 20)
    );
    for (bad, text, reason) in [
        ("{\"body\": ", "line 3: no message record", "unknown_event_type"),
        (&body, "line 3: unknown_event_type", "unknown_event_type"),
        (&newline, "line 3: out_of_range: request_id", "out_of_range"),
        (&huge, "line 3: the message has 2097", "refused"),
        ("\u{0}\u{1}", "line 3: no message record", "unknown_event_type"),
        (
            r#"{"body": "{}", "attributes": {"event_type": "sale_event"}}"#,
            "line 3: missing_store_id",
            "",
        ),
        (
            r#"{"attributes": {}}"#,
            "line 3: no message record: the line has no \"body\"",
            "unknown_event_type",
        ),
        (
            r#"{"body": "[]", "attributes": {"event_type": "sale_event"}}"#,
            "line 3: wrong_type",
            "wrong_type",
        ),
    ] {
        let out = TempDir::new().unwrap();
        let input = TempDir::new().unwrap();
        let path = input.path().join("input.ndjson");
        std::fs::write(&path, [good[0], good[1], bad, good[3]].join("\n")).unwrap();
        let mut command = singly(out.path());
        let output = command.arg("--input").arg(&path).arg("--json").output().unwrap();
        assert_eq!(counts(&json(&output)), [4, 3, 1, 0], "{text}");
        if reason.is_empty() {
            // Without a store_id: invalid by intent, as one in ten of the original demo is.
            assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
            continue;
        }
        refused(&output, text);
        let files = files(out.path());
        assert_eq!(
            count(&files, &format!("quarantine/store_events/reason={reason}/")),
            1,
            "{:?}",
            files.keys()
        );
        assert_eq!(files.len(), 4);
    }
}

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/cases/");

#[test]
fn an_input_that_is_no_capture_is_refused_in_one_line_that_says_what_would_do() {
    let input = TempDir::new().unwrap();
    let bare = format!("{CASES}bare-events-file.ndjson");
    let events = std::fs::read_to_string(&bare).unwrap();
    let write = |name: &str, content: &[u8]| {
        let path = input.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let list = format!("[{}]", events.trim().replace('\n', ","));
    let utf_16: Vec<u8> = events.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (path, text) in [
        (bare, "--event-type"),
        (write("list.json", list.as_bytes()), "jq"),
        (write("events.gz", b"\x1f\x8b\x08\x00\x00\x00"), "gzip -dc"),
        (write("events.txt", &utf_16), "UTF-8"),
    ] {
        let out = TempDir::new().unwrap();
        let output = event_local(out.path()).args(["--input", &path]).output().unwrap();
        refused(&output, text);
        assert!(stderr(&output).contains(&path), "{}", stderr(&output));
        assert!(output.stdout.is_empty(), "{text}");
        assert_eq!(files(out.path()).len(), 0, "{text}");
    }
}

#[test]
fn bare_events_are_stored_under_the_type_that_is_given() {
    let bare = format!("{CASES}bare-events-file.ndjson");
    let out = TempDir::new().unwrap();
    let arguments = ["--input", &bare, "--event-type", "inventory_event", "--json"];
    let output = singly(out.path()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(counts(&json(&output)), [2, 2, 0, 0]);
    let files = files(out.path());
    for (number, line) in std::fs::read_to_string(&bare).unwrap().lines().enumerate() {
        let key =
            format!("store_events/event_type=inventory_event/dt=2026_11_22/bare-{number}.json");
        assert_eq!(files[&key], line.as_bytes());
    }
    for (arguments, text) in [
        (&["--event-type", "sale_event"][..], "--input"),
        (&["--event-type", "sale", "--input", &bare], "sale_event or inventory_event"),
        (&["--event-type", "sale_event", "--input", CAPTURE], "leave out the event type"),
    ] {
        refused(&event_local(out.path()).args(arguments).output().unwrap(), text);
    }
}

#[test]
fn a_byte_order_mark_at_the_start_of_the_input_is_no_fault() {
    let out = TempDir::new().unwrap();
    let marked = format!("{CASES}bom-before-file.ndjson");
    let output = event_local(out.path()).args(["--input", &marked, "--json"]).output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let lines = std::fs::read_to_string(&marked).unwrap().lines().count() as u64;
    assert_eq!(counts(&json(&output)), [lines, lines, 0, 0]);
}

#[test]
fn a_file_of_another_kind_is_not_complained_about_line_by_line_for_ever() {
    let (out, input) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = input.path().join("input.txt");
    std::fs::write(&path, "what is this\n".repeat(500)).unwrap();
    let output = event_local(out.path()).arg("--input").arg(&path).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(stderr(&output).lines().count(), 21, "{}", stderr(&output));
    assert!(stderr(&output).contains("480 more"), "{}", stderr(&output));
}

#[test]
fn a_prefix_keeps_the_schema_that_it_was_made_with() {
    let (out, input) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let path = input.path().join("rides.ndjson");
    let ride = r#"{\"ride_id\": \"a\", \"other\": \"b\", \"at\": \"2026-11-22T22:16:48Z\"}"#;
    std::fs::write(&path, format!(r#"{{"body": "{ride}", "attributes": {{}}}}"#)).unwrap();
    let replay = |arguments: &[&str]| {
        let mut command = singly(out.path());
        command.arg("--input").arg(&path).arg("--json").args(arguments).output().unwrap()
    };
    let fields = ["--event-schema", "fields", "--event-id-field", "ride_id"];
    let made = replay(&[&fields[..], &["--event-time-field", "at"]].concat());
    assert_eq!(counts(&json(&made)), [1, 1, 0, 0], "{}", stderr(&made));
    assert!(made.status.success(), "a ride is no bad line: {}", stderr(&made));
    assert_eq!(count(&files(out.path()), "store_events/dt=2026_11_22/a.json"), 1);
    // Without a word of it, and with a part.
    for arguments in [&[][..], &fields] {
        let again = replay(arguments);
        assert_eq!(counts(&json(&again)), [1, 0, 0, 1], "{}", stderr(&again));
    }
    refused(&replay(&["--event-id-field", "other"]), "id_field");
}

#[test]
fn a_prefix_keeps_its_compression_and_the_summary_has_the_names_that_there_are() {
    let out = TempDir::new().unwrap();
    for arguments in [&["--batch-compression", "gzip"][..], &[]] {
        let output = event_local(out.path()).args(["--count", "20"]).args(arguments).output();
        let summary = String::from_utf8(output.unwrap().stdout).unwrap();
        let name = "store_events/event_type=…/dt=…/<number>.ndjson.gz\n";
        assert!(summary.contains(name), "{arguments:?}: {summary}");
    }
    let files = files(out.path());
    let events = files.iter().filter(|(key, _)| key.starts_with("store_events/event_type="));
    let mut stored = 0;
    for (key, object) in events {
        assert!(key.ends_with(".ndjson.gz"), "{key}");
        let lines = Compression::Gzip.decompress(object.clone().into()).unwrap();
        stored += lines.iter().filter(|byte| **byte == b'\n').count();
    }
    assert!((20..=40).contains(&stored), "{stored}");
}

#[test]
fn of_an_input_as_many_are_taken_as_are_asked_for() {
    let out = TempDir::new().unwrap();
    let arguments = ["--input", CAPTURE, "--count", "7", "--producers", "3", "--json"];
    let output = event_local(out.path()).args(arguments).output().unwrap();
    let summary = json(&output);
    assert_eq!((counts(&summary)[0], &summary["balanced"]), (7, &true.into()));
}
