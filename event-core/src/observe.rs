//! What the engines tell whoever counts: progress bars, metrics, tests.

use std::sync::Arc;

use crate::batch::FlushReason;
use crate::error::Error;
use crate::handler::Outcome;
use crate::message::Message;
use crate::queue::Delivery;
use crate::reason::Reason;

/// Hears of everything that the engines do. Each method does nothing unless it is written.
///
/// Methods are called on the engines' own path: count and return.
pub trait Observer: Send + Sync + 'static {
    /// The queue accepted these messages.
    fn sent(&self, messages: &[Message]) {
        let _ = messages;
    }

    /// The producer put a message aside that the queue will never take.
    fn rejected(&self, message: &Message, reason: &Reason) {
        let _ = (message, reason);
    }

    /// A receive answered; these may be none.
    fn received(&self, deliveries: &[Delivery]) {
        let _ = deliveries;
    }

    /// The consumer now holds so many messages, from their receive until the queue has answered
    /// to their deletion or release, and so many bytes of those that are not handled yet.
    fn held(&self, messages: usize, bytes: usize) {
        let _ = (messages, bytes);
    }

    /// A batch was handed to the handler.
    fn flushed(&self, reason: FlushReason, messages: usize, bytes: usize) {
        let _ = (reason, messages, bytes);
    }

    /// What became of a delivery. At this moment it is durable, if it is stored or quarantined,
    /// and not yet deleted.
    fn handled(&self, delivery: &Delivery, outcome: &Outcome) {
        let _ = (delivery, outcome);
    }

    /// So many deliveries were deleted from the queue.
    fn deleted(&self, messages: usize) {
        let _ = messages;
    }

    /// So many deliveries were given back to the queue.
    fn released(&self, messages: usize) {
        let _ = messages;
    }

    /// So many entries of a request will be tried again because of this error.
    fn retried(&self, error: &Error, entries: usize) {
        let _ = (error, entries);
    }
}

/// Hears nothing.
impl Observer for () {}

/// Each of them hears of everything, in order.
///
/// ```
/// use event_core::Observer;
/// use std::sync::Arc;
///
/// let both: Vec<Arc<dyn Observer>> = vec![Arc::new(()), Arc::new(())];
/// both.deleted(10);
/// ```
impl Observer for Vec<Arc<dyn Observer>> {
    fn sent(&self, messages: &[Message]) {
        self.iter().for_each(|observer| observer.sent(messages));
    }

    fn rejected(&self, message: &Message, reason: &Reason) {
        self.iter().for_each(|observer| observer.rejected(message, reason));
    }

    fn received(&self, deliveries: &[Delivery]) {
        self.iter().for_each(|observer| observer.received(deliveries));
    }

    fn held(&self, messages: usize, bytes: usize) {
        self.iter().for_each(|observer| observer.held(messages, bytes));
    }

    fn flushed(&self, reason: FlushReason, messages: usize, bytes: usize) {
        self.iter().for_each(|observer| observer.flushed(reason, messages, bytes));
    }

    fn handled(&self, delivery: &Delivery, outcome: &Outcome) {
        self.iter().for_each(|observer| observer.handled(delivery, outcome));
    }

    fn deleted(&self, messages: usize) {
        self.iter().for_each(|observer| observer.deleted(messages));
    }

    fn released(&self, messages: usize) {
        self.iter().for_each(|observer| observer.released(messages));
    }

    fn retried(&self, error: &Error, entries: usize) {
        self.iter().for_each(|observer| observer.retried(error, entries));
    }
}
