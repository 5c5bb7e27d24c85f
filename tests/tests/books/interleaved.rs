//! Two programs on one store: the second runs, or gets some way, just before each request of the
//! first.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use event_core::maintain::{
    Audit, AuditReport, Compactor, Expected, ExpectedEvents, FindingKind, Verdict,
};
use event_core::{Depth, Error, ErrorKind, Layout, ObjectStore, Result, Retail, Shutdown};
use event_mem::MemStore;
use event_tests::Meanwhile;
use futures_util::future::BoxFuture;

use crate::support::{batch, delete, empty, events, keys, quarantine, singly};

const IDS: [&str; 3] = ["a", "b", "c"];

/// What happens meanwhile, once.
type Step = Arc<dyn Fn(MemStore) -> BoxFuture<'static, ()> + Send + Sync>;

/// The store for the first program, before whose request of this number the step is made; and
/// whether that came.
fn meanwhile(store: &MemStore, number: u64, step: &Step) -> (Meanwhile<MemStore>, Arc<AtomicBool>) {
    let came = Arc::new(AtomicBool::new(false));
    let (inner, comes, step) = (store.clone(), Arc::clone(&came), Arc::clone(step));
    let store = Meanwhile::new(store.clone(), move |request| {
        let now = request.number == number;
        let step = now.then(|| step(inner.clone()));
        comes.fetch_or(now, Ordering::SeqCst);
        Box::pin(async move {
            if let Some(step) = step {
                step.await;
            }
            Ok(())
        })
    });
    (store, came)
}

fn compactor(store: impl ObjectStore) -> Compactor {
    Compactor::new(Arc::new(store), Layout::default(), Arc::new(Retail::default())).target_bytes(1)
}

/// A compaction that is cut off before its request of this number.
fn compacts(until: u64) -> Step {
    Arc::new(move |store| {
        let cut_off = Meanwhile::new(store, move |request| {
            let ends = request.number >= until;
            let error = || Error::new(ErrorKind::Denied, request.operation, "on purpose");
            let outcome = if ends { Err(error()) } else { Ok(()) };
            Box::pin(async { outcome })
        });
        Box::pin(async move {
            let compaction = compactor(cut_off).run(&Shutdown::never()).await;
            assert!(compaction.is_ok_and(|report| report.faults.is_empty()) || until < u64::MAX);
        })
    })
}

async fn audit(store: impl ObjectStore, ids: &[&str], waiting: u64) -> AuditReport {
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    ids.iter().for_each(|id| sent.add_identity(id).unwrap());
    let audit = Audit::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()));
    let queue = Depth { visible: waiting, ..Depth::default() };
    let audit = audit.expected(Expected::Events(sent)).queues(queue, Depth::default());
    audit.run(&Shutdown::never()).await.unwrap()
}

/// A partition of three segments.
async fn three() -> MemStore {
    let store = empty().await;
    for id in IDS {
        batch(&store, &events(&[id])).await;
    }
    store
}

/// How many requests there were, each with the step before it.
async fn audits_during(step: &Step, mut check: impl AsyncFnMut(AuditReport, MemStore, u64)) -> u64 {
    for number in 0.. {
        let store = three().await;
        let (watched, came) = meanwhile(&store, number, step);
        let report = audit(watched, &IDS, 0).await;
        if !came.load(Ordering::SeqCst) {
            return number;
        }
        check(report, store, number).await;
    }
    unreachable!("an audit ends")
}

/// Whatever it sees of it: an object has its claim, and a claim may want its object.
fn is_sound(report: &AuditReport, when: &str) {
    assert_eq!((report.verdict, report.missing), (Verdict::Balanced, 0), "{when}: {report:?}");
    let odd = |kind: &FindingKind| *kind != FindingKind::OpenClaim;
    assert!(!report.counts.keys().any(odd), "{when}: {report:?}");
}

#[tokio::test(start_paused = true)]
async fn an_audit_finds_no_fault_while_a_compaction_runs() {
    let mut seen = [false; 2];
    let step = compacts(u64::MAX);
    let requests = audits_during(&step, async |report, store, number| {
        is_sound(&report, &format!("a compaction before request {number}"));
        seen[usize::from(report.stored.compacted > 0)] = true;
        assert_eq!(keys(&store, "compacted/store_events").await.len(), 3);
    });
    assert!(requests.await > 10);
    assert_eq!(seen, [true; 2], "it was before the audit looked, and after it");
}

/// It made a claim without its object, or some and not all.
#[tokio::test(start_paused = true)]
async fn an_audit_finds_no_fault_while_a_compaction_is_cut_off() {
    let mut has_open_claim = false;
    // Of the lists and the looks before the first claim nothing is left.
    for until in 0.. {
        let store = three().await;
        compacts(until)(store.clone()).await;
        let made = keys(&store, "compacted/").await.len();
        if made > 0 {
            let step = compacts(until);
            let during = audits_during(&step, async |report, _, number| {
                is_sound(&report, &format!("{until} requests before request {number}"));
                has_open_claim |= report.counts.contains_key(&FindingKind::OpenClaim);
            });
            during.await;
        }
        if made == 2 * IDS.len() {
            break;
        }
    }
    assert!(has_open_claim);
}

/// What leaves quarantine is stored by then: it is looked for first where it comes from.
#[tokio::test(start_paused = true)]
async fn an_audit_misses_nothing_that_is_sent_again_out_of_quarantine() {
    let step: Step = Arc::new(|store| {
        Box::pin(async move {
            batch(&store, &events(&["q"])).await;
            let key = keys(&store, "quarantine/").await.remove(0);
            delete(&store, &key).await;
        })
    });
    let ids = ["a", "b", "c", "q"];
    for number in 0.. {
        let store = three().await;
        quarantine(&store, &events(&["q"])[0], "refused").await;
        let (watched, came) = meanwhile(&store, number, &step);
        let report = audit(watched, &ids, 0).await;
        if !came.load(Ordering::SeqCst) {
            assert!(number > 10, "{number} requests");
            break;
        }
        // It may be told that the message was listed and is gone, and by no means lost.
        let gone = |kind: &FindingKind| *kind == FindingKind::Unreadable;
        if report.counts.keys().any(gone) {
            assert!(report.missing <= 1 && number < 3, "before request {number}: {report:?}");
            continue;
        }
        is_sound(&report, &format!("before request {number}"));
    }
}

/// What is on the queue when the audit starts may be stored before it ends.
#[tokio::test(start_paused = true)]
async fn an_audit_finds_no_fault_while_an_event_comes() {
    let segment: Step =
        Arc::new(|store| Box::pin(async move { batch(&store, &events(&["d"])).await }));
    let alone: Step =
        Arc::new(|store| Box::pin(async move { singly(&store, &events(&["d"])).await }));
    let ids = ["a", "b", "c", "d"];
    for step in [segment, alone] {
        let mut seen = [false; 2];
        for number in 0.. {
            let store = three().await;
            let (watched, came) = meanwhile(&store, number, &step);
            let report = audit(watched, &ids, 1).await;
            if !came.load(Ordering::SeqCst) {
                break;
            }
            assert!(!report.counts.keys().any(|kind| kind.is_fault()), "{number}: {report:?}");
            let expected = if report.missing > 0 { Verdict::Open } else { Verdict::Balanced };
            assert_eq!(report.verdict, expected, "{number}: {report:?}");
            seen[usize::from(report.missing > 0)] = true;
        }
        assert_eq!(seen, [true; 2]);
    }
}

/// Of two compactions, one in each moment of the other, none finds a fault, and in the end each event
/// is merged once.
#[tokio::test(start_paused = true)]
async fn a_compaction_within_each_moment_of_another_is_none_of_its_faults() {
    let stops = [u64::MAX, 9, 11, 13, 15];
    for until in stops {
        // The sizes differ, so what one claims is not what the other would have claimed.
        for target_bytes in [1, 400, u64::MAX] {
            let step = compacts(until);
            for number in 0.. {
                let store = three().await;
                let (watched, came) = meanwhile(&store, number, &step);
                let outer = compactor(watched).target_bytes(target_bytes);
                let report = outer.run(&Shutdown::never()).await.unwrap();
                let when = format!("{until} requests before request {number} of {target_bytes}");
                assert!(report.faults.is_empty(), "{when}: {report:?}");
                let after = audit(store.clone(), &IDS, 0).await;
                is_sound(&after, &when);
                assert!(after.counts.is_empty(), "{when}: {after:?}");
                assert_eq!(merged(&store).await.unwrap(), IDS, "{when}");
                if !came.load(Ordering::SeqCst) {
                    break;
                }
            }
        }
    }
}

/// The identities of all merged events, in order.
async fn merged(store: &MemStore) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for key in keys(store, "compacted/store_events/").await {
        let object = store.get(&key).await?.unwrap();
        let compression = event_core::Compression::of_key(&key).unwrap();
        let lines = compression.decompress(object)?;
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let event: serde_json::Value = serde_json::from_slice(line).unwrap();
            ids.push(event["request_id"].as_str().unwrap().to_owned());
        }
    }
    ids.sort();
    Ok(ids)
}
