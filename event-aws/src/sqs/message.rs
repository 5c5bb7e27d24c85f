//! Messages as SQS has them, and what it takes.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName,
    SendMessageBatchRequestEntry,
};
use event_core::{
    AttributeValue, Attributes, Delivery, ErrorKind, Message, MessageId, Receipt, Result,
};

use super::digest::Digests;
use crate::error::Subject;

/// Most attributes of a message.
const MAX_ATTRIBUTES: usize = 10;

/// Most characters of an attribute's name, and of its type.
const MAX_NAME: usize = 256;

/// A message that SQS takes, for an entry of a batch.
pub(super) struct Outgoing<'a> {
    id: String,
    body: &'a str,
    attributes: &'a Attributes,
}

impl Outgoing<'_> {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The part that SQS has another digest of.
    pub(super) fn damaged(&self, digests: Digests<'_>) -> Option<&'static str> {
        digests.damaged(self.body.as_bytes(), self.attributes)
    }

    pub(super) fn entry(&self) -> SendMessageBatchRequestEntry {
        let attributes = self.attributes.iter().map(|(name, value)| {
            let typed = MessageAttributeValue::builder().data_type(value.data_type());
            let value = match value.as_text() {
                Some(text) => typed.string_value(text),
                None => typed.binary_value(Blob::new(value.as_bytes())),
            };
            // The one required member is set.
            (name.to_owned(), value.build().expect("a type"))
        });
        let attributes: HashMap<_, _> = attributes.collect();
        let entry = SendMessageBatchRequestEntry::builder()
            .id(&self.id)
            .message_body(self.body)
            .set_message_attributes((!attributes.is_empty()).then_some(attributes));
        // Both required members are set.
        entry.build().expect("an id and a body")
    }
}

/// The entry at this index of a batch, if SQS takes the message.
pub(super) fn outgoing<'a>(
    index: usize,
    message: &'a Message,
    max_bytes: usize,
    subject: &Subject,
) -> Result<Outgoing<'a>> {
    let refused = |kind, what: String| Err(subject.error(kind, "send", what));
    let size = message.size();
    if size > max_bytes {
        let what = format!("a message of {size} bytes, at most {max_bytes} are taken");
        return refused(ErrorKind::TooLarge, what);
    }
    let body = match std::str::from_utf8(&message.body) {
        Ok(body) if !body.is_empty() => body,
        Ok(_) => return refused(ErrorKind::Invalid, "an empty body".into()),
        Err(_) => return refused(ErrorKind::Invalid, "a body that is not UTF-8".into()),
    };
    if let Some(char) = odd_character(body) {
        return refused(ErrorKind::Invalid, format!("a body with the character {char:?}"));
    }
    if let Some(fault) = fault(&message.attributes) {
        return refused(ErrorKind::Invalid, fault);
    }
    Ok(Outgoing { id: index.to_string(), body, attributes: &message.attributes })
}

/// The first character of a text that SQS does not take.
fn odd_character(text: &str) -> Option<char> {
    let is_usual = |byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'\x7f');
    // Almost always all are; without an early end many bytes are looked at at once.
    if text.bytes().fold(true, |all, byte| all & is_usual(byte)) {
        return None;
    }
    text.chars().find(|char| !is_taken(*char))
}

/// The [characters](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html)
/// that XML 1.0 can carry.
fn is_taken(char: char) -> bool {
    matches!(char,
        '\u{9}' | '\u{a}' | '\u{d}'
        | '\u{20}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}'
        | '\u{10000}'..='\u{10ffff}')
}

/// What is wrong with attributes, by the
/// [rules](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html)
/// of SQS.
fn fault(attributes: &Attributes) -> Option<String> {
    let count = attributes.iter().len();
    if count > MAX_ATTRIBUTES {
        return Some(format!("{count} attributes, at most {MAX_ATTRIBUTES} are taken"));
    }
    attributes.iter().find_map(|(name, value)| {
        if !is_name(name) {
            Some(format!("an attribute with the name {name:?}"))
        } else if !is_type(value.data_type()) {
            Some(format!("the type {:?} of the attribute {name}", value.data_type()))
        } else if value.as_bytes().is_empty() {
            Some(format!("an empty value for the attribute {name}"))
        } else if !is_number(value) {
            Some(format!("no number in the attribute {name} of the type {}", value.data_type()))
        } else {
            let char = odd_character(value.as_text()?)?;
            Some(format!("the character {char:?} in the attribute {name}"))
        }
    })
}

/// `String`, `Number` or `Binary`, with a label or without one.
fn is_type(data_type: &str) -> bool {
    let (base, label) = data_type.split_once('.').unwrap_or((data_type, "x"));
    ["String", "Number", "Binary"].contains(&base)
        && !label.is_empty()
        && data_type.len() <= MAX_NAME
        && label.bytes().all(is_plain)
}

/// Whether the value is a number, if it shall be one. SQS takes 38 digits, and no more.
fn is_number(value: &AttributeValue) -> bool {
    if value.data_type().split('.').next() != Some("Number") {
        return true;
    }
    let text = value.as_text().unwrap_or_default();
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    // `inf` and `NaN` have none.
    (1..=38).contains(&digits) && text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn is_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

/// A message as it was received; none if it cannot be handed out as what was sent. Then it comes
/// back after its visibility timeout.
pub(super) fn incoming(message: SqsMessage, subject: &Subject) -> Option<Delivery> {
    let SqsMessage { message_id, receipt_handle, body, attributes: system, .. } = message;
    let (Some(id), Some(receipt), Some(body)) = (&message_id, receipt_handle, body) else {
        tracing::warn!(%subject, id = message_id, "a message without id, receipt or body was not handed out");
        return None;
    };
    let attributes = match attributes(message.message_attributes.unwrap_or_default()) {
        Ok(attributes) => attributes,
        Err(name) => {
            // It cannot be received as it was sent, and without it the message is another one.
            tracing::warn!(%subject, id, name, "a message with an attribute of no known form was not handed out");
            return None;
        }
    };
    let digests = Digests {
        body: message.md5_of_body.as_deref(),
        attributes: message.md5_of_message_attributes.as_deref(),
    };
    if let Some(part) = digests.damaged(body.as_bytes(), &attributes) {
        tracing::warn!(%subject, id, part, "a message with another MD5 was not handed out");
        return None;
    }
    let system = |name| system.as_ref()?.get(&name)?.parse::<u64>().ok();
    let count = system(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent = system(MessageSystemAttributeName::SentTimestamp)
        .and_then(|millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis)));
    let Some(sent_at) = sent else {
        // Its day says where it is quarantined, and must not change when the message comes again.
        tracing::warn!(%subject, id, "a message without the time at which it was sent was not handed out");
        return None;
    };
    Some(Delivery {
        message: Message { body: body.into(), attributes },
        id: MessageId::new(&**id),
        receipt: Receipt::new(&*receipt),
        // It is asked for with each receive, and SQS always answers it.
        receive_count: count.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)),
        sent_at,
        event: None,
    })
}

/// The attributes as they were sent; the name of one that is neither text nor bytes.
fn attributes(sent: HashMap<String, MessageAttributeValue>) -> Result<Attributes, String> {
    let attribute = |(name, sent): (String, MessageAttributeValue)| {
        let value = match (sent.string_value, sent.binary_value) {
            (Some(text), None) => AttributeValue::from(text),
            (None, Some(bytes)) => AttributeValue::from(bytes.into_inner()),
            _ => return Err(name),
        };
        match value.with_type(sent.data_type) {
            Ok(value) => Ok((name, value)),
            Err(_) => Err(name),
        }
    };
    sent.into_iter().map(attribute).collect()
}

#[cfg(test)]
mod tests {
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
            assert_eq!(
                odd_character(&text[..text.len() - 1]).is_none(),
                is_taken(char),
                "{char:?}"
            );
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
            ("a", "", false),
            ("a", "\0", false),
        ];
        for (name, value, taken) in table {
            let message = Message::new("{}").with_attribute(name, value);
            assert_eq!(kind(&message).is_none(), taken, "{name:?}: {value:?}");
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
}
