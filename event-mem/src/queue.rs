//! A queue in memory.

mod options;
mod state;
#[cfg(test)]
mod tests;

use std::fmt;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use event_core::{
    Delivery, Depth, Error, ErrorKind, Message, MessageId, Queue, QueueLimits, Receipt,
    ReceiveRequest, Result, async_trait,
};
use tokio::sync::Notify;
use tokio::task::consume_budget;
use tokio::time::{Instant, timeout_at};

use crate::clock::later;
pub use options::{MemQueueOptions, Redrive};
use state::{State, Take, Taken};

/// A queue in memory that behaves as an SQS standard queue does, limits included.
///
/// Clones are handles to the same queue; what it holds is gone with the last of them. Time is
/// tokio's, so a test that pauses the clock decides when a message comes back.
/// [`Delivery::sent_at`] is the system's time when the queue was made plus the time that passed
/// on that clock since.
///
/// It is stricter than SQS: nothing is delivered twice without cause, a receive answers all that
/// there is up to its maximum, and [`depth`](Queue::depth) is exact.
///
/// - A receipt that is out of date, or whose message is gone, deletes nothing and answers `Ok`;
///   as long as the message was not received again, its last receipt deletes it, even after its
///   visibility has lapsed. To change the visibility of a message that is not in flight by that
///   receipt fails with `Invalid`.
/// - Receipts that this queue never gave out fail with `Invalid`.
/// - A message over [`QueueLimits::message_bytes`] is refused alone, and is not counted towards
///   the bytes of its batch.
/// - At the bound on messages in flight, a receive that does not wait fails with `Throttled`, and
///   one that waits answers an empty list in the end.
///
/// ```
/// use std::time::Duration;
/// use event_core::{Message, Queue, ReceiveRequest};
/// use event_mem::MemQueue;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let queue = MemQueue::default();
/// queue.send(&[Message::new("{}")]).await.remove(0)?;
///
/// let request = ReceiveRequest {
///     max: 10,
///     wait: Duration::from_secs(20),
///     visibility: Duration::from_secs(30),
/// };
/// let delivery = queue.receive(request).await?.remove(0);
/// assert_eq!((delivery.message.body, delivery.receive_count), ("{}".into(), 1));
///
/// queue.delete(&[delivery.receipt]).await.remove(0)?;
/// assert_eq!(queue.depth().await?.total(), 0);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MemQueue {
    inner: Arc<Inner>,
}

struct Inner {
    options: MemQueueOptions,
    /// Grows with each queue that is made; who holds the locks of two took the younger's first.
    number: u64,
    state: Mutex<State>,
    /// Wakes receivers: one when there is something to receive, all when they have to look at
    /// the timers again.
    arrival: Notify,
    emptied: Notify,
}

impl MemQueue {
    /// An empty queue.
    pub fn new(options: MemQueueOptions) -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        let inner = Inner {
            options,
            number: MADE.fetch_add(1, Ordering::Relaxed),
            state: Mutex::new(State::new()),
            arrival: Notify::new(),
            emptied: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Waits until the queue holds no message in any state.
    pub async fn drained(&self) {
        loop {
            let mut emptied = pin!(self.inner.emptied.notified());
            // From here on no wake-up is missed, so that it is safe to look.
            emptied.as_mut().enable();
            if self.lock().is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// Sends every visible message of this queue to `target` anew, under a new id, and removes it
    /// here; answers how many. For a dead-letter queue whose messages shall be tried again. A
    /// queue that is its own target is left as it is.
    pub fn redrive_to(&self, target: &Self) -> usize {
        if Arc::ptr_eq(&self.inner, &target.inner) {
            return 0;
        }
        let delay = target.inner.options.delay;
        let move_all = |from: &mut State, to: &mut State, now| {
            from.advance(now);
            std::iter::from_fn(|| from.take_visible())
                .map(|letter| to.send(letter.message, delay, now))
                .count()
        };
        // Both locks at once, so that no message is ever in neither queue; see `Inner::number`.
        if self.inner.number > target.inner.number {
            self.with(|from, now| target.with(|to, _| move_all(from, to, now)))
        } else {
            target.with(|to, now| self.with(|from, _| move_all(from, to, now)))
        }
    }

    /// Runs one operation and wakes whom its outcome concerns.
    fn with<T>(&self, operation: impl FnOnce(&mut State, Instant) -> T) -> T {
        let inner = &*self.inner;
        let mut state = self.lock();
        let (due, was_empty) = (state.next_due(), state.is_empty());
        let answer = operation(&mut state, Instant::now());
        let sooner = match (state.next_due(), due) {
            (Some(next), Some(due)) => next < due,
            (next, due) => next.is_some() && due.is_none(),
        };
        let ready = state.visible() > 0 && state.in_flight() < inner.options.max_in_flight;
        let emptied = state.is_empty() && !was_empty;
        drop(state);
        if sooner {
            inner.arrival.notify_waiters();
        } else if ready {
            // One is enough: whoever leaves something behind comes by here and wakes the next.
            inner.arrival.notify_one();
        }
        if emptied {
            inner.emptied.notify_waiters();
        }
        answer
    }

    fn take(&self, request: &ReceiveRequest) -> (Taken, Option<Instant>) {
        let options = &self.inner.options;
        let redrive = options.redrive.as_ref();
        let take = Take {
            max: request.max,
            visibility: request.visibility,
            max_in_flight: options.max_in_flight,
            max_receives: redrive.map(|redrive| redrive.max_receives),
        };
        self.with(|state, now| {
            let mut taken = state.receive(&take, now);
            if let Some(redrive) = redrive
                && !taken.dead.is_empty()
            {
                // Still under this queue's lock, so that no message is ever in neither queue. The
                // other queue was made first, or it could not be in the options of this one.
                let dead = taken.dead.drain(..);
                let adopt =
                    |to: &mut State, now| dead.for_each(|l| to.adopt(l, Duration::ZERO, now));
                redrive.dead_letter.with(adopt);
            }
            (taken, state.next_due())
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = &self.inner.state;
        state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One outcome for each entry, unless there are more than a batch may hold.
    fn each<T, U>(
        &self,
        operation: &'static str,
        batch: &[T],
        mut apply: impl FnMut(&mut State, &T, Instant) -> Result<U>,
    ) -> Vec<Result<U>> {
        let max = self.inner.options.limits.batch_entries;
        if batch.len() > max {
            let message = format!("{} entries in a batch, at most {max} are taken", batch.len());
            return refuse(batch, &Error::invalid(operation, message));
        }
        self.with(|state, now| batch.iter().map(|entry| apply(state, entry, now)).collect())
    }
}

fn refuse<T, U>(batch: &[T], error: &Error) -> Vec<Result<U>> {
    batch.iter().map(|_| Err(error.clone())).collect()
}

#[async_trait]
impl Queue for MemQueue {
    fn limits(&self) -> QueueLimits {
        self.inner.options.limits
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        // Nothing below waits: a loop of sends would keep the rest of its thread from running.
        consume_budget().await;
        let limits = &self.inner.options.limits;
        let fits = |size: &usize| *size <= limits.message_bytes;
        let bytes: usize = batch.iter().map(Message::size).filter(fits).sum();
        if bytes > limits.batch_bytes {
            let message =
                format!("{bytes} bytes in a batch, at most {} are taken", limits.batch_bytes);
            return refuse(batch, &Error::new(ErrorKind::TooLarge, "send", message));
        }
        self.each("send", batch, |state, message, now| {
            let size = message.size();
            if fits(&size) {
                return Ok(state.send(message.clone(), self.inner.options.delay, now));
            }
            let message =
                format!("a message of {size} bytes, at most {} are taken", limits.message_bytes);
            Err(Error::new(ErrorKind::TooLarge, "send", message))
        })
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        check(&request, &self.inner.options.limits)?;
        // As in `send`; and since nothing is taken yet, it is safe to stop waiting here.
        consume_budget().await;
        let (taken, _) = self.take(&request);
        if !taken.deliveries.is_empty() {
            return Ok(taken.deliveries);
        }
        if request.wait.is_zero() {
            if taken.full {
                let max = self.inner.options.max_in_flight;
                let message = format!("{max} messages are in flight, no more can be: delete some");
                return Err(Error::new(ErrorKind::Throttled, "receive", message));
            }
            return Ok(Vec::new());
        }
        let deadline = later(Instant::now(), request.wait);
        loop {
            let mut arrival = pin!(self.inner.arrival.notified());
            // From here on no wake-up is missed, so that it is safe to look. What is taken is
            // answered without another await: who drops this future takes nothing.
            arrival.as_mut().enable();
            let (taken, due) = self.take(&request);
            if !taken.deliveries.is_empty() || Instant::now() >= deadline {
                return Ok(taken.deliveries);
            }
            let until = due.map_or(deadline, |due| due.min(deadline));
            // Woken or timed out: either way it is time to look again.
            let _ = timeout_at(until, arrival).await;
        }
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        self.each("delete", receipts, |state, receipt, _| state.delete(receipt))
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        let max = self.inner.options.limits.max_visibility;
        self.each("change_visibility", changes, |state, (receipt, time), now| {
            state.change_visibility(receipt, *time, max, now)
        })
    }

    async fn depth(&self) -> Result<Depth> {
        Ok(self.with(State::depth))
    }
}

fn check(request: &ReceiveRequest, limits: &QueueLimits) -> Result<()> {
    let fault = if !(1..=limits.receive_max).contains(&request.max) {
        format!("max is {}, give 1 to {}", request.max, limits.receive_max)
    } else if request.wait > limits.max_wait {
        format!("wait is {:?}, at most {:?} is allowed", request.wait, limits.max_wait)
    } else if request.visibility > limits.max_visibility {
        format!(
            "visibility is {:?}, at most {:?} is allowed",
            request.visibility, limits.max_visibility
        )
    } else {
        return Ok(());
    };
    Err(Error::invalid("receive", fault))
}

impl Default for MemQueue {
    fn default() -> Self {
        Self::new(MemQueueOptions::default())
    }
}

impl fmt::Debug for MemQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemQueue").field("options", &self.inner.options).finish_non_exhaustive()
    }
}
