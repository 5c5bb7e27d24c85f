mod envelopes;
mod readable;
mod times;

use super::*;
use serde_json::{Value, json};

fn body() -> Value {
    json!({
        "request_id": "fbcb6bb3-3652-4287-b51e-118f96d8480e", "store_id": 8, "cust_id": 538,
        "category": "Games", "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9,
        "gift_wrap": false, "variant": "black", "priority_shipping": true,
        "ts": "2026-11-22T22:16:48.469759", "contact_me": "someone", "is_return": true
    })
}

fn message(body: impl Into<bytes::Bytes>) -> Message {
    Message::new(body).with_attribute(EVENT_TYPE, "sale_event")
}

fn fault_of(body: impl Into<bytes::Bytes>) -> String {
    let message = message(body);
    let reason = Event::parse(&message).expect_err("the body must be refused");
    reason.code().to_owned()
}

fn fault_with(field: &str, value: Value) -> String {
    let mut body = body();
    body[field] = value;
    fault_of(body.to_string())
}

#[test]
fn a_valid_event_is_read() {
    let message = message(body().to_string());
    let event = Event::parse(&message).unwrap();
    let expected = Event {
        event_type: EventType::Sale,
        request_id: "fbcb6bb3-3652-4287-b51e-118f96d8480e".into(),
        store_id: 8,
        cust_id: 538,
        category: "Games".into(),
        sku: 42515,
        price: 64.08,
        qty: 5,
        discount: 4.9,
        gift_wrap: false,
        variant: "black".into(),
        priority_shipping: true,
        ts: jiff::civil::datetime(2026, 11, 22, 22, 16, 48, 469_759_000),
        is_return: true,
    };
    assert_eq!(event, expected);
}

#[test]
fn an_event_is_identified_as_its_stored_line_is() {
    let message = message(body().to_string());
    for (by, name) in [
        (PartitionBy::Day, "event_type=sale_event/dt=2026_11_22"),
        (PartitionBy::Hour, "event_type=sale_event/dt=2026_11_22/hr=22"),
    ] {
        let schema = Retail::new(by);
        let found = schema.identify(&message).unwrap();
        assert_eq!(found.partition.name(), name);
        assert_eq!(schema.identity_of(&message.body).as_deref(), Some(&*found.identity));
        let stored = Message {
            attributes: schema.attributes_of(&found.partition),
            ..Message::new(message.body.clone())
        };
        assert_eq!(schema.identify(&stored).as_ref(), Ok(&found));
        assert!(found.partition.keys().eq(schema.partition_keys()));
    }
}

#[test]
fn of_what_is_no_event_an_audit_knows_what_it_says() {
    let of = |body: &str| Retail::default().trace(&message(body.to_owned()));
    let trace = of(r#"{"request_id": "r1", "ts": "2026-11-22T00:00:00", "x": 1e999}"#);
    let partition = trace.partition.unwrap();
    assert_eq!((trace.identity.as_deref(), trace.day), (Some("r1"), Some(partition.day())));
    assert_eq!(partition.name(), "event_type=sale_event/dt=2026_11_22");
    assert_eq!(of(r#"{"request_id": "r1", "ts": 7}"#), Trace::new(Some("r1".to_owned())));
    for body in ["{", "[1]", "{}", r#"{"request_id": ""}"#, r#"{"request_id": "r1"} x"#] {
        assert_eq!(of(body), Trace::default(), "{body}");
    }
    assert_eq!(of(r#"{"request_id": "r1"}"#), Trace::new(Some("r1".to_owned())));
    assert_eq!(of(r#"{"ts": "2026-11-22T00:00:00"}"#).partition.as_ref(), Some(&partition));
    // A field that is refused for its value or for a second one does not hide the others.
    for body in [
        r#"{"ts": "2026-11-22T00:00:00", "request_id": "r1", "ts": "", "request_id": "r1"}"#,
        r#"{"ts": "2026-11-22T00:00:00", "request_id": "r1", "x": "\ud83d", "ts": 1e999}"#,
    ] {
        let trace = of(body);
        assert_eq!(
            (trace.identity.as_deref(), trace.partition),
            (Some("r1"), Some(partition.clone()))
        );
    }
    assert_eq!(of(r#"{"ts": 1e999, "request_id": "r1"}"#).identity.as_deref(), Some("r1"));
    let untyped = Message::new(r#"{"request_id": "r1", "ts": "2026-11-22T23:59:59"}"#);
    let day = Some(jiff::civil::date(2026, 11, 22));
    let expected = Trace::new(Some("r1".to_owned())).day(day);
    assert_eq!(Retail::default().trace(&untyped), expected);
}

#[test]
fn each_field_but_is_return_is_required() {
    let whole = body();
    for name in whole.as_object().unwrap().keys() {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(name);
        let message = message(body.to_string());
        let fault = Event::parse(&message).err();
        let code = fault.as_ref().map(Reason::code);
        match name.as_str() {
            "is_return" | "contact_me" => assert_eq!(code, None, "{name}"),
            "store_id" => assert_eq!(code, Some(Retail::MISSING_STORE_ID)),
            _ => assert_eq!(code, Some(Reason::MISSING_FIELD), "{name}"),
        }
        // `null` is as good as nothing.
        let mut null = whole.clone();
        null[name] = Value::Null;
        let null = self::message(null.to_string());
        assert_eq!(Event::parse(&null).err().as_ref().map(Reason::code), code, "{name}");
    }
}

#[test]
fn bad_msg_marks_an_event_whatever_its_value() {
    for value in [json!(true), json!(false), json!(null), json!({"a": [1]})] {
        assert_eq!(fault_with("bad_msg", value), Retail::BAD_MSG);
    }
}

#[test]
fn only_what_producers_make_invalid_on_purpose_is_intended() {
    for (code, intended) in [
        (Retail::BAD_MSG, true),
        (Retail::MISSING_STORE_ID, true),
        (Reason::MISSING_FIELD, false),
        (Reason::NOT_JSON, false),
        (Reason::CONFLICT, false),
        (Reason::REFUSED, false),
    ] {
        assert_eq!(Retail::is_intended(&Reason::new(code, "")), intended, "{code}");
    }
}

#[test]
fn bad_msg_is_named_before_the_missing_store_id() {
    let mut body = body();
    body.as_object_mut().unwrap().remove("store_id");
    body["bad_msg"] = json!(true);
    assert_eq!(fault_of(body.to_string()), Retail::BAD_MSG);
}

/// Or an event that is invalid on purpose would count as one that is not.
#[test]
fn the_missing_store_id_is_named_before_other_missing_fields() {
    assert_eq!(fault_of("{}"), Retail::MISSING_STORE_ID);
    assert_eq!(fault_of(r#"{"ts": "yesterday", "price": -1}"#), Retail::MISSING_STORE_ID);
    assert_eq!(fault_of(r#"{"bad_msg": null}"#), Retail::BAD_MSG);
}

#[test]
fn what_is_not_json_is_refused() {
    for body in ["", "{", "{\"a\": }", "not json", "{} {}", "\u{0}"] {
        assert_eq!(fault_of(body), Reason::NOT_JSON, "{body:?}");
    }
    let mut broken = body().to_string().into_bytes();
    let quote = broken.windows(5).position(|w| w == b"Games").unwrap();
    broken[quote] = 0xff;
    assert_eq!(fault_of(broken), Reason::NOT_JSON);
}

#[test]
fn a_body_that_is_not_utf8_is_refused_wherever_that_is() {
    let whole = body().to_string().into_bytes();
    for text in ["Games", "contact_me", "someone"] {
        let mut broken = whole.clone();
        let at = whole.windows(text.len()).position(|w| w == text.as_bytes()).unwrap();
        broken[at + 1] = 0xff;
        assert_eq!(fault_of(broken), Reason::NOT_JSON, "{text}");
    }
}

#[test]
fn wrong_types_are_refused() {
    for (field, value) in [
        ("store_id", json!("8")),
        ("store_id", json!(-1)),
        ("qty", json!(1.5)),
        ("price", json!("64.08")),
        ("gift_wrap", json!(1)),
        ("request_id", json!(17)),
        ("ts", json!(1_763_849_808)),
    ] {
        assert_eq!(fault_with(field, value), Reason::WRONG_TYPE, "{field}");
    }
    for body in ["[]", "7", "\"text\"", "null"] {
        assert_eq!(fault_of(body), Reason::WRONG_TYPE, "{body}");
    }
}

#[test]
fn a_list_of_the_values_of_an_event_is_refused() {
    let list = r#"["fbcb6bb3", 8, 538, "Games", 42515, 64.08, 5, 4.9, false, "black", true,
        "2026-11-22T22:16:48.469759", false, false]"#;
    assert_eq!(fault_of(list), Reason::WRONG_TYPE);
}

#[test]
fn a_field_given_twice_is_refused() {
    let twice = body().to_string().replacen('{', r#"{"store_id": 1, "#, 1);
    assert_eq!(fault_of(twice), Reason::DUPLICATE_KEY);
}

#[test]
fn absurd_values_are_refused() {
    for (field, value) in [
        ("request_id", json!("")),
        ("request_id", json!("a\nb")),
        ("request_id", json!("x".repeat(257))),
        ("request_id", json!(format!("{}x", "é".repeat(128)))),
        ("request_id", json!("\u{7f}")),
        ("request_id", json!("é\n")),
        ("request_id", json!("é\u{85}")),
        ("store_id", json!(0)),
        ("store_id", json!(i64::MAX as u64 + 1)),
        ("qty", json!(u64::MAX)),
        ("cust_id", json!(i64::MAX as u64 + 1)),
        ("sku", json!(i64::MAX as u64 + 1)),
        ("price", json!(-0.01)),
        ("price", json!(-1)),
        ("price", json!(i64::MIN)),
        ("discount", json!(100.1)),
        ("discount", json!(-0.1)),
        ("ts", json!("")),
        ("ts", json!("yesterday")),
        ("ts", json!("2026-11-22")),
        ("ts", json!("2026-02-30T00:00:00")),
        ("ts", json!("1969-12-31T23:59:59")),
        ("ts", json!("2100-01-01T00:00:00")),
        ("ts", json!("../../2026-11-22T00:00:00")),
    ] {
        let got = fault_with(field, value.clone());
        assert_eq!(got, Reason::OUT_OF_RANGE, "{field} {value}");
    }
}

#[test]
fn values_at_the_edge_of_their_range_are_valid() {
    for (field, value) in [
        ("request_id", json!("x")),
        ("request_id", json!("x".repeat(256))),
        ("request_id", json!("é".repeat(128))),
        ("store_id", json!(1)),
        ("store_id", json!(i64::MAX)),
        ("sku", json!(i64::MAX)),
        ("cust_id", json!(0)),
        ("price", json!(0)),
        ("qty", json!(0)),
        ("discount", json!(0)),
        ("discount", json!(100)),
        ("ts", json!("1970-01-01T00:00:00")),
        ("ts", json!("2099-12-31T23:59:59.999999999")),
    ] {
        let mut body = body();
        body[field] = value.clone();
        let message = message(body.to_string());
        assert_eq!(Event::parse(&message).err(), None, "{field} {value}");
    }
}

#[test]
fn an_event_that_does_not_say_so_is_no_return() {
    let mut body = body();
    body.as_object_mut().unwrap().remove("is_return");
    assert!(!Event::parse(&message(body.to_string())).unwrap().is_return);
}

#[test]
fn the_day_is_that_of_the_stores_wall_clock() {
    for ts in ["2026-11-22T23:59:59", "2026-11-22T23:59:59Z", "2026-11-22T23:59:59.5-11:00"] {
        let mut body = body();
        body["ts"] = json!(ts);
        let message = message(body.to_string());
        let date = Event::parse(&message).unwrap().ts.date();
        assert_eq!(date, jiff::civil::date(2026, 11, 22), "{ts}");
    }
}

#[test]
fn a_type_has_one_name() {
    let names = EventType::ALL.map(EventType::as_str);
    assert_eq!((names, Retail::EVENT_TYPES), (["sale_event", "inventory_event"], names));
    for (name, event_type) in names.into_iter().zip(EventType::ALL) {
        assert_eq!((json!(event_type), event_type.to_string()), (json!(name), name.to_owned()));
        let message = Message::new(body().to_string()).with_attribute(EVENT_TYPE, name);
        assert_eq!(Event::parse(&message).unwrap().event_type, event_type);
        let found = Retail::default().identify(&message).unwrap();
        assert_eq!(found.partition.name(), format!("event_type={name}/dt=2026_11_22"));
    }
}

#[test]
fn the_event_type_comes_from_the_attribute_alone() {
    let untyped = Message::new(body().to_string());
    for hostile in ["../../etc", "", "SALE_EVENT", "sale_event\n", "sale_event/"] {
        let message = untyped.clone().with_attribute(EVENT_TYPE, hostile);
        let reason = Event::parse(&message).unwrap_err();
        assert_eq!(reason.code(), Reason::UNKNOWN_EVENT_TYPE, "{hostile:?}");
    }
    for body in [body().to_string(), "{".to_owned(), r#"{"bad_msg": 1}"#.to_owned()] {
        let reason = Event::parse(&Message::new(body)).unwrap_err();
        assert_eq!(reason.code(), Reason::UNKNOWN_EVENT_TYPE);
    }
}
