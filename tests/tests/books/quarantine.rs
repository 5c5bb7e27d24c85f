//! Quarantined messages in both forms: in objects of their own, and in the segments of a log.

use std::sync::Arc;

use event_core::maintain::{
    Audit, AuditReport, Compactor, DateRange, Expected, ExpectedEvents, FindingKind, Verdict,
};
use event_core::{Compression, Layout, Message, ObjectStore, Retail, Shutdown, codec};
use event_mem::MemStore;

use crate::odd::Odd;
use crate::support::{
    batch, delete, empty, event, events, keys, put_in_log, put_in_log_below, quarantine, write,
};

fn audit(store: impl ObjectStore) -> Audit {
    Audit::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()))
}

async fn report(audit: Audit) -> AuditReport {
    audit.run(&Shutdown::never()).await.unwrap()
}

fn sent(messages: &[Message]) -> Expected {
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    messages.iter().for_each(|message| sent.add_message(message));
    Expected::Events(sent)
}

fn found(report: &AuditReport) -> Vec<(FindingKind, Vec<String>)> {
    report.findings.iter().map(|finding| (finding.kind, finding.keys.clone())).collect()
}

fn segment(day: u8, slot: u32) -> String {
    format!("quarantine/store_events/dt=2026_11_{day}/{slot:010}.ndjson.zst")
}

/// What has neither a `request_id` nor a day.
fn no_event() -> Message {
    Message::new("no event")
}

/// An event that is stored, three that are quarantined in two segments, and one in an object.
async fn sound() -> (MemStore, Vec<Message>) {
    let store = empty().await;
    let all = [events(&["a", "b", "c", "d"]), vec![no_event()]].concat();
    batch(&store, &all[..1]).await;
    put_in_log(&store, 24, &all[1..3], "bad_msg").await;
    quarantine(&store, &all[3], "bad_msg").await;
    put_in_log(&store, 24, &all[4..], "not_json").await;
    (store, all)
}

#[tokio::test]
async fn both_forms_side_by_side_are_in_the_books() {
    let (store, all) = sound().await;
    let report = report(audit(store).expected(sent(&all))).await;
    assert_eq!((report.verdict, found(&report)), (Verdict::Balanced, vec![]));
    assert_eq!((report.stored.events, report.quarantined.events), (1, 4));
    let reasons = [("bad_msg".to_owned(), 3), ("not_json".to_owned(), 1)];
    assert_eq!(report.quarantined.reasons, reasons.into());
}

/// Sent again on another day, or for another reason, in whichever form.
#[tokio::test]
async fn a_message_that_is_there_twice_counts_once() {
    let (store, all) = sound().await;
    put_in_log(&store, 25, &all[1..], "bad_msg").await;
    quarantine(&store, &all[1], "bad_msg").await;
    let report = report(audit(store).expected(sent(&all))).await;
    assert_eq!((report.verdict, found(&report)), (Verdict::Balanced, vec![]));
    assert_eq!(report.quarantined.events, 4);
    // One was there for another reason before.
    let reasons = [("bad_msg".to_owned(), 4), ("not_json".to_owned(), 1)];
    assert_eq!(report.quarantined.reasons, reasons.into());
}

/// What differs in an attribute is another message, if not another event.
#[tokio::test]
async fn messages_that_differ_in_an_attribute_count_as_two() {
    let (store, all) = sound().await;
    let other = all[1].clone().with_attribute("trace", "x");
    put_in_log(&store, 24, &[other], "bad_msg").await;
    let report = report(audit(store).expected(sent(&all))).await;
    assert_eq!((report.verdict, report.quarantined.events), (Verdict::Balanced, 4));
    assert_eq!(report.quarantined.reasons["bad_msg"], 4);
}

/// A message has the day of its event; without one, that on which the queue accepted it.
#[tokio::test]
async fn a_message_counts_on_its_own_day_and_else_on_that_of_its_segment() {
    let (store, all) = sound().await;
    put_in_log(&store, 25, &all[4..], "not_json").await;
    let on = |day: &str| Some(day.parse().unwrap());
    for (day, events, reason) in [
        ("2026-11-22", 3, Some("bad_msg")),
        ("2026-11-23", 0, None),
        ("2026-11-24", 1, Some("not_json")),
        ("2026-11-25", 1, Some("not_json")),
    ] {
        let dates = DateRange::new(on(day), on(day)).unwrap();
        let report = report(audit(store.clone()).dates(dates)).await;
        assert_eq!(report.quarantined.events, events, "{day}");
        let reasons: Vec<_> = report.quarantined.reasons.keys().map(String::as_str).collect();
        assert_eq!(reasons, reason.into_iter().collect::<Vec<_>>(), "{day}");
    }
}

#[tokio::test]
async fn a_segment_that_is_missing_is_found_with_what_it_held() {
    for (missing, lost) in [(0, 2), (1, 1)] {
        let (store, mut all) = sound().await;
        put_in_log(&store, 24, &events(&["e"]), "bad_msg").await;
        all.extend(events(&["e"]));
        delete(&store, &segment(24, missing)).await;
        let report = report(audit(store).expected(sent(&all))).await;
        assert_eq!((report.verdict, report.missing), (Verdict::Unbalanced, lost));
        let gap = (FindingKind::SlotGap, vec![segment(24, missing + 1)]);
        assert!(found(&report).contains(&gap), "{report:?}");
    }
}

/// Each day is a log of its own, that begins with slot 0.
#[tokio::test]
async fn the_log_of_each_day_is_looked_at_by_itself() {
    let (store, mut all) = sound().await;
    for (day, id) in [(25, "e"), (26, "f")] {
        put_in_log(&store, day, &events(&[id]), "bad_msg").await;
        all.extend(events(&[id]));
    }
    let sound = report(audit(store.clone()).expected(sent(&all))).await;
    assert_eq!((sound.verdict, found(&sound)), (Verdict::Balanced, vec![]));
    put_in_log(&store, 26, &events(&["g"]), "bad_msg").await;
    delete(&store, &segment(26, 0)).await;
    let report = report(audit(store)).await;
    assert_eq!(found(&report), [(FindingKind::SlotGap, vec![segment(26, 1)])]);
}

/// A listing need not be of one moment.
#[tokio::test]
async fn a_segment_that_no_listing_has_is_read() {
    let (store, all) = sound().await;
    let odd = Odd { hidden: Some(segment(24, 0)), ..Odd::from(&store) };
    let report = report(audit(odd).expected(sent(&all))).await;
    assert_eq!((report.verdict, found(&report)), (Verdict::Balanced, vec![]));
}

#[tokio::test]
async fn what_is_damaged_is_named_and_the_rest_is_counted() {
    let zstd = |lines: String| Compression::Zstd.compress(lines.into_bytes()).unwrap();
    let line = |message: &Message| String::from_utf8(codec::encode_line(message)).unwrap();
    let no_reason = zstd(line(&no_event()));
    for (damage, finding) in [
        ("no zstd".into(), FindingKind::Unreadable),
        (zstd("{}\n".to_owned()), FindingKind::Unreadable),
        (no_reason, FindingKind::Unreadable),
    ] {
        let (store, _) = sound().await;
        write(&store, &segment(24, 0), damage).await;
        let report = report(audit(store)).await;
        assert_eq!(found(&report), [(finding, vec![segment(24, 0)])]);
        assert_eq!((report.verdict, report.quarantined.events), (Verdict::Unbalanced, 2));
    }
    let (store, _) = sound().await;
    let key = segment(24, 0).replace(".zst", "");
    write(&store, &key, "{\"reason\": \"x\", \"body\": \"y\"}\n").await;
    let report = report(audit(store)).await;
    assert_eq!(found(&report), [(FindingKind::Foreign, vec![key])]);
    assert_eq!((report.verdict, report.quarantined.events), (Verdict::Unbalanced, 4));
}

#[tokio::test]
async fn what_is_in_no_slot_is_named() {
    for name in ["dt=2026_11_24/0.ndjson.zst", "dt=2026_11_24/x", "dt=today/0000000000.ndjson.zst"]
    {
        let (store, _) = sound().await;
        let key = format!("quarantine/store_events/{name}");
        write(&store, &key, "{}").await;
        let report = report(audit(store)).await;
        assert_eq!(found(&report), [(FindingKind::Unreadable, vec![key])]);
    }
}

#[tokio::test]
async fn an_object_whose_line_has_another_reason_than_its_key_is_named() {
    let (store, _) = sound().await;
    let key = keys(&store, "quarantine/store_events/reason=").await.remove(0);
    let other = key.replace("bad_msg", "refused");
    let line = store.get(&key).await.unwrap().unwrap();
    write(&store, &other, line).await;
    let report = report(audit(store)).await;
    assert_eq!(found(&report), [(FindingKind::Unreadable, vec![other])]);
}

#[tokio::test]
async fn the_log_of_one_prefix_is_in_the_books_of_no_other() {
    const PREFIXES: [&str; 5] = ["a", "a/b", "a/dt", "b", "a/x=1"];
    let (store, layout) = (MemStore::new(), |prefix| Layout::new(prefix).unwrap());
    for prefix in PREFIXES {
        put_in_log_below(&store, layout(prefix), 24, &[event(prefix, 22)], "bad_msg").await;
    }
    for prefix in PREFIXES {
        let schema = Arc::new(Retail::default());
        let audit = Audit::new(Arc::new(store.clone()), layout(prefix), schema);
        let report = report(audit.expected(sent(&[event(prefix, 22)]))).await;
        assert_eq!((report.verdict, found(&report)), (Verdict::Balanced, vec![]), "{prefix}");
        assert_eq!(report.quarantined.events, 1, "{prefix}");
    }
}

#[tokio::test]
async fn a_compaction_leaves_the_quarantine_as_it_is() {
    let (store, _) = sound().await;
    let before = keys(&store, "quarantine/").await;
    let schema = Arc::new(Retail::default());
    let compactor = Compactor::new(Arc::new(store.clone()), Layout::default(), schema);
    let report = compactor.run(&Shutdown::never()).await.unwrap();
    assert!(report.faults.is_empty(), "{report:?}");
    assert_eq!(keys(&store, "quarantine/").await, before);
    assert_eq!(keys(&store, "compacted/quarantine").await, [""; 0]);
}

/// What was never sent is named with the segment that holds it, once.
#[tokio::test]
async fn what_was_never_sent_is_named_with_its_segment() {
    let (store, all) = sound().await;
    let other = Message { body: format!("{} ", body(&all[1])).into(), ..all[1].clone() };
    put_in_log(&store, 25, &[all[1].clone(), other], "conflict").await;
    let sent = sent(&[&all[..1], &all[2..]].concat());
    let report = report(audit(store).expected(sent)).await;
    let keys = vec![segment(24, 0), segment(25, 0)];
    assert_eq!(found(&report), [(FindingKind::NeverSent, keys)]);
}

fn body(message: &Message) -> &str {
    std::str::from_utf8(&message.body).unwrap()
}
