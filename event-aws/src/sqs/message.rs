//! Messages as SQS has them, and what it takes.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use aws_sdk_sqs::types::{
    Message as SqsMessage, MessageAttributeValue, MessageSystemAttributeName,
    SendMessageBatchRequestEntry,
};
use event_core::{Attributes, Delivery, ErrorKind, Message, MessageId, Receipt, Result};

use super::digest::Digests;
use crate::error::Subject;

/// Most attributes of a message.
const MAX_ATTRIBUTES: usize = 10;

/// Most characters of an attribute's name.
const MAX_NAME: usize = 256;

/// A message that SQS takes, as an entry of a batch.
pub(super) struct Outgoing(SendMessageBatchRequestEntry);

impl Outgoing {
    pub(super) fn id(&self) -> &str {
        self.0.id()
    }

    /// The part that SQS has another digest of.
    pub(super) fn damaged(&self, digests: Digests<'_>) -> Option<&'static str> {
        digests.damaged(self.0.message_body(), self.0.message_attributes())
    }

    pub(super) fn entry(&self) -> SendMessageBatchRequestEntry {
        self.0.clone()
    }
}

/// The entry at this index of a batch, if SQS takes the message.
pub(super) fn outgoing(
    index: usize,
    message: &Message,
    max_bytes: usize,
    subject: &Subject,
) -> Result<Outgoing> {
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
    if let Some(char) = body.chars().find(|char| !is_taken(*char)) {
        return refused(ErrorKind::Invalid, format!("a body with the character {char:?}"));
    }
    if let Some(fault) = fault(&message.attributes) {
        return refused(ErrorKind::Invalid, fault);
    }
    let attributes = message.attributes.iter().map(|(name, value)| {
        let value = MessageAttributeValue::builder().data_type("String").string_value(value);
        // The one required member is set.
        (name.to_owned(), value.build().expect("a type"))
    });
    let attributes: HashMap<_, _> = attributes.collect();
    let entry = SendMessageBatchRequestEntry::builder()
        .id(index.to_string())
        .message_body(body)
        .set_message_attributes((!attributes.is_empty()).then_some(attributes));
    // Both required members are set.
    Ok(Outgoing(entry.build().expect("an id and a body")))
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
        } else if value.is_empty() {
            Some(format!("an empty value for the attribute {name}"))
        } else {
            let char = value.chars().find(|char| !is_taken(*char))?;
            Some(format!("the character {char:?} in the attribute {name}"))
        }
    })
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let lower = name.to_ascii_lowercase();
    (1..=MAX_NAME).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

/// A message as it was received; none if it cannot be handed out as what was sent. Then it comes
/// back after its visibility timeout.
pub(super) fn incoming(message: SqsMessage, subject: &Subject) -> Option<Delivery> {
    let SqsMessage { message_id, receipt_handle, body, md5_of_body, .. } = &message;
    let (Some(id), Some(receipt), Some(body)) = (message_id, receipt_handle, body) else {
        let id = message_id.as_deref();
        tracing::warn!(%subject, id, "a message without id, receipt or body was not handed out");
        return None;
    };
    let digests = Digests {
        body: md5_of_body.as_deref(),
        attributes: message.md5_of_message_attributes.as_deref(),
    };
    if let Some(part) = digests.damaged(body, message.message_attributes.as_ref()) {
        tracing::warn!(%subject, id, part, "a message with another MD5 was not handed out");
        return None;
    }
    let system = |name| message.attributes.as_ref()?.get(&name)?.parse::<u64>().ok();
    let count = system(MessageSystemAttributeName::ApproximateReceiveCount);
    let sent = system(MessageSystemAttributeName::SentTimestamp)
        .and_then(|millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis)));
    let (id, receipt) = (MessageId::new(&**id), Receipt::new(&**receipt));
    let attributes = attributes(message.message_attributes.unwrap_or_default(), &id, subject);
    Some(Delivery {
        message: Message { body: message.body.unwrap_or_default().into(), attributes },
        id,
        receipt,
        // Both are asked for with each receive, and SQS always answers them.
        receive_count: count.map_or(1, |count| u32::try_from(count).unwrap_or(u32::MAX)),
        sent_at: sent.unwrap_or_else(SystemTime::now),
    })
}

/// Those whose value is text: a binary one has no place in [`Attributes`], and a text made of it
/// could not be told from one that was sent so.
fn attributes(
    attributes: HashMap<String, MessageAttributeValue>,
    id: &MessageId,
    subject: &Subject,
) -> Attributes {
    let text = |(name, value): (String, MessageAttributeValue)| match value.string_value {
        Some(text) => Some((name, text)),
        None => {
            let (id, data_type) = (id.as_str(), value.data_type);
            tracing::warn!(%subject, id, name, data_type, "an attribute that is no text is left out");
            None
        }
    };
    attributes.into_iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::primitives::Blob;

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
    fn attributes_that_are_text_are_kept() {
        let value = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
        let message = received()
            .message_attributes("a", value("String").string_value("x").build().unwrap())
            .message_attributes("b", value("Number").string_value("1.50").build().unwrap())
            .message_attributes("c", value("String.json").string_value("{}").build().unwrap())
            .message_attributes(
                "d",
                value("Binary").binary_value(Blob::new("bytes")).build().unwrap(),
            );
        let delivery = incoming(message.build(), &queue()).unwrap();
        let kept: Vec<_> = delivery.message.attributes.iter().collect();
        assert_eq!(kept, [("a", "x"), ("b", "1.50"), ("c", "{}")]);
    }
}
