//! The boundary of expiry: what a writer does with events of days that are no longer live, in both
//! layouts.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use event_core::jiff::ToSpan;
use event_core::jiff::civil::{Date, date};
use event_core::log::{Manifest, ManifestOptions, ObjectLayout};
use event_core::{
    BatchWriter, Delivery, Handler, Layout, MessageId, ObjectStore, Outcome, PutMode, Receipt,
    Retail, Shutdown, StoreWriter,
};
use event_mem::MemStore;
use event_tests::Faulty;

use crate::support::{body, retry, sale};

/// The day of the events.
const DAY: Date = date(2026, 11, 22);
/// Long after it.
const TODAY: Date = date(2027, 6, 1);
const PARTITION: &str = "store_events/event_type=sale_event/dt=2026_11_22";

type Writer = fn(Arc<dyn ObjectStore>, Date) -> Arc<dyn Handler>;

const WRITERS: [Writer; 2] = [
    |store, today| {
        let writer = BatchWriter::new(store, Layout::default(), Arc::new(Retail::default()));
        Arc::new(writer.retry(retry()).today(move || today))
    },
    |store, today| {
        let writer = StoreWriter::new(store, Layout::default(), Arc::new(Retail::default()));
        Arc::new(writer.retry(retry()).today(move || today))
    },
];

fn deliveries(ids: &[&str]) -> Vec<Delivery> {
    deliveries_of(ids.iter().map(|id| body(id)))
}

fn deliveries_of(bodies: impl IntoIterator<Item = String>) -> Vec<Delivery> {
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

async fn store(writer: &dyn Handler, ids: &[&str]) -> Vec<Outcome> {
    writer.handle(&deliveries(ids), &Shutdown::never()).await
}

/// The boundary passes up to this day.
async fn pass(mem: &MemStore, number: u32, oldest: Date) {
    let key = format!("store_events/_oldest/{number:010}.json");
    let body = format!("{{\"oldest\": \"{oldest}\"}}");
    mem.put(&key, body.into(), PutMode::Create).await.unwrap();
}

fn codes(outcomes: &[Outcome]) -> Vec<&str> {
    let code = |outcome: &Outcome| match outcome {
        Outcome::Ack => "stored",
        Outcome::Duplicate => "duplicate",
        Outcome::Retry(_) => "retry",
        Outcome::Quarantine(reason) if reason.code() == "too_old" => "too_old",
        Outcome::Quarantine(_) => "quarantined",
    };
    outcomes.iter().map(code).collect()
}

#[tokio::test(start_paused = true)]
async fn an_event_of_a_day_that_is_still_live_is_stored_however_old_it_is() {
    for make in WRITERS {
        let mem = MemStore::new();
        let writer = make(Arc::new(mem.clone()), TODAY);
        assert_eq!(codes(&store(&*writer, &["a"]).await), ["stored"]);
        pass(&mem, 0, DAY).await;
        assert_eq!(codes(&store(&*writer, &["a", "b"]).await), ["duplicate", "stored"]);
    }
}

#[tokio::test(start_paused = true)]
async fn below_the_boundary_nothing_is_acknowledged_what_was_done_before_included() {
    for make in WRITERS {
        let mem = MemStore::new();
        let writer = make(Arc::new(mem.clone()), TODAY);
        store(&*writer, &["a"]).await;
        pass(&mem, 0, date(2026, 10, 1)).await;
        assert_eq!(codes(&store(&*writer, &["a"]).await), ["duplicate"]);
        pass(&mem, 1, date(2026, 11, 23)).await;
        assert_eq!(codes(&store(&*writer, &["a", "new"]).await), ["too_old", "too_old"]);
        let fresh = make(Arc::new(mem.clone()), TODAY);
        assert_eq!(codes(&store(&*fresh, &["a", "b"]).await), ["too_old", "too_old"]);
    }
}

/// All of it is there still; nothing of it is live. What comes again is no more done than what is new.
#[tokio::test(start_paused = true)]
async fn below_the_boundary_nothing_is_a_duplicate_or_a_conflict_whoever_knows_of_it() {
    let of_october =
        |category: &str| body("r1").replace("2026-11-22", "2026-10-01").replace("Games", category);
    let (same, other) = (of_october("Games"), of_october("Books"));
    for make in WRITERS {
        let mem = MemStore::new();
        let make = || make(Arc::new(mem.clone()), date(2026, 12, 1));
        let first = make();
        let handle = async |writer: &Arc<dyn Handler>, bodies: &[&String]| {
            let batch = deliveries_of(bodies.iter().copied().cloned());
            let outcomes = writer.handle(&batch, &Shutdown::never()).await;
            codes(&outcomes).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(handle(&first, &[&same]).await, ["stored"]);
        assert_eq!(handle(&first, &[&same, &other]).await, ["duplicate", "quarantined"]);
        pass(&mem, 0, date(2026, 10, 2)).await;
        for batch in [&[&same][..], &[&other], &[&same, &other], &[&other, &same]] {
            let too_old = vec!["too_old"; batch.len()];
            assert_eq!(handle(&first, batch).await, too_old, "{batch:?}");
            assert_eq!(handle(&make(), batch).await, too_old, "{batch:?}");
        }
    }
}

/// Whoever looks too seldom forgets events; whoever looks too often pays for it.
#[tokio::test(start_paused = true)]
async fn how_long_nobody_asks_is_what_the_manifest_says() {
    let after = |days: i64| DAY.checked_add(days.days()).unwrap();
    for (make, layout) in WRITERS.into_iter().zip([ObjectLayout::Batch, ObjectLayout::Event]) {
        for (least_days_kept, age, asks) in
            [(2, 0, false), (2, 1, true), (2, 10, true), (90, 88, false), (90, 89, true)]
        {
            let mem = MemStore::new();
            let options = ManifestOptions {
                layout: Some(layout),
                least_days_kept: Some(least_days_kept),
                ..ManifestOptions::default()
            };
            let (prefix, never) = (Layout::default(), Shutdown::never());
            Manifest::open(&mem, &prefix, &options, &retry(), &never).await.unwrap();
            pass(&mem, 0, date(2027, 12, 31)).await;
            let writer = make(Arc::new(mem), after(age));
            let outcome = if asks { "too_old" } else { "stored" };
            assert_eq!(codes(&store(&*writer, &["a"]).await), [outcome], "{least_days_kept} {age}");
        }
    }
}

/// The boundary passes between the put and the answer to it: looked at before the put alone, the
/// event would be acknowledged and deleted.
#[tokio::test(start_paused = true)]
async fn the_boundary_is_read_after_what_it_decides_is_durable() {
    for make in WRITERS {
        let mem = MemStore::new();
        make(Arc::new(mem.clone()), TODAY).handle(&deliveries(&["x"]), &Shutdown::never()).await;
        let (late, puts) = (mem.clone(), AtomicU64::new(0));
        let passing = Faulty::new(mem.clone(), move |call| {
            // The first is the proof that the store keeps to create-only puts.
            if call.operation == "put" && puts.fetch_add(1, Ordering::SeqCst) == 1 {
                let key = "store_events/_oldest/0000000000.json";
                let body = "{\"oldest\": \"2027-01-01\"}".into();
                futures_util::FutureExt::now_or_never(late.put(key, body, PutMode::Create));
            }
            None
        });
        let writer = make(Arc::new(passing), TODAY);
        assert_eq!(codes(&store(&*writer, &["a"]).await), ["too_old"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_below_the_boundary_is_not_waited_for() {
    let mem = MemStore::new();
    let writer = WRITERS[0](Arc::new(mem.clone()), TODAY);
    for id in ["a", "b"] {
        store(&*writer, &[id]).await;
    }
    pass(&mem, 0, TODAY).await;
    // A run of expiry that is half done.
    let first = format!("{PARTITION}/0000000000.ndjson.zst");
    mem.delete(&[first]).await.remove(0).unwrap();
    assert_eq!(codes(&store(&*writer, &["a"]).await), ["too_old"]);
    let fresh = WRITERS[0](Arc::new(mem), TODAY);
    assert_eq!(codes(&store(&*fresh, &["a", "c"]).await), ["too_old", "too_old"]);
}

/// No day is deleted before it is so old, even if this clock is a day slow: so nobody need look.
#[tokio::test(start_paused = true)]
async fn of_days_that_cannot_be_deleted_yet_nobody_asks() {
    for (make, reads) in WRITERS.into_iter().zip([2, 0]) {
        for (today, more) in [(date(2026, 12, 20), 0), (date(2026, 12, 21), 1)] {
            let mem = MemStore::new();
            make(Arc::new(mem.clone()), today)
                .handle(&deliveries(&["x"]), &Shutdown::never())
                .await;
            let gets = Arc::new(AtomicU64::new(0));
            let count = Arc::clone(&gets);
            let counted = Faulty::new(mem.clone(), move |call| {
                count.fetch_add(u64::from(call.operation == "get"), Ordering::SeqCst);
                None
            });
            let writer = make(Arc::new(counted), today);
            store(&*writer, &["a"]).await;
            // The manifest, and of a log the segment that is there and the head.
            assert_eq!(gets.load(Ordering::SeqCst), 1 + reads + more, "{today}");
        }
    }
}

/// A boundary that cannot be read may have passed any day.
#[tokio::test(start_paused = true)]
async fn a_boundary_that_cannot_be_read_keeps_messages_on_the_queue() {
    for make in WRITERS {
        let mem = MemStore::new();
        let key = "store_events/_oldest/0000000000.json";
        let writer = make(Arc::new(mem.clone()), TODAY);
        store(&*writer, &["x"]).await;
        mem.put(key, "{\"oldest\": \"soon\"}".into(), PutMode::Create).await.unwrap();
        assert_eq!(codes(&store(&*writer, &["a"]).await), ["retry"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_prefix_inside_of_another_is_refused() {
    let (mem, never) = (MemStore::new(), Shutdown::never());
    let open = async |prefix: &str| {
        let (layout, options) = (Layout::new(prefix).unwrap(), ManifestOptions::default());
        Manifest::open(&mem, &layout, &options, &retry(), &never).await
    };
    open("a/b").await.unwrap();
    for (prefix, named) in [
        ("a/b/c", "a/b/_manifest.json"),
        ("a/b/c/d", "a/b/_manifest.json"),
        ("a", "a/b/_manifest.json"),
    ] {
        let error = open(prefix).await.unwrap_err().to_string();
        assert!(error.contains(named), "{prefix}: {error}");
    }
    for prefix in ["a/c", "a/bc", "b"] {
        open(prefix).await.unwrap();
    }
}
