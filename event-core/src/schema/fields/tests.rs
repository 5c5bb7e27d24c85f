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
        (r#""ride_id": "r", "\u212aind": "x""#, Reason::CASE_CONFLICT, "kind"),
        (r#""ride_id": "r", "at": "2026-11-22""#, Reason::DUPLICATE_KEY, "at"),
        (r#""ride_id": "r""#, Reason::MISSING_FIELD, "kind"),
        (r#""ride_id": "r", "kind": 1"#, Reason::WRONG_TYPE, "kind"),
        (r#""ride_id": "r", "kind": """#, Reason::OUT_OF_RANGE, "type"),
        (r#""ride_id": true"#, Reason::WRONG_TYPE, "ride_id"),
        (r#""ride_id": 1e3"#, Reason::WRONG_TYPE, "ride_id"),
        (r#""ride_id": "r", "kind": "x", "city": {}"#, Reason::WRONG_TYPE, "city"),
        (r#""ride_id": "r", "kind": "x", "y": 1e999"#, Reason::OUT_OF_RANGE, "1e999"),
        (r#""Type": "Notification", "TopicArn": "", "Message": """#, Reason::ENVELOPE, "SNS"),
        (r#""detail-type": "", "source": "", "detail": [1, "a"]"#, Reason::ENVELOPE, "EventBridge"),
        (
            r#""ride_id": "r", "detail-type": "", "source": "", "detail": [1, "a"]"#,
            Reason::MIXED_TYPES,
            "detail",
        ),
    ] {
        let reason = rides(typed.clone()).identify(&ride(fields)).unwrap_err();
        assert_eq!(reason.code(), code, "{fields}: {reason}");
        assert!(reason.detail().contains(named), "{fields}: {reason}");
    }
    for (at, code, detail) in [
        (r#", "at": "yesterday""#, Reason::OUT_OF_RANGE, "at \"yesterday"),
        (r#", "at": 1763849808"#, Reason::WRONG_TYPE, "at is not text"),
        (r#", "at": null"#, Reason::WRONG_TYPE, "at is not text"),
        ("", Reason::MISSING_FIELD, "at is not there"),
    ] {
        let at = Message::new(format!(r#"{{"ride_id": "r", "kind": "x"{at}}}"#));
        let reason = rides(typed.clone()).identify(&at).unwrap_err();
        assert_eq!(reason.code(), code, "{reason}");
        assert!(reason.detail().contains(detail), "{reason}");
    }
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

#[test]
fn each_value_of_a_partition_is_that_of_its_own_field() {
    let fields = ["zone", "City"].map(str::to_owned).to_vec();
    let kind = Some(TypeFrom::Field("kind".to_owned()));
    let rides = Fields::new("ride_id", "at", kind, fields, PartitionBy::Hour).unwrap();
    let name = "event_type=ended/dt=2026_11_22/hr=22/zone=3/City=x";
    for body in [
        r#""ride_id": "r1", "kind": "ended", "zone": 3, "City": "x""#,
        r#""City": "x", "zone": 3, "kind": "ended", "ride_id": "r1""#,
    ] {
        let found = rides.identify(&ride(body)).unwrap();
        assert_eq!((&*found.identity, found.partition.name()), ("r1", name));
        assert!(found.partition.keys().eq(rides.partition_keys()));
        // The type is in the body.
        assert_eq!(rides.attributes_of(&found.partition), Attributes::default());
    }
}

#[test]
fn a_type_takes_at_most_120_bytes_in_a_key() {
    let attribute = rides(Some(TypeFrom::Attribute("kind".to_owned())));
    let field = rides(Some(TypeFrom::Field("kind".to_owned())));
    for (kind, fits) in [
        ("x".repeat(120), true),
        ("x".repeat(121), false),
        ("é".repeat(20), true),
        ("é".repeat(20) + "x", false),
    ] {
        let one = ride(r#""ride_id": "r1""#).with_attribute("kind", kind.clone());
        let other = ride(&format!(r#""ride_id": "r1", "kind": "{kind}""#));
        for found in [attribute.identify(&one), field.identify(&other)] {
            match found {
                Ok(found) => assert!(fits && found.partition.value("event_type").unwrap() == kind),
                Err(reason) => assert!(!fits && reason.code() == Reason::OUT_OF_RANGE, "{reason}"),
            }
        }
    }
}

#[test]
fn of_what_is_no_event_an_audit_knows_what_it_says() {
    let of = |body: &str| rides(None).trace(&Message::new(body.to_owned()));
    let trace = of(r#"{"ride_id": 7, "at": "2026-11-22T00:00:00", "city": "x", "y": 1e999}"#);
    let partition = trace.partition.unwrap();
    assert_eq!((trace.identity.as_deref(), trace.day), (Some("7"), Some(partition.day())));
    assert_eq!(partition.name(), "dt=2026_11_22/city=x");
    assert_eq!(of(r#"{"ride_id": "r1", "at": 7}"#), Trace::new(Some("r1".to_owned())));
    let no_city = of(r#"{"ride_id": "r1", "at": "2026-11-22T00:00:00", "city": []}"#);
    let expected = Trace::new(Some("r1".to_owned())).day(Some(partition.day()));
    assert_eq!(no_city, expected);
    for body in ["{", "[1]", "{}", r#"{"ride_id": ""}"#, r#"{"ride_id": "r1"} x"#] {
        assert_eq!(of(body), Trace::default(), "{body}");
    }
}
