//! How the segments of a partition are read.

use std::ops::Range;

use futures_util::stream::{self, StreamExt, TryStreamExt};

use super::commit::Segment;
use super::index::Slot;
use super::open_logs::{Head, SharedLog};
use super::segment::{Lines, invalid};
use super::{Log, Work};
use crate::error::Result;
use crate::layout::names::slot_of_data;
use crate::store::{ListRequest, ObjectMeta};

/// Segments read at once, at most.
const READS: usize = 16;
/// Segments of a page of the first listing: they are read before the next page is asked for.
const PAGE: usize = 1000;

impl Log {
    /// Reads the segments that were there before this process, the first time; answers the slot of one
    /// that must be there and is not.
    ///
    /// It starts from a listing, since one who walks to the first empty slot would fill a gap, and
    /// store again what is above it.
    pub(super) async fn load(
        &self,
        shared: &SharedLog,
        head: &mut Head,
        work: &Work<'_>,
    ) -> Result<Option<Slot>> {
        let prefix = self.prefix.layout.data_prefix(work.partition.name());
        let mut after = None;
        while !head.is_loaded {
            // A read that failed left behind what was read before it.
            let first = shared.known().head();
            let last = first.checked_sub(1).map(|last| self.key(last, work));
            after = after.max(last);
            let request = ListRequest { prefix: prefix.clone(), after: after.clone(), max: PAGE };
            let list = || self.prefix.store.list(request.clone());
            let page = work.retry.one(|_| true, work.stop, list).await?;
            let slots = page.objects.iter().filter_map(|object| slot_of(object, &prefix, work));
            let slots = slots.collect::<Result<Vec<_>>>()?;
            // A listing need not be of one moment, so each slot up to the last that it has is read,
            // listed or not. These reads begin after a later slot was seen: none may find nothing.
            let end = slots.last().map_or(first, |last| last + 1);
            let missing = self.take_up(first..end, shared, work).await?;
            if missing.is_some() {
                return Ok(missing);
            }
            after = page.objects.into_iter().last().map(|object| object.key);
            head.is_loaded = !page.more;
        }
        Ok(None)
    }

    /// Takes these slots up into what is known; answers the first that is empty, and takes up none beyond.
    async fn take_up(
        &self,
        slots: Range<Slot>,
        shared: &SharedLog,
        work: &Work<'_>,
    ) -> Result<Option<Slot>> {
        let mut reads = self.reads(slots, work);
        while let Some((slot, segment)) = reads.try_next().await? {
            let Some(segment) = segment else { return Ok(Some(slot)) };
            shared.known().push(segment.fingerprints);
        }
        Ok(None)
    }

    /// The segments in these slots, up to the first that is empty: what is after that one may have
    /// come while they were read.
    pub(super) async fn read_segments(
        &self,
        slots: Range<Slot>,
        work: &Work<'_>,
    ) -> Result<Vec<Segment>> {
        let mut reads = self.reads(slots, work);
        let mut segments = Vec::new();
        while let Some((_, Some(segment))) = reads.try_next().await? {
            segments.push(segment);
        }
        Ok(segments)
    }

    fn reads(
        &self,
        slots: Range<Slot>,
        work: &Work<'_>,
    ) -> impl stream::Stream<Item = Result<(Slot, Option<Segment>)>> + Unpin {
        let read = async |slot| Ok((slot, self.read(slot, work).await?));
        Box::pin(stream::iter(slots).map(read).buffered(READS))
    }

    async fn read(&self, slot: Slot, work: &Work<'_>) -> Result<Option<Segment>> {
        let key = self.key(slot, work);
        let object = work.retry.one(|_| true, work.stop, || self.prefix.store.get(&key)).await?;
        let Some(object) = object else { return Ok(None) };
        let lines = Lines::read(&key, work.compression, object)?;
        lines.compare(&key, &self.content, self.fingerprints, &work.by_fingerprint).map(Some)
    }
}

/// The slot that an object is in; none for what can be in no slot, which harms nothing here and is
/// named by an audit.
fn slot_of(object: &ObjectMeta, prefix: &str, work: &Work<'_>) -> Option<Result<Slot>> {
    let name = &object.key[prefix.len()..];
    let slot = slot_of_data(name)?;
    Some(if name.ends_with(work.compression.suffix()) {
        Ok(slot)
    } else {
        Err(invalid(&object.key, "its compression is not that of its log"))
    })
}
