//! The whole path in memory, beside the bare parse of the same bytes.
//!
//! Both do the same 10,000 messages on one thread, so their ratio is what generating, queueing,
//! validating, storing and deleting cost beyond reading the JSON once. After criterion's figures
//! it prints that ratio, from pairs taken in turns, so that noise of the machine meets both.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use criterion::{Criterion, Throughput, criterion_group};
use event_benches::{messages, synthetic};
use event_core::{
    Consumer, ConsumerReport, Layout, Message, ObjectStore, Producer, ProducerOptions, Quarantine,
    Retail, Shutdown, StoreWriter,
};
use event_mem::{MemQueue, MemStore};
use tokio::runtime::Runtime;

const COUNT: u64 = 10_000;

async fn whole_path() -> ConsumerReport {
    let queue = MemQueue::default();
    let store: Arc<dyn ObjectStore> = Arc::new(MemStore::new());
    let quarantine = Quarantine::new(Arc::clone(&store), Layout::default());
    let writer = StoreWriter::new(store, Layout::default(), Arc::new(Retail::default()));
    let consumer = Consumer::new(Arc::new(queue.clone()), Arc::new(writer), quarantine);
    let options = ProducerOptions { total: Some(COUNT), ..ProducerOptions::default() };
    let producer = Producer::new(Arc::new(queue.clone()), synthetic()).options(options);

    let (stop, shutdown) = Shutdown::new();
    let consumer = tokio::spawn(consumer.run(shutdown));
    let sent = producer.run(Shutdown::never()).await.expect("a queue in memory takes everything");
    queue.drained().await;
    stop.shutdown();
    let report = consumer
        .await
        .expect("a consumer does not panic")
        .expect("a queue in memory does not fail");
    assert_eq!((sent.sent, report.deleted), (COUNT, COUNT));
    report
}

fn bare_parse(messages: &[Message]) -> usize {
    let values = messages.iter().map(|m| serde_json::from_slice::<serde_json::Value>(&m.body));
    values.filter(Result::is_ok).count()
}

fn runtime() -> Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a current-thread runtime starts")
}

fn path(c: &mut Criterion) {
    let (runtime, messages) = (runtime(), messages(COUNT as usize));
    let mut group = c.benchmark_group("path");
    group.throughput(Throughput::Elements(COUNT)).sample_size(30);
    group.bench_function("bare_serde_json_parse", |b| b.iter(|| bare_parse(&messages)));
    group.bench_function("whole_path_in_memory", |b| b.to_async(&runtime).iter(whole_path));
    group.finish();
}

/// The median ratio of so many pairs, between the quartiles.
fn ratio(pairs: usize) {
    let (runtime, messages) = (runtime(), messages(COUNT as usize));
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let mut ratios: Vec<f64> = (0..pairs)
        .map(|_| {
            let parse = time(&|| {
                black_box(bare_parse(&messages));
            });
            time(&|| {
                black_box(runtime.block_on(whole_path()));
            }) / parse
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |share: f64| ratios[(share * (pairs - 1) as f64) as usize];
    println!(
        "path/ratio: the whole path costs {:.2} times the bare parse (median of {pairs} pairs, quartiles {:.2} and {:.2})",
        at(0.5),
        at(0.25),
        at(0.75)
    );
}

criterion_group!(benches, path);

fn main() {
    benches();
    Criterion::default().configure_from_args().final_summary();
    let is_test = std::env::args().any(|argument| argument == "--test");
    ratio(if is_test { 1 } else { 101 });
}
