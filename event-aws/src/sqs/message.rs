//! Messages as SQS has them, and what it takes.

#[cfg(test)]
mod tests;

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
