//! When to log a failure that repeats: at once, then seldom, and once more when it is over.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Error;

/// Keeps the log of an outage short: the first failure is logged at once, later ones of the same
/// cause as a number, at most one line in 30 s and, while it lasts, less and less often, down to
/// one in five minutes.
///
/// A cause is what comes of the failure, the operation and the kind of error; the texts of two
/// errors may differ. Clones share what was logged. This type decides and counts; whoever asks it
/// writes the line, so that the line has the level and the fields of its place.
///
/// ```
/// use event_core::retry::Outages;
/// use event_core::{Error, ErrorKind};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let outages = Outages::default();
/// let error = Error::new(ErrorKind::Transient, "put", "the disk is full");
/// assert_eq!(outages.failed("trying again", &error, 1), Some(1));
/// // Counted, and part of the next line.
/// assert_eq!(outages.failed("trying again", &error, 10), None);
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Outages(Arc<Mutex<BTreeMap<Cause, Outage>>>);

/// What comes of it, the operation, and the kind of error by its name.
type Cause = (&'static str, &'static str, &'static str);

/// Between two lines about one cause, at least.
const PAUSE: Duration = Duration::from_secs(30);
/// The pause doubles with each line, up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

impl Outages {
    /// So many entries have failed for this cause, and `what` comes of it. Answers how many to
    /// log now, with those that no line has told so far; none while it is too early for a line.
    pub fn failed(&self, what: &'static str, error: &Error, entries: usize) -> Option<u64> {
        let now = Instant::now();
        let mut outages = self.lock();
        let outage = outages.entry(cause(what, error)).or_insert_with(|| Outage::new(now));
        outage.failed(entries as u64, now)
    }

    /// A request of this operation has succeeded that is not tried again where it fails.
    pub(crate) fn succeeded(&self, what: &'static str, operation: &str) -> Option<Over> {
        let now = Instant::now();
        let mut outages = self.lock();
        let of_operation = outages.iter_mut().filter(|(c, _)| (c.0, c.1) == (what, operation));
        Over::of_all(of_operation.filter_map(|(cause, outage)| outage.succeeded(cause, now)))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cause, Outage>> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cause(what: &'static str, error: &Error) -> Cause {
    (what, error.operation(), error.kind().as_str())
}

#[derive(Debug)]
struct Outage {
    /// Requests that fail just now, and are tried again.
    struggling: usize,
    /// When the first failure was.
    since: Instant,
    failures: u64,
    /// Failures that no line has told, those of earlier outages included.
    unlogged: u64,
    /// Whether it has a line, so that its end has one, too.
    is_logged: bool,
    /// No line before this.
    not_before: Instant,
    pause: Duration,
}

/// An outage that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over {
    operation: &'static str,
    pub(crate) lasted: Duration,
    pub(crate) failures: u64,
}

impl Outage {
    fn new(now: Instant) -> Self {
        Self {
            struggling: 0,
            since: now,
            failures: 0,
            unlogged: 0,
            is_logged: false,
            not_before: now,
            pause: PAUSE,
        }
    }

    fn failed(&mut self, entries: u64, now: Instant) -> Option<u64> {
        if self.failures == 0 {
            self.since = now;
        }
        self.failures += entries;
        self.unlogged += entries;
        if now < self.not_before {
            return None;
        }
        self.pause = if self.is_logged { LONGEST_PAUSE.min(self.pause * 2) } else { PAUSE };
        self.not_before = now + self.pause;
        self.is_logged = true;
        Some(std::mem::take(&mut self.unlogged))
    }

    /// Over, unless other requests still fail. The next line has to wait for its turn all the
    /// same, or what fails and succeeds by turns would have a line for each.
    fn succeeded(&mut self, cause: &Cause, now: Instant) -> Option<Over> {
        if self.struggling > 0 || self.failures == 0 {
            return None;
        }
        let (lasted, failures) = (now - self.since, self.failures);
        self.failures = 0;
        self.not_before = self.not_before.min(now + PAUSE);
        let was_logged = std::mem::take(&mut self.is_logged);
        was_logged.then_some(Over { operation: cause.1, lasted, failures })
    }
}

impl Over {
    /// The longest of them, with the failures of all.
    fn of_all(overs: impl Iterator<Item = Self>) -> Option<Self> {
        overs.reduce(|a, b| Self {
            operation: a.operation,
            lasted: a.lasted.max(b.lasted),
            failures: a.failures + b.failures,
        })
    }

    pub(crate) fn log(self) {
        let Self { operation, lasted, failures } = self;
        tracing::info!(operation, ?lasted, failures, "it works again");
    }
}

/// A request that fails and is tried again: an outage is not over before all of these are.
#[derive(Debug)]
pub(crate) struct Struggle<'a> {
    outages: &'a Outages,
    what: &'static str,
    causes: Vec<Cause>,
}

impl<'a> Struggle<'a> {
    pub(crate) fn new(outages: &'a Outages, what: &'static str) -> Self {
        Self { outages, what, causes: Vec::new() }
    }

    /// As [`Outages::failed`].
    pub(crate) fn failed(&mut self, error: &Error, entries: usize) -> Option<u64> {
        let (now, cause) = (Instant::now(), cause(self.what, error));
        let mut outages = self.outages.lock();
        let outage = outages.entry(cause).or_insert_with(|| Outage::new(now));
        if !self.causes.contains(&cause) {
            if outage.struggling == 0 {
                // Whoever struggled before has given up, and nobody saw when it was over.
                outage.failures = 0;
            }
            outage.struggling += 1;
            self.causes.push(cause);
        }
        outage.failed(entries as u64, now)
    }

    /// Ends with success. If that was the last one, the outage is over.
    pub(crate) fn succeeded(mut self) -> Option<Over> {
        let (now, mut outages) = (Instant::now(), self.outages.lock());
        let causes = std::mem::take(&mut self.causes);
        Over::of_all(causes.iter().filter_map(|cause| {
            let outage = outages.get_mut(cause)?;
            outage.struggling -= 1;
            outage.succeeded(cause, now)
        }))
    }
}

impl Drop for Struggle<'_> {
    fn drop(&mut self) {
        // Not with success: then there is none left.
        if self.causes.is_empty() {
            return;
        }
        let mut outages = self.outages.lock();
        for cause in &self.causes {
            if let Some(outage) = outages.get_mut(cause) {
                outage.struggling -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;
    use crate::error::ErrorKind;

    const WHAT: &str = "trying again";

    fn error(operation: &'static str, kind: ErrorKind) -> Error {
        Error::new(kind, operation, "on purpose")
    }

    fn put() -> Error {
        error("put", ErrorKind::Transient)
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_logged_at_once_and_the_next_ones_as_a_number_less_and_less_often() {
        let (outages, start) = (Outages::default(), Instant::now());
        let mut lines = Vec::new();
        for _ in 0..3600 {
            // Of two holders of the same, one after the other.
            if let Some(failures) = outages.clone().failed(WHAT, &put(), 7) {
                lines.push((start.elapsed().as_secs(), failures));
            }
            advance(Duration::from_secs(1)).await;
        }
        let times: Vec<_> = lines.iter().map(|line| line.0).collect();
        assert_eq!(times[..7], [0, 30, 90, 210, 450, 750, 1050]);
        assert_eq!(lines[..3], [(0, 7), (30, 30 * 7), (90, 60 * 7)]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_cause_has_its_own_lines() {
        let outages = Outages::default();
        for cause in [put(), error("put", ErrorKind::Denied), error("get", ErrorKind::Transient)] {
            assert_eq!(outages.failed(WHAT, &cause, 1), Some(1), "{cause}");
        }
        assert_eq!(outages.failed("given up", &put(), 1), Some(1));
        let other_text = Error::new(ErrorKind::Transient, "put", "another key");
        assert_eq!(outages.failed(WHAT, &other_text, 1), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_outage_is_over_when_the_last_request_that_failed_has_succeeded() {
        let outages = Outages::default();
        let (mut one, mut other) = (Struggle::new(&outages, WHAT), Struggle::new(&outages, WHAT));
        assert_eq!(one.failed(&put(), 1), Some(1));
        assert_eq!(other.failed(&put(), 2), None);
        advance(Duration::from_secs(5)).await;
        assert_eq!(one.failed(&put(), 1), None);
        assert_eq!(one.succeeded(), None);
        advance(Duration::from_secs(1)).await;
        let over = Over { operation: "put", lasted: Duration::from_secs(6), failures: 4 };
        assert_eq!(other.succeeded(), Some(over));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_given_up_keeps_no_outage_open() {
        let outages = Outages::default();
        let (mut one, mut other) = (Struggle::new(&outages, WHAT), Struggle::new(&outages, WHAT));
        assert_eq!((one.failed(&put(), 1), other.failed(&put(), 1)), (Some(1), None));
        drop(one);
        assert!(other.succeeded().is_some());
        let mut given_up = Struggle::new(&outages, WHAT);
        advance(PAUSE).await;
        assert_eq!(given_up.failed(&put(), 5), Some(1 + 5), "the one before had no line");
        drop(given_up);
        // The next one begins anew, long after.
        advance(100 * PAUSE).await;
        let mut later = Struggle::new(&outages, WHAT);
        assert_eq!(later.failed(&put(), 1), Some(1));
        assert_eq!(
            later.succeeded(),
            Some(Over { operation: "put", lasted: Duration::ZERO, failures: 1 })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_and_succeeds_by_turns_has_one_line_of_each_in_half_a_minute() {
        let outages = Outages::default();
        let (mut lines, mut ends) = (0, 0);
        for _ in 0..300 {
            let mut struggle = Struggle::new(&outages, WHAT);
            lines += usize::from(struggle.failed(&put(), 1).is_some());
            ends += usize::from(struggle.succeeded().is_some());
            advance(Duration::from_secs(1)).await;
        }
        assert_eq!((lines, ends), (10, 10));
    }

    #[tokio::test(start_paused = true)]
    async fn a_single_success_ends_what_no_request_struggles_with() {
        let outages = Outages::default();
        assert_eq!(outages.succeeded(WHAT, "put"), None);
        outages.failed(WHAT, &put(), 3);
        advance(Duration::from_secs(1)).await;
        outages.failed(WHAT, &error("put", ErrorKind::Throttled), 4);
        outages.failed(WHAT, &error("get", ErrorKind::Throttled), 9);
        advance(Duration::from_secs(2)).await;
        assert_eq!(outages.succeeded("given up", "put"), None);
        let over = Over { operation: "put", lasted: Duration::from_secs(3), failures: 7 };
        assert_eq!(outages.succeeded(WHAT, "put"), Some(over));
        assert_eq!(outages.succeeded(WHAT, "put"), None, "it is over once");
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_outage_has_its_line_after_half_a_minute_and_numbers_of_its_own() {
        let outages = Outages::default();
        // Its lines are five minutes apart in the end.
        for _ in 0..80 {
            outages.failed(WHAT, &put(), 1);
            advance(Duration::from_secs(10)).await;
        }
        let over = |secs, failures| {
            Some(Over { operation: "put", lasted: Duration::from_secs(secs), failures })
        };
        assert_eq!(outages.succeeded(WHAT, "put"), over(800, 80));
        advance(PAUSE - Duration::from_secs(1)).await;
        assert_eq!(outages.failed(WHAT, &put(), 3), None);
        advance(Duration::from_secs(1)).await;
        assert!(outages.failed(WHAT, &put(), 4).is_some());
        assert_eq!(outages.succeeded(WHAT, "put"), over(1, 7));
    }
}
