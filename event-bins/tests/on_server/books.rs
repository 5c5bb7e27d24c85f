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
    assert!(said.contains(r#""unclaimed":1"#), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_compaction_names_what_is_damaged_and_goes_on_beside_it() {
    let (server, address) = sound().await;
    let claim = format!("ledger/compacted/store_events/{SALES}/0000000000.json");
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
