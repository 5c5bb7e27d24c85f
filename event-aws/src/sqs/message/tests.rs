use super::*;

fn queue() -> Subject {
    Subject::queue("orders")
}

fn kind(message: &Message) -> Option<ErrorKind> {
    outgoing(0, message, 1_000, &queue()).err().map(|error| error.kind())
}

#[test]
fn bodies_are_what_sqs_takes() {
    let table = [
        ("{}\t\r\n", None),
        ("\u{20}\u{d7ff}\u{e000}\u{fffd}\u{10000}\u{10ffff}", None),
        ("", Some(ErrorKind::Invalid)),
        ("nul \0", Some(ErrorKind::Invalid)),
        ("\u{8}", Some(ErrorKind::Invalid)),
        ("\u{b}", Some(ErrorKind::Invalid)),
        ("\u{1f}", Some(ErrorKind::Invalid)),
        ("\u{fffe}", Some(ErrorKind::Invalid)),
        ("\u{ffff}", Some(ErrorKind::Invalid)),
    ];
    for (body, expected) in table {
        assert_eq!(kind(&Message::new(body)), expected, "{body:?}");
    }
    assert_eq!(kind(&Message::new(&b"\xff"[..])), Some(ErrorKind::Invalid));
    assert_eq!(kind(&Message::new(vec![b'x'; 1_000])), None);
    assert_eq!(kind(&Message::new(vec![b'x'; 1_001])), Some(ErrorKind::TooLarge));
}

#[test]
fn the_first_character_that_sqs_does_not_take_is_found() {
    for char in '\0'..='\u{ffff}' {
        let text = format!("a{char}\0");
        let first = if is_taken(char) { '\0' } else { char };
        assert_eq!(odd_character(&text), Some(first), "{char:?}");
        assert_eq!(odd_character(&text[..text.len() - 1]).is_none(), is_taken(char), "{char:?}");
    }
}

#[test]
fn attributes_are_what_sqs_takes() {
    let table = [
        ("event_type", "sale_event", true),
        ("a.b-C_9", "../<&>\" 東京", true),
        ("awsome", "x", true),
        ("", "x", false),
        (".a", "x", false),
        ("a.", "x", false),
        ("a..b", "x", false),
        ("a b", "x", false),
        ("é", "x", false),
        ("AWS.Trace", "x", false),
        ("amazon.a", "x", false),
        ("Amazon.a", "x", false),
        ("aws.a", "x", false),
        ("aws", "x", true),
        ("amazon", "x", true),
        ("a", "", false),
        ("a", "\0", false),
    ];
    for (name, value, taken) in table {
        let message = Message::new("{}").with_attribute(name, value);
        assert_eq!(kind(&message).is_none(), taken, "{name:?}: {value:?}");
    }
    for (length, taken) in [(256, true), (257, false)] {
        let message = Message::new("{}").with_attribute("n".repeat(length), "x");
        assert_eq!(kind(&message).is_none(), taken, "a name of {length} characters");
    }
    let name = |n: usize| (format!("a{n}"), "x");
    for (count, taken) in [(10, true), (11, false)] {
        let attributes = (0..count).map(name).collect();
        let message = Message { attributes, ..Message::new("{}") };
        assert_eq!(kind(&message).is_none(), taken, "{count} attributes");
    }
}

#[test]
fn values_of_attributes_have_the_types_that_sqs_takes() {
    let text = |text: &'static str| AttributeValue::from(text);
    let bytes = |bytes: &'static [u8]| AttributeValue::from(bytes.to_vec());
    let table = [
        (bytes(&[0, 255]), "Binary", true),
        (bytes(&[0]), "Binary.gif", true),
        (bytes(&[]), "Binary", false),
        (text("{}"), "String.json", true),
        (text("x"), "String.", false),
        (text("x"), "String.a b", false),
        (text("x"), "Other", false),
        (text("-1.50e3"), "Number", true),
        (text("7"), "Number.int", true),
        (text("seven"), "Number", false),
        (text("inf"), "Number", false),
        (text("1e999"), "Number", false),
        (text("12345678901234567890123456789012345678"), "Number", true),
        (text("123456789012345678901234567890123456789"), "Number", false),
        // Those of an exponent are not digits of the number.
        (text("12345678901234567890123456789012345678e10"), "Number", true),
        (text("12345678901234567890123456789012345678E10"), "Number", true),
        (text("-1.2345678901234567890123456789012345678"), "Number", true),
        (text("NaN"), "Number", false),
        (text("e5"), "Number", false),
        (text(" 7"), "Number", false),
        (text("seven"), "Number.int", false),
        (text("seven"), "String.Number", true),
        (bytes(b"x"), "Binary.a-b_c.9", true),
        (text("x"), "string", false),
        (text("x"), "Strings", false),
    ];
    for (value, data_type, taken) in table {
        let value = value.with_type(data_type).unwrap();
        let message = Message::new("{}").with_attribute("a", value);
        assert_eq!(kind(&message).is_none(), taken, "{message:?}");
    }
    let long = format!("String.{}", "x".repeat(249));
    assert!(is_type(&long) && !is_type(&format!("{long}x")));
}

fn received() -> aws_sdk_sqs::types::builders::MessageBuilder {
    SqsMessage::builder()
        .message_id("id")
        .receipt_handle("receipt")
        .body("{}")
        .md5_of_body("99914b932bd37a50b983c5e7c90ae93b")
        .attributes(MessageSystemAttributeName::ApproximateReceiveCount, "3")
        .attributes(MessageSystemAttributeName::SentTimestamp, "1700000000123")
}

#[test]
fn a_message_is_received_with_count_and_time() {
    let delivery = incoming(received().build(), &queue()).unwrap();
    assert_eq!(delivery.message, Message::new("{}"));
    assert_eq!((delivery.id.as_str(), delivery.receipt.as_str()), ("id", "receipt"));
    assert_eq!(delivery.receive_count, 3);
    let sent = delivery.sent_at.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(sent, Duration::from_millis(1_700_000_000_123));
}

#[test]
fn a_count_that_is_not_there_is_that_of_the_first_receive() {
    let name = MessageSystemAttributeName::ApproximateReceiveCount;
    for (told, count) in [("1", 1), ("", 1), ("4294967295", u32::MAX), ("4294967296", u32::MAX)] {
        let message = received().attributes(name.clone(), told).build();
        assert_eq!(incoming(message, &queue()).unwrap().receive_count, count, "{told:?}");
    }
}

/// Never as if it had been sent now: it would be quarantined on another day each time it comes.
#[test]
fn a_message_without_the_time_at_which_it_was_sent_is_not_handed_out() {
    let sent = MessageSystemAttributeName::SentTimestamp;
    for odd in ["", "yesterday", "-1", "18446744073709551616"] {
        assert!(incoming(received().attributes(sent.clone(), odd).build(), &queue()).is_none());
    }
    assert!(incoming(received().set_attributes(None).build(), &queue()).is_none());
}

#[test]
fn a_damaged_body_is_not_handed_out() {
    assert!(incoming(received().body("{ }").build(), &queue()).is_none());
    assert!(incoming(received().set_receipt_handle(None).build(), &queue()).is_none());
    assert!(incoming(received().set_message_id(None).build(), &queue()).is_none());
    let bare = received().set_body(None).set_md5_of_body(None);
    assert!(incoming(bare.build(), &queue()).is_none());
    // A service that gives no digest cannot be held to it.
    assert!(incoming(received().set_md5_of_body(None).build(), &queue()).is_some());
}

#[test]
fn a_message_with_damaged_attributes_is_not_handed_out() {
    let value = MessageAttributeValue::builder().data_type("String").string_value("sale_event");
    let with = |digest: &str| {
        received()
            .message_attributes("event_type", value.clone().build().unwrap())
            .md5_of_message_attributes(digest)
            .build()
    };
    let of_sale = "757dbcef7fa8fd168eac04cce0219176";
    assert!(incoming(with(of_sale), &queue()).is_some());
    let of_inventory = "9fbb377e76547b8c571ddaa65e08032f";
    assert!(incoming(with(of_inventory), &queue()).is_none());
    let lost = received().md5_of_message_attributes(of_sale).build();
    assert!(incoming(lost, &queue()).is_none());
}

#[test]
fn attributes_are_received_as_they_were_sent() {
    let typed = |value: AttributeValue, data_type| value.with_type(data_type).unwrap();
    let sent = Message::new("{}")
        .with_attribute("a", "x")
        .with_attribute("b", typed("1.50".into(), "Number"))
        .with_attribute("c", typed("{}".into(), "String.json"))
        .with_attribute("d", vec![0, 255])
        .with_attribute("e", typed(b"GIF89a".to_vec().into(), "Binary.gif"));
    let entry = outgoing(0, &sent, 1_000, &queue()).unwrap().entry();
    assert_eq!(entry.message_attributes().unwrap()["d"].data_type(), "Binary");
    let message = received().set_message_attributes(entry.message_attributes).build();
    assert_eq!(incoming(message, &queue()).unwrap().message, sent);
}

#[test]
fn a_message_with_an_attribute_of_no_known_form_is_not_handed_out() {
    let value = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
    let bytes = || Blob::new("bytes");
    for odd in [
        value("String"),
        value("Binary").string_value("x"),
        value("String").binary_value(bytes()),
        value("String").string_value("x").binary_value(bytes()),
    ] {
        let message = received()
            .message_attributes("a", value("String").string_value("x").build().unwrap())
            .message_attributes("b", odd.build().unwrap());
        assert!(incoming(message.build(), &queue()).is_none());
    }
}
