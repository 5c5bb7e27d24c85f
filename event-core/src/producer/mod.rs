//! The producer: takes events from a source and sends them to a queue.

mod engine;
mod pace;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::error::{Error, Result};
use crate::observe::Observer;
use crate::queue::Queue;
use crate::retry::Retry;
use crate::shutdown::Shutdown;
use crate::sink::Quarantine;
use crate::source::EventSource;

/// Moves messages from an [`EventSource`] to a [`Queue`].
///
/// - Batches them within the queue's limits of count and bytes.
/// - Sends batches side by side, and tries again what was refused, and only that.
/// - Stops at the end of the source, at a total or at a shutdown, after sending what it has
///   taken.
/// - Quarantines a message that the queue will never take, if it has a [`Quarantine`]; without
///   one it stops there, since nothing may be lost.
///
/// A send whose answer is lost is tried again, so a message may be on the queue twice: consumers
/// find the second as a duplicate by the identity of the event.
pub struct Producer {
    queue: Arc<dyn Queue>,
    source: Box<dyn EventSource>,
    options: ProducerOptions,
    quarantine: Option<Quarantine>,
    observer: Arc<dyn Observer>,
    retry: Retry,
    clock: Clock,
}

/// Tells the time of day.
type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// How a producer works. All take effect when it starts to run.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerOptions {
    /// Stop after taking so many messages from the source. Default: at its end.
    pub total: Option<u64>,
    /// The pause between two messages; zero: as fast as it goes. Default zero.
    pub interval: Duration,
    /// How long a message waits for others to be sent with. Default 50 ms.
    pub linger: Duration,
    /// Most sends under way at once. Default 8.
    pub max_concurrent_sends: usize,
    /// From the request to shut down to the return, at most. Default 25 s, five less than
    /// Kubernetes waits before it kills.
    pub grace: Duration,
}

impl Default for ProducerOptions {
    fn default() -> Self {
        Self {
            total: None,
            interval: Duration::ZERO,
            linger: Duration::from_millis(50),
            max_concurrent_sends: 8,
            grace: Duration::from_secs(25),
        }
    }
}

/// What a producer did, from start to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProducerReport {
    /// Messages that the queue accepted.
    pub sent: u64,
    /// Messages that the queue will never take, now in quarantine.
    pub quarantined: u64,
    /// Whether the source has ended or the total is reached; false if it was told to stop before.
    pub complete: bool,
}

impl Producer {
    /// A producer with default options and no quarantine.
    pub fn new(queue: Arc<dyn Queue>, source: impl EventSource) -> Self {
        Self {
            queue,
            source: Box::new(source),
            options: ProducerOptions::default(),
            quarantine: None,
            observer: Arc::new(()),
            retry: Retry::default(),
            clock: Arc::new(SystemTime::now),
        }
    }

    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: ProducerOptions) -> Self {
        self.options = options;
        self
    }

    /// With a place for messages that the queue will never take. Such a message has no time at which
    /// the queue accepted it: its day in quarantine is that of the attempt to send it.
    #[must_use]
    pub fn quarantine(mut self, quarantine: Quarantine) -> Self {
        self.quarantine = Some(quarantine);
        self
    }

    /// Sets the observer.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = observer;
        self
    }

    /// Sets the retry loop, to share a budget or to fix the seed of the jitter.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// With this time of day, for a test to fix. Default: the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Runs until the source ends, the total is reached or `shutdown` is requested.
    ///
    /// # Errors
    ///
    /// An option that cannot work; an error of the source; a message that the queue will never
    /// take, where there is no quarantine or a segment of it needs repair; an error of the queue that
    /// will not heal by itself (it is gone, access is denied) and lasted for 30 s, or any error once
    /// the grace period is over. Except for the first, what was taken from the source before is sent
    /// if it can be, and the error says how many messages were not.
    pub async fn run(self, shutdown: Shutdown) -> Result<ProducerReport> {
        self.options.check()?;
        engine::Engine::new(self).run(shutdown).await
    }
}

impl ProducerOptions {
    fn check(&self) -> Result<()> {
        let wrong = |message: &str| Err(Error::invalid("producer", message));
        if self.max_concurrent_sends == 0 {
            return wrong("`max_concurrent_sends` is 0: give 1 or more");
        }
        if self.total == Some(0) {
            return wrong("`total` is 0: give 1 or more");
        }
        // Longer ones are taken for a mistake in the unit.
        let day = Duration::from_secs(24 * 60 * 60);
        if self.interval > day {
            return wrong("`interval` is over a day: give less");
        }
        if self.grace > day {
            return wrong("`grace` is over a day: give less");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(change: fn(&mut ProducerOptions)) -> String {
        let mut options = ProducerOptions::default();
        change(&mut options);
        options.check().err().map_or_else(String::new, |fault| fault.to_string())
    }

    /// As the documentation of each has them.
    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let options = ProducerOptions::default();
        assert_eq!((options.total, options.max_concurrent_sends), (None, 8));
        assert_eq!((options.interval, options.linger.as_millis()), (Duration::ZERO, 50));
        assert_eq!(options.grace.as_secs(), 25);
    }

    #[test]
    fn options_that_cannot_work_are_refused_by_name() {
        const DAY: Duration = Duration::from_secs(86_400);
        const NANO: Duration = Duration::from_nanos(1);
        for (change, named) in [
            ((|o| o.max_concurrent_sends = 0) as fn(&mut ProducerOptions), "max_concurrent_sends"),
            (|o| o.total = Some(0), "`total`"),
            (|o| o.interval = DAY + NANO, "`interval`"),
            (|o| o.grace = DAY + NANO, "grace"),
        ] {
            let fault = fault(change);
            assert!(fault.contains(named) && !fault.contains('\n'), "{named}: {fault}");
        }
        for change in [
            (|_| ()) as fn(&mut ProducerOptions),
            |o| o.max_concurrent_sends = 1,
            |o| o.total = Some(1),
            |o| o.interval = DAY,
            |o| o.grace = DAY,
        ] {
            assert_eq!(fault(change), "");
        }
    }
}
