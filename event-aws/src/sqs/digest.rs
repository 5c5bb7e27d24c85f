//! The MD5 digests that SQS answers, so that what arrived damaged is not taken for what was sent.

use std::collections::HashMap;

use aws_sdk_sqs::types::MessageAttributeValue;
use md5::{Digest, Md5};

/// What one side says of a message.
#[derive(Clone, Copy)]
pub(super) struct Digests<'a> {
    pub(super) body: Option<&'a str>,
    pub(super) attributes: Option<&'a str>,
}

impl Digests<'_> {
    /// The part of a message that has another digest here. A service that gives none, or an empty
    /// one, cannot be held to it.
    pub(super) fn damaged(
        &self,
        body: &str,
        attributes: Option<&HashMap<String, MessageAttributeValue>>,
    ) -> Option<&'static str> {
        let given = |digest: Option<_>| digest.filter(|digest: &&str| !digest.is_empty());
        if given(self.body).is_some_and(|digest| !is_of(digest, Md5::new_with_prefix(body))) {
            Some("body")
        } else if given(self.attributes)
            .is_some_and(|digest| !is_of(digest, of_attributes(attributes)))
        {
            Some("attributes")
        } else {
            None
        }
    }
}

/// As the [SQS developer guide](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html#sqs-attributes-md5-message-digest-calculation)
/// has it: by name, each part after its length.
fn of_attributes(attributes: Option<&HashMap<String, MessageAttributeValue>>) -> Md5 {
    const TEXT: [u8; 1] = [1];
    const BINARY: [u8; 1] = [2];
    let mut attributes: Vec<_> = attributes.into_iter().flatten().collect();
    attributes.sort_unstable_by_key(|(name, _)| *name);
    let mut digest = Md5::new();
    let mut part = |kind: &[u8], bytes: &[u8]| {
        digest.update(kind);
        // A message has at most 1 MiB.
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    for (name, value) in attributes {
        part(&[], name.as_bytes());
        part(&[], value.data_type().as_bytes());
        match (value.string_value(), value.binary_value()) {
            (None, Some(bytes)) => part(&BINARY, bytes.as_ref()),
            (text, _) => part(&TEXT, text.unwrap_or_default().as_bytes()),
        }
    }
    digest
}

fn is_of(digest: &str, own: Md5) -> bool {
    hex(own).eq_ignore_ascii_case(digest.as_bytes())
}

fn hex(digest: Md5) -> [u8; 32] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 32];
    for (digits, byte) in hex.chunks_exact_mut(2).zip(digest.finalize()) {
        digits[0] = DIGITS[usize::from(byte >> 4)];
        digits[1] = DIGITS[usize::from(byte & 15)];
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_sqs::primitives::Blob;
    use aws_sdk_sqs::types::builders::MessageAttributeValueBuilder;

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    fn body(digest: &str) -> Option<&'static str> {
        Digests { body: Some(digest), attributes: None }.damaged("abc", None)
    }

    #[test]
    fn digests_are_compared_in_either_case() {
        assert_eq!(body(ABC), None);
        assert_eq!(body(&ABC.to_uppercase()), None);
        assert_eq!(body(&ABC[1..]), Some("body"));
        assert_eq!(body(&ABC.replace('9', "0")), Some("body"));
    }

    #[test]
    fn an_empty_digest_is_none() {
        let empty = Digests { body: Some(""), attributes: Some("") };
        assert_eq!(empty.damaged("abc", None), None);
    }

    fn attributes(of: [(&str, MessageAttributeValueBuilder); 3]) -> String {
        let attributes = of.map(|(name, value)| (name.to_owned(), value.build().unwrap()));
        String::from_utf8(hex(of_attributes(Some(&attributes.into()))).to_vec()).unwrap()
    }

    #[test]
    fn the_digest_of_attributes_is_that_of_sqs() {
        let value = |data_type: &str| MessageAttributeValue::builder().data_type(data_type);
        let sent = || {
            [
                ("priority", value("Number.int").string_value("1")),
                ("event_type", value("String").string_value("sale_event")),
                ("trace", value("Binary").binary_value(Blob::new([0, 255]))),
            ]
        };
        assert_eq!(attributes(sent()), "c05c50a471884f2c25ccd667bc2159e7");
        let mut other = sent();
        other[1].1 = value("String").string_value("inventory_event");
        assert_ne!(attributes(other), attributes(sent()));
        let mut label = sent();
        label[1].1 = value("String.x").string_value("sale_event");
        assert_ne!(attributes(label), attributes(sent()));
        assert_eq!(&hex(of_attributes(None)), b"d41d8cd98f00b204e9800998ecf8427e");
    }
}
