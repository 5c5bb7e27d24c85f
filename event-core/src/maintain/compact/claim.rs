//! A claim: which objects of a partition are merged into one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::compression::Compression;
use crate::layout::names::slot_of_data;
use crate::object::Object;

/// What one merged object is made of. Sources never change, so nor does what is made of them,
/// whoever makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) compression: Compression,
    /// Their names in the partition, in the order of their lines.
    pub(crate) sources: Vec<String>,
}

/// `{"compression": "zstd", "sources": ["0000000000.ndjson", "r1.json"]}`
#[derive(Serialize, Deserialize)]
struct Written {
    compression: String,
    sources: Vec<String>,
}

impl Claim {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (compression, sources) = (self.compression.to_string(), self.sources.clone());
        serde_json::to_vec(&Written { compression, sources }).expect("strings always serialise")
    }

    /// Reads what [`encode`](Self::encode) wrote; none if it is anything else.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let Object::<Written>(Written { compression, sources }) =
            serde_json::from_slice(bytes).ok()?;
        let sound = !sources.is_empty() && sources.iter().all(|source| is_source(source));
        let compression = compression.parse().ok()?;
        sound.then_some(Self { compression, sources })
    }
}

/// Whether the object of this name in a partition holds an event, or many.
pub(crate) fn is_source(name: &str) -> bool {
    !name.contains('/') && (name.ends_with(".json") || slot_of_data(name).is_some())
}

/// What to claim next of the sources that no claim has, which are given with their sizes in
/// bytes: as many as fit, and at least one. Empty if there is none.
pub(super) fn next_lot(unclaimed: &BTreeMap<String, u64>, target: u64) -> Vec<String> {
    let (mut lot, mut size) = (Vec::new(), 0);
    for (name, &bytes) in unclaimed {
        if !lot.is_empty() && size + bytes > target {
            break;
        }
        size += bytes;
        lot.push(name.clone());
    }
    lot
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_survives_a_round_trip_and_nothing_else_is_one() {
        let sources = vec!["0000000000.ndjson.zst".to_owned(), "_r1.json".to_owned()];
        let claim = Claim { compression: Compression::Gzip, sources };
        assert_eq!(Claim::decode(&claim.encode()), Some(claim));
        for other in [
            "",
            "[]",
            r#"{"compression": "none", "sources": []}"#,
            r#"{"compression": "lz4", "sources": ["r1.json"]}"#,
            r#"{"compression": "none", "sources": ["../r1.json"]}"#,
            r#"{"compression": "none", "sources": ["0.ndjson"]}"#,
        ] {
            assert_eq!(Claim::decode(other.as_bytes()), None, "{other}");
        }
    }

    fn lot(unclaimed: &[(&str, u64)], target: u64) -> Vec<String> {
        let unclaimed = unclaimed.iter().map(|&(name, size)| (name.to_owned(), size)).collect();
        next_lot(&unclaimed, target)
    }

    #[test]
    fn a_lot_holds_what_fits_in_order_and_at_least_one() {
        let three = [("a.json", 4), ("b.json", 4), ("c.json", 4)];
        assert_eq!(lot(&three, 1), ["a.json"]);
        assert_eq!(lot(&three, 7), ["a.json"]);
        assert_eq!(lot(&three, 8), ["a.json", "b.json"]);
        assert_eq!(lot(&three, 100).len(), 3);
        assert_eq!(lot(&[], 100), [""; 0]);
    }
}
