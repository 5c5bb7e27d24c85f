//! How a consumer ends: what it is told then, and the time that is left.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;
use crate::shutdown::{Shutdown, ShutdownTrigger};

/// The drain of a consumer, whether it has begun or not.
pub(super) struct Drain {
    grace: Duration,
    begun: Option<Begun>,
    /// Requested when the drain begins: no more receives, no more waiting for a better time.
    trigger: ShutdownTrigger,
    stop: Shutdown,
}

struct Begun {
    /// When handlers are cut off.
    cut_off: Instant,
    /// When the consumer returns whatever is left.
    end: Instant,
    /// Why, if it was not asked for.
    error: Option<Error>,
}

impl Drain {
    pub(super) fn new(grace: Duration) -> Self {
        let (trigger, stop) = Shutdown::new();
        Self { grace, begun: None, trigger, stop }
    }

    /// Begins, because of this error or because it is time. A drain that has begun goes on as it is.
    pub(super) fn begin(&mut self, error: Option<Error>, now: Instant) {
        if self.has_begun() {
            return;
        }
        // A fifth is kept for settling receipts.
        let cut_off = now + self.grace * 4 / 5;
        self.begun = Some(Begun { cut_off, end: now + self.grace, error });
        self.trigger.shutdown();
    }

    pub(super) fn has_begun(&self) -> bool {
        self.begun.is_some()
    }

    /// What requests and handlers are told by.
    pub(super) fn stop(&self) -> Shutdown {
        self.stop.clone()
    }

    /// Whether handlers have had their time.
    pub(super) fn cuts_off(&self, now: Instant) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.cut_off <= now)
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.begun.as_ref().is_some_and(|begun| begun.end <= now)
    }

    /// When the next of the two is.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        let next = |begun: &Begun| if begun.cut_off > now { begun.cut_off } else { begun.end };
        self.begun.as_ref().map(next)
    }

    pub(super) fn into_error(self) -> Option<Error> {
        self.begun.and_then(|begun| begun.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn a_drain_that_has_begun_keeps_its_reason_and_its_times() {
        let (start, error) = (Instant::now(), |text| Error::invalid("test", text));
        let after = |secs| start + Duration::from_secs(secs);
        for (first, later) in
            [(Some("first"), Some("later")), (Some("first"), None), (None, Some("later"))]
        {
            let mut drain = Drain::new(Duration::from_secs(25));
            assert!(!drain.has_begun() && !drain.stop().is_requested());
            assert_eq!(drain.wake_at(start), None);
            drain.begin(first.map(error), start);
            drain.begin(later.map(error), after(3));
            assert!(drain.has_begun() && drain.stop().is_requested());
            // A fifth of the grace is left when handlers are cut off.
            assert_eq!([19, 20, 24].map(|secs| drain.cuts_off(after(secs))), [false, true, true]);
            assert_eq!([20, 24, 25].map(|secs| drain.is_over(after(secs))), [false, false, true]);
            assert_eq!(
                (drain.wake_at(after(19)), drain.wake_at(after(20))),
                (Some(after(20)), Some(after(25)))
            );
            let reason = drain.into_error().map(|error| (error.kind(), error.message().to_owned()));
            assert_eq!(reason, first.map(|text| (ErrorKind::Invalid, text.to_owned())));
        }
    }
}
