//! Where events come from.

use async_trait::async_trait;

use crate::error::Result;
use crate::message::Message;

/// A source of events, read by one producer at a time.
///
/// Every promise is a case of the conformance suite in `event-tests`, under the name given here.
///
/// 1. `batches_keep_to_their_maximum`: [`next_batch`](Self::next_batch) answers 1 to `max`
///    messages, or an empty list at the end.
/// 2. `the_end_is_the_end`: after an empty list come only empty lists.
/// 3. `an_abandoned_read_loses_nothing`: dropping the future before it is ready loses no message;
///    the next call answers it.
/// 4. `order_is_kept`: what is read does not depend on the size of the batches.
///
/// Bad input is not an error: it is a message, which the consumer quarantines. An error means
/// that the source itself cannot go on, and is not retried.
#[async_trait]
pub trait EventSource: Send + 'static {
    /// The next messages, waiting for at least one; an empty list is the end.
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>>;
}

#[async_trait]
impl<S: EventSource + ?Sized> EventSource for Box<S> {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        (**self).next_batch(max).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Countdown(usize);

    #[async_trait]
    impl EventSource for Countdown {
        async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
            let batch = max.min(self.0);
            self.0 -= batch;
            Ok(vec![Message::new("x"); batch])
        }
    }

    #[tokio::test]
    async fn a_boxed_source_answers_as_the_source_does() {
        let mut source: Box<dyn EventSource> = Box::new(Countdown(5));
        let mut sizes = Vec::new();
        for _ in 0..3 {
            sizes.push(Box::next_batch(&mut source, 3).await.unwrap().len());
        }
        assert_eq!(sizes, [3, 2, 0]);
    }
}
