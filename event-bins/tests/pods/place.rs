//! A queue and a bucket of its own for each case, made by `eventctl setup`.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use aws_sdk_sqs::types::QueueAttributeName;
use event_aws::{Aws, AwsOptions, S3Store, SqsQueue};
use event_core::store::list_all;
use event_core::{Bytes, EventSource, Layout, Message, ObjectStore, Queue, Retail, Schema, codec};
use event_mem::{Synthetic, SyntheticOptions};
use serde_json::Value;

use crate::pod::program;

pub(crate) const CAPTURE: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/seed_messages.ndjson");

pub(crate) struct Place {
    pub(crate) queue: String,
    pub(crate) bucket: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self::named();
        let made = place.eventctl(&["setup"]);
        assert!(made.status.success(), "{made:?}");
        place
    }

    /// Names that are nobody's, of what is not there.
    pub(crate) fn named() -> Self {
        let id = fastrand::u64(..);
        Self { queue: format!("event-pods-{id:016x}"), bucket: format!("event-pods-{id:016x}") }
    }

    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = program(name);
        command.env("RELIABLE_QUEUE_NAME", &self.queue).env("STORE_EVENTS_BKT", &self.bucket);
        command
    }

    pub(crate) fn eventctl(&self, arguments: &[&str]) -> Output {
        self.program("eventctl").args(arguments).output().unwrap()
    }

    /// What `eventctl status` says.
    pub(crate) fn status(&self) -> Value {
        let output = self.eventctl(&["status", "--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Clients for the runtime that this is called on.
    pub(crate) async fn clients(&self) -> Clients {
        self.clients_at(AwsOptions::default()).await
    }

    pub(crate) async fn clients_at(&self, options: AwsOptions) -> Clients {
        let aws = options.load().await.unwrap();
        let queue = SqsQueue::connect(&aws, &self.queue).await.unwrap();
        let store = S3Store::new(&aws, &self.bucket);
        Clients { aws, queue, store }
    }
}

pub(crate) struct Clients {
    pub(crate) aws: Aws,
    pub(crate) queue: SqsQueue,
    pub(crate) store: S3Store,
}

impl Clients {
    pub(crate) async fn set(&self, attribute: QueueAttributeName, value: &str) {
        let request = self.aws.sqs().set_queue_attributes().queue_url(self.queue.url());
        request.attributes(attribute, value).send().await.unwrap();
    }

    /// Deletes the bucket with all versions of what is in it.
    pub(crate) async fn delete_bucket(&self) {
        let (s3, bucket) = (self.aws.s3(), self.store.bucket());
        let page = s3.list_object_versions().bucket(bucket).send().await.unwrap();
        let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
        let markers = page.delete_markers().iter();
        let markers = markers.map(|marker| (marker.key(), marker.version_id()));
        for (key, version) in versions.chain(markers) {
            let request = s3.delete_object().bucket(bucket).key(key.unwrap());
            request.version_id(version.unwrap()).send().await.unwrap();
        }
        s3.delete_bucket().bucket(bucket).send().await.unwrap();
    }

    /// Messages on the queue in any state, and in its dead-letter queue.
    pub(crate) async fn left(&self) -> (u64, u64) {
        let dead = self.queue.dead_letters().await.unwrap().unwrap();
        (self.queue.depth().await.unwrap().total(), dead.depth().await.unwrap().total())
    }

    /// Holds what is stored against the messages that were sent: each valid event once, byte for
    /// byte, in a single version, and nothing else.
    pub(crate) async fn holds_exactly(&self, messages: &[Message]) {
        let mut expected: BTreeMap<String, Bytes> = BTreeMap::new();
        for message in messages {
            if let Ok(event) = Retail::default().identify(message) {
                expected.insert(Layout::default().event_key(&event), message.body.clone());
            }
        }
        let stored = list_all(&self.store, "store_events/event_type=").await.unwrap();
        let keys: Vec<_> = stored.iter().map(|object| &object.key).collect();
        assert_eq!(keys.len(), expected.len());
        assert!(expected.keys().eq(keys), "other keys than those of the events");
        for (key, body) in &expected {
            assert_eq!(self.store.get(key).await.unwrap().as_ref(), Some(body), "{key}");
        }
        assert_eq!(self.versions().await, expected.len(), "an object was written twice");
    }

    /// Versions of all events: a second put to a key would leave one more, whatever it wrote.
    async fn versions(&self) -> usize {
        let (mut versions, mut after) = (0, None);
        loop {
            let request = self.aws.s3().list_object_versions().bucket(self.store.bucket());
            let request = request.prefix("store_events/event_type=");
            let page = request.set_key_marker(after).send().await.unwrap();
            versions += page.versions().len();
            // No key has more than one version, or the count is wrong anyway.
            after = page.next_key_marker;
            if after.is_none() {
                return versions;
            }
        }
    }
}

/// The messages of the capture.
pub(crate) fn capture() -> Vec<Message> {
    let text = std::fs::read(CAPTURE).unwrap();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| codec::decode_line(line).unwrap()).collect()
}

/// What a producer with this seed makes up.
pub(crate) fn made_up(seed: u64, count: usize, invalid_rate: f64) -> Vec<Message> {
    let options = SyntheticOptions { seed, invalid_rate, ..SyntheticOptions::default() };
    block_on(async { Synthetic::new(options).unwrap().next_batch(count).await.unwrap() })
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
