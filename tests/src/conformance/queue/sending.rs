//! What is accepted, what is refused, and what arrives.

use std::sync::Arc;

use event_core::{AttributeValue, ErrorKind, Message, MessageId, QueueLimits, Result};
use tokio::time::Instant;

use super::QueueBackend;
use super::probe::{LONG, Probe, secs};
use crate::conformance::case::same;

pub(super) async fn send_reports_each_entry(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    same!(probe.queue.send(&[]).await.len(), 0, "outcomes of an empty batch");

    let mut batch: Vec<_> = (0..probe.limits().batch_entries)
        .map(|n| Message::new(format!("message {n:05}")))
        .collect();
    let refused = batch.len() / 2;
    batch[refused] = too_large(probe.limits());
    let outcomes = probe.queue.send(&batch).await;
    same!(outcomes.len(), batch.len(), "outcomes of a batch");

    let received = probe.collect(batch.len() - 1, LONG).await;
    for (n, (message, outcome)) in batch.iter().zip(outcomes).enumerate() {
        let seen = received.iter().find(|seen| seen.body() == message.body);
        match (outcome, seen) {
            (Ok(id), Some(seen)) if n != refused => {
                same!(seen.delivery.id, id, "the outcome of entry {n} is another's");
            }
            (Err(_), None) if n == refused => {}
            (outcome, seen) => panic!(
                "entry {n} was answered {outcome:?} and then {}",
                if seen.is_some() { "received" } else { "not received" }
            ),
        }
    }
    probe.expect_nothing(secs(1)).await;
}

pub(super) async fn send_refuses_what_is_too_large(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let batch = [Message::new("before"), too_large(probe.limits()), Message::new("beside")];
    let outcomes = probe.queue.send(&batch).await;
    let [Ok(_), Err(error), Ok(_)] = &outcomes[..] else {
        panic!("the second of three is too large: {outcomes:?}");
    };
    same!(error.kind(), ErrorKind::TooLarge, "{error}");

    let largest = message_of(probe.limits().message_bytes.min(probe.limits().batch_bytes));
    probe.send_messages(std::slice::from_ref(&largest)).await;
    let received = probe.collect(3, LONG).await;
    same!([received[0].body(), received[1].body()], [b"before", b"beside"]);
    assert!(received[2].delivery.message == largest, "the largest message has changed");
    probe.expect_nothing(secs(1)).await;
}

pub(super) async fn send_refuses_a_batch_over_the_limits(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let limits = probe.limits();

    let too_many = vec![Message::new("one of too many"); limits.batch_entries + 1];
    expect_refusal(&probe.queue.send(&too_many).await, too_many.len());

    // Halves that together are one byte too much, so that none is too large by itself.
    let half = message_of(limits.message_bytes.min(limits.batch_bytes / 2 + 1));
    let halves =
        vec![half; limits.batch_bytes / limits.message_bytes.min(limits.batch_bytes / 2 + 1) + 1];
    // A queue whose fullest batch of largest messages fits has no second limit to exceed.
    if halves.len() <= limits.batch_entries {
        expect_refusal(&probe.queue.send(&halves).await, halves.len());
    }
    probe.expect_nothing(secs(1)).await;
}

pub(super) async fn messages_survive_as_they_are(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let long: String = "é\n".repeat(20_000);
    let plain = [
        Message::new("{\"b\": 1,  \"a\": 1.0, \"a\": 1.00}\r\n"),
        Message::new(" <a href=\"x\">&amp; &lt;</a>\t"),
        Message::new("\u{1f4e6} 東京 \u{202e}").with_attribute("event_type", "sale_event"),
        Message::new(long)
            .with_attribute("event_type", "../<&>\" 東京")
            .with_attribute("priority_shipping", "True"),
        Message::new("bytes").with_attribute("trace", (0..=255).collect::<Vec<u8>>()),
        Message::new("types")
            .with_attribute("json", typed("{}".into(), "String.json"))
            .with_attribute("price", typed("64.08".into(), "Number"))
            .with_attribute("qty", typed("5".into(), "Number.int"))
            .with_attribute("picture", typed(b"GIF89a".to_vec().into(), "Binary.gif")),
        // These differ in the type alone, and would be one to whoever takes them for text.
        Message::new("z1").with_attribute("trace", "AQ=="),
        Message::new("z2").with_attribute("trace", vec![1]),
        Message::new("z3").with_attribute("trace", b"AQ==".to_vec()),
    ];
    // What some services cannot carry: refused, or as it was.
    let strange = [
        Message::new(""),
        Message::new("nul \0"),
        Message::new(&b"not text \xff\xfe"[..]),
        Message::new("an empty value").with_attribute("event_type", ""),
        Message::new("no bytes").with_attribute("trace", Vec::new()),
        Message::new("no type").with_attribute("event_type", typed("x".into(), "Other")),
        Message::new("no number").with_attribute("qty", typed("five".into(), "Number")),
    ];
    let mut expected = plain.to_vec();
    probe.send_messages(&plain).await;
    for message in strange {
        match probe.queue.send(std::slice::from_ref(&message)).await.remove(0) {
            Ok(_) => expected.push(message),
            Err(error) => same!(error.kind(), ErrorKind::Invalid, "{message:?}: {error}"),
        }
    }
    let received = probe.collect(expected.len(), LONG).await;
    expected.sort_by(|a, b| a.body.cmp(&b.body));
    for (seen, sent) in received.iter().zip(&expected) {
        same!(&seen.delivery.message, sent);
    }
}

pub(super) async fn delay_hides_new_messages(backend: Arc<dyn QueueBackend>) {
    let delay = secs(2);
    let probe = Probe::delayed(&*backend, delay).await;
    let before = Instant::now();
    probe.send(&["delayed"]).await;
    let sent = Instant::now();
    let seen = probe.one(LONG).await;
    probe.clock.not_before(before + delay, seen.answered, "a delayed message came");
    probe.clock.soon_after(sent + delay, seen.answered, "a delayed message came");
    same!(seen.delivery.receive_count, 1);
}

fn typed(value: AttributeValue, data_type: &'static str) -> AttributeValue {
    value.with_type(data_type).expect("a type of such a value")
}

fn expect_refusal(outcomes: &[Result<MessageId>], entries: usize) {
    same!(outcomes.len(), entries, "outcomes of a batch that is refused");
    for outcome in outcomes {
        match outcome {
            Err(error) => assert!(error.is_about_entry(), "{:?}: {error}", error.kind()),
            Ok(_) => panic!("an entry of a batch over the limits was accepted"),
        }
    }
}

/// One byte too large, and only so if the attributes are counted.
fn too_large(limits: QueueLimits) -> Message {
    assert!(
        limits.message_bytes <= 64 << 20,
        "messages of {} bytes are not tried: declare that the backend lacks this",
        limits.message_bytes
    );
    message_of(limits.message_bytes + 1)
}

/// A message of this [`Message::size`].
fn message_of(size: usize) -> Message {
    let attributes = Message::default()
        .with_attribute("event_type", "sale_event")
        .with_attribute("trace", typed(vec![1, 2].into(), "Binary.id"));
    let body = vec![b'x'; size - attributes.size()];
    Message { body: body.into(), ..attributes }
}
