use super::*;
use crate::schema::{Partition, PartitionBy};
use proptest::prelude::*;

pub(super) fn event(identity: &str) -> Identified {
    let time = jiff::civil::datetime(2026, 1, 2, 3, 4, 5, 0);
    let partition = Partition::new(Some("inventory_event"), time, PartitionBy::Day);
    Identified { identity: identity.into(), partition }
}

#[test]
fn an_event_has_the_key_of_the_original_demo() {
    assert_eq!(
        Layout::default().event_key(&event("fbcb6bb3-3652-4287-b51e-118f96d8480e")),
        "store_events/event_type=inventory_event/dt=2026_01_02/fbcb6bb3-3652-4287-b51e-118f96d8480e.json"
    );
}

/// What a version has written, the next finds again.
#[test]
fn keys_are_those_that_the_documentation_shows() {
    let layout = Layout::default();
    let partition = event("r1").partition;
    let (name, folder) = (partition.name(), "event_type=inventory_event/dt=2026_01_02");
    for (compression, suffix) in [
        (Compression::None, "ndjson"),
        (Compression::Gzip, "ndjson.gz"),
        (Compression::Zstd, "ndjson.zst"),
    ] {
        let key = |layout: &Layout| layout.batch_key(name, 7, compression);
        let object = format!("store_events/{folder}/0000000007.{suffix}");
        assert_eq!(key(&layout), object);
        assert_eq!(key(&layout.compacted()), format!("compacted/{object}"));
        assert_eq!(key(&layout.quarantined()), format!("quarantine/{object}"));
    }
    assert_eq!(layout.manifest_key(), "store_events/_manifest.json");
    assert_eq!(layout.boundary_key(12), "store_events/_oldest/0000000012.json");
    let claim = format!("compacted/_claims/store_events/{folder}/0000000007.json");
    assert_eq!(layout.claim_key(name, 7), claim);
    assert!(claim.starts_with(&layout.claim_root()));
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
    let reason = Reason::new("bad_msg", "");
    let key = |message: &Message| Layout::default().quarantine_key(message, &reason);
    let message = Message::new("body").with_attribute("ab", "cd");
    // Objects under it are found again only if it never changes.
    assert_eq!(
        key(&message),
        "quarantine/store_events/reason=bad_msg/\
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
    let reason = Reason::new("bad_msg", "");
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
    // Of two orders of attributes, the same key.
    let [one, other] = [("x", "1"), ("y", "2")].map(|(name, value)| (name, number(value)));
    let both = |pairs: [(&'static str, AttributeValue); 2]| Message {
        attributes: pairs.into_iter().collect(),
        ..Message::new("b")
    };
    let key = |message: Message| Layout::default().quarantine_key(&message, &reason);
    assert_eq!(key(both([one.clone(), other.clone()])), key(both([other, one])));
    // Objects under it are found again only if it never changes.
    assert_eq!(
        key(with(number("1"))).rsplit('/').next().unwrap(),
        "48fc53619eb62e7fdc70e35ccbc7d431532804b776eec2838150a52778089181.json"
    );
}

#[test]
fn a_prefix_is_kept_as_it_was_given_up_to_its_longest() {
    assert_eq!(Layout::new("a/b_c").unwrap().prefix(), "a/b_c");
    let segment = "p".repeat(200);
    assert!(Layout::new(&segment).is_ok() && Layout::new(&format!("{segment}p")).is_err());
    let longest = format!("{segment}/{}", "p".repeat(55));
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
        "a/.b",
        "_a",
        "a/_b",
        "a b",
        "a\\b",
        "compacted",
        "hr=07",
        "a/hr=07",
        "quarantine",
        "quarantine/x",
        "compacted/store_events",
        "ä",
        "reason=bad_msg",
        "a/reason=x",
        "a/event_type=sale_event",
        "a/event_type=sale_event/b",
        "a/dt=2026_11_22",
    ] {
        assert!(Layout::new(bad).is_err(), "{bad:?}");
    }
    for good in [
        "store_events",
        "a/b",
        "year=2026/x.y",
        "dt/reason",
        "adt=1",
        "a_/b.",
        "-a",
        "a/quarantine",
        "quarantined/compacted",
        "compacted2",
    ] {
        assert!(Layout::new(good).is_ok(), "{good:?}");
    }
}

proptest! {
    #[test]
    fn keys_keep_to_the_grammar_and_the_length(id in ".{0,300}", code in ".{0,300}", city in ".{0,300}") {
        let layout = Layout::new(&format!("{}/{}", "p".repeat(200), "p".repeat(55))).unwrap();
        let mut widest = event(&id);
        for field in ["a", "b", "c"].map(|name| name.repeat(32)) {
            widest.partition = widest.partition.with(&field, &city);
        }
        let slot = layout.compacted().batch_key(widest.partition.name(), 7, Compression::Zstd);
        let keys = [
            layout.event_key(&event(&id)),
            layout.quarantine_key(&Message::new("x"), &Reason::new(code, "")),
            layout.event_key(&widest),
            layout.claim_key(widest.partition.name(), 7),
            slot,
        ];
        for (key, segments) in keys.into_iter().zip([4, 4, 7, 9, 8]) {
            prop_assert!(key.len() <= 1024);
            prop_assert_eq!(key.matches('/').count(), segments);
            prop_assert!(!key.split('/').any(|of| of == "..") && key.bytes().all(|b| b.is_ascii_graphic()));
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
