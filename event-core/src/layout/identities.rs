//! No two things share a key: small cases whole, large ones by chance, and the grammar written anew.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;
use crate::schema::{Partition, PartitionBy};

fn key(event_type: &str, day: Date, identity: &str) -> String {
    let ts = day.at(23, 59, 59, 999_999_999);
    let partition = Partition::new(Some(event_type), ts, PartitionBy::Day);
    let (layout, event) = (Layout::default(), Identified { partition, ..tests::event(identity) });
    let (key, partition) = (layout.event_key(&event), event.partition);
    assert!(key.starts_with(&layout.data_prefix(partition.name())), "{key} is not in {partition}");
    key
}

fn sale(identity: &str) -> String {
    key(SALE, date(2026, 11, 22), identity)
}

const SALE: &str = "sale_event";

/// The name of an object, as the documentation of the layout has it.
fn name(identity: &str) -> String {
    let mut name = String::new();
    for (place, byte) in identity.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || byte == b'-' || (byte == b'_' && place > 0);
        name += &if is_plain { char::from(byte).to_string() } else { format!("%{byte:02x}") };
    }
    if name.len() > 120 {
        let whole = Sha256::digest(identity.as_bytes());
        let whole: String = whole.iter().map(|byte| format!("{byte:02x}")).collect();
        name = format!("{}~{whole}", &name[..55]);
    }
    format!("{name}.json")
}

/// Fails where two of these have the same key.
fn all_differ<T: std::fmt::Debug>(keys: impl IntoIterator<Item = (String, T)>) {
    let mut seen = BTreeMap::new();
    for (key, what) in keys {
        if let Some(other) = seen.get(&key) {
            panic!("{what:?} and {other:?} share {key}");
        }
        seen.insert(key, what);
    }
}

#[test]
fn no_two_days_or_types_share_a_key() {
    let days = || date(1999, 12, 25).series(jiff::Span::new().days(1)).take(800);
    for day in days() {
        // To the last moment of the day by the clock on the wall.
        let dt = format!("/dt={:04}_{:02}_{:02}/", day.year(), day.month(), day.day());
        assert!(key(SALE, day, "r1").contains(&dt), "{day}");
    }
    let all = days().flat_map(|day| [SALE, "inventory_event", ""].map(|kind| (kind, day)));
    all_differ(all.map(|of| (key(of.0, of.1, "r1"), of)));
}

/// A change of one byte at any place, of identities up to the longest there are.
#[test]
fn identities_that_differ_in_one_byte_anywhere_have_keys_of_their_own() {
    for start in ["", "_", "%", "\u{e9}"] {
        for length in [1, 2, 54, 55, 56, 57, 119, 120, 121, 200, 250] {
            let same = format!("{start}{}", "a".repeat(length));
            let others = (0..length).flat_map(|place| {
                ["A", "b", "_", "%", ".", " ", "/", "", "aa", "\u{e1}"].map(|other| {
                    let place = start.len() + place;
                    format!("{}{other}{}", &same[..place], &same[place + 1..])
                })
            });
            // Left out or doubled, it is the same text wherever that was.
            let all: std::collections::BTreeSet<_> = others.chain([same.clone()]).collect();
            all_differ(all.iter().map(|id| (sale(id), id)));
        }
    }
}

/// Every text of up to four of these, which are what an encoding may trip over.
#[test]
fn short_identities_have_keys_of_their_own() {
    const PARTS: [&str; 14] =
        ["a", "A", "_", "-", "%", "~", "5", "f", ".", " ", "/", "\u{e9}", "e\u{301}", "\u{212a}"];
    let mut ids = vec![String::new()];
    for length in 0..4 {
        let longest: Vec<_> =
            ids.iter().filter(|id| id.chars().count() >= length).cloned().collect();
        ids.extend(longest.iter().flat_map(|id| PARTS.map(|part| format!("{id}{part}"))));
        ids.sort_unstable();
        ids.dedup();
    }
    all_differ(ids.iter().map(|id| (sale(id), id)));
}

/// Messages with up to two attributes of small texts: any two differ in something, if only in case,
/// in a space, or in what belongs to which part.
#[test]
fn no_two_messages_share_a_place_in_quarantine() {
    const NAMES: [&str; 4] = ["a", "A", "aa", "event_type"];
    const VALUES: [&str; 8] = ["a", "A", "aa", "a ", " a", "\u{e9}", "e\u{301}", "b"];
    const BODIES: [&str; 10] = ["", "a", "A", "aa", "a ", "a\n", " a", "\u{e9}", "e\u{301}", "b"];
    let mut attributes = vec![Vec::new()];
    for (place, name) in NAMES.iter().enumerate() {
        attributes.extend(VALUES.map(|value| vec![(*name, value)]));
        for other in &NAMES[..place] {
            let pairs = VALUES.map(|value| VALUES.map(|with| vec![(*name, value), (*other, with)]));
            attributes.extend(pairs.into_iter().flatten());
        }
    }
    let long = ["x".repeat(5000), format!("{}X{}", "x".repeat(2500), "x".repeat(2499))];
    let bodies = || BODIES.into_iter().chain(long.iter().map(String::as_str));
    let messages = attributes.iter().flat_map(|attributes| {
        bodies().map(|body| Message {
            attributes: attributes.iter().copied().collect(),
            ..Message::new(body.to_owned())
        })
    });
    let reason = Reason::new("bad_msg", "");
    let key = |message: &Message| Layout::default().quarantine_key(message, &reason);
    all_differ(messages.map(|message| (key(&message), message)));
}

#[test]
fn the_reason_is_in_the_key_of_what_is_quarantined_and_its_detail_is_not() {
    let message = Message::new("a");
    let key = |code: &'static str, detail: &str| {
        Layout::default().quarantine_key(&message, &Reason::new(code, detail))
    };
    all_differ(["a", "A", "a ", "a_", "aa", ""].map(|code| (key(code, ""), code)));
    assert_eq!(key("a", "one"), key("a", "other"));
}

/// Names of slots sort as their numbers do, in pages of any size.
#[test]
fn slots_are_listed_in_order() {
    let layout = Layout::default();
    let slots = [0, 1, 9, 10, 99, 100, 999_999, 1_000_000, u32::MAX - 1];
    let keys = slots.map(|slot| layout.batch_key("p", slot, Compression::Zstd));
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    let keys = slots.map(|slot| layout.claim_key("p", slot));
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
    let keys = slots.map(|slot| layout.boundary_key(slot));
    assert!(keys.is_sorted_by(|a, b| a < b), "{keys:?}");
}

proptest! {
    #[test]
    fn the_name_of_an_object_is_that_of_the_documentation(
        id in prop_oneof![".{1,300}", "[a-zA-Z_%~. /-]{1,256}", "_[a-z\u{e9}%]{40,130}"],
    ) {
        let key = sale(&id);
        prop_assert_eq!(key.rsplit_once('/').map(|(_, name)| name), Some(&*name(&id)));
    }
}
