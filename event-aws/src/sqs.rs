//! A queue in SQS.

#[cfg(test)]
mod answers;
mod attributes;
mod batch;
mod dead_letters;
mod digest;
mod message;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    BatchResultErrorEntry, ChangeMessageVisibilityBatchRequestEntry,
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, SendMessageBatchResultEntry,
};
use event_core::{
    Delivery, Depth, Error, ErrorKind, Message, MessageId, Queue, QueueLimits, Receipt,
    ReceiveRequest, Result, async_trait,
};

use crate::config::Aws;
use crate::error::{Said, Subject, from_sdk};
use crate::name;
use attributes::{DEPTH, LIMITS, attributes, limits, number};
use batch::{Answer, account, refuse};
use digest::Digests;
use message::{Outgoing, incoming, outgoing};

pub(crate) use dead_letters::Redrive;

/// A standard queue in SQS.
///
/// Clones are handles to the same queue and share its connections.
///
/// - A batch is one request. Entries that SQS would never take (too large, empty, not text as
///   [SQS defines it](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html),
///   attributes out of its rules) are refused here and left out of it, since SQS refuses a whole
///   batch for one of them.
/// - SQS's answer is checked against what was submitted: an entry that it does not mention is
///   `Ambiguous`, and so is one whose body or attributes arrived with another MD5.
/// - A message that was damaged on its way here, its body or its attributes, is not handed out: it
///   comes back after its visibility timeout.
/// - Attributes are sent and received with their types: `String`, `Number` and `Binary`, under any
///   label.
/// - Times are whole seconds, rounded up.
/// - [`depth`](Queue::depth) is approximate, a minute old at times, and tells no age.
#[derive(Clone)]
pub struct SqsQueue {
    inner: Arc<Inner>,
}

struct Inner {
    subject: Subject,
    url: String,
    limits: QueueLimits,
    // One for each kind of call, since each has timeouts and retries of its own.
    receive: Client,
    send: Client,
    settle: Client,
    control: Client,
}

impl SqsQueue {
    /// Looks the queue up by its name, once, and reads its limits: `MaximumMessageSize` and
    /// `VisibilityTimeout`, and [`QueueLimits::SQS`] for all else.
    ///
    /// # Errors
    ///
    /// `Invalid` if no queue can have the name, `NotFound` if there is no such queue in this
    /// region and account, `Denied` if the credentials may not see it. Without the right to read
    /// its attributes the limits are those of a new queue.
    pub async fn connect(aws: &Aws, name: &str) -> Result<Self> {
        const OPERATION: &str = "connect";
        name::check_queue(OPERATION, name, name::MAX_QUEUE)?;
        let (subject, control) = (Subject::queue(name), aws.sqs());
        let (url, limits) = find(&control, name, None, OPERATION, &subject).await?;
        let inner = Inner {
            subject,
            url,
            limits,
            receive: aws.sqs_receive(),
            send: aws.sqs_short("send"),
            settle: aws.sqs_short("settle"),
            control,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The name that it was looked up by.
    pub fn name(&self) -> &str {
        self.inner.subject.name()
    }

    /// The URL that the name was resolved to.
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// The account that owns the queue, by its URL; none if that has none in its place, as with
    /// some emulators.
    pub fn account(&self) -> Option<&str> {
        self.inner.url.rsplit('/').nth(1).filter(|account| name::is_account(account))
    }

    fn refused(&self, operation: &'static str, entry: &BatchResultErrorEntry) -> Error {
        let said = Said {
            code: Some(entry.code()),
            // SQS says of a failed entry only whose fault it is.
            status: Some(if entry.sender_fault() { 400 } else { 500 }),
            message: entry.message(),
            request_id: None,
        };
        self.inner.subject.refused(operation, &said)
    }

    /// Failures as answers, after the successes.
    fn answers<T>(
        &self,
        operation: &'static str,
        succeeded: impl Iterator<Item = Answer<T>>,
        failed: &[BatchResultErrorEntry],
    ) -> Vec<Answer<T>> {
        let failed = failed.iter().map(|entry| Answer {
            id: entry.id().to_owned(),
            outcome: Err(self.refused(operation, entry)),
        });
        succeeded.chain(failed).collect()
    }

    /// One request; the answers to entries by their ids.
    async fn send_request(&self, entries: &[Outgoing<'_>]) -> Result<Vec<Answer<MessageId>>> {
        let Inner { subject, url, send, .. } = &*self.inner;
        let request = send.send_message_batch().queue_url(url);
        let request = request.set_entries(Some(entries.iter().map(Outgoing::entry).collect()));
        let answer = request.send().await.map_err(|error| from_sdk(&error, "send", subject))?;
        let succeeded = answer.successful().iter().map(|entry| Answer {
            id: entry.id().to_owned(),
            outcome: accepted(entry, entries, subject),
        });
        Ok(self.answers("send", succeeded, answer.failed()))
    }

    fn too_many<T>(&self, operation: &'static str, entries: usize) -> Option<Vec<Result<T>>> {
        let max = self.inner.limits.batch_entries;
        (entries > max).then(|| {
            let what = format!("{entries} entries in a batch, at most {max} are taken");
            let error = self.inner.subject.error(ErrorKind::Invalid, operation, what);
            refuse(entries, &error)
        })
    }
}

/// The URL and the limits of a queue of this account, or of the caller's.
async fn find(
    control: &Client,
    name: &str,
    account: Option<&str>,
    operation: &'static str,
    subject: &Subject,
) -> Result<(String, QueueLimits)> {
    let request = control.get_queue_url().queue_name(name);
    let account = account.map(str::to_owned);
    let found = request.set_queue_owner_aws_account_id(account).send().await;
    let found = found.map_err(|error| from_sdk(&error, operation, subject))?;
    let url = found.queue_url.ok_or_else(|| {
        subject.error(ErrorKind::Ambiguous, operation, "the answer has no queue URL")
    })?;
    match attributes(control, &url, &LIMITS, operation, subject).await {
        Ok(attributes) => Ok((url, limits(&attributes))),
        Err(error) if error.kind() == ErrorKind::Denied => {
            tracing::warn!(%error, "the queue's limits are unknown, those of a new one are used");
            Ok((url, QueueLimits::SQS))
        }
        Err(error) => Err(error),
    }
}

/// The outcome of an entry that SQS says it has.
fn accepted(
    entry: &SendMessageBatchResultEntry,
    sent: &[Outgoing<'_>],
    subject: &Subject,
) -> Result<MessageId> {
    let own = sent.iter().find(|sent| sent.id() == entry.id());
    let digests = Digests {
        body: Some(entry.md5_of_message_body()),
        attributes: entry.md5_of_message_attributes(),
    };
    let Some(part) = own.and_then(|own| own.damaged(digests)) else {
        return Ok(MessageId::new(entry.message_id()));
    };
    let what = format!("the message was damaged on its way: SQS has another MD5 of its {part}");
    Err(subject.error(ErrorKind::Ambiguous, "send", what))
}

#[async_trait]
impl Queue for SqsQueue {
    fn limits(&self) -> QueueLimits {
        self.inner.limits
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        let Inner { subject, limits, .. } = &*self.inner;
        if let Some(refused) = self.too_many("send", batch.len()) {
            return refused;
        }
        let sizes = batch.iter().map(Message::size).filter(|size| *size <= limits.message_bytes);
        let bytes: usize = sizes.sum();
        if bytes > limits.batch_bytes {
            let max = limits.batch_bytes;
            let what = format!("{bytes} bytes in a batch, at most {max} are taken");
            return refuse(batch.len(), &subject.error(ErrorKind::TooLarge, "send", what));
        }
        let (mut entries, mut answers) = (Vec::new(), Vec::new());
        for (index, message) in batch.iter().enumerate() {
            match outgoing(index, message, limits.message_bytes, subject) {
                Ok(entry) => entries.push(entry),
                Err(error) => answers.push(Answer { id: index.to_string(), outcome: Err(error) }),
            }
        }
        if !entries.is_empty() {
            match self.send_request(&entries).await {
                Ok(answered) => answers.extend(answered),
                // A rule that is not known here: each for itself, so that the one at fault does
                // not take the others with it.
                Err(error) if error.is_about_entry() && entries.len() > 1 => {
                    for entry in entries.chunks(1) {
                        let answer = self.send_request(entry).await;
                        answers.extend(answer.unwrap_or_else(|error| all_failed(entry, &error)));
                    }
                }
                Err(error) => answers.extend(all_failed(&entries, &error)),
            }
        }
        account("send", subject, batch.len(), answers)
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        use MessageSystemAttributeName::{ApproximateReceiveCount, SentTimestamp};
        let Inner { subject, limits, url, receive, .. } = &*self.inner;
        check(&request, limits, subject)?;
        let answer = receive
            .receive_message()
            .queue_url(url)
            // All three are within the limits just checked, which are far below `i32::MAX`.
            .max_number_of_messages(i32::try_from(request.max).unwrap_or(i32::MAX))
            .wait_time_seconds(whole_seconds(request.wait))
            .visibility_timeout(whole_seconds(request.visibility))
            .message_attribute_names("All")
            .message_system_attribute_names(SentTimestamp)
            .message_system_attribute_names(ApproximateReceiveCount)
            .send()
            .await
            .map_err(|error| from_sdk(&error, "receive", subject))?;
        let messages = answer.messages.unwrap_or_default();
        let received = messages.len();
        let deliveries: Vec<_> =
            messages.into_iter().filter_map(|message| incoming(message, subject)).collect();
        if deliveries.is_empty() && received > 0 {
            // An empty list would say that the queue is empty, and nobody would slow down.
            let what = format!("none of {received} messages arrived as it was sent");
            return Err(subject.error(ErrorKind::Ambiguous, "receive", what));
        }
        Ok(deliveries)
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        let Inner { subject, url, settle, .. } = &*self.inner;
        if receipts.is_empty() {
            return Vec::new();
        }
        if let Some(refused) = self.too_many("delete", receipts.len()) {
            return refused;
        }
        let entries = receipts.iter().enumerate().map(|(index, receipt)| {
            let entry = DeleteMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .receipt_handle(receipt.as_str());
            // Both required members are set.
            entry.build().expect("an id and a receipt")
        });
        let request = settle.delete_message_batch().queue_url(url);
        match request.set_entries(Some(entries.collect())).send().await {
            Ok(answer) => {
                let done = answer.successful().iter().map(|entry| Answer::done(entry.id()));
                let answers = self.answers("delete", done, answer.failed());
                account("delete", subject, receipts.len(), answers)
            }
            Err(error) => refuse(receipts.len(), &from_sdk(&error, "delete", subject)),
        }
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        const OPERATION: &str = "change_visibility";
        let Inner { subject, limits, url, settle, .. } = &*self.inner;
        if let Some(refused) = self.too_many(OPERATION, changes.len()) {
            return refused;
        }
        let (mut entries, mut answers) = (Vec::new(), Vec::new());
        for (index, (receipt, time)) in changes.iter().enumerate() {
            let id = index.to_string();
            if *time > limits.max_visibility {
                let max = limits.max_visibility;
                let what = format!("visibility {time:?}, at most {max:?} is allowed");
                let outcome = Err(subject.error(ErrorKind::Invalid, OPERATION, what));
                answers.push(Answer { id, outcome });
                continue;
            }
            let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                .id(id)
                .receipt_handle(receipt.as_str())
                .visibility_timeout(whole_seconds(*time));
            // Both required members are set.
            entries.push(entry.build().expect("an id and a receipt"));
        }
        if !entries.is_empty() {
            let ids: Vec<_> = entries.iter().map(|entry| entry.id().to_owned()).collect();
            let request = settle.change_message_visibility_batch().queue_url(url);
            match request.set_entries(Some(entries)).send().await {
                Ok(answer) => {
                    let done = answer.successful().iter().map(|entry| Answer::done(entry.id()));
                    answers.extend(self.answers(OPERATION, done, answer.failed()));
                }
                Err(error) => {
                    let error = from_sdk(&error, OPERATION, subject);
                    let failed = |id| Answer { id, outcome: Err(error.clone()) };
                    answers.extend(ids.into_iter().map(failed));
                }
            }
        }
        account(OPERATION, subject, changes.len(), answers)
    }

    async fn depth(&self) -> Result<Depth> {
        let Inner { subject, url, control, .. } = &*self.inner;
        let answer = attributes(control, url, &DEPTH, "depth", subject).await?;
        let count = |name| {
            number(&answer, name).ok_or_else(|| {
                let what = format!("the answer has no {name}");
                subject.error(ErrorKind::Ambiguous, "depth", what)
            })
        };
        let [visible, in_flight, delayed] = &DEPTH;
        Ok(Depth {
            visible: count(visible)?,
            in_flight: count(in_flight)?,
            delayed: count(delayed)?,
            // Only CloudWatch knows, minutes later.
            oldest: None,
        })
    }
}

fn check(request: &ReceiveRequest, limits: &QueueLimits, subject: &Subject) -> Result<()> {
    let ReceiveRequest { max, wait, visibility } = request;
    let what = if !(1..=limits.receive_max).contains(max) {
        format!("max is {max}, give 1 to {}", limits.receive_max)
    } else if *wait > limits.max_wait {
        format!("wait is {wait:?}, at most {:?} is allowed", limits.max_wait)
    } else if *visibility > limits.max_visibility {
        format!("visibility is {visibility:?}, at most {:?} is allowed", limits.max_visibility)
    } else {
        return Ok(());
    };
    Err(subject.error(ErrorKind::Invalid, "receive", what))
}

/// Rounded up: a message that is shown too early is worked on twice, and a poll that is asked to
/// wait a little must not become one that does not wait at all.
pub(crate) fn whole_seconds(time: Duration) -> i32 {
    let seconds = time.as_secs() + u64::from(time.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

fn all_failed(entries: &[Outgoing<'_>], error: &Error) -> Vec<Answer<MessageId>> {
    let failed =
        |entry: &Outgoing<'_>| Answer { id: entry.id().to_owned(), outcome: Err(error.clone()) };
    entries.iter().map(failed).collect()
}

impl fmt::Debug for SqsQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqsQueue")
            .field("url", &self.inner.url)
            .field("limits", &self.inner.limits)
            .finish_non_exhaustive()
    }
}
