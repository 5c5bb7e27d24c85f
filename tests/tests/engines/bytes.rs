//! What the line of an event holds, and when two have the same bytes.

use event_core::{Compression, Handler, ObjectStore, Outcome, Shutdown};
use event_mem::MemStore;

use crate::log::{PARTITION, deliveries, lines, segment, writer};
use crate::support::{body, keys};

async fn store(mem: &MemStore, bodies: impl IntoIterator<Item = String>) -> Vec<Outcome> {
    writer(mem.clone()).handle(&deliveries(bodies), &Shutdown::never()).await
}

fn is_conflict(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Quarantine(reason) if reason.code() == "conflict")
}

/// Readers of lines take each of them for the end of one.
#[tokio::test(start_paused = true)]
async fn a_line_has_no_line_break_of_any_kind_and_is_the_same_event_when_it_comes_again() {
    for broken in ["\r", "\n", "\r\n", "\r\r \n"] {
        let (mem, body) = (MemStore::new(), body("a").replace(", ", &format!(",{broken}")));
        assert!(body.contains(broken));
        assert_eq!(store(&mem, [body.clone()]).await, [Outcome::Ack]);
        let stored = whole(&mem).await;
        assert_eq!(stored, format!("{}\n", body.replace(['\r', '\n'], " ")));
        assert_eq!(store(&mem, [body]).await, [Outcome::Duplicate]);
    }
}

/// All bytes of the first segment, uncompressed.
async fn whole(mem: &MemStore) -> String {
    let object = mem.get(&segment(0)).await.unwrap().unwrap();
    let lines = Compression::Zstd.decompress(object).unwrap();
    String::from_utf8(lines.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn bytes_that_differ_in_anything_are_other_bytes() {
    let mem = MemStore::new();
    let stored = body("a");
    assert_eq!(store(&mem, [stored.clone()]).await, [Outcome::Ack]);
    for other in [
        format!("{stored} "),
        format!(" {stored}"),
        format!("{stored}\n"),
        stored.replace("4.9", "4.90"),
        stored.replace("\": ", "\":"),
        stored.replace("Games", "games"),
    ] {
        assert_ne!(other, stored);
        let outcomes = store(&mem, [other.clone(), stored.clone()]).await;
        assert!(is_conflict(&outcomes[0]), "{other}: {outcomes:?}");
        assert_eq!(outcomes[1], Outcome::Duplicate);
    }
    assert_eq!(lines(&mem, &segment(0)).await, [stored]);
}

/// Whichever of them is stored, the others are held against it.
#[tokio::test(start_paused = true)]
async fn of_one_identity_in_a_batch_one_is_stored_and_the_others_go_by_their_bytes() {
    let mem = MemStore::new();
    let other = body("a").replace("Games", "Books");
    let batch = [body("a"), other, body("a"), body("b")];
    let outcomes = store(&mem, batch).await;
    assert_eq!((&outcomes[0], &outcomes[2]), (&Outcome::Ack, &Outcome::Duplicate));
    assert!(is_conflict(&outcomes[1]) && outcomes[3] == Outcome::Ack, "{outcomes:?}");
    assert_eq!(lines(&mem, &segment(0)).await, [body("a"), body("b")]);
    assert_eq!(keys(&mem, PARTITION).await, [segment(0)]);
}
