//! The promises of [`EventSource`].

use std::sync::Arc;

use async_trait::async_trait;
use event_core::{EventSource, Message};
use libtest_mimic::Trial;

use super::case::{Backend, Case, cases, poll_once, same, trials};

/// Makes sources for the cases.
#[async_trait]
pub trait SourceBackend: Backend {
    /// A source of at least so many messages: the same each time, for example [`sample`]s. One
    /// without an end lacks `the_end_is_the_end`.
    async fn source(&self, messages: usize) -> Box<dyn EventSource>;
}

/// One case for each promise, in the order of the documentation.
pub fn source_cases() -> Vec<Case<dyn SourceBackend>> {
    use self as source;
    cases![
        source::batches_keep_to_their_maximum => "`next_batch` answers 1 to `max` messages, or an empty list at the end.",
        source::the_end_is_the_end => "after an empty list come only empty lists.",
        source::an_abandoned_read_loses_nothing => "dropping the future before it is ready loses no message; the next call answers it.",
        source::order_is_kept => "what is read does not depend on the size of the batches.",
    ]
}

/// The cases as trials for [`libtest_mimic::run`].
pub fn source_trials(backend: impl SourceBackend) -> Vec<Trial> {
    let backend: Arc<dyn SourceBackend> = Arc::new(backend);
    trials(source_cases(), &backend)
}

/// So many messages, each different, for sources that are given theirs.
pub fn sample(messages: usize) -> Vec<Message> {
    let message = |n| {
        Message::new(format!("{{\"request_id\": \"sample-{n}\"}}"))
            .with_attribute("event_type", "sale_event")
    };
    (0..messages).map(message).collect()
}

const MESSAGES: usize = 100;

async fn batches_keep_to_their_maximum(backend: Arc<dyn SourceBackend>) {
    let mut source = backend.source(MESSAGES).await;
    let mut read = 0;
    // `next_batch` itself fails if there are too many.
    for max in [1, 2, 7, MESSAGES, MESSAGES * 2].into_iter().cycle() {
        let batch = next_batch(&mut *source, max).await;
        read += batch.len();
        if batch.is_empty() || read >= MESSAGES {
            break;
        }
    }
    assert!(read >= MESSAGES, "the source ended after {read} of {MESSAGES} messages");
}

async fn the_end_is_the_end(backend: Arc<dyn SourceBackend>) {
    let most = 10 * MESSAGES;
    for messages in [0, MESSAGES] {
        let mut source = backend.source(messages).await;
        let read = read(&mut *source, &[7], most).await.len();
        assert!(read < most, "{read} messages and no end");
        for max in [1, MESSAGES, 1] {
            same!(next_batch(&mut *source, max).await, [], "after the end");
        }
    }
}

async fn an_abandoned_read_loses_nothing(backend: Arc<dyn SourceBackend>) {
    let expected = read(&mut *backend.source(MESSAGES).await, &[1], MESSAGES).await;
    let mut source = backend.source(MESSAGES).await;
    let mut got = Vec::new();
    // Dropped unpolled, or after some polls with time for others between them.
    for polls in (0..4).cycle().take(10 * MESSAGES) {
        let mut batch = source.next_batch(3);
        for _ in 0..polls {
            if let Some(answer) = poll_once(&mut batch).await {
                got.extend(answer.unwrap());
                break;
            }
            tokio::task::yield_now().await;
        }
        if got.len() >= MESSAGES {
            break;
        }
    }
    let rest = MESSAGES.saturating_sub(got.len());
    got.extend(read(&mut *source, &[3], rest).await);
    assert_same(&expected, &got);
}

async fn order_is_kept(backend: Arc<dyn SourceBackend>) {
    let expected = read(&mut *backend.source(MESSAGES).await, &[1], MESSAGES).await;
    for sizes in [&[MESSAGES][..], &[2], &[7, 1, 3], &[10]] {
        let mut source = backend.source(MESSAGES).await;
        assert_same(&expected, &read(&mut *source, sizes, MESSAGES).await);
    }
}

/// Reads in batches of these sizes until there are so many messages, or the end.
async fn read(source: &mut dyn EventSource, sizes: &[usize], messages: usize) -> Vec<Message> {
    let mut all = Vec::new();
    for &max in sizes.iter().cycle() {
        if all.len() >= messages {
            break;
        }
        let batch = next_batch(source, max).await;
        if batch.is_empty() {
            break;
        }
        all.extend(batch);
    }
    all
}

async fn next_batch(source: &mut dyn EventSource, max: usize) -> Vec<Message> {
    let batch = source.next_batch(max).await.unwrap();
    assert!(batch.len() <= max, "a batch of at most {max} holds {}", batch.len());
    batch
}

/// Compares what both have; the last batch may have brought more than was asked for.
fn assert_same(expected: &[Message], got: &[Message]) {
    for list in [expected, got] {
        assert!(list.len() >= MESSAGES, "only {} of {MESSAGES} messages came", list.len());
    }
    let differs = expected.iter().zip(got).position(|(expected, got)| expected != got);
    if let Some(n) = differs {
        panic!("message {n} is {:?}, not {:?}", got[n], expected[n]);
    }
}
