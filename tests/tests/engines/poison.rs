//! Messages on which a handler panics again and again.

use std::sync::Arc;
use std::time::Duration;

use event_core::{
    ConsumerOptions, Delivery, Error, ErrorKind, ObjectStore, Outcome, Queue, Shutdown,
};
use event_mem::{MemQueue, MemStore};
use event_tests::Faulty;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::support::{
    Each, INSTANTLY, Log, body, consumer, events, keys, options, run_until_drained, sale, send,
    spawn, transient,
};

/// A handler that panics on the event `3` and acknowledges every other; and when it panicked.
fn panics_on_3() -> (Each<impl Fn(&Delivery) -> Outcome>, Log<Duration>) {
    let (panics, start) = (Log::new(), Instant::now());
    let log = panics.clone();
    let outcome = move |delivery: &Delivery| {
        if delivery.message.body == body("3") {
            log.push(start.elapsed());
            panic!("no stock of 3");
        }
        Outcome::Ack
    };
    (Each { takes: INSTANTLY, outcome }, panics)
}

#[tokio::test(start_paused = true)]
async fn a_poison_on_a_queue_without_a_dead_letter_queue_is_quarantined_in_the_end() {
    for max_panics in [1, 2, 10] {
        let (queue, store) = (MemQueue::default(), MemStore::new());
        send(&queue, &events(20)).await;
        let (handler, panics) = panics_on_3();
        let consumer = consumer(Arc::new(queue.clone()), handler, Arc::new(store.clone()));
        let consumer = consumer.options(ConsumerOptions { max_panics, ..options() });
        let report = run_until_drained(consumer, &queue).await;
        assert_eq!((report.acknowledged, report.quarantined, report.deleted), (19, 1, 20));
        assert_eq!(report.released, u64::from(max_panics) - 1);
        // In company once, and then alone at each receive.
        assert_eq!(panics.entries().len() as u32, 1 + max_panics);
        let there = keys(&store, "quarantine/store_events/reason=panicked/").await;
        assert_eq!(there.len(), 1, "{there:?}");
        let line = store.get(&there[0]).await.unwrap().unwrap();
        assert_eq!(event_core::codec::decode_line(&line).unwrap(), sale(body("3")));
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert!(line.to_string().contains("no stock of 3"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_panicked_alone_comes_back_after_its_visibility_timeout_and_not_before() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    send(&queue, &[sale(body("3"))]).await;
    let (handler, panics) = panics_on_3();
    let visibility = Some(Duration::from_secs(70));
    let consumer = consumer(Arc::new(queue.clone()), handler, Arc::new(store));
    let consumer = consumer.options(ConsumerOptions { visibility, max_panics: 3, ..options() });
    run_until_drained(consumer, &queue).await;
    let times: Vec<_> = panics.entries().iter().map(Duration::as_secs).collect();
    assert!(matches!(times[..], [0, 70..75, 140..150]), "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn an_outage_quarantines_nothing_however_often_a_message_comes() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    send(&queue, &[sale(body("3"))]).await;
    let (start, calls) = (Instant::now(), Log::new());
    let log = calls.clone();
    let handler = Each {
        takes: INSTANTLY,
        outcome: move |delivery: &Delivery| {
            log.push(delivery.receive_count);
            let hour = Duration::from_secs(3600);
            // A panic in between, such as one that the outage itself is to blame for.
            assert!(delivery.receive_count % 10 != 9, "on purpose");
            if start.elapsed() < hour { Outcome::Retry(Duration::ZERO) } else { Outcome::Ack }
        },
    };
    let consumer = consumer(Arc::new(queue.clone()), handler, Arc::new(store.clone()));
    let consumer = consumer.options(ConsumerOptions { max_panics: 2, ..options() });
    let report = run_until_drained(consumer, &queue).await;
    assert!(calls.entries().len() > 50, "{:?}", calls.entries());
    assert_eq!((report.acknowledged, report.quarantined), (1, 0));
    assert_eq!(keys(&store, "").await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn poison_is_deleted_only_once_its_quarantine_is_durable() {
    let (queue, memory, start) = (MemQueue::default(), MemStore::new(), Instant::now());
    send(&queue, &[sale(body("3"))]).await;
    let store = Faulty::new(memory.clone(), move |_| {
        (start.elapsed() < Duration::from_secs(600)).then(|| transient("put"))
    });
    let (handler, _) = panics_on_3();
    let consumer = consumer(Arc::new(queue.clone()), handler, Arc::new(store));
    let consumer = consumer.options(ConsumerOptions { max_panics: 1, ..options() });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    sleep(Duration::from_secs(599)).await;
    assert_eq!(queue.depth().await.unwrap().in_flight, 1, "held while the quarantine fails");
    queue.drained().await;
    stop.shutdown();
    let report = running.await.unwrap();
    assert_eq!((report.received, report.quarantined), (1, 1));
    assert_eq!(keys(&memory, "quarantine/store_events/reason=panicked/").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_quarantine_that_panics_is_tried_again_later_and_not_at_once() {
    let queue = MemQueue::default();
    send(&queue, &[sale(body("3"))]).await;
    let puts = Log::new();
    let log = puts.clone();
    let store = Faulty::new(MemStore::new(), move |call| -> Option<Error> {
        log.push(call.operation);
        panic!("on purpose")
    });
    let (handler, _) = panics_on_3();
    let consumer = consumer(Arc::new(queue.clone()), handler, Arc::new(store));
    let consumer = consumer.options(ConsumerOptions { max_panics: 1, ..options() });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer, &shutdown);
    sleep(Duration::from_secs(300)).await;
    stop.shutdown();
    assert_eq!(running.await.unwrap().quarantined, 0);
    let tries = puts.entries().len();
    assert!((5..=11).contains(&tries), "{tries} tries in 300 s, at a visibility of 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_stop_while_poison_cannot_be_quarantined_gives_it_back_within_the_grace() {
    for hangs in [false, true] {
        let queue = MemQueue::default();
        send(&queue, &[sale(body("3"))]).await;
        let broken = move |_| (!hangs).then(|| Error::new(ErrorKind::Denied, "put", "full"));
        let store: Arc<dyn ObjectStore> = match hangs {
            true => Arc::new(crate::stopping::Hung),
            false => Arc::new(Faulty::new(MemStore::new(), broken)),
        };
        let (handler, _) = panics_on_3();
        let consumer = consumer(Arc::new(queue.clone()), handler, store);
        let consumer = consumer.options(ConsumerOptions { max_panics: 1, ..options() });
        let (stop, shutdown) = Shutdown::new();
        let running = spawn(consumer, &shutdown);
        sleep(Duration::from_secs(60)).await;
        let start = Instant::now();
        stop.shutdown();
        let report = running.await.unwrap();
        assert!(start.elapsed() < options().grace, "{:?}", start.elapsed());
        assert_eq!((report.quarantined, report.released, report.abandoned), (0, 1, 0));
        assert_eq!(queue.depth().await.unwrap().visible, 1);
    }
}
