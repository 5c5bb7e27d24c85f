//! What the cases do with a queue again and again.

use std::sync::Arc;
use std::time::Duration;

use event_core::{
    Delivery, Error, Message, MessageId, Queue, QueueLimits, Receipt, ReceiveRequest,
};
use tokio::time::Instant;

use super::QueueBackend;
use crate::conformance::Clock;
use crate::conformance::case::same;

/// A time that no case outlasts.
pub(super) const LONG: Duration = Duration::from_secs(120);

pub(super) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A queue that fails the case where a call fails.
#[derive(Clone)]
pub(super) struct Probe {
    pub(super) queue: Arc<dyn Queue>,
    pub(super) clock: Clock,
}

/// A delivery and the time of the receive that answered it.
pub(super) struct Seen {
    pub(super) delivery: Delivery,
    /// When the receive was called: the message was hidden no earlier.
    pub(super) asked: Instant,
    /// When it answered: the message was hidden no later.
    pub(super) answered: Instant,
}

impl Seen {
    pub(super) fn body(&self) -> &[u8] {
        &self.delivery.message.body
    }

    pub(super) fn receipt(&self) -> Receipt {
        self.delivery.receipt.clone()
    }
}

impl Probe {
    /// A new queue without delay.
    pub(super) async fn new(backend: &dyn QueueBackend) -> Self {
        Self::delayed(backend, Duration::ZERO).await
    }

    pub(super) async fn delayed(backend: &dyn QueueBackend, delay: Duration) -> Self {
        let queue = backend.queue(delay).await;
        let clock = backend.clock();
        Self { queue, clock }
    }

    pub(super) fn limits(&self) -> QueueLimits {
        self.queue.limits()
    }

    /// Sends one message for each body, in batches, all of which must be accepted.
    pub(super) async fn send(&self, bodies: &[&'static str]) -> Vec<MessageId> {
        let messages: Vec<_> = bodies.iter().copied().map(Message::new).collect();
        self.send_messages(&messages).await
    }

    pub(super) async fn send_messages(&self, messages: &[Message]) -> Vec<MessageId> {
        let mut ids = Vec::new();
        for batch in messages.chunks(self.limits().batch_entries) {
            let outcomes = self.queue.send(batch).await;
            same!(outcomes.len(), batch.len(), "outcomes of a send");
            let accepted = outcomes.into_iter().map(|outcome| {
                outcome.unwrap_or_else(|error| panic!("a message was refused: {error}"))
            });
            ids.extend(accepted);
        }
        ids
    }

    /// One receive; the wait is cut to what the queue allows.
    pub(super) async fn receive(
        &self,
        max: usize,
        wait: Duration,
        visibility: Duration,
    ) -> Vec<Seen> {
        let request = ReceiveRequest { max, wait: wait.min(self.limits().max_wait), visibility };
        let asked = Instant::now();
        let answer = self.queue.receive(request).await;
        let deliveries = answer.unwrap_or_else(|error| panic!("a receive failed: {error}"));
        let answered = Instant::now();
        assert!(
            deliveries.len() <= max,
            "a receive of at most {max} answered {} deliveries",
            deliveries.len()
        );
        let seen = |delivery| Seen { delivery, asked, answered };
        deliveries.into_iter().map(seen).collect()
    }

    /// Receives until there are so many deliveries, in order of their bodies.
    pub(super) async fn collect(&self, count: usize, visibility: Duration) -> Vec<Seen> {
        let deadline = Instant::now() + secs(20);
        let mut all: Vec<Seen> = Vec::new();
        while all.len() < count {
            let late = Instant::now() >= deadline;
            assert!(!late, "after 20 s only {} of {count} messages came", all.len());
            let max = self.limits().receive_max.min(count - all.len());
            all.extend(self.receive(max, secs(5), visibility).await);
        }
        all.sort_by(|a, b| a.body().cmp(b.body()));
        all
    }

    /// The one message that is there or comes.
    pub(super) async fn one(&self, visibility: Duration) -> Seen {
        let mut seen = self.collect(1, visibility).await;
        seen.remove(0)
    }

    /// Fails if there is anything to receive, now or in this time.
    pub(super) async fn expect_nothing(&self, wait: Duration) {
        let seen = self.receive(self.limits().receive_max, wait, LONG).await;
        let bodies: Vec<_> = seen.iter().map(|seen| seen.delivery.message.body.clone()).collect();
        assert!(bodies.is_empty(), "the queue should be empty, yet it gave {bodies:?}");
    }

    /// Deletes one delivery, with success.
    pub(super) async fn delete(&self, receipt: Receipt) {
        succeed(&self.queue.delete(&[receipt]).await);
    }

    /// Changes the visibility of one delivery, with success.
    pub(super) async fn hide(&self, receipt: Receipt, time: Duration) {
        succeed(&self.queue.change_visibility(&[(receipt, time)]).await);
    }
}

#[track_caller]
fn succeed(outcomes: &[Result<(), Error>]) {
    assert!(matches!(outcomes, [Ok(())]), "one success was expected: {outcomes:?}");
}
