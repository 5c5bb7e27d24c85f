//! `MemQueue` with a backlog: ten messages sent, received and deleted while so many wait.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use event_benches::messages;
use event_core::{Queue, Receipt, ReceiveRequest};
use event_mem::MemQueue;

fn queue(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime starts");
    let batch = messages(10);
    let request =
        ReceiveRequest { max: 10, wait: Duration::ZERO, visibility: Duration::from_secs(30) };
    let mut group = c.benchmark_group("mem_queue_send_receive_delete");
    group.throughput(Throughput::Elements(10));
    for backlog in [1_000u64, 100_000, 10_000_000] {
        let queue = MemQueue::default();
        runtime.block_on(async {
            for _ in 0..backlog / 10 {
                queue.send(&batch).await;
            }
        });
        group.bench_function(BenchmarkId::from_parameter(backlog), |b| {
            b.to_async(&runtime).iter(|| async {
                queue.send(&batch).await;
                let deliveries = queue.receive(request).await.unwrap_or_default();
                assert_eq!(deliveries.len(), 10);
                let receipts: Vec<Receipt> = deliveries.into_iter().map(|d| d.receipt).collect();
                queue.delete(&receipts).await
            });
        });
    }
    group.finish();
}

criterion_group!(benches, queue);
criterion_main!(benches);
