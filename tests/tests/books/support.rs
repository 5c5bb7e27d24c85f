//! Stores with events in both layouts.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use event_core::jiff::civil::date;
use event_core::retry::Retry;
use event_core::sink::QuarantineEntry;
use event_core::store::list_all;
use event_core::{
    BatchWriter, Bytes, Compression, Delivery, Handler, Layout, Message, MessageId, ObjectStore,
    Outcome, PutMode, PutOutcome, Quarantine, Reason, Receipt, Retail, Schema, Shutdown,
};
use event_mem::MemStore;

pub(crate) const SALES: &str = "store_events/event_type=sale_event/dt=2026_11_22";

/// A valid event of the sales of this day of November 2026, over two lines.
pub(crate) fn event(request_id: &str, day: u8) -> Message {
    let body = format!(
        r#"{{"request_id": "{request_id}", "store_id": 8, "cust_id": 538, "category": "Games",
        "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
        "variant": "black", "priority_shipping": true, "ts": "2026-11-{day}T22:16:48"}}"#
    );
    Message::new(body).with_attribute("event_type", "sale_event")
}

pub(crate) fn events(request_ids: &[&str]) -> Vec<Message> {
    request_ids.iter().map(|request_id| event(request_id, 22)).collect()
}

fn delivery(message: &Message) -> Delivery {
    Delivery {
        message: message.clone(),
        id: MessageId::new("id"),
        receipt: Receipt::new("receipt"),
        receive_count: 1,
        sent_at: SystemTime::UNIX_EPOCH,
        event: None,
    }
}

async fn handle(handler: impl Handler, messages: &[Message]) {
    let deliveries: Vec<_> = messages.iter().map(delivery).collect();
    let outcomes = handler.handle(&deliveries, &Shutdown::never()).await;
    assert_eq!(outcomes, vec![Outcome::Ack; messages.len()]);
}

/// A store with the manifest of the layout of many events in one object, plain.
pub(crate) async fn empty() -> MemStore {
    compressed(Compression::None).await
}

/// The same, compressed like this.
pub(crate) async fn compressed(compression: Compression) -> MemStore {
    let store = MemStore::new();
    let writer = writer(&store).compression(compression).unwrap();
    writer.open(&Shutdown::never()).await.unwrap();
    store
}

fn writer(store: &MemStore) -> BatchWriter {
    BatchWriter::new(Arc::new(store.clone()), Layout::default(), Arc::new(Retail::default()))
        .today(|| date(2026, 11, 22))
}

/// Stores these as one segment for each partition.
pub(crate) async fn batch(store: &MemStore, messages: &[Message]) {
    handle(writer(store), messages).await;
}

/// Stores each of these as an object of its own, whatever the layout of the prefix.
pub(crate) async fn singly(store: &MemStore, messages: &[Message]) {
    for message in messages {
        let key = Layout::default().event_key(&Retail::default().identify(message).unwrap());
        let put = store.put(&key, message.body.clone(), PutMode::Create);
        assert_eq!(put.await.unwrap(), PutOutcome::Written, "{key}");
    }
}

pub(crate) async fn quarantine(store: &MemStore, message: &Message, reason: &'static str) {
    put_aside_below(store, Layout::default(), message, reason).await;
}

/// In the quarantine of another prefix.
pub(crate) async fn put_aside_below(
    store: &MemStore,
    layout: Layout,
    message: &Message,
    reason: &'static str,
) {
    let quarantine = Quarantine::new(Arc::new(store.clone()), layout);
    put(quarantine, std::slice::from_ref(message), reason, SystemTime::UNIX_EPOCH).await;
}

/// Puts these into the log of the quarantine, as one segment of this day of November 2026.
pub(crate) async fn put_in_log(
    store: &MemStore,
    day: u64,
    messages: &[Message],
    reason: &'static str,
) {
    put_in_log_below(store, Layout::default(), day, messages, reason).await;
}

/// In the quarantine of another prefix.
pub(crate) async fn put_in_log_below(
    store: &MemStore,
    layout: Layout,
    day: u64,
    messages: &[Message],
    reason: &'static str,
) {
    const OCTOBER_31: u64 = 1_793_404_800;
    let sent_at = SystemTime::UNIX_EPOCH + Duration::from_secs(OCTOBER_31 + day * 86_400);
    put(Quarantine::log(Arc::new(store.clone()), layout), messages, reason, sent_at).await;
}

async fn put(
    quarantine: Quarantine,
    messages: &[Message],
    reason: &'static str,
    sent_at: SystemTime,
) {
    let reason = &Reason::new(reason, "on purpose");
    let entry = |message| QuarantineEntry { message, reason, sent_at };
    let entries: Vec<_> = messages.iter().map(entry).collect();
    let (retry, never) = (Retry::default(), Shutdown::never());
    for put in quarantine.put(&entries, &retry, &never).await {
        put.unwrap();
    }
}

pub(crate) async fn write(store: &MemStore, key: &str, body: impl Into<Bytes>) {
    store.put(key, body.into(), PutMode::Overwrite).await.unwrap();
}

pub(crate) async fn read(store: &MemStore, key: &str) -> String {
    let body = store.get(key).await.unwrap().unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

pub(crate) async fn delete(store: &MemStore, key: &str) {
    assert!(store.head(key).await.unwrap().is_some(), "{key}");
    store.delete(&[key.to_owned()]).await.remove(0).unwrap();
}

pub(crate) async fn keys(store: &MemStore, prefix: &str) -> Vec<String> {
    let objects = list_all(store, prefix).await.unwrap();
    objects.into_iter().map(|object| object.key).collect()
}
