//! The JSON object that a body is.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de};
use serde_json::value::RawValue;

use super::readable::{self, Fault};
use super::shape::{Members, Shape, same_name};
use crate::reason::Reason;

/// A text that is borrowed from the body where it holds no escapes. An `Option<Cow<str>>` would
/// always be copied: serde borrows a `Cow` only where it is the field itself.
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

/// The text of a body that is one JSON object which DuckDB, polars, pyarrow and Athena all read, as
/// a file of one line. One of them at least fails on each of these, and often with the whole file:
///
/// | in a field of any name, at any depth | code |
/// |---|---|
/// | a `\u` escape that is one half of a surrogate pair | [`lone_surrogate`](Reason::LONE_SURROGATE) |
/// | a value more than 128 levels deep, the event being the first | [`too_deep`](Reason::TOO_DEEP) |
/// | a number that is not a finite `f64`, a whole one that is no `i128`, an exponent over 308 of a zero | [`out_of_range`](Reason::OUT_OF_RANGE) |
/// | a key twice in an object | [`duplicate_key`](Reason::DUPLICATE_KEY) |
/// | keys that differ only in case, in Unicode's sense, in an object or between the objects of an array | [`case_conflict`](Reason::CASE_CONFLICT) |
/// | an empty key | [`empty_key`](Reason::EMPTY_KEY) |
/// | an array whose elements, except `null`, are not all of one type | [`mixed_types`](Reason::MIXED_TYPES) |
///
/// # Errors
///
/// One of these, [`not_json`](Reason::NOT_JSON), [`byte_order_mark`](Reason::BYTE_ORDER_MARK), or
/// [`wrong_type`](Reason::WRONG_TYPE) where it is JSON and no object.
pub fn readable_text(body: &[u8]) -> Result<&str, Reason> {
    let text = text_of(body)?;
    members_of(text, &[], |_, _| {})?;
    Ok(text)
}

/// The value of a text field of a JSON object, which may be valid no further than to that field;
/// none if it is not there, or is not text.
pub fn identity_field<'a>(line: &'a [u8], field: &str) -> Option<Cow<'a, str>> {
    find(line, field).map(|Text(text)| text)
}

/// The value of a field as it is written; none if it is not there, or comes after what is no JSON.
pub(super) fn raw_field<'a>(line: &'a [u8], field: &str) -> Option<&'a RawValue> {
    find(line, field)
}

fn find<'a, T: Deserialize<'a>>(line: &'a [u8], field: &str) -> Option<T> {
    let mut found = None;
    // The error is that of the rest of the line, which is not read.
    let find = Find { field, found: &mut found };
    let _ = serde_json::Deserializer::from_slice(line).deserialize_map(find);
    found
}

struct Find<'a, T> {
    field: &'a str,
    found: &'a mut Option<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Find<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(key)) = map.next_key()? {
            if key == self.field {
                *self.found = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// The text that a body is, if it is one.
pub(super) fn text_of(body: &[u8]) -> Result<&str, Reason> {
    str::from_utf8(body).map_err(|error| match body {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Reason::new(
            Reason::BYTE_ORDER_MARK,
            "the body begins with a byte order mark of UTF-16: send UTF-8 without one",
        ),
        _ => Reason::new(Reason::NOT_JSON, error.to_string()),
    })
}

/// Why a text could not be read: no JSON at all, or JSON that is not an event or that readers refuse.
/// `fault` is what was found wrong with it, and `field` the one that was read last.
#[cold]
pub(super) fn refusal(
    text: &str,
    fault: Option<Fault>,
    field: Option<&str>,
    error: &serde_json::Error,
) -> Reason {
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        return if text.starts_with('\u{feff}') {
            let detail = "the body begins with a byte order mark: send UTF-8 without one";
            Reason::new(Reason::BYTE_ORDER_MARK, detail)
        } else {
            Reason::new(Reason::NOT_JSON, error.to_string())
        };
    }
    if let Some(fault) = fault {
        return fault.into();
    }
    // What serde_json calls a syntax error in what is JSON, readers refuse as well.
    if error.is_syntax()
        && let Err(fault) = readable::check(text)
    {
        return fault.into();
    }
    let detail = match field {
        Some(field) => format!("{field}: {error}"),
        None => error.to_string(),
    };
    // Of what is JSON, only the largest numbers are left, which serde_json rounds up.
    let code = if error.is_syntax() { Reason::OUT_OF_RANGE } else { Reason::WRONG_TYPE };
    Reason::new(code, detail)
}

/// Reads an object whose every member readers take, and shows each: its key, and its value as it is
/// written. `known` are keys that none may equal but for its case.
pub(super) fn members_of<'a>(
    text: &'a str,
    known: &[String],
    each: impl FnMut(&str, &'a RawValue),
) -> Result<(), Reason> {
    let mut fault = None;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let visitor = Each { known, each, fault: &mut fault };
    let read = deserializer.deserialize_map(visitor).and_then(|()| deserializer.end());
    read.map_err(|error| refusal(text, fault, None, &error))
}

struct Each<'k, 'f, F> {
    known: &'k [String],
    each: F,
    fault: &'f mut Option<Fault>,
}

impl<'de, F: FnMut(&str, &'de RawValue)> Visitor<'de> for Each<'_, '_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let mut members = Members::default();
        while let Some(Text(key)) = map.next_key()? {
            let value: &'de RawValue = map.next_value()?;
            (self.each)(&key, value);
            check_member(key, value.get(), self.known, &mut members).map_err(|fault| {
                *self.fault = Some(fault);
                <A::Error as de::Error>::custom("refused")
            })?;
        }
        Ok(())
    }
}

/// Whether readers take one more member of an object beside those before it.
pub(super) fn check_member<'a>(
    key: Cow<'a, str>,
    value: &'a str,
    known: &[String],
    members: &mut Members<'a>,
) -> Result<(), Fault> {
    let differs = |known: &&String| **known != *key && same_name(known, &key);
    if let Some(known) = known.iter().find(differs) {
        return Err(Fault::case(&key, known));
    }
    readable::check_field(value).map_err(|fault| fault.within(&key))?;
    // Only its name counts: fields of one object need not be of one type.
    members.insert(key, Shape::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_a_line_is_found_wherever_it_stands() {
        for line in [
            r#"{"request_id": "a\n", "x": 1}"#,
            r#"{"x": {"request_id": "b"}, "y": [1, "}"], "request_id": "a\n"}"#,
            r#" { "x" : null , "\u0072equest_id" : "a\n" } "#,
            r#"{"Request_id": "b", "request_id": "a\n", "request_id": "c", "x": "#,
        ] {
            let found = identity_field(line.as_bytes(), "request_id");
            assert_eq!(found.as_deref(), Some("a\n"), "{line}");
        }
        for line in ["", "[]", "{}", r#"{"request_id": 1}"#, r#"{"x": "#, "{\"x\": \"\u{0}\"}"] {
            assert_eq!(identity_field(line.as_bytes(), "request_id"), None, "{line}");
        }
    }

    #[test]
    fn a_body_is_one_object_that_readers_take() {
        assert_eq!(readable_text(b" {\"a\": 1} "), Ok(" {\"a\": 1} "));
        for (body, code) in [
            ("[1]", Reason::WRONG_TYPE),
            ("{", Reason::NOT_JSON),
            ("{} {}", Reason::NOT_JSON),
            ("\u{feff}{}", Reason::BYTE_ORDER_MARK),
            ("\u{feff}[1]", Reason::BYTE_ORDER_MARK),
            ("{\"a\": \"\n\"}", Reason::NOT_JSON),
            (r#"{"a": 1e999}"#, Reason::OUT_OF_RANGE),
            (r#"{"a": 1, "a": 1}"#, Reason::DUPLICATE_KEY),
            (r#"{"a": 1, "A": 1}"#, Reason::CASE_CONFLICT),
            (r#"{"": 1}"#, Reason::EMPTY_KEY),
            (r#"{"a": "\ud83d"}"#, Reason::LONE_SURROGATE),
            (r#"{"\ud83d": 1}"#, Reason::LONE_SURROGATE),
            (r#"{"a": [1, "a"]}"#, Reason::MIXED_TYPES),
        ] {
            let reason = readable_text(body.as_bytes()).unwrap_err();
            assert_eq!(reason.code(), code, "{body}: {reason}");
        }
    }
}
