//! Which slots of a partition may hold an event, in some ten bytes for each event.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

/// The number of a segment in its partition.
pub(crate) type Slot = u32;

/// The first bits of a keyed hash of an identity. Two identities may share one, so it says
/// "perhaps" or "no", never "yes": whoever meets a "perhaps" reads the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Fingerprint(pub(crate) u64);

/// Keys the hash, so that nobody who chooses identities can make many of them alike.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FingerprintKey(u64);

impl FingerprintKey {
    pub(crate) fn random() -> Self {
        Self(fastrand::u64(..))
    }

    pub(crate) fn of(self, identity: &str) -> Fingerprint {
        let mut hash = DefaultHasher::new();
        hash.write_u64(self.0);
        hash.write(identity.as_bytes());
        Fingerprint(hash.finish())
    }
}

/// Fingerprints with their slots. Nothing is ever taken out of it: an event that it does not know
/// is in none of the slots that went in.
#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Each of 36 bits of a fingerprint and 28 of a slot. Buckets are a power of two in number and
    /// go by the first bits of the fingerprint, so that doubling parts each of them in two.
    buckets: Vec<Vec<u64>>,
    len: usize,
}

const SLOT_BITS: u32 = 28;
/// Slots from here on cannot be kept: thirty segments a second reach it after a hundred days.
pub(crate) const SLOTS: Slot = 1 << SLOT_BITS;
/// Entries of a bucket on average before their number doubles: a look-up compares as many.
const FULL: usize = 128;

impl Default for Index {
    fn default() -> Self {
        Self { buckets: vec![Vec::new()], len: 0 }
    }
}

impl Index {
    /// How many were put in.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// `slot` is below [`SLOTS`].
    pub(crate) fn insert(&mut self, fingerprint: Fingerprint, slot: Slot) {
        if self.len >= FULL * self.buckets.len() {
            self.double();
        }
        let bucket = self.bucket(fingerprint);
        push(&mut self.buckets[bucket], head(fingerprint) | u64::from(slot));
        self.len += 1;
    }

    /// Every slot that may hold the event, in the order in which they went in.
    pub(crate) fn slots(&self, fingerprint: Fingerprint) -> impl Iterator<Item = Slot> + '_ {
        let wanted = head(fingerprint);
        let bucket = self.buckets[self.bucket(fingerprint)].iter();
        let alike = bucket.filter(move |&&entry| entry & !LOW == wanted);
        alike.map(|&entry| (entry & LOW) as Slot)
    }

    fn bucket(&self, fingerprint: Fingerprint) -> usize {
        place(fingerprint.0, self.buckets.len())
    }

    /// One bucket after the other, so that there is never more than one of them twice.
    fn double(&mut self) {
        let count = 2 * self.buckets.len();
        let mut buckets = Vec::with_capacity(count);
        for bucket in std::mem::take(&mut self.buckets) {
            let (low, high): (Vec<_>, Vec<_>) =
                bucket.into_iter().partition(|&entry| place(entry, count).is_multiple_of(2));
            buckets.extend([low, high].map(|mut half| {
                half.shrink_to(half.len() + half.len() / 8);
                half
            }));
        }
        self.buckets = buckets;
    }
}

const LOW: u64 = SLOTS as u64 - 1;

fn head(fingerprint: Fingerprint) -> u64 {
    fingerprint.0 & !LOW
}

/// The first bits of a hash, as many as number these buckets.
fn place(hash: u64, buckets: usize) -> usize {
    // A shift by all 64 bits would be undefined; a single bucket has no bits.
    hash.checked_shr(64 - buckets.trailing_zeros()).unwrap_or(0) as usize
}

/// By an eighth more room each time, where doubling would leave a quarter unused on average.
fn push(bucket: &mut Vec<u64>, entry: u64) {
    if bucket.len() == bucket.capacity() {
        bucket.reserve_exact(1 + bucket.len() / 8);
    }
    bucket.push(entry);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_slot_that_may_hold_an_event_is_told_in_order() {
        let mut index = Index::default();
        let (a, b) = (Fingerprint(1 << 40), Fingerprint(1 << 41));
        // Alike but for bits that are not kept.
        let like_a = Fingerprint(a.0 + 1);
        index.insert(a, 0);
        index.insert(b, 0);
        index.insert(like_a, 7);
        index.insert(a, SLOTS - 1);
        assert_eq!(index.slots(a).collect::<Vec<_>>(), [0, 7, SLOTS - 1]);
        assert_eq!(index.slots(b).collect::<Vec<_>>(), [0]);
        assert_eq!(index.slots(Fingerprint(3 << 40)).count(), 0);
        assert_eq!(index.len(), 4);
    }

    #[test]
    fn a_hundred_thousand_take_less_than_twelve_bytes_each() {
        let (mut index, key) = (Index::default(), FingerprintKey(7));
        for number in 0..100_000 {
            index.insert(key.of(&format!("event-{number}")), number / 1000);
        }
        let header = size_of::<Vec<u64>>();
        let bytes: usize = index.buckets.iter().map(|of| header + 8 * of.capacity()).sum();
        assert!(bytes < 12 * 100_000, "{bytes}");
    }

    #[test]
    fn two_keys_hash_alike_only_by_chance() {
        let (one, other) = (FingerprintKey(1), FingerprintKey(2));
        assert_eq!(one.of("a"), one.of("a"));
        assert!(one.of("a") != other.of("a") && one.of("a") != one.of("A"));
    }

    proptest! {
        /// Beside a map that keeps everything, through all doublings.
        #[test]
        fn nothing_that_went_in_is_ever_missing(seed: u64, count in 0_u32..3000) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let (mut index, mut map) = (Index::default(), BTreeMap::<u64, Vec<Slot>>::new());
            for slot in 0..count {
                // Few enough heads that some meet.
                let fingerprint = Fingerprint(rng.u64(..) & !LOW & !(0xff << 40));
                index.insert(fingerprint, slot);
                map.entry(fingerprint.0).or_default().push(slot);
            }
            for (fingerprint, slots) in map {
                let told: Vec<_> = index.slots(Fingerprint(fingerprint)).collect();
                prop_assert_eq!(told, slots);
            }
        }
    }
}
