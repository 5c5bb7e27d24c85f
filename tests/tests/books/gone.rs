//! What is gone, damaged or of no known day; and who ends when told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use event_core::maintain::{
    Audit, AuditReport, Compactor, DateRange, Expected, ExpectedEvents, FindingKind,
};
use event_core::retry::Retry;
use event_core::{
    Compression, Error, ErrorKind, Layout, Message, ObjectStore, Observer, Retail, Shutdown,
};
use event_mem::MemStore;
use event_tests::Faulty;
use tokio::time::{Instant, sleep};

use crate::odd::Odd;
use crate::support::{
    SALES, batch, compressed, delete, event, events, keys, quarantine, singly, write,
};

const COMPACTED: &str = "compacted/store_events/event_type=sale_event/dt=2026_11_22";
const CLAIM: &str =
    "compacted/_claims/store_events/event_type=sale_event/dt=2026_11_22/0000000000.json";

fn audit(store: impl ObjectStore) -> Audit {
    Audit::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()))
}

fn compactor(store: impl ObjectStore) -> Compactor {
    Compactor::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()))
}

async fn report(audit: Audit) -> AuditReport {
    audit.run(&Shutdown::never()).await.unwrap()
}

/// An event alone, a batch, and a message in quarantine; merged or not.
async fn books() -> MemStore {
    let store = compressed(Compression::Zstd).await;
    singly(&store, &events(&["a"])).await;
    batch(&store, &events(&["b", "c"])).await;
    quarantine(&store, &event("d", 22), "bad_msg").await;
    store
}

#[tokio::test]
async fn what_was_listed_and_is_gone_is_told() {
    let store = books().await;
    let listed = keys(&store, "").await;
    for key in listed.iter().filter(|key| !key.ends_with("/_manifest.json")) {
        let odd = Odd { gone: Some(key.clone()), ..Odd::from(&store) };
        let found = report(audit(odd)).await.findings;
        let gone = |kind| found.iter().any(|found| found.kind == kind && found.keys == [&**key]);
        assert!(gone(FindingKind::Unreadable), "{key}: {found:?}");
    }
}

/// A merged object is made of all of its sources, or not at all.
#[tokio::test]
async fn nothing_is_made_of_a_source_that_is_gone_or_damaged() {
    for source in ["a.json", "0000000000.ndjson.zst"] {
        for damage in [None, Some("not zstd")] {
            let store = books().await;
            compactor(store.clone()).run(&Shutdown::never()).await.unwrap();
            // It is claimed, and has to be made anew.
            for object in keys(&store, COMPACTED).await {
                delete(&store, &object).await;
            }
            let key = format!("{SALES}/{source}");
            match damage {
                // What one event is, nobody reads here.
                Some(_) if source == "a.json" => continue,
                Some(damage) => write(&store, &key, damage).await,
                None => delete(&store, &key).await,
            }
            let report = compactor(store.clone()).run(&Shutdown::never()).await.unwrap();
            let told: Vec<_> = report.faults.into_values().collect();
            assert!(matches!(&told[..], [fault] if fault.contains(&key)), "{told:?}");
            assert_eq!(keys(&store, COMPACTED).await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn a_merged_object_that_cannot_be_read_is_told() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let store = books().await;
        let compactor = || compactor(store.clone()).compression(compression).unwrap();
        compactor().run(&Shutdown::never()).await.unwrap();
        let object = format!("{COMPACTED}/0000000000{}", compression.suffix());
        write(&store, &object, "neither").await;
        let report = report(audit(store.clone())).await;
        assert_eq!(report.counts, [(FindingKind::Unreadable, 1)].into());
        assert_eq!(report.findings[0].keys, [&*object]);

        // By the time that it is made, another one is there.
        let claim = store.get(CLAIM).await.unwrap().unwrap();
        let other = books().await;
        write(&other, CLAIM, claim).await;
        let late = Odd { taken: Some(object), ..Odd::from(&other) };
        let report = self::compactor(late).run(&Shutdown::never()).await.unwrap();
        assert_eq!(report.faults.len(), 1, "{report:?}");
    }
}

/// A message without a time was quarantined on some day, and may have been sent on any.
#[tokio::test]
async fn what_is_in_quarantine_of_another_day_is_not_missing() {
    let store = MemStore::new();
    let message = Message::new(r#"{"request_id": "r1", "bad_msg": true}"#);
    quarantine(&store, &message, "bad_msg").await;
    let day = Some("2026-11-22".parse().unwrap());
    let dates = DateRange::new(day, day).unwrap();
    for with_body in [true, false] {
        let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
        match with_body {
            true => sent.add_body(&message.body),
            false => sent.add_identity("r1").unwrap(),
        }
        let report =
            report(audit(store.clone()).dates(dates).expected(Expected::Events(sent))).await;
        assert_eq!((report.missing, report.findings.len()), (0, 0), "{report:?}");
    }
}

/// What says less of an event takes nothing from what is known.
#[tokio::test]
async fn a_repetition_without_a_time_leaves_the_day_of_what_was_sent() {
    for whole_first in [true, false] {
        let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
        if whole_first {
            sent.add_body(&event("r1", 22).body);
        }
        sent.add_body(br#"{"request_id": "r1"}"#);
        sent.add_identity("r1").unwrap();
        if !whole_first {
            sent.add_body(&event("r1", 22).body);
        }
        for (on, count) in [("2026-11-22", 1), ("2026-11-23", 0)] {
            let day = Some(on.parse().unwrap());
            let audit = audit(MemStore::new()).dates(DateRange::new(day, day).unwrap());
            let report = report(audit.expected(Expected::Events(sent.clone()))).await;
            assert_eq!((report.expected, report.missing), (Some(count), count), "{on}");
        }
    }
}

/// During a request that fails again and again, and before the first.
#[tokio::test(start_paused = true)]
async fn audit_and_compaction_end_when_they_are_told_to() {
    for after in [0, 1, 5_000] {
        let after = Duration::from_millis(after);
        let failing = || {
            Faulty::new(MemStore::new(), |call| {
                Some(Error::new(ErrorKind::Transient, call.operation, "on purpose"))
            })
        };
        let (trigger, stop) = Shutdown::new();
        let (began, stops) = (Instant::now(), async {
            sleep(after).await;
            trigger.shutdown();
        });
        let ended = async {
            let compaction = compactor(failing()).run(&stop);
            let (audit, compaction) = tokio::join!(audit(failing()).run(&stop), compaction);
            (audit.is_err(), compaction.is_err(), began.elapsed())
        };
        let (ended, ()) = tokio::join!(ended, stops);
        assert_eq!(ended, (true, true, after));
    }
    let (trigger, stop) = Shutdown::new();
    trigger.shutdown();
    assert!(compactor(books().await).run(&stop).await.is_err());
}

/// Counts the requests that are tried again.
#[derive(Default)]
struct Retries(AtomicU64);

impl Observer for Retries {
    fn retried(&self, _: &Error, entries: usize) {
        self.0.fetch_add(entries as u64, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn each_retry_is_told_by_the_loop_that_was_given() {
    let (retries, failed) = (Arc::new(Retries::default()), Arc::new(AtomicU64::new(0)));
    let weak = async || {
        let failed = Arc::clone(&failed);
        Faulty::new(books().await, move |call| {
            let fails = call.number.is_multiple_of(2);
            failed.fetch_add(u64::from(fails), Ordering::SeqCst);
            fails.then(|| Error::new(ErrorKind::Transient, call.operation, "on purpose"))
        })
    };
    let retry = || Retry::default().observed_by(Arc::clone(&retries) as _);
    let told = || (retries.0.load(Ordering::SeqCst), failed.load(Ordering::SeqCst));
    report(audit(weak().await).retry(retry())).await;
    let (audited, failed) = told();
    assert!(audited > 0 && audited == failed, "{audited} of {failed}");
    let compaction = compactor(weak().await).retry(retry()).run(&Shutdown::never()).await;
    assert!(compaction.unwrap().faults.is_empty());
    let (all, failed) = told();
    assert!(all > audited && all == failed, "{all} of {failed}");
}
