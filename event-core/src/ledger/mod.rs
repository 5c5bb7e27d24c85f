//! Many events in one object, each exactly once: a ledger of create-only writes.
//!
//! For each partition there are two rows of numbered slots, one of entries and one of data. Each
//! slot is created once and never written again. A writer claims a slot by creating its entry,
//! which says which events the data in the slot of that number is to hold; then it creates the
//! data. Whoever holds an event that is claimed by an entry without data waits for it for a while,
//! and then creates a tombstone in its place, an object without rows: the claim is dead, and a put
//! of its writer that wakes up late changes nothing. So each event is in one object at most, and no
//! clock has a say in that.

mod commit;
mod entry;
#[cfg(test)]
mod model;
mod row;
mod rows;
mod turns;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::time::{Instant, sleep_until};

use crate::compression::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::layout::Layout;
use crate::retry::Retry;
use crate::shutdown::Shutdown;
use crate::store::{ObjectStore, PutMode, PutOutcome, list_all};
use commit::{Answer, Commit, Request};
use rows::{Head, Rows, SharedRow};
use turns::Turns;

pub(crate) use commit::Fate;
pub(crate) use entry::{Digest, Entry, Id};
pub(crate) use row::Slot;

/// The ledgers of all partitions below a prefix, as one process knows them.
pub(crate) struct Ledger {
    store: Arc<dyn ObjectStore>,
    layout: Layout,
    pub(crate) retry: Retry,
    /// How long a claim without data is waited for, from when this process first saw it.
    pub(crate) patience: Duration,
    /// Of what is written from now on.
    pub(crate) compression: Compression,
    /// Ids that are kept in memory, over all partitions that are not in use.
    pub(crate) remember: usize,
    rows: Rows,
}

/// What a commit does next, without keeping others from the head of the row.
enum Next {
    Done(Vec<Fate>),
    /// Look again at the claim of another writer, later.
    Wait,
    Ask(Request),
}

/// An event to store.
pub(crate) struct Held {
    id: Id,
    /// Of the line.
    digest: Digest,
    line: Bytes,
}

impl Held {
    pub(crate) fn new(request_id: &str, body: Bytes) -> Self {
        let line = one_line(body);
        Self { id: Id::of(request_id), digest: Digest::of(&line), line }
    }
}

/// Between two looks at a claim of another writer.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Entries read at once, at most.
const READS: usize = 16;

impl Ledger {
    pub(crate) fn new(store: Arc<dyn ObjectStore>, layout: Layout) -> Self {
        let (retry, patience) = (Retry::default(), Duration::from_secs(30));
        let compression = Compression::None;
        let (remember, rows) = (4_000_000, Rows::default());
        Self { store, layout, retry, patience, compression, remember, rows }
    }

    /// The partition that an event belongs to.
    pub(crate) fn partition(&self, event: &Event<'_>) -> String {
        self.layout.partition(event)
    }

    /// Stores events of one partition, and says what became of each once that is durable. Tries
    /// until `stop` is requested.
    pub(crate) async fn store(
        &self,
        partition: &str,
        held: &[Held],
        stop: &Shutdown,
    ) -> Result<Vec<Fate>> {
        let ids = held.iter().map(|held| (held.id, held.digest)).collect();
        let mut commit = Commit::new(ids, fastrand::u128(..), self.compression);
        let row = self.rows.of(partition, self.remember);
        loop {
            // One commit at a time moves the head, and the next one does while the data of this
            // one is on its way.
            let next = {
                let mut head = row.head.lock().await;
                self.load(&row, &mut head, partition, stop).await?;
                self.claim(&mut commit, &row, &mut head.turns, partition, held, stop).await?
            };
            match next {
                Next::Done(fates) => return Ok(fates),
                Next::Wait => {
                    wait(Instant::now() + LOOK_AGAIN.min(self.patience / 4), stop).await?;
                }
                Next::Ask(request) => {
                    let compression = self.compression;
                    let answer = self.ask(&request, compression, partition, held, stop).await?;
                    commit.answer(&mut row.known(), &answer, Instant::now());
                }
            }
        }
    }

    /// Goes on until there is nothing more to do that moves the head.
    async fn claim(
        &self,
        commit: &mut Commit,
        row: &SharedRow,
        turns: &mut Turns,
        partition: &str,
        held: &[Held],
        stop: &Shutdown,
    ) -> Result<Next> {
        loop {
            let request = commit.request(&row.known(), Instant::now(), self.patience);
            let Some(request) = request else {
                return Ok(Next::Done(commit.fates().unwrap_or_default()));
            };
            if !commit.needs_the_head() {
                return Ok(Next::Ask(request));
            }
            if let (Request::CreateEntry(..), Some(turn)) = (&request, turns.not_before()) {
                wait(turn, stop).await?;
            }
            let asked = Instant::now();
            if let Request::ReadEntry(slot) = request {
                self.meet(commit, row, turns, slot, partition, stop).await?;
            } else {
                let compression = match request {
                    Request::ReadData(slot) | Request::CreateTombstone(slot) => {
                        row.known().compression(slot)
                    }
                    _ => self.compression,
                };
                let answer = self.ask(&request, compression, partition, held, stop).await?;
                let waits = commit.waits(&answer);
                commit.answer(&mut row.known(), &answer, Instant::now());
                if waits {
                    return Ok(Next::Wait);
                }
            }
            if commit.holds_a_claim() {
                turns.won(asked, Instant::now());
            }
        }
    }

    /// Reads the claim that was met at the head, and those after it that are there by now.
    async fn meet(
        &self,
        commit: &mut Commit,
        row: &SharedRow,
        turns: &mut Turns,
        slot: Slot,
        partition: &str,
        stop: &Shutdown,
    ) -> Result<()> {
        let slots = slot..slot + turns.ahead();
        let entries = self.read_entries(slots, partition, stop).await?;
        turns.found(entries.len() as Slot);
        let mut known = row.known();
        let mut entries = entries.into_iter();
        let first = entries.next().map_or(Answer::Nothing, Answer::Entry);
        commit.answer(&mut known, &first, Instant::now());
        if !commit.holds_a_claim() {
            turns.lost();
        }
        for entry in entries {
            known.read(&entry, Instant::now());
        }
        Ok(())
    }

    /// Reads the entries that were there before this process, the first time.
    async fn load(
        &self,
        row: &SharedRow,
        head: &mut Head,
        partition: &str,
        stop: &Shutdown,
    ) -> Result<()> {
        if !head.is_loaded {
            let prefix = self.layout.ledger_prefix(partition);
            let list = || list_all(&*self.store, &prefix);
            let slots = self.retry.one(|_| true, stop, list).await?.len() as Slot;
            let entries = self.read_entries(0..slots, partition, stop).await?;
            let mut known = row.known();
            for entry in entries {
                known.read(&entry, Instant::now());
            }
            head.is_loaded = true;
        }
        Ok(())
    }

    /// The entries in these slots, up to the first that is not there.
    async fn read_entries(
        &self,
        slots: Range<Slot>,
        partition: &str,
        stop: &Shutdown,
    ) -> Result<Vec<Entry>> {
        let reads = stream::iter(slots).map(|slot| self.read_entry(partition, slot, stop));
        let entries: Vec<_> = reads.buffered(READS).try_collect().await?;
        Ok(entries.into_iter().map_while(|entry| entry).collect())
    }

    /// Makes a request; `compression` is that of the data it is about.
    async fn ask(
        &self,
        request: &Request,
        compression: Compression,
        partition: &str,
        held: &[Held],
        stop: &Shutdown,
    ) -> Result<Answer> {
        match request {
            Request::CreateEntry(slot, entry) => {
                let key = self.layout.ledger_key(partition, *slot);
                self.create(&key, entry.encode().into(), stop).await
            }
            Request::CreateData(slot, places) => {
                let key = self.layout.batch_key(partition, *slot, compression);
                let lines = join(places.iter().map(|&place| &held[place].line));
                self.create(&key, compression.compress(lines)?, stop).await
            }
            Request::CreateTombstone(slot) => {
                let key = self.layout.batch_key(partition, *slot, compression);
                tracing::warn!(key, "the writer that claimed these events is given up");
                self.create(&key, Bytes::from_static(compression.empty_object()), stop).await
            }
            Request::ReadEntry(slot) => {
                let entry = self.read_entry(partition, *slot, stop).await?;
                Ok(entry.map_or(Answer::Nothing, Answer::Entry))
            }
            Request::ReadData(slot) => {
                let key = self.layout.batch_key(partition, *slot, compression);
                let empty = compression.empty_object().len() as u64;
                let head = self.retry.one(|_| true, stop, || self.store.head(&key)).await?;
                Ok(match head {
                    None => Answer::Nothing,
                    Some(there) if there.size == empty => Answer::Tombstone,
                    Some(_) => Answer::Data,
                })
            }
        }
    }

    async fn create(&self, key: &str, body: Bytes, stop: &Shutdown) -> Result<Answer> {
        let put = || self.store.put(key, body.clone(), PutMode::Create);
        Ok(match self.retry.one(|_| true, stop, put).await? {
            PutOutcome::Written => Answer::Created,
            PutOutcome::Exists => Answer::Exists,
        })
    }

    async fn read_entry(
        &self,
        partition: &str,
        slot: Slot,
        stop: &Shutdown,
    ) -> Result<Option<Entry>> {
        let key = self.layout.ledger_key(partition, slot);
        let Some(bytes) = self.retry.one(|_| true, stop, || self.store.get(&key)).await? else {
            return Ok(None);
        };
        let entry = Entry::decode(&bytes);
        entry.map(Some).ok_or_else(|| {
            let message =
                format!("{key} is no entry of a ledger: nothing of its partition is stored");
            Error::invalid("ledger", message)
        })
    }
}

/// Waits for another writer.
async fn wait(until: Instant, stop: &Shutdown) -> Result<()> {
    tokio::select! {
        biased;
        () = stop.requested() => {
            let message = "stopped while another writer was waited for";
            Err(Error::new(ErrorKind::Transient, "ledger", message))
        }
        () = sleep_until(until) => Ok(()),
    }
}

/// A line break can only be between the tokens of a JSON text, where a space means the same.
pub(crate) fn one_line(body: Bytes) -> Bytes {
    // Almost always there is none, and these two look at many bytes at once.
    if !body.contains(&b'\n') && !body.contains(&b'\r') {
        return body;
    }
    body.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

fn join<'a>(lines: impl Iterator<Item = &'a Bytes> + Clone) -> Vec<u8> {
    let size = lines.clone().map(|line| line.len() + 1).sum();
    let mut object = Vec::with_capacity(size);
    for line in lines {
        object.extend_from_slice(line);
        object.push(b'\n');
    }
    object
}
