//! Mistakes in how many deliveries come, when, and to whom.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use event_core::{Delivery, Queue, ReceiveRequest, Result, async_trait};
use event_tests::conformance::queue_clock;
use tokio::time::sleep;

use super::{Mistake, backend, expect};

/// For which a second of tokio's paused clock is no time at all.
#[derive(Default)]
struct GoesByTheWall;
#[async_trait]
impl Mistake for GoesByTheWall {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let visibility = Duration::from_secs(3600);
        queue.receive(ReceiveRequest { visibility, ..request }).await
    }
}

#[test]
fn a_wrong_clock_is_told_as_one() {
    let told = queue_clock().check(backend::<GoesByTheWall>()).unwrap_err();
    assert!(told.contains("Clock::WALL"), "{told}");
    queue_clock().check(backend::<NeverWakes>()).unwrap();
}

#[derive(Default)]
struct IgnoresTheMaximum;
#[async_trait]
impl Mistake for IgnoresTheMaximum {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let max = (request.max + 1).min(queue.limits().receive_max);
        queue.receive(ReceiveRequest { max, ..request }).await
    }
}

#[test]
fn a_receive_that_ignores_its_maximum_is_caught() {
    expect::<IgnoresTheMaximum>(&[
        "receive_keeps_to_its_maximum",
        "receive_wakes_on_arrival",
        "received_messages_are_hidden",
        "depth_counts_by_state",
        "competing_receivers_share_without_overlap",
    ]);
}

#[derive(Default)]
struct NeverWaits;
#[async_trait]
impl Mistake for NeverWaits {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let wait = Duration::ZERO;
        let answer = queue.receive(ReceiveRequest { wait, ..request }).await;
        // Or a caller that polls would keep the paused clock from moving at all.
        sleep(Duration::from_millis(10)).await;
        answer
    }
}

#[test]
fn a_receive_that_does_not_wait_is_caught() {
    expect::<NeverWaits>(&[
        "receive_waits_no_longer_than_asked",
        "receive_wakes_on_arrival",
        "an_abandoned_receive_takes_nothing",
    ]);
}

#[derive(Default)]
struct NeverWakes;
#[async_trait]
impl Mistake for NeverWakes {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let wait = Duration::ZERO;
        let now = queue.receive(ReceiveRequest { wait, ..request }).await?;
        if !now.is_empty() {
            return Ok(now);
        }
        sleep(request.wait).await;
        queue.receive(ReceiveRequest { wait, ..request }).await
    }
}

#[test]
fn a_long_poll_that_does_not_wake_is_caught() {
    expect::<NeverWakes>(&[
        "receive_wakes_on_arrival",
        "messages_that_are_not_deleted_come_back",
        "visibility_can_be_extended",
        "visibility_zero_releases",
        "delay_hides_new_messages",
        "an_abandoned_receive_takes_nothing",
    ]);
}

#[derive(Default)]
struct HidesTooShort;
#[async_trait]
impl Mistake for HidesTooShort {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let visibility = request.visibility / 2;
        queue.receive(ReceiveRequest { visibility, ..request }).await
    }
}

#[test]
fn a_queue_that_hides_messages_too_short_is_caught() {
    expect::<HidesTooShort>(&[
        "received_messages_are_hidden",
        "stale_receipts_delete_nothing",
        "visibility_can_be_extended",
        "change_visibility_reports_each_entry",
    ]);
}

#[derive(Default)]
struct DeliversOnce;
#[async_trait]
impl Mistake for DeliversOnce {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let visibility = queue.limits().max_visibility;
        queue.receive(ReceiveRequest { visibility, ..request }).await
    }
}

#[test]
fn a_queue_that_delivers_at_most_once_is_caught() {
    expect::<DeliversOnce>(&[
        "messages_that_are_not_deleted_come_back",
        "deliveries_are_counted",
        "delete_removes",
        "stale_receipts_delete_nothing",
        "change_visibility_reports_each_entry",
        "redrive_moves_to_the_dead_letter_queue",
    ]);
}

#[derive(Default)]
struct SentNow(AtomicU64);
#[async_trait]
impl Mistake for SentNow {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let mut deliveries = queue.receive(request).await?;
        for delivery in &mut deliveries {
            let now = Duration::from_secs(self.0.fetch_add(1, Ordering::Relaxed));
            delivery.sent_at = SystemTime::UNIX_EPOCH + now;
        }
        Ok(deliveries)
    }
}

#[test]
fn a_queue_that_takes_the_time_of_a_receive_for_that_of_the_send_is_caught() {
    expect::<SentNow>(&["messages_that_are_not_deleted_come_back"]);
}

#[derive(Default)]
struct CountsNothing;
#[async_trait]
impl Mistake for CountsNothing {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let mut deliveries = queue.receive(request).await?;
        deliveries.iter_mut().for_each(|delivery| delivery.receive_count = 1);
        Ok(deliveries)
    }
}

#[test]
fn a_queue_that_does_not_count_deliveries_is_caught() {
    expect::<CountsNothing>(&[
        "deliveries_are_counted",
        "visibility_zero_releases",
        "redrive_moves_to_the_dead_letter_queue",
    ]);
}

#[derive(Default)]
struct DeliversToTwo(Mutex<Option<Delivery>>);
#[async_trait]
impl Mistake for DeliversToTwo {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let mut deliveries = queue.receive(request).await?;
        // Now and then one comes a second time, beside others.
        let mut second = self.0.lock().unwrap();
        if (1..request.max).contains(&deliveries.len()) {
            deliveries.extend(second.take());
        } else if deliveries.len() == 3 {
            *second = deliveries.first().cloned();
        }
        Ok(deliveries)
    }
}

#[test]
fn a_queue_that_gives_a_message_to_two_receivers_is_caught() {
    expect::<DeliversToTwo>(&["competing_receivers_share_without_overlap"]);
}

#[derive(Default)]
struct TakesAndThenWaits;
#[async_trait]
impl Mistake for TakesAndThenWaits {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let answer = queue.receive(request).await;
        sleep(Duration::from_millis(1)).await;
        answer
    }
}

#[test]
fn a_receive_that_waits_with_what_it_took_is_caught() {
    expect::<TakesAndThenWaits>(&["an_abandoned_receive_takes_nothing"]);
}
