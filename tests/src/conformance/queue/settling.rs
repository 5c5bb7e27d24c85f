//! What receipts do, and what they do no longer.

use std::sync::Arc;
use std::time::Duration;

use event_core::{Error, ErrorKind, Receipt};
use tokio::time::{Instant, sleep};

use super::QueueBackend;
use super::probe::{LONG, Probe, secs};
use crate::conformance::case::{joined, same};

pub(super) async fn delete_removes(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let visibility = secs(2);
    probe.send(&["a", "b", "kept"]).await;
    let seen = probe.collect(3, visibility).await;
    let outcomes = probe.queue.delete(&[seen[0].receipt(), seen[1].receipt()]).await;
    assert!(matches!(outcomes[..], [Ok(()), Ok(())]), "{outcomes:?}");
    same!(probe.one(LONG).await.body(), b"kept");
    // By now the others would be back as well.
    probe.expect_nothing(secs(1)).await;
}

pub(super) async fn delete_is_idempotent(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    probe.send(&["a"]).await;
    let seen = probe.one(secs(1)).await;
    probe.delete(seen.receipt()).await;
    probe.delete(seen.receipt()).await;
    probe.expect_nothing(secs(2)).await;
    probe.delete(seen.receipt()).await;
}

pub(super) async fn delete_reports_each_entry(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    same!(probe.queue.delete(&[]).await.len(), 0, "outcomes of an empty batch");
    probe.send(&["a", "b"]).await;
    let seen = probe.collect(2, secs(2)).await;
    let receipts = [seen[0].receipt(), forged(), seen[1].receipt()];
    let outcomes = probe.queue.delete(&receipts).await;
    let [Ok(()), Err(error), Ok(())] = &outcomes[..] else {
        panic!("the second of three was never given out: {outcomes:?}");
    };
    expect_unknown_receipt(error);
    probe.expect_nothing(secs(3)).await;
}

pub(super) async fn stale_receipts_delete_nothing(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let visibility = secs(2);
    probe.send(&["a"]).await;
    let stale = probe.one(secs(1)).await.receipt();

    // Neither hides it for longer …
    let current = probe.one(visibility).await;
    let _ = probe.queue.change_visibility(&[(stale.clone(), LONG)]).await;
    sleep(visibility).await;
    let again = probe.one(visibility).await;
    let due = current.answered + visibility;
    probe.clock.soon_after(due, again.answered, "the message came back");

    // … nor shows it too early …
    let _ = probe.queue.change_visibility(&[(stale.clone(), Duration::ZERO)]).await;
    let last = probe.one(visibility).await;
    let due = again.asked + visibility;
    probe.clock.not_before(due, last.answered, "the message came back");

    // … nor deletes it, while it is hidden or when it is back.
    let _ = probe.queue.delete(&[stale, current.receipt()]).await;
    let after = probe.one(visibility).await;
    same!(after.delivery.id, last.delivery.id);
    probe.delete(after.receipt()).await;
    probe.expect_nothing(secs(3)).await;
}

pub(super) async fn visibility_can_be_extended(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let extension = secs(3);
    probe.send(&["a"]).await;
    let seen = probe.one(secs(2)).await;
    sleep(secs(1)).await;
    let before = Instant::now();
    probe.hide(seen.receipt(), extension).await;
    let after = Instant::now();
    let again = probe.one(LONG).await;
    probe.clock.not_before(before + extension, again.answered, "an extended message came back");
    probe.clock.soon_after(after + extension, again.answered, "an extended message came back");

    // Counted from now, it can also be shortened.
    let before = Instant::now();
    probe.hide(again.receipt(), secs(1)).await;
    let after = Instant::now();
    let last = probe.one(LONG).await;
    probe.clock.not_before(before + secs(1), last.answered, "a shortened message came back");
    probe.clock.soon_after(after + secs(1), last.answered, "a shortened message came back");
}

pub(super) async fn visibility_zero_releases(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    probe.send(&["a"]).await;
    let seen = probe.one(LONG).await;
    probe.hide(seen.receipt(), Duration::ZERO).await;
    let released = Instant::now();
    let again = probe.one(LONG).await;
    probe.clock.soon_after(released, again.answered, "a released message came back");
    same!(again.delivery.receive_count, 2, "a release is not a new message");

    // One who waits is woken.
    let waiting = probe.clone();
    let waiting = tokio::spawn(async move { waiting.one(LONG).await });
    sleep(secs(1)).await;
    probe.hide(again.receipt(), Duration::ZERO).await;
    let released = Instant::now();
    let last = joined(waiting).await;
    probe.clock.soon_after(released, last.answered, "a released message came to one who waited");
}

pub(super) async fn change_visibility_reports_each_entry(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let none = probe.queue.change_visibility(&[]).await;
    same!(none.len(), 0, "outcomes of an empty batch");
    let visibility = secs(3);
    probe.send(&["a", "b", "c"]).await;
    let seen = probe.collect(3, visibility).await;
    let too_long = probe.limits().max_visibility + secs(1);
    let changes = [
        (seen[0].receipt(), Duration::ZERO),
        (forged(), secs(1)),
        (seen[1].receipt(), too_long),
        (seen[2].receipt(), Duration::ZERO),
    ];
    let outcomes = probe.queue.change_visibility(&changes).await;
    let [Ok(()), Err(unknown), Err(too_long), Ok(())] = &outcomes[..] else {
        panic!("the second was never given out, the third is too long: {outcomes:?}");
    };
    expect_unknown_receipt(unknown);
    same!(too_long.kind(), ErrorKind::Invalid, "{too_long}");

    let released = probe.collect(2, LONG).await;
    same!([released[0].body(), released[1].body()], [b"a", b"c"]);
    let kept = probe.one(LONG).await;
    same!(kept.body(), b"b");
    let due = seen[1].asked + visibility;
    probe.clock.not_before(due, kept.answered, "a message whose change failed came back");
}

fn forged() -> Receipt {
    Receipt::new("never given out")
}

#[track_caller]
fn expect_unknown_receipt(error: &Error) {
    let kinds = [ErrorKind::Invalid, ErrorKind::NotFound];
    assert!(kinds.contains(&error.kind()), "{:?}: {error}", error.kind());
}
