//! What a queue tells of itself, and what it moves away.

use std::sync::Arc;
use std::time::Duration;

use event_core::{Depth, Message};
use tokio::time::{Instant, sleep};

use super::QueueBackend;
use super::probe::{LONG, Probe, secs};
use crate::conformance::case::same;
use crate::conformance::clock::eventually;

pub(super) async fn redrive_moves_to_the_dead_letter_queue(backend: Arc<dyn QueueBackend>) {
    let clock = backend.clock();
    let (queue, dead) = backend.queue_with_dead_letters(2).await;
    let [probe, dead] = [queue, dead].map(|queue| Probe { queue, clock });
    let doomed = Message::new("doomed").with_attribute("event_type", "sale_event");
    probe.send_messages(&[doomed.clone(), Message::new("saved")]).await;
    for received in 1..=2 {
        dead.expect_nothing(Duration::ZERO).await;
        let seen = probe.collect(2, secs(1)).await;
        for seen in &seen {
            same!(seen.delivery.receive_count, received);
        }
        if received == 2 {
            probe.delete(seen[1].receipt()).await;
        }
    }
    // Services move a message when somebody asks for it, so somebody must.
    let moved = eventually(secs(10), async || {
        probe.expect_nothing(secs(1)).await;
        let mut seen = dead.receive(1, Duration::ZERO, LONG).await;
        seen.pop().ok_or("nothing on the dead-letter queue".to_owned())
    });
    same!(moved.await.delivery.message, doomed);
    dead.expect_nothing(secs(1)).await;
    probe.expect_nothing(Duration::ZERO).await;
}

pub(super) async fn depth_counts_by_state(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    expect_depth(&probe, [0, 0, 0]).await;
    probe.send(&["a", "b", "c", "d"]).await;
    expect_depth(&probe, [4, 0, 0]).await;
    let seen = probe.collect(3, LONG).await;
    expect_depth(&probe, [1, 3, 0]).await;
    probe.delete(seen[0].receipt()).await;
    expect_depth(&probe, [1, 2, 0]).await;
    probe.hide(seen[1].receipt(), Duration::ZERO).await;
    expect_depth(&probe, [2, 1, 0]).await;
    probe.hide(seen[2].receipt(), secs(1)).await;
    expect_depth(&probe, [3, 0, 0]).await;

    // Long enough to be seen on the way, by a service that counts slowly.
    let delayed = Probe::delayed(&*backend, secs(5)).await;
    delayed.send(&["a", "b"]).await;
    expect_depth(&delayed, [0, 0, 2]).await;
    expect_depth(&delayed, [2, 0, 0]).await;
}

pub(super) async fn depth_tells_the_age_of_the_oldest(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    same!(depth(&probe).await.oldest, None, "the age on an empty queue");
    let mut sent = Vec::new();
    for body in ["a", "b"] {
        let before = Instant::now();
        probe.send(&[body]).await;
        sent.push([before, Instant::now()]);
        sleep(secs(2)).await;
    }
    expect_age(&probe, sent[0]).await;
    // To be received does not make a message younger; to be deleted takes it out of the count.
    let seen = probe.collect(2, LONG).await;
    expect_age(&probe, sent[0]).await;
    probe.delete(seen[0].receipt()).await;
    expect_age(&probe, sent[1]).await;
    probe.delete(seen[1].receipt()).await;
    same!(depth(&probe).await.oldest, None, "the age on a queue that is empty again");
}

/// Waits until the depth is so many visible, in flight and delayed.
async fn expect_depth(probe: &Probe, expected: [u64; 3]) {
    eventually(secs(10), async || {
        let depth = depth(probe).await;
        let states = [depth.visible, depth.in_flight, depth.delayed];
        let seen = || format!("{states:?} visible, in flight and delayed, not {expected:?}");
        (states == expected).then_some(()).ok_or_else(seen)
    })
    .await;
}

/// Holds the age to that of a message which was sent between these times.
async fn expect_age(probe: &Probe, [earliest, latest]: [Instant; 2]) {
    let youngest = latest.elapsed().saturating_sub(probe.clock.early());
    let oldest = depth(probe).await.oldest.expect("the age of a message that is there");
    let eldest = earliest.elapsed() + probe.clock.early();
    assert!(
        (youngest..=eldest).contains(&oldest),
        "the oldest is {youngest:?} to {eldest:?} old, not {oldest:?}"
    );
}

async fn depth(probe: &Probe) -> Depth {
    let answer = probe.queue.depth().await;
    answer.unwrap_or_else(|error| panic!("depth failed: {error}"))
}
