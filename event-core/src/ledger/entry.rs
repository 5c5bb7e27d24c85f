//! An entry of the ledger: which events one object of data is to hold.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::compression::Compression;
use crate::object::Object;

/// An event's identity: the first half of the SHA-256 of its `request_id`. Two of a thousand
/// million events share one with a probability of 10⁻²¹.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(pub(crate) u128);

/// The bytes of an event, as 64 bits of their SHA-256: tells a repetition from a conflict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Digest(pub(crate) u64);

impl Id {
    pub(crate) fn of(request_id: &str) -> Self {
        Self(u128::from_be_bytes(start(&Sha256::digest(request_id))))
    }

    /// Of a message that has no `request_id`: by its bytes, apart from every `request_id`, since
    /// those hold no control characters.
    pub(crate) fn of_bytes(body: &[u8]) -> Self {
        let hash = Sha256::new().chain_update([0]).chain_update(body).finalize();
        Self(u128::from_be_bytes(start(&hash)))
    }
}

impl Digest {
    pub(crate) fn of(body: &[u8]) -> Self {
        Self(u64::from_be_bytes(start(&Sha256::digest(body))))
    }
}

fn start<const N: usize>(hash: &[u8]) -> [u8; N] {
    // A SHA-256 has 32 bytes, and N is 16 or 8.
    std::array::from_fn(|at| hash[at])
}

/// One claim: by whom, and of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Entry {
    /// Tells a writer its own entry from another's.
    pub(crate) nonce: u128,
    /// How the data is compressed, and so under which key it is: no two writers need agree.
    pub(crate) compression: Compression,
    /// In the order in which the data has them.
    pub(crate) events: Vec<(Id, Digest)>,
}

/// `{"nonce": "…", "compression": "none", "events": "…"}`: 32 hexadecimal digits, and 48 for each
/// event.
#[derive(Serialize, Deserialize)]
struct Written {
    nonce: String,
    compression: String,
    events: String,
}

/// Of an id and of a digest.
const ID: usize = 32;
const EVENT: usize = ID + 16;

impl Entry {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut events = String::with_capacity(EVENT * self.events.len());
        for (id, digest) in &self.events {
            // Writing to a String cannot fail.
            let _ = write!(events, "{:032x}{:016x}", id.0, digest.0);
        }
        let nonce = format!("{:032x}", self.nonce);
        let written = Written { nonce, compression: self.compression.to_string(), events };
        serde_json::to_vec(&written).expect("three strings always serialise")
    }

    /// Reads what [`encode`](Self::encode) wrote; none if it is anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let Object::<Written>(written) = serde_json::from_slice(bytes).ok()?;
        let nonce = hex(&written.nonce, ID)?;
        let compression = written.compression.parse().ok()?;
        let (chunks, rest) = written.events.as_bytes().as_chunks::<EVENT>();
        let event = |chunk: &[u8; EVENT]| {
            let text = str::from_utf8(chunk).ok()?;
            let (id, digest) = text.split_at_checked(ID)?;
            let digest = u64::try_from(hex(digest, EVENT - ID)?).ok()?;
            Some((Id(hex(id, ID)?), Digest(digest)))
        };
        let events = chunks.iter().map(event).collect::<Option<_>>()?;
        rest.is_empty().then_some(Self { nonce, compression, events })
    }
}

fn hex(text: &str, digits: usize) -> Option<u128> {
    let all = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if all { u128::from_str_radix(text, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_entry_survives_a_round_trip(
            nonce: u128,
            compression in prop::sample::select(&Compression::ALL[..]),
            events in prop::collection::vec((any::<u128>(), any::<u64>()), 0..20),
        ) {
            let events = events.into_iter().map(|(id, digest)| (Id(id), Digest(digest))).collect();
            let entry = Entry { nonce, compression, events };
            prop_assert_eq!(Entry::decode(&entry.encode()), Some(entry));
        }
    }

    #[test]
    fn what_is_no_entry_is_told_apart() {
        let nonce = "0".repeat(32);
        for events in ["0", &"0".repeat(47), &"0".repeat(49), &"+".repeat(48), &"é".repeat(24)] {
            let line =
                format!(r#"{{"nonce": "{nonce}", "compression": "none", "events": "{events}"}}"#);
            assert_eq!(Entry::decode(line.as_bytes()), None, "{line}");
        }
        let line = |nonce: &str, compression: &str| {
            format!(r#"{{"nonce": "{nonce}", "compression": "{compression}", "events": ""}}"#)
        };
        assert!(Entry::decode(line(&nonce, "none").as_bytes()).is_some());
        for line in ["", "[]", "{}", &line("0", "none"), &line(&nonce, "lz4")] {
            assert_eq!(Entry::decode(line.as_bytes()), None, "{line}");
        }
    }
}
