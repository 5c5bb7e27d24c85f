//! Keys of the store, from any prefix, event and message.
//!
//! Two of everything, to be compared. The first four bytes are the days and the types of the two
//! events; fields parted by the byte 0xff follow, which no text holds: the prefix, the two
//! identities, and for each of two messages the name and the value of an attribute, its body and
//! the code of the reason.

#![no_main]

use event_core::schema::{Identified, Partition, PartitionBy};
use event_core::store::MAX_KEY_BYTES;
use event_core::{Layout, Message, Reason};
use jiff::ToSpan;
use jiff::civil::{DateTime, Time, date};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((&[day_a, day_b, type_a, type_b], rest)) = input.split_first_chunk() else { return };
    let mut fields = rest.split(|&byte| byte == 0xff).map(String::from_utf8_lossy);
    let mut text = || fields.next().unwrap_or_default().into_owned();

    let layout = layout(&text());
    let events = [event(text(), type_a, day_a), event(text(), type_b, day_b)];
    for event in &events {
        is_the_key_of_the_event(&layout.event_key(event), &layout, event);
    }
    let [a, b] = events.each_ref().map(|event| layout.event_key(event));
    assert_eq!(events[0] == events[1], a == b, "{a}\n{b}");

    let mut quarantined = || {
        let (name, value) = (text(), text());
        let mut message = Message::new(text());
        // Nothing stands for no attribute.
        if !name.is_empty() {
            message = message.with_attribute(name, value);
        }
        (message, text())
    };
    let messages = [quarantined(), quarantined()];
    let [a, b] = messages.each_ref().map(|(message, code)| {
        let key = |detail| layout.quarantine_key(message, &Reason::new(code.clone(), detail));
        let (one, other) = (key("one"), key("other"));
        assert_eq!(one, other, "the detail is not part of the key");
        is_the_key_of_the_message(&one, &layout, code);
        one
    });
    assert_eq!(messages[0] == messages[1], a == b, "{a}\n{b}");
});

fn layout(prefix: &str) -> Layout {
    match Layout::new(prefix) {
        Ok(layout) => {
            assert_eq!(layout.prefix(), prefix);
            assert_ne!(prefix.split('/').next(), Some(Layout::QUARANTINE_PREFIX));
            assert!(
                !prefix.split('/').any(|segment| segment.is_empty() || segment.starts_with('.'))
            );
            layout
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains("S3_PREFIX") && !text.contains('\n'), "{text}");
            Layout::default()
        }
    }
}

fn event(identity: String, kind: u8, day: u8) -> Identified {
    let kind = if kind == b'i' { "inventory_event" } else { "sale_event" };
    // Over the whole of the years that an event may be from.
    let time = DateTime::from_parts(date(2000, 1, 1) + (i64::from(day) * 143).days(), Time::MAX);
    let partition = Partition::new(Some(kind), time, PartitionBy::Day);
    Identified { identity: identity.into(), partition }
}

fn is_the_key_of_the_event(key: &str, layout: &Layout, event: &Identified) {
    let below = below(key, layout.prefix());
    let [event_type, day, id] = below[..] else { panic!("{key}") };
    assert_eq!(format!("{event_type}/{day}"), event.partition.name());
    // Readers pass over names that start with one.
    let name = match event.identity.strip_prefix('_') {
        Some(rest) => format!("%5f{}", encoded(rest)),
        None => encoded(&event.identity),
    };
    is_written(id, &name);
}

fn is_the_key_of_the_message(key: &str, layout: &Layout, code: &str) {
    let below = below(key, layout.quarantine_root().trim_end_matches('/'));
    let [reason, digest] = below[..] else { panic!("{key}") };
    is_written(reason.strip_prefix("reason=").expect(key), &encoded(code));
    assert_eq!(digest.len(), 64);
    assert!(digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')), "{digest}");
}

/// The segments of a key below its prefix, without the ending.
fn below<'a>(key: &'a str, prefix: &str) -> Vec<&'a str> {
    assert!(key.len() <= MAX_KEY_BYTES, "{key}");
    let rest = key.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('/')).expect(key);
    let rest = rest.strip_suffix(".json").expect(key);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-=%~/".contains(&byte);
    assert!(rest.bytes().all(allowed), "{key}");
    assert!(key.split('/').all(|segment| segment.len() <= 255), "no file has such a name: {key}");
    rest.split('/').collect()
}

/// A value stands there as a URL would have it, or cut and closed with its digest.
fn is_written(written: &str, whole: &str) {
    if let Some((start, digest)) = written.split_once('~') {
        assert!(whole.len() > 120 && whole.starts_with(start), "{written} is cut");
        assert!(digest.len() == 64 && written.len() <= 120, "{written}");
    } else {
        assert_eq!(written, whole);
    }
}

fn encoded(value: &str) -> String {
    let encoded = value.bytes().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => char::from(byte).to_string(),
        _ => format!("%{byte:02x}"),
    });
    encoded.collect()
}
