//! Where events are stored, worked out anew from the documentation of the layout.

use sha2::{Digest, Sha256};

use super::traffic::PARTITIONS;

/// The partition of an event of this name.
pub(super) fn partition_of(name: &str) -> Option<String> {
    let (kind, day, _) = parts(name)?;
    let (_, _, dt) = PARTITIONS.iter().find(|(_, ts, _)| *ts == day)?;
    Some(format!("store_events/event_type={kind}/dt={dt}"))
}

/// The key of an event of this name in an object of its own: letters, digits, `_` and `-` as they
/// are, but for a `_` at the start, and a longer name closed with the digest of the whole.
pub(super) fn key_of(name: &str) -> Option<String> {
    let (_, _, id) = parts(name)?;
    let mut value = String::new();
    for (place, byte) in id.bytes().enumerate() {
        match byte {
            b'_' if place == 0 => value += "%5f",
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-' => value.push(byte.into()),
            _ => value += &format!("%{byte:02x}"),
        }
    }
    if value.len() > 120 {
        value.truncate(55);
        value.push('~');
        value.extend(Sha256::digest(id).iter().map(|byte| format!("{byte:02x}")));
    }
    Some(format!("{}/{value}.json", partition_of(name)?))
}

/// Type, day and `request_id`.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let mut parts = name.splitn(3, '/');
    Some((parts.next()?, parts.next()?, parts.next()?))
}
