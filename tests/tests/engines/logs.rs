//! What engines log while something fails: a line at once, then few, and one at the end.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use event_core::{ConsumerOptions, Queue, Shutdown};
use event_mem::{MemQueue, MemStore};
use event_tests::Faulty;
use tokio::time::{Instant, sleep};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{DefaultGuard, set_default};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::{
    Log, acknowledge, consumer, drained, events, options, send, spawn, transient, writer,
};

/// The lines of a test at the level info and above: when, how loud, and what they say.
#[derive(Clone)]
struct Lines {
    start: Instant,
    all: Log<(u64, Level, String)>,
}

impl Lines {
    /// From now on, of this thread, as long as the guard lives.
    fn gather() -> (Self, DefaultGuard) {
        let lines = Self { start: Instant::now(), all: Log::new() };
        (lines.clone(), set_default(lines))
    }

    /// The lines with this text, as time and level.
    fn with(&self, text: &str) -> Vec<(u64, Level)> {
        let lines = self.all.entries().into_iter();
        lines.filter(|line| line.2.contains(text)).map(|line| (line.0, line.1)).collect()
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                write!(self.0, " {}={value:?}", field.name()).unwrap();
            }
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        self.all.push((self.start.elapsed().as_secs(), *event.metadata().level(), text.0));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// A backend that fails in this operation from one second to another.
fn failing<B>(backend: B, operation: &'static str, (from, to): (u64, u64)) -> Faulty<B> {
    let start = Instant::now();
    Faulty::new(backend, move |call| {
        let away = (from..to).contains(&start.elapsed().as_secs());
        (away && call.operation == operation).then(|| transient(operation))
    })
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_is_a_line_at_once_then_few_and_one_when_it_is_over() {
    let (lines, _guard) = Lines::gather();
    let queue = MemQueue::default();
    send(&queue, &events(1000)).await;
    let store = failing(MemStore::new(), "put", (0, 600));
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(writer(Arc::new(queue.clone()), Arc::new(store)), &shutdown);
    drained(&queue).await;
    stop.shutdown();
    running.await.unwrap();
    let warnings = lines.with("trying again");
    assert_eq!(warnings[0], (0, Level::WARN));
    // At 30, 90, 210 and 450 s, or when a try is made after that.
    assert_eq!(warnings.len(), 5, "{warnings:?}");
    let over = lines.with("it works again");
    assert!(matches!(over[..], [(600..640, Level::INFO)]), "{over:?}");
    assert!(lines.with("entries=").len() == 5 && lines.with("put: on purpose").len() == 5);
}

#[tokio::test(start_paused = true)]
async fn extensions_that_fail_are_few_lines_with_a_number() {
    let (lines, _guard) = Lines::gather();
    let queue = MemQueue::default();
    send(&queue, &events(1000)).await;
    // A minute without the service, and a thousand messages held all the while.
    let away = failing(queue.clone(), "change_visibility", (10, 70));
    let slow = acknowledge(Duration::from_secs(200));
    let consumer = consumer(Arc::new(away), slow, Arc::new(MemStore::new()));
    let options = ConsumerOptions { visibility: Some(Duration::from_secs(300)), ..options() };
    let options = ConsumerOptions { max_concurrent_batches: 1000, ..options };
    let short = ConsumerOptions { visibility: Some(Duration::from_secs(40)), ..options };
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer.options(short), &shutdown);
    sleep(Duration::from_secs(75)).await;
    stop.shutdown();
    running.await.unwrap();
    let failed = lines.with("may be received again");
    assert!((1..=3).contains(&failed.len()), "{failed:?}");
    assert_eq!(failed[0].1, Level::WARN);
    assert!(lines.all.entries().len() < 10, "{:?}", lines.all.entries());
    let told = lines.all.entries();
    let first = told.iter().find(|line| line.2.contains("may be received")).unwrap();
    assert!(first.2.contains("messages=10"), "a request has ten entries: {}", first.2);
}

#[tokio::test(start_paused = true)]
async fn deletions_that_fail_for_good_are_few_lines_with_a_number() {
    let (lines, _guard) = Lines::gather();
    let queue = MemQueue::default();
    send(&queue, &events(1000)).await;
    let refusing = Faulty::new(queue.clone(), |call| {
        let refused = call.operation == "delete";
        refused
            .then(|| event_core::Error::new(event_core::ErrorKind::Invalid, "delete", "on purpose"))
    });
    let instantly = acknowledge(Duration::ZERO);
    let consumer = consumer(Arc::new(refusing), instantly, Arc::new(MemStore::new()));
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(consumer.options(options()), &shutdown);
    sleep(Duration::from_secs(20)).await;
    stop.shutdown();
    assert_eq!(running.await.unwrap().delete_failed, 1000);
    assert_eq!(lines.with("will be received again"), [(0, Level::WARN)]);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_at_every_batch_is_few_lines() {
    let (lines, _guard) = Lines::gather();
    let queue = MemQueue::default();
    send(&queue, &events(200)).await;
    let panics = crate::support::Each {
        takes: Duration::ZERO,
        outcome: |_: &event_core::Delivery| panic!("on purpose"),
    };
    let store = MemStore::new();
    let consumer = consumer(Arc::new(queue.clone()), panics, Arc::new(store));
    let (stop, shutdown) = Shutdown::new();
    let options = ConsumerOptions { max_panics: 2, ..options() };
    let running = spawn(consumer.options(options), &shutdown);
    drained(&queue).await;
    stop.shutdown();
    assert_eq!(running.await.unwrap().quarantined, 200);
    let panics = lines.with("the handler panicked");
    assert_eq!(panics[0], (0, Level::ERROR));
    assert!(panics.len() <= 3, "{panics:?}");
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_is_away_when_an_engine_starts_is_told_at_once() {
    let (lines, _guard) = Lines::gather();
    let away = failing(MemQueue::default(), "receive", (0, 20));
    assert_eq!(away.limits(), MemQueue::default().limits());
    let (stop, shutdown) = Shutdown::new();
    let running = spawn(writer(Arc::new(away), Arc::new(MemStore::new())), &shutdown);
    sleep(Duration::from_secs(120)).await;
    stop.shutdown();
    running.await.unwrap();
    assert_eq!(lines.with("trying again"), [(0, Level::WARN)]);
    assert_eq!(lines.with("it works again").len(), 1);
}
