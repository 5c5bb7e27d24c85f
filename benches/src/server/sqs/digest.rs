//! The digests that SQS gives with each message.

use std::fmt::Write;

use event_core::Attributes;
use md5::{Digest, Md5};

pub(super) fn of_body(body: &[u8]) -> String {
    hex(&Md5::digest(body))
}

/// By the [rules](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation)
/// of SQS: in order of the names, each part after its length; 1 stands for text, 2 for bytes.
pub(super) fn of_attributes(attributes: &Attributes) -> Option<String> {
    if attributes.iter().len() == 0 {
        return None;
    }
    let mut digest = Md5::new();
    let mut part = |bytes: &[u8], after: &[u8]| {
        // A part is shorter than the largest message.
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        digest.update(length.to_be_bytes());
        digest.update(bytes);
        digest.update(after);
    };
    for (name, value) in attributes.iter() {
        let kind = if value.as_text().is_some() { 1 } else { 2 };
        part(name.as_bytes(), &[]);
        part(value.data_type().as_bytes(), &[kind]);
        part(value.as_bytes(), &[]);
    }
    Some(hex(&digest.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}
