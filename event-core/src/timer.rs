//! The one wait of an engine's loop.

use tokio::time::{Instant, sleep_until};

/// Waits until then; for ever where there is nothing to wait for.
pub(crate) async fn wait_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => std::future::pending().await,
    }
}
