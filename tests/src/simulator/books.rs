//! What a consumer says of itself, held against what it was seen to do.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_core::retry::IdleBackoff;
use event_core::{ConsumerOptions, ConsumerReport, Delivery, Error, Observer, Outcome, Receipt};
use tokio::time::Instant;

use super::invariant::Invariant;
use super::pod::Pod;

/// The books of one consumer, kept from what its observer hears and from its requests.
pub(super) struct Books {
    pod: Arc<Pod>,
    options: ConsumerOptions,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Received and not handled: the bytes of each.
    open: BTreeMap<Receipt, usize>,
    bytes: usize,
    /// The largest message ever received.
    largest: usize,
    /// Handled for good, and when.
    done: BTreeMap<Receipt, Instant>,
    report: ConsumerReport,
    /// Deletes that the queue confirmed.
    confirmed: u64,
    /// When the next poll is expected.
    poll: Option<Expected>,
    empty_polls: u32,
}

/// When a poll may start, and when it must have.
#[derive(Clone, Copy)]
struct Expected {
    from: Instant,
    until: Option<Instant>,
    jumped: Duration,
}

impl Books {
    pub(super) fn new(pod: &Arc<Pod>, options: ConsumerOptions) -> Arc<Self> {
        Arc::new(Self { pod: Arc::clone(pod), options, state: Mutex::default() })
    }

    fn check(&self, holds: bool, invariant: Invariant, what: impl FnOnce() -> String) {
        if !holds {
            self.pod.world.violate(invariant, format!("{} {}", self.pod.name, what()));
        }
    }

    /// A poll starts.
    pub(super) fn polls(&self) {
        self.check(!self.pod.should_be_stopping(), Invariant::Stops, || {
            "polls although it was told to stop".to_owned()
        });
        let Some(expected) = self.state.lock().unwrap().poll.take() else {
            return;
        };
        let (now, jumped) = (Instant::now(), self.pod.world.jumped());
        let early = expected.from.saturating_duration_since(now);
        self.check(early.is_zero(), Invariant::Idle, || format!("polls {early:?} too early"));
        let until = expected.until.filter(|_| expected.jumped == jumped);
        let late = until.map_or(Duration::ZERO, |until| now.saturating_duration_since(until));
        self.check(late.is_zero(), Invariant::Idle, || format!("polls {late:?} too late"));
    }

    /// A poll brought so many messages; or failed, when it is up to the retries what comes next.
    pub(super) fn polled(&self, got: Option<usize>) {
        let mut state = self.state.lock().unwrap();
        let one_at_a_time =
            self.options.max_concurrent_receives == 1 || !self.options.pause.is_zero();
        let (Some(first), Some(got), true) = (self.options.idle_backoff, got, one_at_a_time) else {
            state.poll = None;
            return;
        };
        state.empty_polls = if got == 0 { state.empty_polls + 1 } else { 0 };
        let wait = self.options.pause + schedule(first, state.empty_polls);
        // Only with empty hands does a poll wait for nothing but its schedule.
        let is_idle = got == 0 && state.open.is_empty() && state.done.is_empty();
        let from = Instant::now() + wait;
        state.poll = Some(Expected {
            from,
            until: is_idle.then_some(from + Duration::from_millis(10)),
            jumped: self.pod.world.jumped(),
        });
    }

    /// These are about to be deleted.
    pub(super) fn deletes(&self, receipts: &[Receipt]) {
        let state = self.state.lock().unwrap();
        let unhandled = receipts.iter().any(|receipt| !state.done.contains_key(receipt));
        drop(state);
        self.check(!unhandled, Invariant::Leases, || {
            "deletes by a receipt whose delivery it has not handled".to_owned()
        });
    }

    /// The visibility of these is about to be changed.
    pub(super) fn changes(&self, changes: &[(Receipt, Duration)]) {
        let state = self.state.lock().unwrap();
        // One that was decided on at the very moment is on its way.
        let is_done = |receipt| state.done.get(receipt).is_some_and(|&at| at < Instant::now());
        let settled = changes.iter().any(|(receipt, _)| is_done(receipt));
        drop(state);
        self.check(!settled, Invariant::Leases, || {
            "changes the visibility of what it has handled for good".to_owned()
        });
    }

    /// The queue confirmed so many deletes.
    pub(super) fn confirmed(&self, deletes: usize) {
        self.state.lock().unwrap().confirmed += deletes as u64;
    }

    /// It came to its end.
    pub(super) fn close(&self, report: &ConsumerReport, took_its_whole_grace: bool) {
        let state = self.state.lock().unwrap();
        let (kept, unsettled) = (state.report, state.unsettled());
        drop(state);
        let kept = ConsumerReport { abandoned: report.abandoned, ..kept };
        self.check(*report == kept, Invariant::Books, || {
            format!("reports {report:?}, and was seen to do {kept:?}")
        });
        let settled = report.deleted + report.delete_failed + report.released + report.abandoned;
        self.check(report.received == settled, Invariant::Books, || {
            format!("reports {report:?}, which does not add up")
        });
        self.check(
            unsettled.is_some_and(|done| done <= report.abandoned),
            Invariant::Books,
            || format!("abandoned {} messages and {unsettled:?} that are done", report.abandoned),
        );
        self.check(report.abandoned == 0 || took_its_whole_grace, Invariant::Stops, || {
            format!("left {} messages behind with time in hand", report.abandoned)
        });
    }
}

/// The wait after so many polls in a row that found nothing, as the settings page has it: doubled
/// up to 512 s, then from 2 s again.
fn schedule(first: Duration, empty_polls: u32) -> Duration {
    let mut wait = Duration::ZERO;
    for _ in 0..empty_polls {
        wait = match wait {
            Duration::ZERO => first,
            wait if wait * 2 > IdleBackoff::MAX => IdleBackoff::RESTART,
            wait => wait * 2,
        };
    }
    wait
}

impl State {
    /// Received, and neither deleted, given up nor given back.
    fn held(&self) -> u64 {
        let report = &self.report;
        report.received - report.deleted - report.delete_failed - report.released
    }

    /// Done for good, and not yet settled with the queue; none if more was settled than done.
    fn unsettled(&self) -> Option<u64> {
        let report = &self.report;
        let done = report.acknowledged + report.duplicates + report.quarantined;
        done.checked_sub(report.deleted + report.delete_failed)
    }
}

impl Observer for Books {
    fn received(&self, deliveries: &[Delivery]) {
        let mut state = self.state.lock().unwrap();
        for delivery in deliveries {
            let size = delivery.message.size();
            state.open.insert(delivery.receipt.clone(), size);
            state.bytes += size;
            state.largest = size.max(state.largest);
        }
        state.report.received += deliveries.len() as u64;
        let (held, bytes, largest) = (state.held(), state.bytes, state.largest);
        drop(state);
        // Until it has seen how large they are, a consumer cannot know what a receive brings.
        let unknown = self.options.max_concurrent_receives * self.options.receive_max * largest;
        let (messages, most) = (self.options.max_messages, self.options.max_bytes + unknown);
        self.check(held <= messages as u64, Invariant::Bounds, || {
            format!("holds {held} messages, at most {messages} are allowed")
        });
        self.check(bytes <= most, Invariant::Bounds, || {
            format!("holds {bytes} bytes, at most {most} are allowed")
        });
    }

    fn held(&self, messages: usize, bytes: usize) {
        let state = self.state.lock().unwrap();
        let (held, open, unsettled) = (state.held(), state.bytes, state.unsettled());
        drop(state);
        self.check(unsettled.is_some_and(|unsettled| unsettled <= held), Invariant::Books, || {
            format!("holds {held} messages, of which {unsettled:?} are done")
        });
        self.check(messages as u64 == held, Invariant::Books, || {
            format!("says that it holds {messages} messages, and has {held} not settled")
        });
        // In a drain, bodies are dropped before their messages are given back.
        let drains = self.pod.was_told_to_stop() || self.pod.world.plan.ends_pods();
        let agrees = bytes == open || (drains && bytes < open);
        self.check(agrees, Invariant::Books, || {
            format!("says that it holds {bytes} bytes, and has {open} not handled")
        });
    }

    fn flushed(&self, _: event_core::batch::FlushReason, messages: usize, bytes: usize) {
        let batch = &self.options.batch;
        let fits = messages <= batch.count && (bytes <= batch.bytes || messages == 1);
        self.check(fits, Invariant::Bounds, || {
            format!("hands {messages} messages of {bytes} bytes over at once, with {batch:?}")
        });
    }

    fn handled(&self, delivery: &Delivery, outcome: &Outcome) {
        let mut state = self.state.lock().unwrap();
        let Some(size) = state.open.remove(&delivery.receipt) else {
            drop(state);
            return self.check(false, Invariant::Books, || "handled a delivery twice".to_owned());
        };
        state.bytes -= size;
        match outcome {
            Outcome::Ack => state.report.acknowledged += 1,
            Outcome::Duplicate => state.report.duplicates += 1,
            Outcome::Quarantine(_) => state.report.quarantined += 1,
            Outcome::Retry(_) => {
                // Without progress, polls slow down beside their schedule.
                if let Some(poll) = &mut state.poll {
                    poll.until = None;
                }
                return;
            }
        }
        state.done.insert(delivery.receipt.clone(), Instant::now());
    }

    fn deleted(&self, messages: usize) {
        let mut state = self.state.lock().unwrap();
        state.report.deleted += messages as u64;
        let (told, confirmed) = (state.report.deleted, state.confirmed);
        drop(state);
        self.check(told <= confirmed, Invariant::Books, || {
            format!("says that {told} messages are deleted, and the queue confirmed {confirmed}")
        });
    }

    fn delete_failed(&self, messages: usize) {
        self.state.lock().unwrap().report.delete_failed += messages as u64;
    }

    fn released(&self, messages: usize) {
        self.state.lock().unwrap().report.released += messages as u64;
    }

    fn retried(&self, error: &Error, entries: usize) {
        let name = &self.pod.name;
        self.pod.world.log(format_args!("{name} will try {entries} again: {error}"));
    }
}
