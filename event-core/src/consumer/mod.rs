//! The consumer: takes messages from a queue, has them handled, and settles each of them.

mod capacity;
mod drain;
mod engine;
mod leases;
mod log;
mod options;
mod poison;
mod pollers;
mod requests;

use std::sync::Arc;

use crate::error::Result;
use crate::handler::Handler;
use crate::observe::Observer;
use crate::queue::Queue;
use crate::retry::Retry;
use crate::shutdown::Shutdown;
use crate::sink::Quarantine;

pub use options::ConsumerOptions;

/// Moves messages from a [`Queue`] through a [`Handler`], each to its end: deleted once its
/// effect is durable, quarantined, or given back.
///
/// - Polls with one receive at a time while the queue is idle, with more while polls come back
///   full, and only while there is room for what may come back.
/// - Hands batches to the handler, several at a time.
/// - Extends the visibility of whatever it holds, until it is settled.
/// - Deletes acknowledged messages in full batches, and tries again what was refused.
/// - Waits longer and longer between polls while handlers get nothing done, so that an outage
///   does not use up the deliveries that a message has.
/// - Tries again for 30 s what is denied or not there, as while credentials or a queue are
///   replaced, and ends with the error then.
/// - Quarantines a message on which the handler panics again and again.
/// - On shutdown: stops polling, awaits the receive that is under way for
///   [`ConsumerOptions::receive_grace`], flushes, settles every receipt, and returns inside the
///   grace period, whatever queue, store and handler do.
///
/// The loop runs in one task and owns all state; only requests and handlers are spawned. See
/// [`ConsumerOptions`] for what can be set.
pub struct Consumer {
    queue: Arc<dyn Queue>,
    handler: Arc<dyn Handler>,
    quarantine: Quarantine,
    options: ConsumerOptions,
    observer: Arc<dyn Observer>,
    retry: Retry,
}

/// What a consumer did, from start to return.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsumerReport {
    /// Deliveries received.
    pub received: u64,
    /// Deliveries with the outcome [`Ack`](crate::Outcome::Ack).
    pub acknowledged: u64,
    /// Deliveries with the outcome [`Duplicate`](crate::Outcome::Duplicate).
    pub duplicates: u64,
    /// Deliveries quarantined.
    pub quarantined: u64,
    /// Deliveries given back to the queue.
    pub released: u64,
    /// Deliveries deleted from the queue.
    pub deleted: u64,
    /// Deliveries whose effect is durable and whose deletion the queue kept refusing: they come
    /// again, as duplicates.
    pub delete_failed: u64,
    /// Deliveries still held when the grace period ended: they come again after their
    /// visibility timeout.
    pub abandoned: u64,
}

impl Consumer {
    /// A consumer with default options.
    pub fn new(queue: Arc<dyn Queue>, handler: Arc<dyn Handler>, quarantine: Quarantine) -> Self {
        Self {
            queue,
            handler,
            quarantine,
            options: ConsumerOptions::default(),
            observer: Arc::new(()),
            retry: Retry::default(),
        }
    }

    /// Sets the options.
    #[must_use]
    pub fn options(mut self, options: ConsumerOptions) -> Self {
        self.options = options;
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

    /// Runs until `shutdown` is requested or [`ConsumerOptions::total`] messages are settled.
    ///
    /// # Errors
    ///
    /// An option that cannot work, before anything is received; or the error of a receive that
    /// will not heal by itself (the queue is gone, access is denied) and lasted for 30 s, after a
    /// drain.
    pub async fn run(self, shutdown: Shutdown) -> Result<ConsumerReport> {
        let settings = self.options.resolve(&self.queue.limits())?;
        engine::Engine::new(self, settings).run(shutdown).await
    }
}
