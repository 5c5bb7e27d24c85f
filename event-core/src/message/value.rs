//! The value of an attribute.

use std::borrow::Cow;

use bytes::Bytes;

use super::Text;
use crate::error::{Error, Result};

/// The value of an attribute, text or bytes, and its data type.
///
/// Data types are those of
/// [SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html):
/// `String` or `Number` for text and `Binary` for bytes, each under a label of the sender's own if
/// there is one, such as `Number.int` or `Binary.gif`. Two values are equal only if their types
/// are, too.
///
/// ```
/// use event_core::AttributeValue;
///
/// let price = AttributeValue::from("64.08").with_type("Number")?;
/// assert_eq!((price.data_type(), price.as_text()), ("Number", Some("64.08")));
/// let trace = AttributeValue::from(vec![1, 255]);
/// assert_eq!((trace.data_type(), trace.as_text()), ("Binary", None));
/// # Ok::<(), event_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeValue {
    data_type: Text,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Text(Text),
    Binary(Bytes),
}

impl AttributeValue {
    /// The data type of text, unless another is given.
    pub const STRING: &'static str = "String";
    /// The data type of bytes, unless another is given.
    pub const BINARY: &'static str = "Binary";

    /// The same value with this data type.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is the type of bytes and this is text, or the other way round. Whether a
    /// queue takes the type, the queue tells.
    pub fn with_type(mut self, data_type: impl Into<Text>) -> Result<Self> {
        let data_type = data_type.into();
        let is_binary = data_type.split('.').next() == Some(Self::BINARY);
        if is_binary != matches!(self.content, Content::Binary(_)) {
            let (what, would_do) = match self.content {
                Content::Text(_) => ("text", "String or Number"),
                Content::Binary(_) => ("bytes", Self::BINARY),
            };
            let shown: String = data_type.chars().take(100).collect();
            let message = format!(
                "{shown:?} is not a data type of {what}: expected {would_do}, or one of them with a label"
            );
            return Err(Error::invalid("attribute", message));
        }
        // Almost always one of these, which take no memory.
        self.data_type = match &*data_type {
            Self::STRING => Self::STRING.into(),
            Self::BINARY => Self::BINARY.into(),
            _ => data_type,
        };
        Ok(self)
    }

    /// The text; none if it is bytes.
    pub fn as_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) => Some(text),
            Content::Binary(_) => None,
        }
    }

    /// The bytes, or those of the text.
    pub fn as_bytes(&self) -> &[u8] {
        match &self.content {
            Content::Text(text) => text.as_bytes(),
            Content::Binary(bytes) => bytes,
        }
    }

    /// The data type, label included.
    pub fn data_type(&self) -> &str {
        &self.data_type
    }

    /// Bytes that count towards a queue's limits: type and value.
    pub(super) fn size(&self) -> usize {
        self.data_type.len() + self.as_bytes().len()
    }

    fn text(text: Text) -> Self {
        Self { data_type: Self::STRING.into(), content: Content::Text(text) }
    }
}

impl From<&'static str> for AttributeValue {
    /// Text of the type `String`.
    fn from(text: &'static str) -> Self {
        Self::text(text.into())
    }
}

impl From<String> for AttributeValue {
    /// Text of the type `String`.
    fn from(text: String) -> Self {
        Self::text(text.into())
    }
}

impl From<Cow<'static, str>> for AttributeValue {
    /// Text of the type `String`.
    fn from(text: Cow<'static, str>) -> Self {
        Self::text(text)
    }
}

impl From<Bytes> for AttributeValue {
    /// Bytes of the type `Binary`.
    fn from(bytes: Bytes) -> Self {
        Self { data_type: Self::BINARY.into(), content: Content::Binary(bytes) }
    }
}

impl From<Vec<u8>> for AttributeValue {
    /// Bytes of the type `Binary`.
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_that_of_text_or_that_of_bytes() {
        let text = || AttributeValue::from("1");
        for data_type in ["String", "Number", "String.json", "Number.int", "Binaryish", ""] {
            assert_eq!(text().with_type(data_type).unwrap().data_type(), data_type);
        }
        let bytes = || AttributeValue::from(vec![1]);
        for data_type in ["Binary", "Binary.gif", "Binary."] {
            assert_eq!(bytes().with_type(data_type).unwrap().data_type(), data_type);
            assert!(text().with_type(data_type).is_err(), "{data_type}");
        }
        assert!(bytes().with_type("String").is_err() && bytes().with_type("Number.x").is_err());
    }

    #[test]
    fn text_is_not_the_bytes_that_it_is_made_of() {
        let (text, bytes) = (AttributeValue::from("a"), AttributeValue::from(b"a".to_vec()));
        assert_eq!(text.as_bytes(), bytes.as_bytes());
        assert_ne!(text, bytes);
        assert_ne!(text.clone().with_type("Number").unwrap(), text);
    }
}
