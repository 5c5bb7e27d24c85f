//! What a writer reads of a log that is there: at its start, and where others write.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use event_core::jiff::ToSpan;
use event_core::jiff::civil::date;
use event_core::{
    BatchWriter, Error, ErrorKind, Handler, Layout, ObjectStore, Outcome, Retail, Shutdown,
};
use event_mem::MemStore;
use event_tests::{AnyOrder, Faulty, Meanwhile};
use tokio::time::{sleep, timeout};

use crate::log::{PARTITION, deliveries, lines, segment, store, writer};
use crate::support::{Log, body, keys, retry, transient};

/// A log of these events, a segment for each.
async fn log_of(ids: &[&str]) -> MemStore {
    let mem = MemStore::new();
    for id in ids {
        assert_eq!(store(&writer(mem.clone()), &[id]).await, [Outcome::Ack]);
    }
    mem
}

/// The same store, with pages of this size, and the slots that are read.
fn watched(mem: &MemStore, page: usize) -> (Meanwhile<MemStore>, Log<u32>) {
    let reads = Log::new();
    let read = reads.clone();
    let store = Meanwhile::new(mem.clone(), move |request| {
        assert!(request.number < 10_000, "it asks for ever");
        if let Some(name) =
            request.key.strip_prefix(PARTITION).filter(|_| request.operation == "get")
        {
            read.push(name[1..11].parse().unwrap());
        }
        Box::pin(async { Ok(()) })
    });
    (store.page(page), reads)
}

#[tokio::test(start_paused = true)]
async fn each_segment_is_read_once_in_pages_of_any_size() {
    for page in [1, 2, 3, 4] {
        let mem = log_of(&["a", "b", "c"]).await;
        let (watched, reads) = watched(&mem, page);
        let writer = writer(watched);
        assert_eq!(store(&writer, &["d"]).await, [Outcome::Ack], "{page}");
        // The last is the look at the head.
        assert_eq!(reads.entries(), [0, 1, 2, 3], "{page}");
        assert_eq!(lines(&mem, &segment(3)).await, [body("d")]);
        assert_eq!(keys(&mem, PARTITION).await.len(), 4);
        assert_eq!(store(&writer, &["c"]).await, [Outcome::Duplicate], "{page}");
        assert_eq!(reads.entries()[4..], [2], "{page}");
    }
}

/// A log that was forgotten is listed and read anew, and knows its events again.
#[tokio::test(start_paused = true)]
async fn as_many_events_are_remembered_as_was_said() {
    for (events, listings) in [(0, 2), (1_000_000, 1)] {
        let (mem, listed) = (MemStore::new(), Log::new());
        let lists = listed.clone();
        let watched = Meanwhile::new(mem.clone(), move |request| {
            if request.operation == "list" && request.key.starts_with(PARTITION) {
                lists.push(());
            }
            Box::pin(async { Ok(()) })
        });
        let writer = writer(watched).remember(events);
        assert_eq!(store(&writer, &["a"]).await, [Outcome::Ack]);
        for days in 1..150 {
            let day = date(2026, 11, 22).checked_add(days.days()).unwrap().to_string();
            let batch = deliveries([body("a").replace("2026-11-22", &day)]);
            assert_eq!(writer.handle(&batch, &Shutdown::never()).await, [Outcome::Ack]);
        }
        assert_eq!(store(&writer, &["a", "b"]).await, [Outcome::Duplicate, Outcome::Ack]);
        assert_eq!(listed.entries().len(), listings, "{events}");
        assert_eq!(lines(&mem, &segment(1)).await, [body("b")]);
    }
}

/// What is in no slot may fill whole pages.
#[tokio::test(start_paused = true)]
async fn a_listing_goes_on_after_pages_without_a_segment() {
    for page in [1, 2] {
        let mem = log_of(&["a", "b"]).await;
        for name in ["!", "+", "0", "00000000005.ndjson.zst", "_SUCCESS", "r1.json", "z"] {
            let key = format!("{PARTITION}/{name}");
            mem.put(&key, "x".into(), event_core::PutMode::Create).await.unwrap();
        }
        let (watched, _) = watched(&mem, page);
        let (writer, ids) = (writer(watched), ["b", "c"]);
        let stored = timeout(Duration::from_secs(60), store(&writer, &ids)).await;
        assert_eq!(stored.expect("it ends"), [Outcome::Duplicate, Outcome::Ack]);
        assert_eq!(lines(&mem, &segment(2)).await, [body("c")]);
    }
}

/// Whoever stops listing too early takes the gap for the head.
#[tokio::test(start_paused = true)]
async fn a_gap_is_seen_on_whatever_page_the_segment_after_it_is() {
    for missing in 0..3 {
        for page in [1, 2, 3] {
            let mem = log_of(&["a", "b", "c", "d"]).await;
            mem.delete(&[segment(missing)]).await.remove(0).unwrap();
            let before = keys(&mem, PARTITION).await;
            let (watched, _) = watched(&mem, page);
            let (trigger, stop) = Shutdown::new();
            let running = tokio::spawn(async move {
                writer(watched).handle(&deliveries([body("new")]), &stop).await
            });
            sleep(Duration::from_secs(3600)).await;
            assert!(!running.is_finished(), "slot {missing} is missing, pages of {page}");
            trigger.shutdown();
            assert!(matches!(running.await.unwrap()[..], [Outcome::Retry(_)]));
            assert_eq!(keys(&mem, PARTITION).await, before);
        }
    }
}

/// What was read before is not read again, and counts once.
#[tokio::test(start_paused = true)]
async fn a_start_that_was_cut_off_is_gone_on_from() {
    for failing in 0..3 {
        for page in [1, 2, 3] {
            let mem = log_of(&["a", "b", "c"]).await;
            let (trigger, stop) = Shutdown::new();
            let (watched, reads) = watched(&mem, page);
            let stopped = stop.clone();
            let cut_off = Meanwhile::new(watched, move |request| {
                let fails = request.key == segment(failing) && !stopped.is_requested();
                if fails {
                    trigger.shutdown();
                }
                Box::pin(async move { if fails { Err(transient("get")) } else { Ok(()) } })
            });
            let writer = writer(cut_off);
            let outcomes = writer.handle(&deliveries([body("d")]), &stop).await;
            assert_eq!(outcomes, [Outcome::Retry(Duration::ZERO)], "{failing} {page}");
            let outcomes = store(&writer, &["a", "b", "c", "d"]).await;
            let there = Outcome::Duplicate;
            assert_eq!(outcomes, [there.clone(), there.clone(), there, Outcome::Ack]);
            assert_eq!(lines(&mem, &segment(3)).await, [body("d")], "{failing} {page}");
            let most = (0..3).map(|slot| reads.entries().iter().filter(|it| **it == slot).count());
            // At most once for its fingerprints, as often again beside one that failed, and once
            // for its line.
            assert!(most.max() <= Some(3), "{:?}", reads.entries());
        }
    }
}

/// Many segments are read at once, and the answers come in any order.
#[tokio::test(start_paused = true)]
async fn an_event_is_known_by_its_own_slot_in_whatever_order_segments_are_read() {
    let ids: Vec<_> = (0..20).map(|id| format!("r{id}")).collect();
    let ids: Vec<_> = ids.iter().map(String::as_str).collect();
    let mem = log_of(&ids).await;
    for seed in 0..5 {
        let writer = writer(AnyOrder::new(mem.clone(), seed));
        let stored = timeout(Duration::from_secs(3600), store(&writer, &ids)).await;
        assert_eq!(stored.expect("no slot is missing"), vec![Outcome::Duplicate; 20], "{seed}");
    }
    assert_eq!(keys(&mem, PARTITION).await.len(), 20);
}

/// Slots are read ahead. One that was empty when it was asked for may be filled by the time that the
/// one after it is: that is no reason to take the second for the first.
#[tokio::test(start_paused = true)]
async fn a_segment_that_comes_while_slots_are_read_ahead_is_read_in_its_own_slot() {
    fastrand::seed(7);
    let came = Log::new();
    for seed in 0..20 {
        let mem = MemStore::new();
        let (other, comes) = (mem.clone(), came.clone());
        let racy = Meanwhile::new(mem.clone(), move |request| {
            let (other, comes) = (other.clone(), comes.clone());
            let is_ahead = request.operation == "get" && request.key == segment(4);
            Box::pin(async move {
                if is_ahead && keys(&other, PARTITION).await.len() == 3 {
                    for id in ["y3", "y4"] {
                        assert_eq!(store(&writer(other.clone()), &[id]).await, [Outcome::Ack]);
                    }
                    comes.push(seed);
                }
                Ok(())
            })
        });
        let ours = writer(AnyOrder::new(racy, seed));
        assert_eq!(store(&ours, &["w0"]).await, [Outcome::Ack]);
        for id in ["x1", "x2"] {
            assert_eq!(store(&writer(mem.clone()), &[id]).await, [Outcome::Ack]);
        }
        assert_eq!(store(&ours, &["w1"]).await, [Outcome::Ack], "{seed}");
        // One by one: what is looked up together is held against all that is read for it.
        for id in ["w0", "w1", "x1", "x2", "y3", "y4"] {
            store(&ours, &[id]).await;
        }
        let mut stored = Vec::new();
        for key in keys(&mem, PARTITION).await {
            stored.extend(lines(&mem, &key).await);
        }
        stored.sort();
        assert_eq!(stored, ["w0", "w1", "x1", "x2", "y3", "y4"].map(body), "{seed}");
    }
    assert!(came.entries().len() >= 10, "{:?}", came.entries());
}

/// A cache on the way has not seen the segment that is in the slot: what became of the put is
/// undecided, and nothing is put beyond it.
#[tokio::test(start_paused = true)]
async fn a_slot_that_is_taken_and_reads_as_empty_is_waited_at() {
    let mem = log_of(&["a"]).await;
    let (is_stale, requests) = (Arc::new(AtomicBool::new(true)), Log::new());
    let (hides, made) = (Arc::clone(&is_stale), requests.clone());
    let stale = Meanwhile::new(mem.clone(), move |request| {
        made.push(request.operation);
        assert!(made.entries().len() < 3600, "one in a second is too many");
        Box::pin(async { Ok(()) })
    });
    let stale = stale.hides(move |key| key == segment(0) && hides.load(Ordering::SeqCst));
    let ours = writer(stale);
    let running = tokio::spawn(async move { store(&ours, &["a", "b"]).await });
    sleep(Duration::from_secs(3600)).await;
    assert!(!running.is_finished());
    assert!(requests.entries().len() > 100, "it asks again");
    assert_eq!(keys(&mem, PARTITION).await, [segment(0)]);
    is_stale.store(false, Ordering::SeqCst);
    assert_eq!(running.await.unwrap(), [Outcome::Duplicate, Outcome::Ack]);
    assert_eq!(lines(&mem, &segment(1)).await, [body("b")]);
}

/// A right that is taken away comes back, a bucket that is renamed as well: the messages wait.
#[tokio::test(start_paused = true)]
async fn whatever_a_store_answers_to_any_request_it_is_asked_again() {
    use ErrorKind::{Ambiguous, Denied, Invalid, NotFound, Throttled, Transient, Unknown};
    for kind in [Ambiguous, Denied, Invalid, NotFound, Throttled, Transient, Unknown] {
        for there in [&[][..], &["a"]] {
            let mem = log_of(there).await;
            // Each request fails twice.
            let weak = Faulty::new(mem.clone(), move |call| {
                let fails = !(call.number + 1).is_multiple_of(3);
                fails.then(|| Error::new(kind, call.operation, "on purpose"))
            });
            let schema = Arc::new(Retail::default());
            let writer = BatchWriter::new(Arc::new(weak), Layout::default(), schema)
                .retry(retry())
                // The boundary is looked at as well.
                .today(|| date(2027, 6, 1));
            let outcomes = store(&writer, &["a", "b"]).await;
            let is_stored =
                |outcome: &Outcome| matches!(outcome, Outcome::Ack | Outcome::Duplicate);
            assert!(outcomes.iter().all(is_stored), "{kind:?}: {outcomes:?}");
            assert_eq!(keys(&mem, PARTITION).await.len(), 1 + there.len(), "{kind:?}");
        }
    }
}
