//! The only retry loop: every request that an engine repeats, it repeats here.

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

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn retry() -> Retry {
        Retry::new(RetryBackoff::default(), Rng::with_seed(7), Arc::new(()))
    }

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "test", "on purpose")
    }

    #[tokio::test(start_paused = true)]
    async fn only_refused_entries_are_sent_again_and_outcomes_keep_their_order() {
        let log = RefCell::new(Vec::new());
        let outcomes = retry()
            .each(vec![0, 1, 2, 3], Error::is_retryable, &Shutdown::never(), |batch| {
                let round = log.borrow().len();
                log.borrow_mut().push(batch.clone());
                let answer = |&entry: &i32| match (entry, round) {
                    (1, 0) | (3, 0 | 1) => Err(error(ErrorKind::Throttled)),
                    (2, _) => Err(error(ErrorKind::TooLarge)),
                    _ => Ok(entry * 10),
                };
                let outcomes = batch.iter().map(answer).collect();
                async { (batch, outcomes) }
            })
            .await;
        assert_eq!(*log.borrow(), [vec![0, 1, 2, 3], vec![1, 3], vec![3]]);
        let values: Vec<_> = outcomes.iter().map(|o| o.as_ref().ok().copied()).collect();
        assert_eq!(values, [Some(0), Some(10), None, Some(30)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_missing_outcome_makes_the_batch_ambiguous() {
        let mut first = true;
        let outcomes = retry()
            .each(vec![0, 1], Error::is_retryable, &Shutdown::never(), |batch| {
                let answers = if std::mem::take(&mut first) { 1 } else { 2 };
                async move { (batch, vec![Ok(()); answers]) }
            })
            .await;
        assert!(!first && outcomes.len() == 2 && outcomes.iter().all(Result::is_ok));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_wait_at_once() {
        let (trigger, stop) = Shutdown::new();
        let start = Instant::now();
        let retry = retry();
        let call = retry.one(Error::is_retryable, &stop, || async {
            trigger.shutdown();
            Err::<(), _>(error(ErrorKind::Transient))
        });
        assert!(call.await.is_err());
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_that_cannot_heal_is_not_tried_again() {
        let mut calls = 0;
        let outcome = retry()
            .one(Error::is_retryable, &Shutdown::never(), || {
                calls += 1;
                async { Err::<(), _>(error(ErrorKind::Denied)) }
            })
            .await;
        assert!(outcome.is_err());
        assert_eq!(calls, 1);
    }
}
