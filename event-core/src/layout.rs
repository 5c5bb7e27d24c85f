//! Where things are in the store: keys as a pure function of the event or the message.

#[cfg(test)]
mod identities;

use std::fmt::Write;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::compression::Compression;
use crate::error::{Error, Result};
use crate::event::{EVENT_TYPE, Event, EventType};
use crate::message::{AttributeValue, Message};
use crate::reason::Reason;

/// The key layout of a store: one object for each event or for many, one for each quarantined
/// message.
///
/// ```text
/// store_events/event_type=sale_event/dt=2026_11_22/<request_id>.json
/// store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson
/// ledger/store_events/event_type=sale_event/dt=2026_11_22/0000000000.json
/// quarantine/reason=bad_msg/event_type=sale_event/<sha-256 of the message>.json
/// compacted/store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson
/// ```
///
/// Keys are built from untrusted input. Of each value only `A-Z a-z 0-9 _ -` go in as they are;
/// every other byte is written as `%` and two hexadecimal digits, and a value that would take
/// more than 120 bytes is cut and closed with `~` and its SHA-256. A `_` at the start of a
/// `request_id` is written `%5f`, since Athena, Hive and Spark
/// [pass over](https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html) objects
/// whose name starts with one. So two values never share a key, no value holds a `/` or a `.`, and
/// no key exceeds the 1,024 bytes that
/// [S3 allows](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    prefix: String,
}

impl Layout {
    /// The prefix of the reference.
    pub const DEFAULT_PREFIX: &'static str = "store_events";
    /// The prefix that quarantined messages are under.
    pub const QUARANTINE_PREFIX: &'static str = "quarantine";
    /// The prefix that the ledgers of objects with many events are under.
    pub const LEDGER_PREFIX: &'static str = "ledger";
    /// The prefix that objects merged for readers are under.
    pub const COMPACTED_PREFIX: &'static str = "compacted";
    /// Stands for a message without an event type, as Hive, Athena, Spark and DuckDB read it.
    const NO_EVENT_TYPE: &'static str = "__HIVE_DEFAULT_PARTITION__";
    /// The longest prefix: leaves room for the rest of the key.
    const MAX_PREFIX: usize = 400;
    /// The longest encoded value that is kept whole. Most file systems end a name at 255 bytes.
    const MAX_VALUE: usize = 120;

    /// A layout below `prefix`: one or more segments of `A-Z a-z 0-9 _ - . =`, parted by `/`,
    /// none of them starting with a dot or a `_`, which readers pass over, and not below `quarantine`, `ledger`
    /// or `compacted`.
    pub fn new(prefix: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.=".contains(c);
        let mut segments = prefix.split('/');
        let sound = prefix.len() <= Self::MAX_PREFIX
            && segments.all(|s| {
                !s.is_empty()
                    && s.len() <= 200
                    && !s.starts_with(['.', '_'])
                    && s.chars().all(allowed)
            })
            && ![Self::QUARANTINE_PREFIX, Self::LEDGER_PREFIX, Self::COMPACTED_PREFIX]
                .map(Some)
                .contains(&prefix.split('/').next());
        if !sound {
            let message = format!(
                "S3_PREFIX is {prefix:?}: give segments of letters, digits, '_', '-', '.' and '=' parted \
                 by single '/', at most {} bytes, none starting with '.' or '_', which is hidden from readers, not below 'quarantine', 'ledger' or 'compacted', for example 'store_events'",
                Self::MAX_PREFIX
            );
            return Err(Error::invalid("layout", message));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// The prefix that events are under.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of an event: a function of its type, its own day and its identity, and of nothing
    /// else, so that a second delivery, on any pod at any time, finds the first.
    pub fn event_key(&self, event: &Event<'_>) -> String {
        let id = &event.request_id;
        let mut key = String::with_capacity(self.prefix.len() + id.len() + 64);
        key.push_str(&self.prefix);
        key.push('/');
        push_partition(&mut key, event);
        key.push('/');
        match id.strip_prefix('_') {
            Some(rest) => push_cut(&mut key, "%5f", rest, id),
            None => push_value(&mut key, id),
        }
        key.push_str(".json");
        key
    }

    /// The partition of an event: a function of its type and its own day.
    pub(crate) fn partition(&self, event: &Event<'_>) -> String {
        let mut partition = String::with_capacity(64);
        push_partition(&mut partition, event);
        partition
    }

    /// A number for the partition of events of this type and day, which no other partition has.
    pub(crate) fn partition_number(event_type: EventType, day: Date) -> u64 {
        let [year, month, day] =
            [i64::from(day.year()), i64::from(day.month()), i64::from(day.day())];
        // Years of valid events have four digits. 0 stands for what is no event.
        (event_type as u64 + 1) * 100_000_000 + (year * 10_000 + month * 100 + day).unsigned_abs()
    }

    /// The layout of what is merged for readers: as this one, below a prefix of its own.
    pub(crate) fn compacted(&self) -> Self {
        Self { prefix: format!("{}/{}", Self::COMPACTED_PREFIX, self.prefix) }
    }

    /// What all keys of events start with.
    pub(crate) fn data_root(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// What all keys of ledgers start with.
    pub(crate) fn ledger_root(&self) -> String {
        format!("{}/{}/", Self::LEDGER_PREFIX, self.prefix)
    }

    /// What all keys of the data of a partition start with, and no other.
    pub(crate) fn data_prefix(&self, partition: &str) -> String {
        format!("{}/{partition}/", self.prefix)
    }

    /// The key of the object with so many before it in its partition. Padded, so that a listing is
    /// in order.
    pub(crate) fn batch_key(&self, partition: &str, slot: u32, compression: Compression) -> String {
        format!("{}{slot:010}{}", self.data_prefix(partition), compression.suffix())
    }

    /// The key of the entry of the ledger that claims that object.
    pub(crate) fn ledger_key(&self, partition: &str, slot: u32) -> String {
        format!("{}{slot:010}.json", self.ledger_prefix(partition))
    }

    /// What all keys of the ledger of a partition start with, and no other.
    pub(crate) fn ledger_prefix(&self, partition: &str) -> String {
        format!("{}{partition}/", self.ledger_root())
    }

    /// The key of a quarantined message: a function of the reason's code and the whole message,
    /// so that the same message is put aside once however often it is delivered.
    pub fn quarantine_key(&self, message: &Message, reason: &Reason) -> String {
        let mut key = format!("{}/reason=", Self::QUARANTINE_PREFIX);
        push_value(&mut key, reason.code());
        key.push_str("/event_type=");
        let event_type = message.attributes.value(EVENT_TYPE);
        push_value(&mut key, event_type.unwrap_or(Self::NO_EVENT_TYPE));
        key.push('/');
        push_hex(&mut key, &message_digest(message));
        key.push_str(".json");
        key
    }
}

impl Default for Layout {
    /// Below `store_events`.
    fn default() -> Self {
        Self { prefix: Self::DEFAULT_PREFIX.to_owned() }
    }
}

/// Every part goes in with its length, so that no two messages give the same input. The types of
/// attributes go in only where one is not `String`, after what is the length of nothing: so the
/// messages that there were before types counted keep their keys.
fn message_digest(message: &Message) -> [u8; 32] {
    let mut hash = Sha256::new();
    let is_typed = message.attributes.iter().any(|(_, v)| v.data_type() != AttributeValue::STRING);
    if is_typed {
        hash.update(u64::MAX.to_be_bytes());
    }
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for (name, value) in message.attributes.iter() {
        part(name.as_bytes());
        if is_typed {
            part(value.data_type().as_bytes());
        }
        part(value.as_bytes());
    }
    part(&message.body);
    hash.finalize().into()
}

fn push_partition(key: &mut String, event: &Event<'_>) {
    let (kind, date) = (event.event_type, event.ts.date());
    let (year, month, day) = (date.year(), date.month(), date.day());
    // Writing to a String cannot fail.
    let _ = write!(key, "event_type={kind}/dt={year:04}_{month:02}_{day:02}");
}

fn push_value(key: &mut String, value: &str) {
    push_cut(key, "", value, value);
}

/// `written`, and after it the `rest` of a value.
fn push_cut(key: &mut String, written: &str, mut rest: &str, value: &str) {
    let start = key.len();
    key.push_str(written);
    // Almost always the whole of it, at once.
    while let Some(odd) = rest.bytes().position(|byte| !is_plain(byte)) {
        key.push_str(&rest[..odd]);
        let next = rest.ceil_char_boundary(odd + 1);
        for byte in rest[odd..next].bytes() {
            key.push('%');
            push_hex(key, &[byte]);
        }
        rest = &rest[next..];
    }
    key.push_str(rest);
    if key.len() - start > Layout::MAX_VALUE {
        key.truncate(start + Layout::MAX_VALUE - 65);
        key.push('~');
        push_hex(key, &Sha256::digest(value));
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event(request_id: &str) -> Event<'_> {
        Event {
            event_type: EventType::Inventory,
            request_id: request_id.into(),
            store_id: 1,
            cust_id: 1,
            category: "".into(),
            sku: 1,
            price: 1.0,
            qty: 1,
            discount: 0.0,
            gift_wrap: false,
            variant: "".into(),
            priority_shipping: false,
            ts: jiff::civil::datetime(2026, 1, 2, 3, 4, 5, 0),
            is_return: false,
        }
    }

    #[test]
    fn an_event_has_the_references_key() {
        assert_eq!(
            Layout::default().event_key(&event("fbcb6bb3-3652-4287-b51e-118f96d8480e")),
            "store_events/event_type=inventory_event/dt=2026_01_02/fbcb6bb3-3652-4287-b51e-118f96d8480e.json"
        );
    }

    #[test]
    fn hostile_identities_stay_in_their_partition() {
        let key = |id| Layout::default().event_key(&event(id));
        let dir = "store_events/event_type=inventory_event/dt=2026_01_02/";
        assert_eq!(key("../../etc"), format!("{dir}%2e%2e%2f%2e%2e%2fetc.json"));
        assert_eq!(key("a\nb\0"), format!("{dir}a%0ab%00.json"));
        assert_eq!(key("50%"), format!("{dir}50%25.json"));
        // Readers would not see it; `_` elsewhere does no harm.
        assert_eq!(key("_a_b"), format!("{dir}%5fa_b.json"));
        assert_eq!(key("%5fa_b"), format!("{dir}%255fa_b.json"));
        assert_eq!(key("é"), format!("{dir}%c3%a9.json"));
    }

    #[test]
    fn a_quarantine_key_names_reason_and_type() {
        let reason = Reason::new(Reason::BAD_MSG, "");
        let message = Message::new("x").with_attribute(EVENT_TYPE, "../../etc");
        let key = Layout::default().quarantine_key(&message, &reason);
        assert!(key.starts_with("quarantine/reason=bad_msg/event_type=%2e%2e%2f%2e%2e%2fetc/"));
        let untyped = Layout::default().quarantine_key(&Message::new("x"), &reason);
        assert!(untyped.contains("/event_type=__HIVE_DEFAULT_PARTITION__/"));
    }

    #[test]
    fn a_value_is_kept_whole_up_to_120_bytes_and_cut_to_them_beyond() {
        let value = |id: &str| {
            let key = Layout::default().event_key(&event(id));
            key.rsplit('/').next().unwrap().strip_suffix(".json").unwrap().to_owned()
        };
        assert_eq!(value(&"a".repeat(120)), "a".repeat(120));
        assert_eq!(value(&format!("_{}", "a".repeat(117))), format!("%5f{}", "a".repeat(117)));
        let (plain, hidden) = ("a".repeat(50), format!("%5f{}", "a".repeat(50)));
        for (long, kept) in [
            ("a".repeat(121), &plain),
            ("a".repeat(50) + &"%".repeat(24), &plain),
            (format!("_{}", "a".repeat(118)), &hidden),
        ] {
            let cut = value(&long);
            let (start, digest) = cut.split_once('~').unwrap();
            assert_eq!((cut.len(), start.len(), digest.len()), (120, 55, 64), "{cut}");
            assert!(start.starts_with(kept), "{cut}");
        }
    }

    #[test]
    fn a_quarantine_key_is_that_of_the_whole_message() {
        let reason = Reason::new(Reason::BAD_MSG, "");
        let key = |message: &Message| Layout::default().quarantine_key(message, &reason);
        let message = Message::new("body").with_attribute("ab", "cd");
        // Objects under it are found again only if it never changes.
        assert_eq!(
            key(&message),
            "quarantine/reason=bad_msg/event_type=__HIVE_DEFAULT_PARTITION__/\
             db283aefdb025872105ad4175213a3aaf0c2165044d488e83235aaf54ea85e2b.json"
        );
        for other in [
            Message::new("bod").with_attribute("ab", "cd"),
            Message::new("body").with_attribute("abc", "d"),
            Message::new("body").with_attribute("a", "bcd"),
            Message::new("dbody").with_attribute("ab", "c"),
            Message::new("body"),
        ] {
            assert_ne!(key(&other), key(&message), "{other:?}");
        }
    }

    #[test]
    fn the_types_of_attributes_are_part_of_a_quarantine_key() {
        let reason = Reason::new(Reason::BAD_MSG, "");
        let with = |value: AttributeValue| Message::new("b").with_attribute("x", value);
        let text = |text: &'static str| AttributeValue::from(text);
        let number = |value| text(value).with_type("Number").unwrap();
        let messages = [
            with(text("AQ==")),
            with(vec![1].into()),
            with(vec![2].into()),
            with(text("\u{1}")),
            with(text("1")),
            with(number("1")),
            with(text("1").with_type("Number.int").unwrap()),
            with(b"1".to_vec().into()),
            with(AttributeValue::from(b"1".to_vec()).with_type("Binary.gif").unwrap()),
            with(number("1")).with_attribute("y", "1"),
            with(text("1")).with_attribute("y", number("1")),
            Message::new("1").with_attribute("x", "Number").with_attribute("b", ""),
        ];
        let keys: std::collections::BTreeSet<_> =
            messages.iter().map(|of| Layout::default().quarantine_key(of, &reason)).collect();
        assert_eq!(keys.len(), messages.len());
    }

    #[test]
    fn a_prefix_is_kept_as_it_was_given_up_to_its_longest() {
        assert_eq!(Layout::new("a/b_c").unwrap().prefix(), "a/b_c");
        let segment = "p".repeat(200);
        assert!(Layout::new(&segment).is_ok() && Layout::new(&format!("{segment}p")).is_err());
        let longest = format!("{segment}/{}", "p".repeat(199));
        assert!(Layout::new(&longest).is_ok() && Layout::new(&format!("{longest}p")).is_err());
    }

    #[test]
    fn prefixes_that_could_leave_their_place_are_refused() {
        for bad in [
            "",
            "/a",
            "a/",
            "a//b",
            "..",
            "a/../b",
            ".tmp",
            "a b",
            "quarantine",
            "quarantine/x",
            "ledger",
            "compacted/store_events",
            "ä",
        ] {
            assert!(Layout::new(bad).is_err(), "{bad:?}");
        }
        for good in ["store_events", "a/b", "year=2026/x.y"] {
            assert!(Layout::new(good).is_ok(), "{good:?}");
        }
    }

    proptest! {
        #[test]
        fn keys_keep_to_the_grammar_and_the_length(id in ".{0,300}", code in ".{0,300}", kind in ".{0,300}") {
            let layout = Layout::new(&"p".repeat(200)).unwrap();
            let message = Message::new("x").with_attribute(EVENT_TYPE, kind);
            let keys = [
                layout.event_key(&event(&id)),
                layout.quarantine_key(&message, &Reason::new(code, "")),
            ];
            for key in keys {
                prop_assert!(key.len() <= 1024);
                prop_assert_eq!(key.matches('/').count(), 3);
                prop_assert!(!key.contains("..") && key.bytes().all(|b| b.is_ascii_graphic()));
                prop_assert!(key.split('/').all(|segment| segment.len() <= 255));
            }
        }

        #[test]
        fn two_identities_never_share_a_key(a in ".{0,300}", b in ".{0,300}") {
            let layout = Layout::default();
            prop_assert_eq!(a == b, layout.event_key(&event(&a)) == layout.event_key(&event(&b)));
        }

        #[test]
        fn long_identities_with_a_common_start_differ(start in "[a-z%/]{200}", a in "[a-z]{1,50}", b in "[a-z]{1,50}") {
            let layout = Layout::default();
            let (x, y) = (format!("{start}{a}"), format!("{start}{b}"));
            prop_assert_eq!(a == b, layout.event_key(&event(&x)) == layout.event_key(&event(&y)));
        }
    }
}
