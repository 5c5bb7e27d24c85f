//! What pods tell of what they did: their metrics, and the line of their end.

use event_benches::server::{Delays, QUEUE, State};
use event_core::{Message, ObjectStore, Queue};

use crate::books::EVENT;
use crate::pod::Pod;
use crate::{program, serve};

fn sale(id: &str) -> Message {
    Message::new(EVENT.replace("r1", id)).with_attribute("event_type", "sale_event")
}

/// Of each kind another number: four events, three duplicates, two that are none.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_consumer_counts_what_it_did_below_the_prefix_that_it_is_told() {
    let server = State::new(Delays::default());
    let mut messages: Vec<_> = ["r1", "r2", "r3", "r4"].map(sale).to_vec();
    messages.extend(["r1", "r2", "r3"].map(sale));
    messages.extend(
        ["[]", "{"].map(|body| Message::new(body).with_attribute("event_type", "sale_event")),
    );
    let sent = server.queue(QUEUE).unwrap().send(&messages).await;
    assert!(sent.iter().all(Result::is_ok));
    let mut consumer = program(env!("CARGO_BIN_EXE_event-consumer"), serve(&server).await);
    consumer.envs([
        ("TOT_MSGS_TO_PROCESS", "unlimited"),
        ("MSG_POLL_BACKOFF", "0"),
        ("MSG_PROCESS_DELAY", "0"),
        ("S3_PREFIX", "of/mine"),
    ]);
    let pod = Pod::of(consumer).await;
    let scrape = pod.scraped("event_consumer_deleted_total 9").await;
    for line in [
        "event_consumer_received_total 9",
        "event_consumer_stored_total{event_type=\"sale_event\"} 4",
        "event_consumer_stored_total{event_type=\"inventory_event\"} 0",
        "event_consumer_duplicates_total 3",
        "event_consumer_released_total 0",
        "event_consumer_age_at_store_seconds_count 4",
    ] {
        assert!(scrape.lines().any(|own| own == line), "{line} is not in {scrape}");
    }
    let (status, log) = pod.stopped().await;
    let last = log.last().unwrap();
    assert_eq!((status, &last["message"]), (Some(0), &"finished".into()), "{log:?}");
    for (name, count) in [
        ("received", 9),
        ("stored", 4),
        ("duplicates", 3),
        ("quarantined", 2),
        ("deleted", 9),
        ("released", 0),
        ("delete_failed", 0),
        ("abandoned", 0),
    ] {
        assert_eq!(last[name], count, "{name}: {last}");
    }
    // An object for each event, where nobody says how many are in one.
    let keys = event_core::store::list_all(server.store(), "").await.unwrap();
    let keys = keys.into_iter().map(|object| object.key).collect::<Vec<_>>();
    for id in ["r1", "r2", "r3", "r4"] {
        let key = format!("of/mine/event_type=sale_event/dt=2026_11_22/{id}.json");
        assert!(keys.contains(&key), "{key} is not among {keys:?}");
    }
    let quarantined = keys.iter().filter(|key| key.starts_with("quarantine/of/mine/reason="));
    assert_eq!(quarantined.count(), 2, "{keys:?}");
    assert!(!keys.iter().any(|key| key.contains("store_events")), "{keys:?}");
    assert!(server.store().get("of/mine/_manifest.json").await.unwrap().is_some(), "{keys:?}");
}

/// While it waits for its next message, an hour later.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_producer_is_ready_counts_what_it_sent_and_notices_that_its_queue_is_away() {
    for away in [false, true] {
        let server = State::new(Delays::default());
        let mut producer = program(env!("CARGO_BIN_EXE_event-producer"), serve(&server).await);
        producer.args(["--tot-msgs-to-produce", "unlimited", "--wait-secs-between-msgs", "3600"]);
        let pod = Pod::of(producer).await;
        let scrape = pod.scraped("event_producer_sent_total 1").await;
        let found = r#"event_aws_requests_total{service="sqs",operation="GetQueueUrl"} 1"#;
        assert!(scrape.lines().any(|line| line == found), "{scrape}");
        let no_bytes = "event_producer_sent_bytes_total 0";
        assert!(!scrape.lines().any(|line| line == no_bytes), "{scrape}");
        if away {
            server.refuse("GetQueueAttributes");
            let (status, text) = pod.get("/readyz").await;
            assert!(
                status == 503 && text.starts_with("depth: queue reliable_message_q: "),
                "{text}"
            );
        } else {
            assert_eq!(pod.get("/readyz").await, (200, "ok\n".into()));
        }
        assert_eq!(pod.get("/healthz").await, (200, "ok\n".into()));
        let (status, log) = pod.stopped().await;
        let last = log.last().unwrap();
        assert_eq!((status, &last["message"]), (Some(0), &"finished".into()), "{log:?}");
        assert_eq!(last["sent"], 1, "{last}");
    }
}

/// What it was about and how long it took, as the README has it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn at_the_level_debug_the_log_has_a_line_for_each_request() {
    let server = State::new(Delays::default());
    let mut producer = program(env!("CARGO_BIN_EXE_event-producer"), serve(&server).await);
    producer.args(["--tot-msgs-to-produce", "3", "--wait-secs-between-msgs", "0"]);
    producer.envs([("LOG_FORMAT", "json"), ("LOG_LEVEL", "info,event_core=debug")]);
    let output = tokio::task::spawn_blocking(move || producer.output()).await.unwrap().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let lines = said.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let ended: Vec<_> = lines.filter(|line| line["message"] == "close").collect();
    let is_send = |line: &&serde_json::Value| line["span"]["name"] == "send";
    let send = ended.iter().find(is_send).unwrap_or_else(|| panic!("no send in {said}"));
    assert!(send["time.busy"].is_string() && send["time.idle"].is_string(), "{send}");
}
