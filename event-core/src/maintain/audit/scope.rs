//! Where an event belongs, as far as that is known.

use std::collections::BTreeSet;

use jiff::civil::Date;
use sha2::{Digest, Sha256};

use crate::schema::{Partition, Trace};

/// The day and the partition of an event. With its identity they say which event it is; of what was
/// sent, or quarantined, they may not be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) day: Option<Date>,
    pub(super) partition: Option<Number>,
}

/// Stands for the name of a partition: the start of its SHA-256. There are few enough partitions that
/// no two share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number(u64);

impl Number {
    fn of(partition: &Partition) -> Self {
        let hash = Sha256::digest(partition.name());
        // A SHA-256 has 32 bytes.
        Self(u64::from_be_bytes(std::array::from_fn(|at| hash[at])))
    }
}

impl Scope {
    /// Whether the two may be of one event.
    pub(super) fn agrees(self, other: Self) -> bool {
        fn agree<T: PartialEq + Copy>(a: Option<T>, b: Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        agree(self.partition, other.partition) && agree(self.day, other.day)
    }

    /// Whether this says all that the other does, and does not contradict it.
    fn tells(self, other: Self) -> bool {
        self.agrees(other)
            && self.partition.is_some() >= other.partition.is_some()
            && self.day.is_some() >= other.day.is_some()
    }

    /// Adds this to those of one identity: what says less of an event that is there says nothing
    /// new.
    pub(super) fn add_to(self, scopes: &mut BTreeSet<Self>) {
        if !scopes.iter().any(|there| there.tells(self)) {
            scopes.retain(|there| !self.tells(*there));
            scopes.insert(self);
        }
    }
}

impl From<&Partition> for Scope {
    fn from(partition: &Partition) -> Self {
        Self { day: Some(partition.day()), partition: Some(Number::of(partition)) }
    }
}

impl From<&Trace> for Scope {
    fn from(trace: &Trace) -> Self {
        Self { day: trace.day, partition: trace.partition.as_ref().map(Number::of) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::PartitionBy;
    use jiff::civil::date;

    #[test]
    fn what_says_less_is_no_other_event() {
        let day = |day: i8| (day > 0).then(|| date(2026, 11, day));
        let of = |kind: Option<&str>, number: i8| match (kind, day(number)) {
            (Some(kind), Some(day)) => {
                let time = day.at(1, 2, 3, 4);
                Scope::from(&Partition::new(Some(kind), time, PartitionBy::Day))
            }
            (_, day) => Scope { day, partition: None },
        };
        let (sale, stock) = (Some("sale"), Some("stock"));
        for (added, left) in [
            (vec![of(None, 0), of(None, 22)], vec![of(None, 22)]),
            (vec![of(None, 22), of(None, 0)], vec![of(None, 22)]),
            (vec![of(None, 22), of(sale, 22), of(None, 22)], vec![of(sale, 22)]),
            (vec![of(None, 22), of(None, 23)], vec![of(None, 22), of(None, 23)]),
            (vec![of(sale, 22), of(stock, 22)], vec![of(sale, 22), of(stock, 22)]),
            (vec![of(sale, 22), of(sale, 22)], vec![of(sale, 22)]),
            (vec![of(sale, 22), of(None, 23)], vec![of(None, 23), of(sale, 22)]),
        ] {
            let mut scopes = BTreeSet::new();
            added.into_iter().for_each(|scope| scope.add_to(&mut scopes));
            assert_eq!(scopes, left.into_iter().collect());
        }
    }
}
