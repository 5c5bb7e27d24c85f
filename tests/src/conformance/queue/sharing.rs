//! Receivers beside each other, and receivers that go away.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use event_core::{Message, ReceiveRequest};
use tokio::time::{Instant, sleep};

use super::QueueBackend;
use super::probe::{LONG, Probe, Seen, secs};
use crate::conformance::case::{joined, poll_once, same};

pub(super) async fn competing_receivers_share_without_overlap(backend: Arc<dyn QueueBackend>) {
    const MESSAGES: usize = 200;
    let probe = Probe::new(&*backend).await;
    let messages: Vec<_> = (0..MESSAGES).map(|n| Message::new(format!("{n:05}"))).collect();
    probe.send_messages(&messages).await;
    let received = Arc::new(AtomicUsize::new(0));
    let receivers: [_; 4] = std::array::from_fn(|_| {
        let (probe, received) = (probe.clone(), Arc::clone(&received));
        tokio::spawn(async move {
            let mut own: Vec<Seen> = Vec::new();
            let mut last = Instant::now();
            while received.load(Ordering::Relaxed) < MESSAGES && last.elapsed() < secs(5) {
                let seen = probe.receive(3, Duration::ZERO, LONG).await;
                received.fetch_add(seen.len(), Ordering::Relaxed);
                if seen.is_empty() {
                    // A service may look only at a part of itself: it has to be asked again.
                    sleep(Duration::from_millis(10)).await;
                } else {
                    last = Instant::now();
                }
                own.extend(seen);
            }
            own
        })
    });
    let mut ids = HashSet::new();
    for receiver in receivers {
        for seen in joined(receiver).await {
            let body = seen.delivery.message.body;
            assert!(ids.insert(seen.delivery.id), "two receivers got {body:?}");
        }
    }
    same!(ids.len(), MESSAGES, "messages that were received");
}

pub(super) async fn an_abandoned_receive_takes_nothing(backend: Arc<dyn QueueBackend>) {
    let probe = Probe::new(&*backend).await;
    assert!(
        probe.limits().cancel_safe_receive,
        "cancel_safe_receive is not set: declare that the backend lacks this"
    );

    // Dropped after some polls, with a message that was there before it or came while it waited.
    for (polls, was_there) in (1..=4).flat_map(|polls| [(polls, true), (polls, false)]) {
        let mut receive = probe.queue.receive(request(&probe));
        if was_there {
            probe.send(&["a"]).await;
        }
        let mut answer = poll_once(&mut receive).await;
        if !was_there {
            assert!(answer.is_none(), "a receive on an empty queue did not wait");
            probe.send(&["a"]).await;
        }
        for _ in 1..polls {
            if answer.is_none() {
                sleep(Duration::from_millis(1)).await;
                answer = poll_once(&mut receive).await;
            }
        }
        drop(receive);
        let receipt = match answer {
            Some(deliveries) => deliveries.unwrap().remove(0).receipt,
            None => {
                let dropped = Instant::now();
                let seen = probe.one(LONG).await;
                let what = format!("after a receive was dropped at poll {polls} the message came");
                probe.clock.soon_after(dropped, seen.answered, what);
                same!(seen.delivery.receive_count, 1, "the receive that was dropped counts");
                seen.receipt()
            }
        };
        probe.delete(receipt).await;
    }

    // One who was woken and goes away leaves the message to another who waits.
    let mut first = probe.queue.receive(request(&probe));
    assert!(poll_once(&mut first).await.is_none());
    let other = probe.clone();
    let other = tokio::spawn(async move { other.one(LONG).await });
    sleep(Duration::from_millis(1)).await;
    probe.send(&["a"]).await;
    drop(first);
    let dropped = Instant::now();
    let seen = joined(other).await;
    probe.clock.soon_after(dropped, seen.answered, "to one who waited the message came");
    same!(seen.delivery.receive_count, 1);
}

fn request(probe: &Probe) -> ReceiveRequest {
    ReceiveRequest { max: 1, wait: secs(10).min(probe.limits().max_wait), visibility: LONG }
}
