//! `Event::parse` on any body, under any event type.
//!
//! The first byte says which type: `i` an inventory event, `-` none, `?` the text up to the next
//! NUL, anything else a sale. The rest is the body.

#![no_main]

use event_core::{EVENT_TYPE, Event, EventType, Message, Reason};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// What `Event::parse` may answer; the other codes are given elsewhere.
const CODES: [&str; 6] = [
    Reason::BAD_MSG,
    Reason::MISSING_STORE_ID,
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
    assert!((2000..=2099).contains(&event.ts.year()), "{}", event.ts);
}

/// What is stored is the body: whoever reads it later must find the same event there.
fn is_what_others_read(event: &Event<'_>, body: &[u8]) {
    assert!(str::from_utf8(body).is_ok(), "JSON is UTF-8");
    let body: Value = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => return is_only_strange(&error),
    };
    let fields = body.as_object().expect("an event is an object");
    assert!(!fields.contains_key("bad_msg"));
    assert_eq!(fields["request_id"], *event.request_id);
    assert_eq!(fields["category"], *event.category);
    assert_eq!(fields["variant"], *event.variant);
    assert_eq!(fields["store_id"], event.store_id);
    assert_eq!(fields["cust_id"], event.cust_id);
    assert_eq!(fields["sku"], event.sku);
    assert_eq!(fields["qty"], event.qty);
    assert_eq!(fields["price"].as_f64(), Some(event.price));
    assert_eq!(fields["discount"].as_f64(), Some(event.discount));
    assert_eq!(fields["gift_wrap"], event.gift_wrap);
    assert_eq!(fields["priority_shipping"], event.priority_shipping);
    let is_return = fields.get("is_return").and_then(Value::as_bool);
    assert_eq!(is_return.unwrap_or(false), event.is_return);

    let ts = fields["ts"].as_str().expect("a time is a text");
    let digits: String = ts.chars().filter(char::is_ascii_digit).collect();
    assert!(digits.contains(&event.ts.strftime("%Y%m%d").to_string()), "{ts} is {}", event.ts);
}

/// An unknown field may hold what the grammar of JSON allows and this reader does not: deep
/// nesting, a number beyond `f64`, half of a surrogate pair.
fn is_only_strange(error: &serde_json::Error) {
    let text = error.to_string();
    let strange = ["recursion limit", "number out of range", "surrogate", "end of hex escape"];
    assert!(strange.iter().any(|strange| text.contains(strange)), "{text}");
}

fn is_sound(reason: &Reason, event_type: Option<&str>, body: &[u8]) {
    let is_known = EventType::ALL.iter().any(|known| event_type == Some(known.as_str()));
    assert_eq!(is_known, reason.code() != Reason::UNKNOWN_EVENT_TYPE, "{reason}");
    assert!(!is_known || CODES.contains(&reason.code()), "{reason}");
    assert!(reason.detail().len() <= 200 + '…'.len_utf8(), "{reason}");
    assert!(!reason.to_string().contains('\n'));
    if !is_known {
        return;
    }
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return };
    match reason.code() {
        Reason::BAD_MSG => assert!(body.get("bad_msg").is_some()),
        Reason::MISSING_STORE_ID => assert!(body.get("store_id").is_none_or(Value::is_null)),
        code => assert_ne!(code, Reason::NOT_JSON, "{reason}"),
    }
}
