//! Queues with one mistake each.

mod counting;
mod receiving;
mod sending;
mod settling;

use std::sync::Arc;
use std::time::Duration;

use event_core::{
    Delivery, Depth, Message, MessageId, Queue, QueueLimits, Receipt, ReceiveRequest, Result,
    async_trait,
};
use event_tests::backends::MemQueues;
use event_tests::conformance::{Backend, Clock, QueueBackend, queue_cases};

/// What a queue does differently; by default nothing.
#[async_trait]
trait Mistake: Send + Sync + 'static {
    async fn send(&self, queue: &dyn Queue, batch: &[Message]) -> Vec<Result<MessageId>> {
        queue.send(batch).await
    }
    async fn receive(&self, queue: &dyn Queue, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        queue.receive(request).await
    }
    async fn delete(&self, queue: &dyn Queue, receipts: &[Receipt]) -> Vec<Result<()>> {
        queue.delete(receipts).await
    }
    async fn change(&self, queue: &dyn Queue, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        queue.change_visibility(changes).await
    }
    async fn depth(&self, queue: &dyn Queue) -> Result<Depth> {
        queue.depth().await
    }
}

struct Mistaken<M>(Arc<dyn Queue>, M);

#[async_trait]
impl<M: Mistake> Queue for Mistaken<M> {
    fn limits(&self) -> QueueLimits {
        self.0.limits()
    }
    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        self.1.send(&*self.0, batch).await
    }
    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        self.1.receive(&*self.0, request).await
    }
    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        self.1.delete(&*self.0, receipts).await
    }
    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        self.1.change(&*self.0, changes).await
    }
    async fn depth(&self) -> Result<Depth> {
        self.1.depth(&*self.0).await
    }
}

/// Makes queues with a mistake of this type.
struct Backends<M>(fn() -> M);

impl<M: Mistake> Backend for Backends<M> {
    fn name(&self) -> &str {
        "mistaken_queue"
    }
    fn clock(&self) -> Clock {
        Clock::Paused
    }
}

#[async_trait]
impl<M: Mistake> QueueBackend for Backends<M> {
    async fn queue(&self, delay: Duration) -> Arc<dyn Queue> {
        Arc::new(Mistaken(MemQueues.queue(delay).await, self.0()))
    }
    async fn queue_with_dead_letters(&self, receives: u32) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let (queue, dead) = MemQueues.queue_with_dead_letters(receives).await;
        (Arc::new(Mistaken(queue, self.0())), dead)
    }
}

fn backend<M: Mistake + Default>() -> Arc<dyn QueueBackend> {
    Arc::new(Backends(M::default))
}

#[track_caller]
fn expect<M: Mistake + Default>(broken: &[&str]) {
    super::expect_failures(&queue_cases(), &backend::<M>(), broken);
}

#[derive(Default)]
struct Faultless;
impl Mistake for Faultless {}

#[test]
fn a_queue_without_a_mistake_passes() {
    expect::<Faultless>(&[]);
}

/// A backend whose queues are right, but not those that were asked for.
#[derive(Default)]
struct Wrong {
    ignores_the_delay: bool,
    loses_the_dead: bool,
    more_receives: u32,
}

impl Backend for Wrong {
    fn name(&self) -> &str {
        "wrong_queue"
    }
    fn clock(&self) -> Clock {
        Clock::Paused
    }
}

#[async_trait]
impl QueueBackend for Wrong {
    async fn queue(&self, delay: Duration) -> Arc<dyn Queue> {
        let delay = if self.ignores_the_delay { Duration::ZERO } else { delay };
        MemQueues.queue(delay).await
    }
    async fn queue_with_dead_letters(&self, receives: u32) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let receives = receives + self.more_receives;
        let (queue, dead) = MemQueues.queue_with_dead_letters(receives).await;
        let elsewhere = MemQueues.queue(Duration::ZERO).await;
        (queue, if self.loses_the_dead { elsewhere } else { dead })
    }
}

#[track_caller]
fn expect_wrong(backend: Wrong, broken: &[&str]) {
    let backend: Arc<dyn QueueBackend> = Arc::new(backend);
    super::expect_failures(&queue_cases(), &backend, broken);
}

#[test]
fn a_delay_that_is_ignored_is_caught() {
    let backend = Wrong { ignores_the_delay: true, ..Wrong::default() };
    expect_wrong(backend, &["delay_hides_new_messages", "depth_counts_by_state"]);
}

#[test]
fn a_redrive_that_loses_the_message_is_caught() {
    let backend = Wrong { loses_the_dead: true, ..Wrong::default() };
    expect_wrong(backend, &["redrive_moves_to_the_dead_letter_queue"]);
}

#[test]
fn a_redrive_after_one_receive_too_many_is_caught() {
    let backend = Wrong { more_receives: 1, ..Wrong::default() };
    expect_wrong(backend, &["redrive_moves_to_the_dead_letter_queue"]);
}
