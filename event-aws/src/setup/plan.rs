//! What differs from what is wanted, and which of it is done.

use std::fmt;

use event_core::Result;

use super::{bucket, queue};
use crate::config::Aws;

/// A setting that [`plan_queue`](super::plan_queue) or [`plan_bucket`](super::plan_bucket) looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Setting {
    /// How long a new message is hidden.
    Delay,
    /// How long a received message is hidden.
    Visibility,
    /// How long a message is kept in the queue.
    Retention,
    /// How long a message is kept in the dead-letter queue.
    DeadLetterRetention,
    /// Whether a queue is encrypted by keys of SQS.
    Encryption,
    /// Where messages go that were received too often.
    DeadLetterQueue,
    /// How often a message is received before it goes there.
    MaxReceives,
    /// Whether a bucket keeps old versions.
    Versioning,
    /// Which blocks of public access a bucket has.
    PublicAccessBlock,
}

impl fmt::Display for Setting {
    /// The name that AWS gives it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delay => "DelaySeconds",
            Self::Visibility => "VisibilityTimeout",
            Self::Retention | Self::DeadLetterRetention => "MessageRetentionPeriod",
            Self::Encryption => "SqsManagedSseEnabled",
            Self::DeadLetterQueue => "dead-letter queue",
            Self::MaxReceives => "maxReceiveCount",
            Self::Versioning => "versioning",
            Self::PublicAccessBlock => "PublicAccessBlock",
        })
    }
}

/// One thing that is not as wanted, as a line for a person:
/// `queue reliable_message_q: DelaySeconds 0 -> 2`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// `queue` or `bucket`.
    pub resource: &'static str,
    /// The name of the queue or the bucket.
    pub name: String,
    /// What would be, or was, done.
    pub what: What,
}

/// What a [`Change`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It is not there, and is created.
    Created,
    /// It is there with another value of a setting.
    Set {
        /// Which one.
        setting: Setting,
        /// The value that is there; `none` if there is none.
        present: String,
        /// The value that is wanted.
        wanted: String,
    },
}

impl Change {
    /// Whether messages that are on the queue may be deleted by it: SQS deletes at once what is
    /// older than a new retention.
    pub fn lowers_retention(&self) -> bool {
        let What::Set { setting, present, wanted } = &self.what else { return false };
        let is_retention = matches!(setting, Setting::Retention | Setting::DeadLetterRetention);
        let seconds = |text: &str| text.parse::<u64>().ok();
        // A value that cannot be read may be any.
        is_retention && seconds(present).is_none_or(|present| Some(present) > seconds(wanted))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.resource, self.name)?;
        match &self.what {
            What::Created => f.write_str("created"),
            What::Set { setting, present, wanted } => {
                write!(f, "{setting} {present} -> {wanted}")
            }
        }
    }
}

/// What may be done to a queue or a bucket that is there. What is missing is always created,
/// unless something is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// Nothing: a single difference refuses all of a plan, creations included.
    #[default]
    Refuse,
    /// It stays as it is.
    Keep,
    /// It is set to what is wanted.
    Update {
        /// A retention is lowered as well, which deletes the messages that are older. Without this
        /// one that would be lowered refuses all of a plan.
        lower_retention: bool,
    },
}

/// What is not as wanted, in the order in which it would be done; empty if all is.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    pub(super) steps: Vec<Step>,
}

/// What is done of a [`Plan`].
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// To be applied in this order. Empty if anything is refused.
    pub steps: Vec<Step>,
    /// What differs and may not be changed.
    pub refused: Vec<Change>,
    /// What differs and stays as it is.
    pub kept: Vec<Change>,
}

impl Plan {
    /// This plan, and then another one: they are decided on as a whole.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.steps.extend(other.steps);
        self
    }

    /// Splits the plan by what may be done to what is there.
    pub fn decide(self, existing: Existing) -> Decision {
        let mut decision = Decision::default();
        for step in self.steps {
            let differences = step.changes.iter().filter(|change| change.what != What::Created);
            match existing {
                Existing::Refuse => decision.refused.extend(differences.cloned()),
                Existing::Keep => decision.kept.extend(differences.cloned()),
                Existing::Update { lower_retention: true } => {}
                Existing::Update { lower_retention: false } => {
                    let lowered = differences.filter(|change| change.lowers_retention());
                    decision.refused.extend(lowered.cloned());
                }
            }
            if existing != Existing::Keep || !step.is_of_existing {
                decision.steps.push(step);
            }
        }
        if !decision.refused.is_empty() {
            decision.steps.clear();
        }
        decision
    }
}

/// A part of a plan: what one request does, or a few that belong together.
#[derive(Clone, Debug)]
pub struct Step {
    pub(super) changes: Vec<Change>,
    /// It changes what is there, or makes what only such a change needs.
    pub(super) is_of_existing: bool,
    pub(super) action: Action,
}

#[derive(Clone, Debug)]
pub(super) enum Action {
    Queue(queue::Action),
    Bucket(bucket::Action),
}

impl Step {
    /// What it does.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Does it. It may be applied again after an error.
    ///
    /// # Errors
    ///
    /// `Denied` without the right to, `NotFound` if what is to be changed went away meanwhile.
    pub async fn apply(&self, aws: &Aws) -> Result<()> {
        match &self.action {
            Action::Queue(action) => action.apply(aws).await,
            Action::Bucket(action) => action.apply(aws).await,
        }
    }
}
