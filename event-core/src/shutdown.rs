//! Shutdown as an argument: whoever waits for something waits for this as well.

use std::sync::Arc;

use tokio::sync::watch;

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
pub struct Shutdown(watch::Receiver<bool>);

/// Requests the shutdown of everyone who holds the [`Shutdown`] it was made with.
#[derive(Clone, Debug)]
pub struct ShutdownTrigger(Arc<watch::Sender<bool>>);

impl Shutdown {
    /// A trigger and what it triggers.
    pub fn new() -> (ShutdownTrigger, Self) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownTrigger(Arc::new(sender)), Self(receiver))
    }

    /// A shutdown that nobody can request.
    pub fn never() -> Self {
        Self::new().1
    }

    /// Whether it was requested.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is requested; for ever, if the trigger is gone without having been used.
    pub async fn requested(&self) {
        if self.0.clone().wait_for(|requested| *requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl ShutdownTrigger {
    /// Requests the shutdown; again is the same as once.
    pub fn shutdown(&self) {
        self.0.send_replace(true);
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
}
