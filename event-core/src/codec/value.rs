//! The value of an attribute in a line.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::message::AttributeValue;

/// A string for text of the type `String`, a [`Typed`] for all else.
pub(super) struct Value(pub(super) AttributeValue);

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Typed {
    /// Left out where it is `Binary`.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    data_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// In base64, with padding, as SQS has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    binary: Option<String>,
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(value) = self;
        let data_type = Some(value.data_type().to_owned());
        match value.as_text() {
            Some(text) if value.data_type() == AttributeValue::STRING => {
                serializer.serialize_str(text)
            }
            Some(text) => Typed { data_type, text: Some(text.to_owned()), ..Typed::default() }
                .serialize(serializer),
            None => Typed {
                data_type: data_type.filter(|name| name != AttributeValue::BINARY),
                binary: Some(STANDARD.encode(value.as_bytes())),
                ..Typed::default()
            }
            .serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = AttributeValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or an object with \"text\" or \"binary\"")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<AttributeValue, E> {
        Ok(text.to_owned().into())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AttributeValue, A::Error> {
        let typed = Typed::deserialize(MapAccessDeserializer::new(map))?;
        let value = match (typed.text, typed.binary) {
            (Some(text), None) => AttributeValue::from(text),
            (None, Some(text)) => {
                let bytes = STANDARD.decode(text);
                bytes.map_err(|_| A::Error::custom("\"binary\" is not base64"))?.into()
            }
            _ => {
                return Err(A::Error::custom("an attribute has either \"text\" or \"binary\""));
            }
        };
        match typed.data_type {
            Some(data_type) => value.with_type(data_type).map_err(A::Error::custom),
            None => Ok(value),
        }
    }
}
