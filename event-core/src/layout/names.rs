//! Names in the store, read back.

use crate::compression::Compression;

/// Whether a path below the quarantine of a prefix is in that of a longer prefix: it has more
/// segments than `reason=…/<digest>.json` or `dt=…/<slot>.ndjson.zst`, and ends with these.
pub(crate) fn is_of_longer_prefix(path: &str) -> bool {
    let mut last = path.rsplit('/');
    let (_, folder) = (last.next(), last.next());
    let is_own = |folder: &str| folder.starts_with("reason=") || folder.starts_with("dt=");
    folder.is_some_and(is_own) && last.next().is_some()
}

/// What readers of Hive partitions pass over, such as the object that a consumer proves its
/// rights with.
pub(crate) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|segment| segment.starts_with(['_', '.']))
}

/// The slot of a claim of a compaction, by its name in its partition.
pub(crate) fn slot_of_claim(name: &str) -> Option<u32> {
    slot(name.strip_suffix(".json")?)
}

/// The slot of a segment or a merged object, by its name in its partition.
pub(crate) fn slot_of_data(name: &str) -> Option<u32> {
    slot(name.strip_suffix(Compression::of_key(name)?.suffix())?)
}

/// As the layout writes it: ten digits.
fn slot(digits: &str) -> Option<u32> {
    // The last number is none, so that each slot has a next.
    let slot = digits.parse().ok().filter(|&slot| slot < u32::MAX)?;
    (format!("{slot:010}") == digits).then_some(slot)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Layout;

    #[test]
    fn the_quarantine_of_a_longer_prefix_is_told_from_that_of_a_shorter_one() {
        use crate::message::Message;
        use crate::reason::Reason;
        let prefixes =
            ["a", "a/b", "a/b/c", "a/reason", "a/x=1"].map(|prefix| Layout::new(prefix).unwrap());
        for own in &prefixes {
            for other in &prefixes {
                let object = other.quarantine_key(&Message::new("x"), &Reason::new("bad_msg", ""));
                let segment = other.quarantined().batch_key("dt=2026_11_22", 7, Compression::Zstd);
                for key in [object, segment] {
                    let Some(path) = key.strip_prefix(&own.quarantine_root()) else { continue };
                    assert_eq!(is_of_longer_prefix(path), own != other, "{key}");
                }
            }
        }
        // A stray object, which an audit is to name.
        for stray in ["x", "b/x", "reason=x/y", "dt=x/y", "b/c/d/e", "b/reason=y/x/z"] {
            assert!(!is_of_longer_prefix(stray), "{stray}");
        }
    }

    #[test]
    fn readers_pass_over_what_begins_with_a_line_or_a_dot() {
        for path in ["_x", ".x", "_manifest.json", "a/_b", "a/.b/c", "_a/b", "dt=2026_11_22/_tmp"] {
            assert!(is_hidden(path), "{path}");
        }
        for path in ["", "x", "a_b/c.d", "dt=2026_11_22/a-_.b", "a=_b"] {
            assert!(!is_hidden(path), "{path}");
        }
    }

    #[test]
    fn a_slot_is_read_as_the_layout_writes_it() {
        for slot in [0, 7, u32::MAX - 1] {
            let layout = Layout::default();
            let entry = layout.claim_key("p", slot);
            assert_eq!(slot_of_claim(entry.rsplit('/').next().unwrap()), Some(slot));
            for compression in Compression::ALL {
                let data = layout.batch_key("p", slot, compression);
                assert_eq!(slot_of_data(data.rsplit('/').next().unwrap()), Some(slot));
            }
        }
        for name in ["r1.json", "1.json", "+000000001.json", "00000000001.json", "4294967295.json"]
        {
            assert_eq!(slot_of_claim(name), None, "{name}");
        }
        for name in ["0000000000.json", "0000000000", "1.ndjson", "0000000000.ndjson.zst.tmp"] {
            assert_eq!(slot_of_data(name), None, "{name}");
        }
    }
}
