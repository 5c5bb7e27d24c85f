//! How a queue behaves.

use std::time::Duration;

use event_core::QueueLimits;

use super::MemQueue;

/// How a [`MemQueue`] behaves; fixed when it is made.
#[derive(Clone, Debug)]
pub struct MemQueueOptions {
    /// How long a new message stays hidden. Default: not at all.
    pub delay: Duration,
    /// What the queue limits. Default: as SQS, with receives that may be abandoned.
    pub limits: QueueLimits,
    /// Most messages in flight. Default: 120,000, as
    /// [SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html).
    pub max_in_flight: usize,
    /// Where messages go that come back too often. Default: nowhere, they come back for ever.
    pub redrive: Option<Redrive>,
}

/// When a message is given up.
#[derive(Clone, Debug)]
pub struct Redrive {
    /// How often a message is received; instead of being received once more it moves.
    pub max_receives: u32,
    /// Where it moves to, at once, with its id and the time it was sent. Receives count anew there.
    pub dead_letter: MemQueue,
}

impl Default for MemQueueOptions {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            limits: QueueLimits { cancel_safe_receive: true, ..QueueLimits::SQS },
            max_in_flight: 120_000,
            redrive: None,
        }
    }
}
