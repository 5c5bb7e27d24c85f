//! Where things are in the store: keys as a pure function of the event or the message.

#[cfg(test)]
mod identities;
pub(crate) mod names;
#[cfg(test)]
mod tests;

use sha2::{Digest, Sha256};

use crate::compression::Compression;
use crate::error::{Error, Result};
use crate::message::{AttributeValue, Message};
use crate::reason::Reason;
use crate::schema::Identified;

/// The key layout of a store: one object for each event or for many, and the same for quarantined
/// messages.
///
/// ```text
/// store_events/event_type=sale_event/dt=2026_11_22/<identity>.json
/// store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson.zst
/// store_events/_manifest.json
/// quarantine/store_events/reason=bad_msg/<sha-256 of the message>.json
/// quarantine/store_events/dt=2026_11_24/0000000000.ndjson.zst
/// compacted/store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson.zst
/// ```
///
/// The `dt` of events is the day of their own time, that of quarantined messages the day in UTC on
/// which the queue accepted them.
///
/// All that a layout writes is below its own prefix, there and in quarantine. Each key below a
/// prefix has a fixed number of segments and no prefix has one that begins as theirs do, so layouts
/// with other prefixes share a store, one prefix inside of another too, and no key.
///
/// Keys are built from untrusted input. Of an identity only `A-Z a-z 0-9 _ -` go in as they are;
/// every other byte is written as `%` and two hexadecimal digits, and one that would take more than
/// 120 bytes is cut and closed with `~` and its SHA-256; [`Partition`](crate::schema::Partition) tells how values of
/// partitions are written. A `_` at the start of an identity is written `%5f`, since Athena, Hive and Spark
/// [pass over](https://docs.aws.amazon.com/athena/latest/ug/tables-location-format.html) objects
/// whose name starts with one. So two events never share a key, no value holds a `/`, and no key exceeds the 1,024 bytes that
/// [S3 allows](https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    prefix: String,
}

impl Layout {
    /// The prefix of the original demo.
    pub const DEFAULT_PREFIX: &'static str = "store_events";
    /// The prefix that quarantined messages are under.
    pub const QUARANTINE_PREFIX: &'static str = "quarantine";
    /// The prefix that objects merged for readers are under.
    pub const COMPACTED_PREFIX: &'static str = "compacted";
    /// What the segments of keys begin with, and those of a prefix do not.
    const OF_KEYS: [&'static str; 4] = ["event_type=", "dt=", "hr=", "reason="];
    /// The longest prefix: leaves room for the rest of the key.
    const MAX_PREFIX: usize = 256;
    /// The longest encoded value that is kept whole. Most file systems end a name at 255 bytes.
    const MAX_VALUE: usize = 120;

    /// A layout below `prefix`: one or more segments of `A-Z a-z 0-9 _ - . =`, parted by `/`,
    /// none of them starting with a dot or a `_`, which readers pass over, or as those of keys do
    /// (`event_type=`, `dt=`, `hr=`, `reason=`), and not below `quarantine` or `compacted`.
    pub fn new(prefix: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.=".contains(c);
        let mut segments = prefix.split('/');
        let sound = prefix.len() <= Self::MAX_PREFIX
            && segments.all(|s| {
                !s.is_empty()
                    && s.len() <= 200
                    && !s.starts_with(['.', '_'])
                    && s.chars().all(allowed)
            })
            && !prefix.split('/').any(|s| Self::OF_KEYS.iter().any(|of| s.starts_with(of)))
            && ![Self::QUARANTINE_PREFIX, Self::COMPACTED_PREFIX]
                .map(Some)
                .contains(&prefix.split('/').next());
        if !sound {
            let message = format!(
                "S3_PREFIX is {prefix:?}: give segments of letters, digits, '_', '-', '.' and '=' parted \
                 by single '/', at most {} bytes, none starting with '.' or '_', which is hidden from readers, \
                 or with 'event_type=', 'dt=', 'hr=' or 'reason=', which keys have, not below 'quarantine' or \
                 'compacted', for example 'store_events'",
                Self::MAX_PREFIX
            );
            return Err(Error::invalid("layout", message));
        }
        Ok(Self { prefix: prefix.to_owned() })
    }

    /// The prefix that events are under.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The key of an event: a function of its partition and its identity, and of nothing else, so
    /// that a second delivery, on any pod at any time, finds the first.
    pub fn event_key(&self, event: &Identified) -> String {
        let Identified { identity: id, partition } = event;
        let mut key = String::with_capacity(self.prefix.len() + id.len() + 64);
        key.push_str(&self.prefix);
        key.push('/');
        key.push_str(partition.name());
        key.push('/');
        match id.strip_prefix('_') {
            Some(rest) => push_cut(&mut key, "%5f", rest, id),
            None => push_value(&mut key, id),
        }
        key.push_str(".json");
        key
    }

    /// The layout of what is merged for readers: as this one, below a prefix of its own.
    pub(crate) fn compacted(&self) -> Self {
        Self { prefix: format!("{}/{}", Self::COMPACTED_PREFIX, self.prefix) }
    }

    /// The layout of the log of quarantined messages: as this one, below a prefix of its own.
    pub(crate) fn quarantined(&self) -> Self {
        Self { prefix: format!("{}/{}", Self::QUARANTINE_PREFIX, self.prefix) }
    }

    /// What all keys of events start with.
    pub(crate) fn data_root(&self) -> String {
        format!("{}/", self.prefix)
    }

    /// What all keys of quarantined messages start with. Those of prefixes inside of this one do,
    /// too, and have more segments.
    pub fn quarantine_root(&self) -> String {
        format!("{}/{}/", Self::QUARANTINE_PREFIX, self.prefix)
    }

    /// The key of what all writers below the prefix must agree on.
    pub(crate) fn manifest_key(&self) -> String {
        format!("{}/_manifest.json", self.prefix)
    }

    /// The key of a boundary of expiry: each tells the oldest live day, and the last one counts.
    pub(crate) fn boundary_key(&self, number: u32) -> String {
        format!("{}/_oldest/{number:010}.json", self.prefix)
    }

    /// What all claims of compactions start with. Readers pass over it.
    pub(crate) fn claim_root(&self) -> String {
        format!("{}/_claims/{}/", Self::COMPACTED_PREFIX, self.prefix)
    }

    /// What all keys of the data of a partition start with, and no other.
    pub(crate) fn data_prefix(&self, partition: &str) -> String {
        format!("{}/{partition}/", self.prefix)
    }

    /// The key of the object with so many before it in its partition. Padded, so that a listing is
    /// in order.
    pub(crate) fn batch_key(&self, partition: &str, slot: u32, compression: Compression) -> String {
        format!("{}{slot:010}{}", self.data_prefix(partition), compression.suffix())
    }

    /// The key of the claim that names the sources of the merged object in a slot.
    pub(crate) fn claim_key(&self, partition: &str, slot: u32) -> String {
        format!("{}{slot:010}.json", self.claim_prefix(partition))
    }

    /// What all keys of the claims of a partition start with, and no other.
    pub(crate) fn claim_prefix(&self, partition: &str) -> String {
        format!("{}{partition}/", self.claim_root())
    }

    /// The key of a quarantined message that is an object of its own: a function of the reason's code and the whole message,
    /// so that the same message is quarantined once however often it is delivered.
    pub fn quarantine_key(&self, message: &Message, reason: &Reason) -> String {
        let mut key = self.quarantine_root();
        key.push_str("reason=");
        push_value(&mut key, reason.code());
        key.push('/');
        push_hex(&mut key, &message_digest(message));
        key.push_str(".json");
        key
    }
}

impl Default for Layout {
    /// Below `store_events`.
    fn default() -> Self {
        Self { prefix: Self::DEFAULT_PREFIX.to_owned() }
    }
}

/// What tells one quarantined message from another: a SHA-256 of the whole of it.
///
/// Every part goes in with its length, so that no two messages give the same input. The types of
/// attributes go in only where one is not `String`, after what is the length of nothing: so the
/// messages that there were before types counted keep their keys.
pub(crate) fn message_digest(message: &Message) -> [u8; 32] {
    let mut hash = Sha256::new();
    let is_typed = message.attributes.iter().any(|(_, v)| v.data_type() != AttributeValue::STRING);
    if is_typed {
        hash.update(u64::MAX.to_be_bytes());
    }
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for (name, value) in message.attributes.iter() {
        part(name.as_bytes());
        if is_typed {
            part(value.data_type().as_bytes());
        }
        part(value.as_bytes());
    }
    part(&message.body);
    hash.finalize().into()
}

fn push_value(key: &mut String, value: &str) {
    push_cut(key, "", value, value);
}

/// `written`, and after it the `rest` of a value.
fn push_cut(key: &mut String, written: &str, mut rest: &str, value: &str) {
    let start = key.len();
    key.push_str(written);
    // Almost always the whole of it, at once.
    while let Some(odd) = rest.bytes().position(|byte| !is_plain(byte)) {
        key.push_str(&rest[..odd]);
        let width = rest[odd..].chars().next().map_or(1, char::len_utf8);
        let next = odd + width;
        for byte in rest[odd..next].bytes() {
            key.push('%');
            push_hex(key, &[byte]);
        }
        rest = &rest[next..];
    }
    key.push_str(rest);
    if key.len() - start > Layout::MAX_VALUE {
        key.truncate(start + Layout::MAX_VALUE - 65);
        key.push('~');
        push_hex(key, &Sha256::digest(value));
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// Bytes as hexadecimal digits.
pub(crate) fn push_hex(text: &mut String, bytes: &[u8]) {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
}
