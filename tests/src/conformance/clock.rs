//! The clock that a backend goes by, and how far off its times may be.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// The clock that a backend goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// Tokio's, which the suite pauses: waiting costs nothing, and times must be exact.
    Paused,
    /// Its own, as every service that runs elsewhere.
    Wall {
        /// How much too early a time may end, by the coarseness of the clock. SQS counts whole
        /// seconds.
        early: Duration,
    },
}

impl Clock {
    /// A clock of its own that is never early.
    pub const WALL: Self = Self::Wall { early: Duration::ZERO };

    /// How much too late an answer may come.
    pub(super) fn late(self) -> Duration {
        match self {
            Self::Paused => Duration::from_millis(500),
            Self::Wall { .. } => Duration::from_secs(5),
        }
    }

    pub(super) fn early(self) -> Duration {
        match self {
            Self::Paused => Duration::ZERO,
            Self::Wall { early } => early,
        }
    }

    /// Fails if `what` happened before it was due.
    #[track_caller]
    pub(super) fn not_before(self, due: Instant, happened: Instant, what: impl Display) {
        let early = due.saturating_duration_since(happened);
        assert!(early <= self.early(), "{what} {early:?} too early");
    }

    /// Fails if `what` happened much later than it was due.
    #[track_caller]
    pub(super) fn soon_after(self, due: Instant, happened: Instant, what: impl Display) {
        let late = happened.saturating_duration_since(due);
        assert!(late <= self.late(), "{what} {late:?} too late");
    }
}

/// Looks again and again until the answer is `Ok`, for at most this long; then fails with what
/// was seen last.
pub(super) async fn eventually<T, F>(within: Duration, mut look: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, String>>,
{
    let deadline = Instant::now() + within;
    loop {
        match look().await {
            Ok(answer) => return answer,
            Err(seen) => assert!(Instant::now() < deadline, "after {within:?} still {seen}"),
        }
        sleep(Duration::from_millis(100)).await;
    }
}
