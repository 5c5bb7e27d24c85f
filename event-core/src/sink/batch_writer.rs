//! The handler that writes many events into one object.

use std::collections::BTreeMap;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use jiff::civil::Date;
use tracing::{Instrument, debug_span};

use super::{AFTER_A_FAULT, identified, too_old};
use crate::batch::BatchLimits;
use crate::compression::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::handler::{Handler, Outcome};
use crate::layout::Layout;
use crate::log::{CommitOutcome, Log, Manifest, ManifestOptions, ObjectLayout, Pending, Prefix};
use crate::queue::Delivery;
use crate::reason::Reason;
use crate::retry::Retry;
use crate::schema::{Identified, Partition, Schema};
use crate::shutdown::Shutdown;
use crate::store::ObjectStore;

/// Stores the valid events of a batch in one object for each type and day, a line for each event:
/// a thousandth of the requests that [`StoreWriter`](super::StoreWriter) makes, with the same
/// promise. How many events are in an object is up to
/// [`ConsumerOptions::batch`](crate::ConsumerOptions::batch): [`BATCH`](Self::BATCH) is what fits.
///
/// ```text
/// store_events/_manifest.json
/// store_events/event_type=sale_event/dt=2026_11_22/0000000000.ndjson.zst
/// ```
///
/// The objects of a type and day are the numbered segments of a log. A segment is created once, by
/// a put that fails where one is, and never written again; a writer puts one only after it has
/// read all before it, and only with events that are in none of them. So an event is in one
/// segment at most, whoever crashes in between, however often it is delivered and to however many
/// pods.
///
/// | the event's `request_id` is | outcome |
/// |---|---|
/// | in no segment | stored; [`Outcome::Ack`] |
/// | stored, with the same bytes | [`Outcome::Duplicate`] |
/// | stored, with other bytes | [`Outcome::Quarantine`] with [`Reason::CONFLICT`] |
/// | of a day that was deleted | [`Outcome::Quarantine`] with [`Reason::TOO_OLD`] |
///
/// While the store fails, it tries again and keeps the messages, as
/// [`StoreWriter`](super::StoreWriter) does. Where a segment is missing or cannot be read, nothing
/// of its partition is stored: its key is logged, and the events wait.
///
/// # What is promised
///
/// Of all deliveries with the same `request_id`, type and day, one record is ever stored, as long
/// as nobody deletes from the store. A process keeps some ten bytes of memory for each event of the
/// partitions that it meets, see [`remember`](Self::remember), and reads their segments when it
/// meets them for the first time.
///
/// A line holds the bytes of the event as they were received, but for line breaks between the
/// tokens of the JSON text, which become spaces.
///
/// A schema must find an event again in the line that it is stored in. Where it does not, nothing is
/// stored: the contradiction is logged, and the events come again.
///
/// What all writers below a prefix must agree on is in its manifest, `_manifest.json`, which the first
/// of them creates. All must be batch writers: the two layouts do not know of each other's records.
pub struct BatchWriter {
    log: Log,
    schema: Arc<dyn Schema>,
}

impl BatchWriter {
    /// Batches that make objects of some 60 kB, compressed, and keep an event waiting for 5 s at
    /// most: for [`ConsumerOptions::batches`](crate::ConsumerOptions::batches). With the options of a
    /// consumer by default, an object would have ten events.
    pub const BATCH: BatchLimits =
        BatchLimits { count: 1000, bytes: 16 * 1024 * 1024, linger: Duration::from_secs(5) };

    /// A writer of events of this schema into this store.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout, schema: Arc<dyn Schema>) -> Self {
        let options = ManifestOptions {
            layout: Some(ObjectLayout::Batch),
            schema: schema.settings(),
            ..ManifestOptions::default()
        };
        let prefix = Prefix::new(store, layout, options);
        Self { log: Log::new(prefix, Arc::clone(&schema)), schema }
    }

    /// Sets the retry loop, as [`StoreWriter::retry`](super::StoreWriter::retry).
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.log.prefix.retry = retry;
        self
    }

    /// Remembers so many events, over all partitions: the partitions that were not used for longest
    /// are forgotten first, and their segments read again when they are needed again. What is in
    /// use is never forgotten. Default: 10 million, some 100 MB.
    #[must_use]
    pub fn remember(mut self, events: usize) -> Self {
        self.log.remember = events;
        self
    }

    /// Compresses like this. All writers below a prefix must agree: [`open`](Self::open) says if
    /// its manifest has another. Default: as the manifest has it, and zstd for a new prefix.
    ///
    /// # Errors
    ///
    /// `Invalid` if it is not built in.
    pub fn compression(mut self, compression: Compression) -> Result<Self> {
        compression.compress(Vec::new())?;
        self.log.prefix.options.compression = Some(compression);
        Ok(self)
    }

    /// With the manifest that was opened before, so that it is not read again.
    #[must_use]
    pub fn manifest(mut self, manifest: Manifest) -> Self {
        self.log.prefix.opened(manifest);
        self
    }

    /// Takes the day from this clock, in UTC, in place of the system's: a writer need not look at
    /// the boundary of expiry for events of days that are too young to be deleted.
    #[must_use]
    pub fn today(mut self, today: impl Fn() -> Date + Send + Sync + 'static) -> Self {
        self.log.prefix.today(Arc::new(today));
        self
    }

    /// Reads the manifest of the prefix, or creates it where nothing is below the prefix yet. A writer
    /// does this before it stores its first event; a program does it at start, to tell wrong
    /// settings at once.
    ///
    /// # Errors
    ///
    /// `Invalid` as [`Manifest::open`] says, or if the compression is not built in; that of a
    /// request that was not answered before `stop` was requested.
    pub async fn open(&self, stop: &Shutdown) -> Result<()> {
        let manifest = self.log.prefix.manifest(Error::is_retryable, stop).await?;
        manifest.compression().map(|_| ())
    }

    /// What is wrong with a schema that would not find this event again: it would be stored once more,
    /// or where nobody looks.
    fn contradiction(&self, event: &Identified, pending: &Pending) -> Option<String> {
        let Identified { identity, partition } = event;
        let again = self.schema.identity_of(pending.line());
        if again.as_deref() != Some(identity) {
            let again = again.as_deref().unwrap_or("none");
            return Some(format!(
                "the identity of a message is {identity:?}, and that of its line {again:?}"
            ));
        }
        let keys = self.schema.partition_keys();
        (!partition.keys().eq(keys.iter())).then(|| {
            let name = partition.name();
            format!("the keys of its partitions are {keys:?}, and one of them is {name:?}")
        })
    }

    async fn store(
        &self,
        partition: Partition,
        pending: Vec<(usize, Pending)>,
        stop: &Shutdown,
    ) -> Vec<(usize, Outcome)> {
        let (places, pending): (Vec<_>, Vec<_>) = pending.into_iter().unzip();
        let span = debug_span!("store", partition = partition.name(), events = pending.len());
        let outcomes = match self.log.store(&partition, &pending, stop).instrument(span).await {
            Ok(Some(outcomes)) => outcomes.into_iter().map(outcome).collect(),
            Ok(None) => vec![too_old(&partition); pending.len()],
            Err(error) if error.kind() == ErrorKind::Invalid => {
                tracing::error!(%error, events = pending.len(), "not stored");
                vec![Outcome::Retry(AFTER_A_FAULT); pending.len()]
            }
            // Given up because of the shutdown: another consumer can have them at once.
            Err(_) => vec![Outcome::Retry(Duration::ZERO); pending.len()],
        };
        places.into_iter().zip(outcomes).collect()
    }
}

fn outcome(outcome: CommitOutcome) -> Outcome {
    match outcome {
        CommitOutcome::Stored => Outcome::Ack,
        CommitOutcome::Duplicate => Outcome::Duplicate,
        CommitOutcome::Conflict => {
            let detail = "an event with the same identity and other bytes is stored";
            Outcome::Quarantine(Reason::new(Reason::CONFLICT, detail))
        }
    }
}

#[async_trait]
impl Handler for BatchWriter {
    /// A group for each partition.
    fn look(&self, delivery: &mut Delivery) -> u64 {
        let event = delivery.event.insert(self.schema.identify(&delivery.message));
        let mut hash = DefaultHasher::new();
        event.as_ref().ok().map(|event| &event.partition).hash(&mut hash);
        hash.finish()
    }

    async fn handle(&self, batch: &[Delivery], shutdown: &Shutdown) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Retry(Duration::ZERO); batch.len()];
        let mut partitions: BTreeMap<Partition, Vec<(usize, Pending)>> = BTreeMap::new();
        let mut contradiction = None;
        for (place, delivery) in batch.iter().enumerate() {
            match identified(&*self.schema, delivery) {
                Ok(event) => {
                    let Identified { identity, partition } = &*event;
                    let pending = self.log.pending(identity, delivery.message.body.clone());
                    match partitions.get_mut(partition) {
                        Some(there) => there.push((place, pending)),
                        // One event of each partition and batch stands for all of them.
                        None => match self.contradiction(&event, &pending) {
                            None => {
                                partitions.insert(partition.clone(), vec![(place, pending)]);
                            }
                            found => {
                                contradiction = contradiction.or(found);
                                outcomes[place] = Outcome::Retry(AFTER_A_FAULT);
                            }
                        },
                    }
                }
                Err(reason) => outcomes[place] = Outcome::Quarantine(reason),
            }
        }
        if let Some(what) = contradiction {
            tracing::error!(
                "the schema contradicts itself, and what it says is not stored: {what}"
            );
        }
        let stores = partitions
            .into_iter()
            .map(|(partition, pending)| self.store(partition, pending, shutdown));
        for (place, outcome) in join_all(stores).await.into_iter().flatten() {
            outcomes[place] = outcome;
        }
        outcomes
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use jiff::civil::date;

    use super::*;
    use crate::message::Message;
    use crate::mocks::{MockStore, delivery};
    use crate::schema::{PartitionBy, Retail, SchemaSettings};

    /// Batches of two partitions make twice the objects; of none, what is not an event is together.
    #[test]
    fn events_share_a_group_if_and_only_if_they_share_a_partition() {
        let schema = Arc::new(Retail::default());
        let writer = BatchWriter::new(Arc::new(MockStore::new()), Layout::default(), schema);
        let days =
            ["2026-11-22", "2026-11-23", "2026-12-22", "2025-11-22", "2026-01-31", "2026-02-01"];
        let kinds = ["sale_event", "inventory_event", "SALE_EVENT"];
        let mut messages = vec![Message::new("no event")];
        for (day, kind) in days.iter().flat_map(|day| kinds.map(|kind| (day, kind))) {
            for time in ["00:00:00", "23:59:59.999"] {
                let body = format!(
                    r#"{{"request_id": "r{time}", "store_id": 8, "cust_id": 538, "category": "Games",
                    "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
                    "variant": "black", "priority_shipping": true, "ts": "{day}T{time}"}}"#
                );
                messages.push(
                    Message::new(body).with_attribute(crate::schema::retail::EVENT_TYPE, kind),
                );
            }
        }
        let found: Vec<_> = messages
            .into_iter()
            .map(|message| {
                let mut delivery = delivery(message);
                let group = writer.look(&mut delivery);
                (group, delivery.event.map(|event| event.map(|event| event.partition).ok()))
            })
            .collect();
        for (group, partition) in &found {
            assert!(partition.is_some(), "what was found is left in the delivery");
            for (other, elsewhere) in &found {
                assert_eq!(group == other, partition == elsewhere, "{partition:?}, {elsewhere:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_while_the_store_fails_gives_events_back_at_once() {
        let mut mock = MockStore::new();
        mock.expect_get().returning(|_| Err(Error::new(ErrorKind::Transient, "get", "")));
        let schema = Arc::new(Retail::default());
        let writer = BatchWriter::new(Arc::new(mock), Layout::default(), schema);
        let body = r#"{"request_id": "r1", "store_id": 8, "cust_id": 538, "category": "Games",
            "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
            "variant": "black", "priority_shipping": true, "ts": "2026-11-22T00:00:00"}"#;
        let event =
            Message::new(body).with_attribute(crate::schema::retail::EVENT_TYPE, "sale_event");
        let (trigger, stop) = Shutdown::new();
        trigger.shutdown();
        let outcomes = writer.handle(&[delivery(event)], &stop).await;
        assert_eq!(outcomes, [Outcome::Retry(Duration::ZERO)]);
    }

    /// What a user's own schema may get wrong.
    struct Odd(fn(&[u8]) -> Option<Cow<'_, str>>, &'static [&'static str]);

    impl Schema for Odd {
        fn settings(&self) -> SchemaSettings {
            Retail::default().settings()
        }

        fn partition_keys(&self) -> Vec<Cow<'static, str>> {
            self.1.iter().map(|&key| key.into()).collect()
        }

        fn identify(&self, message: &Message) -> Result<Identified, Reason> {
            let time = date(2026, 11, 22).at(1, 2, 3, 4);
            let partition = Partition::new(None, time, PartitionBy::Day).with("site", "north");
            Identified::new(str::from_utf8(&message.body).unwrap(), partition)
        }

        fn identity_of<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, str>> {
            (self.0)(line)
        }
    }

    /// It would be stored again and again.
    #[tokio::test]
    async fn what_its_schema_would_not_find_again_is_not_stored() {
        for schema in [
            Odd(|_| None, &["dt", "site"]),
            Odd(|_| Some("another".into()), &["dt", "site"]),
            Odd(|line| str::from_utf8(line).ok().map(Into::into), &["dt"]),
            Odd(|line| str::from_utf8(line).ok().map(Into::into), &["site", "dt"]),
        ] {
            // The mock fails at any request.
            let writer =
                BatchWriter::new(Arc::new(MockStore::new()), Layout::default(), Arc::new(schema));
            let batch = ["a", "b"].map(|body| delivery(Message::new(body)));
            let outcomes = writer.handle(&batch, &Shutdown::never()).await;
            assert_eq!(outcomes, [const { Outcome::Retry(AFTER_A_FAULT) }; 2]);
        }
    }
}
