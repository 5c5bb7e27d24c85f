//! Mistakes in what receipts do.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use event_core::{Delivery, Error, MessageId, Queue, Receipt, ReceiveRequest, Result, async_trait};
use tokio::time::Instant;

use super::{Mistake, expect};

#[derive(Default)]
struct DeletesNothing;
#[async_trait]
impl Mistake for DeletesNothing {
    async fn delete(&self, _: &dyn Queue, receipts: &[Receipt]) -> Vec<Result<()>> {
        receipts.iter().map(|_| Ok(())).collect()
    }
}

#[test]
fn a_delete_that_deletes_nothing_is_caught() {
    expect::<DeletesNothing>(&[
        "delete_removes",
        "delete_is_idempotent",
        "delete_reports_each_entry",
        "stale_receipts_delete_nothing",
        "redrive_moves_to_the_dead_letter_queue",
        "depth_counts_by_state",
        "depth_tells_the_age_of_the_oldest",
    ]);
}

#[derive(Default)]
struct DeletesOnlyOnce(Mutex<Vec<Receipt>>);
#[async_trait]
impl Mistake for DeletesOnlyOnce {
    async fn delete(&self, queue: &dyn Queue, receipts: &[Receipt]) -> Vec<Result<()>> {
        let outcomes = queue.delete(receipts).await;
        let mut gone = self.0.lock().unwrap();
        let once = |(outcome, receipt): (Result<()>, &Receipt)| {
            if gone.contains(receipt) {
                return Err(Error::invalid("delete", "it is gone"));
            }
            gone.push(receipt.clone());
            outcome
        };
        outcomes.into_iter().zip(receipts).map(once).collect()
    }
}

#[test]
fn a_delete_that_fails_the_second_time_is_caught() {
    expect::<DeletesOnlyOnce>(&["delete_is_idempotent"]);
}

#[derive(Default)]
struct BelievesForgedReceipts;
#[async_trait]
impl Mistake for BelievesForgedReceipts {
    async fn delete(&self, queue: &dyn Queue, receipts: &[Receipt]) -> Vec<Result<()>> {
        let outcomes = queue.delete(receipts).await;
        outcomes.into_iter().map(|_| Ok(())).collect()
    }
}

#[test]
fn a_delete_that_reports_success_for_a_forged_receipt_is_caught() {
    expect::<BelievesForgedReceipts>(&["delete_reports_each_entry"]);
}

/// Takes any receipt of a message for its last one.
#[derive(Default)]
struct TakesStaleReceipts(Mutex<Receipts>);

#[derive(Default)]
struct Receipts {
    ids: HashMap<Receipt, MessageId>,
    last: HashMap<MessageId, Receipt>,
}

impl TakesStaleReceipts {
    fn last(&self, receipt: &Receipt) -> Receipt {
        let known = self.0.lock().unwrap();
        let last = known.ids.get(receipt).and_then(|id| known.last.get(id));
        last.unwrap_or(receipt).clone()
    }
    fn learn(&self, deliveries: &[Delivery]) {
        let mut known = self.0.lock().unwrap();
        for Delivery { id, receipt, .. } in deliveries {
            known.ids.insert(receipt.clone(), id.clone());
            known.last.insert(id.clone(), receipt.clone());
        }
    }
}

#[async_trait]
impl Mistake for TakesStaleReceipts {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let deliveries = queue.receive(request).await?;
        self.learn(&deliveries);
        Ok(deliveries)
    }
    async fn delete(&self, queue: &dyn Queue, receipts: &[Receipt]) -> Vec<Result<()>> {
        let last: Vec<_> = receipts.iter().map(|receipt| self.last(receipt)).collect();
        queue.delete(&last).await
    }
}

#[test]
fn a_delete_with_a_stale_receipt_that_deletes_is_caught() {
    expect::<TakesStaleReceipts>(&["stale_receipts_delete_nothing"]);
}

#[derive(Default)]
struct ReleasesByStaleReceipts(TakesStaleReceipts);
#[async_trait]
impl Mistake for ReleasesByStaleReceipts {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        self.0.receive(queue, request).await
    }
    async fn change(&self, queue: &dyn Queue, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let last = |(receipt, time): &(Receipt, Duration)| match time.is_zero() {
            true => (self.0.last(receipt), *time),
            false => (receipt.clone(), *time),
        };
        let changes: Vec<_> = changes.iter().map(last).collect();
        queue.change_visibility(&changes).await
    }
}

#[test]
fn a_stale_receipt_that_releases_is_caught() {
    expect::<ReleasesByStaleReceipts>(&["stale_receipts_delete_nothing"]);
}

#[derive(Default)]
struct ExtendsByStaleReceipts(TakesStaleReceipts);
#[async_trait]
impl Mistake for ExtendsByStaleReceipts {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        self.0.receive(queue, request).await
    }
    async fn change(&self, queue: &dyn Queue, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let last = |(receipt, time): &(Receipt, Duration)| match time.is_zero() {
            true => (receipt.clone(), *time),
            false => (self.0.last(receipt), *time),
        };
        let changes: Vec<_> = changes.iter().map(last).collect();
        queue.change_visibility(&changes).await
    }
}

#[test]
fn a_stale_receipt_that_extends_is_caught() {
    expect::<ExtendsByStaleReceipts>(&["stale_receipts_delete_nothing"]);
}

#[derive(Default)]
struct ExtendsNothing;
#[async_trait]
impl Mistake for ExtendsNothing {
    async fn change(&self, _: &dyn Queue, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        changes.iter().map(|_| Ok(())).collect()
    }
}

#[test]
fn an_extension_that_does_nothing_is_caught() {
    expect::<ExtendsNothing>(&[
        "visibility_can_be_extended",
        "visibility_zero_releases",
        "change_visibility_reports_each_entry",
        "depth_counts_by_state",
    ]);
}

#[derive(Default)]
struct ExtendsFromTheReceive(Mutex<HashMap<Receipt, Instant>>);
#[async_trait]
impl Mistake for ExtendsFromTheReceive {
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let deliveries = queue.receive(request).await?;
        let now = Instant::now();
        let receipts = deliveries.iter().map(|delivery| (delivery.receipt.clone(), now));
        self.0.lock().unwrap().extend(receipts);
        Ok(deliveries)
    }
    async fn change(&self, queue: &dyn Queue, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let changes: Vec<_> = {
            let received = self.0.lock().unwrap();
            let passed =
                |receipt: &Receipt| received.get(receipt).map_or(Duration::ZERO, Instant::elapsed);
            let less = |(receipt, time): &(Receipt, Duration)| {
                (receipt.clone(), time.saturating_sub(passed(receipt)))
            };
            changes.iter().map(less).collect()
        };
        queue.change_visibility(&changes).await
    }
}

#[test]
fn an_extension_that_is_counted_from_the_receive_is_caught() {
    expect::<ExtendsFromTheReceive>(&["visibility_can_be_extended"]);
}

#[derive(Default)]
struct ReleasesLater;
#[async_trait]
impl Mistake for ReleasesLater {
    async fn change(&self, queue: &dyn Queue, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let least = |(receipt, time): &(Receipt, Duration)| {
            (receipt.clone(), if time.is_zero() { Duration::from_secs(1) } else { *time })
        };
        let changes: Vec<_> = changes.iter().map(least).collect();
        queue.change_visibility(&changes).await
    }
}

#[test]
fn a_release_that_takes_a_second_is_caught() {
    expect::<ReleasesLater>(&["visibility_zero_releases"]);
}

#[derive(Default)]
struct CutsWhatIsTooLong;
#[async_trait]
impl Mistake for CutsWhatIsTooLong {
    async fn change(&self, queue: &dyn Queue, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let most = queue.limits().max_visibility;
        let cut = |(receipt, time): &(Receipt, Duration)| (receipt.clone(), (*time).min(most));
        let changes: Vec<_> = changes.iter().map(cut).collect();
        queue.change_visibility(&changes).await
    }
}

#[test]
fn a_change_that_cuts_what_is_too_long_is_caught() {
    expect::<CutsWhatIsTooLong>(&["change_visibility_reports_each_entry"]);
}
