//! What a consumer asks of its queue, its handler and its quarantine: each in a task of its own,
//! which answers with a [`Done`].

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::capacity::Room;
use super::leases::Extension;
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Handler, Outcome};
use crate::queue::{Delivery, Queue, Receipt, ReceiveRequest};
use crate::reason::Reason;
use crate::retry::{ACCESS_TIMEOUT, Retry};
use crate::shutdown::Shutdown;
use crate::sink::{AFTER_A_FAULT, Quarantine, QuarantineEntry};

/// What a task of the consumer needs.
pub(super) struct Requests {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) handler: Arc<dyn Handler>,
    pub(super) quarantine: Quarantine,
    pub(super) retry: Retry,
}

/// How a task of the consumer ended.
pub(super) enum Done {
    /// Each delivery with its group.
    Received {
        room: Room,
        answer: Result<Vec<(u64, Delivery)>>,
    },
    Handled(Vec<Outcome>),
    Deleted(Vec<Result<()>>),
    Released(Vec<Result<()>>),
    Extended {
        asked: Instant,
        extensions: Vec<(Extension, Result<()>)>,
    },
}

/// When a receive under way is given up.
pub(super) struct ReceiveEnd {
    pub(super) stop: Shutdown,
    /// So long after the stop.
    pub(super) after: Duration,
}

impl ReceiveEnd {
    async fn comes(&self) {
        self.stop.requested().await;
        if !self.after.is_zero() {
            sleep(self.after).await;
        }
    }
}

impl Requests {
    /// Receives once, with retries until it is told to stop; a receive under way is awaited for
    /// a while even then.
    pub(super) async fn receive(
        self: Arc<Self>,
        request: ReceiveRequest,
        room: Room,
        end: ReceiveEnd,
    ) -> Done {
        let retry = self.retry.with_access_timeout(Error::is_about_access, ACCESS_TIMEOUT);
        let receive = || self.queue.receive(request);
        let answer = tokio::select! {
            biased;
            answer = retry.one(Error::is_retryable, &end.stop, receive) => answer,
            () = end.comes() => Ok(Vec::new()),
        };
        let answer = answer.map(|deliveries| {
            let look = |mut delivery| (self.look(&mut delivery), delivery);
            deliveries.into_iter().map(look).collect()
        });
        Done::Received { room, answer }
    }

    /// The group of a delivery. A panic is left to the handler, where it costs no other message.
    fn look(&self, delivery: &mut Delivery) -> u64 {
        catch_unwind(AssertUnwindSafe(|| self.handler.look(delivery))).unwrap_or_default()
    }

    /// Has a batch handled, and what is to be quarantined made durable. `later` is when to try
    /// again what the handler gives no outcome for.
    pub(super) async fn handle(
        self: Arc<Self>,
        deliveries: Arc<Vec<Delivery>>,
        later: Duration,
        stop: Shutdown,
    ) -> Done {
        let mut outcomes = self.handler.handle(&deliveries, &stop).await;
        if outcomes.len() != deliveries.len() {
            tracing::error!(
                deliveries = deliveries.len(),
                outcomes = outcomes.len(),
                "the handler must answer one outcome for each delivery: all of them are retried"
            );
            // Nobody can tell which outcome is whose.
            outcomes = vec![Outcome::Retry(later); deliveries.len()];
        }
        self.put_in_quarantine(&deliveries, &mut outcomes, &stop).await;
        Done::Handled(outcomes)
    }

    /// Quarantines a message on which the handler panics.
    pub(super) async fn quarantine(
        self: Arc<Self>,
        alone: Arc<Vec<Delivery>>,
        reason: Reason,
        stop: Shutdown,
    ) -> Done {
        let mut outcomes = vec![Outcome::Quarantine(reason); alone.len()];
        self.put_in_quarantine(&alone, &mut outcomes, &stop).await;
        Done::Handled(outcomes)
    }

    /// Makes the quarantines among these outcomes durable, all at once, or turns them into retries;
    /// leaves other outcomes as they are.
    async fn put_in_quarantine(
        &self,
        deliveries: &[Delivery],
        outcomes: &mut [Outcome],
        stop: &Shutdown,
    ) {
        let mut places = Vec::new();
        let mut entries = Vec::new();
        for (place, (delivery, outcome)) in deliveries.iter().zip(&*outcomes).enumerate() {
            if let Outcome::Quarantine(reason) = outcome {
                places.push(place);
                let Delivery { message, sent_at, .. } = delivery;
                entries.push(QuarantineEntry { message, reason, sent_at: *sent_at });
            }
        }
        if entries.is_empty() {
            return;
        }
        let put = self.quarantine.put(&entries, &self.retry, stop).await;
        for (place, put) in places.into_iter().zip(put) {
            if put.is_err() {
                // Given up because of the shutdown, another consumer can have it at once.
                let later = if stop.is_requested() { Duration::ZERO } else { AFTER_A_FAULT };
                outcomes[place] = Outcome::Retry(later);
            }
        }
    }

    /// Deletes what is done. Tries until the consumer returns: the effect is durable, so nothing
    /// is gained by giving up earlier.
    pub(super) async fn delete(self: Arc<Self>, receipts: Vec<Receipt>) -> Done {
        let delete = |receipts: Vec<Receipt>| async {
            let outcomes = self.queue.delete(&receipts).await;
            (receipts, outcomes)
        };
        let never = Shutdown::never();
        let retry = self.retry.with_access_timeout(Error::is_denied, ACCESS_TIMEOUT);
        Done::Deleted(retry.each(receipts, Error::is_retryable, &never, delete).await)
    }

    /// Gives back what is not done, hidden for a time. Tries until the consumer returns.
    pub(super) async fn release(self: Arc<Self>, changes: Vec<(Receipt, Duration)>) -> Done {
        let change = |changes: Vec<(Receipt, Duration)>| async {
            let outcomes = self.queue.change_visibility(&changes).await;
            (changes, outcomes)
        };
        let never = Shutdown::never();
        let retry = self.retry.with_access_timeout(Error::is_denied, ACCESS_TIMEOUT);
        Done::Released(retry.each(changes, Error::is_retryable, &never, change).await)
    }

    /// Extends leases, once: they are looked at again before they expire.
    pub(super) async fn extend(self: Arc<Self>, extensions: Vec<Extension>) -> Done {
        let asked = Instant::now();
        let change = |extension: &Extension| (extension.receipt.clone(), extension.visibility);
        let changes: Vec<_> = extensions.iter().map(change).collect();
        let mut outcomes = self.queue.change_visibility(&changes).await.into_iter();
        let missing =
            || Err(Error::new(ErrorKind::Ambiguous, "change_visibility", "no outcome was given"));
        let pair = |extension| (extension, outcomes.next().unwrap_or_else(missing));
        Done::Extended { asked, extensions: extensions.into_iter().map(pair).collect() }
    }
}
