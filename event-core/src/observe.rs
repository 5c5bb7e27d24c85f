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

    /// The producer quarantined a message that the queue will never take.
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

    /// So many deliveries are done and could not be deleted: they come again, as duplicates.
    fn delete_failed(&self, messages: usize) {
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

    fn delete_failed(&self, messages: usize) {
        self.iter().for_each(|observer| observer.delete_failed(messages));
    }

    fn released(&self, messages: usize) {
        self.iter().for_each(|observer| observer.released(messages));
    }

    fn retried(&self, error: &Error, entries: usize) {
        self.iter().for_each(|observer| observer.retried(error, entries));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::mocks::{MockObserver, delivery};

    #[test]
    fn several_observers_hear_of_everything_each() {
        let observer = || {
            let mut mock = MockObserver::new();
            mock.expect_sent().once().withf(|messages| messages.len() == 2).return_const(());
            let rejected = |message: &Message, reason: &Reason| {
                message.body == "x" && reason.code() == "refused"
            };
            mock.expect_rejected().once().withf(rejected).return_const(());
            mock.expect_received()
                .once()
                .withf(|deliveries| deliveries.len() == 1)
                .return_const(());
            mock.expect_held().once().withf(|&m, &b| (m, b) == (3, 30)).return_const(());
            let flushed = |&reason: &FlushReason, &messages: &usize, &bytes: &usize| {
                (reason, messages, bytes) == (FlushReason::Linger, 4, 40)
            };
            mock.expect_flushed().once().withf(flushed).return_const(());
            mock.expect_handled()
                .once()
                .withf(|_, outcome| *outcome == Outcome::Duplicate)
                .return_const(());
            mock.expect_deleted().once().withf(|&messages| messages == 5).return_const(());
            mock.expect_delete_failed().once().withf(|&messages| messages == 8).return_const(());
            mock.expect_released().once().withf(|&messages| messages == 6).return_const(());
            mock.expect_retried().once().withf(|_, &entries| entries == 7).return_const(());
            Arc::new(mock) as Arc<dyn Observer>
        };
        let all = vec![observer(), observer(), observer()];
        let message = Message::new("x");
        all.sent(&[message.clone(), message.clone()]);
        all.rejected(&message, &Reason::new(Reason::REFUSED, ""));
        all.received(&[delivery(message.clone())]);
        all.held(3, 30);
        all.flushed(FlushReason::Linger, 4, 40);
        all.handled(&delivery(message), &Outcome::Duplicate);
        all.deleted(5);
        all.delete_failed(8);
        all.released(6);
        all.retried(&Error::new(ErrorKind::Unknown, "put", ""), 7);
    }
}
