//! The pure parts, for one message each.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event_benches::{messages, synthetic};
use event_core::schema::retail::Event;
use event_core::{EventSource, Layout, Message, Reason, Retail, Schema, codec};

const COUNT: usize = 1000;

fn capture() -> Vec<Message> {
    let lines = include_bytes!("../../tests/data/seed_messages.ndjson").trim_ascii();
    let lines = lines.split(|&byte| byte == b'\n');
    lines.map(|line| codec::decode_line(line).expect("the capture is one")).collect()
}

/// An event with as many more fields, in an object and in objects of an array.
fn hostile() -> Message {
    let known = r#""request_id":"r","store_id":8,"cust_id":5,"category":"Games","sku":4,"price":64.08,
        "qty":5,"discount":4.9,"gift_wrap":false,"variant":"black","priority_shipping":true,
        "ts":"2026-11-22T22:16:48.469759""#;
    let keys = |from: u32| (from..from + 50_000).map(|key| format!(r#""{key:x}":1"#));
    let (one, each) = (keys(0), keys(50_000).map(|field| format!("{{{field}}}")));
    let (one, each) = (one.collect::<Vec<_>>().join(","), each.collect::<Vec<_>>().join(","));
    let body = format!(r#"{{{known},"one":{{{one}}},"each":[{each}]}}"#);
    Message::new(body).with_attribute("event_type", "sale_event")
}

fn parts(c: &mut Criterion) {
    let messages = messages(COUNT);
    let identify = |message| Retail::default().identify(message).ok();
    let events: Vec<_> = messages.iter().filter_map(identify).collect();
    let mut group = c.benchmark_group("parts");
    group.throughput(Throughput::Elements(COUNT as u64));

    group.bench_function("serde_json_to_value", |b| {
        let parse = |message: &Message| serde_json::from_slice::<serde_json::Value>(&message.body);
        b.iter(|| messages.iter().map(parse).filter(Result::is_ok).count());
    });
    group.bench_function("parse_and_validate", |b| {
        b.iter(|| messages.iter().map(Event::parse).filter(Result::is_ok).count());
    });
    // Of the capture, whose events have a field that nobody knows; the bound of what reading all of a
    // body may cost is told of these.
    let capture = capture();
    group.throughput(Throughput::Elements(capture.len() as u64));
    group.bench_function("parse_capture", |b| {
        b.iter(|| capture.iter().map(Event::parse).filter(Result::is_ok).count());
    });
    // As large as a message may be: if it is quadratic in any way, it takes minutes.
    let hostile = hostile();
    group.throughput(Throughput::Bytes(hostile.body.len() as u64));
    group.bench_function("parse_100000_keys", |b| b.iter(|| Event::parse(&hostile).is_ok()));
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("event_key", |b| {
        let layout = Layout::default();
        b.iter(|| events.iter().map(|event| layout.event_key(event).len()).sum::<usize>());
    });
    group.bench_function("quarantine_key_and_line", |b| {
        let (layout, reason) = (Layout::default(), Reason::new(Retail::BAD_MSG, "detail"));
        b.iter(|| {
            for message in &messages {
                black_box(layout.quarantine_key(message, &reason));
                black_box(codec::encode_quarantined(message, &reason));
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
