//! How many deliveries come, when, and which again.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::QueueBackend;
use super::probe::{LONG, Probe, secs};
use crate::conformance::Clock;
use crate::conformance::case::{joined, same};

/// By its own clock a backend cannot be found out: the suite waits as long as it does.
pub(super) async fn goes_by_its_clock(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    if probe.clock != Clock::Paused {
        return;
    }
    probe.send(&["a"]).await;
    probe.one(secs(2)).await;
    sleep(secs(3)).await;
    let again = probe.receive(1, Duration::ZERO, LONG).await;
    assert!(
        !again.is_empty(),
        "a message that was hidden for 2 s is hidden after 3 s of tokio's paused clock: the queue \
         seems to go by a clock of its own, for which a backend answers Clock::WALL"
    );
}

pub(super) async fn receive_keeps_to_its_maximum(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let most = probe.limits().receive_max;
    let bodies: Vec<_> = (0..2 * most + 4).map(|n| format!("{n:05}")).collect();
    let messages: Vec<_> = bodies.iter().cloned().map(event_core::Message::new).collect();
    probe.send_messages(&messages).await;
    let mut received = HashSet::new();
    // `receive` itself fails if there are too many.
    for max in [1, most.min(3), most] {
        let seen = probe.receive(max, secs(5), LONG).await;
        assert!(!seen.is_empty(), "a receive of {max} answered nothing");
        received.extend(seen.iter().map(|seen| seen.body().to_vec()));
    }
    // What did not fit stays on the queue.
    let rest = probe.collect(bodies.len() - received.len(), LONG).await;
    received.extend(rest.iter().map(|seen| seen.body().to_vec()));
    same!(received.len(), bodies.len(), "different messages");
}

pub(super) async fn receive_waits_no_longer_than_asked(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    for wait in [secs(2).min(probe.limits().max_wait), secs(0)] {
        let asked = Instant::now();
        probe.expect_nothing(wait).await;
        let answered = Instant::now();
        let what = format!("a receive with a wait of {wait:?} answered");
        probe.clock.not_before(asked + wait, answered, &what);
        probe.clock.soon_after(asked + wait, answered, &what);
    }
}

pub(super) async fn receive_wakes_on_arrival(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let late = probe.clock.late();
    let wait = (late * 3).min(probe.limits().max_wait);
    let waiting = |max| {
        let probe = probe.clone();
        tokio::spawn(async move { probe.receive(max, wait, LONG).await })
    };

    // Two who wait are both woken by one batch, since each can take only a part of it.
    let waiters = [waiting(1), waiting(1)];
    sleep(late / 2).await;
    probe.send(&["a", "b"]).await;
    let sent = Instant::now();
    let mut bodies = HashSet::new();
    for waiter in waiters {
        let seen = joined(waiter).await;
        same!(seen.len(), 1, "deliveries for one who waited");
        probe.clock.soon_after(sent, seen[0].answered, "a receive that waited was woken");
        bodies.insert(seen[0].body().to_vec());
    }
    same!(bodies.len(), 2, "different messages");

    // What is there already is not waited for.
    probe.send(&["c"]).await;
    let seen = probe.receive(1, wait, LONG).await;
    same!(seen.len(), 1, "deliveries where one message was");
    probe.clock.soon_after(seen[0].asked, seen[0].answered, "a receive answered what was there");
}

pub(super) async fn received_messages_are_hidden(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let visibility = secs(2);
    probe.send(&["a", "b", "c"]).await;
    let first = probe.collect(3, visibility).await;
    let others = [probe.clone(), probe.clone()].map(|other| {
        tokio::spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..4 {
                seen.extend(other.receive(1, secs(1), LONG).await);
            }
            seen
        })
    });
    for other in others {
        for again in joined(other).await {
            let before = first.iter().find(|seen| seen.body() == again.body());
            let due = before.expect("a message that was sent").asked + visibility;
            probe.clock.not_before(due, again.answered, "a hidden message was received");
        }
    }
}

pub(super) async fn messages_that_are_not_deleted_come_back(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    let visibility = secs(1);
    let ids = probe.send(&["a", "b"]).await;
    let mut earlier = probe.collect(2, visibility).await;
    for _ in 0..2 {
        let again = probe.collect(2, visibility).await;
        for (n, (before, after)) in earlier.iter().zip(&again).enumerate() {
            same!(before.body(), after.body());
            same!([&before.delivery.id, &after.delivery.id], [&ids[n]; 2]);
            let sent_at = [before.delivery.sent_at, after.delivery.sent_at];
            same!(sent_at[0], sent_at[1], "two deliveries were sent at different times");
            assert!(before.receipt() != after.receipt(), "two deliveries share a receipt");
            let due = before.answered + visibility;
            probe.clock.soon_after(due, after.answered, "a message came back");
        }
        earlier = again;
    }
}

pub(super) async fn deliveries_are_counted(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    probe.send(&["a"]).await;
    for expected in 1..=3 {
        let seen = probe.one(secs(1)).await;
        same!(seen.delivery.receive_count, expected);
    }
    probe.send(&["b"]).await;
    let seen = probe.collect(2, LONG).await;
    let counts: Vec<_> = seen.iter().map(|seen| seen.delivery.receive_count).collect();
    same!(counts, [4, 1], "each message has a count of its own");
}
