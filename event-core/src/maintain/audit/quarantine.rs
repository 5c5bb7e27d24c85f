//! What is in quarantine: messages in objects of their own, and in the segments of a log.

use std::pin::pin;
use std::time::SystemTime;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::expected::Identity;
use super::id::Id;
use super::partition::READS;
use super::report::{Finding, FindingKind};
use super::slots::Slots;
use crate::codec;
use crate::compression::Compression;
use crate::error::Result;
use crate::layout::Layout;
use crate::layout::names::{is_of_longer_prefix, slot_of_data};
use crate::log::{Slot, lines_of};
use crate::maintain::retrying::RetryingStore;
use crate::message::Message;
use crate::reason::Reason;
use crate::schema::{Partition, Schema};
use crate::store::ObjectMeta;

/// A quarantined message.
pub(super) struct QuarantinedMessage {
    /// Of the object that holds it.
    pub(super) key: String,
    /// The code, as the line has it.
    pub(super) reason: String,
    /// Of the whole message.
    pub(super) digest: Id,
    pub(super) who: Identity,
    /// Its own, or that on which it was quarantined.
    pub(super) day: Date,
}

/// An object that was listed.
struct Listed {
    key: String,
    /// None for what no writer reads in its slot.
    form: Option<Form>,
    /// What is wrong with its place. It is told with what the object holds, so that the order of
    /// findings is not that of pages.
    fault: Option<Finding>,
}

enum Form {
    /// One message.
    Message { modified: SystemTime },
    /// Those that the queue accepted on this day.
    Segment { day: Date },
}

/// Reads all of this layout: only the message itself tells its day.
pub(super) async fn read_quarantine(
    store: &RetryingStore,
    layout: &Layout,
    schema: &dyn Schema,
    mut each: impl FnMut(Result<QuarantinedMessage, Finding>),
) -> Result<()> {
    let root = layout.quarantine_root();
    let mut log = Log { store, layout: layout.quarantined(), day: None };
    let mut pages = pin!(store.pages(root.clone()));
    while let Some(page) = pages.try_next().await? {
        let mut objects = Vec::with_capacity(page.len());
        for ObjectMeta { key, modified, .. } in page {
            let path = &key[root.len()..];
            match segment_of(path) {
                _ if is_of_longer_prefix(path) => {}
                Some((partition, slot)) => log.up_to(partition, slot, key, &mut objects).await?,
                None => {
                    let form = Some(Form::Message { modified });
                    objects.push(Listed { key, form, fault: None });
                }
            }
        }
        let reads = objects.into_iter().map(|object| read(store, layout, schema, object));
        let mut reads = stream::iter(reads).buffered(READS);
        while let Some(read) = reads.try_next().await? {
            read.into_iter().for_each(&mut each);
        }
    }
    Ok(())
}

/// The day and the slot of a segment, by its path below the quarantine.
fn segment_of(path: &str) -> Option<(Partition, Slot)> {
    let (folder, name) = path.rsplit_once('/')?;
    let partition = Partition::parse(folder).filter(|partition| partition.keys().eq(["dt"]))?;
    Some((partition, slot_of_data(name)?))
}

/// The segments, in order of their days.
struct Log<'a> {
    store: &'a RetryingStore,
    layout: Layout,
    day: Option<(Partition, Slots)>,
}

impl Log<'_> {
    /// Adds a segment that was listed, and those before it that were not.
    async fn up_to(
        &mut self,
        partition: Partition,
        slot: Slot,
        key: String,
        objects: &mut Vec<Listed>,
    ) -> Result<()> {
        let key_of = |slot| self.layout.batch_key(partition.name(), slot, Compression::Zstd);
        if key != key_of(slot) {
            let what = "its compression is not that of its log:";
            let fault = Some(Finding::new(FindingKind::Foreign, &*key, what));
            objects.push(Listed { key, form: None, fault });
            return Ok(());
        }
        let slots = match &mut self.day {
            Some((of, slots)) if *of == partition => slots,
            other => &mut other.insert((partition.clone(), Slots::default())).1,
        };
        let (before, fault) = slots.up_to(slot, &key, self.store, key_of).await?;
        let before = before.into_iter().map(|key| (key, None));
        objects.extend(before.chain([(key, fault)]).map(|(key, fault)| {
            let form = Some(Form::Segment { day: partition.day() });
            Listed { key, form, fault }
        }));
        Ok(())
    }
}

/// What is in one object, and what is wrong with it.
async fn read(
    store: &RetryingStore,
    layout: &Layout,
    schema: &dyn Schema,
    Listed { key, form, fault }: Listed,
) -> Result<Vec<Result<QuarantinedMessage, Finding>>> {
    let mut found: Vec<_> = fault.into_iter().map(Err).collect();
    let unreadable = |what: String| Err(Finding::new(FindingKind::Unreadable, &*key, what));
    let Some(form) = form else { return Ok(found) };
    let Some(body) = store.get(&key).await? else {
        found.push(unreadable("this was listed and is gone:".to_owned()));
        return Ok(found);
    };
    match form {
        Form::Message { modified } => {
            let quarantined =
                |message| Ok(quarantined_message(schema, &key, message, day_of(modified)));
            found.push(message_in(layout, &key, &body).map_or_else(unreadable, quarantined));
        }
        Form::Segment { day } => match Compression::Zstd.decompress(body) {
            Ok(lines) => found.extend(lines_of(&lines).zip(1_u64..).map(|(line, number)| {
                match codec::decode_quarantined(line) {
                    Ok(message) => Ok(quarantined_message(schema, &key, message, day)),
                    Err(fault) => unreadable(format!(
                        "line {number} is not a quarantined message ({fault}), in"
                    )),
                }
            })),
            Err(error) => found.push(unreadable(format!("{error}, in"))),
        },
    }
    Ok(found)
}

/// The message that is an object of its own; or what is wrong with that.
fn message_in(layout: &Layout, key: &str, line: &[u8]) -> Result<(Message, Reason), String> {
    let (message, reason) = codec::decode_quarantined(line)
        .map_err(|fault| format!("not a quarantined message ({fault}):"))?;
    let expected = layout.quarantine_key(&message, &reason);
    if expected != key {
        return Err(format!("the key of the message in it is {expected}, not"));
    }
    Ok((message, reason))
}

fn quarantined_message(
    schema: &dyn Schema,
    key: &str,
    (message, reason): (Message, Reason),
    day: Date,
) -> QuarantinedMessage {
    let who = Identity::of(schema, &message);
    QuarantinedMessage {
        key: key.to_owned(),
        reason: reason.code().to_owned(),
        digest: Id::of_message(&message),
        day: who.scope.day.unwrap_or(day),
        who,
    }
}

fn day_of(modified: SystemTime) -> Date {
    let time = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(time).date()
}
