//! Any JSON objects, by the names of a few of their fields.

#[cfg(test)]
mod tests;

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
            place if place < self.before_partition => "not text",
            _ => "not a text, number or boolean",
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
