//! Where messages go that are not valid events: beside the store, whole, with the reason.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::codec;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::log::{Log, Pending};
use crate::message::Message;
use crate::reason::Reason;
use crate::retry::Retry;
use crate::schema::{Partition, PartitionBy};
use crate::shutdown::Shutdown;
use crate::store::{ObjectStore, PutMode};

/// Makes quarantined messages durable, each a line as [`codec::encode_quarantined`] writes it: in
/// an object of its own ([`new`](Self::new)), or many in one ([`log`](Self::log)).
///
/// What tells one message from another is a SHA-256 of the whole of it, attributes included.
#[derive(Clone)]
pub struct Quarantine {
    form: Form,
}

#[derive(Clone)]
enum Form {
    Objects { store: Arc<dyn ObjectStore>, layout: Layout },
    Log(Arc<Log>),
}

/// A message to quarantine.
#[derive(Clone, Copy, Debug)]
pub struct QuarantineEntry<'a> {
    /// The message, as it was received.
    pub message: &'a Message,
    /// Why.
    pub reason: &'a Reason,
    /// When the queue accepted it. Must not change when the message comes again: its day in UTC
    /// says in which partition of a log it is.
    pub sent_at: SystemTime,
}

/// Objects that are put at once.
const PUTS: usize = 64;

impl Quarantine {
    /// A quarantine with an object for each message, under its [`Layout::quarantine_key`], for the
    /// layout of [`StoreWriter`](super::StoreWriter). The same message with the same reason is
    /// there once, however often it comes.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout) -> Self {
        Self { form: Form::Objects { store, layout } }
    }

    /// A quarantine that is a log, for the layout of [`BatchWriter`](super::BatchWriter): one put
    /// for a batch of messages.
    ///
    /// ```text
    /// quarantine/store_events/dt=2026_11_24/0000000000.ndjson.zst
    /// ```
    ///
    /// The `dt` is the day in UTC of [`QuarantineEntry::sent_at`]. On one day a message is there
    /// once, however often it comes, from however many pods and for whatever reason: the first
    /// reason stays. A message that is sent again on another day may be there once more; an
    /// [`Audit`](crate::maintain::Audit) counts it once.
    ///
    /// Its segments are always `.ndjson.zst`, and it has no manifest. Needs the feature `zstd`;
    /// without it every [`put`](Self::put) fails.
    #[expect(clippy::needless_pass_by_value, reason = "taken as new takes it")]
    pub fn log(store: Arc<dyn ObjectStore>, layout: Layout) -> Self {
        Self { form: Form::Log(Arc::new(Log::of_quarantine(store, &layout))) }
    }

    /// Quarantines messages; one outcome for each, in order, once it is durable. Tries again,
    /// whatever the error, until `stop` is requested: a message in quarantine is about to be
    /// deleted, so there is nowhere else for it to go.
    ///
    /// # Errors
    ///
    /// That of a request that was not answered before the stop. Of a log also, at once, `Invalid`
    /// with the key of a segment that is missing or cannot be read, which needs manual repair; and
    /// for a `sent_at` before 1970, which is an error of the queue's backend.
    pub async fn put(
        &self,
        entries: &[QuarantineEntry<'_>],
        retry: &Retry,
        stop: &Shutdown,
    ) -> Vec<Result<()>> {
        match &self.form {
            Form::Objects { store, layout } => {
                let puts: Vec<_> = entries
                    .iter()
                    .map(|entry| put_object(&**store, layout, entry, retry, stop))
                    .collect();
                stream::iter(puts).buffered(PUTS).collect().await
            }
            Form::Log(log) => put_lines(log, entries, retry, stop).await,
        }
    }
}

/// "Exists" is success: the key holds the digest of the message, so what is there under it is this
/// message.
async fn put_object(
    store: &dyn ObjectStore,
    layout: &Layout,
    entry: &QuarantineEntry<'_>,
    retry: &Retry,
    stop: &Shutdown,
) -> Result<()> {
    let key = layout.quarantine_key(entry.message, entry.reason);
    let line: bytes::Bytes = codec::encode_quarantined(entry.message, entry.reason).into();
    let put = || store.put(&key, line.clone(), PutMode::Create);
    retry.one(|_| true, stop, put).await.map(|_| ())
}

async fn put_lines(
    log: &Log,
    entries: &[QuarantineEntry<'_>],
    retry: &Retry,
    stop: &Shutdown,
) -> Vec<Result<()>> {
    let mut outcomes: Vec<_> = entries.iter().map(|_| Ok(())).collect();
    let mut days: BTreeMap<Partition, (Vec<usize>, Vec<Pending>)> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        match day_of(entry.sent_at) {
            Ok(day) => {
                let (places, pending) = days.entry(day).or_default();
                places.push(place);
                pending.push(log.pending_quarantine(entry.message, entry.reason));
            }
            Err(error) => outcomes[place] = Err(error),
        }
    }
    let stores = days.into_iter().map(|(day, (places, pending))| async move {
        let stored = log.store_with(&day, &pending, retry, stop).await;
        (places, stored)
    });
    // Whatever a commit says of a message: it is there now, or was before with this reason or another.
    for (places, stored) in join_all(stores).await {
        if let Err(error) = stored {
            tracing::error!(%error, messages = places.len(), "not quarantined");
            places.into_iter().for_each(|place| outcomes[place] = Err(error.clone()));
        }
    }
    outcomes
}

/// The day in UTC, as a partition.
fn day_of(sent_at: SystemTime) -> Result<Partition> {
    let time = Timestamp::try_from(sent_at).ok().filter(|time| *time >= Timestamp::UNIX_EPOCH);
    let time = time.ok_or_else(|| {
        let message = format!("the queue says that it accepted a message at {sent_at:?}");
        Error::invalid("quarantine", message)
    })?;
    Ok(Partition::new(None, TimeZone::UTC.to_datetime(time), PartitionBy::Day))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;
    use crate::error::ErrorKind;
    use crate::mocks::MockStore;
    use crate::store::PutOutcome;

    async fn put(store: MockStore, stop: &Shutdown) -> Result<()> {
        let quarantine = Quarantine::new(Arc::new(store), Layout::default());
        let (message, reason) = (Message::new("x"), Reason::new("bad_msg", "why"));
        let entry =
            QuarantineEntry { message: &message, reason: &reason, sent_at: SystemTime::UNIX_EPOCH };
        quarantine.put(&[entry], &Retry::default(), stop).await.remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_quarantined_whole_whatever_the_store_says_at_first() {
        let mut store = MockStore::new();
        let mut answers = [
            Err(Error::new(ErrorKind::Denied, "put", "on purpose")),
            Err(Error::new(ErrorKind::Invalid, "put", "on purpose")),
            Ok(PutOutcome::Written),
        ]
        .into_iter();
        store.expect_put().times(3).returning(move |key, body, mode| {
            assert!(key.starts_with("quarantine/store_events/reason=bad_msg/"), "{key}");
            assert_eq!(codec::decode_line(&body), Ok(Message::new("x")));
            assert_eq!(mode, PutMode::Create);
            answers.next().unwrap()
        });
        assert!(put(store, &Shutdown::never()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_there_already_is_quarantined() {
        let mut store = MockStore::new();
        store.expect_put().once().returning(|_, _, _| Ok(PutOutcome::Exists));
        assert!(put(store, &Shutdown::never()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_tries_with_the_error() {
        let mut store = MockStore::new();
        store
            .expect_put()
            .returning(|_, _, _| Err(Error::new(ErrorKind::Transient, "put", "on purpose")));
        let (trigger, stop) = Shutdown::new();
        trigger.shutdown();
        let error = timeout(Duration::from_secs(3600), put(store, &stop)).await.unwrap();
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Transient);
    }

    #[tokio::test(start_paused = true)]
    async fn each_message_has_its_own_outcome_though_the_first_is_put_last() {
        let (trigger, stop) = Shutdown::new();
        let mut store = MockStore::new();
        store.expect_put().returning(move |_, body, _| {
            if codec::decode_line(&body) == Ok(Message::new("refused")) {
                return Err(Error::new(ErrorKind::Transient, "put", "on purpose"));
            }
            trigger.shutdown();
            Ok(PutOutcome::Written)
        });
        let quarantine = Quarantine::new(Arc::new(store), Layout::default());
        let (messages, reason) = (["refused", "taken"].map(Message::new), Reason::new("bad", ""));
        let sent_at = SystemTime::UNIX_EPOCH;
        let entry = |message| QuarantineEntry { message, reason: &reason, sent_at };
        let entries: Vec<_> = messages.iter().map(entry).collect();
        let outcomes = quarantine.put(&entries, &Retry::default(), &stop).await;
        assert_eq!(outcomes.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true]);
    }

    #[test]
    fn the_day_of_a_message_is_that_on_which_the_queue_accepted_it_in_utc() {
        let day = |nanos: u64| {
            let sent_at = SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos);
            day_of(sent_at).map(|day| day.name().to_owned()).unwrap()
        };
        // 2026-11-23T00:00:00Z.
        let midnight = 1_795_392_000_000_000_000;
        assert_eq!(day(midnight - 1), "dt=2026_11_22");
        assert_eq!(day(midnight), "dt=2026_11_23");
        assert_eq!(day(midnight + 86_400_000_000_000 - 1), "dt=2026_11_23");
        assert_eq!(day(0), "dt=1970_01_01");
        let error = day_of(SystemTime::UNIX_EPOCH - Duration::from_nanos(1)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}
