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
