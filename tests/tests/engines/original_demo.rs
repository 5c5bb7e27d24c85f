//! The five mistakes of the original consumer, each a test here.

use std::sync::Arc;
use std::time::Duration;

use event_core::{ConsumerOptions, ObjectStore, Queue, Shutdown};
use event_mem::{MemQueue, MemStore};
use event_tests::Faulty;
use tokio::time::{Instant, sleep};

use crate::support::{
    Log, body, events, keys, options, run_until_drained, sale, send, spawn, transient, writer,
};

/// The original demo swallows a failed put and deletes the message all the same.
#[tokio::test(start_paused = true)]
async fn a_failed_put_never_leads_to_a_delete() {
    let (queue, memory) = (MemQueue::default(), MemStore::new());
    send(&queue, &events(20)).await;
    let store =
        Faulty::new(memory.clone(), |call| (call.operation == "put").then(|| transient("put")));
    let (stop, shutdown) = Shutdown::new();
    let running =
        spawn(writer(Arc::new(queue.clone()), Arc::new(store)).options(options()), &shutdown);
    sleep(Duration::from_secs(3600)).await;
    assert_eq!(queue.depth().await.unwrap().total(), 20, "a message was deleted");
    stop.shutdown();
    let report = running.await.unwrap();
    assert_eq!((report.deleted, report.released), (0, 20));
    assert_eq!(queue.depth().await.unwrap().visible, 20, "what is not done must be free at once");

    let report =
        run_until_drained(writer(Arc::new(queue.clone()), Arc::new(memory.clone())), &queue).await;
    assert_eq!(report.acknowledged, 20);
    assert_eq!(keys(&memory, "store_events/event_type=").await.len(), 20);
}

/// The original demo names objects by the clock, so that two pods overwrite each other.
#[tokio::test(start_paused = true)]
async fn two_pods_at_the_same_instant_overwrite_nothing() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    // On paused time, all of this happens at one instant.
    send(&queue, &events(500)).await;
    let (stop, shutdown) = Shutdown::new();
    let pods: Vec<_> = (0..2)
        .map(|_| spawn(writer(Arc::new(queue.clone()), Arc::new(store.clone())), &shutdown))
        .collect();
    queue.drained().await;
    stop.shutdown();
    let mut acknowledged = Vec::new();
    for pod in pods {
        acknowledged.push(pod.await.unwrap().acknowledged);
    }
    assert_eq!(acknowledged.iter().sum::<u64>(), 500);
    assert!(
        acknowledged.iter().all(|&count| count > 0),
        "both pods must take part: {acknowledged:?}"
    );
    assert_eq!(keys(&store, "store_events/event_type=").await.len(), 500);
    for id in 0..500 {
        let key = format!("store_events/event_type=sale_event/dt=2026_11_22/{id}.json");
        assert_eq!(store.get(&key).await.unwrap().unwrap(), body(&id.to_string()));
    }
}

/// The backoff of the original demo never starts again after a message.
#[tokio::test(start_paused = true)]
async fn a_message_resets_the_polling_backoff() {
    let (queue, polls, start) = (MemQueue::default(), Log::new(), Instant::now());
    let log = polls.clone();
    let counted = Faulty::new(queue.clone(), move |call| {
        if call.operation == "receive" {
            log.push(start.elapsed().as_secs());
        }
        None
    });
    let consumer = writer(Arc::new(counted), Arc::new(MemStore::new())).options(ConsumerOptions {
        wait: Duration::ZERO,
        idle_backoff: Some(Duration::from_secs(2)),
        ..options()
    });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    sleep(Duration::from_secs(29)).await;
    send(&queue, &events(1)).await;
    sleep(Duration::from_secs(8)).await;
    stop.shutdown();
    running.await.unwrap();
    // Empty at 0, 2, 6 and 14; the message is found at 30, and the next wait is 2 s again.
    assert_eq!(polls.entries(), [0, 2, 6, 14, 30, 30, 32, 36]);
}

/// One message that cannot be decoded ends the pod of the original demo.
#[tokio::test(start_paused = true)]
async fn one_undecodable_message_harms_nothing_beside_it() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    let mut batch = events(9);
    batch.insert(4, sale("{\"request_id\": "));
    send(&queue, &batch).await;
    let report =
        run_until_drained(writer(Arc::new(queue.clone()), Arc::new(store.clone())), &queue).await;
    assert_eq!((report.received, report.acknowledged, report.quarantined), (10, 9, 1));
    assert_eq!(keys(&store, "store_events/event_type=").await.len(), 9);
    assert_eq!(keys(&store, "quarantine/store_events/reason=not_json/").await.len(), 1);
}

/// The original demo stores bad events beside good ones.
#[tokio::test(start_paused = true)]
async fn bad_events_are_quarantined_whole_and_never_stored_beside_good_ones() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    let marked = body("bad").replace("\"store_id\": 8, ", "").replace('}', ", \"bad_msg\": true}");
    send(&queue, &[sale(body("good")), sale(marked.clone())]).await;
    run_until_drained(writer(Arc::new(queue.clone()), Arc::new(store.clone())), &queue).await;
    let stored = keys(&store, "store_events/event_type=").await;
    assert_eq!(stored, ["store_events/event_type=sale_event/dt=2026_11_22/good.json"]);
    let quarantine = keys(&store, "quarantine/").await;
    assert_eq!(quarantine.len(), 1);
    assert!(quarantine[0].starts_with("quarantine/store_events/reason=bad_msg/"));
    let line = store.get(&quarantine[0]).await.unwrap().unwrap();
    assert_eq!(event_core::codec::decode_line(&line).unwrap(), sale(marked));
}
