//! The pods on what `eks/resources.yaml` makes, and its policies against what they do.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::QueueAttributeName;
use event_core::store::list_all;
use serde_json::Value;

use crate::place::{Place, block_on};
use crate::pod::{AT_SPEED, Pod};
use crate::{http, query};

const TEMPLATE: &str = include_str!("../../../eks/resources.yaml");

/// The action that IAM asks for when a pod makes this request.
fn action(service: &str, operation: &str) -> String {
    let action = match operation {
        "DeleteMessageBatch" => "DeleteMessage",
        "SendMessageBatch" => "SendMessage",
        "ChangeMessageVisibilityBatch" => "ChangeMessageVisibility",
        "HeadBucket" | "ListObjectsV2" => "ListBucket",
        "HeadObject" => "GetObject",
        "DeleteObjects" => "DeleteObject",
        as_it_is => as_it_is,
    };
    format!("{service}:{action}")
}

/// What a pod has done by its own count.
fn actions(scrape: &str) -> BTreeSet<String> {
    let label = |line: &str, name: &str| -> Option<String> {
        let value = line.split_once(&format!("{name}=\""))?.1.split_once('"')?.0;
        Some(value.to_owned())
    };
    let requests = scrape.lines().filter(|line| line.starts_with("event_aws_requests_total{"));
    requests
        .map(|line| action(&label(line, "service").unwrap(), &label(line, "operation").unwrap()))
        .collect()
}

/// One or many, as JSON of policies has them.
fn listed(value: &Value) -> Vec<String> {
    let many = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
    many.iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

/// A field of all statements that have this action, or of all.
fn field(statements: &[Value], name: &str, action: Option<&str>) -> BTreeSet<String> {
    let meant = statements.iter().filter(|statement| {
        assert_eq!(statement["Effect"], "Allow");
        action.is_none_or(|action| listed(&statement["Action"]).iter().any(|one| one == action))
    });
    meant.flat_map(|statement| listed(&statement[name])).collect()
}

/// Every key is below one of the resources with this action, and each of them has a key.
fn covered(statements: &[Value], action: &str, bucket: &str, keys: &BTreeSet<String>) {
    let resources = field(statements, "Resource", Some(action));
    let prefix_of = |resource: &String| -> String {
        let below = resource.strip_prefix(&format!("arn:aws:s3:::{bucket}/"));
        let below = below.unwrap_or_else(|| panic!("{action} on {resource}, which is elsewhere"));
        below.strip_suffix('*').unwrap().to_owned()
    };
    let prefixes: Vec<_> = resources.iter().map(prefix_of).collect();
    for key in keys {
        let allowed = prefixes.iter().any(|prefix| key.starts_with(prefix));
        assert!(allowed, "{action} on {key} is not allowed, only below {prefixes:?}");
    }
    for prefix in &prefixes {
        let used = keys.iter().any(|key| key.starts_with(prefix));
        assert!(used, "{action} is allowed below {prefix}, where nothing is");
    }
}

/// Sends some events, one in five of them twice, and answers what that took.
fn produce(place: &Place) -> BTreeSet<String> {
    let mut producer = place.program("event-producer");
    producer.args(["--duplicate-rate", "0.2", "--tot-msgs-to-produce", "unlimited"]);
    let mut producer = Pod::start(producer.env("WAIT_SECS_BETWEEN_MSGS", "0.005"));
    producer.until_metric("event_producer_sent_total", 100.0);
    let scrape = http::get(producer.port(), "/metrics").1;
    producer.terminate();
    producer.end().finished();
    actions(&scrape)
}

/// Stores what is on the queue, until the consumer has made each of these requests and holds
/// nothing, and answers what it has done.
fn consume(place: &Place, settings: &[(&str, &str)], requests: &[&str]) -> BTreeSet<String> {
    let mut consumer = place.program("event-consumer");
    let settings = settings.iter().copied();
    let mut consumer = Pod::start(consumer.envs(AT_SPEED).envs(settings));
    consumer.until_metric("event_consumer_deleted_total", 100.0);
    let port = consumer.port();
    let scrape = consumer.until(&format!("{requests:?} and an idle consumer"), |_| {
        let scrape = http::get(port, "/metrics").1;
        let made = |request: &&str| scrape.contains(&format!("operation=\"{request}\""));
        let idle = http::sum(&scrape, "event_consumer_in_flight") == 0.0;
        (idle && requests.iter().all(made)).then_some(scrape)
    });
    consumer.terminate();
    consumer.end().finished();
    actions(&scrape)
}

/// The stack is what `eventctl setup` would make, both layouts work on it, and each policy allows
/// what its pod does, where it does it, and nothing else.
pub(crate) fn stack() {
    let mut place = Place::named();
    let output = query::deploy("sales-events", TEMPLATE, &place.queue);
    place.bucket = output("Bucket");
    assert_eq!(output("QueueName"), place.queue);
    let setup = String::from_utf8(place.eventctl(&["setup"]).stdout).unwrap();
    assert_eq!(setup, "all is as it should be: nothing was changed\n");

    let policy = |program: &str| {
        let name = format!("sales-events-{program}-{}", output("Region"));
        query::statements(&format!("arn:aws:iam::{}:policy/{name}", output("Account")))
    };
    let (of_producer, of_consumer) = (policy("producer"), policy("consumer"));

    assert_eq!(field(&of_producer, "Action", None), produce(&place));
    // Duplicates are told from conflicts by reading what is there.
    let events = consume(&place, &[], &["GetObject"]);
    block_on(async {
        // So short that a batch which is gathered is held beyond it.
        place.clients().await.set(QueueAttributeName::VisibilityTimeout, "8").await;
    });
    produce(&place);
    let batches = [
        ("OBJECT_LAYOUT", "batch"),
        ("S3_PREFIX", "store_batches"),
        ("BATCH_COMPRESSION", "zstd"),
        ("BATCH_MAX_AGE_SECS", "7"),
    ];
    let batches = consume(&place, &batches, &["ChangeMessageVisibilityBatch", "ListObjectsV2"]);
    let done: BTreeSet<_> = events.union(&batches).cloned().collect();
    assert_eq!(field(&of_consumer, "Action", None), done);

    for (statements, action) in
        [(&of_producer, "sqs:SendMessage"), (&of_consumer, "sqs:ReceiveMessage")]
    {
        for resource in field(statements, "Resource", Some(action)) {
            assert!(resource.ends_with(&format!(":{}", place.queue)), "{action} on {resource}");
        }
    }
    block_on(async {
        let clients = place.clients().await;
        let stored = list_all(&clients.store, "").await.unwrap();
        let written = stored.into_iter().map(|object| object.key).collect();
        covered(&of_consumer, "s3:PutObject", &place.bucket, &written);
        assert_eq!(clients.left().await, (0, 0));
    });
}
