//! The [JSON protocol](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html)
//! of SQS.

mod attributes;
mod digest;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use event_core::{Delivery, Error, ErrorKind, Message, MessageId, Queue, Receipt, ReceiveRequest};
use hyper::StatusCode;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::answer::{Answer, Fault, json};
use super::{NamedQueue, State};
use wire::{
    Accepted, Batch, Changed, Deleted, Failed, GetAttributes, GetUrl, Outcomes, Outgoing,
    QueueAttributes, Receive, Received, Send, SystemAttributes, Url,
};

type Result<T> = std::result::Result<T, Fault>;

pub(super) async fn answer(
    state: &State,
    operation: &str,
    body: &[u8],
    address: SocketAddr,
) -> Answer {
    let call = Call { state, body, address };
    let answer = match operation {
        refused if state.refuses(refused) => {
            let message = format!("{refused} is refused");
            Err(Fault::new(StatusCode::BAD_REQUEST, "InvalidParameterValue", message))
        }
        "ReceiveMessage" => call.receive().await,
        "DeleteMessageBatch" => call.delete().await,
        "SendMessageBatch" => call.send_batch().await,
        "SendMessage" => call.send().await,
        "ChangeMessageVisibilityBatch" => call.change_visibility().await,
        "GetQueueUrl" => call.queue_url(),
        "GetQueueAttributes" => call.queue_attributes().await,
        other => Err(Fault::unknown(format_args!("the operation {other:?} of SQS"))),
    };
    answer.unwrap_or_else(|fault| fault.json())
}

struct Call<'a> {
    state: &'a State,
    body: &'a [u8],
    address: SocketAddr,
}

impl Call<'_> {
    fn read<T: DeserializeOwned>(&self, operation: &'static str) -> Result<T> {
        self.state.counts().add(operation);
        serde_json::from_slice(self.body).map_err(|error| {
            let message = format!("{operation} is not as this server knows it: {error}");
            Fault::new(StatusCode::BAD_REQUEST, "SerializationException", message)
        })
    }

    /// The queue of a URL that ends in its name.
    fn queue(&self, url: &str) -> Result<Arc<NamedQueue>> {
        let name = url.rsplit('/').next().unwrap_or(url);
        self.state.named(name).ok_or_else(|| missing(name))
    }

    async fn receive(&self) -> Result<Answer> {
        let request: Receive = self.read("ReceiveMessage")?;
        if !asks_for_all(&request.message_attribute_names) {
            return Err(Fault::unknown("a receive without all message attributes"));
        }
        let queue = self.queue(&request.queue_url)?;
        let limits = &queue.options.limits;
        let deliveries = queue.queue.receive(ReceiveRequest {
            max: request.max_number_of_messages.unwrap_or(1),
            wait: Duration::from_secs(request.wait_time_seconds.unwrap_or(0)),
            visibility: request.visibility_timeout.map_or(limits.visibility, Duration::from_secs),
        });
        let deliveries = deliveries.await.map_err(|error| fault(&error))?;
        let messages = deliveries.iter().map(received).collect::<Option<Vec<_>>>();
        let messages = messages.ok_or_else(|| Fault::unknown("a body that is not UTF-8"))?;
        Ok(ok(&Received { messages }))
    }

    async fn send_batch(&self) -> Result<Answer> {
        let batch: Batch<Outgoing> = self.read("SendMessageBatch")?;
        let queue = self.queue(&batch.queue_url)?;
        let mut outcomes = Outcomes::default();
        let mut ids = Vec::with_capacity(batch.entries.len());
        let mut messages = Vec::with_capacity(batch.entries.len());
        for entry in batch.entries {
            let message = entry.message;
            if message.delay_seconds.is_some() {
                return Err(Fault::unknown("the delay of a single message"));
            }
            messages.push(message.into_message()?);
            ids.push(entry.id);
        }
        self.state.sent().add(&messages, SystemTime::now());
        let answers = queue.queue.send(&messages).await;
        for ((id, message), answer) in ids.into_iter().zip(&messages).zip(answers) {
            match answer {
                Ok(message_id) => {
                    outcomes.successful.push(accepted(Some(id), message, &message_id));
                }
                Err(error) => outcomes.failed.push(failed(id, &error)),
            }
        }
        Ok(ok(&outcomes))
    }

    async fn send(&self) -> Result<Answer> {
        let request: Send = self.read("SendMessage")?;
        let queue = self.queue(&request.queue_url)?;
        if request.message.delay_seconds.is_some() {
            return Err(Fault::unknown("the delay of a single message"));
        }
        let messages = [request.message.into_message()?];
        self.state.sent().add(&messages, SystemTime::now());
        let [message] = &messages;
        match queue.queue.send(&messages).await.remove(0) {
            Ok(id) => Ok(ok(&accepted(None, message, &id))),
            Err(error) => Err(fault(&error)),
        }
    }

    async fn delete(&self) -> Result<Answer> {
        let batch: Batch<Deleted> = self.read("DeleteMessageBatch")?;
        let queue = self.queue(&batch.queue_url)?;
        let (ids, receipts): (Vec<_>, Vec<_>) = batch
            .entries
            .into_iter()
            .map(|entry| (entry.id, Receipt::new(entry.receipt_handle)))
            .unzip();
        Ok(outcomes(ids, queue.queue.delete(&receipts).await))
    }

    async fn change_visibility(&self) -> Result<Answer> {
        let batch: Batch<Changed> = self.read("ChangeMessageVisibilityBatch")?;
        let queue = self.queue(&batch.queue_url)?;
        let (ids, changes): (Vec<_>, Vec<_>) = batch
            .entries
            .into_iter()
            .map(|entry| {
                let time = Duration::from_secs(entry.visibility_timeout);
                (entry.id, (Receipt::new(entry.receipt_handle), time))
            })
            .unzip();
        Ok(outcomes(ids, queue.queue.change_visibility(&changes).await))
    }

    fn queue_url(&self) -> Result<Answer> {
        let request: GetUrl = self.read("GetQueueUrl")?;
        let queue = self.queue(&request.queue_name)?;
        let url = format!("http://{}/{}/{}", self.address, attributes::ACCOUNT, queue.name);
        Ok(ok(&Url { queue_url: url }))
    }

    async fn queue_attributes(&self) -> Result<Answer> {
        let request: GetAttributes = self.read("GetQueueAttributes")?;
        let queue = self.queue(&request.queue_url)?;
        let depth = queue.queue.depth().await.map_err(|error| fault(&error))?;
        let attributes = attributes::of(&queue, &depth, &request.attribute_names);
        Ok(ok(&QueueAttributes { attributes }))
    }
}

/// What every client here asks for, and what `All` is in the requests of older ones.
fn asks_for_all(names: &[String]) -> bool {
    names.iter().any(|name| name == "All" || name == ".*")
}

fn received(delivery: &Delivery) -> Option<wire::Incoming<'_>> {
    let Delivery { message, id, receipt, receive_count, sent_at, .. } = delivery;
    let sent = sent_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let attributes = &message.attributes;
    Some(wire::Incoming {
        message_id: id.as_str(),
        receipt_handle: receipt.as_str(),
        md5_of_body: digest::of_body(&message.body),
        body: std::str::from_utf8(&message.body).ok()?,
        attributes: SystemAttributes {
            approximate_receive_count: receive_count.to_string(),
            sent_timestamp: sent.as_millis().to_string(),
        },
        md5_of_message_attributes: digest::of_attributes(attributes),
        message_attributes: attributes.iter().map(|(name, value)| (name, value.into())).collect(),
    })
}

fn accepted(id: Option<String>, message: &Message, message_id: &MessageId) -> Accepted {
    Accepted {
        id,
        message_id: message_id.as_str().to_owned(),
        md5_of_message_body: digest::of_body(&message.body),
        md5_of_message_attributes: digest::of_attributes(&message.attributes),
    }
}

fn outcomes(ids: Vec<String>, answers: Vec<event_core::Result<()>>) -> Answer {
    let mut outcomes = Outcomes::default();
    for (id, answer) in ids.into_iter().zip(answers) {
        match answer {
            Ok(()) => outcomes.successful.push(wire::Done { id }),
            Err(error) => outcomes.failed.push(failed(id, &error)),
        }
    }
    ok(&outcomes)
}

fn failed(id: String, error: &Error) -> Failed {
    let Fault { code, message, .. } = fault(error);
    Failed { id, code, message, sender_fault: true }
}

/// A queue in memory refuses what is wrong, and nothing else.
fn fault(error: &Error) -> Fault {
    let code = match error.kind() {
        ErrorKind::TooLarge => "BatchRequestTooLong",
        ErrorKind::Throttled => "OverLimit",
        _ => "InvalidParameterValue",
    };
    Fault::new(StatusCode::BAD_REQUEST, code, error.to_string())
}

fn missing(name: &str) -> Fault {
    let message = format!("the queue {name} does not exist");
    Fault::new(StatusCode::BAD_REQUEST, "QueueDoesNotExist", message)
}

fn ok(body: &impl Serialize) -> Answer {
    json(StatusCode::OK, body)
}
