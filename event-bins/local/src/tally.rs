//! Counts what the engines tell.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use event_core::{Delivery, Message, Observer, Outcome, Reason};
use hdrhistogram::Histogram;

/// The longest time from send to durable that is told apart; longer ones count as this.
const LONGEST: Duration = Duration::from_secs(3600);

/// Everything that a run counts, shared by its producers and consumers.
pub(crate) struct Tally {
    /// Accepted by the queue.
    accepted: AtomicU64,
    /// Quarantined before the queue, which would not take them.
    rejected: AtomicU64,
    stored: AtomicU64,
    duplicates: AtomicU64,
    quarantined: AtomicU64,
    details: Mutex<Details>,
}

/// What is counted by name.
#[derive(Clone)]
pub(crate) struct Details {
    pub(crate) stored_by_type: BTreeMap<String, u64>,
    pub(crate) quarantined_by_reason: BTreeMap<String, u64>,
    /// From send to durable, in microseconds.
    pub(crate) latency: Histogram<u64>,
}

/// The counts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Handed on by the producers: accepted by the queue, or quarantined because it would not.
    pub(crate) sent: u64,
    pub(crate) stored: u64,
    pub(crate) duplicates: u64,
    pub(crate) quarantined: u64,
}

impl Counts {
    pub(crate) fn in_flight(&self) -> u64 {
        self.sent.saturating_sub(self.settled())
    }

    pub(crate) fn balance(&self) -> bool {
        self.sent == self.settled()
    }

    fn settled(&self) -> u64 {
        self.stored + self.duplicates + self.quarantined
    }
}

impl Tally {
    pub(crate) fn new() -> Self {
        let longest = u64::try_from(LONGEST.as_micros()).unwrap_or(u64::MAX);
        // The bounds and the precision are constants that the histogram takes.
        let latency = Histogram::new_with_bounds(1, longest, 3).expect("1 < longest, 3 digits");
        let details = Details {
            stored_by_type: BTreeMap::new(),
            quarantined_by_reason: BTreeMap::new(),
            latency,
        };
        Self {
            accepted: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            quarantined: AtomicU64::new(0),
            details: Mutex::new(details),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let rejected = read(&self.rejected);
        Counts {
            sent: read(&self.accepted) + rejected,
            stored: read(&self.stored),
            duplicates: read(&self.duplicates),
            quarantined: read(&self.quarantined) + rejected,
        }
    }

    pub(crate) fn details(&self) -> Details {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Details> {
        self.details.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn add(counter: &AtomicU64, messages: usize) {
    counter.fetch_add(messages as u64, Ordering::Relaxed);
}

fn count(by_name: &mut BTreeMap<String, u64>, name: &str) {
    match by_name.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            by_name.insert(name.to_owned(), 1);
        }
    }
}

impl Observer for Tally {
    fn sent(&self, messages: &[Message]) {
        add(&self.accepted, messages.len());
    }

    fn rejected(&self, _: &Message, reason: &Reason) {
        add(&self.rejected, 1);
        count(&mut self.lock().quarantined_by_reason, reason.code());
    }

    fn handled(&self, delivery: &Delivery, outcome: &Outcome) {
        let mut details = self.lock();
        match outcome {
            Outcome::Ack => {
                add(&self.stored, 1);
                let event = delivery.event.as_ref().and_then(|event| event.as_ref().ok());
                let event_type = event.and_then(|event| event.partition.value("event_type"));
                count(&mut details.stored_by_type, event_type.as_deref().unwrap_or_default());
            }
            Outcome::Duplicate => add(&self.duplicates, 1),
            Outcome::Quarantine(reason) => {
                add(&self.quarantined, 1);
                count(&mut details.quarantined_by_reason, reason.code());
            }
            // It comes again.
            Outcome::Retry(_) => return,
        }
        let age = SystemTime::now().duration_since(delivery.sent_at).unwrap_or_default();
        let micros = u64::try_from(age.as_micros()).unwrap_or(u64::MAX);
        details.latency.saturating_record(micros);
    }
}

#[cfg(test)]
mod tests {
    use event_core::schema::{Identified, Partition};
    use event_core::{MessageId, Receipt};

    use super::*;

    fn delivery(event_type: &str, age: Duration) -> Delivery {
        let partition = Partition::parse(&format!("event_type={event_type}/dt=2026_11_22"));
        let event = Identified::new("r1", partition.expect("a partition")).expect("an event");
        Delivery {
            message: Message::new("{}"),
            id: MessageId::new("id"),
            receipt: Receipt::new("receipt"),
            receive_count: 1,
            sent_at: SystemTime::now() - age,
            event: Some(Ok(event)),
        }
    }

    #[test]
    fn each_outcome_counts_once_and_a_retry_not_at_all() {
        let tally = Tally::new();
        let bad = Reason::new("bad_msg", "");
        tally.sent(&vec![Message::new("{}"); 8]);
        tally.rejected(&Message::new("{}"), &Reason::new("refused", ""));
        let sale = delivery("sale_event", Duration::from_secs(2));
        let stock = delivery("inventory_event", Duration::from_secs(2));
        for (delivery, outcome) in [
            (&sale, Outcome::Ack),
            (&sale, Outcome::Ack),
            (&stock, Outcome::Ack),
            (&sale, Outcome::Duplicate),
            (&sale, Outcome::Quarantine(bad.clone())),
            (&sale, Outcome::Quarantine(bad)),
            (&sale, Outcome::Retry(Duration::ZERO)),
        ] {
            tally.handled(delivery, &outcome);
        }
        let counts = tally.counts();
        assert_eq!(counts, Counts { sent: 9, stored: 3, duplicates: 1, quarantined: 3 });
        assert_eq!((counts.in_flight(), counts.balance()), (2, false));
        let details = tally.details();
        let by_type = [("inventory_event".to_owned(), 1), ("sale_event".to_owned(), 2)];
        assert_eq!(details.stored_by_type, by_type.into());
        let by_reason = [("bad_msg".to_owned(), 2), ("refused".to_owned(), 1)];
        assert_eq!(details.quarantined_by_reason, by_reason.into());
        // Of all that were settled after the queue.
        assert_eq!(details.latency.len(), 6);
        assert!((1_990_000..4_000_000).contains(&details.latency.min()));
    }

    #[test]
    fn the_books_balance_only_if_each_that_was_sent_is_settled() {
        for (sent, balance, in_flight) in [(6, true, 0), (7, false, 1), (5, false, 0)] {
            let counts = Counts { sent, stored: 3, duplicates: 2, quarantined: 1 };
            assert_eq!((counts.balance(), counts.in_flight()), (balance, in_flight), "{sent}");
        }
    }
}
