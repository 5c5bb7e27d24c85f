//! Where events are stored, worked out anew from the documentation of the layout.

use sha2::{Digest, Sha256};

use super::traffic::EventName;

/// The folder of an event of this name.
pub(super) fn folder_of(name: &EventName) -> String {
    format!("store_events/{}", name.partition)
}

/// The key of an event of this name in an object of its own: letters, digits, `_` and `-` as they
/// are, but for a `_` at the start, and a longer name closed with the digest of the whole.
pub(super) fn key_of(name: &EventName) -> String {
    let id = &name.identity;
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
    format!("{}/{value}.json", folder_of(name))
}
