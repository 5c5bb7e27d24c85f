//! Messages as lines of JSON: the format of captures, replays and quarantine.
//!
//! ```json
//! {"attributes": {"event_type": "sale_event", "trace": {"binary": "AQI="}}, "body": "{…}"}
//! ```
//!
//! - `body` is the body as text; one that is not UTF-8 is `body_hex`, two hexadecimal digits for
//!   each byte.
//! - `attributes` may be left out. A value is a JSON string for text of the type `String`,
//!   `{"binary": "<base64>"}` for bytes of the type `Binary`, and
//!   `{"type": "Number.int", "text": "1"}` or `{"type": "Binary.gif", "binary": "<base64>"}` for
//!   those of any other [data type](crate::AttributeValue).
//! - A quarantined message has `reason` and `detail` before the rest, so a quarantine can be
//!   replayed as it is once its cause is mended.

mod foreign;
mod value;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::message::Message;
use crate::object::Object;
use crate::reason::Reason;

use value::Value;

pub use foreign::ForeignLine;

/// One line.
#[derive(Serialize, Deserialize)]
struct Line<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, Value>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    body: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_hex: Option<String>,
}

/// The byte order mark of UTF-8, which some editors put at the start of a file. It is not part of
/// any text.
pub const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Writes a message as one line, newline included.
pub fn encode_line(message: &Message) -> Vec<u8> {
    encode(message, None)
}

/// Writes a message that is quarantined, with the reason, as one line, newline included.
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
    decode(line).map(|(message, _)| message)
}

/// Reads a line that [`encode_quarantined`] wrote, with the reason; the error as of
/// [`decode_line`].
pub fn decode_quarantined(line: &[u8]) -> Result<(Message, Reason), String> {
    match decode(line)? {
        (message, Some(reason)) => Ok((message, reason)),
        (_, None) => Err("the line has no \"reason\"".to_owned()),
    }
}

fn decode(line: &[u8]) -> Result<(Message, Option<Reason>), String> {
    if line.starts_with(BYTE_ORDER_MARK) {
        return Err("the line starts with a byte order mark".to_owned());
    }
    let Object::<Line<'_>>(line) =
        serde_json::from_slice(line).map_err(|error| Reason::cut(error.to_string()))?;
    let body = match (line.body, line.body_hex) {
        (Some(body), None) => body.into_owned().into_bytes(),
        (None, Some(hex)) => decode_hex(&hex)
            .ok_or_else(|| "body_hex is not pairs of hexadecimal digits".to_owned())?,
        (None, None) => return Err("the line has no \"body\"".to_owned()),
        (Some(_), Some(_)) => return Err("the line has both \"body\" and \"body_hex\"".to_owned()),
    };
    let attributes = line.attributes.into_iter().map(|(name, Value(value))| (name, value));
    let message = Message { body: body.into(), attributes: attributes.collect() };
    let detail = line.detail.unwrap_or_default();
    Ok((message, line.reason.map(|code| Reason::new(code, detail))))
}

fn encode(message: &Message, reason: Option<&Reason>) -> Vec<u8> {
    let attributes = message.attributes.iter();
    let text = std::str::from_utf8(&message.body).ok();
    let line = Line {
        reason: reason.map(|r| r.code().to_owned()),
        detail: reason.map(|r| r.detail().to_owned()),
        attributes: attributes.map(|(n, v)| (n.to_owned(), Value(v.clone()))).collect(),
        body: text.map(Into::into),
        body_hex: text.is_none().then(|| encode_hex(&message.body)),
    };
    // Strings and maps with string keys always serialise.
    let mut bytes = serde_json::to_vec(&line).expect("a line is strings and maps by strings");
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
    use crate::message::AttributeValue;
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
    fn attributes_of_other_types_than_text_are_objects() {
        let number = AttributeValue::from("1.50").with_type("Number").unwrap();
        let gif = AttributeValue::from(vec![0xff]).with_type("Binary.gif").unwrap();
        let message = Message::new("x")
            .with_attribute("a", "text")
            .with_attribute("b", vec![1])
            .with_attribute("c", number)
            .with_attribute("d", gif);
        let line = encode_line(&message);
        assert_eq!(
            str::from_utf8(&line).unwrap(),
            concat!(
                r#"{"attributes":{"a":"text","b":{"binary":"AQ=="},"#,
                r#""c":{"type":"Number","text":"1.50"},"d":{"type":"Binary.gif","binary":"/w=="}},"#,
                "\"body\":\"x\"}\n"
            )
        );
        assert_eq!(decode_line(&line), Ok(message));
        // As a person may write them.
        let line = br#"{"body": "x", "attributes": {"a": {"text": "y", "type": "String"}}}"#;
        assert_eq!(decode_line(line), Ok(Message::new("x").with_attribute("a", "y")));
        let line = br#" {"x": 1, "attributes": {"a": {"text": "y"}}, "body_hex": "fFa0"} "#;
        assert_eq!(decode_line(line), Ok(Message::new(&b"\xff\xa0"[..]).with_attribute("a", "y")));
        let line = br#"{"attributes": {"a": {"type": "Binary", "binary": "/w=="}}, "body": ""}"#;
        assert_eq!(decode_line(line), Ok(Message::new("").with_attribute("a", vec![0xff])));
    }

    #[test]
    fn faults_are_told_apart() {
        for (line, fault) in [
            ("{}", "no \"body\""),
            (r#"{"body": null}"#, "no \"body\""),
            (r#"{"body": "", "body_hex": ""}"#, "both"),
            ("{\"body\": \"\"} {}", "trailing"),
            (r#"{"body": "", "body": ""}"#, "duplicate"),
            (r#"{"body_hex": "é"}"#, "hexadecimal"),
            (r#"{"body_hex": "+1"}"#, "hexadecimal"),
            (r#"{"body": "", "attributes": {"n": {"type": "String", "binary": ""}}}"#, "data type"),
            (r#"{"body_hex": "abc"}"#, "hexadecimal"),
            (r#"{"body_hex": "zz"}"#, "hexadecimal"),
            (r#"{"body": {"a": 1}}"#, "string"),
            (r#"{"body": "", "attributes": {"n": 1}}"#, "string"),
            (r#"{"body": "", "attributes": {"n": ["x"]}}"#, "string"),
            (r#"{"body": "", "attributes": {"n": {}}}"#, "either \"text\" or \"binary\""),
            (r#"{"body": "", "attributes": {"n": {"text": "", "binary": ""}}}"#, "either"),
            (r#"{"body": "", "attributes": {"n": {"binary": "A"}}}"#, "base64"),
            (r#"{"body": "", "attributes": {"n": {"binary": "AQ"}}}"#, "base64"),
            (r#"{"body": "", "attributes": {"n": {"type": "Binary", "text": ""}}}"#, "data type"),
            (r#"{"body": "", "attributes": {"n": {"text": "", "label": ""}}}"#, "label"),
            ("\u{feff}{\"body\": \"\"}", "byte order mark"),
            ("[1]", "object"),
            (r#"[null, null, {}, "body"]"#, "object"),
            ("{", "EOF"),
        ] {
            let error = decode_line(line.as_bytes()).unwrap_err();
            assert!(error.contains(fault), "{line}: {error}");
        }
    }

    #[test]
    fn a_reason_is_read_as_it_was_written() {
        let line = br#"{"reason": "x", "body": ""}"#;
        assert_eq!(decode_quarantined(line), Ok((Message::new(""), Reason::new("x", ""))));
        let line = br#"{"detail": "why", "body": ""}"#;
        assert!(decode_quarantined(line).unwrap_err().contains("reason"));
        assert!(decode_quarantined(br#"{"reason": "x"}"#).unwrap_err().contains("body"));
    }

    #[test]
    fn a_fault_does_not_grow_with_the_line() {
        let line = format!(r#"{{"attributes": "{}"}}"#, "é".repeat(1000));
        let error = decode_line(line.as_bytes()).unwrap_err();
        assert!(error.starts_with("invalid type: string \"éé") && error.len() < 210, "{error}");
    }

    fn value() -> impl Strategy<Value = AttributeValue> {
        let bytes = prop::collection::vec(any::<u8>(), 0..20);
        prop_oneof![
            ".{0,20}".prop_map(AttributeValue::from),
            bytes.clone().prop_map(AttributeValue::from),
            (".{0,20}", "(String|Number)(.[a-z.]{0,9})?")
                .prop_map(|(text, kind)| AttributeValue::from(text).with_type(kind).unwrap()),
            (bytes, "Binary[.].{0,9}")
                .prop_map(|(bytes, kind)| AttributeValue::from(bytes).with_type(kind).unwrap()),
        ]
    }

    proptest! {
        #[test]
        fn every_message_survives_a_round_trip(
            body in prop::collection::vec(any::<u8>(), 0..100),
            text in ".{0,100}",
            attributes in prop::collection::btree_map(".{0,20}", value(), 0..5),
        ) {
            for body in [body, text.into_bytes()] {
                let message = Message { body: body.into(), attributes: attributes.clone().into_iter().collect() };
                let line = encode_quarantined(&message, &Reason::new("x", "y"));
                prop_assert_eq!(line.iter().filter(|&&b| b == b'\n').count(), 1);
                prop_assert_eq!(decode_line(&line).unwrap(), message.clone());
                let whole = (message.clone(), Reason::new("x", "y"));
                prop_assert_eq!(decode_quarantined(&line).unwrap(), whole);
                prop_assert!(decode_quarantined(&encode_line(&message)).is_err());
                prop_assert_eq!(decode_line(&encode_line(&message)).unwrap(), message);
            }
        }
    }
}
