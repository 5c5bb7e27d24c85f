//! What travels on a queue: a body and a few attributes.

mod value;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;

pub use value::AttributeValue;

type Text = Cow<'static, str>;

/// A message as a producer sends it: a body and its attributes.
///
/// Cloning is cheap: both parts are shared, never copied.
///
/// ```
/// use event_core::Message;
///
/// let message = Message::new(r#"{"request_id": "1"}"#).with_attribute("event_type", "sale_event");
/// assert_eq!(message.attributes.value("event_type"), Some("sale_event"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The bytes of the event, exactly as the producer wrote them.
    pub body: Bytes,
    /// Names and values that travel beside the body.
    pub attributes: Attributes,
}

impl Message {
    /// A message with this body and no attributes.
    pub fn new(body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), attributes: Attributes::default() }
    }

    /// The same message with one attribute more; a second value for a name replaces the first.
    #[must_use]
    pub fn with_attribute(
        mut self,
        name: impl Into<Text>,
        value: impl Into<AttributeValue>,
    ) -> Self {
        let pair = (name.into(), value.into());
        self.attributes = self.attributes.owned().chain([pair]).collect();
        self
    }

    /// Bytes that count towards a queue's limits: the body and, for each attribute, its name,
    /// its type (such as the word `String`) and its value, as
    /// [SQS counts them](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html).
    pub fn size(&self) -> usize {
        let attributes = self.attributes.iter();
        self.body.len() + attributes.map(|(name, value)| name.len() + value.size()).sum::<usize>()
    }
}

/// The attributes of a message: values by name, text or bytes, in order of their names.
///
/// ```
/// use event_core::Attributes;
///
/// let attributes: Attributes = [("priority_shipping", "True"), ("event_type", "sale_event")]
///     .into_iter()
///     .collect();
/// assert_eq!(attributes.iter().next(), Some(("event_type", &"sale_event".into())));
/// assert_eq!(attributes.value("event_type"), Some("sale_event"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes(Option<Arc<[Pair]>>);

type Pair = (Text, AttributeValue);

impl Attributes {
    /// The text of the attribute called `name`; none if it is not there, or has bytes.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter().find_map(|(key, value)| (key == name).then_some(value))?.as_text()
    }

    /// Names and values, in order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &AttributeValue)> {
        self.pairs().iter().map(|(name, value)| (&**name, value))
    }

    fn owned(&self) -> impl Iterator<Item = Pair> {
        self.pairs().iter().cloned()
    }

    fn pairs(&self) -> &[Pair] {
        self.0.as_deref().unwrap_or_default()
    }
}

impl<N: Into<Text>, V: Into<AttributeValue>> FromIterator<(N, V)> for Attributes {
    /// Of two values for one name the later one stays.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs.into_iter().map(|(name, value)| (name.into(), value.into()));
        let mut pairs: Vec<Pair> = pairs.collect();
        // Of equal names the last comes first, and stays.
        pairs.reverse();
        pairs.sort_by(|(a, _), (b, _)| a.cmp(b));
        pairs.dedup_by(|(a, _), (b, _)| a == b);
        Self((!pairs.is_empty()).then(|| pairs.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(message: &Message) -> Vec<(&str, Option<&str>)> {
        message.attributes.iter().map(|(name, value)| (name, value.as_text())).collect()
    }

    #[test]
    fn a_second_value_for_a_name_replaces_the_first() {
        let message = Message::new("").with_attribute("a", "1").with_attribute("a", "2");
        assert_eq!(pairs(&message), [("a", Some("2"))]);
        let message = message.with_attribute("a", vec![3]);
        assert_eq!((pairs(&message), message.attributes.value("a")), (vec![("a", None)], None));
    }

    #[test]
    fn one_attribute_more_leaves_the_others() {
        let message = Message::new("").with_attribute("b", "2").with_attribute("a", "1");
        assert_eq!(pairs(&message), [("a", Some("1")), ("b", Some("2"))]);
        assert_eq!(message.attributes.value("b"), Some("2"));
        assert_eq!(message.attributes.value("c"), None);
        // Names are told apart by their case.
        let message = message.with_attribute("A", "3");
        assert_eq!(pairs(&message), [("A", Some("3")), ("a", Some("1")), ("b", Some("2"))]);
        assert_eq!(message.attributes.value("a"), Some("1"));
        assert_eq!(message.attributes.value("B"), None);
    }

    #[test]
    fn the_order_in_which_attributes_were_given_does_not_matter() {
        let ab: Attributes = [("a", "1"), ("b", "2")].into_iter().collect();
        let ba: Attributes = [("b", "2"), ("a", "1")].into_iter().collect();
        assert_eq!(ab, ba);
        let again = [("b", "1"), ("a", "3"), ("b", "0"), ("a", "1"), ("b", "2")];
        assert_eq!(again.into_iter().collect::<Attributes>(), ab);
        let none: [(&str, &str); 0] = [];
        assert_eq!(none.into_iter().collect::<Attributes>(), Attributes::default());
    }

    #[test]
    fn size_counts_names_types_and_values_of_attributes() {
        let message = Message::new("12345").with_attribute("ab", "xyz");
        assert_eq!(message.size(), 5 + 2 + 6 + 3);
        let message = message.with_attribute("trace", vec![0, 255]);
        assert_eq!(message.size(), 16 + 5 + "Binary".len() + 2);
        let number = AttributeValue::from("1").with_type("Number.int").unwrap();
        assert_eq!(Message::new("").with_attribute("n", number).size(), 1 + 10 + 1);
        // In bytes.
        assert_eq!(Message::new("é").with_attribute("ü", "äß").size(), 2 + 2 + 6 + 4);
    }
}
