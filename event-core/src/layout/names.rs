//! Names in the store, read back: partitions, and what is in them.

use jiff::civil::Date;

use crate::compression::Compression;
use crate::schema::retail::EventType;

/// A partition, read back from its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    pub(crate) name: String,
    pub(crate) event_type: EventType,
    pub(crate) day: Date,
}

impl Partition {
    /// None if no event belongs to a partition of this name.
    pub(crate) fn parse(name: &str) -> Option<Self> {
        const DAY: &str = "%Y_%m_%d";
        let (kind, text) = name.strip_prefix("event_type=")?.split_once("/dt=")?;
        let event_type = EventType::ALL.into_iter().find(|known| known.as_str() == kind)?;
        let day = Date::strptime(DAY, text).ok()?;
        // One day has one name.
        let same = day.strftime(DAY).to_string() == text;
        same.then(|| Self { name: name.to_owned(), event_type, day })
    }
}

/// Whether a path below the quarantine of a prefix is in that of a longer prefix: it has more
/// segments than `reason=…/event_type=…/<digest>.json`, and ends with these.
pub(crate) fn is_of_longer_prefix(path: &str) -> bool {
    let mut last = path.rsplit('/');
    let (_, event_type, reason) = (last.next(), last.next(), last.next());
    event_type.is_some_and(|segment| segment.starts_with("event_type="))
        && reason.is_some_and(|segment| segment.starts_with("reason="))
        && last.next().is_some()
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
    use jiff::civil::date;

    #[test]
    fn only_the_name_that_the_layout_gives_is_that_of_a_partition() {
        let partition = Partition::parse("event_type=sale_event/dt=2026_01_02").unwrap();
        assert_eq!((partition.event_type, partition.day), (EventType::Sale, date(2026, 1, 2)));
        for name in [
            "",
            "event_type=sale_event",
            "event_type=other/dt=2026_01_02",
            "event_type=sale_event/dt=2026_1_2",
            "event_type=sale_event/dt=2026_02_30",
            "event_type=sale_event/dt=2026_01_02/x",
            "event_type=sale_event/dt=2026-01-02",
        ] {
            assert_eq!(Partition::parse(name), None, "{name}");
        }
    }

    #[test]
    fn the_quarantine_of_a_longer_prefix_is_told_from_that_of_a_shorter_one() {
        use crate::message::Message;
        use crate::reason::Reason;
        let prefixes =
            ["a", "a/b", "a/b/c", "a/reason", "a/x=1"].map(|prefix| Layout::new(prefix).unwrap());
        for own in &prefixes {
            for other in &prefixes {
                let key = other.quarantine_key(&Message::new("x"), &Reason::new("bad_msg", ""));
                let Some(path) = key.strip_prefix(&own.quarantine_root()) else { continue };
                assert_eq!(is_of_longer_prefix(path), own != other, "{key}");
            }
        }
        // A stray object, which an audit is to name.
        for stray in ["x", "b/x", "reason=x/y", "b/c/d/e", "b/event_type=x/reason=y/z"] {
            assert!(!is_of_longer_prefix(stray), "{stray}");
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
        assert_eq!(slot_of_data("0000000000.json"), None);
    }
}
