//! What a message means: whether it is an event, which one, and where it belongs.
//!
//! A [`Schema`] says so. Everything below it (writers, log, audit, compaction) knows no more of an
//! event than its identity and its [`Partition`]. Two come with the crate: [`Retail`], the sale and
//! inventory events of a store chain, and [`Fields`], any JSON objects by the names of a few of
//! their fields.

mod body;
mod envelope;
mod fields;
mod partition;
mod readable;
pub mod retail;
mod settings;
mod shape;
mod timestamp;

use std::borrow::Cow;
use std::fmt;

use jiff::civil::{Date, DateTime};

use crate::message::{Attributes, Message};
use crate::reason::Reason;

use partition::{DAY, HOUR};

pub use body::{identity_field, readable_text};
pub use fields::{Fields, TypeFrom};
pub use partition::{Partition, PartitionBy};
pub use retail::Retail;
pub use settings::SchemaSettings;

/// Says what a message means.
///
/// 1. [`identify`](Self::identify) is a pure function of the message: the same answer on every pod,
///    at any time, however often the message is delivered.
/// 2. The identity is the event's own, never the queue's. Two messages of one partition with the
///    same identity are the same event: with other bytes, the second is a conflict. An identity
///    has 1 to 256 bytes and no control character.
/// 3. The partition has the keys of [`partition_keys`](Self::partition_keys), in that order.
/// 4. A body that it takes is one JSON object that [`readable_text`] takes: the bytes received are
///    the bytes stored, and one line that a common reader refuses would spoil the whole object.
/// 5. [`identity_of`](Self::identity_of) finds, in the line that holds a stored body, the identity
///    that `identify` found in the message.
/// 6. A body with the attributes that [`attributes_of`](Self::attributes_of) gives for its partition
///    is identified as its message was.
///
/// ```
/// use std::borrow::Cow;
///
/// use event_core::schema::{self, Partition, PartitionBy, Schema, SchemaSettings};
/// use event_core::schema::Identified;
/// use event_core::{Message, Reason};
///
/// /// Readings of sensors: `{"reading": "r1", "at": "2026-11-22T22:16:48", "site": "north"}`.
/// struct Readings;
///
/// // `Cow`, since a text with an escape cannot be borrowed as it is written.
/// #[derive(serde::Deserialize)]
/// struct Reading<'a> {
///     #[serde(borrow)]
///     reading: Cow<'a, str>,
///     #[serde(borrow)]
///     at: Cow<'a, str>,
///     #[serde(borrow)]
///     site: Cow<'a, str>,
/// }
///
/// impl Schema for Readings {
///     fn settings(&self) -> SchemaSettings {
///         SchemaSettings::named("readings")
///     }
///
///     fn partition_keys(&self) -> Vec<Cow<'static, str>> {
///         vec!["dt".into(), "site".into()]
///     }
///
///     fn identify(&self, message: &Message) -> Result<Identified, Reason> {
///         let text = schema::readable_text(&message.body)?;
///         let reading: Reading<'_> = serde_json::from_str(text)
///             .map_err(|error| Reason::new(Reason::WRONG_TYPE, error.to_string()))?;
///         let at = schema::time("at", &reading.at)?;
///         let partition = Partition::new(None, at, PartitionBy::Day).with("site", &reading.site);
///         Identified::new(&*reading.reading, partition)
///     }
///
///     fn identity_of<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, str>> {
///         schema::identity_field(line, "reading")
///     }
/// }
///
/// let body = r#"{"reading": "r\u0031", "at": "2026-11-22T22:16:48", "site": "K\u00f6ln"}"#;
/// let found = Readings.identify(&Message::new(body)).unwrap();
/// assert_eq!(found.partition.name(), "dt=2026_11_22/site=K%C3%B6ln");
/// assert_eq!(found.partition.value("site").as_deref(), Some("Köln"));
/// // Promise 4. Where it is broken, an event that comes again is stored again: test it.
/// assert_eq!(Readings.identity_of(body.as_bytes()).as_deref(), Some(&*found.identity));
/// // What findings of a partition go by.
/// assert!(found.partition.keys().eq(Readings.partition_keys().iter()));
/// ```
pub trait Schema: Send + Sync + 'static {
    /// Its name, and every setting that decides validity, identity or partition.
    fn settings(&self) -> SchemaSettings;

    /// The keys of its partitions: `event_type` where it has types, `dt`, `hr` where a partition is
    /// an hour, then fields.
    fn partition_keys(&self) -> Vec<Cow<'static, str>>;

    /// The identity and the partition of the event in a message; or why there is none.
    fn identify(&self, message: &Message) -> Result<Identified, Reason>;

    /// The identity in a stored line; none if it holds no event.
    fn identity_of<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, str>>;

    /// The attributes of messages of a partition, as far as `identify` needs them. Default: none.
    fn attributes_of(&self, partition: &Partition) -> Attributes {
        let _ = partition;
        Attributes::default()
    }

    /// What can be told of a message for an audit, valid or not. Default: what `identify` finds, and
    /// of what is not an event the identity alone.
    fn trace(&self, message: &Message) -> Trace {
        match self.identify(message) {
            Ok(found) => found.into(),
            Err(_) => {
                let identity = self.identity_of(&message.body).map(Cow::into_owned);
                Trace { identity, ..Trace::default() }
            }
        }
    }
}

/// An event, as writers know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identified {
    /// Which event it is, within its partition.
    pub identity: Box<str>,
    /// Where it belongs.
    pub partition: Partition,
}

/// Longer identities are refused. UUIDs have 36 bytes.
const MAX_IDENTITY: usize = 256;

impl Identified {
    /// The event with this identity in this partition.
    ///
    /// # Errors
    ///
    /// [`Reason::OUT_OF_RANGE`] unless the identity has 1 to 256 bytes and no control character.
    pub fn new(identity: &str, partition: Partition) -> Result<Self, Reason> {
        check_identity("the identity", identity)?;
        Ok(Self { identity: identity.into(), partition })
    }
}

/// What is known of a message that may be no event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// The identity, if it has one.
    pub identity: Option<String>,
    /// The day of its own time, if it has one.
    pub day: Option<Date>,
    /// Where it would belong, if that is known.
    pub partition: Option<Partition>,
}

impl Trace {
    /// A message with this identity, of which no more is known.
    pub fn new(identity: Option<String>) -> Self {
        Self { identity, ..Self::default() }
    }

    /// With the day of its own time.
    #[must_use]
    pub fn day(mut self, day: Option<Date>) -> Self {
        self.day = day;
        self
    }

    /// With where it would belong.
    #[must_use]
    pub fn partition(mut self, partition: Option<Partition>) -> Self {
        self.day = partition.as_ref().map(Partition::day).or(self.day);
        self.partition = partition;
        self
    }
}

impl From<Identified> for Trace {
    fn from(Identified { identity, partition }: Identified) -> Self {
        Self::new(Some(identity.into())).partition(Some(partition))
    }
}

/// Reads a time as DuckDB, polars and pyarrow all take it in a column of type `TIMESTAMP`:
/// `2026-11-22T22:16:48.469759`, with a space for the `T`, up to nine decimals, no seconds, and `Z`
/// or an offset such as `+01:00` if need be; 1970 to 2099. It is the time on the wall: an offset is
/// not applied.
///
/// # Errors
///
/// [`Reason::OUT_OF_RANGE`], which names `field`.
pub fn time(field: &str, text: &str) -> Result<DateTime, Reason> {
    timestamp::read(field, text)
}

fn check_identity(field: &str, identity: &str) -> Result<(), Reason> {
    if identity.is_empty() || identity.len() > MAX_IDENTITY || has_control(identity) {
        return Err(Reason::new(
            Reason::OUT_OF_RANGE,
            format!(
                "{field} {identity:?} is not 1 to {MAX_IDENTITY} bytes without control characters"
            ),
        ));
    }
    Ok(())
}

fn has_control(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().any(|byte| byte.is_ascii_control());
    }
    text.chars().any(char::is_control)
}

fn out_of_range(detail: fmt::Arguments<'_>) -> Reason {
    Reason::new(Reason::OUT_OF_RANGE, detail.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A schema that says no more than it must.
    struct Plain;

    impl Schema for Plain {
        fn settings(&self) -> SchemaSettings {
            SchemaSettings::named("plain")
        }

        fn partition_keys(&self) -> Vec<Cow<'static, str>> {
            vec![DAY.into()]
        }

        fn identify(&self, message: &Message) -> Result<Identified, Reason> {
            let identity = self.identity_of(&message.body).unwrap_or_default();
            let day = jiff::civil::datetime(2026, 11, 22, 0, 0, 0, 0);
            Identified::new(&identity, Partition::new(None, day, PartitionBy::Day))
        }

        fn identity_of<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, str>> {
            identity_field(line, "id")
        }
    }

    #[test]
    fn an_audit_knows_an_event_whole_and_of_what_is_none_the_identity() {
        let message = Message::new(r#"{"id": "r1"}"#);
        let found = Plain.identify(&message).unwrap();
        let trace = Plain.trace(&message);
        assert_eq!(
            (trace.identity.as_deref(), trace.day),
            (Some("r1"), Some(found.partition.day()))
        );
        assert_eq!(trace.partition.as_ref(), Some(&found.partition));
        assert_eq!(Plain.attributes_of(&found.partition), Attributes::default());
        let refused = Message::new(r#"{"id": "a\n"}"#);
        assert_eq!(Plain.trace(&refused), Trace::new(Some("a\n".to_owned())));
        assert_eq!(Plain.trace(&Message::new("{")), Trace::default());
    }

    #[test]
    fn an_identity_has_1_to_256_bytes_and_no_control_character() {
        let of = |identity: &str| {
            let body = serde_json::json!({"id": identity}).to_string();
            Plain.identify(&Message::new(body)).map_err(|reason| reason.code().to_owned())
        };
        for identity in ["x", &"x".repeat(256), &"é".repeat(128), " ", "\u{a0}"] {
            assert_eq!(&*of(identity).unwrap().identity, identity);
        }
        for identity in ["", &"x".repeat(257), &("é".repeat(128) + "x"), "\u{7f}", "é\n", "\u{85}"]
        {
            assert_eq!(of(identity), Err(Reason::OUT_OF_RANGE.to_owned()), "{identity:?}");
        }
    }

    #[test]
    fn a_trace_keeps_its_day_where_the_partition_is_not_known() {
        let day = Some(jiff::civil::date(2026, 11, 22));
        assert_eq!(Trace::default().day(day).partition(None).day, day);
        assert_eq!(Trace::default().partition(None).day(day).day, day);
    }
}
