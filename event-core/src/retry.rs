//! The only retry loop: every request that an engine repeats, it repeats here.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::backoff::{RetryBackoff, RetryBudget};
use crate::error::{Error, ErrorKind, Result};
use crate::observe::Observer;
use crate::shutdown::Shutdown;

/// Repeats requests with backoff, within a budget shared by all who hold a clone.
#[derive(Clone)]
pub struct Retry {
    backoff: RetryBackoff,
    shared: Arc<Mutex<Shared>>,
    observer: Arc<dyn Observer>,
}

struct Shared {
    budget: RetryBudget,
    rng: Rng,
}

/// Which errors are worth another try.
pub type Retryable = fn(&Error) -> bool;

impl Retry {
    /// A retry loop with a full budget; `rng` makes the jitter.
    pub fn new(backoff: RetryBackoff, rng: Rng, observer: Arc<dyn Observer>) -> Self {
        let budget = RetryBudget::new(Instant::now());
        Self { backoff, shared: Arc::new(Mutex::new(Shared { budget, rng })), observer }
    }

    /// The same budget and jitter, told to this observer.
    #[must_use]
    pub fn observed_by(&self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self.clone() }
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
        for retry in 0.. {
            let again = |&place: &usize| outcomes[place].as_ref().is_err_and(retryable);
            let succeeded = places.iter().filter(|&&place| outcomes[place].is_ok()).count();
            let Some(worst) = places.iter().copied().find(again) else {
                self.deposit(succeeded);
                break;
            };
            let keep: Vec<bool> = places.iter().map(again).collect();
            retain(&mut entries, &keep);
            retain(&mut places, &keep);
            if let Err(error) = &outcomes[worst] {
                self.observer.retried(error, places.len());
                tracing::debug!(%error, entries = places.len(), retry, "trying again");
            }
            tokio::select! {
                biased;
                () = stop.requested() => break,
                () = sleep(self.wait(retry, succeeded)) => {}
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
