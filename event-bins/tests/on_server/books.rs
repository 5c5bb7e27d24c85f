//! What `eventctl` says of what is stored, and by which exit status.

use std::net::SocketAddr;

use event_benches::server::{Delays, State};
use event_core::{ObjectStore, PutMode};

use crate::{program, serve};

const SALES: &str = "event_type=sale_event/dt=2026_11_22";
const STOCK: &str = "event_type=inventory_event/dt=2026_11_22";

const EVENT: &str = r#"{"request_id": "r1", "store_id": 8, "cust_id": 538, "category": "Games",
    "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
    "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48"}"#;

async fn write(server: &State, key: &str, body: &'static str) {
    server.store().put(key, body.into(), PutMode::Create).await.unwrap();
}

async fn remove(server: &State, key: &str) {
    server.store().delete(&[key.to_owned()]).await.remove(0).unwrap();
}

/// The exit status, and all that was said.
async fn eventctl(server: SocketAddr, arguments: &'static [&'static str]) -> (i32, String) {
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
    assert!(status == 3 && said.contains(r#""books":"empty""#), "{said}");
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
}
