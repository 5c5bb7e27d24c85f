#![doc = include_str!("../../docs/log.md")]

mod boundary;
mod commit;
mod content;
mod index;
mod manifest;
#[cfg(test)]
mod model;
mod open_logs;
mod prefix;
mod reads;
mod segment;
mod turns;

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::{Instant, sleep, sleep_until};

use crate::codec;
use crate::compression::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::layout::Layout;
use crate::message::Message;
use crate::reason::Reason;
use crate::retry::Retry;
use crate::schema::{Partition, Schema};
use crate::shutdown::Shutdown;
use crate::store::{ObjectStore, PutMode, PutOutcome};
use commit::{Answer, Commit, Request, Segment};
use content::{Content, quarantined_identity};
use index::{Fingerprint, FingerprintKey, SLOTS};
use open_logs::{OpenLogs, SharedLog};
use segment::PendingByFingerprint;
use turns::Turns;

pub(crate) use commit::CommitOutcome;
pub(crate) use index::Slot;
pub(crate) use prefix::Prefix;
pub(crate) use segment::{lines_of, one_line};

pub use manifest::{Manifest, ManifestOptions, ObjectLayout};

/// The logs of all partitions below a prefix, as one process knows them.
pub(crate) struct Log {
    /// Of a quarantine it has no manifest.
    pub(crate) prefix: Prefix,
    content: Content,
    /// Events that are kept in memory, over all partitions that are not in use.
    pub(crate) remember: usize,
    fingerprints: FingerprintKey,
    open: OpenLogs,
}

/// An event, or a quarantined message, that a writer holds and has not stored.
pub(crate) struct Pending {
    identity: Box<str>,
    line: Bytes,
    fingerprint: Fingerprint,
}

impl Pending {
    /// What is to be stored, without the line break after it.
    pub(crate) fn line(&self) -> &[u8] {
        &self.line
    }
}

/// One commit, and what its requests are about.
struct Work<'a> {
    commit: Commit,
    partition: &'a Partition,
    pending: &'a [Pending],
    by_fingerprint: PendingByFingerprint<'a>,
    compression: Compression,
    retry: &'a Retry,
    stop: &'a Shutdown,
}

/// Where a commit lets others go to the head.
enum Next {
    Done(Vec<CommitOutcome>),
    /// Read a segment below the head.
    Compare(Slot),
    /// The segment in this slot must be there, and is not.
    Missing(Slot),
}

impl Log {
    /// The log of events of this schema.
    pub(crate) fn new(prefix: Prefix, schema: Arc<dyn Schema>) -> Self {
        Self::with(prefix, Content::Events(schema))
    }

    /// The log of the messages that are quarantined below the prefix of this layout.
    pub(crate) fn of_quarantine(store: Arc<dyn ObjectStore>, layout: &Layout) -> Self {
        let prefix = Prefix::new(store, layout.quarantined(), ManifestOptions::default());
        Self::with(prefix, Content::Quarantined)
    }

    fn with(prefix: Prefix, content: Content) -> Self {
        let (fingerprints, open) = (FingerprintKey::random(), OpenLogs::default());
        Self { prefix, content, remember: 10_000_000, fingerprints, open }
    }

    /// An event with this identity and these bytes.
    pub(crate) fn pending(&self, identity: &str, body: Bytes) -> Pending {
        let fingerprint = self.fingerprints.of(identity);
        Pending { identity: identity.into(), line: one_line(body), fingerprint }
    }

    /// A message that is quarantined for this reason.
    pub(crate) fn pending_quarantine(&self, message: &Message, reason: &Reason) -> Pending {
        let mut line = codec::encode_quarantined(message, reason);
        // The break after it, which the segment adds.
        line.pop();
        self.pending(&quarantined_identity(message), line.into())
    }

    async fn compression(&self, stop: &Shutdown) -> Result<Compression> {
        match self.content {
            Content::Events(_) => self.prefix.manifest(|_| true, stop).await?.compression(),
            Content::Quarantined => Ok(Compression::Zstd),
        }
    }

    /// Stores events of one partition, and says what became of each once that is durable; none if the
    /// partition is no longer live. Tries until `stop` is requested.
    pub(crate) async fn store(
        &self,
        partition: &Partition,
        pending: &[Pending],
        stop: &Shutdown,
    ) -> Result<Option<Vec<CommitOutcome>>> {
        self.store_with(partition, pending, &self.prefix.retry, stop).await
    }

    /// The same, with another retry loop.
    pub(crate) async fn store_with(
        &self,
        partition: &Partition,
        pending: &[Pending],
        retry: &Retry,
        stop: &Shutdown,
    ) -> Result<Option<Vec<CommitOutcome>>> {
        let compression = self.compression(stop).await?;
        let commit = Commit::new(pending.iter().map(|event| event.fingerprint).collect());
        let by_fingerprint = PendingByFingerprint::new(pending);
        let mut work =
            Work { commit, partition, pending, by_fingerprint, compression, retry, stop };
        let shared = self.open.of(partition.name(), self.remember);
        let mut pauses = 0;
        let outcomes = loop {
            // One commit at a time moves the head; what it leaves behind is read without it.
            let next = {
                let mut head = shared.head.lock().await;
                match self.load(&shared, &mut head, &work).await? {
                    Some(missing) => Next::Missing(missing),
                    None => self.advance(&mut work, &shared, &mut head.turns).await?,
                }
            };
            let missing = match next {
                Next::Done(outcomes) => break outcomes,
                Next::Compare(slot) => {
                    let answer = answer(self.read_segments(slot..slot + 1, &work).await?);
                    let missing = work.commit.is_contradicted_by(&answer);
                    work.commit.answer(&mut shared.known(), answer);
                    missing.then_some(slot)
                }
                Next::Missing(slot) => Some(slot),
            };
            if let Some(slot) = missing {
                if self.content.expires() && self.prefix.has_passed(partition.day(), stop).await? {
                    return Ok(None);
                }
                self.pause(&self.key(slot, &work), pauses, &work).await?;
                pauses += 1;
            }
        };
        // After all of it is durable: what the boundary passed meanwhile is not.
        let is_too_old =
            self.content.expires() && self.prefix.is_too_old(partition.day(), stop).await?;
        Ok((!is_too_old).then_some(outcomes))
    }

    /// Goes on until others may go to the head.
    async fn advance(
        &self,
        work: &mut Work<'_>,
        shared: &SharedLog,
        turns: &mut Turns,
    ) -> Result<Next> {
        loop {
            let request = work.commit.request(&shared.known());
            let Some(request) = request else {
                return Ok(Next::Done(work.commit.outcomes().unwrap_or_default()));
            };
            let asked = Instant::now();
            let (slot, answer) = match request {
                Request::Read(slot) if !work.commit.needs_the_head() => {
                    return Ok(Next::Compare(slot));
                }
                Request::Read(slot) => {
                    if let Some(turn) = turns.not_before().filter(|_| work.commit.is_probe()) {
                        wait(turn, work.stop).await;
                    }
                    (slot, self.read_ahead(slot, work, turns).await?)
                }
                Request::Create(slot, places) => {
                    let answer = self.create(slot, &places, work).await?;
                    let won = answer == Answer::Created;
                    turns.tried(asked, Instant::now(), won, fastrand::f64());
                    (slot, answer)
                }
            };
            let contradiction = work.commit.is_contradicted_by(&answer);
            work.commit.answer(&mut shared.known(), answer);
            if contradiction {
                return Ok(Next::Missing(slot));
            }
        }
    }

    /// Reads the segment at the head, and with it those after it that are likely to be there.
    async fn read_ahead(&self, slot: Slot, work: &Work<'_>, turns: &mut Turns) -> Result<Answer> {
        let segments = self.read_segments(slot..slot + turns.ahead(), work).await?;
        turns.found(segments.len() as Slot);
        Ok(answer(segments))
    }

    async fn create(&self, slot: Slot, places: &[usize], work: &Work<'_>) -> Result<Answer> {
        let key = self.key(slot, work);
        if slot >= SLOTS {
            return Err(segment::invalid(&key, "there are too many segments in its partition"));
        }
        let lines = places.iter().map(|&place| &work.pending[place].line);
        let object = segment::encode(work.compression, lines)?;
        let put = || self.prefix.store.put(&key, object.clone(), PutMode::Create);
        Ok(match work.retry.one(|_| true, work.stop, put).await? {
            PutOutcome::Written => Answer::Created,
            PutOutcome::Exists => Answer::Exists,
        })
    }

    fn key(&self, slot: Slot, work: &Work<'_>) -> String {
        self.prefix.layout.batch_key(work.partition.name(), slot, work.compression)
    }

    /// Waits longer each time, for what only a person or a cache that expires can mend.
    async fn pause(&self, key: &str, pauses: u32, work: &Work<'_>) -> Result<()> {
        tracing::error!(key, pauses, "a segment is missing: nothing of its partition is stored");
        if !self.content.waits_for_repair() {
            return Err(segment::invalid(key, "it is missing"));
        }
        tokio::select! {
            biased;
            () = work.stop.requested() => {
                let message = format!("stopped while waiting for {key}");
                Err(Error::new(ErrorKind::Transient, "log", message))
            }
            () = sleep(work.retry.pace(pauses)) => Ok(()),
        }
    }
}

fn answer(segments: Vec<Segment>) -> Answer {
    if segments.is_empty() { Answer::Nothing } else { Answer::Segments(segments) }
}

/// Lets other writers go first. In a drain there is no time for that: what is held is stored now, or
/// comes again.
async fn wait(until: Instant, stop: &Shutdown) {
    tokio::select! {
        biased;
        () = stop.requested() => {}
        () = sleep_until(until) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// However long a turn is off, and whether the stop was before it or comes meanwhile.
    #[tokio::test(start_paused = true)]
    async fn nobody_waits_for_a_turn_after_a_stop() {
        let (asked, turn) = (Instant::now(), Instant::now() + Duration::from_secs(10));
        let (trigger, stop) = Shutdown::new();
        let stops = async {
            sleep(Duration::from_secs(3)).await;
            trigger.shutdown();
        };
        tokio::join!(wait(turn, &stop), stops);
        assert_eq!(asked.elapsed(), Duration::from_secs(3));
        wait(turn, &stop).await;
        assert_eq!(asked.elapsed(), Duration::from_secs(3));
        wait(turn, &Shutdown::never()).await;
        assert_eq!(Instant::now(), turn);
    }
}
