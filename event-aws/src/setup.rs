//! What a queue and a bucket of this project need, made where there is no CloudFormation.

mod bucket;
mod queue;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use event_core::{ErrorKind, Result};

use crate::error::Subject;

pub use bucket::setup_bucket;
pub use queue::setup_queue;

/// How [`setup_queue`] makes a queue. Times are whole seconds, rounded up.
///
/// ```
/// use std::time::Duration;
///
/// use event_aws::QueueSetup;
///
/// let setup = QueueSetup { visibility: Duration::from_secs(60), ..QueueSetup::default() };
/// assert_eq!(setup.max_receives, 20);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSetup {
    /// How long a new message is hidden: at most 15 minutes.
    pub delay: Duration,
    /// How long a received message is hidden if the receiver does not say: at most 12 hours.
    pub visibility: Duration,
    /// How long a message is kept: 1 minute to 14 days.
    pub retention: Duration,
    /// How long a message is kept in the dead-letter queue, as long as [`retention`] or longer:
    /// SQS counts from when the message was first sent.
    ///
    /// [`retention`]: Self::retention
    pub dead_letter_retention: Duration,
    /// How often a message is received before it goes to the dead-letter queue: 1 to 1,000.
    ///
    /// Not a matter of bad events, which the consumer puts into quarantine the first time. Only
    /// what makes consumers crash, or an outage that outlasts their patience, comes back so often;
    /// with a small number an outage would bring good messages there.
    pub max_receives: u32,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for QueueSetup {
    /// A delay of 2 s, a visibility timeout of 30 s, 2 days of retention, 14 in the dead-letter
    /// queue, 20 receives.
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(2),
            visibility: Duration::from_secs(30),
            retention: 2 * DAY,
            dead_letter_retention: 14 * DAY,
            max_receives: 20,
        }
    }
}

impl QueueSetup {
    /// Refuses what SQS would refuse, with a text that does not say for which queue.
    fn check(&self, subject: &Subject) -> Result<()> {
        let second = Duration::from_secs(1);
        let kept = 60 * second..=14 * DAY;
        let what = if self.delay > 900 * second {
            format!("delay is {:?}, give at most 15 minutes", self.delay)
        } else if self.visibility > DAY / 2 {
            format!("visibility is {:?}, give at most 12 hours", self.visibility)
        } else if !kept.contains(&self.retention) {
            format!("retention is {:?}, give 1 minute to 14 days", self.retention)
        } else if !(self.retention..=14 * DAY).contains(&self.dead_letter_retention) {
            let (given, least) = (self.dead_letter_retention, self.retention);
            format!("dead_letter_retention is {given:?}, give {least:?} (retention) to 14 days")
        } else if !(1..=1_000).contains(&self.max_receives) {
            format!("max_receives is {}, give 1 to 1000", self.max_receives)
        } else {
            return Ok(());
        };
        Err(subject.error(ErrorKind::Invalid, queue::OPERATION, what))
    }
}

/// What [`setup_queue`] or [`setup_bucket`] changed, as one line for a person:
/// `queue reliable_message_q: DelaySeconds 0 -> 2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `queue` or `bucket`.
    pub resource: &'static str,
    /// The name of the queue or the bucket.
    pub name: String,
    /// What was done: `created`, `versioning enabled`, or a setting with its value before and
    /// after.
    pub what: String,
}

impl Change {
    fn new(resource: &'static str, name: &str, what: impl Into<String>) -> Self {
        Self { resource, name: name.to_owned(), what: what.into() }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.resource, self.name, self.what)
    }
}
