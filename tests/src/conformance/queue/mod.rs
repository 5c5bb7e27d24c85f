//! The promises of [`Queue`].

mod counting;
mod probe;
mod receiving;
mod sending;
mod settling;
mod sharing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use event_core::Queue;
use libtest_mimic::Trial;

use super::case::{Backend, Case, cases, trials};

/// Makes queues for the cases, each new, empty and used by nobody else.
#[async_trait]
pub trait QueueBackend: Backend {
    /// A queue whose new messages are delayed by this time: none, or whole seconds.
    async fn queue(&self, delay: Duration) -> Arc<dyn Queue>;

    /// A queue without delay and its dead-letter queue, where a message goes after it was
    /// received so many times.
    async fn queue_with_dead_letters(&self, receives: u32) -> (Arc<dyn Queue>, Arc<dyn Queue>);
}

/// One case for each promise, in the order of the documentation.
pub fn queue_cases() -> Vec<Case<dyn QueueBackend>> {
    cases![
        sending::send_reports_each_entry => "`send` answers one outcome for each entry, in order; an accepted entry will be received under the id that it answers, a refused one never.",
        sending::send_refuses_what_is_too_large => "an entry over `QueueLimits::message_bytes` is refused with `TooLarge`, and the entries beside it are accepted, as if it were not in the batch.",
        sending::send_refuses_a_batch_over_the_limits => "more entries or bytes than a batch may hold are refused with `Invalid` or `TooLarge`, each of them, and none is sent.",
        sending::messages_survive_as_they_are => "body and attributes are received as they were sent, the attributes with their types, those with bytes among them. What a service cannot carry (an empty body, one that is not UTF-8) is refused with `Invalid`, never changed.",
        receiving::receive_keeps_to_its_maximum => "`receive` answers at most `ReceiveRequest::max` deliveries.",
        receiving::receive_waits_no_longer_than_asked => "with nothing to receive it answers an empty list after `ReceiveRequest::wait`, not before.",
        receiving::receive_wakes_on_arrival => "it answers as soon as there is something.",
        receiving::received_messages_are_hidden => "a delivery is not handed out again for its visibility timeout, to whomever asks.",
        receiving::messages_that_are_not_deleted_come_back => "after that time the message is received again, with the same id and `sent_at`, and another receipt.",
        receiving::deliveries_are_counted => "`Delivery::receive_count` is 1 the first time and grows by one.",
        settling::delete_removes => "a deleted message is not received again.",
        settling::delete_is_idempotent => "deleting again succeeds.",
        settling::delete_reports_each_entry => "a receipt that was never given out fails alone, with `Invalid` or `NotFound`.",
        settling::stale_receipts_delete_nothing => "after a message was received again, the earlier receipt neither deletes it nor changes its visibility, whatever the call answers.",
        settling::visibility_can_be_extended => "`change_visibility` counts the new time from now.",
        settling::visibility_zero_releases => "with zero the message can be received at once.",
        settling::change_visibility_reports_each_entry => "as 13, and a time over `QueueLimits::max_visibility` fails alone, with `Invalid`.",
        sending::delay_hides_new_messages => "on a queue with a delay, a message is first received after it.",
        counting::redrive_moves_to_the_dead_letter_queue => "a message received as often as the redrive policy allows goes to the dead-letter queue instead of being received once more.",
        counting::depth_counts_by_state => "`depth` tells visible, in flight and delayed messages apart (where a service counts approximately: soon after the last change).",
        counting::depth_tells_the_age_of_the_oldest => "where the backend can tell.",
        #[on_threads]
        sharing::competing_receivers_share_without_overlap => "receivers at the same time get different messages.",
        sharing::an_abandoned_receive_takes_nothing => "where `QueueLimits::cancel_safe_receive` is set, dropping the future of `receive` before it is ready hides no message.",
    ]
}

/// Whether time passes for the backend as it does for the suite. It comes before the promises: where
/// it fails, most of them do, with worse reasons.
pub fn queue_clock() -> Case<dyn QueueBackend> {
    let mut case =
        cases![receiving::goes_by_its_clock => "a backend goes by the clock that it names.",];
    case.remove(0)
}

/// The cases as trials for [`libtest_mimic::run`], the clock first.
pub fn queue_trials(backend: impl QueueBackend) -> Vec<Trial> {
    let backend: Arc<dyn QueueBackend> = Arc::new(backend);
    let mut cases = vec![queue_clock()];
    cases.extend(queue_cases());
    trials(cases, &backend)
}
