//! What is in quarantine.

use std::pin::pin;
use std::time::SystemTime;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::partition::READS;
use super::report::{Finding, FindingKind};
use super::sent::Identity;
use crate::codec;
use crate::error::Result;
use crate::layout::Layout;
use crate::layout::names::is_of_longer_prefix;
use crate::maintain::patient::PatientStore;
use crate::reason::Reason;
use crate::schema::Schema;
use crate::store::ObjectMeta;

/// A message that was put aside.
pub(super) struct Aside {
    pub(super) key: String,
    /// As the key has it.
    pub(super) reason: String,
    pub(super) who: Identity,
    /// Its own, or that on which it was put aside.
    pub(super) day: Date,
}

/// Reads all of this layout: only the message itself tells its day.
pub(super) async fn read_quarantine(
    store: &PatientStore,
    layout: &Layout,
    schema: &dyn Schema,
    mut each: impl FnMut(Result<Aside, Finding>),
) -> Result<()> {
    let root = layout.quarantine_root();
    let mut pages = pin!(store.pages(root.clone()));
    while let Some(page) = pages.try_next().await? {
        let own = page.into_iter().filter(|object| !is_of_longer_prefix(&object.key[root.len()..]));
        let reads = own.map(|object| read(store, layout, schema, object));
        let mut reads = stream::iter(reads).buffered(READS);
        while let Some(read) = reads.try_next().await? {
            each(read);
        }
    }
    Ok(())
}

async fn read(
    store: &PatientStore,
    layout: &Layout,
    schema: &dyn Schema,
    object: ObjectMeta,
) -> Result<Result<Aside, Finding>> {
    let line = store.get(&object.key).await?;
    let key = object.key.clone();
    let aside = match line {
        Some(line) => aside(layout, schema, object, &line),
        None => Err("this was listed and is gone:".to_owned()),
    };
    Ok(aside.map_err(|fault| Finding::new(FindingKind::Unreadable, key, fault)))
}

fn aside(
    layout: &Layout,
    schema: &dyn Schema,
    object: ObjectMeta,
    line: &[u8],
) -> Result<Aside, String> {
    let ObjectMeta { key, modified, .. } = object;
    let message = codec::decode_line(line)
        .map_err(|fault| format!("this is no quarantined message ({fault}):"))?;
    // All of the key but the reason is a function of the message.
    let expected = layout.quarantine_key(&message, &Reason::new("", ""));
    let (reason, place) = parts(layout, &key).unwrap_or_default();
    if parts(layout, &expected).map(|(_, place)| place) != Some(place) {
        return Err(format!("the key of the message in it ends with {expected}, not"));
    }
    let reason = reason.to_owned();
    let who = Identity::of(schema, &message);
    let day = who.scope.day.unwrap_or_else(|| day_of(modified));
    Ok(Aside { key, reason, who, day })
}

/// The reason, and what comes after it.
fn parts<'a>(layout: &Layout, key: &'a str) -> Option<(&'a str, &'a str)> {
    let path = key.strip_prefix(&layout.quarantine_root())?.strip_prefix("reason=")?;
    path.split_once('/')
}

fn day_of(modified: SystemTime) -> Date {
    let time = Timestamp::try_from(modified).unwrap_or(Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(time).date()
}
