//! What `eventctl` says of what is stored, and by which exit status.

use std::net::SocketAddr;
use std::time::Duration;

use event_benches::server::{BUCKET, Delays, QUEUE, State};
use event_core::{Bytes, Message, ObjectStore, PutMode, Queue, ReceiveRequest};
use event_mem::{MemQueueOptions, Redrive};

use crate::{program, serve};

pub(crate) const SALES: &str = "event_type=sale_event/dt=2026_11_22";
pub(crate) const STOCK: &str = "event_type=inventory_event/dt=2026_11_22";

pub(crate) const EVENT: &str = r#"{"request_id": "r1", "store_id": 8, "cust_id": 538, "category": "Games",
    "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
    "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48"}"#;

pub(crate) async fn write(server: &State, key: &str, body: impl Into<Bytes>) {
    server.store().put(key, body.into(), PutMode::Create).await.unwrap();
}

async fn remove(server: &State, key: &str) {
    server.store().delete(&[key.to_owned()]).await.remove(0).unwrap();
}

/// The exit status, and all that was said.
pub(crate) async fn eventctl(server: SocketAddr, arguments: &[&str]) -> (i32, String) {
    let mut eventctl = program(env!("CARGO_BIN_EXE_eventctl"), server);
    eventctl.args(arguments);
    // The server is on the threads of the runtime.
    let output = tokio::task::spawn_blocking(move || eventctl.output()).await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

/// One event, as it should be.
async fn sound() -> (State, SocketAddr) {
    let server = State::new(Delays::default());
    write(&server, &format!("store_events/{SALES}/r1.json"), EVENT).await;
    let address = serve(&server).await;
    (server, address)
}

/// Whoever reads nothing must not take it for good news.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_report_that_cannot_be_written_ends_with_1() {
    let (_server, address) = sound().await;
    for arguments in [&["audit"][..], &["audit", "--json"], &["compact"], &["compact", "--json"]] {
        let mut eventctl = program(env!("CARGO_BIN_EXE_eventctl"), address);
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        eventctl.args(arguments).stdout(full);
        let output = tokio::task::spawn_blocking(move || eventctl.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("standard output cannot be written"), "{arguments:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_audit_says_whether_the_books_balance() {
    let (server, address) = sound().await;
    let (status, said) = eventctl(address, &["audit", "--sent", "1"]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("the books balance"), "{said}");
    let (status, said) = eventctl(address, &["audit", "--sent", "2"]).await;
    assert_eq!(status, 3, "{said}");
    assert!(said.contains("missing") && said.contains("the books do not balance"), "{said}");

    write(&server, &format!("store_events/{SALES}/0000000000.ndjson"), "{}\n").await;
    let (status, said) = eventctl(address, &["audit", "--json"]).await;
    assert_eq!(status, 3, "{said}");
    assert!(said.contains(r#""foreign":1"#), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_audit_that_finds_nothing_at_all_says_so() {
    let (_server, address) = sound().await;
    for elsewhere in
        [&["audit", "--s3-prefix", "elsewhere"][..], &["audit", "--from", "2027-01-01"]]
    {
        let (status, said) = eventctl(address, elsewhere).await;
        assert_eq!(status, 3, "{said}");
        assert!(said.contains("nothing at all was found"), "{said}");
        assert!(said.contains("STORE_EVENTS_BKT") && said.contains("S3_PREFIX"), "{said}");
    }
    let (status, said) = eventctl(address, &["audit", "--s3-prefix", "elsewhere", "--json"]).await;
    assert!(status == 3 && said.contains(r#""verdict":"empty""#), "{said}");
    let expected = &["audit", "--s3-prefix", "elsewhere", "--sent", "0"];
    let (status, said) = eventctl(address, expected).await;
    assert_eq!(status, 0, "{said}");
}

/// With a byte order mark at its start, as some editors put it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_byte_order_mark_is_no_part_of_what_was_sent() {
    const FILE: &str =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/cases/sent-ids-with-bom.txt");
    let server = State::new(Delays::default());
    for id in ["good-0", "good-1"] {
        let key = format!("store_events/{SALES}/{id}.json");
        let body = EVENT.replace("r1", id).into();
        server.store().put(&key, body, PutMode::Create).await.unwrap();
    }
    let address = serve(&server).await;
    let (status, said) = eventctl(address, &["audit", "--sent-file", FILE]).await;
    assert_eq!(status, 0, "{said}");
    assert!(!said.contains("found"), "{said}");
}

/// A queue anew, with so many messages in its dead-letter queue.
async fn with_dead_letters(server: &State, messages: usize) {
    let options = MemQueueOptions::default();
    server.add_queue("lost", options.clone(), None);
    let dead_letter = server.queue("lost").unwrap();
    let sent = dead_letter.send(&vec![Message::new("{}"); messages]).await;
    assert!(sent.iter().all(Result::is_ok));
    let redrive = Some(Redrive { max_receives: 3, dead_letter });
    server.add_queue(QUEUE, MemQueueOptions { redrive, ..options }, Some("lost"));
}

/// What is missing may be on the queue, or be a dead letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_audit_counts_what_is_on_the_queues() {
    let (server, address) = sound().await;
    let queue = server.queue(QUEUE).unwrap();
    queue.send(&[Message::new("{}")]).await.remove(0).unwrap();
    let (status, said) = eventctl(address, &["audit", "--sent", "2"]).await;
    assert_eq!(status, 3, "{said}");
    assert!(said.contains("the books do not balance yet"), "{said}");
    let has = |said: &str, line: &str| {
        let own = said.lines().map(|own| own.split_whitespace().collect::<Vec<_>>().join(" "));
        assert!({ own }.any(|own| own == line), "{line} is not in {said}");
    };
    has(&said, "sent 2 events");
    has(&said, "stored 1 events in 1 records, 1 objects, 1 partitions");
    has(&said, "dead letters 0 messages");
    has(&said, "on the way 1 messages");
    has(&said, "missing 1 events");

    with_dead_letters(&server, 1).await;
    let (status, said) = eventctl(address, &["audit", "--sent", "2"]).await;
    assert_eq!(status, 0, "{said}");
    has(&said, "dead letters 1 messages");
    has(&said, "on the way 0 messages");
    assert!(said.contains("the books balance, by the count of the dead letters"), "{said}");

    // The books can be audited without the queue.
    server.refuse("GetQueueUrl");
    let (status, said) = eventctl(address, &["audit"]).await;
    assert_eq!(status, 0, "{said}");
    has(&said, "dead letters unknown");
    has(&said, "on the way unknown");
    assert!(said.contains("what is on the queue is not known"), "{said}");
    assert!(said.contains("--sent or --sent-file would show what is missing"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_status_tells_how_much_is_where() {
    let (server, address) = sound().await;
    write(&server, &format!("store_events/{SALES}/r2.json"), "{}").await;
    write(&server, &format!("store_events/{STOCK}/r1.json"), "12345").await;
    write(&server, "quarantine/store_events/reason=bad_msg/a.json", "{}").await;
    for elsewhere in ["store_events_2/a/b.json", "other/a.json"] {
        write(&server, elsewhere, "{}").await;
    }
    let queue = server.queue(QUEUE).unwrap();
    let three = vec![Message::new("{}"); 3];
    assert!(queue.send(&three).await.iter().all(Result::is_ok));
    let request =
        ReceiveRequest { max: 1, wait: Duration::ZERO, visibility: Duration::from_secs(3600) };
    assert_eq!(queue.receive(request).await.unwrap().len(), 1);
    let (status, said) = eventctl(address, &["status", "--json"]).await;
    assert_eq!(status, 0, "{said}");
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let expected = serde_json::json!({
        "queue": {
            "name": QUEUE, "visible": 2, "in_flight": 1, "delayed": 0, "oldest_s": null
        },
        "dead_letters": null,
        "bucket": {
            "name": BUCKET,
            "events": {
                SALES: {"objects": 2, "bytes": EVENT.len() + 2},
                STOCK: {"objects": 1, "bytes": 5},
            },
            "quarantine": {"reason=bad_msg": {"objects": 1, "bytes": 2}},
        },
    });
    assert_eq!(report, expected);
    let (_, said) = eventctl(address, &["status"]).await;
    let lines: Vec<_> = said.lines().collect();
    let expected = [
        "queue         reliable_message_q: 2 visible, 1 in flight, 0 delayed, age of the oldest unknown".to_owned(),
        "dead letters  none: the queue has no dead-letter queue".to_owned(),
        "bucket        events".to_owned(),
        format!("events               3 objects {:>12} bytes", EVENT.len() + 7),
        format!("                     1 objects            5 bytes  {STOCK}"),
        format!("                     2 objects {:>12} bytes  {SALES}", EVENT.len() + 2),
    ];
    assert_eq!(lines[..6], expected, "{said}");

    // More than a page of them, and a dead-letter queue.
    for number in 0..1100 {
        let key = format!("store_events/event_type=a/dt=2026_01_01/{number}.json");
        server.store().put(&key, "xy".into(), PutMode::Create).await.unwrap();
    }
    with_dead_letters(&server, 2).await;
    let (_, said) = eventctl(address, &["status", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    let many = &report["bucket"]["events"]["event_type=a/dt=2026_01_01"];
    assert_eq!(many, &serde_json::json!({"objects": 1100, "bytes": 2200}));
    let dead = &report["dead_letters"];
    assert_eq!((&dead["name"], &dead["visible"]), (&"lost".into(), &2.into()), "{said}");
    assert_eq!(report["queue"]["visible"], 0, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn one_request_id_of_two_types_is_told_and_no_fault() {
    let (server, address) = sound().await;
    write(&server, &format!("store_events/{STOCK}/r1.json"), EVENT).await;
    let (status, said) = eventctl(address, &["audit", "--sent", "2"]).await;
    assert_eq!(status, 0, "{said}");
    assert!(said.contains("1 also_elsewhere  no fault in itself"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_compaction_names_what_is_damaged_and_goes_on_beside_it() {
    let (server, address) = sound().await;
    let claim = format!("compacted/_claims/store_events/{SALES}/0000000000.json");
    write(&server, &claim, "{}").await;
    write(&server, &format!("store_events/{STOCK}/r1.json"), EVENT).await;
    let (status, said) = eventctl(address, &["compact", "--compression", "none"]).await;
    assert_eq!(status, 3, "{said}");
    assert!(said.contains(&claim) && said.contains("1 partition has a fault"), "{said}");
    let merged = |partition| format!("compacted/store_events/{partition}/0000000000.ndjson");
    assert!(server.store().get(&merged(STOCK)).await.unwrap().is_some(), "{said}");
    assert!(server.store().get(&merged(SALES)).await.unwrap().is_none(), "{said}");

    remove(&server, &claim).await;
    let (status, said) = eventctl(address, &["compact", "--compression", "none"]).await;
    assert_eq!(status, 0, "{said}");
    assert!(server.store().get(&merged(SALES)).await.unwrap().is_some(), "{said}");
    assert!(said.contains("1 objects") && said.contains(SALES) && !said.contains(STOCK), "{said}");
    let (status, said) = eventctl(address, &["compact", "--compression", "none"]).await;
    assert!(status == 0 && said.contains("all of them are compacted"), "{said}");
    let (status, said) = eventctl(address, &["compact", "--json"]).await;
    let report: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &report["partitions"]), (0, &serde_json::json!({})), "{said}");
}
