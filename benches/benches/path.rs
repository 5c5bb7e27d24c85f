//! The whole path in memory, beside the bare parse of the same bytes.
//!
//! Both do the same 10,000 messages on one thread, so their ratio is what generating, queueing,
//! validating, storing and deleting cost beyond reading the JSON once.

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event_benches::{messages, synthetic};
use event_core::{
    Consumer, ConsumerReport, Layout, ObjectStore, Producer, ProducerOptions, Quarantine, Shutdown,
    StoreWriter,
};
use event_mem::{MemQueue, MemStore};

const COUNT: u64 = 10_000;

async fn whole_path() -> ConsumerReport {
    let queue = MemQueue::default();
    let store: Arc<dyn ObjectStore> = Arc::new(MemStore::new());
    let quarantine = Quarantine::new(Arc::clone(&store), Layout::default());
    let writer = StoreWriter::new(store, Layout::default());
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

fn path(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime starts");
    let messages = messages(COUNT as usize);
    let mut group = c.benchmark_group("path");
    group.throughput(Throughput::Elements(COUNT)).sample_size(30);
    group.bench_function("bare_serde_json_parse", |b| {
        b.iter(|| {
            let values =
                messages.iter().map(|m| serde_json::from_slice::<serde_json::Value>(&m.body));
            values.filter(Result::is_ok).count()
        });
    });
    group.bench_function("whole_path_in_memory", |b| {
        b.to_async(&runtime).iter(whole_path);
    });
    group.finish();
}

criterion_group!(benches, path);
criterion_main!(benches);
