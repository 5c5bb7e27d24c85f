//! One source for several producers.

use std::sync::Arc;

use event_core::{EventSource, Message, Result, async_trait};
use tokio::sync::Mutex;

/// A source that several producers read: each clone reads the same one, and each message goes to
/// exactly one of them.
///
/// While one waits for the source, the others wait for their turn.
///
/// ```
/// use event_core::{EventSource, Message};
/// use event_mem::{Scripted, Shared};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let mut one = Shared::new(Scripted::new([Message::new("a"), Message::new("b")]));
/// let mut other = one.clone();
/// assert_eq!(one.next_batch(1).await?, [Message::new("a")]);
/// assert_eq!(other.next_batch(1).await?, [Message::new("b")]);
/// assert!(one.next_batch(1).await?.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Shared<S> {
    source: Arc<Mutex<S>>,
}

impl<S: EventSource> Shared<S> {
    /// Makes this source one that can be cloned.
    pub fn new(source: S) -> Self {
        Self { source: Arc::new(Mutex::new(source)) }
    }
}

impl<S> Clone for Shared<S> {
    fn clone(&self) -> Self {
        Self { source: Arc::clone(&self.source) }
    }
}

#[async_trait]
impl<S: EventSource> EventSource for Shared<S> {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        // Dropped while it waits for its turn it has read nothing; after that the source's own
        // promise holds.
        self.source.lock().await.next_batch(max).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scripted;

    #[tokio::test]
    async fn each_message_goes_to_exactly_one_reader() {
        let messages: Vec<_> = (0..100).map(|n| Message::new(n.to_string())).collect();
        let source = Shared::new(Scripted::new(messages.clone()));
        let readers: Vec<_> = (1..5)
            .map(|max| {
                let mut source = source.clone();
                tokio::spawn(async move {
                    let mut got = Vec::new();
                    loop {
                        let batch = source.next_batch(max).await.unwrap();
                        if batch.is_empty() {
                            return got;
                        }
                        got.extend(batch);
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        let mut got = Vec::new();
        for reader in readers {
            let part = reader.await.unwrap();
            assert!(!part.is_empty());
            got.extend(part);
        }
        let number = |m: &Message| -> u32 { str::from_utf8(&m.body).unwrap().parse().unwrap() };
        got.sort_by_key(number);
        assert_eq!(got, messages);
    }
}
