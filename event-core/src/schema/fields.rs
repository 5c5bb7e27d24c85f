//! Any JSON objects, by the names of a few of their fields.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::body::{Text, members_of, raw_field, text_of};
use super::{
    DAY, HOUR, Identified, Partition, PartitionBy, Schema, SchemaSettings, Trace, check_identity,
    envelope, partition, timestamp,
};
use crate::error::{Error, Result};
use crate::message::{Attributes, Message};
use crate::reason::Reason;

/// Events of anybody: JSON objects of which one field is the identity and one the time. Their other
/// fields may be anything that [`readable_text`](crate::schema::readable_text) takes.
///
/// - The identity is a text or a whole number; `7` and `"7"` are the same one.
/// - The time is a text as [`time`](crate::schema::time) reads it.
/// - The type, if events have one, is an attribute of the message or a field, and a text that takes
///   1 to 120 bytes in the name of a partition.
/// - A further field of the partition may be a text, a number or a boolean; where it is `null` or is
///   not there, its value is the empty one.
///
/// All are fields of the object itself, not of one inside of it.
///
/// ```
/// use event_core::schema::{Fields, PartitionBy, Schema};
/// use event_core::Message;
///
/// let rides = Fields::new("ride_id", "at", None, vec!["city".to_owned()], PartitionBy::Day).unwrap();
/// let ride = r#"{"ride_id": "r1", "at": "2026-11-22T22:16:48", "city": "Köln", "fare_cents": 1250}"#;
/// let found = rides.identify(&Message::new(ride)).unwrap();
/// assert_eq!(found.partition.name(), "dt=2026_11_22/city=K%C3%B6ln");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// The identity, the time, the type if it is a field, and the rest of the partition.
    known: Vec<String>,
    event_type: Option<TypeFrom>,
    /// How many of the known come before those of the partition.
    before_partition: usize,
    by: PartitionBy,
}

/// Where the type of an event is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeFrom {
    /// In the attribute of this name.
    Attribute(String),
    /// In the field of this name.
    Field(String),
}

/// The place of the identity among the known fields.
const ID: usize = 0;
/// The place of the time.
const TIME: usize = 1;
/// The place of the type.
const TYPE: usize = 2;
/// A key has 1,024 bytes, and its prefix and the name of an object take theirs.
const MOST_FIELDS: usize = 3;

impl Fields {
    /// Events with their identity in the field `id` and their time in the field `time`, in partitions
    /// of this length and by these further fields, three at most.
    ///
    /// # Errors
    ///
    /// `Invalid` if a name is empty, if a field is named twice in whatever case, or if one of the
    /// partition cannot be a key ([`Partition::is_key`]).
    pub fn new(
        id: &str,
        time: &str,
        event_type: Option<TypeFrom>,
        partition_fields: Vec<String>,
        by: PartitionBy,
    ) -> Result<Self> {
        let invalid = |message: String| Err(Error::invalid("schema", message));
        let mut known = vec![id.to_owned(), time.to_owned()];
        match &event_type {
            Some(TypeFrom::Field(field)) => known.push(field.clone()),
            Some(TypeFrom::Attribute(name)) if name.is_empty() => {
                return invalid(
                    "type_attribute is empty: give the name of an attribute".to_owned(),
                );
            }
            _ => {}
        }
        let names = ["id_field", "time_field", "type_field"];
        if let Some((setting, _)) = names.iter().zip(&known).find(|(_, field)| field.is_empty()) {
            return invalid(format!("{setting} is empty: give the name of a field"));
        }
        if partition_fields.len() > MOST_FIELDS {
            return invalid("partition_fields are more than three".to_owned());
        }
        if let Some(field) = partition_fields.iter().find(|field| !Partition::is_key(field)) {
            return invalid(format!(
                "partition_fields has {field:?}: give names of up to 32 letters, digits and \'_\' that \
                 start with a letter, other than event_type, dt and hr"
            ));
        }
        let before_partition = known.len();
        known.extend(partition_fields);
        let mut names: Vec<_> = known.iter().map(|field| field.to_lowercase()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
            return invalid(format!(
                "the field {:?} is given twice, or but for its case",
                twice[0]
            ));
        }
        Ok(Self { known, event_type, before_partition, by })
    }

    fn partition_fields(&self) -> &[String] {
        &self.known[self.before_partition..]
    }

    /// Where an event belongs whose known fields have these values.
    fn partition<'a>(
        &self,
        message: &'a Message,
        value: impl Fn(usize) -> Option<&'a RawValue>,
    ) -> Result<Partition, Reason> {
        let time = self.text(TIME, value(TIME))?;
        let time = timestamp::read(&self.known[TIME], &time)?;
        let event_type = match &self.event_type {
            None => None,
            Some(TypeFrom::Attribute(name)) => {
                let missing = || {
                    let detail = format!("attribute {name} is not there");
                    Reason::new(Reason::UNKNOWN_EVENT_TYPE, detail)
                };
                Some(Cow::Borrowed(message.attributes.value(name).ok_or_else(missing)?))
            }
            Some(TypeFrom::Field(_)) => Some(self.text(TYPE, value(TYPE))?),
        };
        if let Some(name) =
            event_type.as_deref().filter(|name| name.is_empty() || !partition::fits(name))
        {
            let detail = format!("the type {name:?} does not take 1 to 120 bytes in a key");
            return Err(Reason::new(Reason::OUT_OF_RANGE, detail));
        }
        let mut partition = Partition::new(event_type.as_deref(), time, self.by);
        for (place, field) in self.known.iter().enumerate().skip(self.before_partition) {
            let value = match value(place) {
                Some(value) => scalar(value).ok_or_else(|| self.wrong(place))?,
                None => Cow::Borrowed(""),
            };
            partition = partition.with(field, &value);
        }
        Ok(partition)
    }

    /// The value of a field that must be a text.
    fn text<'a>(&self, place: usize, value: Option<&'a RawValue>) -> Result<Cow<'a, str>, Reason> {
        let value = value.ok_or_else(|| self.missing(place))?;
        text(value).ok_or_else(|| self.wrong(place))
    }

    fn missing(&self, place: usize) -> Reason {
        Reason::new(Reason::MISSING_FIELD, format!("{} is not there", self.known[place]))
    }

    fn wrong(&self, place: usize) -> Reason {
        let expected = match place {
            ID => "neither a text nor a whole number",
            place if place < self.before_partition => "no text",
            _ => "no text, number or boolean",
        };
        Reason::new(Reason::WRONG_TYPE, format!("{} is {expected}", self.known[place]))
    }
}

impl Schema for Fields {
    fn settings(&self) -> SchemaSettings {
        let [id, time] = [&self.known[ID], &self.known[TIME]];
        let (event_type, fields) = (self.event_type.as_ref(), self.partition_fields());
        SchemaSettings::fields(id, time, event_type, fields, self.by)
    }

    fn partition_keys(&self) -> Vec<Cow<'static, str>> {
        let event_type = self.event_type.is_some().then_some(partition::EVENT_TYPE);
        let hour = (self.by == PartitionBy::Hour).then_some(HOUR);
        let own = event_type.into_iter().chain([DAY]).chain(hour).map(Cow::Borrowed);
        own.chain(self.partition_fields().iter().cloned().map(Cow::Owned)).collect()
    }

    fn identify(&self, message: &Message) -> Result<Identified, Reason> {
        let named = |reason| envelope::named(message, &self.known[ID], reason);
        let mut values = vec![None; self.known.len()];
        let keep = |key: &str, value| {
            if let Some(place) = self.known.iter().position(|known| known == key) {
                values[place] = Some(value);
            }
        };
        let text = text_of(&message.body)?;
        members_of(text, &self.known, keep).map_err(named)?;
        let Some(id) = values[ID] else { return Err(named(self.missing(ID))) };
        let identity = identity(id).ok_or_else(|| self.wrong(ID))?;
        check_identity(&self.known[ID], &identity)?;
        let partition = self.partition(message, |place| values[place])?;
        Ok(Identified { identity: Box::from(&*identity), partition })
    }

    fn identity_of<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, str>> {
        raw_field(line, &self.known[ID]).and_then(identity)
    }

    fn attributes_of(&self, partition: &Partition) -> Attributes {
        let Some(TypeFrom::Attribute(name)) = &self.event_type else {
            return Attributes::default();
        };
        let value = partition.value(partition::EVENT_TYPE);
        value.map(|value| (name.clone(), value.into_owned())).into_iter().collect()
    }

    /// By the grammar alone: a body that is refused for what is in it was sent as well.
    fn trace(&self, message: &Message) -> Trace {
        let body = &message.body;
        if serde_json::from_slice::<IgnoredAny>(body).is_err() {
            return Trace::default();
        }
        let value = |place: usize| raw_field(body, &self.known[place]);
        let identity = value(ID).and_then(identity).filter(|identity| !identity.is_empty());
        let time = value(TIME).and_then(text);
        let time = time.and_then(|time| timestamp::read(&self.known[TIME], &time).ok());
        Trace::new(identity.map(Cow::into_owned))
            .day(time.map(jiff::civil::DateTime::date))
            .partition(self.partition(message, value).ok())
    }
}

fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str(value.get()).ok().map(|Text(text)| text)
}

fn identity(value: &RawValue) -> Option<Cow<'_, str>> {
    let raw = value.get();
    let digits = raw.strip_prefix('-').unwrap_or(raw);
    let is_whole = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_whole { Some(Cow::Borrowed(raw)) } else { text(value) }
}

/// The text of a value that is one, a number, a boolean or `null`.
fn scalar(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get() {
        "null" => Some(Cow::Borrowed("")),
        raw if raw.starts_with(['{', '[']) => None,
        raw if raw.starts_with('"') => text(value),
        raw => Some(Cow::Borrowed(raw)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rides(event_type: Option<TypeFrom>) -> Fields {
        let city = vec!["city".to_owned()];
        Fields::new("ride_id", "at", event_type, city, PartitionBy::Day).unwrap()
    }

    fn ride(fields: &str) -> Message {
        Message::new(format!(r#"{{"at": "2026-11-22T22:16:48+01:00", {fields}}}"#))
    }

    #[test]
    fn identity_and_partition_are_those_of_the_fields() {
        for (fields, identity, city) in [
            (r#""ride_id": "r1", "city": "Köln""#, "r1", "city=K%C3%B6ln"),
            (r#""city": "a/b", "ride_id": "r\u0031""#, "r1", "city=a%2Fb"),
            (r#""ride_id": 17, "city": 3"#, "17", "city=3"),
            (r#""ride_id": -17, "city": true"#, "-17", "city=true"),
            (r#""ride_id": "r1", "city": null"#, "r1", "city=__HIVE_DEFAULT_PARTITION__"),
            (r#""ride_id": "r1", "x": [{"city": "y"}]"#, "r1", "city=__HIVE_DEFAULT_PARTITION__"),
        ] {
            let message = ride(fields);
            let found = rides(None).identify(&message).unwrap();
            assert_eq!(&*found.identity, identity);
            assert_eq!(found.partition.name(), format!("dt=2026_11_22/{city}"));
            let line = rides(None).identity_of(&message.body).map(Cow::into_owned);
            assert_eq!(line.as_deref(), Some(identity), "{fields}");
            assert_eq!(rides(None).trace(&message), found.into());
        }
    }

    #[test]
    fn what_is_no_event_is_told_by_its_fields() {
        let typed = Some(TypeFrom::Field("kind".to_owned()));
        for (fields, code, named) in [
            (r#""x": 1"#, Reason::MISSING_FIELD, "ride_id"),
            (r#""ride_id": 1.5"#, Reason::WRONG_TYPE, "ride_id"),
            (r#""ride_id": null"#, Reason::WRONG_TYPE, "ride_id"),
            (r#""ride_id": """#, Reason::OUT_OF_RANGE, "ride_id"),
            (r#""ride_id": "a\n""#, Reason::OUT_OF_RANGE, "ride_id"),
            (r#""ride_id": "r", "kind": "x", "city": []"#, Reason::WRONG_TYPE, "city"),
            (r#""ride_id": "r", "kind": "x", "City": "x""#, Reason::CASE_CONFLICT, "City"),
            (r#""ride_id": "r", "at": "2026-11-22""#, Reason::DUPLICATE_KEY, "at"),
            (r#""ride_id": "r""#, Reason::MISSING_FIELD, "kind"),
            (r#""ride_id": "r", "kind": 1"#, Reason::WRONG_TYPE, "kind"),
            (r#""ride_id": "r", "kind": """#, Reason::OUT_OF_RANGE, "type"),
            (r#""Type": "Notification", "TopicArn": "", "Message": """#, Reason::ENVELOPE, "SNS"),
        ] {
            let reason = rides(typed.clone()).identify(&ride(fields)).unwrap_err();
            assert_eq!(reason.code(), code, "{fields}: {reason}");
            assert!(reason.detail().contains(named), "{fields}: {reason}");
        }
        let at = Message::new(r#"{"ride_id": "r", "kind": "x", "at": "yesterday"}"#);
        let reason = rides(typed).identify(&at).unwrap_err();
        assert!(reason.to_string().contains("at \\\"yesterday"), "{reason}");
    }

    #[test]
    fn a_type_may_be_an_attribute() {
        let rides = rides(Some(TypeFrom::Attribute("kind".to_owned())));
        let message = ride(r#""ride_id": "r1", "city": "x""#);
        assert_eq!(rides.identify(&message).unwrap_err().code(), Reason::UNKNOWN_EVENT_TYPE);
        let typed = message.clone().with_attribute("kind", "ended/late");
        let found = rides.identify(&typed).unwrap();
        assert_eq!(found.partition.name(), "event_type=ended%2Flate/dt=2026_11_22/city=x");
        // What is stored is read as it was received.
        let attributes = rides.attributes_of(&found.partition);
        assert_eq!(rides.identify(&Message { attributes, ..message.clone() }), Ok(found));
        let bare = rides.trace(&message);
        assert_eq!((bare.identity.as_deref(), bare.partition), (Some("r1"), None));
        assert!(bare.day.is_some());
    }
}
