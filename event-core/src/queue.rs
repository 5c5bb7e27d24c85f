//! The queue: what a backend promises, and what it may limit.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::error::Result;
use crate::message::Message;
use crate::reason::Reason;
use crate::schema::Identified;

/// A queue with visibility timeouts, like SQS.
///
/// # For users
///
/// A message is sent once and may be received many times: each receive hides it for a while, and
/// it comes back unless it is deleted with the receipt of that receive. Calls take batches, and
/// each entry has its own outcome, in order. The engines in this crate call these methods for
/// you, with retries; nothing here retries.
///
/// # For implementors
///
/// Every promise is a case of the conformance suite in `event-tests`, under the name given here.
/// A backend that cannot keep one declares so there. Classify errors by
/// [`ErrorKind`](crate::ErrorKind); when in doubt, `Unknown`, and `Ambiguous` where the request
/// may have been applied. An empty batch has no outcomes, and need not be sent.
///
/// 1. `send_reports_each_entry`: [`send`](Self::send) answers one outcome for each entry, in
///    order; an accepted entry will be received under the id that it answers, a refused one
///    never.
/// 2. `send_refuses_what_is_too_large`: an entry over [`QueueLimits::message_bytes`] is refused
///    with `TooLarge`, and the entries beside it are accepted, as if it were not in the batch.
/// 3. `send_refuses_a_batch_over_the_limits`: more entries or bytes than a batch may hold are
///    refused with `Invalid` or `TooLarge`, each of them, and none is sent.
/// 4. `messages_survive_as_they_are`: body and attributes are received as they were sent, the
///    attributes with their types, those with bytes among them. What a service cannot carry (an
///    empty body, one that is not UTF-8) is refused with `Invalid`, never changed.
/// 5. `receive_keeps_to_its_maximum`: [`receive`](Self::receive) answers at most
///    [`ReceiveRequest::max`] deliveries.
/// 6. `receive_waits_no_longer_than_asked`: with nothing to receive it answers an empty list
///    after [`ReceiveRequest::wait`], not before.
/// 7. `receive_wakes_on_arrival`: it answers as soon as there is something.
/// 8. `received_messages_are_hidden`: a delivery is not handed out again for its visibility
///    timeout, to whomever asks.
/// 9. `messages_that_are_not_deleted_come_back`: after that time the message is received again, with the
///    same id and [`sent_at`](Delivery::sent_at), and another receipt.
/// 10. `deliveries_are_counted`: [`Delivery::receive_count`] is 1 the first time and grows by one.
/// 11. `delete_removes`: a deleted message is not received again.
/// 12. `delete_is_idempotent`: deleting again succeeds.
/// 13. `delete_reports_each_entry`: a receipt that was never given out fails alone, with
///     `Invalid` or `NotFound`.
/// 14. `stale_receipts_delete_nothing`: after a message was received again, the earlier receipt
///     neither deletes it nor changes its visibility, whatever the call answers.
/// 15. `visibility_can_be_extended`: [`change_visibility`](Self::change_visibility) counts the
///     new time from now.
/// 16. `visibility_zero_releases`: with zero the message can be received at once.
/// 17. `change_visibility_reports_each_entry`: as 13, and a time over
///     [`QueueLimits::max_visibility`] fails alone, with `Invalid`.
/// 18. `delay_hides_new_messages`: on a queue with a delay, a message is first received after it.
/// 19. `redrive_moves_to_the_dead_letter_queue`: a message received as often as the redrive
///     policy allows goes to the dead-letter queue instead of being received once more.
/// 20. `depth_counts_by_state`: [`depth`](Self::depth) tells visible, in flight and delayed
///     messages apart (where a service counts approximately: soon after the last change).
/// 21. `depth_tells_the_age_of_the_oldest`: where the backend can tell.
/// 22. `competing_receivers_share_without_overlap`: receivers at the same time get different
///     messages.
/// 23. `an_abandoned_receive_takes_nothing`: where [`QueueLimits::cancel_safe_receive`] is set,
///     dropping the future of `receive` before it is ready hides no message.
#[async_trait]
pub trait Queue: Send + Sync + 'static {
    /// What this queue limits. The values do not change while the queue is in use.
    fn limits(&self) -> QueueLimits;

    /// Sends a batch; one outcome for each entry, in order.
    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>>;

    /// Receives what is there, or waits for it. The only call that may take long: as long as
    /// [`ReceiveRequest::wait`].
    ///
    /// Dropping the future while it waits is safe only where
    /// [`QueueLimits::cancel_safe_receive`] says so: elsewhere messages may be on their way, and
    /// stay hidden for their visibility timeout.
    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>>;

    /// Deletes deliveries by their receipts; one outcome for each, in order.
    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>>;

    /// Hides deliveries for this long from now on; one outcome for each, in order.
    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>>;

    /// How many messages there are, by state.
    async fn depth(&self) -> Result<Depth>;
}

/// What a queue limits, as data: engines read it, so that no constant of one service is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueLimits {
    /// Most entries in a batch to send, delete or change.
    pub batch_entries: usize,
    /// Most bytes in a batch to send, attributes counted ([`Message::size`]).
    pub batch_bytes: usize,
    /// Most bytes of one message, attributes counted.
    pub message_bytes: usize,
    /// Most deliveries that one receive answers.
    pub receive_max: usize,
    /// The longest wait of one receive.
    pub max_wait: Duration,
    /// How long a delivery is hidden if the receiver does not say.
    pub visibility: Duration,
    /// The longest time that a delivery can be hidden, counted from its receive.
    pub max_visibility: Duration,
    /// Whether the future of a receive may be dropped while it waits.
    pub cancel_safe_receive: bool,
}

impl QueueLimits {
    /// The limits of [SQS standard queues](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html)
    /// with the default visibility timeout of 30 s.
    pub const SQS: Self = Self {
        batch_entries: 10,
        batch_bytes: 1024 * 1024,
        message_bytes: 1024 * 1024,
        receive_max: 10,
        max_wait: Duration::from_secs(20),
        visibility: Duration::from_secs(30),
        max_visibility: Duration::from_secs(12 * 60 * 60),
        cancel_safe_receive: false,
    };
}

/// What to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveRequest {
    /// Most deliveries to answer: 1 to [`QueueLimits::receive_max`].
    pub max: usize,
    /// How long to wait when there is nothing, up to [`QueueLimits::max_wait`].
    pub wait: Duration,
    /// How long what is received stays hidden, up to [`QueueLimits::max_visibility`].
    pub visibility: Duration,
}

/// A message as it was received once.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// What the producer sent.
    pub message: Message,
    /// The queue's name for the message: the same for each delivery of it, but no identity of
    /// the event, since a producer's retry or a redrive gives a new one.
    pub id: MessageId,
    /// What deletes, extends or releases this delivery, and no other.
    pub receipt: Receipt,
    /// How often the message was received, this time included.
    pub receive_count: u32,
    /// When the queue accepted the message: the same for each delivery of it. Its day says where a
    /// [log of quarantined messages](crate::Quarantine::log) has it.
    pub sent_at: SystemTime,
    /// What a handler [found out](crate::Handler::look) of the message. None from a queue.
    pub event: Option<std::result::Result<Identified, Reason>>,
}

/// The queue's name for a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(Arc<str>);

/// What deletes, extends or releases one delivery. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Receipt(Arc<str>);

macro_rules! opaque {
    ($name:ident) => {
        impl $name {
            /// Wraps the backend's own text.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The backend's own text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}
opaque!(MessageId);
opaque!(Receipt);

/// How many messages a queue holds, by state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Ready to be received.
    pub visible: u64,
    /// Received, and neither deleted nor back.
    pub in_flight: u64,
    /// Sent with a delay that has not passed.
    pub delayed: u64,
    /// The age of the oldest message that was not deleted; none when there is no message or the
    /// backend cannot tell.
    pub oldest: Option<Duration>,
}

impl Depth {
    /// Messages in any state.
    pub fn total(&self) -> u64 {
        self.visible + self.in_flight + self.delayed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_sqs_are_those_of_its_documentation() {
        let sqs = QueueLimits::SQS;
        assert_eq!((sqs.batch_entries, sqs.receive_max), (10, 10));
        assert_eq!((sqs.batch_bytes, sqs.message_bytes), (1_048_576, 1_048_576));
        let times = [sqs.max_wait, sqs.visibility, sqs.max_visibility];
        assert_eq!(times.map(|time| time.as_secs()), [20, 30, 43_200]);
        assert!(!sqs.cancel_safe_receive);
    }

    #[test]
    fn the_total_counts_messages_in_every_state() {
        let depth = Depth { visible: 100, in_flight: 20, delayed: 3, oldest: None };
        assert_eq!(depth.total(), 123);
    }
}
