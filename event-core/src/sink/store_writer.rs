//! The handler that writes events to a store.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::civil::Date;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug_span};

use super::{AFTER_A_FAULT, identified, too_old};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Handler, Outcome};
use crate::layout::Layout;
use crate::log::{Manifest, ManifestOptions, ObjectLayout, Prefix};
use crate::message::Message;
use crate::queue::Delivery;
use crate::reason::Reason;
use crate::retry::Retry;
use crate::schema::Schema;
use crate::shutdown::Shutdown;
use crate::store::{ObjectStore, PutMode, PutOutcome};

/// Stores each valid event as an object of its own, create-only, under its
/// [`Layout::event_key`]; the bytes stored are the bytes received.
///
/// | what is under the key | outcome |
/// |---|---|
/// | nothing | written; [`Outcome::Ack`] |
/// | the same bytes | [`Outcome::Duplicate`] |
/// | other bytes | [`Outcome::Quarantine`] with [`Reason::CONFLICT`] |
/// | nothing or the event, of a day that was deleted | [`Outcome::Quarantine`] with [`Reason::TOO_OLD`] |
///
/// What is not an event is quarantined with the reason that the [`Schema`] gives.
///
/// While the store fails, it tries again and keeps the messages: the consumer's bounds fill up,
/// receiving stops, and no message uses up its deliveries. An error that is about the event
/// itself (a key or a body that the store will never take) quarantines it.
///
/// # What is promised
///
/// Of all deliveries with the same identity and partition, one object is ever stored. Identity is by
/// partition: one on two days is two events, and both are stored.
pub struct StoreWriter {
    prefix: Prefix,
    schema: Arc<dyn Schema>,
    puts: Semaphore,
}

impl StoreWriter {
    /// A writer of events of this schema into this store, with up to 64 of them at the store at once.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout, schema: Arc<dyn Schema>) -> Self {
        let options = ManifestOptions {
            layout: Some(ObjectLayout::Event),
            schema: schema.settings(),
            ..ManifestOptions::default()
        };
        Self { prefix: Prefix::new(store, layout, options), schema, puts: Semaphore::new(64) }
    }

    /// With so many events at the store at once, over all batches; at least 1. An event stays
    /// there between two tries, so this bounds the requests that an outage is answered with, too.
    #[must_use]
    pub fn max_concurrent_puts(mut self, puts: usize) -> Self {
        self.puts = Semaphore::new(puts.max(1));
        self
    }

    /// With this retry loop: to share a budget, to fix the seed of the jitter or, by
    /// [`Retry::observed_by`], to have the retries of puts counted, which the consumer's own
    /// observer does not hear of.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.prefix.retry = retry;
        self
    }

    /// With the manifest that was opened before, so that it is not read again.
    #[must_use]
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.prefix.opened(manifest);
        self
    }

    /// Takes the day from this clock, as [`BatchWriter::today`](super::BatchWriter::today).
    #[must_use]
    pub fn today(mut self, today: impl Fn() -> Date + Send + Sync + 'static) -> Self {
        self.prefix.today(Arc::new(today));
        self
    }

    /// Reads or makes the manifest, as [`BatchWriter::open`](super::BatchWriter::open).
    ///
    /// # Errors
    ///
    /// `Invalid` as [`Manifest::open`] says; that of a request that was not answered before `stop`
    /// was requested.
    pub async fn open(&self, stop: &Shutdown) -> Result<()> {
        self.prefix.manifest(Error::is_retryable, stop).await.map(|_| ())
    }

    async fn store(&self, delivery: &Delivery, shutdown: &Shutdown) -> Outcome {
        let message = &delivery.message;
        let event = match identified(&*self.schema, delivery) {
            Ok(event) => event,
            Err(reason) => return Outcome::Quarantine(reason),
        };
        let key = self.prefix.layout.event_key(&event);
        // Never closed, so there always is a turn. No shutdown ends this wait: whoever is before
        // us stops waiting then, and one try is quick.
        let _turn = self.puts.acquire().await;
        let not_about_the_event = |error: &Error| !error.is_about_entry();
        let span = debug_span!("store", key);
        let put = || self.put_or_look(&key, message);
        let stored = self.prefix.retry.one(not_about_the_event, shutdown, put);
        let outcome = match stored.instrument(span).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_about_entry() => {
                return Outcome::Quarantine(Reason::new(Reason::REFUSED, error.to_string()));
            }
            // Given up because of the shutdown: another consumer can have it at once.
            Err(_) => return Outcome::Retry(Duration::ZERO),
        };
        // After it is durable: what the boundary of expiry passed meanwhile is not.
        match self.prefix.is_too_old(event.partition.day(), shutdown).await {
            Ok(false) => outcome,
            Ok(true) => too_old(&event.partition),
            Err(error) => not_now(&error),
        }
    }

    async fn put_or_look(&self, key: &str, message: &Message) -> Result<Outcome> {
        let put = self.prefix.store.put(key, message.body.clone(), PutMode::Create);
        if put.await? == PutOutcome::Written {
            return Ok(Outcome::Ack);
        }
        // It may be our own put whose answer was lost, an earlier delivery, or another event:
        // only the bytes tell.
        match self.prefix.store.get(key).await? {
            Some(there) if there == message.body => Ok(Outcome::Duplicate),
            Some(_) => {
                let detail = format!("{key} holds an event with the same identity and other bytes");
                Ok(Outcome::Quarantine(Reason::new(Reason::CONFLICT, detail)))
            }
            None => {
                let message = format!("{key} existed and was gone a moment later");
                Err(Error::new(ErrorKind::Transient, "put", message))
            }
        }
    }
}

/// What is below the prefix cannot be written to: a person has to see to it, or a shutdown ended the
/// tries.
fn not_now(error: &Error) -> Outcome {
    if error.kind() == ErrorKind::Invalid {
        tracing::error!(%error, "not stored");
        return Outcome::Retry(AFTER_A_FAULT);
    }
    Outcome::Retry(Duration::ZERO)
}

#[async_trait]
impl Handler for StoreWriter {
    /// Each is an object of its own, so all are one group.
    fn look(&self, delivery: &mut Delivery) -> u64 {
        delivery.event = Some(self.schema.identify(&delivery.message));
        0
    }

    async fn handle(&self, batch: &[Delivery], shutdown: &Shutdown) -> Vec<Outcome> {
        if let Err(error) = self.prefix.manifest(|_| true, shutdown).await {
            return vec![not_now(&error); batch.len()];
        }
        join_all(batch.iter().map(|delivery| self.store(delivery, shutdown))).await
    }
}
