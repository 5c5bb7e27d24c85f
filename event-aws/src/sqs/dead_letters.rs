//! Where messages go that were received too often.

use std::sync::Arc;

use aws_sdk_sqs::types::QueueAttributeName;
use event_core::{ErrorKind, Result};
use serde_json::{Value, json};

use super::attributes::attributes;
use super::{Inner, SqsQueue, find};
use crate::error::Subject;

/// A redrive policy, as the attribute of that name has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redrive {
    /// The ARN of the dead-letter queue.
    pub(crate) target: String,
    /// How often a message is received before it goes there.
    pub(crate) max_receives: u64,
}

impl Redrive {
    /// None if it is none.
    pub(crate) fn parse(policy: &str) -> Option<Self> {
        let policy: Value = serde_json::from_str(policy).ok()?;
        let target = policy.get("deadLetterTargetArn")?.as_str()?.to_owned();
        let receives = policy.get("maxReceiveCount")?;
        // SQS takes both and answers what was set.
        let max_receives = receives.as_u64().or_else(|| receives.as_str()?.parse().ok())?;
        Some(Self { target, max_receives })
    }

    pub(crate) fn to_json(&self) -> String {
        let Self { target, max_receives } = self;
        json!({"deadLetterTargetArn": target, "maxReceiveCount": max_receives}).to_string()
    }

    /// Account and name of the dead-letter queue.
    fn queue(&self) -> Option<(&str, &str)> {
        // arn:aws:sqs:REGION:ACCOUNT:NAME
        let mut parts = self.target.rsplit(':');
        let (name, account) = (parts.next()?, parts.next()?);
        Some((account, name))
    }

    /// The name of the dead-letter queue.
    pub(crate) fn name(&self) -> &str {
        self.queue().map_or(&self.target, |(_, name)| name)
    }
}

impl SqsQueue {
    /// The queue that takes the messages that were received too often, by the redrive policy of
    /// this one; none if it has no policy. It shares the connections of this one.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect) for the dead-letter queue; `Denied` without the right to read
    /// the attributes of this one.
    pub async fn dead_letters(&self) -> Result<Option<Self>> {
        const OPERATION: &str = "dead_letters";
        let Inner { subject, url, receive, send, settle, control, .. } = &*self.inner;
        let name = QueueAttributeName::RedrivePolicy;
        let names = std::slice::from_ref(&name);
        let answer = attributes(control, url, names, OPERATION, subject).await?;
        let policy = answer.attributes().and_then(|attributes| attributes.get(&name));
        // A policy that was taken away is an empty one with some emulators.
        let Some(policy) = policy.filter(|policy| !policy.is_empty()) else { return Ok(None) };
        let redrive = Redrive::parse(policy);
        let Some((account, name)) = redrive.as_ref().and_then(Redrive::queue) else {
            let what = format!("the redrive policy cannot be read: {policy}");
            return Err(subject.error(ErrorKind::Ambiguous, OPERATION, what));
        };
        let subject = Subject::queue(name);
        let (url, limits) = find(control, name, Some(account), OPERATION, &subject).await?;
        let (receive, send) = (receive.clone(), send.clone());
        let (settle, control) = (settle.clone(), control.clone());
        let inner = Inner { subject, url, limits, receive, send, settle, control };
        Ok(Some(Self { inner: Arc::new(inner) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_read_as_sqs_has_it() {
        let target = "arn:aws:sqs:us-east-1:123456789012:orders_dlq";
        let redrive = Redrive { target: target.to_owned(), max_receives: 1000 };
        assert_eq!(Redrive::parse(&redrive.to_json()).as_ref(), Some(&redrive));
        let text = format!(r#"{{"maxReceiveCount": "1000", "deadLetterTargetArn": "{target}"}}"#);
        assert_eq!(Redrive::parse(&text).as_ref(), Some(&redrive));
        assert_eq!(redrive.queue(), Some(("123456789012", "orders_dlq")));
        assert_eq!(redrive.name(), "orders_dlq");
        for policy in ["", "[]", "{}", r#"{"deadLetterTargetArn": "a", "maxReceiveCount": -1}"#] {
            assert_eq!(Redrive::parse(policy), None, "{policy}");
        }
    }
}
