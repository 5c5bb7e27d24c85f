//! The loop of the consumer: starts what can be started, then waits for whatever ends first.

use std::iter;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{self, AbortHandle, JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{Instrument, debug_span};

use super::capacity::{Capacity, Room};
use super::drain::Drain;
use super::leases::Leases;
use super::log;
use super::options::Settings;
use super::poison::{Panics, Poison};
use super::pollers::Pollers;
use super::requests::{Done, ReceiveEnd, Requests};
use super::{Consumer, ConsumerReport};
use crate::batch::{BatchLimits, Batcher};
use crate::error::{Error, ErrorKind, Result};
use crate::handler::Outcome;
use crate::observe::Observer;
use crate::queue::{Delivery, Receipt, ReceiveRequest};
use crate::shutdown::Shutdown;
use crate::timer::wait_until;

/// All state of a running consumer, owned by one task. Requests and handlers run in tasks of
/// their own and answer with a [`Done`].
pub(super) struct Engine {
    requests: Arc<Requests>,
    observer: Arc<dyn Observer>,
    settings: Settings,
    capacity: Capacity,
    pollers: Pollers,
    leases: Leases,
    /// Received, waiting for the handler.
    gathered: Batcher<(u64, Delivery)>,
    /// At the handler, in no order that depends on chance.
    handling: Vec<Handling>,
    /// Done and durable, waiting to be deleted.
    acknowledged: Batcher<Receipt>,
    /// Not done, waiting to be given back, hidden for this long.
    released: Vec<(u64, Duration)>,
    /// Requests to delete that are under way.
    deleting: usize,
    tasks: JoinSet<Done>,
    drain: Drain,
    panics: Panics,
    report: ConsumerReport,
    /// Messages and bytes held, as they were reported last.
    reported_held: (usize, usize),
}

struct Handling {
    leases: Vec<u64>,
    deliveries: Arc<Vec<Delivery>>,
    bytes: usize,
    abort: AbortHandle,
    /// The handler panicked on it, and it is on its way to quarantine.
    is_poison: bool,
}

impl Engine {
    pub(super) fn new(consumer: Consumer, settings: Settings) -> Self {
        let now = Instant::now();
        let deletes = BatchLimits {
            count: settings.limits.batch_entries,
            bytes: usize::MAX,
            linger: settings.options.delete_linger,
        };
        Self {
            capacity: Capacity::new(&settings),
            pollers: Pollers::new(&settings.options, now),
            leases: Leases::new(settings.visibility, settings.limits.max_visibility),
            gathered: Batcher::new(settings.options.batch),
            handling: Vec::new(),
            acknowledged: Batcher::new(deletes),
            released: Vec::new(),
            deleting: 0,
            tasks: JoinSet::new(),
            drain: Drain::new(settings.options.grace),
            panics: Panics::new(settings.options.max_panics),
            report: ConsumerReport::default(),
            reported_held: (0, 0),
            requests: Arc::new(Requests {
                queue: consumer.queue,
                handler: consumer.handler,
                quarantine: consumer.quarantine,
                retry: consumer.retry.observed_by(Arc::clone(&consumer.observer)),
            }),
            observer: consumer.observer,
            settings,
        }
    }

    pub(super) async fn run(mut self, shutdown: Shutdown) -> Result<ConsumerReport> {
        loop {
            let now = Instant::now();
            if self.capacity.total_is_reached() {
                self.drain.begin(None, now);
            }
            self.cut_off_handlers(now);
            self.poll(now);
            self.handle(now);
            self.delete(now);
            self.release();
            self.extend(now);
            self.report_held();
            if self.is_finished(now) {
                break;
            }
            let wake = self.wake_at(now);
            tokio::select! {
                biased;
                () = shutdown.requested(), if !self.drain.has_begun() => self.drain.begin(None, Instant::now()),
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended),
                () = wait_until(wake) => {}
            }
        }
        let report = &mut self.report;
        let settled = report.deleted + report.delete_failed + report.released;
        report.abandoned = report.received - settled;
        match self.drain.into_error() {
            Some(error) => Err(error),
            None => Ok(self.report),
        }
    }

    fn poll(&mut self, now: Instant) {
        while !self.drain.has_begun() && self.pollers.may_start(now) {
            let Some(room) = self.capacity.reserve() else {
                break;
            };
            self.pollers.started();
            let request = ReceiveRequest {
                max: room.messages,
                wait: self.settings.options.wait,
                visibility: self.settings.visibility,
            };
            let end = ReceiveEnd { stop: self.drain.stop(), after: self.settings.receive_grace };
            let receive = Arc::clone(&self.requests).receive(request, room, end);
            let span = debug_span!("receive", max = room.messages);
            self.tasks.spawn(receive.instrument(span));
        }
    }

    fn handle(&mut self, now: Instant) {
        while self.handling.len() < self.settings.options.max_concurrent_batches {
            // What nothing more will come to need not wait.
            let waits = !self.drain.has_begun() && self.capacity.awaits_more();
            let batch = if waits { self.gathered.next(now) } else { self.gathered.drain() };
            let Some(batch) = batch else { break };
            self.observer.flushed(batch.reason, batch.items.len(), batch.bytes);
            let (leases, deliveries): (Vec<_>, Vec<_>) = batch.items.into_iter().unzip();
            let span = debug_span!("handle", messages = deliveries.len(), bytes = batch.bytes);
            let deliveries = Arc::new(deliveries);
            let (later, stop) = (self.settings.visibility, self.drain.stop());
            let handle = Arc::clone(&self.requests).handle(Arc::clone(&deliveries), later, stop);
            let abort = self.tasks.spawn(handle.instrument(span));
            let bytes = batch.bytes;
            self.handling.push(Handling { leases, deliveries, bytes, abort, is_poison: false });
        }
    }

    fn delete(&mut self, now: Instant) {
        // While a drain still brings acknowledgements, wait for them: full batches are cheaper.
        let last = self.drain.has_begun() && self.nothing_to_handle();
        while self.may_delete() {
            let batch = if last { self.acknowledged.drain() } else { self.acknowledged.next(now) };
            let Some(batch) = batch else { break };
            self.deleting += 1;
            let span = debug_span!("delete", messages = batch.items.len());
            self.tasks.spawn(Arc::clone(&self.requests).delete(batch.items).instrument(span));
        }
    }

    /// As many at once as polls: messages leave as fast as they come, over the same connections.
    fn may_delete(&self) -> bool {
        self.deleting < self.settings.options.max_concurrent_receives
    }

    fn release(&mut self) {
        let ready = |&mut (id, _): &mut (u64, Duration)| !self.leases.is_busy(id);
        let ready: Vec<_> = self.released.extract_if(.., ready).collect();
        let longest = self.settings.limits.max_visibility;
        let change =
            |(id, delay): (u64, Duration)| Some((self.leases.remove(id)?, delay.min(longest)));
        let changes: Vec<_> = ready.into_iter().filter_map(change).collect();
        for batch in changes.chunks(self.settings.limits.batch_entries) {
            let span = debug_span!("release", messages = batch.len());
            self.tasks.spawn(Arc::clone(&self.requests).release(batch.to_vec()).instrument(span));
        }
    }

    fn extend(&mut self, now: Instant) {
        let mut due = self.leases.due(now).into_iter().peekable();
        while due.peek().is_some() {
            let batch: Vec<_> = due.by_ref().take(self.settings.limits.batch_entries).collect();
            let span = debug_span!("extend", messages = batch.len());
            self.tasks.spawn(Arc::clone(&self.requests).extend(batch).instrument(span));
        }
    }

    fn report_held(&mut self) {
        let held = self.capacity.held();
        if self.reported_held != held {
            self.reported_held = held;
            self.observer.held(held.0, held.1);
        }
    }

    fn ended(&mut self, ended: Result<(task::Id, Done), JoinError>) {
        let now = Instant::now();
        match ended {
            Ok((_, Done::Received { room, answer })) => self.received(room, answer, now),
            Ok((id, Done::Handled(outcomes))) => self.handled(id, outcomes, now),
            Ok((_, Done::Deleted(outcomes))) => self.deleted(&outcomes),
            Ok((_, Done::Released(outcomes))) => {
                self.capacity.released(outcomes.len());
                self.report.released += outcomes.len() as u64;
                self.observer.released(outcomes.len());
            }
            Ok((_, Done::Extended { asked, extensions })) => {
                let outcomes = extensions.iter().map(|(_, outcome)| outcome);
                log::not_extended(self.requests.retry.logged(), outcomes);
                for (extension, outcome) in extensions {
                    self.leases.extended(extension.id, &outcome, extension.visibility, asked);
                }
            }
            Err(error) => self.task_failed(error, now),
        }
    }

    fn received(&mut self, room: Room, answer: Result<Vec<(u64, Delivery)>>, now: Instant) {
        let deliveries = match answer {
            Ok(deliveries) => deliveries,
            Err(error) => {
                self.capacity.received(room, iter::empty());
                self.pollers.failed();
                return self.drain.begin(Some(error), now);
            }
        };
        let sizes = deliveries.iter().map(|(_, delivery)| delivery.message.size());
        self.capacity.received(room, sizes);
        self.pollers.answered(room.messages, deliveries.len(), now);
        self.report.received += deliveries.len() as u64;
        let (groups, deliveries): (Vec<_>, Vec<_>) = deliveries.into_iter().unzip();
        self.observer.received(&deliveries);
        for (group, delivery) in groups.into_iter().zip(deliveries) {
            let lease = self.leases.add(delivery.receipt.clone(), now);
            let size = delivery.message.size();
            self.gathered.push_to(group, (lease, delivery), size, now);
        }
        while self.capacity.is_pressed(self.gathered.open()) {
            self.gathered.close_largest();
        }
    }

    fn handled(&mut self, id: task::Id, outcomes: Vec<Outcome>, now: Instant) {
        // Only tasks that are in `handling` answer with `Handled`.
        if let Some(batch) = self.taken_from_handler(id) {
            self.panics.forget(&batch.deliveries);
            self.settle(batch, outcomes, now);
        }
    }

    fn taken_from_handler(&mut self, id: task::Id) -> Option<Handling> {
        let place = self.handling.iter().position(|batch| batch.abort.id() == id)?;
        Some(self.handling.swap_remove(place))
    }

    fn settle(&mut self, batch: Handling, outcomes: Vec<Outcome>, now: Instant) {
        self.capacity.free_bytes(batch.bytes);
        if outcomes.iter().all(|outcome| matches!(outcome, Outcome::Retry(_))) {
            let pace = |times| self.requests.retry.pace(times);
            self.pollers.no_progress(now, pace);
        } else {
            self.pollers.progress();
        }
        for ((lease, delivery), outcome) in
            batch.leases.into_iter().zip(&*batch.deliveries).zip(outcomes)
        {
            self.observer.handled(delivery, &outcome);
            match outcome {
                Outcome::Ack => self.report.acknowledged += 1,
                Outcome::Duplicate => self.report.duplicates += 1,
                Outcome::Quarantine(_) => self.report.quarantined += 1,
                Outcome::Retry(delay) => {
                    self.released.push((lease, delay));
                    continue;
                }
            }
            if let Some(receipt) = self.leases.remove(lease) {
                self.acknowledged.push(receipt, 0, now);
            }
        }
    }

    fn deleted(&mut self, outcomes: &[Result<()>]) {
        self.deleting = self.deleting.saturating_sub(1);
        log::not_deleted(self.requests.retry.logged(), outcomes);
        let deleted = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        self.capacity.settled(outcomes.len());
        let delete_failed = outcomes.len() - deleted;
        self.report.deleted += deleted as u64;
        self.report.delete_failed += delete_failed as u64;
        self.observer.deleted(deleted);
        self.observer.delete_failed(delete_failed);
    }

    /// A task did not come to its end: it panicked, or it was a handler that was cut off.
    fn task_failed(&mut self, error: JoinError, now: Instant) {
        let Some(batch) = self.taken_from_handler(error.id()) else {
            // Whatever it was, it must not keep anything from being deleted.
            self.deleting = 0;
            let what = format!("the queue's backend panicked: {error}");
            return self.drain.begin(Some(Error::new(ErrorKind::Unknown, "consumer", what)), now);
        };
        let messages = batch.leases.len();
        let Ok(panic) = error.try_into_panic() else {
            // Cut off: others may have the messages at once.
            return self.settle(batch, vec![Outcome::Retry(Duration::ZERO); messages], now);
        };
        let poison = Poison::new(&*panic);
        poison.log(self.requests.retry.logged(), messages);
        if messages > 1 {
            // One of them may be the cause, and the others must not go down with it: given
            // back together, they would come again together, up to the dead-letter queue.
            for (lease, delivery) in batch.leases.into_iter().zip(&*batch.deliveries) {
                let size = delivery.message.size();
                self.gathered.push_alone((lease, delivery.clone()), size);
            }
        } else if let Some(panics) = self.panics.count(&batch.deliveries[0].id)
            && !batch.is_poison
        {
            let (deliveries, reason) = (Arc::clone(&batch.deliveries), poison.reason(panics));
            let quarantine =
                Arc::clone(&self.requests).quarantine(deliveries, reason, self.drain.stop());
            let abort = self.tasks.spawn(quarantine);
            self.handling.push(Handling { abort, is_poison: true, ..batch });
        } else {
            // Not before the time that any failed delivery has to wait.
            self.settle(batch, vec![Outcome::Retry(self.settings.visibility)], now);
        }
    }

    /// Once handlers have had their time, whatever is not settled is given back; what a last
    /// receive still brings, too.
    fn cut_off_handlers(&mut self, now: Instant) {
        if !self.drain.cuts_off(now) {
            return;
        }
        for batch in &self.handling {
            batch.abort.abort();
        }
        while let Some(batch) = self.gathered.drain() {
            self.capacity.free_bytes(batch.bytes);
            let leases = batch.items.into_iter().map(|(lease, _)| (lease, Duration::ZERO));
            self.released.extend(leases);
        }
    }

    fn is_finished(&self, now: Instant) -> bool {
        let nothing_left = self.tasks.is_empty()
            && self.nothing_to_handle()
            && self.acknowledged.is_empty()
            && self.released.is_empty();
        self.drain.is_over(now) || (self.drain.has_begun() && nothing_left)
    }

    fn nothing_to_handle(&self) -> bool {
        self.handling.is_empty() && self.gathered.is_empty()
    }

    /// When there is something to do although nothing has ended. Never a time at which the loop
    /// would find that it still has to wait for something else: it would spin.
    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let handler_is_free = self.handling.len() < self.settings.options.max_concurrent_batches;
        let gathered = self.gathered.deadline(now).filter(|_| handler_is_free);
        let poll = self.pollers.wake_at(now).filter(|_| !self.drain.has_begun());
        let acknowledged = self.acknowledged.deadline(now).filter(|_| self.may_delete());
        let others = [self.leases.wake_at(), self.drain.wake_at(now)];
        [gathered, acknowledged, poll].into_iter().chain(others).flatten().min()
    }
}
