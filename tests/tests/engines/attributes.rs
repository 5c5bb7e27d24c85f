//! Attributes that are not text.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use event_core::{AttributeValue, EventSource, Message, ObjectStore};
use event_mem::{MemQueue, MemStore, Replay};
use serde_json::Value;

use crate::support::{keys, run_until_drained, send, writer};

const TWO: &str =
    include_str!("../../data/cases/two-messages-that-differ-in-a-binary-attribute.json");

/// The entries of a batch to send, as SQS has them.
fn entries(json: &str) -> Vec<Message> {
    let value = |sent: &Value| -> AttributeValue {
        let data_type = sent["DataType"].as_str().unwrap().to_owned();
        let value: AttributeValue = match sent["StringValue"].as_str() {
            Some(text) => text.to_owned().into(),
            None => STANDARD.decode(sent["BinaryValue"].as_str().unwrap()).unwrap().into(),
        };
        value.with_type(data_type).unwrap()
    };
    let message = |entry: &Value| {
        let body = entry["MessageBody"].as_str().unwrap().to_owned();
        let attributes = entry["MessageAttributes"].as_object().unwrap().iter();
        let attributes = attributes.map(|(name, sent)| (name.clone(), value(sent))).collect();
        Message { attributes, ..Message::new(body) }
    };
    serde_json::from_str::<Vec<Value>>(json).unwrap().iter().map(message).collect()
}

#[tokio::test(start_paused = true)]
async fn messages_that_differ_in_a_binary_attribute_are_both_quarantined_and_read_again() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    let mut sent = entries(TWO);
    // The text that these bytes are written as, and the same bytes under a label.
    let other = |value: AttributeValue| sent[0].clone().with_attribute("trace", value);
    let label = AttributeValue::from(vec![1]).with_type("Binary.gif").unwrap();
    let others = [other("AQ==".into()), other(label)];
    sent.extend(others);
    send(&queue, &sent).await;
    let consumer = writer(Arc::new(queue.clone()), Arc::new(store.clone()));
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.quarantined), (4, 4));

    let mut lines = Vec::new();
    for key in keys(&store, "quarantine/").await {
        lines.extend(store.get(&key).await.unwrap().unwrap());
    }
    let mut replay = Replay::from_reader(std::io::Cursor::new(lines), "quarantine");
    let mut read = replay.next_batch(10).await.unwrap();
    let order = |message: &Message| format!("{:?}", message.attributes);
    read.sort_by_key(order);
    sent.sort_by_key(order);
    assert_eq!(read, sent);
}
