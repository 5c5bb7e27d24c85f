//! The MD5 digests that SQS answers, so that what arrived damaged is not taken for what was sent.

use event_core::Attributes;
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
    pub(super) fn damaged(&self, body: &[u8], attributes: &Attributes) -> Option<&'static str> {
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
fn of_attributes(attributes: &Attributes) -> Md5 {
    const TEXT: [u8; 1] = [1];
    const BINARY: [u8; 1] = [2];
    let mut digest = Md5::new();
    let mut part = |kind: &[u8], bytes: &[u8]| {
        digest.update(kind);
        // A message has at most 1 MiB.
        digest.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
        digest.update(bytes);
    };
    // They are in order of their names.
    for (name, value) in attributes.iter() {
        part(&[], name.as_bytes());
        part(&[], value.data_type().as_bytes());
        let kind = if value.as_text().is_some() { TEXT } else { BINARY };
        part(&kind, value.as_bytes());
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
    use event_core::AttributeValue;

    const ABC: &str = "900150983cd24fb0d6963f7d28e17f72";

    fn body(digest: &str) -> Option<&'static str> {
        Digests { body: Some(digest), attributes: None }.damaged(b"abc", &Attributes::default())
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
        assert_eq!(empty.damaged(b"abc", &Attributes::default()), None);
    }

    fn attributes(of: [(&'static str, AttributeValue); 3]) -> String {
        String::from_utf8(hex(of_attributes(&of.into_iter().collect())).to_vec()).unwrap()
    }

    #[test]
    fn the_digest_of_attributes_is_that_of_sqs() {
        let sent = || {
            [
                ("priority", AttributeValue::from("1").with_type("Number.int").unwrap()),
                ("event_type", "sale_event".into()),
                ("trace", vec![0, 255].into()),
            ]
        };
        assert_eq!(attributes(sent()), "c05c50a471884f2c25ccd667bc2159e7");
        let mut other = sent();
        other[1].1 = "inventory_event".into();
        assert_ne!(attributes(other), attributes(sent()));
        let mut label = sent();
        label[1].1 = AttributeValue::from("sale_event").with_type("String.x").unwrap();
        assert_ne!(attributes(label), attributes(sent()));
        assert_eq!(
            &hex(of_attributes(&Attributes::default())),
            b"d41d8cd98f00b204e9800998ecf8427e"
        );
    }
}
