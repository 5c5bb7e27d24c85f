use super::*;

fn rides(event_type: Option<TypeFrom>) -> Fields {
    let city = vec!["city".to_owned()];
    Fields::new("ride_id", "at", event_type, city, PartitionBy::Day).unwrap()
}

fn ride(fields: &str) -> Message {
    Message::new(format!(r#"{{"at": "2026-11-22T22:16:48+01:00", {fields}}}"#))
}

#[test]
fn identity_and_partition_are_those_of_the_fields() {
    for (fields, identity, city) in [
        (r#""ride_id": "r1", "city": "Köln""#, "r1", "city=K%C3%B6ln"),
        (r#""city": "a/b", "ride_id": "r\u0031""#, "r1", "city=a%2Fb"),
        (r#""ride_id": 17, "city": 3"#, "17", "city=3"),
        (r#""ride_id": -17, "city": true"#, "-17", "city=true"),
        (r#""ride_id": "r1", "city": null"#, "r1", "city=__HIVE_DEFAULT_PARTITION__"),
        (r#""ride_id": "r1", "x": [{"city": "y"}]"#, "r1", "city=__HIVE_DEFAULT_PARTITION__"),
    ] {
        let message = ride(fields);
        let found = rides(None).identify(&message).unwrap();
        assert_eq!(&*found.identity, identity);
        assert_eq!(found.partition.name(), format!("dt=2026_11_22/{city}"));
        let line = rides(None).identity_of(&message.body).map(Cow::into_owned);
        assert_eq!(line.as_deref(), Some(identity), "{fields}");
        assert_eq!(rides(None).trace(&message), found.into());
    }
}

#[test]
fn what_is_no_event_is_told_by_its_fields() {
    let typed = Some(TypeFrom::Field("kind".to_owned()));
    for (fields, code, named) in [
        (r#""x": 1"#, Reason::MISSING_FIELD, "ride_id"),
        (r#""ride_id": 1.5"#, Reason::WRONG_TYPE, "ride_id"),
        (r#""ride_id": null"#, Reason::WRONG_TYPE, "ride_id"),
        (r#""ride_id": """#, Reason::OUT_OF_RANGE, "ride_id"),
        (r#""ride_id": "a\n""#, Reason::OUT_OF_RANGE, "ride_id"),
        (r#""ride_id": "r", "kind": "x", "city": []"#, Reason::WRONG_TYPE, "city"),
        (r#""ride_id": "r", "kind": "x", "City": "x""#, Reason::CASE_CONFLICT, "City"),
        (r#""ride_id": "r", "at": "2026-11-22""#, Reason::DUPLICATE_KEY, "at"),
        (r#""ride_id": "r""#, Reason::MISSING_FIELD, "kind"),
        (r#""ride_id": "r", "kind": 1"#, Reason::WRONG_TYPE, "kind"),
        (r#""ride_id": "r", "kind": """#, Reason::OUT_OF_RANGE, "type"),
        (r#""Type": "Notification", "TopicArn": "", "Message": """#, Reason::ENVELOPE, "SNS"),
    ] {
        let reason = rides(typed.clone()).identify(&ride(fields)).unwrap_err();
        assert_eq!(reason.code(), code, "{fields}: {reason}");
        assert!(reason.detail().contains(named), "{fields}: {reason}");
    }
    let at = Message::new(r#"{"ride_id": "r", "kind": "x", "at": "yesterday"}"#);
    let reason = rides(typed).identify(&at).unwrap_err();
    assert!(reason.to_string().contains("at \\\"yesterday"), "{reason}");
}

#[test]
fn a_type_may_be_an_attribute() {
    let rides = rides(Some(TypeFrom::Attribute("kind".to_owned())));
    let message = ride(r#""ride_id": "r1", "city": "x""#);
    assert_eq!(rides.identify(&message).unwrap_err().code(), Reason::UNKNOWN_EVENT_TYPE);
    let typed = message.clone().with_attribute("kind", "ended/late");
    let found = rides.identify(&typed).unwrap();
    assert_eq!(found.partition.name(), "event_type=ended%2Flate/dt=2026_11_22/city=x");
    // What is stored is read as it was received.
    let attributes = rides.attributes_of(&found.partition);
    assert_eq!(rides.identify(&Message { attributes, ..message.clone() }), Ok(found));
    let bare = rides.trace(&message);
    assert_eq!((bare.identity.as_deref(), bare.partition), (Some("r1"), None));
    assert!(bare.day.is_some());
}
