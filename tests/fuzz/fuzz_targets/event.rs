//! `Event::parse` on any body, under any event type.
//!
//! The first byte says which type: `i` an inventory event, `-` none, `?` the text up to the next
//! NUL, anything else a sale. The rest is the body.

#![no_main]

use std::collections::BTreeSet;

use event_core::schema::retail::{EVENT_TYPE, Event, EventType};
use event_core::{Message, Reason, Retail};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// What `Event::parse` may answer; the other codes are given elsewhere.
const CODES: [&str; 14] = [
    Reason::ENVELOPE,
    Reason::BYTE_ORDER_MARK,
    Reason::DUPLICATE_KEY,
    Reason::CASE_CONFLICT,
    Reason::EMPTY_KEY,
    Reason::LONE_SURROGATE,
    Reason::TOO_DEEP,
    Reason::MIXED_TYPES,
    Retail::BAD_MSG,
    Retail::MISSING_STORE_ID,
    Reason::MISSING_FIELD,
    Reason::NOT_JSON,
    Reason::WRONG_TYPE,
    Reason::OUT_OF_RANGE,
];

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let (event_type, body) = match first {
        b'?' => {
            let end = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
            let text = String::from_utf8_lossy(&rest[..end]).into_owned();
            (Some(text), rest.get(end + 1..).unwrap_or_default())
        }
        b'-' => (None, rest),
        b'i' => (Some(EventType::Inventory.to_string()), rest),
        _ => (Some(EventType::Sale.to_string()), rest),
    };
    let mut message = Message::new(body.to_vec()).with_attribute("priority_shipping", "True");
    if let Some(event_type) = &event_type {
        message = message.with_attribute(EVENT_TYPE, event_type.clone());
    }

    let parsed = Event::parse(&message);
    assert_eq!(parsed, Event::parse(&message), "the same message is read the same way");
    match parsed {
        Ok(event) => {
            assert_eq!(event_type.as_deref(), Some(event.event_type.as_str()));
            is_in_range(&event);
            is_what_others_read(&event, body);
        }
        Err(reason) => is_sound(&reason, event_type.as_deref(), body),
    }
});

fn is_in_range(event: &Event<'_>) {
    let id = &*event.request_id;
    assert!((1..=256).contains(&id.len()) && !id.chars().any(char::is_control), "{id:?}");
    assert!(event.store_id >= 1);
    assert!(event.price.is_finite() && event.price >= 0.0, "{}", event.price);
    assert!((0.0..=100.0).contains(&event.discount), "{}", event.discount);
    let whole = [event.store_id, event.cust_id, event.sku, event.qty];
    assert!(whole.iter().all(|&number| number <= i64::MAX as u64), "{whole:?}");
    assert!((1970..=2099).contains(&event.ts.year()), "{}", event.ts);
}

/// What is stored is the body: whoever reads it later must find the same event there.
fn is_what_others_read(event: &Event<'_>, body: &[u8]) {
    assert!(str::from_utf8(body).is_ok(), "JSON is UTF-8");
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        // Its own reader of numbers rounds the largest of all up.
        Err(error) => return assert!(error.to_string().contains("number out of range"), "{error}"),
    };
    is_readable(&body, 1);
    let fields = body.as_object().expect("an event is an object");
    assert!(!fields.contains_key("bad_msg"));
    assert_eq!(fields["request_id"], *event.request_id);
    assert_eq!(fields["category"], *event.category);
    assert_eq!(fields["variant"], *event.variant);
    assert_eq!(fields["store_id"], event.store_id);
    assert_eq!(fields["cust_id"], event.cust_id);
    assert_eq!(fields["sku"], event.sku);
    assert_eq!(fields["qty"], event.qty);
    is_close(fields["price"].as_f64(), event.price);
    is_close(fields["discount"].as_f64(), event.discount);
    assert_eq!(fields["gift_wrap"], event.gift_wrap);
    assert_eq!(fields["priority_shipping"], event.priority_shipping);
    let is_return = fields.get("is_return").and_then(Value::as_bool);
    assert_eq!(is_return.unwrap_or(false), event.is_return);

    let ts = fields["ts"].as_str().expect("a time is a text");
    let digits: String = ts.chars().filter(char::is_ascii_digit).collect();
    assert!(digits.contains(&event.ts.strftime("%Y%m%d").to_string()), "{ts} is {}", event.ts);
}

/// What serde_json reads may be a neighbour of the nearest number.
fn is_close(read: Option<f64>, event: f64) {
    let apart = read.map(|read| (read - event).abs());
    let near = event.abs() * 1e-9 + f64::MIN_POSITIVE;
    assert!(apart.is_some_and(|apart| apart <= near), "{read:?} and {event}");
}

/// What can still be seen of the rules once it is read.
fn is_readable(value: &Value, depth: usize) {
    assert!(depth <= 128);
    match value {
        Value::Array(elements) => {
            let kinds: BTreeSet<_> = elements.iter().filter_map(kind).collect();
            assert!(kinds.len() <= 1, "{kinds:?}");
            elements.iter().for_each(|element| is_readable(element, depth + 1));
        }
        Value::Object(fields) => {
            let names: BTreeSet<_> = fields.keys().map(|key| key.to_lowercase()).collect();
            assert_eq!(names.len(), fields.len(), "{names:?}");
            assert!(!fields.contains_key(""));
            fields.values().for_each(|value| is_readable(value, depth + 1));
        }
        _ => {}
    }
}

fn kind(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => None,
        Value::Bool(_) => Some("boolean"),
        Value::Number(_) => Some("number"),
        Value::String(_) => Some("text"),
        Value::Array(_) => Some("array"),
        Value::Object(_) => Some("object"),
    }
}

fn is_sound(reason: &Reason, event_type: Option<&str>, body: &[u8]) {
    let is_known = EventType::ALL.iter().any(|known| event_type == Some(known.as_str()));
    let is_envelope = reason.code() == Reason::ENVELOPE;
    assert!(is_envelope || is_known == (reason.code() != Reason::UNKNOWN_EVENT_TYPE), "{reason}");
    assert!(!is_known || CODES.contains(&reason.code()), "{reason}");
    assert!(reason.detail().len() <= 200 + '…'.len_utf8(), "{reason}");
    assert!(!reason.to_string().contains('\n'));
    if !is_known {
        return;
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    match reason.code() {
        Retail::BAD_MSG => assert!(body.get("bad_msg").is_some()),
        Retail::MISSING_STORE_ID => assert!(body.get("store_id").is_none_or(Value::is_null)),
        code => assert_ne!(code, Reason::NOT_JSON, "{reason}"),
    }
}
