//! The time of day on tokio's clock.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// The time of day as tokio's clock moves it on, so that a test which pauses that clock sees
/// times that agree with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    at: SystemTime,
}

impl Clock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now(), at: SystemTime::now() }
    }

    pub(crate) fn time_at(&self, now: Instant) -> SystemTime {
        self.at + now.saturating_duration_since(self.started)
    }
}

/// The time so much later; a century where no clock reaches that far, as with `Duration::MAX`.
pub(crate) fn later(now: Instant, by: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
    now + by.min(CENTURY)
}
