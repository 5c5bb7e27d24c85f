//! A queue and its dead-letter queue.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use event_core::{ErrorKind, Result};
use tokio::time::sleep;

use super::{Change, QueueSetup};
use crate::config::Aws;
use crate::error::{Subject, from_sdk};
use crate::name;
use crate::sqs::{Redrive, whole_seconds};

pub(super) const OPERATION: &str = "setup_queue";

/// What the name of a dead-letter queue ends in.
const DEAD_LETTERS: &str = "_dlq";

/// A queue may be unknown to SQS for a second after it was made; after so many it is not there.
const SECONDS_TO_APPEAR: u32 = 10;

type Attributes = HashMap<QueueAttributeName, String>;

/// Makes a queue of this name and its dead-letter queue `<name>_dlq`, or sets what differs in those
/// that are there; what was changed, in order, and nothing if all was as it should be.
///
/// Both encrypt what they hold with keys of SQS (SSE-SQS), unless they have a key of KMS. What
/// [`QueueSetup`] does not name is left alone, such as policies and tags. It needs the rights
/// `sqs:CreateQueue`, `sqs:GetQueueUrl`, `sqs:GetQueueAttributes` and `sqs:SetQueueAttributes`.
///
/// # Errors
///
/// `Invalid` if no queue can have the name or such a setting, `Denied` without one of the rights.
/// What was done before an error stays, and another call does the rest.
pub async fn setup_queue(aws: &Aws, name: &str, setup: &QueueSetup) -> Result<Vec<Change>> {
    name::check_queue(OPERATION, name, name::MAX_QUEUE - DEAD_LETTERS.len())?;
    setup.check(&Subject::queue(name))?;
    let client = aws.sqs();
    let seconds = |time| whole_seconds(time).to_string();
    let encrypted = (QueueAttributeName::SqsManagedSseEnabled, "true".to_owned());
    let retention = QueueAttributeName::MessageRetentionPeriod;

    let dead = Setup::new(&client, &format!("{name}{DEAD_LETTERS}"));
    let wanted =
        [encrypted.clone(), (retention.clone(), seconds(setup.dead_letter_retention))].into();
    let (url, mut changes) = dead.ensure(wanted).await?;
    let target = dead.arn(&url).await?;

    let redrive = Redrive { target, max_receives: setup.max_receives.into() };
    let wanted = [
        encrypted,
        (retention, seconds(setup.retention)),
        (QueueAttributeName::DelaySeconds, seconds(setup.delay)),
        (QueueAttributeName::VisibilityTimeout, seconds(setup.visibility)),
        (QueueAttributeName::RedrivePolicy, redrive.to_json()),
    ];
    let (_, of_queue) = Setup::new(&client, name).ensure(wanted.into()).await?;
    changes.extend(of_queue);
    Ok(changes)
}

struct Setup<'a> {
    client: &'a Client,
    name: String,
    subject: Subject,
}

impl<'a> Setup<'a> {
    fn new(client: &'a Client, name: &str) -> Self {
        Self { client, name: name.to_owned(), subject: Subject::queue(name) }
    }

    /// The URL of the queue, and what it took to have it with these attributes.
    async fn ensure(&self, wanted: Attributes) -> Result<(String, Vec<Change>)> {
        match self.url().await? {
            Some(url) => {
                let changes = self.set_what_differs(&url, wanted).await?;
                Ok((url, changes))
            }
            None => Ok((self.create(wanted).await?, vec![self.change("created")])),
        }
    }

    async fn url(&self) -> Result<Option<String>> {
        let answer = self.client.get_queue_url().queue_name(&self.name).send().await;
        match answer.map_err(|error| from_sdk(&error, OPERATION, &self.subject)) {
            Ok(found) => self.answered(found.queue_url, "URL").map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&self, wanted: Attributes) -> Result<String> {
        let request = self.client.create_queue().queue_name(&self.name);
        let answer = request.set_attributes(Some(wanted)).send().await;
        let created = answer.map_err(|error| from_sdk(&error, OPERATION, &self.subject))?;
        self.answered(created.queue_url, "URL")
    }

    async fn set_what_differs(&self, url: &str, wanted: Attributes) -> Result<Vec<Change>> {
        let mut names: Vec<_> = wanted.keys().cloned().collect();
        names.sort_unstable_by(|a, b| a.as_str().cmp(b.as_str()));
        let key = QueueAttributeName::KmsMasterKeyId;
        let asked = names.iter().cloned().chain([key.clone()]).collect();
        let present = self.attributes(url, asked).await?;
        let (mut differing, mut changes) = (Attributes::new(), Vec::new());
        for name in names {
            let (is, should) = (present.get(&name), &wanted[&name]);
            // To turn this on would take the queue's own key away.
            let own_key = name == QueueAttributeName::SqsManagedSseEnabled
                && present.get(&key).is_some_and(|key| !key.is_empty());
            let (is, shown) = (is.map(|is| readable(&name, is)), readable(&name, should));
            if own_key || is.as_ref() == Some(&shown) {
                continue;
            }
            let is = is.unwrap_or_else(|| "none".to_owned());
            changes.push(self.change(format!("{name} {is} -> {shown}")));
            differing.insert(name, should.clone());
        }
        if !differing.is_empty() {
            let request = self.client.set_queue_attributes().queue_url(url);
            let answer = request.set_attributes(Some(differing)).send().await;
            answer.map_err(|error| from_sdk(&error, OPERATION, &self.subject))?;
        }
        Ok(changes)
    }

    async fn arn(&self, url: &str) -> Result<String> {
        let name = QueueAttributeName::QueueArn;
        let mut waited = 0;
        loop {
            match self.attributes(url, vec![name.clone()]).await {
                Err(error) if error.kind() == ErrorKind::NotFound && waited < SECONDS_TO_APPEAR => {
                    waited += 1;
                    sleep(Duration::from_secs(1)).await;
                }
                answer => return self.answered(answer?.remove(&name), "ARN"),
            }
        }
    }

    async fn attributes(&self, url: &str, names: Vec<QueueAttributeName>) -> Result<Attributes> {
        let request = self.client.get_queue_attributes().queue_url(url);
        let answer = request.set_attribute_names(Some(names)).send().await;
        let answer = answer.map_err(|error| from_sdk(&error, OPERATION, &self.subject))?;
        Ok(answer.attributes.unwrap_or_default())
    }

    fn answered(&self, part: Option<String>, what: &str) -> Result<String> {
        let missing = || {
            let what = format!("the answer has no {what} of the queue");
            self.subject.error(ErrorKind::Ambiguous, OPERATION, what)
        };
        part.ok_or_else(missing)
    }

    fn change(&self, what: impl Into<String>) -> Change {
        Change::new("queue", &self.name, what)
    }
}

/// A value as a person reads it, the same for two that mean the same.
fn readable(name: &QueueAttributeName, value: &str) -> String {
    if *name == QueueAttributeName::RedrivePolicy
        && let Some(redrive) = Redrive::parse(value)
    {
        // A target of the same name elsewhere is no other: SQS takes one of this account and
        // region alone.
        return redrive.to_string();
    }
    value.to_owned()
}
