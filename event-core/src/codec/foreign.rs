//! What a line is that is not a record.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;

use crate::object::Object;

/// What a line is that is none of [`decode_line`](super::decode_line)'s, where that can be told.
/// The first line of an input tells by it what the whole input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignLine {
    /// A JSON object with no field that a record has: the body of a message, say.
    Body,
    /// A JSON list, or the start of one.
    List,
    /// The start of a JSON object that is written over several lines.
    Unfinished,
    /// The names of columns.
    Table,
}

/// The fields that records have.
#[derive(Deserialize)]
struct Fields {
    body: Option<IgnoredAny>,
    body_hex: Option<IgnoredAny>,
    attributes: Option<IgnoredAny>,
}

impl ForeignLine {
    /// None for a record, and for what could be a damaged one.
    ///
    /// ```
    /// use event_core::codec::ForeignLine;
    ///
    /// assert_eq!(ForeignLine::of(br#"{"request_id": "r1"}"#), Some(ForeignLine::Body));
    /// assert_eq!(ForeignLine::of(br#"[{"body": "{}"},"#), Some(ForeignLine::List));
    /// assert_eq!(ForeignLine::of(br#"{"body": "{}"}"#), None);
    /// ```
    pub fn of(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii();
        match line.first() {
            Some(b'{') if line.len() == 1 => Some(Self::Unfinished),
            Some(b'{') => {
                let Object(fields) = serde_json::from_slice::<Object<Fields>>(line).ok()?;
                let Fields { body, body_hex, attributes } = fields;
                let is_record = body.is_some() || body_hex.is_some() || attributes.is_some();
                (!is_record).then_some(Self::Body)
            }
            Some(b'[') => {
                let list = serde_json::from_slice::<IgnoredAny>(line);
                let is_list = list.map_or_else(|error| error.classify() == Category::Eof, |_| true);
                is_list.then_some(Self::List)
            }
            _ => is_header(line).then_some(Self::Table),
        }
    }
}

/// Three names or more, parted by what parts columns.
fn is_header(line: &[u8]) -> bool {
    let Ok(line) = str::from_utf8(line) else { return false };
    let is_name = |name: &str| {
        let name = name.trim();
        let quoted = name.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        let name = quoted.unwrap_or(name);
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || " _-.".contains(c))
    };
    [',', ';', '\t', '|'].into_iter().any(|comma| {
        let names = line.split(comma);
        names.clone().count() >= 3 && names.clone().all(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::{decode_line, encode_line, encode_quarantined};
    use crate::message::Message;
    use crate::reason::Reason;

    #[test]
    fn what_a_line_is_can_be_told() {
        use ForeignLine::{Body, List, Table, Unfinished};
        for (line, what) in [
            (r#"{"request_id": "r1", "ts": "2026-11-22T22:16:48"}"#, Some(Body)),
            (r#"{}"#, Some(Body)),
            (r#" {"reason": "x"} "#, Some(Body)),
            ("[1]", Some(List)),
            ("[", Some(List)),
            (r#"[{"body": "{}"},"#, Some(List)),
            ("{", Some(Unfinished)),
            ("{\r", Some(Unfinished)),
            ("request_id,store_id,ts", Some(Table)),
            ("\"request id\";\"store.id\"; _ts\r", Some(Table)),
            ("request_id\tstore_id\tts", Some(Table)),
            ("a1|b-2|\"c 3\"", Some(Table)),
            ("[1, 2]\r", Some(List)),
            // What a record may have become, and text that is nothing.
            (r#"{"body": {}}"#, None),
            (r#"{"body": "x", "body_hex": ""}"#, None),
            (r#"{"attributes": {}}"#, None),
            (r#"{"body_hex": "zz"}"#, None),
            ("[1] started", None),
            ("a,,b", None),
            ("a,\"b,c", None),
            ("é,b,c", None),
            (r#"{"body": "#, None),
            (r#"{"request_id": "#, None),
            (r#"vent_type": "sale_event"}}"#, None),
            ("[2026-11-22 22:16:48] started", None),
            ("what is this", None),
            ("a,b", None),
            ("1,2,3", None),
            ("", None),
        ] {
            assert_eq!(ForeignLine::of(line.as_bytes()), what, "{line:?}");
            assert!(what.is_none() || decode_line(line.as_bytes()).is_err(), "{line:?}");
        }
        assert_eq!(ForeignLine::of(b"\xff,\xfe,\xfd"), None);
    }

    #[test]
    fn a_record_is_none_of_them_whatever_it_carries() {
        for body in ["", "{}", "[", "a,b,c", "\u{feff}"] {
            let message = Message::new(body);
            assert_eq!(ForeignLine::of(&encode_line(&message)), None);
            let reason = Reason::new("x", "y");
            assert_eq!(ForeignLine::of(&encode_quarantined(&message, &reason)), None);
        }
        assert_eq!(ForeignLine::of(&encode_line(&Message::new(&b"\xff"[..]))), None);
    }
}
