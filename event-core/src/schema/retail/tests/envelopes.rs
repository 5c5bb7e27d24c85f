//! Events in the envelopes of other services.

use super::*;

fn sns() -> Value {
    json!({
        "Type": "Notification", "MessageId": "3f1c8c1e", "Message": body().to_string(),
        "TopicArn": "arn:aws:sns:us-east-1:111122223333:sales",
        "MessageAttributes": {"event_type": {"Type": "String", "Value": "sale_event"}}
    })
}

fn eventbridge() -> Value {
    json!({
        "version": "0", "id": "17793124", "detail-type": "sale_event", "source": "shop.pos",
        "resources": [], "detail": body()
    })
}

#[test]
fn an_envelope_is_named_with_and_without_the_attribute() {
    for (envelope, remedy) in
        [(sns(), "raw message delivery"), (eventbridge(), "InputPath $.detail")]
    {
        let bare = Message::new(envelope.to_string());
        let unknown = bare.clone().with_attribute(EVENT_TYPE, "Notification");
        let typed = message(envelope.to_string());
        for message in [bare, unknown, typed] {
            let reason = Event::parse(&message).unwrap_err();
            assert_eq!(reason.code(), Reason::ENVELOPE, "{message:?}");
            assert!(reason.detail().contains(remedy), "{reason}");
            assert!(!reason.detail().contains('…'), "cut: {reason}");
            assert!(!Retail::is_intended(&reason));
        }
    }
}

#[test]
fn an_envelope_around_what_is_no_event_is_one_too() {
    for mut envelope in [sns(), eventbridge()] {
        for (key, value) in [("Message", json!("hello")), ("detail", json!({"bad": [1, "a"]}))] {
            if envelope.get(key).is_some() {
                envelope[key] = value;
            }
        }
        assert_eq!(fault_of(envelope.to_string()), Reason::ENVELOPE, "{envelope}");
    }
}

#[test]
fn an_envelope_has_all_its_keys() {
    for (envelope, keys) in [
        (sns(), ["Type", "TopicArn", "Message"]),
        (eventbridge(), ["detail-type", "source", "detail"]),
    ] {
        for key in keys {
            let mut part = envelope.clone();
            part.as_object_mut().unwrap().remove(key);
            assert_eq!(fault_of(part.to_string()), Retail::MISSING_STORE_ID, "{key}");
        }
    }
}

#[test]
fn an_event_with_such_fields_is_no_envelope() {
    for envelope in [sns(), eventbridge()] {
        let mut body = body();
        body.as_object_mut().unwrap().extend(envelope.as_object().unwrap().clone());
        assert!(Event::parse(&message(body.to_string())).is_ok(), "{body}");
        body["qty"] = json!(-1);
        assert_eq!(fault_of(body.to_string()), Reason::WRONG_TYPE);
        let mut marked = envelope;
        marked["bad_msg"] = json!(true);
        // Not intended: the mark of a producer is in the event.
        assert_eq!(fault_of(marked.to_string()), Reason::ENVELOPE);
    }
}
