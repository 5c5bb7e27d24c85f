//! Where an event belongs, as far as that is known.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::layout::names::Partition;
use crate::schema::retail::EventType;

/// The type and the day of an event. With its `request_id` they are its identity; of what was sent,
/// or quarantined, they may not be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) event_type: Option<EventType>,
    pub(super) day: Option<Date>,
}

impl Scope {
    /// Whether the two may be of one event.
    pub(super) fn agrees(self, other: Self) -> bool {
        fn agree<T: PartialEq + Copy>(a: Option<T>, b: Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        agree(self.event_type, other.event_type) && agree(self.day, other.day)
    }

    /// Whether this says all that the other does, and does not contradict it.
    fn tells(self, other: Self) -> bool {
        self.agrees(other)
            && self.event_type.is_some() >= other.event_type.is_some()
            && self.day.is_some() >= other.day.is_some()
    }

    /// Adds this to those of one `request_id`: what says less of an event that is there says
    /// nothing new.
    pub(super) fn add_to(self, scopes: &mut BTreeSet<Self>) {
        if !scopes.iter().any(|there| there.tells(self)) {
            scopes.retain(|there| !self.tells(*there));
            scopes.insert(self);
        }
    }
}

impl From<&Partition> for Scope {
    fn from(partition: &Partition) -> Self {
        Self { event_type: Some(partition.event_type), day: Some(partition.day) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn what_says_less_is_no_other_event() {
        let of =
            |event_type, day: i8| Scope { event_type, day: (day > 0).then(|| date(2026, 11, day)) };
        let (sale, stock) = (Some(EventType::Sale), Some(EventType::Inventory));
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
            assert_eq!(scopes.into_iter().collect::<Vec<_>>(), left);
        }
    }
}
