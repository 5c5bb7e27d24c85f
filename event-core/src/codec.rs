//! Messages as lines of JSON: the format of captures, replays and quarantine.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::message::Message;
use crate::object::Object;
use crate::reason::Reason;

/// One line: `{"body": "…", "attributes": {"event_type": "sale_event", …}}`.
///
/// A body that is not UTF-8 stands as `body_hex` instead. A quarantined message has `reason` and
/// `detail` before the rest, so a quarantine can be replayed as it is once its cause is mended.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    body: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

/// Writes a message as one line, newline included.
pub fn encode_line(message: &Message) -> Vec<u8> {
    encode(message, None)
}

/// Writes a message that is put aside, with the reason, as one line, newline included.
pub fn encode_quarantined(message: &Message, reason: &Reason) -> Vec<u8> {
    encode(message, Some(reason))
}

/// Reads a line that [`encode_line`] or [`encode_quarantined`] wrote; the error is a sentence
/// that says what is wrong with the line, cut as the detail of a [`Reason`] is.
///
/// ```
/// use event_core::codec::{decode_line, encode_line};
/// use event_core::Message;
///
/// let message = Message::new("{}").with_attribute("event_type", "sale_event");
/// assert_eq!(decode_line(&encode_line(&message)), Ok(message));
/// assert!(decode_line(b"{\"body\": ").is_err());
/// ```
pub fn decode_line(line: &[u8]) -> Result<Message, String> {
    let Object::<Line<'_>>(line) =
        serde_json::from_slice(line).map_err(|error| Reason::cut(error.to_string()))?;
    let body = match (line.body, line.body_hex) {
        (Some(body), None) => body.into_owned().into_bytes(),
        (None, Some(hex)) => decode_hex(&hex)
            .ok_or_else(|| "body_hex is not pairs of hexadecimal digits".to_owned())?,
        (None, None) => return Err("the line has no \"body\"".to_owned()),
        (Some(_), Some(_)) => return Err("the line has both \"body\" and \"body_hex\"".to_owned()),
    };
    Ok(Message { body: body.into(), attributes: line.attributes.into_iter().collect() })
}

fn encode(message: &Message, reason: Option<&Reason>) -> Vec<u8> {
    let attributes = message.attributes.iter();
    let text = std::str::from_utf8(&message.body).ok();
    let line = Line {
        reason: reason.map(|r| r.code().to_owned()),
        detail: reason.map(|r| r.detail().to_owned()),
        attributes: attributes.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
        body: text.map(Into::into),
        body_hex: text.is_none().then(|| encode_hex(&message.body)),
    };
    // Strings and maps with string keys always serialise.
    let mut bytes = serde_json::to_vec(&line).expect("a line is strings and one map of strings");
    bytes.push(b'\n');
    bytes
}

fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|&[high, low]| u8::try_from(digit(high)? * 16 + digit(low)?).ok());
    if rest.is_empty() { bytes.collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_quarantined_message_is_one_line_with_its_reason() {
        let message = Message::new("a\nb").with_attribute("event_type", "x");
        let line = encode_quarantined(&message, &Reason::new("bad_msg", "why"));
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"reason\":\"bad_msg\",\"detail\":\"why\",\"attributes\":{\"event_type\":\"x\"},\"body\":\"a\\nb\"}\n"
        );
    }

    #[test]
    fn faults_are_told_apart() {
        for (line, fault) in [
            ("{}", "no \"body\""),
            (r#"{"body": "", "body_hex": ""}"#, "both"),
            (r#"{"body_hex": "abc"}"#, "hexadecimal"),
            (r#"{"body_hex": "zz"}"#, "hexadecimal"),
            (r#"{"body": {"a": 1}}"#, "string"),
            (r#"{"body": "", "attributes": {"n": 1}}"#, "string"),
            ("[1]", "object"),
            (r#"[null, null, {}, "body"]"#, "object"),
            ("{", "EOF"),
        ] {
            let error = decode_line(line.as_bytes()).unwrap_err();
            assert!(error.contains(fault), "{line}: {error}");
        }
    }

    #[test]
    fn a_fault_does_not_grow_with_the_line() {
        let line = format!(r#"{{"attributes": "{}"}}"#, "é".repeat(1000));
        let error = decode_line(line.as_bytes()).unwrap_err();
        assert!(error.starts_with("invalid type: string \"éé") && error.len() < 210, "{error}");
    }

    proptest! {
        #[test]
        fn every_message_survives_a_round_trip(
            body in prop::collection::vec(any::<u8>(), 0..100),
            text in ".{0,100}",
            attributes in prop::collection::btree_map(".{0,20}", ".{0,20}", 0..5),
        ) {
            for body in [body, text.into_bytes()] {
                let message = Message { body: body.into(), attributes: attributes.clone().into_iter().collect() };
                let line = encode_quarantined(&message, &Reason::new("x", "y"));
                prop_assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
                prop_assert_eq!(decode_line(&line).unwrap(), message.clone());
                prop_assert_eq!(decode_line(&encode_line(&message)).unwrap(), message);
            }
        }
    }
}
