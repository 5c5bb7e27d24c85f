//! The only retry loop: every request that an engine repeats, it repeats here.

mod backoff;
mod outage;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::error::{Error, ErrorKind, Result};
use crate::observe::Observer;
use crate::shutdown::Shutdown;
use outage::Struggle;

pub use backoff::{IdleBackoff, RetryBackoff, RetryBudget};
pub use outage::Outages;

/// Repeats requests with backoff, within a budget shared by all who hold a clone.
///
/// The first failure is logged as a warning, later ones of the same cause seldom, as [`Outages`]
/// has it; that requests succeed again, at the level info.
#[derive(Clone)]
pub struct Retry {
    backoff: RetryBackoff,
    shared: Arc<Mutex<Shared>>,
    observer: Arc<dyn Observer>,
    outages: Outages,
    access: Option<AccessTimeout>,
}

/// For how long errors are tried again that are not worth a try for ever.
#[derive(Clone, Copy)]
struct AccessTimeout {
    errors: Retryable,
    lasts: Duration,
}

struct Shared {
    budget: RetryBudget,
    rng: Rng,
}

/// Which errors are worth another try.
pub(crate) type Retryable = fn(&Error) -> bool;

impl Retry {
    /// A retry loop with a full budget; `rng` makes the jitter.
    pub fn new(backoff: RetryBackoff, rng: Rng, observer: Arc<dyn Observer>) -> Self {
        let budget = RetryBudget::new(Instant::now());
        let shared = Arc::new(Mutex::new(Shared { budget, rng }));
        Self { backoff, shared, observer, outages: Outages::default(), access: None }
    }

    /// The same budget and jitter, told to this observer.
    #[must_use]
    pub fn observed_by(&self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self.clone() }
    }

    /// The same, but what is logged of failures is shared with others: of what fails for all of
    /// them there is one line.
    #[must_use]
    pub fn outages(&self, outages: Outages) -> Self {
        Self { outages, ..self.clone() }
    }

    /// The same, but errors like these are tried again, too, for so long after the first of them
    /// that had none of another kind between.
    pub(crate) fn with_access_timeout(&self, errors: Retryable, lasts: Duration) -> Self {
        Self { access: Some(AccessTimeout { errors, lasts }), ..self.clone() }
    }

    /// What was logged of failures.
    pub(crate) fn logged(&self) -> &Outages {
        &self.outages
    }

    /// Sends a batch until each entry has succeeded or failed for good: entries that fail with an
    /// error that is `retryable` are sent again, and only those, until `stop` is requested.
    ///
    /// `request` gets the entries and gives them back with one outcome for each, in order. One
    /// answer too few or too many makes all of them ambiguous, since nobody can tell which is
    /// whose. A request under way is never cut off; only the wait between two is.
    pub async fn each<E, T, F, Fut>(
        &self,
        entries: Vec<E>,
        retryable: Retryable,
        stop: &Shutdown,
        mut request: F,
    ) -> Vec<Result<T>>
    where
        F: FnMut(Vec<E>) -> Fut,
        Fut: Future<Output = (Vec<E>, Vec<Result<T>>)>,
    {
        let (mut entries, mut outcomes) = checked(request(entries).await);
        if outcomes.iter().all(Result::is_ok) {
            self.deposit(outcomes.len());
            return outcomes;
        }
        // Where in `outcomes` each of `entries` belongs.
        let mut places: Vec<usize> = (0..entries.len()).collect();
        let mut struggle = Struggle::new(&self.outages, TRYING_AGAIN);
        let mut access_deadline = None;
        for retry in 0.. {
            access_deadline = self.access_deadline(&outcomes, access_deadline);
            let may_wait = access_deadline.is_some_and(|end| end > Instant::now());
            let is_worth_it =
                |error: &Error| retryable(error) || may_wait && self.is_about_access(error);
            let again = |&place: &usize| outcomes[place].as_ref().is_err_and(is_worth_it);
            let succeeded = places.iter().filter(|&&place| outcomes[place].is_ok()).count();
            let Some(worst) = places.iter().copied().find(again) else {
                self.deposit(succeeded);
                if let Some(over) = (succeeded > 0).then(|| struggle.succeeded()).flatten() {
                    over.log();
                }
                break;
            };
            let keep: Vec<bool> = places.iter().map(again).collect();
            retain(&mut entries, &keep);
            retain(&mut places, &keep);
            if let Err(error) = &outcomes[worst] {
                self.observer.retried(error, places.len());
                log_failure(&mut struggle, error, places.len(), retry);
            }
            let wait = self.wait(retry, succeeded);
            // A last try at the access timeout, however long the wait would be.
            let left = access_deadline.map(|end| end.saturating_duration_since(Instant::now()));
            let wait = left.filter(|_| may_wait).map_or(wait, |left| left.min(wait));
            tokio::select! {
                biased;
                () = stop.requested() => break,
                () = sleep(wait) => {}
            }
            let (returned, answers) = checked(request(entries).await);
            entries = returned;
            for (&place, answer) in places.iter().zip(answers) {
                outcomes[place] = answer;
            }
        }
        outcomes
    }

    /// [`each`](Self::each) for a request with one outcome.
    pub async fn one<T, F, Fut>(
        &self,
        retryable: Retryable,
        stop: &Shutdown,
        mut request: F,
    ) -> Result<T>
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = Result<T>>,
    {
        let request = |unit| {
            let request = request();
            async move { (unit, vec![request.await]) }
        };
        let mut outcomes = self.each(vec![()], retryable, stop, request).await;
        // `each` answers as many outcomes as there were entries: one.
        outcomes.pop().expect("one entry has one outcome")
    }

    /// Until when errors are tried again that are worth only so long, if there is one now.
    fn access_deadline<T>(&self, now: &[Result<T>], before: Option<Instant>) -> Option<Instant> {
        let access = self.access.as_ref()?;
        let any = now.iter().any(|outcome| outcome.as_ref().is_err_and(access.errors));
        any.then(|| before.unwrap_or_else(|| Instant::now() + access.lasts))
    }

    fn is_about_access(&self, error: &Error) -> bool {
        self.access.is_some_and(|access| (access.errors)(error))
    }

    /// A wait like that before retry number `retry`, for engines that must slow down although no
    /// request of theirs failed.
    pub(crate) fn pace(&self, retry: u32) -> Duration {
        self.backoff.wait(retry, &mut self.lock().rng)
    }

    fn wait(&self, retry: u32, succeeded: usize) -> Duration {
        let mut shared = self.lock();
        shared.budget.deposit(succeeded);
        let turn = shared.budget.withdraw(Instant::now());
        self.backoff.wait(retry, &mut shared.rng).max(turn)
    }

    fn deposit(&self, succeeded: usize) {
        if succeeded > 0 {
            self.lock().budget.deposit(succeeded);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Shared> {
        // Nothing panics while it is held, and a budget is never half-written.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Retry {
    /// The default backoff, jitter from a random seed, and nobody who counts.
    fn default() -> Self {
        Self::new(RetryBackoff::default(), Rng::new(), Arc::new(()))
    }
}

/// How long requests are tried again that are denied, or whose queue is not there: longer than
/// credentials or a service take to be replaced, shorter than a person waits for the reason.
pub(crate) const ACCESS_TIMEOUT: Duration = Duration::from_secs(30);

const TRYING_AGAIN: &str = "trying again";

fn log_failure(struggle: &mut Struggle<'_>, error: &Error, entries: usize, retry: u32) {
    let reason = error.kind().as_str();
    match struggle.failed(error, entries) {
        Some(entries) => tracing::warn!(%error, reason, entries, retry, "{TRYING_AGAIN}"),
        None => tracing::debug!(%error, reason, entries, retry, "{TRYING_AGAIN}"),
    }
}

fn checked<E, T>((entries, outcomes): (Vec<E>, Vec<Result<T>>)) -> (Vec<E>, Vec<Result<T>>) {
    let (sent, got) = (entries.len(), outcomes.len());
    if sent == got {
        return (entries, outcomes);
    }
    let message = format!("the backend gave {got} outcomes for {sent} entries");
    let error = Error::new(ErrorKind::Ambiguous, "batch", message);
    let outcomes = entries.iter().map(|_| Err(error.clone())).collect();
    (entries, outcomes)
}

fn retain<T>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| keep.next().copied().unwrap_or(false));
}
