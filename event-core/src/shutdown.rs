//! Shutdown as an argument: whoever waits for something waits for this as well.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// Says when to stop. Cloned to everyone who must know; triggered by the one who holds the
/// [`ShutdownTrigger`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let (trigger, shutdown) = event_core::Shutdown::new();
/// tokio::spawn(async move { trigger.shutdown() });
/// shutdown.requested().await;
/// assert!(shutdown.is_requested());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Shutdown(Arc<Signal>);

/// Requests the shutdown of everyone who holds the [`Shutdown`] it was made with.
#[derive(Clone, Debug)]
pub struct ShutdownTrigger(Arc<Signal>);

/// Not a `watch` channel: that wakes those who wait in a random order, and a simulation must run
/// the same way each time.
#[derive(Debug, Default)]
struct Signal {
    requested: AtomicBool,
    waiting: Notify,
}

impl Shutdown {
    /// A trigger and what it triggers.
    pub fn new() -> (ShutdownTrigger, Self) {
        let signal = Arc::<Signal>::default();
        (ShutdownTrigger(Arc::clone(&signal)), Self(signal))
    }

    /// A shutdown that nobody can request.
    pub fn never() -> Self {
        Self::new().1
    }

    /// Whether it was requested.
    pub fn is_requested(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// Waits until it is requested; for ever, if the trigger is gone without having been used.
    pub async fn requested(&self) {
        let mut woken = pin!(self.0.waiting.notified());
        // From here on no wake-up is missed, so that it is safe to look.
        woken.as_mut().enable();
        if !self.is_requested() {
            woken.await;
        }
    }
}

impl ShutdownTrigger {
    /// Requests the shutdown; again is the same as once.
    pub fn shutdown(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        self.0.waiting.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn a_dropped_trigger_requests_nothing() {
        let shutdown = Shutdown::never();
        let waited = timeout(Duration::from_secs(3600), shutdown.requested()).await;
        assert!(waited.is_err() && !shutdown.is_requested());
    }
    #[tokio::test(start_paused = true)]
    async fn a_request_reaches_all_who_wait_and_all_who_ask_later() {
        let (trigger, shutdown) = Shutdown::new();
        let waiting = [shutdown.clone(), shutdown.clone(), shutdown.clone()]
            .map(|shutdown| tokio::spawn(async move { shutdown.requested().await }));
        tokio::task::yield_now().await;
        assert!(!shutdown.is_requested() && waiting.iter().all(|waiting| !waiting.is_finished()));
        // Once is enough for all of them.
        trigger.clone().shutdown();
        for waiting in waiting {
            timeout(Duration::from_secs(1), waiting).await.unwrap().unwrap();
        }
        trigger.shutdown();
        shutdown.requested().await;
        assert!(shutdown.is_requested());
    }
}
