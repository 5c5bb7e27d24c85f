//! Where an event belongs: one value from the message to the key and back.

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The partition of an event: an ordered list of pairs, as Hive has them.
///
/// ```
/// use event_core::schema::{Partition, PartitionBy};
/// use jiff::civil::datetime;
///
/// let time = datetime(2026, 11, 22, 22, 16, 48, 0);
/// let partition = Partition::new(Some("sale_event"), time, PartitionBy::Day);
/// assert_eq!(partition.name(), "event_type=sale_event/dt=2026_11_22");
///
/// let partition = Partition::new(None, time, PartitionBy::Hour).with("city", "Köln/1");
/// assert_eq!(partition.name(), "dt=2026_11_22/hr=22/city=K%C3%B6ln%2F1");
/// assert_eq!(partition.value("city").as_deref(), Some("Köln/1"));
/// assert_eq!(Partition::parse(partition.name()), Some(partition));
/// ```
///
/// The order is `event_type=`, `dt=`, `hr=`, then the fields. Of a value, `A-Z a-z 0-9 _ . -` stand
/// as they are and each other byte of its UTF-8 as `%` and two hexadecimal digits, as Hive, Spark
/// and DuckDB read it. The empty value is `__HIVE_DEFAULT_PARTITION__`. A value that would take more
/// than 120 bytes is cut and closed with `~` and its SHA-256, so that two values never share a
/// partition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Partition {
    name: String,
    day: Date,
}

/// How long a partition lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PartitionBy {
    /// A day of the event's own time: `dt=2026_11_22`.
    #[default]
    Day,
    /// An hour of it: `dt=2026_11_22/hr=07`.
    Hour,
}

impl fmt::Display for PartitionBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Day => "day",
            Self::Hour => "hour",
        })
    }
}

impl FromStr for PartitionBy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "day" => Ok(Self::Day),
            "hour" => Ok(Self::Hour),
            _ => Err(Error::invalid("schema", format!("{text:?} is neither day nor hour"))),
        }
    }
}

/// The key of the type, where a schema has types.
pub(super) const EVENT_TYPE: &str = "event_type";
/// The key of the day.
pub(super) const DAY: &str = "dt";
/// The key of the hour.
pub(super) const HOUR: &str = "hr";
/// The longest encoded value that is kept whole. Most file systems end a name at 255 bytes.
const MAX_VALUE: usize = 120;
/// Stands for the empty value, as Hive, Athena, Spark and DuckDB read it.
const EMPTY: &str = "__HIVE_DEFAULT_PARTITION__";
const DATE: &str = "%Y_%m_%d";

impl Partition {
    /// The partition of events of this type, if the schema has types, at this time.
    pub fn new(event_type: Option<&str>, time: DateTime, by: PartitionBy) -> Self {
        let (day, hour) = (time.date(), time.hour());
        let mut name = String::with_capacity(64);
        if let Some(event_type) = event_type {
            push_pair(&mut name, EVENT_TYPE, event_type);
            name.push('/');
        }
        // Writing to a String cannot fail.
        let _ = write!(name, "{DAY}={:04}_{:02}_{:02}", day.year(), day.month(), day.day());
        if by == PartitionBy::Hour {
            let _ = write!(name, "/{HOUR}={hour:02}");
        }
        Self { name, day }
    }

    /// The same, parted further by the value of a field. Its name is one that
    /// [`is_key`](Self::is_key) takes.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Self {
        debug_assert!(Self::is_key(field), "{field}");
        self.name.push('/');
        push_pair(&mut self.name, field, value);
        self
    }

    /// Whether a partition can have a pair with this key beside its day: up to 32 letters, digits
    /// and `_`, starting with a letter, and none of `event_type`, `dt` and `hr` in whatever case.
    pub fn is_key(field: &str) -> bool {
        let taken = [EVENT_TYPE, DAY, HOUR].iter().any(|own| own.eq_ignore_ascii_case(field));
        field.len() <= 32
            && field.starts_with(|first: char| first.is_ascii_alphabetic())
            && field.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && !taken
    }

    /// What stands before the name of an object.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The day, by the events' own time.
    pub fn day(&self) -> Date {
        self.day
    }

    /// The value of a key; none if there is no such key, or the value was cut.
    pub fn value(&self, key: &str) -> Option<Cow<'_, str>> {
        let value = pairs(&self.name).find_map(|(own, value)| (own == key).then_some(value))?;
        decode(value)
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        pairs(&self.name).map(|(key, _)| key)
    }

    /// Reads back a [`name`](Self::name); none for any other text.
    pub fn parse(name: &str) -> Option<Self> {
        let (mut day, mut last) = (None, None);
        for segment in name.split('/') {
            let (key, value) = segment.split_once('=')?;
            let is_sound = match key {
                EVENT_TYPE => last.is_none() && is_canonical(value),
                DAY if day.is_none() => {
                    day = Date::strptime(DATE, value).ok();
                    // One day has one name.
                    day.is_some_and(|day| day.strftime(DATE).to_string() == value)
                }
                HOUR => last == Some(DAY) && is_hour(value),
                _ => day.is_some() && Self::is_key(key) && is_canonical(value),
            };
            if !is_sound {
                return None;
            }
            last = Some(key);
        }
        Some(Self { name: name.to_owned(), day: day? })
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

fn is_hour(text: &str) -> bool {
    text.len() == 2
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && matches!(text.parse(), Ok(0_u8..24))
}

fn pairs(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.split('/').filter_map(|segment| segment.split_once('='))
}

fn push_pair(name: &mut String, key: &str, value: &str) {
    name.push_str(key);
    name.push('=');
    push_value(name, value);
}

fn push_value(name: &mut String, value: &str) {
    if value.is_empty() {
        return name.push_str(EMPTY);
    }
    let start = name.len();
    for (place, byte) in value.bytes().enumerate() {
        // The text that stands for the empty value is another one.
        let is_plain = is_plain(byte) && !(place == 0 && value == EMPTY);
        if is_plain {
            name.push(char::from(byte));
        } else {
            push_escaped(name, byte);
        }
    }
    if name.len() - start > MAX_VALUE {
        name.truncate(start + MAX_VALUE - 65);
        name.push('~');
        for byte in Sha256::digest(value) {
            let _ = write!(name, "{byte:02x}");
        }
    }
}

/// Whether a value is told whole, and so can be read back.
pub(super) fn fits(value: &str) -> bool {
    let length: usize = value.bytes().map(|byte| if is_plain(byte) { 1 } else { 3 }).sum();
    // The text that stands for the empty value is not nearly as long.
    length <= MAX_VALUE
}

fn push_escaped(name: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    name.push('%');
    for digit in [byte >> 4, byte & 15] {
        name.push(char::from(DIGITS[usize::from(digit)]));
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')
}

/// The value that was written like this; none if it was cut, or if none is.
fn decode(written: &str) -> Option<Cow<'_, str>> {
    if written == EMPTY {
        return Some(Cow::Borrowed(""));
    }
    if written.bytes().all(is_plain) {
        return Some(Cow::Borrowed(written));
    }
    let mut value = Vec::with_capacity(written.len());
    let mut bytes = written.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                value.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
            }
            byte if is_plain(byte) => value.push(byte),
            _ => return None,
        }
    }
    String::from_utf8(value).ok().map(Cow::Owned)
}

/// Whether a value is written like this, and no other way.
fn is_canonical(written: &str) -> bool {
    if let Some((start, digest)) = written.rsplit_once('~') {
        let is_digest = digest.len() == 64
            && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        // The end of it may be the start of an escape.
        return start.len() == MAX_VALUE - 65
            && is_digest
            && start.bytes().all(|byte| is_plain(byte) || byte == b'%');
    }
    decode(written).is_some_and(|value| {
        let mut again = String::with_capacity(written.len());
        push_value(&mut again, &value);
        again == written
    })
}
