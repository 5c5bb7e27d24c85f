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
        sending::send_reports_each_entry,
        sending::send_refuses_what_is_too_large,
        sending::send_refuses_a_batch_over_the_limits,
        sending::messages_survive_as_they_are,
        receiving::receive_keeps_to_its_maximum,
        receiving::receive_waits_no_longer_than_asked,
        receiving::receive_wakes_on_arrival,
        receiving::received_messages_are_hidden,
        receiving::messages_that_are_not_deleted_come_back,
        receiving::deliveries_are_counted,
        settling::delete_removes,
        settling::delete_is_idempotent,
        settling::delete_reports_each_entry,
        settling::stale_receipts_delete_nothing,
        settling::visibility_can_be_extended,
        settling::visibility_zero_releases,
        settling::change_visibility_reports_each_entry,
        sending::delay_hides_new_messages,
        counting::redrive_moves_to_the_dead_letter_queue,
        counting::depth_counts_by_state,
        counting::depth_tells_the_age_of_the_oldest,
        #[on_threads]
        sharing::competing_receivers_share_without_overlap,
        sharing::an_abandoned_receive_takes_nothing,
    ]
}

/// The cases as trials for [`libtest_mimic::run`].
pub fn queue_trials(backend: impl QueueBackend) -> Vec<Trial> {
    let backend: Arc<dyn QueueBackend> = Arc::new(backend);
    trials(queue_cases(), &backend)
}
