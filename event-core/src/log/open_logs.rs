//! The logs that a process keeps in mind, and which of them it forgets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::commit::KnownLog;
use super::turns::Turns;

/// A log that several commits work on.
#[derive(Default)]
pub(super) struct SharedLog {
    /// Whoever holds it may move the head.
    pub(super) head: tokio::sync::Mutex<Head>,
    known: Mutex<KnownLog>,
}

#[derive(Default)]
pub(super) struct Head {
    /// The segments that were there before this process are read.
    pub(super) is_loaded: bool,
    pub(super) turns: Turns,
}

impl SharedLog {
    /// What is known at this moment; not to be kept while something is waited for.
    pub(super) fn known(&self) -> MutexGuard<'_, KnownLog> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The logs of all partitions that were met, up to a number of events. Those that were not used
/// for longest are forgotten first, each as a whole, to be read again when they are met again;
/// those in use never are.
#[derive(Default)]
pub(super) struct OpenLogs(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    logs: BTreeMap<String, (u64, Arc<SharedLog>)>,
    /// Counts uses.
    clock: u64,
    /// Logs that were made since the events of all of them were counted.
    made: usize,
}

/// What a log without events counts as.
const LOG: usize = 20;
/// Logs that are made between two counts.
const COUNT_EVERY: usize = 64;

impl OpenLogs {
    /// The log of a partition; other logs are forgotten if there are more events than `most`.
    pub(super) fn of(&self, partition: &str, most: usize) -> Arc<SharedLog> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.clock += 1;
        let clock = kept.clock;
        if let Some((used, log)) = kept.logs.get_mut(partition) {
            *used = clock;
            return Arc::clone(log);
        }
        kept.made += 1;
        if kept.made >= COUNT_EVERY {
            kept.made = 0;
            kept.forget(most);
        }
        let log = Arc::<SharedLog>::default();
        kept.logs.insert(partition.to_owned(), (clock, Arc::clone(&log)));
        log
    }
}

impl Kept {
    fn forget(&mut self, most: usize) {
        let mut total = 0;
        let mut idle = Vec::new();
        for (partition, (used, log)) in &self.logs {
            let events = LOG + log.known().len();
            total += events;
            if Arc::strong_count(log) == 1 {
                idle.push((*used, events, partition.clone()));
            }
        }
        idle.sort_unstable();
        for (_, events, partition) in idle {
            if total <= most {
                break;
            }
            total -= events;
            self.logs.remove(&partition);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::index::Fingerprint;
    use super::*;

    #[test]
    fn rows_that_were_not_used_for_longest_are_forgotten_but_for_those_in_use() {
        let logs = OpenLogs::default();
        let name = |number: usize| format!("dt={number}");
        let in_use = logs.of(&name(0), 10 * LOG);
        for number in 1..2 * COUNT_EVERY {
            logs.of(&name(number), 10 * LOG);
        }
        // The one that counts makes one more than were left.
        let kept = logs.0.lock().unwrap();
        let (first, last) = (name(0), name(2 * COUNT_EVERY - 1));
        assert_eq!(kept.logs.len(), 11);
        assert!(kept.logs.contains_key(&first) && kept.logs.contains_key(&last));
        let newest = (2 * COUNT_EVERY - 10)..2 * COUNT_EVERY;
        assert!(newest.map(name).all(|name| kept.logs.contains_key(&name)));
        assert!(Arc::ptr_eq(&kept.logs[&first].1, &in_use));
        drop(kept);
        let again = logs.of(&name(1), 10 * LOG);
        assert!(!again.head.try_lock().unwrap().is_loaded);
    }

    #[test]
    fn a_log_that_was_used_again_is_kept_before_one_that_was_made_later() {
        let logs = OpenLogs::default();
        let name = |number: usize| format!("dt={number}");
        for number in 0..COUNT_EVERY {
            logs.of(&name(number), usize::MAX);
            logs.of(&name(0), usize::MAX);
        }
        logs.0.lock().unwrap().forget(2 * LOG);
        let kept = logs.0.lock().unwrap();
        assert!(kept.logs.keys().eq([&name(0), &name(COUNT_EVERY - 1)]), "{:?}", kept.logs.keys());
    }

    #[test]
    fn what_is_bounded_is_the_number_of_events_and_not_of_rows() {
        let logs = OpenLogs::default();
        let full = logs.of("full", 1000);
        full.known().push((0..1000).map(|hash| Fingerprint(hash << 40)));
        drop(full);
        for number in 0..COUNT_EVERY {
            logs.of(&format!("dt={number}"), 1000);
        }
        assert!(!logs.0.lock().unwrap().logs.contains_key("full"));
    }
}
