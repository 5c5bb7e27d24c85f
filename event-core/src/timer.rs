//! The one wait of an engine's loop.

use tokio::time::{Instant, sleep_until};

/// Waits until then; for ever where there is nothing to wait for.
pub(crate) async fn wait_until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_waits_until_then_and_for_nothing_for_ever() {
        let (start, wait) = (Instant::now(), Duration::from_secs(3600));
        wait_until(Some(start + wait)).await;
        assert_eq!(start.elapsed(), wait);
        assert!(timeout(wait, wait_until(None)).await.is_err());
    }
}
