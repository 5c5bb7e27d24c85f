//! The rows that a process keeps, and which of them it forgets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::commit::Row;
use super::turns::Turns;

/// A row that several commits work on.
#[derive(Default)]
pub(super) struct SharedRow {
    /// Whoever holds it may move the head.
    pub(super) head: tokio::sync::Mutex<Head>,
    known: Mutex<Row>,
}

#[derive(Default)]
pub(super) struct Head {
    /// The segments that were there before this process are read.
    pub(super) is_loaded: bool,
    pub(super) turns: Turns,
}

impl SharedRow {
    /// What is known at this moment; not to be kept while something is waited for.
    pub(super) fn known(&self) -> MutexGuard<'_, Row> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The rows of all partitions that were met, up to a number of events. Those that were not used
/// for longest are forgotten first, each as a whole, to be read again when they are met again;
/// those in use never are.
#[derive(Default)]
pub(super) struct Rows(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    rows: BTreeMap<String, (u64, Arc<SharedRow>)>,
    /// Counts uses.
    clock: u64,
    /// Rows that were made since the events of all of them were counted.
    made: usize,
}

/// What a row without events counts as.
const ROW: usize = 20;
/// Rows that are made between two counts.
const COUNT_EVERY: usize = 64;

impl Rows {
    /// The row of a partition; other rows are forgotten if there are more events than `most`.
    pub(super) fn of(&self, partition: &str, most: usize) -> Arc<SharedRow> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let clock = kept.clock;
        if let Some((used, row)) = kept.rows.get_mut(partition) {
            *used = clock;
            return Arc::clone(row);
        }
        kept.made += 1;
        if kept.made >= COUNT_EVERY {
            kept.made = 0;
            kept.forget(most);
        }
        let row = Arc::<SharedRow>::default();
        kept.rows.insert(partition.to_owned(), (clock, Arc::clone(&row)));
        row
    }
}

impl Kept {
    fn forget(&mut self, most: usize) {
        let mut total = 0;
        let mut idle = Vec::new();
        for (partition, (used, row)) in &self.rows {
            let events = ROW + row.known().len();
            total += events;
            if Arc::strong_count(row) == 1 {
                idle.push((*used, events, partition.clone()));
            }
        }
        idle.sort_unstable();
        for (_, events, partition) in idle {
            if total <= most {
                break;
            }
            total -= events;
            self.rows.remove(&partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::Fingerprint;
    use super::*;

    #[test]
    fn rows_that_were_not_used_for_longest_are_forgotten_but_for_those_in_use() {
        let rows = Rows::default();
        let name = |number: usize| format!("dt={number}");
        let in_use = rows.of(&name(0), 10 * ROW);
        for number in 1..2 * COUNT_EVERY {
            rows.of(&name(number), 10 * ROW);
        }
        // The one that counts makes one more than were left.
        let kept = rows.0.lock().unwrap();
        let (first, last) = (name(0), name(2 * COUNT_EVERY - 1));
        assert_eq!(kept.rows.len(), 11);
        assert!(kept.rows.contains_key(&first) && kept.rows.contains_key(&last));
        assert!(Arc::ptr_eq(&kept.rows[&first].1, &in_use));
        drop(kept);
        let again = rows.of(&name(1), 10 * ROW);
        assert!(!again.head.try_lock().unwrap().is_loaded);
    }

    #[test]
    fn what_is_bounded_is_the_number_of_events_and_not_of_rows() {
        let rows = Rows::default();
        let full = rows.of("full", 1000);
        full.known().push((0..1000).map(|hash| Fingerprint(hash << 40)));
        drop(full);
        for number in 0..COUNT_EVERY {
            rows.of(&format!("dt={number}"), 1000);
        }
        assert!(!rows.0.lock().unwrap().rows.contains_key("full"));
    }
}
