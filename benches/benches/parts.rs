//! The pure parts, for one message each.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event_benches::{messages, synthetic};
use event_core::{BatchLimits, Batcher, Event, EventSource, Layout, Message, Reason, codec};
use tokio::time::Instant;

const COUNT: usize = 1000;

fn parts(c: &mut Criterion) {
    let messages = messages(COUNT);
    let events: Vec<_> = messages.iter().filter_map(|message| Event::parse(message).ok()).collect();
    let mut group = c.benchmark_group("parts");
    group.throughput(Throughput::Elements(COUNT as u64));

    group.bench_function("serde_json_to_value", |b| {
        let parse = |message: &Message| serde_json::from_slice::<serde_json::Value>(&message.body);
        b.iter(|| messages.iter().map(parse).filter(Result::is_ok).count());
    });
    group.bench_function("parse_and_validate", |b| {
        b.iter(|| messages.iter().map(Event::parse).filter(Result::is_ok).count());
    });
    group.bench_function("event_key", |b| {
        let layout = Layout::default();
        b.iter(|| events.iter().map(|event| layout.event_key(event).len()).sum::<usize>());
    });
    group.bench_function("quarantine_key_and_line", |b| {
        let (layout, reason) = (Layout::default(), Reason::new(Reason::BAD_MSG, "detail"));
        b.iter(|| {
            for message in &messages {
                black_box(layout.quarantine_key(message, &reason));
                black_box(codec::encode_quarantined(message, &reason));
            }
        });
    });
    group.bench_function("batcher", |b| {
        let now = Instant::now();
        let limits = BatchLimits { count: 10, bytes: 1024 * 1024, linger: Duration::from_secs(1) };
        b.iter(|| {
            let mut batcher = Batcher::new(limits);
            for message in &messages {
                batcher.push(message.clone(), message.size(), now);
                black_box(batcher.next(now));
            }
        });
    });
    group.bench_function("generate", |b| {
        let runtime =
            tokio::runtime::Builder::new_current_thread().build().expect("no drivers are needed");
        let mut source = synthetic();
        b.iter(|| runtime.block_on(source.next_batch(COUNT)));
    });
    group.finish();
}

criterion_group!(benches, parts);
criterion_main!(benches);
