//! What the producer promises.

use std::sync::Arc;
use std::time::Duration;

use event_core::{
    Error, ErrorKind, EventSource, Layout, Message, Producer, ProducerOptions, Quarantine, Queue,
    Shutdown, async_trait,
};
use event_mem::{MemQueue, MemStore, Scripted};
use event_tests::Faulty;
use tokio::time::{Instant, sleep};

use crate::support::{AT_ONCE, Log, events, keys, retry, sale, transient};

fn producer(queue: impl Queue, source: impl EventSource) -> Producer {
    Producer::new(Arc::new(queue), source).retry(retry())
}

async fn bodies(queue: &MemQueue) -> Vec<String> {
    let mut bodies = Vec::new();
    loop {
        let deliveries = queue.receive(AT_ONCE).await.unwrap();
        if deliveries.is_empty() {
            return bodies;
        }
        let texts = deliveries.iter().map(|d| String::from_utf8(d.message.body.to_vec()).unwrap());
        bodies.extend(texts);
    }
}

#[tokio::test(start_paused = true)]
async fn everything_is_sent_once_in_full_batches() {
    let (queue, calls) = (MemQueue::default(), Log::new());
    let log = calls.clone();
    let counted = Faulty::new(queue.clone(), move |call| {
        log.push(call.number);
        None
    });
    let report = producer(counted, Scripted::new(events(95))).run(Shutdown::never()).await.unwrap();
    assert_eq!(report.sent, 95);
    let mut requests = calls.entries();
    requests.dedup();
    assert_eq!(requests.len(), 10);
    let mut sent = bodies(&queue).await;
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 95);
}

#[tokio::test(start_paused = true)]
async fn refused_entries_are_sent_again_and_accepted_ones_are_not() {
    let queue = MemQueue::default();
    // Every third entry is refused, in every request but each fifth.
    let flaky = Faulty::new(queue.clone(), |call| {
        (call.entry % 3 == 0 && call.number % 5 != 4)
            .then(|| Error::new(ErrorKind::Throttled, "send", "on purpose"))
    });
    let report = producer(flaky, Scripted::new(events(200))).run(Shutdown::never()).await.unwrap();
    assert_eq!(report.sent, 200);
    let mut sent = bodies(&queue).await;
    assert_eq!(sent.len(), 200, "an accepted entry was sent twice, or one was lost");
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 200);
}

#[tokio::test(start_paused = true)]
async fn an_oversized_message_goes_to_quarantine_and_the_rest_goes_on() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    let mut messages = events(15);
    messages.insert(7, sale(vec![b'x'; 2 * 1024 * 1024]));
    let quarantine = Quarantine::new(Arc::new(store.clone()), Layout::default());
    let producer = producer(queue.clone(), Scripted::new(messages)).quarantine(quarantine);
    let report = producer.run(Shutdown::never()).await.unwrap();
    assert_eq!((report.sent, report.quarantined), (15, 1));
    assert_eq!(keys(&store, "quarantine/store_events/reason=refused/").await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_a_quarantine_an_oversized_message_stops_the_producer() {
    let queue = MemQueue::default();
    let messages = [sale(vec![b'x'; 2 * 1024 * 1024])];
    let error = producer(queue, Scripted::new(messages)).run(Shutdown::never()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(
        error.to_string().contains("1 messages were taken from the source and not sent"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn the_total_is_kept_to_the_message() {
    let queue = MemQueue::default();
    let options = ProducerOptions { total: Some(23), ..ProducerOptions::default() };
    let producer = producer(queue.clone(), Scripted::new(events(100))).options(options);
    let report = producer.run(Shutdown::never()).await.unwrap();
    assert_eq!((report.sent, report.complete), (23, true));
    assert_eq!(queue.depth().await.unwrap().total(), 23);
}

#[tokio::test(start_paused = true)]
async fn messages_are_paced_by_the_interval() {
    let (queue, start) = (MemQueue::default(), Instant::now());
    let options = ProducerOptions {
        interval: Duration::from_secs(2),
        linger: Duration::ZERO,
        ..ProducerOptions::default()
    };
    let run = producer(queue.clone(), Scripted::new(events(6))).options(options);
    run.run(Shutdown::never()).await.unwrap();
    // Five pauses between six messages, and one more until the end of the source is seen.
    assert_eq!(start.elapsed(), Duration::from_secs(12));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_sends_what_was_taken_and_returns() {
    let queue = MemQueue::default();
    let (stop, shutdown) = Shutdown::new();
    let options = ProducerOptions {
        interval: Duration::from_millis(10),
        linger: Duration::from_secs(60),
        ..ProducerOptions::default()
    };
    let run = producer(queue.clone(), Scripted::new(events(10_000))).options(options).run(shutdown);
    let running = tokio::spawn(run);
    sleep(Duration::from_millis(12_345)).await;
    stop.shutdown();
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.sent, 1235);
    assert_eq!(queue.depth().await.unwrap().total(), 1235);
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stays_away_ends_a_shutdown_within_its_grace() {
    let (stop, shutdown) = Shutdown::new();
    let broken = Faulty::new(MemQueue::default(), |_| Some(transient("send")));
    let running = tokio::spawn(producer(broken, Scripted::new(events(5))).run(shutdown));
    sleep(Duration::from_secs(3600)).await;
    let start = Instant::now();
    stop.shutdown();
    let error = running.await.unwrap().unwrap_err();
    assert!(start.elapsed() <= ProducerOptions::default().grace);
    assert!(
        error.to_string().contains("5 messages were taken from the source and not sent"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn access_denied_stops_the_producer_and_says_what_was_not_sent() {
    let denied = |_| Some(Error::new(ErrorKind::Denied, "send", "no access to queue orders"));
    let run = producer(Faulty::new(MemQueue::default(), denied), Scripted::new(events(5)));
    let error = run.run(Shutdown::never()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
    assert!(error.to_string().contains("no access to queue orders"), "{error}");
}

struct Broken(Vec<Message>);

#[async_trait]
impl EventSource for Broken {
    async fn next_batch(&mut self, max: usize) -> event_core::Result<Vec<Message>> {
        if self.0.is_empty() {
            return Err(Error::new(ErrorKind::Transient, "next_batch", "the disk is gone"));
        }
        Ok(self.0.drain(..max.min(self.0.len())).collect())
    }
}

#[tokio::test(start_paused = true)]
async fn a_broken_source_ends_the_producer_after_what_it_gave_is_sent() {
    let queue = MemQueue::default();
    let error =
        producer(queue.clone(), Broken(events(13))).run(Shutdown::never()).await.unwrap_err();
    assert!(error.to_string().contains("the disk is gone"), "{error}");
    assert_eq!(queue.depth().await.unwrap().total(), 13);
}
