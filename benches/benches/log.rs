//! Many events in one object, on a store in memory: what the log and the compression cost.

use std::sync::Arc;
use std::time::SystemTime;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use event_benches::valid;
use event_core::{
    BatchWriter, Compression, Delivery, EventSource, Handler, Layout, MessageId, Receipt, Retail,
    Shutdown,
};
use event_mem::{MemStore, Synthetic};
use tokio::runtime::Runtime;

/// Events in an object.
const COUNT: usize = 1000;

/// Objects that a writer finds when it starts.
const BEFORE: usize = 100;

fn next_batch(runtime: &Runtime, events: &mut Synthetic) -> Vec<Delivery> {
    let batch = runtime.block_on(events.next_batch(COUNT)).expect("synthetic events do not fail");
    let delivery = |message| Delivery {
        id: MessageId::new("id"),
        receipt: Receipt::new("receipt"),
        message,
        receive_count: 1,
        sent_at: SystemTime::UNIX_EPOCH,
        event: None,
    };
    batch.into_iter().map(delivery).collect()
}

fn writer(store: &Arc<MemStore>) -> BatchWriter {
    BatchWriter::new(store.clone(), Layout::default(), Arc::new(Retail::default()))
}

fn log(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a current-thread runtime starts");
    let never = Shutdown::never();
    let mut events = valid();
    let mut group = c.benchmark_group("log");
    group.throughput(Throughput::Elements(COUNT as u64));

    for compression in Compression::ALL {
        let writer = writer(&Arc::default()).compression(compression).expect("all are built in");
        group.bench_function(format!("store_{compression}"), |b| {
            let setup = || next_batch(&runtime, &mut events);
            b.iter_batched(
                setup,
                |batch| runtime.block_on(writer.handle(&batch, &never)),
                BatchSize::LargeInput,
            );
        });
    }
    group.bench_function("repetitions", |b| {
        let (writer, batch) = (writer(&Arc::default()), next_batch(&runtime, &mut events));
        runtime.block_on(writer.handle(&batch, &never));
        b.iter(|| runtime.block_on(writer.handle(&batch, &never)));
    });

    let store = Arc::default();
    for _ in 0..BEFORE {
        let batch = next_batch(&runtime, &mut events);
        runtime.block_on(writer(&store).handle(&batch, &never));
    }
    group.throughput(Throughput::Elements((BEFORE * COUNT) as u64));
    group.bench_function("read_what_is_there", |b| {
        let one = next_batch(&runtime, &mut events).split_off(COUNT - 1);
        runtime.block_on(writer(&store).handle(&one, &never));
        // The same event again: nothing is written.
        b.iter(|| runtime.block_on(writer(&store).handle(&one, &never)));
    });
    group.finish();
}

criterion_group!(benches, log);
criterion_main!(benches);
