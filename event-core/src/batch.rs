//! Gathers single items into batches, by count, bytes and age. Pure: the time is an argument.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When a batch is closed: at the first of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchLimits {
    /// Most items in a batch; at least 1.
    pub count: usize,
    /// Most bytes in a batch. An item that is larger alone makes a batch of its own.
    pub bytes: usize,
    /// How long the first item of a batch waits for others. Zero: as long as the caller is busy
    /// with something else.
    pub linger: Duration,
}

/// Why a batch was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FlushReason {
    /// It holds as many items as it may.
    Count,
    /// The next item would not fit.
    Bytes,
    /// Its first item waited long enough.
    Linger,
    /// The caller asked for it, at the end of its work.
    Drain,
    /// Its item must go alone: the batch that it was in before made the handler panic.
    Alone,
}

impl FlushReason {
    /// The name in lower case, to count and to group by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Bytes => "bytes",
            Self::Linger => "linger",
            Self::Drain => "drain",
            Self::Alone => "alone",
        }
    }
}

/// A closed batch; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch<T> {
    /// What was pushed, in order.
    pub items: Vec<T>,
    /// The sum of their sizes.
    pub bytes: usize,
    /// Why it was closed.
    pub reason: FlushReason,
}

/// Items go in by [`push`](Self::push), batches come out by [`next`](Self::next), in order.
///
/// ```
/// use event_core::{BatchLimits, Batcher, FlushReason};
/// use std::time::Duration;
/// use tokio::time::Instant;
///
/// let limits = BatchLimits { count: 2, bytes: 100, linger: Duration::from_secs(1) };
/// let mut batcher = Batcher::new(limits);
/// let now = Instant::now();
/// batcher.push('a', 10, now);
/// assert_eq!(batcher.next(now), None);
/// batcher.push('b', 10, now);
/// assert_eq!(batcher.next(now).unwrap().items, ['a', 'b']);
/// batcher.push('c', 10, now);
/// assert_eq!(batcher.next(now + limits.linger).unwrap().reason, FlushReason::Linger);
/// ```
#[derive(Debug)]
pub struct Batcher<T> {
    limits: BatchLimits,
    closed: VecDeque<Batch<T>>,
    open: Vec<T>,
    open_bytes: usize,
    /// When the first item of the open batch came; meaningless while it is empty.
    opened: Option<Instant>,
}

impl<T> Batcher<T> {
    /// An empty batcher.
    pub fn new(limits: BatchLimits) -> Self {
        Self { limits, closed: VecDeque::new(), open: Vec::new(), open_bytes: 0, opened: None }
    }

    /// Takes an item of this size. It always fits: bounding what is held is the caller's work.
    pub fn push(&mut self, item: T, bytes: usize, now: Instant) {
        if !self.open.is_empty() && self.open_bytes + bytes > self.limits.bytes {
            self.close(FlushReason::Bytes);
        }
        self.opened.get_or_insert(now);
        self.open.push(item);
        self.open_bytes += bytes;
        if self.open.len() >= self.limits.count {
            self.close(FlushReason::Count);
        } else if self.open_bytes >= self.limits.bytes {
            self.close(FlushReason::Bytes);
        }
    }

    /// Takes an item that makes a batch of its own, due at once.
    pub fn push_alone(&mut self, item: T, bytes: usize) {
        self.closed.push_back(Batch { items: vec![item], bytes, reason: FlushReason::Alone });
    }

    /// The oldest batch that is due: closed by count or bytes, or open for as long as the
    /// linger.
    pub fn next(&mut self, now: Instant) -> Option<Batch<T>> {
        if self.deadline(now).is_some_and(|due| due <= now) && self.closed.is_empty() {
            self.close(FlushReason::Linger);
        }
        self.closed.pop_front()
    }

    /// The oldest batch, due or not.
    pub fn drain(&mut self) -> Option<Batch<T>> {
        if self.closed.is_empty() && !self.open.is_empty() {
            self.close(FlushReason::Drain);
        }
        self.closed.pop_front()
    }

    /// When [`next`](Self::next) will have a batch if nothing more is pushed: now, if it has one.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.closed.is_empty() {
            // A linger beyond the end of the clock never ends.
            self.opened?.checked_add(self.limits.linger)
        } else {
            Some(now)
        }
    }

    /// Items that are held.
    pub fn len(&self) -> usize {
        self.open.len() + self.closed.iter().map(|b| b.items.len()).sum::<usize>()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }

    fn close(&mut self, reason: FlushReason) {
        self.opened = None;
        self.closed.push_back(Batch {
            items: std::mem::take(&mut self.open),
            bytes: std::mem::take(&mut self.open_bytes),
            reason,
        });
    }
}
