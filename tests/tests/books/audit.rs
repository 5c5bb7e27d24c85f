//! The audit, on sound books and on books with a fault planted.

use std::sync::Arc;

use event_core::maintain::{
    Audit, AuditReport, DateRange, Expected, ExpectedEvents, FindingKind, Verdict,
};
use event_core::{Depth, Error, ErrorKind, Layout, Retail, Shutdown};
use event_mem::MemStore;
use event_tests::Faulty;

use crate::odd::Odd;
use crate::support::{
    SALES, batch, delete, empty, event, events, keys, quarantine, read, singly, write,
};

fn audit(store: &MemStore) -> Audit {
    Audit::new(Arc::new(store.clone()), Layout::default(), Arc::new(Retail::default()))
}

async fn report(audit: Audit) -> AuditReport {
    audit.run(&Shutdown::never()).await.unwrap()
}

fn sent(request_ids: &[&str]) -> Expected {
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    request_ids.iter().for_each(|id| sent.add_identity(id).unwrap());
    Expected::Events(sent)
}

fn depth(visible: u64) -> Depth {
    Depth { visible, ..Depth::default() }
}

/// Six events: four in two batches of one day, one of the next day alone, one in quarantine.
async fn sound() -> MemStore {
    let store = empty().await;
    batch(&store, &events(&["a", "b"])).await;
    batch(&store, &events(&["c", "d"])).await;
    singly(&store, &[event("e", 23)]).await;
    quarantine(&store, &event("f", 22), "bad_msg").await;
    store
}

const ALL: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// What is found where the six events were sent, in an order of its own.
async fn found(store: &MemStore) -> Vec<(FindingKind, Vec<String>)> {
    let report = report(audit(store).expected(sent(&ALL))).await;
    let faults = report.findings.iter().any(|finding| finding.kind.is_fault());
    let balanced = !faults && report.missing == 0;
    assert_eq!(report.verdict == Verdict::Balanced, balanced, "{report:?}");
    let counted: u64 = report.counts.values().sum();
    assert_eq!(counted, report.findings.len() as u64, "{report:?}");
    report.findings.into_iter().map(|finding| (finding.kind, finding.keys)).collect()
}

fn data(name: &str) -> String {
    format!("{SALES}/{name}")
}

fn segment(slot: u64) -> String {
    data(&format!("{slot:010}.ndjson"))
}

#[tokio::test]
async fn sound_books_balance_in_both_layouts_side_by_side() {
    let store = sound().await;
    singly(&store, &events(&["g"])).await;
    let all = ["a", "b", "c", "d", "e", "f", "g"];
    for sent in [sent(&all), Expected::Count(7), Expected::Unknown] {
        let known = !matches!(sent, Expected::Unknown);
        let report = report(audit(&store).expected(sent)).await;
        assert_eq!((report.verdict, report.findings), (Verdict::Balanced, vec![]));
        assert_eq!(report.expected, known.then_some(7));
        let stored = report.stored;
        assert_eq!((stored.partitions, stored.objects, stored.records), (2, 4, 6));
        assert_eq!(stored.events, 6);
        assert_eq!(report.quarantined.events, 1);
        assert_eq!(report.quarantined.reasons["bad_msg"], 1);
    }
}

#[tokio::test]
async fn a_store_without_anything_is_not_taken_for_balanced_books() {
    let store = MemStore::new();
    let mut others = ExpectedEvents::new(Arc::new(Retail::default()));
    others.add_body(&event("a", 22).body);
    let day = Some("2026-11-23".parse().unwrap());
    let days = DateRange::new(day, day).unwrap();
    for (sent, books, missing) in [
        (Expected::Unknown, Verdict::Empty, 0),
        (Expected::Count(0), Verdict::Balanced, 0),
        (Expected::Count(1), Verdict::Unbalanced, 1),
        (Expected::Events(others), Verdict::Empty, 0),
    ] {
        for queue in [0, 7] {
            let audit = audit(&store).dates(days).expected(sent.clone());
            let report = report(audit.queues(depth(queue), depth(0))).await;
            let books = if missing > 0 && queue > 0 { Verdict::Open } else { books };
            assert_eq!((report.verdict, report.missing), (books, missing), "{report:?}");
        }
    }
    // What is there of other days is not what is looked at; what is beside it is something.
    let sound = sound().await;
    let late = Some("2027-01-01".parse().unwrap());
    let late = || DateRange::new(late, None).unwrap();
    assert_eq!(report(audit(&sound).dates(late())).await.verdict, Verdict::Empty);
    quarantine(&sound, &event("g", 22), "bad_msg").await;
    let quarantined = Audit::new(
        Arc::new(sound.clone()),
        Layout::new("other").unwrap(),
        Arc::new(Retail::default()),
    );
    assert_eq!(report(quarantined).await.verdict, Verdict::Empty);
    for (key, body) in [("store_events/stray", "x"), ("quarantine/store_events/stray", "x")] {
        let store = MemStore::new();
        write(&store, key, body).await;
        assert_eq!(report(audit(&store)).await.verdict, Verdict::Unbalanced, "{key}");
    }
    let store = MemStore::new();
    quarantine(&store, &event("g", 22), "bad_msg").await;
    assert_eq!(report(audit(&store)).await.verdict, Verdict::Balanced);
}

#[tokio::test]
async fn a_day_has_books_of_its_own() {
    let store = sound().await;
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    for (id, day) in [("a", 22), ("b", 22), ("c", 22), ("d", 22), ("e", 23), ("f", 22), ("x", 24)] {
        sent.add_body(&event(id, day).body);
    }
    let day = |day| Some(format!("2026-11-{day}").parse().unwrap());
    for (from, to, count, missing) in [(22, 22, 5, 0), (23, 23, 1, 0), (23, 24, 2, 1)] {
        let audit = audit(&store).dates(DateRange::new(day(from), day(to)).unwrap());
        let report = report(audit.expected(Expected::Events(sent.clone()))).await;
        assert_eq!((report.expected, report.missing), (Some(count), missing), "{report:?}");
        assert_eq!(report.verdict == Verdict::Balanced, missing == 0, "{report:?}");
    }
}

#[tokio::test]
async fn an_event_that_is_lost_is_named() {
    let store = sound().await;
    delete(&store, "store_events/event_type=sale_event/dt=2026_11_23/e.json").await;
    let report = report(audit(&store).expected(sent(&ALL))).await;
    assert_eq!((report.verdict, report.missing), (Verdict::Unbalanced, 1));
    assert_eq!(report.findings.len(), 1);
    assert!(report.findings[0].to_string().starts_with("missing: e was sent"), "{report:?}");
}

#[tokio::test]
async fn what_is_missing_may_be_on_the_queue() {
    let store = sound().await;
    delete(&store, "store_events/event_type=sale_event/dt=2026_11_23/e.json").await;
    for (queue, dead, books) in [
        (0, 0, Verdict::Unbalanced),
        (0, 1, Verdict::Balanced),
        (1, 0, Verdict::Open),
        (2, 1, Verdict::Open),
    ] {
        for sent in [sent(&ALL), Expected::Count(6)] {
            let audit = audit(&store).expected(sent).queues(depth(queue), depth(dead));
            let told = report(audit).await;
            assert_eq!(told.verdict, books, "{queue} {dead}");
            assert_eq!((told.on_the_way, told.dead_lettered), (Some(queue), Some(dead)));
        }
    }
}

#[tokio::test]
async fn a_record_that_was_never_sent_is_named() {
    let store = sound().await;
    singly(&store, &events(&["x"])).await;
    assert_eq!(found(&store).await, [(FindingKind::NeverSent, vec![data("x.json")])]);
    quarantine(&store, &event("y", 22), "bad_msg").await;
    let quarantined = keys(&store, "quarantine/").await;
    let found = found(&store).await;
    assert_eq!(found.len(), 2);
    assert!(found.iter().any(|(_, keys)| quarantined.contains(&keys[0])), "{found:?}");
    let report = report(audit(&store).expected(Expected::Count(6))).await;
    assert_eq!((report.verdict, report.counts[&FindingKind::NeverSent]), (Verdict::Unbalanced, 1));
}

#[tokio::test]
async fn what_cannot_be_read_is_found_and_ends_nothing() {
    let store = sound().await;
    delete(&store, &segment(0)).await;
    write(&store, &data("0000000000.ndjson.zst"), "not zstd").await;
    for key in keys(&store, "quarantine/").await {
        write(&store, &key, "{").await;
    }
    let report = report(audit(&store)).await;
    assert_eq!(report.counts[&FindingKind::Unreadable], 2, "{report:?}");
    assert_eq!(report.stored.records, 3, "{report:?}");
}

#[tokio::test]
async fn slots_without_a_segment_are_found() {
    for missing in [0, 1] {
        let store = sound().await;
        batch(&store, &events(&["x"])).await;
        delete(&store, &segment(missing)).await;
        let found = found(&store).await;
        let after = (FindingKind::SlotGap, vec![segment(missing + 1)]);
        assert!(found.contains(&after), "{found:?}");
    }
    let store = sound().await;
    let lines = read(&store, &segment(1)).await;
    write(&store, &segment(4_294_967_294), lines).await;
    assert_eq!(report(audit(&store)).await.counts[&FindingKind::SlotGap], 1);
}

#[tokio::test]
async fn a_second_segment_in_a_slot_is_found() {
    let store = sound().await;
    let key = data("0000000001.ndjson.gz");
    write(&store, &key, "not gzip").await;
    let expected =
        [(FindingKind::Foreign, vec![key.clone()]), (FindingKind::Unreadable, vec![key])];
    assert_eq!(found(&store).await, expected);
}

#[tokio::test]
async fn an_event_in_two_records_is_named_with_both() {
    // In one partition and two slots, and in both layouts.
    let twice = sound().await;
    let line = read(&twice, &segment(1)).await;
    write(&twice, &segment(2), line).await;
    let keys = [1, 2].map(segment).to_vec();
    let both = (FindingKind::Duplicate, keys);
    assert_eq!(found(&twice).await, [both.clone(), both]);

    let layouts = sound().await;
    singly(&layouts, &events(&["c"])).await;
    let both = (FindingKind::Duplicate, vec![segment(1), data("c.json")]);
    assert_eq!(found(&layouts).await, [both]);
}

#[tokio::test]
async fn what_is_no_event_of_its_place_is_found() {
    for (name, body) in [
        ("event_type=sale_event/dt=2026_11_22/g.json", "no event".into()),
        ("event_type=sale_event/dt=2026_11_22/notes.txt", "no event".into()),
        ("event_type=sale_event/dt=2026_11_24/e.json", event("a", 22).body),
        ("event_type=other/dt=2026_11_22/e.json", event("a", 22).body),
        ("stray", "no event".into()),
    ] {
        let store = sound().await;
        let key = format!("store_events/{name}");
        write(&store, &key, body).await;
        let found = found(&store).await;
        assert!(found.contains(&(FindingKind::Foreign, vec![key])), "{name}: {found:?}");
    }
    let store = sound().await;
    write(&store, "store_events/_self_test/x", "x").await;
    assert_eq!(found(&store).await, []);
}

#[tokio::test]
async fn what_is_in_the_wrong_place_is_found() {
    let store = sound().await;
    let key = segment(0).replace("11_22", "11_24");
    let object = read(&store, &segment(1)).await;
    delete(&store, &segment(1)).await;
    write(&store, &key, object).await;
    let foreign = (FindingKind::Foreign, vec![key]);
    assert_eq!(found(&store).await, [foreign.clone(), foreign]);

    let store = sound().await;
    let key = keys(&store, "quarantine/").await.remove(0);
    let message = read(&store, &key).await;
    delete(&store, &key).await;
    let (before, name) = key.rsplit_once('/').unwrap();
    let other = if name.starts_with('0') { "1" } else { "0" };
    let elsewhere = format!("{before}/{other}{}", &name[1..]);
    write(&store, &elsewhere, message).await;
    assert!(found(&store).await.contains(&(FindingKind::Unreadable, vec![elsewhere])));
}

#[tokio::test]
async fn findings_are_counted_and_the_first_are_listed() {
    let sent: Vec<_> = (0..250).map(|number| format!("r{number}")).collect();
    let sent: Vec<_> = sent.iter().map(String::as_str).collect();
    let audit = audit(&MemStore::new()).expected(self::sent(&sent));
    let report = report(audit).await;
    assert_eq!((report.missing, report.counts[&FindingKind::Missing]), (250, 250));
    assert_eq!(report.findings.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn what_heals_by_itself_is_no_finding_and_what_does_not_is_an_error() {
    let failing = |kind, every| {
        move |call: event_tests::Call| {
            call.number
                .is_multiple_of(every)
                .then(|| Error::new(kind, call.operation, "on purpose"))
        }
    };
    for (kind, every, heals) in [
        (ErrorKind::Transient, 2, true),
        (ErrorKind::Transient, 1, false),
        (ErrorKind::Denied, 2, false),
    ] {
        let store = Faulty::new(sound().await, failing(kind, every));
        let audit = Audit::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()))
            .expected(sent(&ALL));
        match audit.run(&Shutdown::never()).await {
            Ok(report) => assert!(heals && report.verdict == Verdict::Balanced, "{report:?}"),
            Err(error) => assert!(!heals && error.kind() == kind, "{error}"),
        }
    }
}

#[tokio::test]
async fn an_interrupted_audit_says_nothing_of_the_books() {
    let (trigger, stop) = Shutdown::new();
    trigger.shutdown();
    assert!(audit(&sound().await).run(&stop).await.is_err());
}

#[tokio::test]
async fn an_audit_can_be_spawned() {
    let audit = audit(&sound().await);
    let task = tokio::spawn(async move { audit.run(&Shutdown::never()).await });
    assert_eq!(task.await.unwrap().unwrap().verdict, Verdict::Balanced);
}

/// A listing of a directory is not of one moment: it may have what came later, and not what came
/// before that.
#[tokio::test]
async fn a_segment_that_a_listing_missed_is_no_gap() {
    let store = sound().await;
    batch(&store, &events(&["g"])).await;
    let odd = Odd { hidden: Some(segment(1)), ..Odd::from(&store) };
    let sent = sent(&["a", "b", "c", "d", "e", "f", "g"]);
    let audit =
        Audit::new(Arc::new(odd), Layout::default(), Arc::new(Retail::default())).expected(sent);
    let report = report(audit).await;
    assert_eq!((report.verdict, report.findings), (Verdict::Balanced, vec![]));
}
