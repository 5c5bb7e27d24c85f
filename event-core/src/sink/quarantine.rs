//! Where messages go that are no valid events: beside the store, whole, with the reason.

use std::sync::Arc;

use crate::codec;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::message::Message;
use crate::reason::Reason;
use crate::retry::Retry;
use crate::shutdown::Shutdown;
use crate::store::{ObjectStore, PutMode};

/// Writes messages that are put aside: one object each, a line as
/// [`codec::encode_quarantined`] writes it, under the
/// [`Layout::quarantine_key`] of the message. The same message is there once however often it
/// comes.
#[derive(Clone)]
pub struct Quarantine {
    store: Arc<dyn ObjectStore>,
    layout: Layout,
}

impl Quarantine {
    /// A quarantine in this store.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout) -> Self {
        Self { store, layout }
    }

    /// Puts a message aside and answers once it is durable. Tries again, whatever the error,
    /// until `stop` is requested: a message in quarantine is about to be deleted, so there is
    /// nowhere else for it to go.
    ///
    /// "Exists" is success: the key holds a SHA-256 of the whole message, so what is there under
    /// it is this message.
    pub async fn put(
        &self,
        message: &Message,
        reason: &Reason,
        retry: &Retry,
        stop: &Shutdown,
    ) -> Result<()> {
        let key = self.layout.quarantine_key(message, reason);
        let line: bytes::Bytes = codec::encode_quarantined(message, reason).into();
        let always = |_: &Error| true;
        retry.one(always, stop, || self.store.put(&key, line.clone(), PutMode::Create)).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::error::ErrorKind;
    use crate::mocks::MockStore;
    use crate::store::PutOutcome;

    async fn put(store: MockStore, stop: &Shutdown) -> Result<()> {
        let quarantine = Quarantine::new(Arc::new(store), Layout::default());
        let (message, reason) = (Message::new("x"), Reason::new("bad_msg", "why"));
        quarantine.put(&message, &reason, &Retry::default(), stop).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_put_aside_whole_whatever_the_store_says_at_first() {
        let mut store = MockStore::new();
        let mut answers = [
            Err(Error::new(ErrorKind::Denied, "put", "on purpose")),
            Err(Error::new(ErrorKind::Invalid, "put", "on purpose")),
            Ok(PutOutcome::Written),
        ]
        .into_iter();
        store.expect_put().times(3).returning(move |key, body, mode| {
            assert!(key.starts_with("quarantine/store_events/reason=bad_msg/"), "{key}");
            assert_eq!(codec::decode_line(&body), Ok(Message::new("x")));
            assert_eq!(mode, PutMode::Create);
            answers.next().unwrap()
        });
        assert!(put(store, &Shutdown::never()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_already_is_put_aside() {
        let mut store = MockStore::new();
        store.expect_put().once().returning(|_, _, _| Ok(PutOutcome::Exists));
        assert!(put(store, &Shutdown::never()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_tries_with_the_error() {
        let mut store = MockStore::new();
        store
            .expect_put()
            .returning(|_, _, _| Err(Error::new(ErrorKind::Transient, "put", "on purpose")));
        let (trigger, stop) = Shutdown::new();
        trigger.shutdown();
        let error = timeout(Duration::from_secs(3600), put(store, &stop)).await.unwrap();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Transient);
    }
}
