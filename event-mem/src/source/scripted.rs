//! Messages that are there from the start.

use std::collections::VecDeque;

use event_core::{EventSource, Message, Result, async_trait};

/// Answers the messages that it was given, in order, then the end.
///
/// ```
/// use event_core::{EventSource, Message};
/// use event_mem::Scripted;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let mut source = Scripted::new([Message::new("a"), Message::new("b")]);
/// assert_eq!(source.next_batch(10).await?.len(), 2);
/// assert!(source.next_batch(10).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scripted {
    rest: VecDeque<Message>,
}

impl Scripted {
    /// A source of these messages.
    pub fn new(messages: impl IntoIterator<Item = Message>) -> Self {
        Self { rest: messages.into_iter().collect() }
    }
}

#[async_trait]
impl EventSource for Scripted {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        let count = max.min(self.rest.len());
        Ok(self.rest.drain(..count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn messages_come_in_order_and_then_the_end() {
        let messages = ["a", "b", "c"].map(Message::new);
        let mut source = Scripted::new(messages.clone());
        assert_eq!(source.next_batch(2).await.unwrap(), messages[..2]);
        assert_eq!(source.next_batch(2).await.unwrap(), messages[2..]);
        for _ in 0..2 {
            assert_eq!(source.next_batch(2).await.unwrap(), []);
        }
    }
}
