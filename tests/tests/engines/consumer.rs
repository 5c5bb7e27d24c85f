//! What the consumer promises.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_core::{
    ConsumerOptions, Delivery, Error, ErrorKind, Handler, ObjectStore, Observer, Outcome, Queue,
    QueueLimits, Reason, Shutdown, async_trait,
};
use event_mem::{MemQueue, MemQueueOptions, MemStore, Redrive};
use event_tests::Faulty;
use tokio::time::{Instant, sleep};

use crate::support::{
    AT_ONCE, Each, INSTANTLY, Log, acknowledge, body, consumer, events, keys, options,
    run_until_drained, sale, send, spawn, transient, with_handler, writer,
};

#[tokio::test(start_paused = true)]
async fn each_outcome_has_its_own_end() {
    let queue = MemQueue::default();
    send(&queue, &events(4)).await;
    let tries = AtomicUsize::new(0);
    let handler = Each {
        takes: INSTANTLY,
        outcome: move |delivery: &Delivery| {
            let body = std::str::from_utf8(&delivery.message.body).unwrap();
            if body.contains("\"request_id\": \"0\"") {
                Outcome::Ack
            } else if body.contains("\"request_id\": \"1\"") {
                Outcome::Duplicate
            } else if body.contains("\"request_id\": \"2\"") {
                Outcome::Quarantine(Reason::new("unknown_sku", "on purpose"))
            } else if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                Outcome::Retry(Duration::from_secs(60))
            } else {
                Outcome::Ack
            }
        },
    };
    let (start, store) = (Instant::now(), MemStore::new());
    let consumer =
        consumer(Arc::new(queue.clone()), handler, Arc::new(store.clone())).options(options());
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.acknowledged, report.duplicates), (5, 2, 1));
    assert_eq!((report.quarantined, report.released, report.deleted), (1, 1, 4));
    assert!(start.elapsed() >= Duration::from_secs(60), "the delay of the retry was not kept");
    assert_eq!(keys(&store, "quarantine/store_events/reason=unknown_sku/").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn visibility_is_extended_for_as_long_as_a_handler_works() {
    let queue = MemQueue::default();
    send(&queue, &events(25)).await;
    let consumer = with_handler(&queue, acknowledge(Duration::from_secs(600))).options(options());
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!(
        (report.received, report.acknowledged),
        (25, 25),
        "a message came again while it was held"
    );
}

#[tokio::test(start_paused = true)]
async fn visibility_is_extended_while_messages_wait_for_a_busy_handler() {
    let queue = MemQueue::default();
    send(&queue, &events(50)).await;
    let consumer = with_handler(&queue, acknowledge(Duration::from_secs(100)))
        .options(ConsumerOptions { max_concurrent_batches: 1, ..options() });
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.acknowledged), (50, 50));
}

#[tokio::test(start_paused = true)]
async fn after_the_acknowledgement_visibility_is_not_extended() {
    let (queue, changes) = (MemQueue::default(), Log::new());
    send(&queue, &events(3)).await;
    let log = changes.clone();
    // Deletes fail for ten minutes, so that the messages stay where an extension could find them.
    let start = Instant::now();
    let stubborn = Faulty::new(queue.clone(), move |call| {
        if call.operation == "change_visibility" {
            log.push(start.elapsed());
        }
        let early = start.elapsed() < Duration::from_secs(600);
        (call.operation == "delete" && early).then(|| transient("delete"))
    });
    let store = MemStore::new();
    let report =
        run_until_drained(writer(Arc::new(stubborn), Arc::new(store)).options(options()), &queue)
            .await;
    assert_eq!(changes.entries(), Vec::<Duration>::new());
    assert_eq!(report.acknowledged, 3);
    assert!(report.duplicates > 0, "the messages must have come again");
}

#[tokio::test(start_paused = true)]
async fn deletes_go_in_full_batches_and_refused_ones_are_sent_again() {
    let (queue, deletes) = (MemQueue::default(), Log::new());
    send(&queue, &events(100)).await;
    let log = deletes.clone();
    let flaky = Faulty::new(queue.clone(), move |call| {
        if call.operation != "delete" {
            return None;
        }
        log.push(call.number);
        let first = log.entries().len() <= 10;
        (first && call.entry == 3).then(|| transient("delete"))
    });
    let consumer = consumer(Arc::new(flaky), acknowledge(INSTANTLY), Arc::new(MemStore::new()));
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.deleted, report.delete_failed), (100, 0));
    let mut requests = deletes.entries();
    assert_eq!(requests.len(), 101, "only the refused entry may be deleted again");
    requests.dedup();
    assert_eq!(requests.len(), 11);
}

/// A handler that panics on the event `3`, so often, and acknowledges every other.
fn panics_on_3(times: usize) -> Each<impl Fn(&Delivery) -> Outcome> {
    let panics = AtomicUsize::new(0);
    let outcome = move |delivery: &Delivery| {
        let is_3 = delivery.message.body == body("3");
        assert!(!is_3 || panics.fetch_add(1, Ordering::SeqCst) >= times, "on purpose");
        Outcome::Ack
    };
    Each { takes: INSTANTLY, outcome }
}

#[tokio::test(start_paused = true)]
async fn a_panicking_handler_loses_nothing_and_the_consumer_goes_on() {
    let queue = MemQueue::default();
    send(&queue, &events(20)).await;
    let consumer = with_handler(&queue, panics_on_3(2)).options(options());
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.acknowledged), (21, 20));
    assert_eq!((report.released, report.deleted), (1, 20));
}

#[tokio::test(start_paused = true)]
async fn what_a_handler_panics_on_is_handled_alone_and_harms_nothing_beside_it() {
    let dead_letter = MemQueue::default();
    let queue = MemQueue::new(MemQueueOptions {
        redrive: Some(Redrive { max_receives: 2, dead_letter: dead_letter.clone() }),
        ..MemQueueOptions::default()
    });
    send(&queue, &events(20)).await;
    let consumer = with_handler(&queue, panics_on_3(usize::MAX)).options(options());
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.received, report.acknowledged, report.released), (21, 19, 2));
    let dead = dead_letter.receive(AT_ONCE).await.unwrap();
    assert_eq!((dead.len(), &dead[0].message), (1, &sale(body("3"))));
}

#[tokio::test(start_paused = true)]
async fn what_waits_to_be_handled_alone_is_given_back_when_the_grace_ends() {
    let queue = MemQueue::default();
    send(&queue, &events(10)).await;
    let calls = AtomicUsize::new(0);
    let handler = Slow(move || calls.fetch_add(1, Ordering::SeqCst) == 0);
    let (stop, shutdown) = Shutdown::new();
    let consumer = with_handler(&queue, handler);
    let running = spawn(
        consumer.options(ConsumerOptions { max_concurrent_batches: 1, ..options() }),
        &shutdown,
    );
    sleep(Duration::from_secs(1)).await;
    stop.shutdown();
    let report = running.await.unwrap();
    assert_eq!((report.received, report.released, report.abandoned), (10, 10, 0));
    assert_eq!(queue.depth().await.unwrap().visible, 10);
}

/// A handler that panics when it is told to, and else never ends.
struct Slow<F>(F);

#[async_trait]
impl<F: Fn() -> bool + Send + Sync + 'static> Handler for Slow<F> {
    async fn handle(&self, _: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
        assert!(!(self.0)(), "on purpose");
        std::future::pending().await
    }
}

/// A handler that answers so many outcomes more than there are deliveries.
struct Miscounting(isize);

#[async_trait]
impl Handler for Miscounting {
    async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
        vec![Outcome::Ack; batch.len().checked_add_signed(self.0).unwrap()]
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_answers_too_few_outcomes_or_too_many_acknowledges_nothing() {
    for more in [-1, 1] {
        let queue = MemQueue::default();
        send(&queue, &events(10)).await;
        let (stop, shutdown) = Shutdown::new();
        let running = spawn(with_handler(&queue, Miscounting(more)).options(options()), &shutdown);
        sleep(Duration::from_secs(29)).await;
        assert_eq!(queue.depth().await.unwrap().in_flight, 10, "they come back after 30 s");
        sleep(Duration::from_secs(10)).await;
        stop.shutdown();
        let report = running.await.unwrap();
        assert_eq!((report.acknowledged, report.deleted, report.released), (0, 0, 20));
    }
}

/// Watches what a consumer holds: messages until they are deleted, bytes until they are handled.
#[derive(Default)]
struct Held {
    messages: AtomicUsize,
    most_messages: AtomicUsize,
    bytes: AtomicUsize,
    most_bytes: AtomicUsize,
    /// As the consumer itself tells it.
    told: Mutex<(usize, usize)>,
    most_told: Mutex<(usize, usize)>,
}

fn raise(now: &AtomicUsize, most: &AtomicUsize, by: usize) {
    let now = now.fetch_add(by, Ordering::SeqCst) + by;
    most.fetch_max(now, Ordering::SeqCst);
}

impl Observer for Held {
    fn received(&self, deliveries: &[Delivery]) {
        raise(&self.messages, &self.most_messages, deliveries.len());
        let bytes = deliveries.iter().map(|delivery| delivery.message.size()).sum();
        raise(&self.bytes, &self.most_bytes, bytes);
    }

    fn handled(&self, delivery: &Delivery, _: &Outcome) {
        self.bytes.fetch_sub(delivery.message.size(), Ordering::SeqCst);
    }

    fn deleted(&self, messages: usize) {
        self.messages.fetch_sub(messages, Ordering::SeqCst);
    }

    fn held(&self, messages: usize, bytes: usize) {
        *self.told.lock().unwrap() = (messages, bytes);
        let mut most = self.most_told.lock().unwrap();
        *most = (most.0.max(messages), most.1.max(bytes));
    }
}

#[tokio::test(start_paused = true)]
async fn held_messages_stay_within_their_bound() {
    let (queue, held) = (MemQueue::default(), Arc::new(Held::default()));
    send(&queue, &events(500)).await;
    let consumer = with_handler(&queue, acknowledge(Duration::from_secs(5))).observer(held.clone());
    let consumer = consumer.options(ConsumerOptions { max_messages: 35, ..options() });
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!(report.acknowledged, 500);
    assert_eq!(held.most_messages.load(Ordering::SeqCst), 30, "full receives of ten within 35");
    assert_eq!(held.most_told.lock().unwrap().0, 30);
    assert_eq!(*held.told.lock().unwrap(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn held_bytes_stay_within_their_bound() {
    let limits = QueueLimits { message_bytes: 1000, cancel_safe_receive: true, ..QueueLimits::SQS };
    let queue = MemQueue::new(MemQueueOptions { limits, ..MemQueueOptions::default() });
    let messages: Vec<_> = (0..100).map(|_| sale(vec![b'x'; 900])).collect();
    send(&queue, &messages).await;
    let held = Arc::new(Held::default());
    let consumer = with_handler(&queue, acknowledge(Duration::from_secs(5))).observer(held.clone());
    let consumer = consumer.options(ConsumerOptions { max_bytes: 25_000, ..options() });
    assert_eq!(run_until_drained(consumer, &queue).await.acknowledged, 100);
    // 926 bytes each with their attribute, and room for 10,000 before each receive.
    assert_eq!(held.most_bytes.load(Ordering::SeqCst), 20 * 926);
    assert_eq!(held.most_told.lock().unwrap().1, 20 * 926);
    assert_eq!(*held.told.lock().unwrap(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_total_is_kept_to_the_message_and_what_came_back_does_not_count() {
    let queue = MemQueue::default();
    send(&queue, &events(50)).await;
    let calls = AtomicUsize::new(0);
    let handler = Each {
        takes: INSTANTLY,
        outcome: move |_: &Delivery| match calls.fetch_add(1, Ordering::SeqCst) {
            0..7 => Outcome::Retry(Duration::from_secs(1)),
            _ => Outcome::Ack,
        },
    };
    let consumer =
        with_handler(&queue, handler).options(ConsumerOptions { total: Some(23), ..options() });
    let report = spawn(consumer, &Shutdown::never()).await.unwrap();
    assert_eq!((report.acknowledged, report.released), (23, 7));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(queue.depth().await.unwrap().visible, 27);
}

#[tokio::test(start_paused = true)]
async fn an_idle_consumer_makes_three_receives_a_minute() {
    let (queue, receives) = (MemQueue::default(), Log::new());
    let log = receives.clone();
    let counted = Faulty::new(queue, move |call| {
        log.push(call.operation);
        None
    });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(writer(Arc::new(counted), Arc::new(MemStore::new())), &shutdown);
    sleep(Duration::from_secs(299)).await;
    assert_eq!(receives.entries(), ["receive"; 15]);
    stop.shutdown();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_sends_no_good_message_to_the_dead_letter_queue() {
    let dead_letter = MemQueue::default();
    let redrive = Redrive { max_receives: 3, dead_letter: dead_letter.clone() };
    let queue =
        MemQueue::new(MemQueueOptions { redrive: Some(redrive), ..MemQueueOptions::default() });
    send(&queue, &events(300)).await;
    let (memory, start) = (MemStore::new(), Instant::now());
    let six_hours = Duration::from_secs(6 * 3600);
    let store = Faulty::new(memory.clone(), move |_| {
        (start.elapsed() < six_hours).then(|| transient("put"))
    });
    let consumer = writer(Arc::new(queue.clone()), Arc::new(store))
        .options(ConsumerOptions { max_messages: 100, ..options() });
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!(dead_letter.depth().await.unwrap().total(), 0);
    assert_eq!(keys(&memory, "store_events/event_type=").await.len(), 300);
    assert_eq!(report.received, 300, "held messages must not come again");
    let recovery = start.elapsed() - six_hours;
    assert!(recovery < Duration::from_secs(120), "{recovery:?} to recover");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_gets_nothing_done_slows_receiving_down() {
    let queue = MemQueue::default();
    send(&queue, &events(10)).await;
    let handler = Each { takes: INSTANTLY, outcome: |_: &Delivery| Outcome::Retry(Duration::ZERO) };
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(with_handler(&queue, handler).options(options()), &shutdown);
    sleep(Duration::from_secs(600)).await;
    stop.shutdown();
    // Without the backoff this would be millions; at ten seconds on average, about sixty.
    let polls = running.await.unwrap().received / 10;
    assert!((30..150).contains(&polls), "{polls} polls in ten minutes");
}

#[tokio::test(start_paused = true)]
async fn a_failing_quarantine_deletes_nothing() {
    let (queue, memory, start) = (MemQueue::default(), MemStore::new(), Instant::now());
    send(&queue, &[sale("not json")]).await;
    let store = Faulty::new(memory.clone(), move |call| {
        let early = start.elapsed() < Duration::from_secs(300);
        (call.operation == "put" && early)
            .then(|| Error::new(ErrorKind::Denied, "put", "on purpose"))
    });
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(writer(Arc::new(queue.clone()), Arc::new(store)), &shutdown);
    sleep(Duration::from_secs(299)).await;
    assert_eq!(queue.depth().await.unwrap().in_flight, 1);
    queue.drained().await;
    stop.shutdown();
    assert_eq!(running.await.unwrap().quarantined, 1);
    assert_eq!(keys(&memory, "quarantine/").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_bad_message_is_put_aside_once() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    send(&queue, &vec![sale("not json"); 7]).await;
    let consumer = writer(Arc::new(queue.clone()), Arc::new(store.clone()));
    assert_eq!(run_until_drained(consumer, &queue).await.quarantined, 7);
    assert_eq!(keys(&store, "quarantine/").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_events_with_one_identity_the_first_is_stored_and_the_second_quarantined() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    let first = events(1).remove(0);
    let text = String::from_utf8(first.body.to_vec()).unwrap();
    let second = sale(text.replace("64.08", "1.00"));
    send(&queue, &[first.clone(), second.clone(), first.clone()]).await;
    let consumer = writer(Arc::new(queue.clone()), Arc::new(store.clone()));
    let report = run_until_drained(consumer, &queue).await;
    assert_eq!((report.acknowledged, report.duplicates, report.quarantined), (1, 1, 1));
    let stored = keys(&store, "store_events/event_type=").await;
    assert_eq!(store.get(&stored[0]).await.unwrap().unwrap(), first.body);
    let quarantine = keys(&store, "quarantine/store_events/reason=conflict/").await;
    let line = store.get(&quarantine[0]).await.unwrap().unwrap();
    assert_eq!(event_core::codec::decode_line(&line).unwrap(), second);
    assert!(queue.receive(AT_ONCE).await.unwrap().is_empty());
}
