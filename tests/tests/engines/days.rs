//! A backlog of many days, each with little in it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use event_core::jiff::{ToSpan, civil::date};
use event_core::{BatchWriter, Consumer, ConsumerOptions, Layout, Message, Quarantine, Retail};
use event_mem::{MemQueue, MemStore};
use tokio::time::Instant;

use crate::contention::Slow;
use crate::support::{body, keys, retry, run_until_drained, sale, send};

const DAYS: usize = 10_000;

fn of_day(number: usize) -> Message {
    let day = date(1990, 1, 1).checked_add((number as i64).days()).unwrap();
    sale(body(&number.to_string()).replace("2026-11-22", &day.to_string()))
}

/// Each event is a segment of its own, with a listing, a look at the head and one at the boundary:
/// none of them waits for a thousand others.
#[tokio::test(start_paused = true)]
async fn ten_thousand_events_of_as_many_days_are_stored_in_two_minutes() {
    let (queue, store) = (MemQueue::default(), MemStore::new());
    send(&queue, &(0..DAYS).map(of_day).collect::<Vec<_>>()).await;
    let slow = Arc::new(Slow::over(&store, 1));
    let writer = BatchWriter::new(slow.clone(), Layout::default(), Arc::new(Retail::default()));
    let quarantine = Quarantine::log(slow, Layout::default());
    let consumer =
        Consumer::new(Arc::new(queue.clone()), Arc::new(writer.retry(retry())), quarantine)
            .retry(retry())
            .options(ConsumerOptions::default().batches(BatchWriter::BATCH));
    let start = Instant::now();
    let report = run_until_drained(consumer, &queue).await;
    let took = start.elapsed();
    println!("{took:?}, {report:?}");
    let stored = keys(&store, "store_events/event_type").await;
    assert_eq!(stored.iter().collect::<BTreeSet<_>>().len(), DAYS);
    assert_eq!((report.acknowledged, report.released), (DAYS as u64, 0));
    assert!(took < Duration::from_secs(120), "{took:?}");
}
