use super::*;
use event_core::Retail;
use event_core::schema::retail::Event;
use std::collections::{BTreeSet, HashSet};

async fn messages(options: &SyntheticOptions, count: usize) -> Vec<Message> {
    Synthetic::new(*options).unwrap().next_batch(count).await.unwrap()
}

fn text(message: &Message) -> &str {
    str::from_utf8(&message.body).unwrap()
}

/// As `json.dumps` of the original demo writes it.
fn as_reference(event: &Event<'_>) -> String {
    format!(
        "{{\"request_id\": \"{}\", \"store_id\": {}, \"cust_id\": {}, \"category\": \"{}\", \
         \"sku\": {}, \"price\": {:?}, \"qty\": {}, \"discount\": {:?}, \"gift_wrap\": {}, \
         \"variant\": \"{}\", \"priority_shipping\": {}, \"ts\": \"{}\", \
         \"contact_me\": \"github.com/miztiik\"{}}}",
        event.request_id,
        event.store_id,
        event.cust_id,
        event.category,
        event.sku,
        event.price,
        event.qty,
        event.discount,
        event.gift_wrap,
        event.variant,
        event.priority_shipping,
        event.ts.strftime("%Y-%m-%dT%H:%M:%S%.6f"),
        if event.is_return { ", \"is_return\": true" } else { "" },
    )
}

#[tokio::test]
async fn an_event_looks_as_the_references_does() {
    let captured = r#"{"request_id": "4ce60f04-2059-451c-804e-136ecdce5689", "store_id": 1, "cust_id": 513, "category": "Monitors", "sku": 136420, "price": 27.6, "qty": 13, "discount": 6.1, "gift_wrap": false, "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48.512324", "contact_me": "github.com/miztiik", "is_return": true}"#;
    let captured = Message::new(captured).with_attribute(EVENT_TYPE, "sale_event");
    let options = SyntheticOptions { invalid_rate: 0.0, ..SyntheticOptions::default() };
    let made = messages(&options, 10_000).await;
    for message in [captured].iter().chain(&made) {
        assert_eq!(text(message), as_reference(&Event::parse(message).unwrap()));
    }
}

#[tokio::test]
async fn the_same_options_give_the_same_bytes_in_batches_of_any_size() {
    let options = SyntheticOptions::default();
    let whole = messages(&options, 100).await;
    let mut source = Synthetic::new(options).unwrap();
    let mut parts = Vec::new();
    while parts.len() < 100 {
        parts.extend(source.next_batch(7.min(100 - parts.len())).await.unwrap());
    }
    assert_eq!(parts, whole);
    let other = SyntheticOptions { seed: 1, ..options };
    assert_ne!(messages(&other, 100).await, whole);
}

#[tokio::test]
async fn events_are_valid_in_range_and_in_order() {
    let start = jiff::civil::datetime(2026, 12, 31, 23, 59, 59, 0);
    let options = SyntheticOptions { seed: 2, invalid_rate: 0.0, start };
    let all = messages(&options, 10_000).await;
    let events: Vec<_> = all.iter().map(|message| Event::parse(message).unwrap()).collect();
    let ids: HashSet<_> = events.iter().map(|event| &event.request_id).collect();
    assert_eq!(ids.len(), all.len());
    assert_eq!(events[0].ts, start);
    assert_eq!(events[9_999].ts.year(), 2027);
    for (event, next) in events.iter().zip(&events[1..]) {
        let gap = next.ts.duration_since(event.ts).as_micros();
        assert!((1_000..=40_000).contains(&gap), "{gap}");
    }
    let ranges = |value: fn(&Event<'_>) -> f64| {
        let (least, most) = (f64::min, f64::max);
        (events.iter().map(value).fold(f64::MAX, least), events.iter().map(value).fold(0.0, most))
    };
    assert_eq!(ranges(|event| event.store_id as f64), (1.0, 10.0));
    assert_eq!(ranges(|event| event.cust_id as f64), (100.0, 999.0));
    assert_eq!(ranges(|event| event.qty as f64), (1.0, 38.0));
    assert_eq!(ranges(|event| event.discount), (0.0, 20.0));
    let (cheap, dear) = ranges(|event| event.price);
    assert!(cheap < 0.1 && dear > 99.9 && dear <= 100.0);
    let (low, high) = ranges(|event| event.sku as f64);
    assert!((18_981.0..19_200.0).contains(&low) && (189_000.0..=189_281.0).contains(&high));
    let categories: BTreeSet<_> = events.iter().map(|event| &*event.category).collect();
    assert_eq!(categories, BTreeSet::from(CATEGORIES));
    for half in [
        events.iter().filter(|event| event.event_type == EventType::Sale).count(),
        events.iter().filter(|event| event.is_return).count(),
        events.iter().filter(|event| event.variant == "red").count(),
    ] {
        assert!((4_800..=5_200).contains(&half), "{half}");
    }
    for (message, event) in all.iter().zip(&events) {
        let priority = message.attributes.value("priority_shipping").unwrap();
        assert_eq!(priority == "True", event.priority_shipping);
    }
}

#[tokio::test]
async fn an_event_at_midnight_is_the_first_of_its_day() {
    let start = jiff::civil::datetime(2026, 2, 28, 12, 34, 56, 789_012_999);
    let options = SyntheticOptions { seed: 2, invalid_rate: 0.0, start };
    let times = async |options: &SyntheticOptions| {
        let messages = messages(options, 2).await;
        let [one, two] = [0, 1].map(|place| Event::parse(&messages[place]).unwrap().ts);
        (one, two)
    };
    let (one, two) = times(&options).await;
    // Less than a microsecond is cut off.
    assert_eq!(one, jiff::civil::datetime(2026, 2, 28, 12, 34, 56, 789_012_000));
    let midnight = jiff::civil::datetime(2026, 3, 1, 0, 0, 0, 0);
    let start = midnight - two.duration_since(one);
    assert_eq!(times(&SyntheticOptions { start, ..options }).await, (start, midnight));
}

#[tokio::test]
async fn a_batch_is_bounded_whatever_is_asked_for() {
    let mut source = Synthetic::new(SyntheticOptions::default()).unwrap();
    for (max, count) in [(0, 0), (1, 1), (10_000, 10_000), (10_001, 10_000)] {
        assert_eq!(source.next_batch(max).await.unwrap().len(), count);
    }
}

#[tokio::test]
async fn invalid_events_come_at_the_rate() {
    let usual = SyntheticOptions::default().invalid_rate;
    for (invalid_rate, expected) in [(0.0, 0..=0), (usual, 900..=1_100), (1.0, 10_000..=10_000)] {
        let options = SyntheticOptions { invalid_rate, ..SyntheticOptions::default() };
        let all = messages(&options, 10_000).await;
        let faults: Vec<_> = all.iter().filter(|m| Event::parse(m).is_err()).collect();
        assert!(expected.contains(&faults.len()), "{invalid_rate}: {}", faults.len());
        for message in faults {
            assert_eq!(Event::parse(message).unwrap_err().code(), Retail::BAD_MSG);
            assert!(!text(message).contains("store_id"));
            assert!(text(message).ends_with(r#", "bad_msg": true}"#));
        }
    }
}

#[test]
fn floats_are_printed_as_python_prints_them() {
    for (hundredths, expected) in [
        (0, "0.0"),
        (5, "0.05"),
        (10, "0.1"),
        (500, "5.0"),
        (2_760, "27.6"),
        (6_408, "64.08"),
        (10_000, "100.0"),
    ] {
        let mut text = Vec::new();
        push_hundredths(&mut text, hundredths);
        assert_eq!(str::from_utf8(&text), Ok(expected));
    }
}

#[test]
fn a_rate_that_is_no_share_is_refused() {
    for invalid_rate in [-0.1, 1.1, f64::NAN] {
        let options = SyntheticOptions { invalid_rate, ..SyntheticOptions::default() };
        let error = Synthetic::new(options).unwrap_err();
        assert!(error.to_string().contains(&format!("invalid_rate is {invalid_rate}")));
    }
}
