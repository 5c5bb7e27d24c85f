//! What is below another prefix, of other days, and of another schema.

use event_benches::server::{Delays, QUEUE, State};
use event_core::log::{Manifest, ManifestOptions, ObjectLayout};
use event_core::retry::Retry;
use event_core::schema::PartitionBy;
use event_core::{Layout, Message, ObjectStore, Queue, Retail, Schema, Shutdown, codec};
use tempfile::NamedTempFile;

use crate::books::{EVENT, SALES, STOCK, eventctl, write};
use crate::{program, serve};

fn parsed(said: &str) -> serde_json::Value {
    serde_json::from_str(said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn eventctl_looks_below_the_prefix_that_it_is_told() {
    let server = State::new(Delays::default());
    write(&server, &format!("mine/{SALES}/r1.json"), EVENT).await;
    write(&server, "quarantine/mine/reason=bad_msg/a.json", "{}").await;
    write(&server, &format!("store_events/{STOCK}/r1.json"), EVENT).await;
    let address = serve(&server).await;
    let (status, said) = eventctl(address, &["status", "--s3-prefix", "mine", "--json"]).await;
    assert_eq!(status, 0, "{said}");
    let bucket = &parsed(&said)["bucket"];
    assert_eq!(bucket["events"], serde_json::json!({SALES: {"objects": 1, "bytes": EVENT.len()}}));
    let quarantine = serde_json::json!({"reason=bad_msg": {"objects": 1, "bytes": 2}});
    assert_eq!(bucket["quarantine"], quarantine);

    let (status, said) = eventctl(address, &["compact", "--s3-prefix", "mine", "--json"]).await;
    assert_eq!(status, 0, "{said}");
    let partitions = parsed(&said)["partitions"].clone();
    assert_eq!(partitions.as_object().unwrap().keys().collect::<Vec<_>>(), [SALES]);
    let merged = format!("compacted/mine/{SALES}/0000000000.ndjson.zst");
    assert!(server.store().get(&merged).await.unwrap().is_some(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_compaction_takes_the_days_and_the_sizes_that_it_is_told() {
    let server = State::new(Delays::default());
    for id in ["r1", "r2", "r3"] {
        write(&server, &format!("store_events/{SALES}/{id}.json"), EVENT.replace("r1", id)).await;
    }
    let address = serve(&server).await;
    for other_days in [["--to", "2026-11-21"], ["--from", "2026-11-23"]] {
        let arguments = [&["compact", "--closed-days", "0", "--json"][..], &other_days].concat();
        let (status, said) = eventctl(address, &arguments).await;
        assert_eq!((status, &parsed(&said)["partitions"]), (0, &serde_json::json!({})), "{said}");
    }
    // Two of them have room in one.
    let two = (2 * EVENT.len() + 2).to_string();
    let arguments = ["compact", "--target-bytes", &two, "--compression", "gzip", "--json"];
    let (status, said) = eventctl(address, &arguments).await;
    let made = parsed(&said)["partitions"][SALES].clone();
    assert_eq!((status, &made["objects"], &made["sources"]), (0, &2.into(), &3.into()), "{said}");
    for slot in 0..2 {
        let key = format!("compacted/store_events/{SALES}/000000000{slot}.ndjson.gz");
        assert!(server.store().get(&key).await.unwrap().is_some(), "{key}: {said}");
    }
}

/// A message says of which type its event is, which its body alone does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_sent_is_held_against_the_type_that_a_message_has() {
    let server = State::new(Delays::default());
    let body = EVENT.replace('\n', " ");
    write(&server, &format!("store_events/{SALES}/r1.json"), body.clone()).await;
    let address = serve(&server).await;
    let message = |event_type: &'static str| {
        let message = Message::new(body.clone()).with_attribute("event_type", event_type);
        String::from_utf8(codec::encode_line(&message)).unwrap()
    };
    for (line, expected) in [
        (message("sale_event"), 0),
        (message("inventory_event"), 3),
        (body.clone(), 0),
        ("r1".to_owned(), 0),
        ("r2".to_owned(), 3),
    ] {
        let sent = NamedTempFile::new().unwrap();
        std::fs::write(sent.path(), format!("{}\n", line.trim_end())).unwrap();
        let path = sent.path().to_str().unwrap();
        let (status, said) = eventctl(address, &["audit", "--sent-file", path]).await;
        assert_eq!(status, expected, "{line}: {said}");
        assert!(said.lines().any(|own| own == "sent                   1 events"), "{said}");
    }
}

const RIDES: [(&str, &str); 3] =
    [("EVENT_SCHEMA", "fields"), ("EVENT_ID_FIELD", "ride_id"), ("EVENT_TIME_FIELD", "at")];

/// What the first consumer was told, no other program needs to be.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_program_takes_the_schema_that_a_prefix_was_made_with() {
    let server = State::new(Delays::default());
    let address = serve(&server).await;
    let ride = |id: &str| format!(r#"{{"ride_id": "{id}", "at": "2026-11-20T22:16:48Z"}}"#);
    let input = NamedTempFile::new().unwrap();
    for (id, settings) in [("a", &RIDES[..]), ("b", &[])] {
        std::fs::write(input.path(), ride(id)).unwrap();
        // To a producer nobody tells what there is in the bucket.
        let mut producer = program(env!("CARGO_BIN_EXE_event-producer"), address);
        producer.args(["--event-type", "ride", "--wait-secs-between-msgs", "0", "--input"]);
        producer.arg(input.path()).envs(RIDES).env("EVENT_TYPE_ATTRIBUTE", "kind");
        let output = tokio::task::spawn_blocking(move || producer.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");

        let mut consumer = program(env!("CARGO_BIN_EXE_event-consumer"), address);
        consumer.args(["--tot-msgs-to-process", "1", "--msg-poll-backoff", "0"]);
        consumer.args(["--msg-process-delay", "0"]).envs(settings.iter().copied());
        let output = tokio::task::spawn_blocking(move || consumer.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        assert!(said.contains("stored=1"), "{said}");
        let key = format!("store_events/dt=2026_11_20/{id}.json");
        assert!(server.store().get(&key).await.unwrap().is_some(), "{key}: {said}");
    }
    assert_eq!(server.queue(QUEUE).unwrap().depth().await.unwrap().total(), 0);

    std::fs::write(input.path(), ["a", "b"].map(ride).join("\n")).unwrap();
    let path = input.path().to_str().unwrap();
    let (status, said) = eventctl(address, &["audit", "--sent-file", path]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("2 events in 2 records, 2 objects, 1 partitions"), "{said}");
    let (status, said) = eventctl(address, &["compact", "--json"]).await;
    assert_eq!((status, &parsed(&said)["partitions"]["dt=2026_11_20"]["sources"]), (0, &2.into()));
}

/// Of the same schema as by default, and by the hour.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_was_sent_is_looked_for_in_the_hours_of_a_prefix_that_has_them() {
    let server = State::new(Delays::default());
    let options = ManifestOptions {
        layout: Some(ObjectLayout::Event),
        schema: Retail::new(PartitionBy::Hour).settings(),
        ..ManifestOptions::default()
    };
    let (retry, never) = (Retry::default(), Shutdown::never());
    Manifest::open(server.store(), &Layout::default(), &options, &retry, &never).await.unwrap();
    let body = EVENT.replace('\n', " ");
    write(&server, &format!("store_events/{SALES}/hr=22/r1.json"), body.clone()).await;
    let address = serve(&server).await;
    let message = Message::new(body).with_attribute("event_type", "sale_event");
    let sent = NamedTempFile::new().unwrap();
    std::fs::write(sent.path(), codec::encode_line(&message)).unwrap();
    let path = sent.path().to_str().unwrap();
    let (status, said) = eventctl(address, &["audit", "--sent-file", path]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("missing                0 events"), "{said}");
}
