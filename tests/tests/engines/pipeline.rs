//! The whole path: the capture of the original producer, and competing replicas.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event_core::schema::retail::Event;
use event_core::{ConsumerOptions, Message, ObjectStore, Producer, Queue, Shutdown, codec};
use event_mem::{
    Duplicates, MemQueue, MemQueueOptions, MemStore, Replay, Shared, Synthetic, SyntheticOptions,
};

use crate::support::{keys, run_until_drained, send, spawn, writer};

fn capture() -> Vec<Message> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/data/seed_messages.ndjson");
    let text = std::fs::read(path).unwrap();
    text.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| codec::decode_line(line).unwrap())
        .collect()
}

/// Bodies by identity, of what is stored.
async fn stored(store: &MemStore) -> BTreeMap<String, String> {
    let mut events = BTreeMap::new();
    for key in keys(store, "store_events/event_type=").await {
        let body = store.get(&key).await.unwrap().unwrap();
        let kind =
            if key.contains("event_type=sale_event/") { "sale_event" } else { "inventory_event" };
        let message = Message::new(body).with_attribute("event_type", kind);
        let id = Event::parse(&message).unwrap().request_id.into_owned();
        assert!(key.ends_with(&format!("/{id}.json")), "{key}");
        let body = String::from_utf8(message.body.to_vec()).unwrap();
        assert!(events.insert(id, body).is_none(), "{key} is stored twice");
    }
    events
}

#[tokio::test(start_paused = true)]
async fn the_capture_of_the_reference_is_stored_byte_for_byte_and_its_bad_events_put_aside() {
    let (queue, store, messages) = (MemQueue::default(), MemStore::new(), capture());
    send(&queue, &messages).await;
    let consumer = writer(Arc::new(queue.clone()), Arc::new(store.clone()));
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.acknowledged, report.quarantined, report.duplicates), (903, 97, 0));

    let count = async |prefix: &str| keys(&store, prefix).await.len();
    assert_eq!(count("store_events/event_type=sale_event/dt=2026_11_22/").await, 458);
    assert_eq!(count("store_events/event_type=inventory_event/dt=2026_11_22/").await, 445);
    assert_eq!(count("quarantine/store_events/reason=bad_msg/").await, 97);

    let stored = stored(&store).await;
    let mut cents = 0;
    for message in &messages {
        if let Ok(event) = Event::parse(message) {
            assert_eq!(stored[&*event.request_id].as_bytes(), message.body);
            cents += (event.price * 100.0).round() as u64;
        }
    }
    assert_eq!(cents, 4_702_046);

    send(&queue, &messages).await;
    let consumer = writer(Arc::new(queue.clone()), Arc::new(store.clone()));
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.acknowledged, report.quarantined, report.duplicates), (0, 97, 903));
    assert_eq!((count("store_events/event_type=").await, count("quarantine/").await), (903, 97));
}

#[tokio::test(start_paused = true)]
async fn four_replicas_a_side_with_duplicates_store_each_event_once() {
    let queue = MemQueue::new(MemQueueOptions {
        delay: Duration::from_secs(2),
        ..MemQueueOptions::default()
    });
    let store = MemStore::new();
    let synthetic = Synthetic::new(SyntheticOptions { seed: 42, ..SyntheticOptions::default() });
    let source = Shared::new(Duplicates::new(synthetic.unwrap(), 0.2, 7).unwrap());

    let (stop, shutdown) = Shutdown::new();
    let consumers: Vec<_> = (0..4)
        .map(|_| spawn(writer(Arc::new(queue.clone()), Arc::new(store.clone())), &shutdown))
        .collect();
    let producers: Vec<_> = (0..4)
        .map(|_| {
            let options = event_core::ProducerOptions {
                total: Some(2500),
                ..event_core::ProducerOptions::default()
            };
            let producer = Producer::new(Arc::new(queue.clone()), source.clone()).options(options);
            tokio::spawn(producer.run(Shutdown::never()))
        })
        .collect();
    for producer in producers {
        assert_eq!(producer.await.unwrap().unwrap().sent, 2500);
    }
    queue.drained().await;
    stop.shutdown();
    let (mut acknowledged, mut duplicates, mut quarantined) = (0, 0, 0);
    for consumer in consumers {
        let report = consumer.await.unwrap();
        acknowledged += report.acknowledged;
        duplicates += report.duplicates;
        quarantined += report.quarantined;
    }
    assert_eq!(acknowledged + duplicates + quarantined, 10_000);
    assert_eq!(stored(&store).await.len() as u64, acknowledged);
    // A fifth of 10,000 repeat a message, of which nine in ten are valid.
    assert!((1500..2100).contains(&duplicates), "{duplicates} duplicates");
    assert!((800..1200).contains(&quarantined), "{quarantined} quarantined");
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_can_be_replayed_as_it_is() {
    let (queue, store, messages) = (MemQueue::default(), MemStore::new(), capture());
    send(&queue, &messages).await;
    run_until_drained(writer(Arc::new(queue.clone()), Arc::new(store.clone())), &queue).await;
    let mut lines = Vec::new();
    for key in keys(&store, "quarantine/").await {
        lines.extend(store.get(&key).await.unwrap().unwrap());
    }
    let replay = Replay::from_reader(std::io::Cursor::new(lines), "quarantine");
    let report =
        Producer::new(Arc::new(queue.clone()), replay).run(Shutdown::never()).await.unwrap();
    assert_eq!(report.sent, 97);
    let mut again = Vec::new();
    let mut bad: Vec<_> =
        messages.into_iter().filter(|message| Event::parse(message).is_err()).collect();
    loop {
        let deliveries = queue.receive(crate::support::AT_ONCE).await.unwrap();
        if deliveries.is_empty() {
            break;
        }
        again.extend(deliveries.into_iter().map(|delivery| delivery.message));
    }
    let by_body = |message: &Message| message.body.clone();
    again.sort_by_key(by_body);
    bad.sort_by_key(by_body);
    assert_eq!(again, bad);
}

#[tokio::test(start_paused = true)]
async fn a_message_is_stored_within_milliseconds_of_its_arrival() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    let (stop, shutdown) = Shutdown::new();
    let consumer = writer(Arc::new(queue.clone()), Arc::new(store.clone()));
    let running = spawn(consumer.options(ConsumerOptions::default()), &shutdown);
    for message in capture().iter().take(50) {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let count = async || {
            let keys = keys(&store, "").await;
            keys.iter().filter(|key| !key.ends_with("/_manifest.json")).count()
        };
        let before = count().await;
        send(&queue, std::slice::from_ref(message)).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
        assert_eq!(count().await, before + 1);
    }
    stop.shutdown();
    running.await.unwrap();
}
