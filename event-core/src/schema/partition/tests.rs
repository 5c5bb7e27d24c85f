use std::collections::BTreeMap;

use jiff::civil::{date, datetime};
use proptest::prelude::*;

use super::*;

fn at(event_type: Option<&str>) -> Partition {
    Partition::new(event_type, datetime(2026, 1, 2, 3, 59, 59, 999_999_999), PartitionBy::Hour)
}

#[test]
fn pairs_stand_in_order() {
    let partition = at(Some("a/b")).with("city", "").with("Zone_2", "x.y-z_0");
    let name =
        "event_type=a%2Fb/dt=2026_01_02/hr=03/city=__HIVE_DEFAULT_PARTITION__/Zone_2=x.y-z_0";
    assert_eq!((partition.name(), partition.day()), (name, date(2026, 1, 2)));
    assert_eq!(partition.keys().collect::<Vec<_>>(), ["event_type", "dt", "hr", "city", "Zone_2"]);
    let value = |key| partition.value(key).map(Cow::into_owned);
    assert_eq!(value("event_type").as_deref(), Some("a/b"));
    assert_eq!((value("city").as_deref(), value("hr").as_deref()), (Some(""), Some("03")));
    assert_eq!(value("CITY"), None);
}

#[test]
fn no_two_values_share_a_name() {
    const PARTS: [&str; 12] = [
        "a",
        "A",
        "_",
        ".",
        "-",
        "%",
        "~",
        "/",
        "=",
        "\u{e9}",
        "e\u{301}",
        "__HIVE_DEFAULT_PARTITION__",
    ];
    let mut values = vec![String::new()];
    for _ in 0..3 {
        let longer: Vec<_> =
            values.iter().flat_map(|value| PARTS.map(|part| format!("{value}{part}"))).collect();
        values.extend(longer);
        values.sort_unstable();
        values.dedup();
    }
    values.push("__hive_default_partition__".to_owned());
    // Cut, and alike but for the middle.
    for place in 0..150 {
        let mut long = "x".repeat(150);
        long.replace_range(place..=place, "y");
        values.push(long);
    }
    let mut seen = BTreeMap::new();
    for value in &values {
        let partition = at(None).with("v", value);
        assert_eq!(Partition::parse(partition.name()).as_ref(), Some(&partition));
        let expected = fits(value).then_some(&**value);
        assert_eq!(partition.value("v").as_deref(), expected, "{partition}");
        if let Some(other) = seen.insert(partition.name().to_owned(), value) {
            panic!("{value:?} and {other:?} share {partition}");
        }
    }
}

#[test]
fn only_a_name_that_is_written_is_read_back() {
    for name in [
        "",
        "event_type=x",
        "dt=2026_1_2",
        "dt=2026_02_30",
        "dt=2026-01-02",
        "dt=2026_01_02/",
        "dt=2026_01_02/x",
        "dt=2026_01_02/event_type=x",
        "dt=2026_01_02/dt=2026_01_02",
        "dt=2026_01_02/hr=24",
        "dt=2026_01_02/hr=1",
        "dt=2026_01_02/hr=+1",
        "dt=2026_01_02/city=",
        "dt=2026_01_02/city=a b",
        "dt=2026_01_02/city=%2f",
        "dt=2026_01_02/city=%41",
        "dt=2026_01_02/city=%FF",
        "dt=2026_01_02/city=a~0",
        "hr=01/dt=2026_01_02",
        "event_type=x/event_type=y/dt=2026_01_02",
        "dt=2026_01_02/hr=01/hr=02",
        "dt=2026_01_02/city=x/hr=01",
        "dt=2026_01_02/_x=1",
        "dt=2026_01_02/a-b=1",
        "city=1/dt=2026_01_02",
    ] {
        assert_eq!(Partition::parse(name), None, "{name}");
    }
}

/// What is stored is found again only if this never changes.
#[test]
fn a_value_is_kept_whole_up_to_120_bytes_and_cut_to_them_beyond() {
    let name = |value: &str| at(None).with("v", value).name().to_owned();
    let start = "dt=2026_01_02/hr=03/v=";
    for whole in ["a".repeat(120), "/".repeat(40), "é".repeat(20)] {
        let partition = at(None).with("v", &whole);
        assert_eq!(partition.value("v").as_deref(), Some(&*whole));
        assert_eq!(partition.name().len(), start.len() + 120);
    }
    // `printf 'a%.0s' {1..121} | sha256sum`
    let digest = "e9615320128cc7a3d6078e9af05603188e5ccbf0d07d8b735d3df5e8e0c1281f";
    assert_eq!(name(&"a".repeat(121)), format!("{start}{}~{digest}", "a".repeat(55)));
    let cut = name(&format!("a{}", "/".repeat(40)));
    assert!(cut.starts_with(&format!("{start}a{}~", "%2F".repeat(18))), "{cut}");
    for other in [digest.to_uppercase(), "g".repeat(64), digest[1..].to_owned()] {
        let name = format!("{start}{}~{other}", "a".repeat(55));
        assert_eq!(Partition::parse(&name), None, "{name}");
    }
    assert_eq!(Partition::parse(&format!("{start}{}~{digest}", "a".repeat(54))), None);
}

#[test]
fn keys_are_names_of_columns() {
    for name in ["city", "City_2", "a", &"a".repeat(32)] {
        assert!(Partition::is_key(name), "{name}");
    }
    let long = "a".repeat(33);
    for name in ["", "dt", "DT", "hr", "event_type", "_a", "1a", "a-b", "a.b", "é", "a=b", &long] {
        assert!(!Partition::is_key(name), "{name}");
    }
}

proptest! {
    #[test]
    fn every_partition_is_read_back(kind in ".{0,60}", city in ".{0,60}") {
        let partition = at(Some(&kind)).with("city", &city);
        prop_assert_eq!(Partition::parse(partition.name()), Some(partition.clone()));
        for (key, value) in [("event_type", kind), ("city", city)] {
            let whole = fits(&value).then_some(&*value);
            let read = partition.value(key);
            prop_assert_eq!(read.as_deref(), whole);
        }
    }
}
