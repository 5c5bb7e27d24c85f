//! The whole path on SQS and S3: what the suite does not hold against each of them alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use event_aws::{S3Store, SqsQueue};
use event_core::store::list_all;
use event_core::{
    Consumer, ConsumerOptions, Layout, Message, ObjectStore, Producer, Quarantine, Retail, Schema,
    Shutdown, StoreWriter, codec,
};
use event_mem::Scripted;

const CAPTURE: &str = include_str!("../../../tests/data/seed_messages.ndjson");

/// The capture of the original producer is sent, received, stored and deleted: 903 events byte
/// for byte, 97 quarantined, nothing else.
pub(crate) async fn the_capture_is_stored_byte_for_byte(queue: SqsQueue, store: S3Store) {
    let messages: Vec<Message> =
        CAPTURE.lines().map(|line| codec::decode_line(line.as_bytes()).unwrap()).collect();
    let (queue, store) = (Arc::new(queue), Arc::new(store));
    // A bucket of several tests: each below a prefix of its own.
    let layout = Layout::new("path/store_events").unwrap();
    let quarantine = Quarantine::new(store.clone(), layout.clone());
    let writer = StoreWriter::new(store.clone(), layout.clone(), Arc::new(Retail::default()));
    let options = ConsumerOptions { total: Some(1000), ..ConsumerOptions::default() };
    let consumer = Consumer::new(queue.clone(), Arc::new(writer), quarantine).options(options);
    let producer = Producer::new(queue.clone(), Scripted::new(messages.clone()));

    let (sent, report) =
        tokio::join!(producer.run(Shutdown::never()), consumer.run(Shutdown::never()));
    assert_eq!(sent.unwrap().sent, 1000);
    let report = report.unwrap();
    assert_eq!((report.acknowledged, report.quarantined, report.deleted), (903, 97, 1000));

    let mut expected: BTreeMap<_, _> = messages
        .iter()
        .filter_map(|message| {
            let event = Retail::default().identify(message).ok()?;
            Some((layout.event_key(&event), message.body.clone()))
        })
        .collect();
    for object in list_all(&*store, "path/store_events/event_type=").await.unwrap() {
        let body = store.get(&object.key).await.unwrap();
        assert_eq!(body, expected.remove(&object.key), "{}", object.key);
    }
    assert_eq!(expected.len(), 0, "events that were not stored");
    assert_eq!(list_all(&*store, "quarantine/").await.unwrap().len(), 97);
}
