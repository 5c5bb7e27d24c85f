//! Gathers single items into batches, by count, bytes and age. Pure: the time is an argument.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    /// Too much is held in open batches, and this one was the largest.
    Pressure,
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
            Self::Pressure => "pressure",
            Self::Alone => "alone",
        }
    }
}

/// A closed batch; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch<T> {
    /// What was pushed, in order.
    pub(crate) items: Vec<T>,
    /// The sum of their sizes.
    pub(crate) bytes: usize,
    /// Why it was closed.
    pub(crate) reason: FlushReason,
}

/// Items go in by [`push`](Self::push), batches come out by [`next`](Self::next), in order. Items
/// of different groups, by [`push_to`](Self::push_to), never share a batch; full batches come out
/// before those that only waited long enough, so that many small groups do not hold up a large one.
#[derive(Debug)]
pub(crate) struct Batcher<T> {
    limits: BatchLimits,
    closed: VecDeque<Batch<T>>,
    /// By group; none of them empty.
    open: BTreeMap<u64, Open<T>>,
    /// The groups that are open, by when they were opened.
    oldest: BTreeSet<(Instant, u64)>,
    open_items: usize,
    open_bytes: usize,
}

#[derive(Debug)]
struct Open<T> {
    items: Vec<T>,
    bytes: usize,
    /// When the first item came.
    since: Instant,
}

impl<T> Batcher<T> {
    /// An empty batcher.
    pub(crate) fn new(limits: BatchLimits) -> Self {
        Self {
            limits,
            closed: VecDeque::new(),
            open: BTreeMap::new(),
            oldest: BTreeSet::new(),
            open_items: 0,
            open_bytes: 0,
        }
    }

    /// Takes an item of this size. It always fits: bounding what is held is the caller's work.
    pub(crate) fn push(&mut self, item: T, bytes: usize, now: Instant) {
        self.push_to(0, item, bytes, now);
    }

    /// Takes an item of this size that may share a batch with those of the same group only.
    pub(crate) fn push_to(&mut self, group: u64, item: T, bytes: usize, now: Instant) {
        let fits = |open: &Open<T>| open.bytes + bytes <= self.limits.bytes;
        if self.open.get(&group).is_some_and(|open| !fits(open)) {
            self.close(group, FlushReason::Bytes);
        }
        let open = self.open.entry(group).or_insert_with(|| {
            self.oldest.insert((now, group));
            Open { items: Vec::new(), bytes: 0, since: now }
        });
        open.items.push(item);
        open.bytes += bytes;
        self.open_items += 1;
        self.open_bytes += bytes;
        if open.items.len() >= self.limits.count {
            self.close(group, FlushReason::Count);
        } else if open.bytes >= self.limits.bytes {
            self.close(group, FlushReason::Bytes);
        }
    }

    /// Takes an item that makes a batch of its own, due at once.
    pub(crate) fn push_alone(&mut self, item: T, bytes: usize) {
        self.closed.push_back(Batch { items: vec![item], bytes, reason: FlushReason::Alone });
    }

    /// Closes the open batch with the most bytes, if there is one.
    pub(crate) fn close_largest(&mut self) {
        let largest = self.open.iter().max_by_key(|(_, open)| open.bytes);
        if let Some((&group, _)) = largest {
            self.close(group, FlushReason::Pressure);
        }
    }

    /// The oldest batch that is due: closed by count or bytes, or open for as long as the
    /// linger.
    pub(crate) fn next(&mut self, now: Instant) -> Option<Batch<T>> {
        if self.closed.is_empty()
            && self.deadline(now).is_some_and(|due| due <= now)
            && let Some(&(_, group)) = self.oldest.first()
        {
            self.close(group, FlushReason::Linger);
        }
        self.closed.pop_front()
    }

    /// The oldest batch, due or not.
    pub(crate) fn drain(&mut self) -> Option<Batch<T>> {
        if self.closed.is_empty()
            && let Some(&(_, group)) = self.oldest.first()
        {
            self.close(group, FlushReason::Drain);
        }
        self.closed.pop_front()
    }

    /// When [`next`](Self::next) will have a batch if nothing more is pushed: now, if it has one.
    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.closed.is_empty() {
            // A linger beyond the end of the clock never ends.
            self.oldest.first()?.0.checked_add(self.limits.linger)
        } else {
            Some(now)
        }
    }

    /// Items that are held.
    pub(crate) fn len(&self) -> usize {
        self.open_items + self.closed.iter().map(|b| b.items.len()).sum::<usize>()
    }

    /// Items and bytes in batches that are open.
    pub(crate) fn open(&self) -> (usize, usize) {
        (self.open_items, self.open_bytes)
    }

    /// Whether nothing is held.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.closed.is_empty()
    }

    fn close(&mut self, group: u64, reason: FlushReason) {
        if let Some(Open { items, bytes, since }) = self.open.remove(&group) {
            self.oldest.remove(&(since, group));
            self.open_items -= items.len();
            self.open_bytes -= bytes;
            self.closed.push_back(Batch { items, bytes, reason });
        }
    }
}
