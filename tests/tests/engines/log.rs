//! Many events in one object: what a writer does where its log is not as it should be.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use event_core::jiff::civil::date;
use event_core::{
    BatchWriter, Bytes, Compression, Delivery, Handler, Layout, MessageId, ObjectStore, Outcome,
    PutMode, Receipt, Retail, Shutdown,
};
use event_mem::MemStore;
use event_tests::Faulty;
use tokio::time::{Instant, timeout};

use crate::support::{body, keys, retry, sale, transient};

pub(crate) const PARTITION: &str = "store_events/event_type=sale_event/dt=2026_11_22";

pub(crate) fn writer(store: impl ObjectStore) -> BatchWriter {
    BatchWriter::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()))
        .retry(retry())
        .today(|| date(2026, 11, 22))
}

pub(crate) fn deliveries(bodies: impl IntoIterator<Item = String>) -> Vec<Delivery> {
    let delivery = |body| Delivery {
        message: sale(body),
        id: MessageId::new("id"),
        receipt: Receipt::new("receipt"),
        sent_at: SystemTime::UNIX_EPOCH,
        event: None,
        receive_count: 1,
    };
    bodies.into_iter().map(delivery).collect()
}

pub(crate) async fn store(writer: &BatchWriter, ids: &[&str]) -> Vec<Outcome> {
    let batch = deliveries(ids.iter().map(|id| body(id)));
    writer.handle(&batch, &Shutdown::never()).await
}

pub(crate) fn segment(slot: u32) -> String {
    format!("{PARTITION}/{slot:010}.ndjson.zst")
}

pub(crate) async fn lines(store: &MemStore, key: &str) -> Vec<String> {
    let object = store.get(key).await.unwrap().unwrap();
    let lines = Compression::Zstd.decompress(object).unwrap();
    String::from_utf8(lines.to_vec()).unwrap().lines().map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn events_are_segments_of_a_log_and_what_was_stored_is_a_duplicate_for_every_writer() {
    let mem = MemStore::new();
    let (one, other) = (writer(mem.clone()), writer(mem.clone()));
    assert_eq!(store(&one, &["a", "b"]).await, [Outcome::Ack, Outcome::Ack]);
    assert_eq!(store(&other, &["b", "c"]).await, [Outcome::Duplicate, Outcome::Ack]);
    assert_eq!(
        store(&one, &["c", "a", "d", "d"]).await[..3],
        [Outcome::Duplicate, Outcome::Duplicate, Outcome::Ack]
    );
    assert_eq!(keys(&mem, PARTITION).await, [segment(0), segment(1), segment(2)]);
    assert_eq!(lines(&mem, &segment(0)).await, [body("a"), body("b")]);
    assert_eq!(lines(&mem, &segment(2)).await, [body("d")]);
}

#[tokio::test(start_paused = true)]
async fn other_bytes_under_an_identity_that_is_stored_are_a_conflict() {
    let mem = MemStore::new();
    store(&writer(mem.clone()), &["a"]).await;
    let other = body("a").replace("Games", "Books");
    let outcomes = writer(mem).handle(&deliveries([other]), &Shutdown::never()).await;
    assert!(
        matches!(&outcomes[..], [Outcome::Quarantine(reason)] if reason.code() == "conflict"),
        "{outcomes:?}"
    );
}

/// The bytes of whatever is under the key say nothing: only the lines in it do.
#[tokio::test(start_paused = true)]
async fn a_slot_that_another_took_decides_each_event_by_its_line() {
    let mem = MemStore::new();
    let two = format!("{}\n{}\n", body("x"), body("b"));
    let theirs = Compression::Zstd.compress(two.into_bytes()).unwrap();
    // It lands between the look at the head and the put.
    let late = mem.clone();
    let puts = AtomicU64::new(0);
    let racy = Faulty::new(mem.clone(), move |call| {
        let is_first = call.operation == "put" && puts.fetch_add(1, Ordering::SeqCst) == 2;
        if is_first {
            let key = segment(0);
            let put = late.put(&key, theirs.clone(), PutMode::Create);
            at_once(put).unwrap();
        }
        None
    });
    let outcomes = store(&writer(racy), &["a", "b", "c"]).await;
    assert_eq!(outcomes, [Outcome::Ack, Outcome::Duplicate, Outcome::Ack]);
    assert_eq!(lines(&mem, &segment(0)).await, [body("x"), body("b")]);
    assert_eq!(lines(&mem, &segment(1)).await, [body("a"), body("c")]);
}

/// A store in memory never waits.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        std::task::Poll::Ready(answer) => answer,
        std::task::Poll::Pending => panic!("a store in memory never waits"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_put_whose_answer_was_lost_stores_its_events_once() {
    let mem = MemStore::new();
    let puts = AtomicU64::new(0);
    let lossy = Faulty::new(mem.clone(), move |call| {
        let is_put = call.operation == "put" && puts.fetch_add(1, Ordering::SeqCst) == 2;
        is_put.then(|| event_core::Error::new(event_core::ErrorKind::Ambiguous, "put", "lost"))
    });
    let outcomes = store(&writer(lossy), &["a", "b"]).await;
    assert_eq!(outcomes, [Outcome::Duplicate, Outcome::Duplicate]);
    assert_eq!(keys(&mem, PARTITION).await, [segment(0)]);
}

/// Three segments, of which one is deleted by hand.
async fn damaged(missing: u32) -> MemStore {
    let mem = MemStore::new();
    for id in ["a", "b", "c"] {
        store(&writer(mem.clone()), &[id]).await;
    }
    mem.delete(&[segment(missing)]).await.remove(0).unwrap();
    mem
}

/// Whether a writer of these events waits for a day without a hot loop and without a write, and
/// ends soon after it is told to.
async fn waits(writer: BatchWriter, mem: &MemStore, requests: &AtomicU64, ids: &[&str]) {
    let before = keys(mem, "").await;
    let batch = deliveries(ids.iter().map(|id| body(id)));
    let (stop, shutdown) = Shutdown::new();
    let running = tokio::spawn(async move { writer.handle(&batch, &shutdown).await });
    let day = Duration::from_secs(24 * 60 * 60);
    let mut running = Box::pin(running);
    let ended = timeout(day, &mut running).await;
    assert!(ended.is_err(), "{ended:?}");
    let made = requests.load(Ordering::SeqCst);
    assert!(made < 5 * 24 * 60 * 60 / 10, "{made} requests in a day");
    stop.shutdown();
    let told = Instant::now();
    let outcomes = running.await.unwrap();
    assert!(told.elapsed() < Duration::from_secs(1), "it took {:?} to stop", told.elapsed());
    let again = |outcome: &Outcome| matches!(outcome, Outcome::Retry(_));
    assert!(outcomes.iter().all(again), "{outcomes:?}");
    assert_eq!(keys(mem, "").await, before);
}

pub(crate) fn counted(mem: &MemStore) -> (Faulty<MemStore>, Arc<AtomicU64>) {
    let requests = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&requests);
    let counted = Faulty::new(mem.clone(), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        None
    });
    (counted, requests)
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_waited_at_and_nothing_is_stored_beyond_it() {
    for missing in [0, 1] {
        let mem = damaged(missing).await;
        let (store, requests) = counted(&mem);
        waits(writer(store), &mem, &requests, &["a", "new"]).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_segment_that_was_deleted_later_is_no_duplicate() {
    let mem = MemStore::new();
    let (counted, requests) = counted(&mem);
    let writer = writer(counted);
    for id in ["a", "b"] {
        store(&writer, &[id]).await;
    }
    mem.delete(&[segment(0)]).await.remove(0).unwrap();
    waits(writer, &mem, &requests, &["a"]).await;
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_is_filled_by_hand_is_gone_on_from() {
    let mem = damaged(1).await;
    let lines = Compression::Zstd.compress(format!("{}\n", body("b")).into_bytes()).unwrap();
    let writer = writer(mem.clone());
    let batch = deliveries([body("b"), body("d")]);
    let running = tokio::spawn(async move { writer.handle(&batch, &Shutdown::never()).await });
    tokio::time::sleep(Duration::from_secs(60 * 60)).await;
    mem.put(&segment(1), lines, PutMode::Create).await.unwrap();
    assert_eq!(running.await.unwrap(), [Outcome::Duplicate, Outcome::Ack]);
    assert_eq!(keys(&mem, PARTITION).await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_keeps_its_partition_from_being_written_and_no_other() {
    let not_lines = Compression::Zstd.compress(b"no event\n".to_vec()).unwrap();
    let odd: [(&str, Bytes); 3] = [
        ("0000000000.ndjson.zst", "no zstd".into()),
        ("0000000000.ndjson.zst", not_lines),
        ("0000000000.ndjson", format!("{}\n", body("a")).into()),
    ];
    for (name, bytes) in odd {
        let mem = MemStore::new();
        writer(mem.clone()).open(&Shutdown::never()).await.unwrap();
        mem.put(&format!("{PARTITION}/{name}"), bytes, PutMode::Create).await.unwrap();
        let elsewhere = body("a").replace("2026-11-22", "2026-11-23");
        let batch = deliveries([body("a"), elsewhere]);
        let outcomes = writer(mem.clone()).handle(&batch, &Shutdown::never()).await;
        let later =
            |outcome: &Outcome| matches!(outcome, Outcome::Retry(delay) if delay.as_secs() >= 60);
        assert!(later(&outcomes[0]) && outcomes[1] == Outcome::Ack, "{name}: {outcomes:?}");
        assert_eq!(keys(&mem, PARTITION).await.len(), 1, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_no_slot_harms_nothing() {
    let mem = MemStore::new();
    let writer = writer(mem.clone());
    writer.open(&Shutdown::never()).await.unwrap();
    for name in ["_SUCCESS", "0.ndjson.zst", "r1.json", "00000000000.ndjson.zst"] {
        mem.put(&format!("{PARTITION}/{name}"), "x".into(), PutMode::Create).await.unwrap();
    }
    assert_eq!(store(&writer, &["a"]).await, [Outcome::Ack]);
    assert_eq!(lines(&mem, &segment(0)).await, [body("a")]);
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_is_asked_again_until_it_answers() {
    let mem = MemStore::new();
    let calls = AtomicU64::new(0);
    let weak = Faulty::new(mem.clone(), move |call| {
        let fails = !calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(4);
        fails.then(|| transient(call.operation))
    });
    assert_eq!(store(&writer(weak), &["a"]).await, [Outcome::Ack]);
    assert_eq!(keys(&mem, PARTITION).await, [segment(0)]);
}

mod manifest {
    use super::*;

    const KEY: &str = "store_events/_manifest.json";

    async fn refusal(writer: BatchWriter) -> String {
        let error = writer.open(&Shutdown::never()).await.unwrap_err();
        assert_eq!(error.kind(), event_core::ErrorKind::Invalid, "{error}");
        error.to_string()
    }

    #[tokio::test]
    async fn the_first_writer_creates_it_and_others_take_what_it_says() {
        let mem = MemStore::new();
        let first = writer(mem.clone()).compression(Compression::Gzip).unwrap();
        store(&first, &["a"]).await;
        let made = mem.get(KEY).await.unwrap().unwrap();
        assert_eq!(store(&writer(mem.clone()), &["a", "b"]).await[0], Outcome::Duplicate);
        assert_eq!(mem.get(KEY).await.unwrap().unwrap(), made);
        assert!(keys(&mem, PARTITION).await.iter().all(|key| key.ends_with(".ndjson.gz")));
        let other = writer(mem).compression(Compression::None).unwrap();
        let refusal = refusal(other).await;
        for part in [KEY, "compression", "\"gzip\"", "\"none\""] {
            assert!(refusal.contains(part), "{refusal}");
        }
    }

    #[tokio::test]
    async fn settings_that_this_version_does_not_know_are_refused() {
        let mem = MemStore::new();
        writer(mem.clone()).open(&Shutdown::never()).await.unwrap();
        let made = String::from_utf8(mem.get(KEY).await.unwrap().unwrap().to_vec()).unwrap();
        for (from, to, named) in [
            ("{", "{\"shards\":2,", "shards"),
            ("\"format\":1", "\"format\":2", "format 2"),
            ("\"name\":\"retail\"", "\"name\":\"fields\"", "schema"),
            ("\"partition_by\":\"day\"", "\"partition_by\":\"hour\"", "partition_by"),
            ("\"compression\":\"zstd\"", "\"compression\":\"lz4\"", "lz4"),
            ("{", "[", "not a valid manifest"),
        ] {
            let other = made.replacen(from, to, 1);
            assert_ne!(other, made);
            mem.put(KEY, other.into(), PutMode::Overwrite).await.unwrap();
            let refusal = refusal(writer(mem.clone())).await;
            assert!(refusal.contains(named) && refusal.contains(KEY), "{refusal}");
        }
    }

    #[tokio::test]
    async fn data_without_a_manifest_is_refused_and_never_added_to() {
        let mem = MemStore::new();
        mem.put(&segment(0), "x".into(), PutMode::Create).await.unwrap();
        let refusal = refusal(writer(mem.clone())).await;
        assert!(refusal.contains(KEY) && refusal.contains("store_events/"), "{refusal}");
        assert_eq!(keys(&mem, "").await, [segment(0)]);
    }

    #[tokio::test]
    async fn a_store_that_overwrites_is_found_out() {
        struct Overwrites(MemStore);
        #[event_core::async_trait]
        impl ObjectStore for Overwrites {
            async fn put(
                &self,
                key: &str,
                body: Bytes,
                _: PutMode,
            ) -> event_core::Result<event_core::PutOutcome> {
                self.0.put(key, body, PutMode::Overwrite).await
            }
            async fn get(&self, key: &str) -> event_core::Result<Option<Bytes>> {
                self.0.get(key).await
            }
            async fn head(&self, key: &str) -> event_core::Result<Option<event_core::ObjectMeta>> {
                self.0.head(key).await
            }
            async fn list(
                &self,
                request: event_core::ListRequest,
            ) -> event_core::Result<event_core::Page> {
                self.0.list(request).await
            }
            async fn delete(&self, keys: &[String]) -> Vec<event_core::Result<()>> {
                self.0.delete(keys).await
            }
        }
        let refusal = refusal(writer(Overwrites(MemStore::new()))).await;
        assert!(refusal.contains("create-only"), "{refusal}");
    }
}
