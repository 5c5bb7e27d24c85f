//! From one pod to the other, and to and from the programs of the original demo.

use std::collections::BTreeSet;

use aws_sdk_sqs::types::MessageAttributeValue;
use event_core::store::list_all;
use event_core::{Message, ObjectMeta, codec};
use serde_json::Value;

use crate::place::{CAPTURE, Place, block_on, capture as messages};
use crate::pod::{AT_SPEED, Pod};

/// 1,000 messages of the original demo: 903 stored byte for byte, 97 quarantined.
pub(crate) fn capture() {
    let place = Place::new();
    let mut producer = place.program("event-producer");
    producer.args(["--input", CAPTURE]).env("WAIT_SECS_BETWEEN_MSGS", "0");
    assert_eq!(Pod::start(&mut producer).end().finished()["sent"], 1000);

    let mut consumer = place.program("event-consumer");
    consumer.envs(AT_SPEED).env("TOT_MSGS_TO_PROCESS", "1000");
    let finished = Pod::start(&mut consumer).end().finished();
    let counts = ["received", "stored", "quarantined", "duplicates", "deleted", "abandoned"];
    assert_eq!(counts.map(|name| finished[name].as_u64().unwrap()), [1000, 903, 97, 0, 1000, 0]);

    block_on(async {
        let clients = place.clients().await;
        clients.holds_exactly(&messages()).await;
        assert_eq!(clients.left().await, (0, 0));
    });
    let status = place.status();
    let events = &status["bucket"]["events"];
    assert_eq!(events["event_type=sale_event/dt=2026_11_22"]["objects"], 458, "{status}");
    assert_eq!(events["event_type=inventory_event/dt=2026_11_22"]["objects"], 445, "{status}");
    let quarantine = &status["bucket"]["quarantine"];
    assert_eq!(quarantine["reason=bad_msg"]["objects"], 97, "{status}");
}

/// The original demo sends each message alone, with two attributes of type `String`. The consumer has
/// its settings here, but for the pause.
pub(crate) fn consumed() {
    let (place, messages) = (Place::new(), &messages()[..40]);
    block_on(async {
        let clients = place.clients().await;
        for message in messages {
            let request = clients.aws.sqs().send_message().queue_url(clients.queue.url());
            let mut request = request.message_body(str::from_utf8(&message.body).unwrap());
            for (name, value) in message.attributes.iter() {
                let value = MessageAttributeValue::builder()
                    .data_type(value.data_type())
                    .string_value(value.as_text().unwrap());
                request = request.message_attributes(name, value.build().unwrap());
            }
            request.send().await.unwrap();
        }
    });
    let mut consumer = place.program("event-consumer");
    consumer.env("TOT_MSGS_TO_PROCESS", "40").env("MSG_PROCESS_DELAY", "0.1");
    assert_eq!(Pod::start(&mut consumer).end().finished()["deleted"], 40);
    block_on(async { place.clients().await.holds_exactly(messages).await });
}

/// The fields of a body in their order with their types, and the attributes with their types.
fn shape(body: &str, attributes: impl Iterator<Item = (String, String, String)>) -> String {
    let fields = serde_json::from_str::<serde_json::Map<String, Value>>(body).unwrap();
    let kind = |value: &Value| match value {
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float",
        Value::Number(_) => "int",
        Value::String(_) => "text",
        _ => "other",
    };
    // serde_json sorts the fields, so their order is taken from the text.
    let mut fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (body.find(&format!("\"{name}\":")).unwrap(), name, kind(value)))
        .collect();
    fields.sort_unstable();
    let fields: Vec<_> =
        fields.into_iter().map(|(_, name, kind)| format!("{name}: {kind}")).collect();
    let attributes: BTreeSet<_> = attributes
        .map(|(name, kind, value)| match &*name {
            "event_type" | "priority_shipping" => format!("{name}: {kind} {value}"),
            _ => format!("{name}: {kind}"),
        })
        .collect();
    format!("{fields:?} {attributes:?}")
}

/// Body and attributes are as the capture has them, in every variant that there is.
pub(crate) fn produced() {
    let place = Place::new();
    let mut producer = place.program("event-producer");
    producer.env("TOT_MSGS_TO_PRODUCE", "200").env("WAIT_SECS_BETWEEN_MSGS", "0");
    producer.args(["--seed", "7"]);
    assert_eq!(Pod::start(&mut producer).end().finished()["sent"], 200);

    let known: BTreeSet<_> = messages()
        .iter()
        .map(|message| {
            let attributes = message.attributes.iter();
            let attributes = attributes.map(|(name, value)| {
                (name.into(), value.data_type().into(), value.as_text().unwrap().into())
            });
            shape(str::from_utf8(&message.body).unwrap(), attributes)
        })
        .collect();
    let seen = block_on(async {
        let clients = place.clients().await;
        let (mut seen, mut received) = (BTreeSet::new(), 0);
        while received < 200 {
            let request = clients.aws.sqs().receive_message().queue_url(clients.queue.url());
            let request = request.message_attribute_names("All").wait_time_seconds(5);
            let answer = request.max_number_of_messages(10).send().await.unwrap();
            assert!(!answer.messages().is_empty(), "{received} of 200");
            for message in answer.messages() {
                let attributes = message.message_attributes().unwrap().iter();
                let attributes = attributes.map(|(name, value)| {
                    let text = value.string_value().unwrap().to_owned();
                    (name.clone(), value.data_type().to_owned(), text)
                });
                let shape = shape(message.body().unwrap(), attributes);
                assert!(known.contains(&shape), "the original demo never sent {shape}");
                seen.insert(shape);
                received += 1;
            }
        }
        seen
    });
    assert!(seen.len() > known.len() / 2, "{} of {} variants", seen.len(), known.len());
}

/// Rides: what no code of this project has heard of.
pub(crate) fn rides() {
    let place = Place::new();
    let cities = ["Köln", "a/b", "..", ""];
    let ride = |number: usize| {
        let city = cities[number % cities.len()];
        Message::new(format!(
            r#"{{"ride_id": {number}, "city": "{city}", "at": "2026-11-22T23:59:59Z", "fare_cents": 1250}}"#
        ))
    };
    let messages: Vec<_> = (0..40).map(ride).chain([ride(1)]).collect();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rides.ndjson");
    std::fs::write(&file, messages.iter().flat_map(codec::encode_line).collect::<Vec<_>>())
        .unwrap();
    let file = file.to_str().unwrap();
    let schema = [
        ("EVENT_SCHEMA", "fields"),
        ("EVENT_ID_FIELD", "ride_id"),
        ("EVENT_TIME_FIELD", "at"),
        ("EVENT_PARTITION_FIELDS", "city"),
    ];
    let mut producer = place.program("event-producer");
    producer.args(["--input", file]).env("WAIT_SECS_BETWEEN_MSGS", "0").envs(schema);
    assert_eq!(Pod::start(&mut producer).end().finished()["sent"], 41);

    let mut consumer = place.program("event-consumer");
    consumer.envs(AT_SPEED).envs(schema);
    consumer.env("TOT_MSGS_TO_PROCESS", "41").env("OBJECT_LAYOUT", "batch");
    let finished = Pod::start(&mut consumer).end().finished();
    let counts = ["stored", "duplicates", "quarantined", "deleted"];
    assert_eq!(counts.map(|name| finished[name].as_u64().unwrap()), [40, 1, 0, 41]);

    let folders = ["K%C3%B6ln", "a%2Fb", "..", "__HIVE_DEFAULT_PARTITION__"];
    let expected: BTreeSet<_> =
        folders.map(|city| format!("store_events/dt=2026_11_22/city={city}")).into();
    let stored = block_on(async {
        let clients = place.clients().await;
        list_all(&clients.store, "store_events/dt=").await.unwrap()
    });
    let folder = |object: &ObjectMeta| object.key.rsplit_once('/').unwrap().0.to_owned();
    assert_eq!(stored.iter().map(folder).collect::<BTreeSet<_>>(), expected);
    // The schema is that of the prefix.
    let audit = place.eventctl(&["audit", "--sent-file", file, "--json"]);
    assert!(audit.status.success(), "{audit:?}");
    let audit: Value = serde_json::from_slice(&audit.stdout).unwrap();
    assert_eq!((&audit["verdict"], &audit["stored"]["events"]), (&"balanced".into(), &40.into()));
}
