//! A queue and its dead-letter queue.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;
use event_core::{ErrorKind, Result};
use tokio::time::sleep;

use super::QueueSetup;
use super::plan::{self, Change, Plan, Setting, Step, What};
use crate::config::Aws;
use crate::error::{Subject, from_sdk};
use crate::sqs::{Redrive, whole_seconds};

pub(super) const OPERATION: &str = "setup_queue";

/// A queue may be unknown to SQS for a second after it was made; after so many it is not there.
const SECONDS_TO_APPEAR: u32 = 10;

type Attributes = HashMap<QueueAttributeName, String>;

/// What it takes to have a queue of this name with a dead-letter queue, as wanted. Only reads.
///
/// A queue with a key of KMS counts as encrypted. What [`QueueSetup`] does not name is not looked
/// at, such as policies and tags. It needs the rights `sqs:GetQueueUrl` and
/// `sqs:GetQueueAttributes`; its steps need `sqs:CreateQueue` and `sqs:SetQueueAttributes` as well.
///
/// # Errors
///
/// `Invalid` if no queue can have the name or such a setting, `Denied` without one of the rights.
pub async fn plan_queue(aws: &Aws, name: &str, setup: &QueueSetup) -> Result<Plan> {
    setup.check(name)?;
    let client = aws.sqs();
    let seconds = |time| whole_seconds(time).to_string();
    let encrypted = setup.encrypted.then(|| (Setting::Encryption, "true".to_owned()));

    let dead = Queue::new(&client, &setup.dead_letters_of(name));
    let kept = (Setting::DeadLetterRetention, seconds(setup.dead_letter_retention));
    let of_dead =
        Wanted { settings: encrypted.iter().cloned().chain([kept]).collect(), redrive: None };
    let orders = Queue::new(&client, name);
    let of_orders = Wanted {
        settings: [
            (Setting::Delay, seconds(setup.delay)),
            (Setting::Retention, seconds(setup.retention)),
            (Setting::Visibility, seconds(setup.visibility)),
        ]
        .into_iter()
        .chain(encrypted)
        .collect(),
        redrive: Some(Redrive {
            target: dead.name.clone(),
            max_receives: setup.max_receives.into(),
        }),
    };

    let dead_step = dead.step(of_dead).await?;
    let step = orders.step(of_orders).await?;
    // Nobody needs a dead-letter queue while a queue that is there has another one, or none.
    let is_for_change = step.as_ref().is_some_and(|step| {
        let is_redrive = |change: &Change| {
            matches!(change.what, What::Set { setting: Setting::DeadLetterQueue, .. })
        };
        step.changes.iter().any(is_redrive)
    });
    let dead_step = dead_step.map(|mut step| {
        step.is_of_existing |= is_for_change;
        step
    });
    Ok(Plan { steps: dead_step.into_iter().chain(step).collect() })
}

/// What a queue should have. The target of the redrive policy is a name, not an ARN, which a queue
/// that is not there yet does not have.
struct Wanted {
    settings: Vec<(Setting, String)>,
    redrive: Option<Redrive>,
}

fn attribute(setting: Setting) -> QueueAttributeName {
    match setting {
        Setting::Delay => QueueAttributeName::DelaySeconds,
        Setting::Visibility => QueueAttributeName::VisibilityTimeout,
        Setting::Encryption => QueueAttributeName::SqsManagedSseEnabled,
        Setting::DeadLetterQueue | Setting::MaxReceives => QueueAttributeName::RedrivePolicy,
        _ => QueueAttributeName::MessageRetentionPeriod,
    }
}

/// What a step asks of SQS.
#[derive(Clone, Debug)]
pub(super) struct Action {
    name: String,
    /// None: it is to be created.
    url: Option<String>,
    attributes: Attributes,
    /// To be set, by the name of its target.
    redrive: Option<Redrive>,
}

impl Action {
    pub(super) async fn apply(&self, aws: &Aws) -> Result<()> {
        let client = aws.sqs();
        let mut attributes = self.attributes.clone();
        if let Some(Redrive { target, max_receives }) = &self.redrive {
            let target = Queue::new(&client, target).arn().await?;
            let redrive = Redrive { target, max_receives: *max_receives };
            attributes.insert(QueueAttributeName::RedrivePolicy, redrive.to_json());
        }
        let subject = Subject::queue(&self.name);
        match &self.url {
            None => {
                let request = client.create_queue().queue_name(&self.name);
                let answer = request.set_attributes(Some(attributes)).send().await;
                answer.map(drop).map_err(|error| from_sdk(&error, OPERATION, &subject))
            }
            Some(url) => {
                let request = client.set_queue_attributes().queue_url(url);
                let answer = request.set_attributes(Some(attributes)).send().await;
                answer.map(drop).map_err(|error| from_sdk(&error, OPERATION, &subject))
            }
        }
    }
}

struct Queue<'a> {
    client: &'a Client,
    name: String,
    subject: Subject,
}

impl<'a> Queue<'a> {
    fn new(client: &'a Client, name: &str) -> Self {
        Self { client, name: name.to_owned(), subject: Subject::queue(name) }
    }

    /// What it takes to have it so; none if it is.
    async fn step(&self, wanted: Wanted) -> Result<Option<Step>> {
        let Some(url) = self.url().await? else {
            let values = wanted.settings.into_iter();
            let attributes = values.map(|(setting, value)| (attribute(setting), value)).collect();
            let (name, redrive) = (self.name.clone(), wanted.redrive);
            let action = Action { name, url: None, attributes, redrive };
            return Ok(Some(step(vec![self.change(What::Created)], false, action)));
        };
        let key = QueueAttributeName::KmsMasterKeyId;
        let mut asked: Vec<_> =
            wanted.settings.iter().map(|(setting, _)| attribute(*setting)).collect();
        asked.push(key.clone());
        if wanted.redrive.is_some() {
            asked.push(QueueAttributeName::RedrivePolicy);
        }
        let present = self.attributes(&url, asked).await?;
        let (mut attributes, mut changes) = (Attributes::new(), Vec::new());
        for (setting, wanted) in wanted.settings {
            let name = attribute(setting);
            let is = present.get(&name);
            // To turn this on would take the queue's own key away.
            let own_key = setting == Setting::Encryption
                && present.get(&key).is_some_and(|key| !key.is_empty());
            if own_key || is == Some(&wanted) {
                continue;
            }
            changes.push(self.difference(setting, is.cloned(), &wanted));
            attributes.insert(name, wanted);
        }
        let redrive = wanted.redrive.filter(|wanted| {
            let policy = present.get(&QueueAttributeName::RedrivePolicy);
            let of_redrive = self.redrive(policy.map(String::as_str).unwrap_or_default(), wanted);
            let differs = !of_redrive.is_empty();
            changes.extend(of_redrive);
            differs
        });
        let action = Action { name: self.name.clone(), url: Some(url), attributes, redrive };
        Ok((!changes.is_empty()).then(|| step(changes, true, action)))
    }

    /// What differs in a redrive policy. A target of the same name elsewhere is no other: SQS takes
    /// one of this account and region alone.
    fn redrive(&self, policy: &str, wanted: &Redrive) -> Vec<Change> {
        let is = Redrive::parse(policy);
        let mut changes = Vec::new();
        let target = is.as_ref().map(|is| is.name().to_owned());
        if target.as_ref() != Some(&wanted.target) {
            // What cannot be read is shown as it is.
            let shown = target.or_else(|| (!policy.is_empty()).then(|| policy.to_owned()));
            changes.push(self.difference(Setting::DeadLetterQueue, shown, &wanted.target));
        }
        if let Some(is) = is.filter(|is| is.max_receives != wanted.max_receives) {
            let (is, wanted) = (is.max_receives.to_string(), wanted.max_receives.to_string());
            changes.push(self.difference(Setting::MaxReceives, Some(is), &wanted));
        }
        changes
    }

    async fn url(&self) -> Result<Option<String>> {
        let answer = self.client.get_queue_url().queue_name(&self.name).send().await;
        match answer.map_err(|error| from_sdk(&error, OPERATION, &self.subject)) {
            Ok(found) => self.answered(found.queue_url, "URL").map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// It was made a moment ago, perhaps.
    async fn arn(&self) -> Result<String> {
        let name = QueueAttributeName::QueueArn;
        let mut waited = 0;
        loop {
            let answer = match self.url().await? {
                Some(url) => self.attributes(&url, vec![name.clone()]).await,
                None => {
                    let what = "there is no such dead-letter queue";
                    Err(self.subject.error(ErrorKind::NotFound, OPERATION, what))
                }
            };
            match answer {
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

    fn difference(&self, setting: Setting, present: Option<String>, wanted: &str) -> Change {
        let present = present.unwrap_or_else(|| "none".to_owned());
        self.change(What::Set { setting, present, wanted: wanted.to_owned() })
    }

    fn change(&self, what: What) -> Change {
        Change { resource: "queue", name: self.name.clone(), what }
    }
}

fn step(changes: Vec<Change>, is_of_existing: bool, action: Action) -> Step {
    Step { changes, is_of_existing, action: plan::Action::Queue(action) }
}
