//! What can be set on a consumer, and what a queue makes of it.

use std::time::Duration;

use crate::batch::BatchLimits;
use crate::error::{Error, Result};
use crate::queue::QueueLimits;
use crate::retry::IdleBackoff;

/// How a consumer works. All take effect when it starts to run.
///
/// ```
/// use event_core::ConsumerOptions;
/// use std::time::Duration;
///
/// // The polling of the original consumer: short polls, backing off from two seconds.
/// let as_the_demo = ConsumerOptions {
///     receive_max: 5,
///     wait: Duration::ZERO,
///     idle_backoff: Some(Duration::from_secs(2)),
///     pause: Duration::from_secs(10),
///     ..ConsumerOptions::default()
/// };
/// # let _ = as_the_demo;
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerOptions {
    /// Messages asked for in each receive. Default 10.
    pub receive_max: usize,
    /// How long a receive waits at the queue for a first message. Default 20 s.
    pub wait: Duration,
    /// How long what is received stays hidden, between two extensions. Default: as the queue has
    /// it.
    pub visibility: Option<Duration>,
    /// Most receives under way at once, and most requests to delete. One while the queue is idle,
    /// and one more for each receive that comes back full. Default 64.
    pub max_concurrent_receives: usize,
    /// The first wait after a poll that found nothing, see [`IdleBackoff`](crate::retry::IdleBackoff).
    /// Default: none, which needs a `wait`.
    pub idle_backoff: Option<Duration>,
    /// The pause between the answer of one poll and the next; with one, there is a single
    /// poller. Default zero.
    pub pause: Duration,
    /// Most messages held, from before their receive to after their deletion. Default 1,000.
    pub max_messages: usize,
    /// Most bytes held. A receive is started when there is room for messages twice as large as the
    /// largest of late; only when the sizes suddenly grow more than that, what receives under way
    /// bring may go beyond. Default 64 MiB.
    pub max_bytes: usize,
    /// The batches for the handler, of each [group](crate::Handler::look). Default: up to 10
    /// messages, no linger. What waits in batches that are not full may take half of
    /// `max_messages` and `max_bytes`; before it takes more, the largest is handled as it is.
    pub batch: BatchLimits,
    /// Most batches at the handler at once. Default 64.
    pub max_concurrent_batches: usize,
    /// How long an acknowledged message waits for others to be deleted with. Default 100 ms.
    pub delete_linger: Duration,
    /// A message is quarantined, with the reason [`PANICKED`](crate::Reason::PANICKED), once the
    /// handler has panicked on it alone at so many receives in a row, each consumer counting its
    /// own. Nothing else is quarantined by a number: a message that is given back, as during an
    /// outage of the store, comes again however often. Where the queue's redrive policy allows
    /// fewer receives, the dead-letter queue takes the message first. At least 1. Default 10.
    pub max_panics: u32,
    /// Return after so many messages were settled for good. Default: run until shutdown.
    pub total: Option<u64>,
    /// From the request to shut down to the return, at most. Default 25 s, five less than
    /// Kubernetes waits before it kills.
    pub grace: Duration,
    /// How long a receive that is under way at the request to shut down is still awaited, where
    /// the queue does not say that it [can be dropped](QueueLimits::cancel_safe_receive) at once;
    /// then it is abandoned. Default 5 s.
    ///
    /// A long poll of SQS cannot be told to end. Most of what it may bring is there by this time:
    /// a poll that stays open is one of a queue on which nothing was, since the poll is answered
    /// with the first message. What arrives in the rest of its [`wait`](Self::wait) the queue may
    /// still hand to a connection that nobody listens to. Nothing of that is lost, deleted or
    /// handled by anyone: those messages, [`receive_max`](Self::receive_max) at most, stay hidden
    /// for their visibility timeout, and come again with a count of one more. With `wait` or more
    /// nothing is abandoned, and a stop may take that long.
    pub receive_grace: Duration,
}

impl Default for ConsumerOptions {
    fn default() -> Self {
        Self {
            receive_max: 10,
            wait: Duration::from_secs(20),
            visibility: None,
            max_concurrent_receives: 64,
            idle_backoff: None,
            pause: Duration::ZERO,
            max_messages: 1000,
            max_bytes: 64 * 1024 * 1024,
            batch: BatchLimits { count: 10, bytes: 16 * 1024 * 1024, linger: Duration::ZERO },
            max_concurrent_batches: 64,
            delete_linger: Duration::from_millis(100),
            max_panics: 10,
            total: None,
            grace: Duration::from_secs(25),
            receive_grace: Duration::from_secs(5),
        }
    }
}

impl ConsumerOptions {
    /// With these batches, and room for several at once: some are gathered while others are stored or
    /// deleted. For a handler that writes many events into an object, such as
    /// [`BatchWriter`](crate::BatchWriter).
    ///
    /// ```
    /// use event_core::{BatchWriter, ConsumerOptions};
    ///
    /// let options = ConsumerOptions::default().batches(BatchWriter::BATCH);
    /// assert_eq!((options.batch.count, options.max_messages), (1000, 8000));
    /// ```
    #[must_use]
    pub fn batches(self, batch: BatchLimits) -> Self {
        Self {
            batch,
            // SQS lets 120,000 of a queue be in flight, over all consumers.
            max_messages: (8 * batch.count)
                .clamp(self.max_messages, self.max_messages.max(100_000)),
            max_bytes: self.max_bytes.max(batch.bytes.saturating_mul(4)),
            ..self
        }
    }
}

/// Longer pauses and graces are taken for a mistake in the unit.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Options and limits that fit each other.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) options: ConsumerOptions,
    pub(super) limits: QueueLimits,
    pub(super) visibility: Duration,
    /// How long a receive is awaited after the request to stop.
    pub(super) receive_grace: Duration,
}

impl ConsumerOptions {
    /// Refuses what cannot work on a queue with these limits.
    pub(super) fn resolve(&self, limits: &QueueLimits) -> Result<Settings> {
        let visibility = self.visibility.unwrap_or(limits.visibility);
        let at_least_one = [
            ("receive_max", self.receive_max),
            ("max_concurrent_receives", self.max_concurrent_receives),
            ("max_messages", self.max_messages),
            ("batch.count", self.batch.count),
            ("max_concurrent_batches", self.max_concurrent_batches),
        ];
        for (name, value) in at_least_one {
            if value == 0 {
                return Err(wrong(name, "0", "1 or more"));
            }
        }
        if self.receive_max > limits.receive_max {
            let would_do = format!("1 to {}, the most that this queue answers", limits.receive_max);
            return Err(wrong("receive_max", self.receive_max, would_do));
        }
        if self.wait > limits.max_wait {
            let would_do =
                format!("at most {:?}, the longest that this queue waits", limits.max_wait);
            return Err(wrong("wait", format!("{:?}", self.wait), would_do));
        }
        if self.wait.is_zero() && self.idle_backoff.is_none_or(|first| first.is_zero()) {
            let would_do = "a `wait` or an `idle_backoff` above zero: without either, \
                            an empty queue would be polled without a pause";
            return Err(wrong("wait", "0", would_do));
        }
        if visibility < Duration::from_secs(1) || visibility > limits.max_visibility {
            let would_do = format!("1 s to {:?}", limits.max_visibility);
            return Err(wrong("visibility", format!("{visibility:?}"), would_do));
        }
        if self.batch.linger >= visibility {
            let would_do = format!(
                "less than the visibility timeout of {visibility:?}, or messages would come again \
                 before their batch is flushed"
            );
            return Err(wrong("batch.linger", format!("{:?}", self.batch.linger), would_do));
        }
        if self.max_bytes < limits.message_bytes {
            let would_do =
                format!("at least {}, the largest message of this queue", limits.message_bytes);
            return Err(wrong("max_bytes", self.max_bytes, would_do));
        }
        let longest = [
            ("idle_backoff", self.idle_backoff.unwrap_or_default(), IdleBackoff::MAX),
            ("pause", self.pause, DAY),
            ("delete_linger", self.delete_linger, visibility),
            ("grace", self.grace, DAY),
            ("receive_grace", self.receive_grace, DAY),
        ];
        for (name, value, max) in longest {
            if value > max {
                return Err(wrong(name, format!("{value:?}"), format!("at most {max:?}")));
            }
        }
        if self.total == Some(0) {
            return Err(wrong("total", "0", "1 or more"));
        }
        if self.max_panics == 0 {
            return Err(wrong("max_panics", "0", "1 or more"));
        }
        let receive_grace =
            if limits.cancel_safe_receive { Duration::ZERO } else { self.receive_grace };
        Ok(Settings { options: self.clone(), limits: *limits, visibility, receive_grace })
    }
}

fn wrong(name: &str, value: impl std::fmt::Display, would_do: impl std::fmt::Display) -> Error {
    Error::invalid("consumer", format!("`{name}` is {value}: give {would_do}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let with = |change: fn(&mut ConsumerOptions)| {
            let mut options = ConsumerOptions::default();
            change(&mut options);
            let fault = options.resolve(&QueueLimits::SQS).err();
            fault.map_or_else(String::new, |fault| fault.to_string())
        };
        assert_eq!(with(|_| ()), "");
        for (change, named) in [
            ((|o| o.receive_max = 0) as fn(&mut ConsumerOptions), "`receive_max`"),
            (|o| o.receive_max = 11, "1 to 10"),
            (|o| o.max_concurrent_receives = 0, "max_concurrent_receives"),
            (|o| o.max_messages = 0, "max_messages"),
            (|o| o.max_bytes = 1000, "max_bytes"),
            (|o| o.max_concurrent_batches = 0, "max_concurrent_batches"),
            (|o| o.batch.count = 0, "batch.count"),
            (|o| o.batch.linger = Duration::from_secs(30), "batch.linger"),
            (|o| o.wait = Duration::from_secs(21), "wait"),
            (|o| o.wait = Duration::ZERO, "`idle_backoff`"),
            (|o| o.visibility = Some(Duration::ZERO), "visibility"),
            (|o| o.visibility = Some(Duration::MAX), "visibility"),
            (|o| o.idle_backoff = Some(Duration::from_secs(513)), "`idle_backoff`"),
            (|o| o.pause = Duration::MAX, "`pause`"),
            (|o| o.delete_linger = Duration::MAX, "delete_linger"),
            (|o| o.grace = Duration::MAX, "grace"),
            (|o| o.receive_grace = Duration::MAX, "receive_grace"),
            (|o| o.max_panics = 0, "`max_panics`"),
            (|o| o.total = Some(0), "`total`"),
        ] {
            let fault = with(change);
            assert!(fault.contains(named) && !fault.contains('\n'), "{named}: {fault}");
        }
    }
    #[test]
    fn settings_at_the_edge_of_what_works_are_taken() {
        for change in [
            (|o| o.receive_max = 1) as fn(&mut ConsumerOptions),
            |o| o.receive_max = 10,
            |o| o.max_concurrent_receives = 1,
            |o| o.max_messages = 1,
            |o| o.max_bytes = 1024 * 1024,
            |o| o.max_concurrent_batches = 1,
            |o| o.batch.count = 1,
            |o| o.batch.linger = Duration::from_nanos(29_999_999_999),
            |o| o.wait = Duration::from_secs(20),
            |o| (o.wait, o.idle_backoff) = (Duration::ZERO, Some(Duration::from_nanos(1))),
            |o| (o.wait, o.idle_backoff) = (Duration::from_nanos(1), Some(Duration::ZERO)),
            |o| o.visibility = Some(Duration::from_secs(1)),
            |o| o.visibility = Some(Duration::from_secs(12 * 3600)),
            |o| o.idle_backoff = Some(Duration::from_secs(512)),
            |o| o.pause = Duration::from_secs(86_400),
            |o| o.delete_linger = Duration::from_secs(30),
            |o| o.grace = Duration::from_secs(86_400),
            |o| o.receive_grace = Duration::from_secs(86_400),
            |o| o.max_panics = 1,
            |o| o.total = Some(1),
        ] {
            let mut options = ConsumerOptions::default();
            change(&mut options);
            let settings = options.resolve(&QueueLimits::SQS).unwrap();
            assert_eq!(settings.options, options);
        }
    }

    #[test]
    fn settings_just_beyond_the_edge_are_refused() {
        const NANO: Duration = Duration::from_nanos(1);
        for change in [
            (|o| o.max_bytes = 1024 * 1024 - 1) as fn(&mut ConsumerOptions),
            |o| o.wait = Duration::from_secs(20) + NANO,
            |o| (o.wait, o.idle_backoff) = (Duration::ZERO, Some(Duration::ZERO)),
            |o| o.visibility = Some(Duration::from_secs(1) - NANO),
            |o| o.visibility = Some(Duration::from_secs(12 * 3600) + NANO),
            |o| o.pause = Duration::from_secs(86_400) + NANO,
            |o| o.delete_linger = Duration::from_secs(30) + NANO,
            |o| o.grace = Duration::from_secs(86_400) + NANO,
            |o| o.receive_grace = Duration::from_secs(86_400) + NANO,
        ] {
            let mut options = ConsumerOptions::default();
            change(&mut options);
            assert!(options.resolve(&QueueLimits::SQS).is_err(), "{options:?}");
        }
    }

    #[test]
    fn large_batches_make_room_for_several_of_them_and_take_none_away() {
        let batches = |count, mebibytes: usize, had: ConsumerOptions| {
            let bytes = mebibytes * 1024 * 1024;
            let batch = BatchLimits { count, bytes, linger: Duration::ZERO };
            let options = had.batches(batch);
            assert_eq!(options.batch, batch);
            (options.max_messages, options.max_bytes / 1024 / 1024)
        };
        let more = || ConsumerOptions {
            max_messages: 200_000,
            max_bytes: 1024 * 1024 * 1024,
            ..ConsumerOptions::default()
        };
        assert_eq!(batches(10, 1, ConsumerOptions::default()), (1000, 64));
        assert_eq!(batches(126, 17, ConsumerOptions::default()), (1008, 68));
        assert_eq!(batches(20_000, 16, ConsumerOptions::default()), (100_000, 64));
        assert_eq!(batches(20_000, 16, more()), (200_000, 1024));
    }

    #[test]
    fn waits_are_held_against_the_visibility_that_is_given() {
        let fits = |linger, delete_linger| {
            let mut options = ConsumerOptions {
                visibility: Some(Duration::from_secs(60)),
                delete_linger: Duration::from_secs(delete_linger),
                ..ConsumerOptions::default()
            };
            options.batch.linger = Duration::from_secs(linger);
            options.resolve(&QueueLimits::SQS).is_ok()
        };
        assert_eq!([fits(59, 60), fits(60, 60), fits(59, 61)], [true, false, false]);
    }

    /// As the documentation of each has them.
    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let options = ConsumerOptions::default();
        assert_eq!((options.receive_max, options.wait.as_secs()), (10, 20));
        assert_eq!(
            (options.max_concurrent_receives, options.max_concurrent_batches, options.max_panics),
            (64, 64, 10)
        );
        assert_eq!((options.max_messages, options.max_bytes), (1000, 67_108_864));
        assert_eq!((options.delete_linger.as_millis(), options.batch.count), (100, 10));
        assert_eq!((options.grace.as_secs(), options.receive_grace.as_secs()), (25, 5));
    }

    #[test]
    fn a_receive_that_may_be_dropped_is_not_awaited() {
        let receive_grace = |cancel_safe_receive| {
            let limits = QueueLimits { cancel_safe_receive, ..QueueLimits::SQS };
            ConsumerOptions::default().resolve(&limits).unwrap().receive_grace.as_secs()
        };
        assert_eq!((receive_grace(true), receive_grace(false)), (0, 5));
    }

    #[test]
    fn the_visibility_is_the_queues_own_unless_another_is_given() {
        let visibility = |visibility| {
            let options = ConsumerOptions { visibility, ..ConsumerOptions::default() };
            options.resolve(&QueueLimits::SQS).unwrap().visibility.as_secs()
        };
        assert_eq!((visibility(None), visibility(Some(Duration::from_secs(90)))), (30, 90));
    }
}
