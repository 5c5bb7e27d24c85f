//! What a queue and a bucket of this project need, made where there is no CloudFormation: first a
//! plan, which only reads, then the steps of it that are allowed.

#[cfg(test)]
mod bounds;
mod bucket;
#[cfg(test)]
mod differences;
mod plan;
mod queue;
#[cfg(test)]
mod tests;

use std::time::Duration;

use event_core::{ErrorKind, Result};

use crate::error::Subject;
use crate::name;

pub use bucket::plan_bucket;
pub use plan::{Change, Decision, Existing, Plan, Setting, Step, What};
pub use queue::plan_queue;

/// What is wanted of a queue. Times are whole seconds, rounded up.
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
    /// what makes consumers crash, or an outage that outlasts their timeouts, comes back so often;
    /// with a small number an outage would bring good messages there.
    pub max_receives: u32,
    /// The name of the dead-letter queue; `<name>_dlq` where there is none.
    pub dead_letter_queue: Option<String>,
    /// Both queues encrypt what they hold, with keys of SQS (SSE-SQS) or of their own; if not, the
    /// encryption of a queue is left to SQS and to what is there.
    pub encrypted: bool,
}

/// What is wanted of a bucket. What is not wanted is left as it is, and never turned off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSetup {
    /// Old versions of objects are kept.
    pub versioning: bool,
    /// All four blocks of public access are on.
    pub public_access_block: bool,
}

impl Default for BucketSetup {
    /// Both.
    fn default() -> Self {
        Self { versioning: true, public_access_block: true }
    }
}

/// What the name of a dead-letter queue ends in, where none is given.
const DEAD_LETTERS: &str = "_dlq";

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for QueueSetup {
    /// A delay of 2 s, a visibility timeout of 30 s, 2 days of retention, 14 in the dead-letter
    /// queue, 20 receives; encrypted.
    fn default() -> Self {
        Self {
            delay: Duration::from_secs(2),
            visibility: Duration::from_secs(30),
            retention: 2 * DAY,
            dead_letter_retention: 14 * DAY,
            max_receives: 20,
            dead_letter_queue: None,
            encrypted: true,
        }
    }
}

impl QueueSetup {
    /// The name of the dead-letter queue of a queue.
    fn dead_letters_of(&self, queue: &str) -> String {
        self.dead_letter_queue.clone().unwrap_or_else(|| format!("{queue}{DEAD_LETTERS}"))
    }

    /// Refuses what SQS would refuse.
    fn check(&self, queue: &str) -> Result<()> {
        let subject = Subject::queue(queue);
        match &self.dead_letter_queue {
            Some(dead) => {
                name::check_queue(queue::OPERATION, queue, name::MAX_QUEUE)?;
                name::check_queue(queue::OPERATION, dead, name::MAX_QUEUE)?;
            }
            None => {
                let longest = name::MAX_QUEUE - DEAD_LETTERS.len();
                name::check_queue(queue::OPERATION, queue, longest)?;
            }
        }
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
        } else if self.dead_letters_of(queue) == queue {
            "it cannot be its own dead_letter_queue: give the name of another".to_owned()
        } else {
            return Ok(());
        };
        Err(subject.error(ErrorKind::Invalid, queue::OPERATION, what))
    }
}
