//! The queue as one program sees it: the service behind ways and faults.

use std::sync::Arc;
use std::time::Duration;

use event_core::{
    Delivery, Depth, Error, ErrorKind, Message, MessageId, Queue, QueueLimits, Receipt,
    ReceiveRequest, Result, async_trait,
};
use tokio::time::sleep;

use super::books::Books;
use super::fault::Fault;
use super::pod::{Pod, Weather};

const WEATHER: Weather = Weather {
    outage: Fault::QueueOutage,
    denied: Fault::QueueDenied,
    throttled: Fault::QueueThrottling,
};

pub(super) struct PodQueue {
    pub(super) pod: Arc<Pod>,
    /// Of a consumer.
    pub(super) books: Option<Arc<Books>>,
    pub(super) service: Arc<dyn Queue>,
}

/// A second receipt for a message that was delivered twice at once ends in this.
const SECOND: &str = "+";

/// What becomes of one entry of a batch.
enum Fortune {
    Good,
    /// It does not reach the service.
    Refused(Error),
    /// It is applied, and its answer lost.
    Lost(Error),
    /// It is answered as a success, and not applied.
    Forgotten,
}

impl PodQueue {
    fn fortune(&self, operation: &'static str, partial: Fault) -> Fortune {
        use ErrorKind::{Ambiguous, Throttled, Transient, Unknown};
        let world = &self.pod.world;
        if operation != "send" && world.strikes(Fault::StaleReceipt) {
            let kind = world
                .random(|rng| *rng.choice(&[ErrorKind::Invalid, ErrorKind::NotFound]).unwrap());
            return Fortune::Refused(Error::new(
                kind,
                operation,
                "the receipt is out of date, on purpose",
            ));
        }
        if operation == "delete" && world.strikes(Fault::ForgottenDelete) {
            return Fortune::Forgotten;
        }
        if !world.strikes(partial) {
            return Fortune::Good;
        }
        let kinds = [Ambiguous, Throttled, Transient, Unknown];
        let kind = world.random(|rng| kinds[rng.usize(..kinds.len())]);
        let error = Error::new(kind, operation, "this entry fails, on purpose");
        if kind == Ambiguous { Fortune::Lost(error) } else { Fortune::Refused(error) }
    }

    /// Makes a batch call, with each entry's fortune.
    async fn batch<E: Clone, T: Clone>(
        &self,
        operation: &'static str,
        entries: &[E],
        partial: Fault,
        forgotten: Option<T>,
        call: impl AsyncFnOnce(Vec<E>) -> Vec<Result<T>>,
    ) -> Vec<Result<T>> {
        if let Err(error) = self.pod.to_service(operation, &WEATHER).await {
            return self.all(entries, &error);
        }
        let fortunes: Vec<_> = entries.iter().map(|_| self.fortune(operation, partial)).collect();
        let arrives = |fortune: &Fortune| matches!(fortune, Fortune::Good | Fortune::Lost(_));
        let arriving = entries.iter().zip(&fortunes).filter(|(_, fortune)| arrives(fortune));
        let arriving: Vec<_> = arriving.map(|(entry, _)| entry.clone()).collect();
        let mut outcomes = call(arriving).await.into_iter();
        let outcome = |fortune| match fortune {
            Fortune::Good => outcomes.next(),
            Fortune::Lost(error) => outcomes.next().map(|_| Err(error)),
            Fortune::Refused(error) => Some(Err(error)),
            Fortune::Forgotten => forgotten.clone().map(Ok),
        };
        let outcomes: Vec<_> = fortunes.into_iter().filter_map(outcome).collect();
        let succeeded = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let (name, all) = (&self.pod.name, entries.len());
        self.pod.world.log(format_args!("{name} {operation} {all}: {succeeded} succeed"));
        match self.pod.to_program(operation).await {
            Ok(()) => outcomes,
            Err(error) => self.all(entries, &error),
        }
    }

    fn all<E, T>(&self, entries: &[E], error: &Error) -> Vec<Result<T>> {
        self.pod.world.log(format_args!("{} {} all: {error}", self.pod.name, entries.len()));
        entries.iter().map(|_| Err(error.clone())).collect()
    }

    /// Sends what arrives; what is late is sent by nobody, minutes later.
    async fn accept(&self, messages: Vec<Message>) -> Vec<Result<MessageId>> {
        let world = &self.pod.world;
        let is_late = |message: &Message| {
            message.size() <= world.plan.limits.message_bytes && world.strikes(Fault::LateMessage)
        };
        let late: Vec<_> = messages.iter().map(is_late).collect();
        let prompt = messages.iter().zip(&late).filter(|(_, late)| !**late);
        let prompt: Vec<_> = prompt.map(|(message, _)| message.clone()).collect();
        let mut outcomes = self.service.send(&prompt).await.into_iter();
        let mut answers = Vec::new();
        for (message, late) in messages.into_iter().zip(late) {
            if late {
                world.truth(|truth| truth.accepted(world, &message, None));
                let (world, service) = (Arc::clone(world), Arc::clone(&self.service));
                tokio::spawn(async move {
                    sleep(world.between(1..300)).await;
                    for id in
                        service.send(std::slice::from_ref(&message)).await.into_iter().flatten()
                    {
                        world.truth(|truth| truth.arrived_late(&world, &message, id));
                    }
                });
                answers.push(Ok(MessageId::new("late")));
                continue;
            }
            let outcome = outcomes.next();
            if let Some(Ok(id)) = &outcome {
                world.truth(|truth| truth.accepted(world, &message, Some(id.clone())));
            }
            answers.extend(outcome);
        }
        answers
    }

    /// One by one, to see which of them are gone: a receipt that is the last of its message
    /// deletes nothing once that has moved to the dead-letter queue.
    async fn remove(&self, receipts: Vec<Receipt>) -> Vec<Result<()>> {
        let total = async || self.service.depth().await.map_or(0, |depth| depth.total());
        let mut outcomes = Vec::new();
        for receipt in &receipts {
            let receipt = first(receipt);
            let before = total().await;
            outcomes.extend(self.service.delete(std::slice::from_ref(&receipt)).await);
            if total().await < before {
                self.pod.world.check(|truth, world| truth.deleted(world, &receipt));
            }
        }
        outcomes
    }

    async fn take(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let world = &self.pod.world;
        self.pod.to_service("receive", &WEATHER).await?;
        let mut request = request;
        let disordered = world.strikes(Fault::OutOfOrder);
        if disordered {
            request.max = world.random(|rng| rng.usize(0..=request.max));
            if request.max == 0 {
                return Ok(Vec::new());
            }
        }
        let answer = self.service.receive(request).await;
        if let Err(error) = &answer
            && error.kind() == ErrorKind::Throttled
        {
            world.hit(Fault::InFlightLimit);
        }
        let mut deliveries = answer?;
        world.check(|truth, world| truth.received(world, &mut deliveries));
        let name = &self.pod.name;
        let numbers = Numbers(&deliveries);
        world.log(format_args!("{name} receive {}: {numbers}", request.max));
        if deliveries.len() < request.max
            && !deliveries.is_empty()
            && world.strikes(Fault::DuplicateDelivery)
        {
            let twin = world.random(|rng| deliveries[rng.usize(..deliveries.len())].clone());
            let receipt = Receipt::new(format!("{}{SECOND}", twin.receipt.as_str()));
            deliveries.push(Delivery { receipt, ..twin });
        }
        if disordered {
            world.random(|rng| rng.shuffle(&mut deliveries));
        }
        if !deliveries.is_empty() && world.strikes(Fault::LostReceive) {
            return Err(Error::new(
                ErrorKind::Ambiguous,
                "receive",
                "the answer is lost, on purpose",
            ));
        }
        // A receive that may be abandoned must not wait once it has taken something.
        if !self.limits().cancel_safe_receive {
            self.pod.to_program("receive").await?;
        }
        Ok(deliveries)
    }
}

/// The receipt that the service knows.
fn first(receipt: &Receipt) -> Receipt {
    match receipt.as_str().strip_suffix(SECOND) {
        Some(first) => Receipt::new(first),
        None => receipt.clone(),
    }
}

/// The messages of a receive, by the last part of their ids.
struct Numbers<'a>(&'a [Delivery]);

impl std::fmt::Display for Numbers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        for delivery in self.0 {
            let id = delivery.id.as_str();
            let number = id.rsplit('-').next().unwrap_or(id);
            write!(f, "#{number}×{} ", delivery.receive_count)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Queue for PodQueue {
    fn limits(&self) -> QueueLimits {
        self.service.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        let send = async |batch: Vec<_>| self.accept(batch).await;
        self.batch("send", batch, Fault::PartialSend, None, send).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let books = self.books.as_ref();
        books.inspect(|books| books.polls());
        let answer = self.take(request).await;
        books.inspect(|books| books.polled(answer.as_ref().ok().map(Vec::len)));
        answer
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        let books = self.books.as_ref();
        books.inspect(|books| books.deletes(receipts));
        let delete = async |receipts: Vec<_>| self.remove(receipts).await;
        let outcomes = self.batch("delete", receipts, Fault::PartialDelete, Some(()), delete).await;
        let confirmed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        books.inspect(|books| books.confirmed(confirmed));
        outcomes
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        self.books.as_ref().inspect(|books| books.changes(changes));
        let change = async |changes: Vec<(Receipt, Duration)>| {
            let changes = changes.iter().map(|(receipt, time)| (first(receipt), *time));
            self.service.change_visibility(&changes.collect::<Vec<_>>()).await
        };
        self.batch("change_visibility", changes, Fault::PartialVisibility, None, change).await
    }

    async fn depth(&self) -> Result<Depth> {
        self.pod.to_service("depth", &WEATHER).await?;
        let depth = self.service.depth().await?;
        self.pod.to_program("depth").await?;
        Ok(depth)
    }
}
