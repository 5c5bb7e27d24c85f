//! The loop of the producer: takes what may be taken, sends what is due, waits for what ends
//! first.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tracing::{Instrument, debug_span};

use super::pace::Pace;
use super::{Clock, Producer, ProducerOptions, ProducerReport};
use crate::batch::{BatchLimits, Batcher};
use crate::error::{Error, ErrorKind, Result};
use crate::message::Message;
use crate::observe::Observer;
use crate::queue::Queue;
use crate::reason::Reason;
use crate::retry::{ACCESS_TIMEOUT, Retry};
use crate::shutdown::{Shutdown, ShutdownTrigger};
use crate::sink::{Quarantine, QuarantineEntry};
use crate::source::EventSource;
use crate::timer::wait_until;

/// All state of a running producer, owned by one task; only sends run in tasks of their own.
pub(super) struct Engine {
    source: Box<dyn EventSource>,
    options: ProducerOptions,
    sender: Arc<Sender>,
    batcher: Batcher<Message>,
    batch_entries: usize,
    message_bytes: usize,
    pace: Pace,
    left: u64,
    tasks: JoinSet<Sent>,
    /// Set once nothing more is taken from the source.
    drain: Option<Drain>,
    report: ProducerReport,
    /// Taken from the source, and neither accepted nor quarantined so far.
    unsettled: u64,
}

#[derive(Default)]
struct Drain {
    /// When the producer returns whatever is left; none until a shutdown has begun.
    end: Option<Instant>,
    error: Option<Error>,
}

/// What a sending task needs.
struct Sender {
    queue: Arc<dyn Queue>,
    quarantine: Option<Quarantine>,
    observer: Arc<dyn Observer>,
    retry: Retry,
    clock: Clock,
    /// Requested when one batch failed for good: the others stop trying.
    give_up: (ShutdownTrigger, Shutdown),
}

/// What became of a batch.
#[derive(Default)]
struct Sent {
    accepted: u64,
    quarantined: u64,
    error: Option<Error>,
}

impl Engine {
    pub(super) fn new(producer: Producer) -> Self {
        let limits = producer.queue.limits();
        let batch = BatchLimits {
            count: limits.batch_entries,
            bytes: limits.batch_bytes,
            linger: producer.options.linger,
        };
        Self {
            source: producer.source,
            pace: Pace::new(producer.options.interval, Instant::now()),
            left: producer.options.total.unwrap_or(u64::MAX),
            options: producer.options,
            batcher: Batcher::new(batch),
            batch_entries: limits.batch_entries,
            message_bytes: limits.message_bytes,
            sender: Arc::new(Sender {
                queue: producer.queue,
                quarantine: producer.quarantine,
                retry: producer.retry.observed_by(Arc::clone(&producer.observer)),
                observer: producer.observer,
                clock: producer.clock,
                give_up: Shutdown::new(),
            }),
            tasks: JoinSet::new(),
            drain: None,
            report: ProducerReport::default(),
            unsettled: 0,
        }
    }

    pub(super) async fn run(mut self, shutdown: Shutdown) -> Result<ProducerReport> {
        loop {
            let now = Instant::now();
            self.send(now);
            if self.drain.is_some() && self.is_finished(now) {
                break;
            }
            let take = self.may_take(now);
            let wake = self.wake_at(now, take);
            tokio::select! {
                biased;
                () = shutdown.requested(), if !self.is_shutting_down() => self.begin_shutdown(),
                Some(ended) = self.tasks.join_next() => self.ended(ended),
                taken = self.source.next_batch(take), if take > 0 => self.took(taken, take),
                () = wait_until(wake) => {}
            }
        }
        self.outcome()
    }

    /// How many messages to take from the source now. A full batch waiting, or as many sends
    /// under way as there may be, stop the intake: that is all that is held in memory.
    fn may_take(&self, now: Instant) -> usize {
        let room = self.batch_entries.saturating_sub(self.batcher.len());
        if self.drain.is_some()
            || room == 0
            || self.tasks.len() >= self.options.max_concurrent_sends
        {
            return 0;
        }
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        self.pace.allowed(room.min(left), now)
    }

    fn took(&mut self, taken: Result<Vec<Message>>, asked: usize) {
        let now = Instant::now();
        match taken {
            Ok(messages) if messages.is_empty() => self.complete(),
            Ok(messages) => {
                self.pace.took(messages.len(), self.batch_entries.max(asked), now);
                self.unsettled += messages.len() as u64;
                self.left = self.left.saturating_sub(messages.len() as u64);
                if self.left == 0 {
                    self.complete();
                }
                for message in messages {
                    let size = message.size();
                    if size > self.message_bytes {
                        self.quarantine(message, size);
                    } else {
                        self.batcher.push(message, size, now);
                    }
                }
            }
            Err(error) => self.fail(error),
        }
    }

    /// A message that no queue with these limits takes: not even asked.
    fn quarantine(&mut self, message: Message, size: usize) {
        let text = format!(
            "a message has {size} bytes, attributes included, and the queue takes {}",
            self.message_bytes
        );
        let error = Error::new(ErrorKind::TooLarge, "send", text);
        let sender = Arc::clone(&self.sender);
        self.tasks.spawn(async move {
            let mut sent = Sent::default();
            sender.refused(vec![(message, error)], &mut sent).await;
            sent
        });
    }

    fn send(&mut self, now: Instant) {
        while self.tasks.len() < self.options.max_concurrent_sends {
            let batch = match self.drain {
                None => self.batcher.next(now),
                Some(_) => self.batcher.drain(),
            };
            let Some(batch) = batch else { break };
            let span = debug_span!("send", messages = batch.items.len(), bytes = batch.bytes);
            self.tasks.spawn(Arc::clone(&self.sender).send(batch.items).instrument(span));
        }
    }

    fn ended(&mut self, ended: Result<Sent, JoinError>) {
        let sent = ended.unwrap_or_else(|error| Sent {
            error: Some(Error::new(
                ErrorKind::Unknown,
                "producer",
                format!("the queue's backend panicked: {error}"),
            )),
            ..Sent::default()
        });
        self.report.sent += sent.accepted;
        self.report.quarantined += sent.quarantined;
        self.unsettled -= sent.accepted + sent.quarantined;
        if let Some(error) = sent.error {
            self.sender.give_up.0.shutdown();
            self.fail(error);
        }
    }

    /// There is nothing more to take.
    fn complete(&mut self) {
        self.report.complete = true;
        self.drain = Some(Drain::default());
    }

    fn fail(&mut self, error: Error) {
        self.drain.get_or_insert_default().error.get_or_insert(error);
    }

    fn is_shutting_down(&self) -> bool {
        self.drain.as_ref().is_some_and(|drain| drain.end.is_some())
    }

    fn begin_shutdown(&mut self) {
        let end = Instant::now() + self.options.grace;
        self.drain.get_or_insert_default().end = Some(end);
    }

    fn is_finished(&self, now: Instant) -> bool {
        let end = self.drain.as_ref().and_then(|drain| drain.end);
        (self.tasks.is_empty() && self.batcher.is_empty()) || end.is_some_and(|end| end <= now)
    }

    /// When there is something to do although nothing has ended.
    fn wake_at(&self, now: Instant, take: usize) -> Option<Instant> {
        let may_send = self.tasks.len() < self.options.max_concurrent_sends;
        let batch = self.batcher.deadline(now).filter(|_| may_send);
        let paced = take == 0
            && self.drain.is_none()
            && may_send
            && self.batcher.len() < self.batch_entries;
        let pace = paced.then(|| self.pace.wake_at()).filter(|&at| at > now);
        let end = self.drain.as_ref().and_then(|drain| drain.end);
        [batch, pace, end].into_iter().flatten().min()
    }

    fn outcome(self) -> Result<ProducerReport> {
        let error = self.drain.and_then(|drain| drain.error);
        if self.unsettled == 0 {
            return error.map_or(Ok(self.report), Err);
        }
        let kind = error.as_ref().map_or(ErrorKind::Transient, Error::kind);
        let text = format!(
            "{} messages were taken from the source and not sent, after {} that were",
            self.unsettled, self.report.sent
        );
        let left_behind = Error::new(kind, "producer", text);
        Err(match error {
            Some(error) => left_behind.with_source(error),
            None => left_behind,
        })
    }
}

impl Sender {
    async fn send(self: Arc<Self>, messages: Vec<Message>) -> Sent {
        let send = |batch: Vec<Message>| async {
            let outcomes = self.queue.send(&batch).await;
            (batch, outcomes)
        };
        let retry = self.retry.with_access_timeout(Error::is_about_access, ACCESS_TIMEOUT);
        let outcomes =
            retry.each(messages.clone(), Error::is_retryable, &self.give_up.1, send).await;
        let mut sent = Sent::default();
        if outcomes.iter().all(Result::is_ok) {
            self.observer.sent(&messages);
            sent.accepted = messages.len() as u64;
            return sent;
        }
        let mut refused = Vec::new();
        for (message, outcome) in messages.into_iter().zip(outcomes) {
            match outcome {
                Ok(_) => {
                    self.observer.sent(std::slice::from_ref(&message));
                    sent.accepted += 1;
                }
                Err(error) if error.is_about_entry() => refused.push((message, error)),
                Err(error) => {
                    sent.error.get_or_insert(error);
                }
            }
        }
        self.refused(refused, &mut sent).await;
        sent
    }

    /// Quarantines messages that the queue will never take. It gave them no time of acceptance, so
    /// they go by that of the attempt to send them.
    async fn refused(&self, messages: Vec<(Message, Error)>, sent: &mut Sent) {
        let Some(quarantine) = &self.quarantine else {
            if let Some((_, error)) = messages.into_iter().next() {
                sent.error.get_or_insert(error);
            }
            return;
        };
        let sent_at = (self.clock)();
        let with_reason = |(message, error): (Message, Error)| {
            (message, Reason::new(Reason::REFUSED, error.to_string()))
        };
        let refused: Vec<_> = messages.into_iter().map(with_reason).collect();
        let entry = |(message, reason)| QuarantineEntry { message, reason, sent_at };
        let entries: Vec<_> =
            refused.iter().map(|(message, reason)| entry((message, reason))).collect();
        let put = quarantine.put(&entries, &self.retry, &self.give_up.1).await;
        for ((message, reason), put) in refused.iter().zip(put) {
            match put {
                Ok(()) => {
                    self.observer.rejected(message, reason);
                    sent.quarantined += 1;
                }
                Err(error) => {
                    sent.error.get_or_insert(error);
                }
            }
        }
    }
}
