//! The compaction: what readers see, by however many compactors at once, whoever crashes.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use event_core::maintain::{Audit, CompactReport, Compactor, FindingKind, Verdict};
use event_core::store::list_all;
use event_core::{Compression, Layout, ObjectStore, Result, Retail, Shutdown};
use event_mem::MemStore;
use fastrand::Rng;

use crate::odd::Odd;
use crate::support::{batch, delete, empty, event, events, keys, read, singly, write};

const COMPACTED: &str = "compacted/store_events/event_type=sale_event/dt=2026_11_22";
const CLAIMS: &str = "compacted/_claims/store_events/event_type=sale_event/dt=2026_11_22";
const SALES: &str = crate::support::SALES;

fn compactor(store: impl ObjectStore) -> Compactor {
    Compactor::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()))
}

async fn compact(store: &MemStore) -> CompactReport {
    compactor(store.clone()).run(&Shutdown::never()).await.unwrap()
}

/// The kinds of what an audit finds.
async fn found(store: &MemStore) -> Vec<FindingKind> {
    let audit = Audit::new(Arc::new(store.clone()), Layout::default(), Arc::new(Retail::default()));
    let report = audit.run(&Shutdown::never()).await.unwrap();
    assert_eq!(
        report.verdict == Verdict::Balanced,
        report.counts.keys().all(|kind| !kind.is_fault())
    );
    report.counts.into_keys().collect()
}

/// How often a reader of merged objects sees each event.
async fn seen(store: &MemStore) -> BTreeMap<String, usize> {
    let mut seen = BTreeMap::new();
    for key in keys(store, "compacted/store_events/").await {
        let object = store.get(&key).await.unwrap().unwrap();
        let lines = Compression::of_key(&key).unwrap().decompress(object).unwrap();
        for line in std::str::from_utf8(&lines).unwrap().lines() {
            let event: serde_json::Value = serde_json::from_str(line).unwrap();
            let id = event["request_id"].as_str().unwrap().to_owned();
            *seen.entry(id).or_default() += 1;
        }
    }
    seen
}

fn once(ids: &[&str]) -> BTreeMap<String, usize> {
    ids.iter().map(|id| ((*id).to_owned(), 1)).collect()
}

/// Both layouts in one partition, and another day.
async fn mixed() -> MemStore {
    let store = empty().await;
    batch(&store, &events(&["a", "b"])).await;
    batch(&store, &events(&["c"])).await;
    singly(&store, &events(&["_d", "e"])).await;
    singly(&store, &[event("f", 23)]).await;
    store
}

const MIXED: [&str; 6] = ["_d", "a", "b", "c", "e", "f"];

#[tokio::test]
async fn all_events_are_in_one_object_of_their_partition_each_once() {
    let store = mixed().await;
    let before = keys(&store, "store_events/event_type=").await;
    let report = compact(&store).await;
    assert_eq!(seen(&store).await, once(&MIXED));
    assert_eq!(keys(&store, "store_events/event_type=").await, before);
    assert_eq!(keys(&store, COMPACTED).await, [format!("{COMPACTED}/0000000000.ndjson")]);
    let sales = report.partitions["event_type=sale_event/dt=2026_11_22"];
    assert_eq!((report.partitions.len(), sales.objects, sales.sources), (2, 1, 4));
    assert_eq!(found(&store).await, []);
    assert!(compact(&store).await.partitions.is_empty());
}

#[tokio::test]
async fn what_comes_later_goes_into_another_object() {
    let store = mixed().await;
    compact(&store).await;
    singly(&store, &events(&["g"])).await;
    compact(&store).await;
    assert_eq!(keys(&store, COMPACTED).await.len(), 2);
    assert_eq!(seen(&store).await, once(&["_d", "a", "b", "c", "e", "f", "g"]));
}

#[tokio::test]
async fn objects_are_no_larger_than_is_asked_for() {
    let store = mixed().await;
    let compactor = compactor(store.clone()).target_bytes(1).compression(Compression::Zstd);
    let report = compactor.unwrap().run(&Shutdown::never()).await.unwrap();
    assert_eq!(keys(&store, "compacted/store_events/").await.len(), 5);
    let sales = report.partitions["event_type=sale_event/dt=2026_11_22"];
    let merged = list_all(&store, &format!("{COMPACTED}/")).await.unwrap();
    let bytes = merged.iter().map(|object| object.size).sum();
    assert_eq!((sales.objects, sales.sources, sales.bytes), (4, 4, bytes));
    let audit = Audit::new(Arc::new(store.clone()), Layout::default(), Arc::new(Retail::default()));
    assert_eq!(audit.run(&Shutdown::never()).await.unwrap().stored.compacted, 5);
    assert_eq!(seen(&store).await, once(&MIXED));
    assert_eq!(found(&store).await, []);
}

#[tokio::test]
async fn other_days_are_left_alone() {
    let store = mixed().await;
    let day = Some("2026-11-23".parse().unwrap());
    let dates = event_core::maintain::DateRange::new(day, day).unwrap();
    compactor(store.clone()).dates(dates).run(&Shutdown::never()).await.unwrap();
    assert_eq!(seen(&store).await, once(&["f"]));
}

/// Of a day of which nothing else is left.
#[tokio::test]
async fn a_claim_or_a_merged_object_alone_is_found() {
    for (left, kind, faults) in
        [("_claims/", FindingKind::OpenClaim, 1), ("", FindingKind::Unclaimed, 0)]
    {
        let store = mixed().await;
        compact(&store).await;
        let left = format!("compacted/{left}store_events/");
        for key in keys(&store, "").await {
            if key.contains("dt=2026_11_23") && !key.starts_with(&left) {
                delete(&store, &key).await;
            }
        }
        assert_eq!(found(&store).await, [kind]);
        let report = compact(&store).await;
        assert_eq!(report.faults.len(), faults, "{report:?}");
    }
}

#[tokio::test]
async fn a_claim_without_its_object_is_made_good() {
    let store = mixed().await;
    compact(&store).await;
    let key = keys(&store, COMPACTED).await.remove(0);
    let object = store.get(&key).await.unwrap();
    delete(&store, &key).await;
    assert_eq!(found(&store).await, [FindingKind::OpenClaim]);
    compact(&store).await;
    assert_eq!(store.get(&key).await.unwrap(), object);
}

/// A hand was here: each is told, and nothing is made of it.
#[tokio::test]
async fn what_no_compaction_left_is_an_error_and_a_finding() {
    async fn damaged(key: &str, body: Option<&'static str>) -> (String, Vec<FindingKind>) {
        let store = mixed().await;
        compact(&store).await;
        singly(&store, &events(&["g"])).await;
        compact(&store).await;
        singly(&store, &events(&["h"])).await;
        match body {
            Some(body) => write(&store, key, body).await,
            None => delete(&store, key).await,
        }
        let objects = keys(&store, COMPACTED).await.len();
        let report = compactor(store.clone()).run(&Shutdown::never()).await.unwrap();
        let mut told = report.faults.into_iter();
        let told = told.next().map(|(partition, what)| {
            assert_eq!(format!("store_events/{partition}"), SALES);
            what
        });
        if told.is_some() {
            assert_eq!(keys(&store, COMPACTED).await.len(), objects);
        }
        (told.unwrap_or_default(), found(&store).await)
    }
    let claim = |slot: u64| format!("{CLAIMS}/{slot:010}.json");
    let (told, found) = damaged(&claim(0), None).await;
    assert!(told.contains(&claim(0)) && told.contains("entries after it"), "{told}");
    // The entry after it is still that of its own slot.
    assert_eq!(found, [FindingKind::SlotGap, FindingKind::Unclaimed]);
    let (told, found) = damaged(&claim(1), None).await;
    assert!(told.contains(&claim(1)) && told.contains("the object that it claims"), "{told}");
    assert_eq!(found, [FindingKind::Unclaimed]);
    let (told, found) = damaged(&claim(0), Some("{}")).await;
    assert!(told.contains("not a valid claim of a compaction"), "{told}");
    assert!(found.contains(&FindingKind::Unreadable), "{found:?}");
    let twice = r#"{"compression": "none", "sources": ["e.json"]}"#;
    let (_, found) = damaged(&claim(1), Some(twice)).await;
    assert!(found.contains(&FindingKind::Duplicate), "{found:?}");
    let object = format!("{COMPACTED}/0000000001.ndjson");
    let (_, found) = damaged(&object, Some("{}\n")).await;
    assert_eq!(found, [FindingKind::WrongData]);
    let source = format!("{SALES}/e.json");
    let (_, found) = damaged(&source, None).await;
    assert_eq!(found, [FindingKind::WrongData]);
}

/// What comes after an entry that cannot be read is looked at as well.
#[tokio::test]
async fn an_entry_that_cannot_be_read_hides_no_other() {
    let store = mixed().await;
    compactor(store.clone()).target_bytes(1).run(&Shutdown::never()).await.unwrap();
    write(&store, &format!("{CLAIMS}/0000000000.json"), "{}").await;
    write(&store, &format!("{COMPACTED}/0000000002.ndjson"), "{}\n").await;
    let audit = Audit::new(Arc::new(store.clone()), Layout::default(), Arc::new(Retail::default()));
    let report = audit.run(&Shutdown::never()).await.unwrap();
    let kinds = [FindingKind::Unreadable, FindingKind::WrongData, FindingKind::Unclaimed];
    assert_eq!(report.counts, kinds.map(|kind| (kind, 1)).into(), "{report:?}");
}

/// A reader of merged objects would see its events twice.
#[tokio::test]
async fn a_second_merged_object_in_a_slot_is_unclaimed() {
    let store = mixed().await;
    compact(&store).await;
    let lines = read(&store, &format!("{COMPACTED}/0000000000.ndjson")).await;
    let second = Compression::Gzip.compress(lines.into_bytes()).unwrap();
    write(&store, &format!("{COMPACTED}/0000000000.ndjson.gz"), second).await;
    assert_eq!(found(&store).await, [FindingKind::Unclaimed]);
}

/// An event that was stored alone may have line breaks of any kind between its tokens.
#[tokio::test]
async fn a_merged_event_is_one_line_whatever_line_breaks_it_came_with() {
    let store = empty().await;
    for (id, broken) in [("a", "\r"), ("b", "\n"), ("c", "\r\n")] {
        let event = event(id, 22);
        let body = String::from_utf8(event.body.to_vec()).unwrap().replace('\n', broken);
        singly(&store, &[event_core::Message { body: body.into(), ..event }]).await;
    }
    compact(&store).await;
    let lines = read(&store, &format!("{COMPACTED}/0000000000.ndjson")).await;
    assert!(!lines.contains('\r') && lines.ends_with('\n'), "{lines:?}");
    assert_eq!(lines.matches('\n').count(), 3, "{lines:?}");
    assert_eq!(seen(&store).await, once(&["a", "b", "c"]));
    assert_eq!(found(&store).await, []);
}

#[tokio::test]
async fn an_object_that_is_not_what_its_claim_says_is_left_alone_and_told() {
    let store = mixed().await;
    let claim = r#"{"compression": "none", "sources": ["e.json"]}"#;
    write(&store, &format!("{CLAIMS}/0000000000.json"), claim).await;
    let taken = Some(format!("{COMPACTED}/0000000000.ndjson"));
    let late = Odd { taken, ..Odd::from(&store) };
    let report = compactor(late).run(&Shutdown::never()).await.unwrap();
    let told: Vec<_> = report.faults.into_values().collect();
    assert!(told[0].contains("does not hold what its claim names"), "{told:?}");
    // What is beside it does not wait for a hand.
    assert!(!report.partitions.is_empty());
    assert_eq!(told.len(), 1);
    assert_eq!(read(&store, &format!("{COMPACTED}/0000000000.ndjson")).await, "{}\n");
}

type Run = Pin<Box<dyn Future<Output = Result<CompactReport>>>>;

fn start(store: &MemStore, rng: &mut Rng) -> Run {
    let compression = Compression::ALL[rng.usize(..3)];
    let compactor =
        compactor(Odd { slow: true, ..Odd::from(store) }).target_bytes(rng.u64(1..1500));
    let compactor = compactor.compression(compression).unwrap();
    Box::pin(async move { compactor.run(&Shutdown::never()).await })
}

/// Three compactors at once, each step by whom chance picks; now and then one crashes and starts
/// again, and an event arrives. A reader looks after each step.
#[tokio::test(start_paused = true)]
async fn no_reader_sees_an_event_twice_whoever_crashes_and_in_the_end_each_once() {
    for seed in 0..100 {
        let mut rng = Rng::with_seed(seed);
        let store = mixed().await;
        let mut ids: Vec<String> = MIXED.map(str::to_owned).to_vec();
        let mut runs: Vec<Run> = (0..3).map(|_| start(&store, &mut rng)).collect();
        let mut objects = Vec::new();
        for step in 0..250 {
            let run = rng.usize(..runs.len());
            let polled =
                runs[run].as_mut().poll(&mut Context::from_waker(std::task::Waker::noop()));
            let ended = match polled {
                Poll::Ready(ended) => ended.map(|_| true).unwrap(),
                Poll::Pending => rng.u8(..30) == 0,
            };
            if ended {
                runs[run] = start(&store, &mut rng);
            }
            if rng.u8(..40) == 0 {
                let id = format!("r{step}");
                singly(&store, &[event(&id, 22)]).await;
                ids.push(id);
            }
            // Objects are created once, so nothing else can change what is seen.
            let there = keys(&store, "compacted/store_events/").await;
            if there != objects {
                objects = there;
                let seen = seen(&store).await;
                assert!(
                    seen.values().all(|&times| times == 1),
                    "seed {seed} step {step}: {seen:?}"
                );
            }
            // Let tokio's own bounds on one task not be what is tested.
            tokio::task::yield_now().await;
        }
        drop(runs);
        compact(&store).await;
        let ids: Vec<_> = ids.iter().map(String::as_str).collect();
        assert_eq!(seen(&store).await, once(&ids), "seed {seed}");
        assert_eq!(found(&store).await, [], "seed {seed}");
    }
}
