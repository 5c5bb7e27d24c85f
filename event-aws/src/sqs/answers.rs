//! Batches of any entries against a service that answers them in any order, or some of them: each
//! entry has the outcome that the service gave to what it holds.

use std::sync::Mutex;

use event_core::AttributeValue;
use fastrand::Rng;
use md5::{Digest, Md5};
use serde_json::{Value, json};

use super::*;
use crate::fake::answering;

/// A queue of a service that answers requests to it so, by operation.
async fn queue(answer: impl Fn(&str, &Value) -> Value + Send + Sync + 'static) -> SqsQueue {
    let aws = answering(move |request| {
        let operation = request.header("x-amz-target").unwrap().rsplit('.').next().unwrap();
        let answer = match operation {
            "GetQueueUrl" => json!({"QueueUrl": "http://127.0.0.1:1/0/orders"}),
            "GetQueueAttributes" => json!({"Attributes": {"MaximumMessageSize": "1024"}}),
            operation => answer(operation, &serde_json::from_str(&request.body).unwrap()),
        };
        (answer.to_string(), Vec::new())
    });
    SqsQueue::connect(&aws, "orders").await.unwrap()
}

/// What the service does with an entry, by the text in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Failed,
    Silent,
    /// Done with other bytes than were sent.
    Damaged,
}

fn fate(text: &str) -> Fate {
    let sum: usize = text.bytes().map(usize::from).sum();
    [Fate::Done, Fate::Failed, Fate::Done, Fate::Silent, Fate::Done, Fate::Damaged][sum % 6]
}

fn kind<T>(outcome: &Result<T>) -> Option<ErrorKind> {
    outcome.as_ref().err().map(Error::kind)
}

fn expected(text: &str) -> Option<ErrorKind> {
    match fate(text) {
        Fate::Done => None,
        Fate::Failed => Some(ErrorKind::Transient),
        Fate::Silent | Fate::Damaged => Some(ErrorKind::Ambiguous),
    }
}

fn md5(text: &str) -> String {
    Md5::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The answer to a batch, its entries in any order; `done` makes the entry of a success.
fn answer(request: &Value, field: &str, done: impl Fn(&Value) -> Option<Value>) -> Value {
    let mut entries = request["Entries"].as_array().unwrap().clone();
    fastrand::shuffle(&mut entries);
    let (mut successful, mut failed) = (Vec::new(), Vec::new());
    for entry in entries {
        let text = entry[field].as_str().unwrap();
        match (fate(text), done(&entry)) {
            (Fate::Silent, _) => {}
            (Fate::Done | Fate::Damaged, Some(done)) => successful.push(done),
            _ => failed.push(json!({
                "Id": entry["Id"], "Code": "InternalError", "SenderFault": false
            })),
        }
    }
    json!({"Successful": successful, "Failed": failed})
}

#[tokio::test]
async fn each_message_of_a_send_has_its_own_outcome() {
    let queue = queue(|operation, request| {
        assert_eq!(operation, "SendMessageBatch");
        answer(request, "MessageBody", |entry| {
            let body = entry["MessageBody"].as_str().unwrap();
            // Of one that is damaged, the digest is that of others that are not.
            let there = if fate(body) == Fate::Damaged { "{}" } else { body };
            let id = format!("m{body}");
            Some(json!({"Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": md5(there)}))
        })
    })
    .await;
    for seed in 0..200 {
        let rng = &mut Rng::with_seed(seed);
        let bodies: Vec<_> = (0..rng.usize(1..=10))
            .map(|_| match rng.u8(..8) {
                0 => String::new(),
                1 => "x".repeat(1025),
                2 => "{}".to_owned(),
                _ => rng.u16(..).to_string(),
            })
            .collect();
        let messages: Vec<_> = bodies.iter().cloned().map(Message::new).collect();
        let outcomes = queue.send(&messages).await;
        assert_eq!(outcomes.len(), bodies.len());
        for (body, outcome) in bodies.iter().zip(outcomes) {
            let expected = match body.len() {
                0 => Some(ErrorKind::Invalid),
                1025 => Some(ErrorKind::TooLarge),
                _ => expected(body),
            };
            assert_eq!(kind(&outcome), expected, "{body} of seed {seed}");
            if let Ok(id) = outcome {
                assert_eq!(id.as_str(), format!("m{body}"));
            }
        }
    }
}

#[tokio::test]
async fn each_receipt_of_a_delete_has_its_own_outcome() {
    let queue = queue(|operation, request| {
        assert_eq!(operation, "DeleteMessageBatch");
        answer(request, "ReceiptHandle", |entry| Some(json!({"Id": entry["Id"]})))
    })
    .await;
    for seed in 0..200 {
        let rng = &mut Rng::with_seed(seed);
        let receipts: Vec<_> = (0..rng.usize(1..=10)).map(|_| rng.u16(..).to_string()).collect();
        let sent: Vec<_> = receipts.iter().map(|receipt| Receipt::new(&**receipt)).collect();
        let outcomes = queue.delete(&sent).await;
        let kinds: Vec<_> = outcomes.iter().map(kind).collect();
        let damage_is_none = |receipt: &String| match fate(receipt) {
            Fate::Damaged => None,
            _ => expected(receipt),
        };
        let expected: Vec<_> = receipts.iter().map(damage_is_none).collect();
        assert_eq!(kinds, expected, "{receipts:?}");
    }
}

#[tokio::test]
async fn each_receipt_is_hidden_for_its_own_time() {
    let queue = queue(|operation, request| {
        assert_eq!(operation, "ChangeMessageVisibilityBatch");
        answer(request, "ReceiptHandle", |entry| {
            let receipt = entry["ReceiptHandle"].as_str().unwrap();
            let secs = receipt.split_once('-').unwrap().1;
            let is_own = entry["VisibilityTimeout"].as_u64() == secs.parse().ok();
            is_own.then(|| json!({"Id": entry["Id"]}))
        })
    })
    .await;
    for seed in 0..200 {
        let rng = &mut Rng::with_seed(seed);
        let changes: Vec<_> = (0..rng.usize(1..=10))
            .map(|_| {
                let secs = if rng.u8(..4) == 0 { 43_201 } else { rng.u64(0..43_200) };
                (format!("{}-{secs}", rng.u16(..)), Duration::from_secs(secs))
            })
            .collect();
        let sent: Vec<_> =
            changes.iter().map(|(receipt, time)| (Receipt::new(&**receipt), *time)).collect();
        let outcomes = queue.change_visibility(&sent).await;
        assert_eq!(outcomes.len(), changes.len());
        for ((receipt, time), outcome) in changes.iter().zip(&outcomes) {
            let expected = match fate(receipt) {
                _ if time.as_secs() > 43_200 => Some(ErrorKind::Invalid),
                Fate::Damaged => None,
                _ => expected(receipt),
            };
            assert_eq!(kind(outcome), expected, "{receipt} of seed {seed}");
        }
    }
}

/// The bound on a batch counts what SQS counts: attributes with their names and types.
#[tokio::test]
async fn a_batch_is_as_large_as_its_messages_with_their_attributes() {
    let queue = queue(|_, request| {
        answer(request, "MessageBody", |entry| {
            let digest = md5(entry["MessageBody"].as_str().unwrap());
            Some(json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": digest}))
        })
    })
    .await;
    for value in [1, 400, 505, 506, 507, 600] {
        let message = Message::new("0").with_attribute("a", "v".repeat(value));
        let batch = [message.clone(), message];
        let bytes: usize = batch.iter().map(Message::size).sum();
        let kinds: Vec<_> = queue.send(&batch).await.iter().map(kind).collect();
        let expected = (bytes > 1024).then_some(ErrorKind::TooLarge);
        assert_eq!(kinds, [expected; 2], "{bytes} bytes");
    }
}

#[tokio::test]
async fn messages_are_received_as_they_were_sent() {
    let sent = Mutex::new(Vec::new());
    let queue = queue(move |operation, request| {
        let mut sent = sent.lock().unwrap();
        if operation == "ReceiveMessage" {
            let message = |entry: Value| {
                let body = entry["MessageBody"].as_str().unwrap();
                let mut message = json!({"MessageId": "m", "ReceiptHandle": "r", "Body": body});
                message["Attributes"] = json!({"SentTimestamp": "1"});
                message["MD5OfBody"] = md5(body).into();
                if let Some(attributes) = entry.get("MessageAttributes") {
                    message["MessageAttributes"] = attributes.clone();
                }
                message
            };
            let messages: Vec<_> = sent.drain(..).map(message).collect();
            return json!({"Messages": messages});
        }
        let entries = request["Entries"].as_array().unwrap();
        let accepted = entries.iter().map(|entry| {
            let digest = md5(entry["MessageBody"].as_str().unwrap());
            json!({"Id": entry["Id"], "MessageId": "m", "MD5OfMessageBody": digest})
        });
        sent.extend(entries.iter().cloned());
        json!({"Successful": accepted.collect::<Vec<_>>()})
    })
    .await;
    const NAMES: [&str; 6] = ["a", "A", "a.b", "a-b", "aa", "event_type"];
    const TEXTS: [&str; 8] = ["a", "A", "a ", " a", "\u{e9}", "e\u{301}", "a\nb", "\"<&"];
    for seed in 0..200 {
        let rng = &mut Rng::with_seed(seed);
        let mut message = || {
            let mut message = Message::new(TEXTS[rng.usize(..TEXTS.len())]);
            for _ in 0..rng.usize(..4) {
                let value = match rng.u8(..4) {
                    0 => AttributeValue::from(vec![rng.u8(..), 255]),
                    _ => TEXTS[rng.usize(..TEXTS.len())].into(),
                };
                message = message.with_attribute(NAMES[rng.usize(..NAMES.len())], value);
            }
            message
        };
        let batch: Vec<_> = (0..5).map(|_| message()).collect();
        assert!(queue.send(&batch).await.iter().all(Result::is_ok));
        let limits = queue.limits();
        let request =
            ReceiveRequest { max: 10, wait: Duration::ZERO, visibility: limits.visibility };
        let received = queue.receive(request).await.unwrap();
        let received: Vec<_> = received.into_iter().map(|delivery| delivery.message).collect();
        assert_eq!(received, batch, "seed {seed}");
    }
}
