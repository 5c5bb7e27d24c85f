//! What is done with received messages: the part that a user of the library writes.

use std::time::Duration;

use async_trait::async_trait;

use crate::queue::Delivery;
use crate::reason::Reason;
use crate::shutdown::Shutdown;

/// Does the work that a queue of messages stands for.
///
/// 1. The consumer calls [`handle`](Self::handle) with batches of any size, several at a time,
///    and keeps the messages hidden from others meanwhile.
/// 2. `handle` answers one [`Outcome`] for each delivery, in order. For deliveries without one,
///    and for all of them if it panics, the consumer takes [`Outcome::Retry`]; what it panics on
///    alone [again and again](crate::ConsumerOptions::max_panics) is quarantined.
/// 3. A delivery may come again although it was acknowledged, and two with the same content may
///    come at once: a queue delivers *at least* once. Effects must be idempotent, keyed by the
///    event's partition and identity.
/// 4. `Ack` and `Duplicate` mean that the effect is durable. The message is deleted next.
/// 5. Once `shutdown` is requested, the consumer drains: finish what is quick, answer
///    [`Outcome::Retry`] for the rest. What is not answered inside the grace period is dropped at
///    whatever it awaits, and its messages are released.
///
/// ```
/// use event_core::schema::retail::Event;
/// use event_core::{Delivery, Handler, Outcome, Retail, Schema, Shutdown, async_trait};
/// use std::collections::BTreeSet;
/// use std::sync::Mutex;
///
/// /// Counts the pieces that come in, those of each event once: the sum and the events in it change
/// /// together. In a database that is one transaction.
/// #[derive(Default)]
/// struct Pieces(Mutex<(u64, BTreeSet<(String, String)>)>);
///
/// impl Pieces {
///     fn count(&self, delivery: &Delivery) -> Outcome {
///         let found = Retail::default().identify(&delivery.message);
///         let (found, event) = match (found, Event::parse(&delivery.message)) {
///             (Ok(found), Ok(event)) => (found, event),
///             (Err(reason), _) | (_, Err(reason)) => return Outcome::Quarantine(reason),
///         };
///         let mut state = self.0.lock().expect("no panic while it is held");
///         let (sum, seen) = &mut *state;
///         // An identity is one within its partition.
///         if !seen.insert((found.partition.name().to_owned(), found.identity.to_string())) {
///             return Outcome::Duplicate;
///         }
///         *sum += event.qty;
///         Outcome::Ack
///     }
/// }
///
/// #[async_trait]
/// impl Handler for Pieces {
///     async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
///         batch.iter().map(|delivery| self.count(delivery)).collect()
///     }
/// }
/// ```
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Handles a batch, which is never empty; one outcome for each delivery, in order.
    async fn handle(&self, batch: &[Delivery], shutdown: &Shutdown) -> Vec<Outcome>;

    /// Looks at a delivery when it arrives, before it waits for others. Answers whose batch it
    /// belongs in: deliveries of different groups do not share one, unless the queue brings one of
    /// them again on its own. For handlers that write a file for each day, say; any number that is the
    /// same for the same file will do. What was found out of the message may be left in
    /// [`Delivery::event`], so that [`handle`](Self::handle) need not look again. Default: nothing is
    /// left, and all are one group.
    ///
    /// It is called once for each delivery and should be quick. A delivery for which it panics is
    /// of the default group.
    fn look(&self, delivery: &mut Delivery) -> u64 {
        let _ = delivery;
        0
    }
}

/// What became of one delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, and durable: delete the message.
    Ack,
    /// It had been done before, durably: delete the message, and count a duplicate.
    Duplicate,
    /// Not done: give the message back to the queue, to come again after this time.
    Retry(Duration),
    /// It can never be done: quarantine the message with this reason, then delete it.
    Quarantine(Reason),
}
