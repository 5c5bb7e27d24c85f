//! The audit and the compaction, held against what any books were made of; by stores that answer
//! in any order and in pages of any size.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event_core::maintain::{
    Audit, AuditReport, Compactor, DateRange, Expected, ExpectedEvents, FindingKind, Verdict,
};
use event_core::{Compression, Layout, Message, ObjectStore, Retail, Shutdown};
use event_mem::MemStore;
use event_tests::AnyOrder;
use fastrand::Rng;

use crate::made::{DAYS, Known, books, sale};
use crate::support::{SALES, batch, delete, empty, keys, quarantine, singly, write};

fn dates(rng: &mut Rng) -> DateRange {
    let mut day = || (rng.bool()).then(|| DAYS[rng.usize(..3)].parse().unwrap());
    DateRange::new(day(), day()).unwrap_or_default()
}

fn sent(events: &[Known], rng: &mut Rng) -> Expected {
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    for event in events.iter().filter(|event| event.sent) {
        // Once or more often, in any of the forms.
        for _ in 0..rng.u8(1..3) {
            sent.add_body(&event.message(rng.u8(1..4)).body);
        }
        if rng.bool() {
            sent.add_identity(&event.id).unwrap();
        }
    }
    Expected::Events(sent)
}

async fn report(store: impl ObjectStore, dates: DateRange, sent: &Expected) -> AuditReport {
    let audit = Audit::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()))
        .dates(dates)
        .expected(sent.clone());
    audit.run(&Shutdown::never()).await.unwrap()
}

/// What must be found of events on these days: each kind with the keys that it is about.
fn expected(events: &[Known], dates: DateRange) -> Vec<(FindingKind, Vec<String>)> {
    let mut found = Vec::new();
    for event in events.iter().filter(|event| event.is_on(dates)) {
        let quarantined = event.quarantined.iter().map(|(key, _)| key.clone());
        let places: Vec<_> = event.records.iter().cloned().chain(quarantined).collect();
        if event.records.len() > 1 {
            found.push((FindingKind::Duplicate, event.records.clone()));
        }
        if event.sent && places.is_empty() {
            found.push((FindingKind::Missing, Vec::new()));
        }
        if !event.sent && !places.is_empty() {
            found.push((FindingKind::NeverSent, places));
        }
    }
    found.iter_mut().for_each(|(_, keys)| keys.sort());
    found.sort();
    found
}

#[tokio::test]
async fn an_audit_counts_what_any_books_are_made_of() {
    for seed in 0..60 {
        let rng = &mut Rng::with_seed(seed);
        let (store, events) = books(rng).await;
        let (dates, sent) = (dates(rng), sent(&events, rng));
        let report = report(store, dates, &sent).await;
        let on = || events.iter().filter(|event| event.is_on(dates));
        let stored = || on().filter(|event| !event.records.is_empty());
        let quarantined =
            on().filter(|event| event.records.is_empty() && !event.quarantined.is_empty());
        let mut reasons = BTreeMap::new();
        for (_, reason) in on().flat_map(|event| &event.quarantined) {
            *reasons.entry((*reason).to_owned()).or_insert(0) += 1;
        }
        let objects: BTreeSet<_> = stored().flat_map(|event| &event.records).collect();
        let records: usize = stored().map(|event| event.records.len()).sum();
        let found = &report.stored;
        assert_eq!(found.events, stored().count() as u64, "seed {seed}");
        assert_eq!(found.records, records as u64, "seed {seed}");
        assert_eq!(found.objects, objects.len() as u64, "seed {seed}");
        assert_eq!(report.quarantined.events, quarantined.count() as u64, "seed {seed}");
        assert_eq!(report.quarantined.reasons, reasons, "seed {seed}");
        assert_eq!(report.expected, Some(on().filter(|event| event.sent).count() as u64));

        let expected = expected(&events, dates);
        let mut found: Vec<_> =
            report.findings.iter().map(|finding| (finding.kind, finding.keys.clone())).collect();
        found.iter_mut().for_each(|(_, keys)| keys.sort());
        found.sort();
        assert_eq!(found, expected, "seed {seed}");
        let missing = expected.iter().filter(|(kind, _)| *kind == FindingKind::Missing).count();
        assert_eq!(report.missing, missing as u64, "seed {seed}");
        let balanced = expected.is_empty();
        assert_eq!(report.verdict == Verdict::Balanced, balanced, "seed {seed}");
    }
}

/// By its number alone: what is stored twice, or stored and in quarantine, counts once.
#[tokio::test]
async fn an_audit_by_number_counts_each_event_once() {
    for seed in 0..30 {
        let rng = &mut Rng::with_seed(seed);
        let (store, events) = books(rng).await;
        let dates = dates(rng);
        let there = events.iter().filter(|event| {
            event.is_on(dates) && !(event.records.is_empty() && event.quarantined.is_empty())
        });
        let there = there.count() as u64;
        for (sent, missing) in [(there, 0), (there + 1, 1), (there + 20, 20)] {
            let report = report(store.clone(), dates, &Expected::Count(sent)).await;
            assert_eq!((report.missing, report.expected), (missing, Some(sent)), "seed {seed}");
            assert!(!report.counts.contains_key(&FindingKind::NeverSent), "seed {seed}");
        }
        if there > 0 {
            let report = report(store, dates, &Expected::Count(there - 1)).await;
            assert_eq!(report.counts[&FindingKind::NeverSent], 1, "seed {seed}");
        }
    }
}

/// Damages a few objects or many, as a hand or a disk does.
async fn damage(store: &MemStore, rng: &mut Rng) {
    let most = if rng.bool() { 5 } else { 20 };
    for _ in 0..rng.u8(..most) {
        let keys = keys(store, "").await;
        let key = &keys[rng.usize(..keys.len())];
        match rng.u8(..5) {
            0 => delete(store, key).await,
            4 => repeat(store, rng).await,
            1 => write(store, key, "").await,
            2 => write(store, key, "{}\n").await,
            _ => {
                let other = store.get(&keys[rng.usize(..keys.len())]).await.unwrap().unwrap();
                write(store, key, other).await;
            }
        }
    }
}

/// Stores a segment once more, in the next slot of its partition.
async fn repeat(store: &MemStore, rng: &mut Rng) {
    let mut segments = keys(store, "store_events/event_type").await;
    segments.retain(|key| key.ends_with(".ndjson"));
    let Some(segment) = segments.get(rng.usize(..=segments.len())) else { return };
    let (partition, _) = segment.rsplit_once('/').unwrap();
    let next = segments.iter().filter(|key| key.starts_with(partition)).count();
    let object = store.get(segment).await.unwrap().unwrap();
    write(store, &format!("{partition}/{next:010}.ndjson"), object).await;
}

/// What has no `request_id` goes by its bytes, each of them.
#[tokio::test]
async fn messages_that_differ_in_a_byte_count_as_many() {
    let store = MemStore::new();
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    let bodies =
        ["no json", "No json", "no json ", " no json", "{}", "{} ", "{ }", "[]", "n\u{f3}"];
    for body in bodies {
        sent.add_body(body.as_bytes());
        quarantine(&store, &Message::new(body), "not_json").await;
        // For another reason, or with an attribute, it is the same body.
        quarantine(&store, &Message::new(body), "refused").await;
        quarantine(&store, &Message::new(body).with_attribute("a", "b"), "refused").await;
    }
    let sent = Expected::Events(sent);
    let report = report(store, DateRange::default(), &sent).await;
    assert_eq!((report.expected, report.quarantined.events), (Some(9), 9));
    assert_eq!(report.quarantined.reasons.values().sum::<u64>(), 27);
    assert_eq!((report.verdict, report.findings.len()), (Verdict::Balanced, 0));
}

/// However many there are of one kind, the first of another are listed as well, and named.
#[tokio::test]
async fn the_first_hundred_of_each_kind_are_listed() {
    let store = empty().await;
    let messages = |of_kind: &str, count: usize| -> Vec<_> {
        (0..count).map(|number| sale(format!("{of_kind}{number}"))).collect()
    };
    let (strange, twice) = (messages("strange", 130), messages("twice", 120));
    singly(&store, &strange).await;
    singly(&store, &twice).await;
    batch(&store, &twice).await;
    for number in 0..105 {
        write(&store, &format!("{SALES}/notes{number}.txt"), "no event").await;
    }
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    twice.iter().chain(&messages("lost", 110)).for_each(|message| sent.add_body(&message.body));
    let report = report(store, DateRange::default(), &Expected::Events(sent)).await;
    let kinds = [
        (FindingKind::Missing, 110),
        (FindingKind::NeverSent, 130),
        (FindingKind::Duplicate, 120),
        (FindingKind::Foreign, 105),
    ];
    assert_eq!(report.counts, kinds.into());
    // What holds no event is not an object of events.
    assert_eq!((report.stored.objects, report.stored.records), (251, 370));
    for (kind, _) in kinds {
        let listed: Vec<_> =
            report.findings.iter().filter(|finding| finding.kind == kind).collect();
        assert_eq!(listed.len(), 100, "{kind}");
        let keys = listed.iter().map(|finding| finding.keys.len());
        let places = match kind {
            FindingKind::Missing => 0,
            FindingKind::NeverSent | FindingKind::Foreign => 1,
            _ => 2,
        };
        assert!(keys.into_iter().all(|keys| keys == places), "{kind}");
    }
}

/// A gap is told once, however many segments there are after it.
#[tokio::test]
async fn each_gap_of_a_log_is_told_once() {
    let store = empty().await;
    let segment = |slot| format!("{SALES}/{slot:010}.ndjson");
    for slot in 0..9 {
        batch(&store, &[sale(format!("r{slot}"))]).await;
    }
    for slot in [1, 2, 5] {
        delete(&store, &segment(slot)).await;
    }
    let any = AnyOrder::new(store, 1);
    let report = report(any, DateRange::default(), &Expected::Unknown).await;
    let gaps = report.findings.iter().filter(|finding| finding.kind == FindingKind::SlotGap);
    let keys: Vec<_> = gaps.map(|gap| gap.keys.concat()).collect();
    assert_eq!(keys, [3, 6].map(segment));
    assert_eq!((report.stored.objects, report.stored.events), (6, 6));
}

#[tokio::test(start_paused = true)]
async fn an_audit_tells_the_same_in_whatever_order_and_pages_a_store_answers() {
    for seed in 0..60 {
        let rng = &mut Rng::with_seed(seed);
        let (store, events) = books(rng).await;
        if rng.bool() {
            compact(&store, rng).await;
        }
        damage(&store, rng).await;
        let (dates, sent) = (dates(rng), sent(&events, rng));
        let text = |report: &AuditReport| serde_json::to_string_pretty(report).unwrap();
        let told = text(&report(store.clone(), dates, &sent).await);
        for order in 0..3 {
            let store = AnyOrder::new(store.clone(), seed * 3 + order);
            assert_eq!(text(&report(store, dates, &sent).await), told, "seed {seed}.{order}");
        }
    }
}

async fn compact(store: &MemStore, rng: &mut Rng) -> u64 {
    let target = rng.u64(1..3000);
    let any = AnyOrder::new(store.clone(), rng.u64(..));
    let compactor = Compactor::new(Arc::new(any), Layout::default(), Arc::new(Retail::default()))
        .target_bytes(target);
    let compactor = compactor.compression(Compression::ALL[rng.usize(..3)]).unwrap();
    let report = compactor.run(&Shutdown::never()).await.unwrap();
    assert_eq!(report.faults, BTreeMap::new());
    let made = report.partitions.values();
    made.map(|made| made.objects).sum()
}

/// The lines of an object as a reader has them: those of one event are one line.
async fn lines(store: &MemStore, key: &str) -> String {
    let object = store.get(key).await.unwrap().unwrap();
    match Compression::of_key(key) {
        Some(compression) => {
            String::from_utf8(compression.decompress(object).unwrap().to_vec()).unwrap()
        }
        None => String::from_utf8(object.to_vec()).unwrap().replace('\n', " ") + "\n",
    }
}

/// Each merged object is what its claim names, in that order; each object is in one claim.
async fn is_compacted(store: &MemStore) {
    const CLAIMS: &str = "compacted/_claims/";
    let mut claimed = Vec::new();
    let merged = keys(store, "compacted/store_events/").await;
    let claims = keys(store, CLAIMS).await;
    assert_eq!(merged.len(), claims.len());
    for (object, claim) in merged.iter().zip(&claims) {
        let slot = claim.strip_suffix(".json").map(|slot| slot.replace("_claims/", ""));
        let object_slot = object.split_once(".ndjson").map(|(slot, _)| slot);
        assert_eq!(slot.as_deref(), object_slot);
        let body = store.get(claim).await.unwrap().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let (partition, _) = claim[CLAIMS.len()..].rsplit_once('/').unwrap();
        let mut expected = String::new();
        for source in body["sources"].as_array().unwrap() {
            let key = format!("{partition}/{}", source.as_str().unwrap());
            expected += &lines(store, &key).await;
            claimed.push(key);
        }
        assert_eq!(lines(store, object).await, expected, "{object}");
    }
    claimed.sort();
    assert_eq!(claimed, keys(store, "store_events/event_type").await);
}

#[tokio::test(start_paused = true)]
async fn a_compaction_has_each_object_once_in_the_order_of_its_claim() {
    for seed in 0..60 {
        let rng = &mut Rng::with_seed(seed);
        let (store, _) = books(rng).await;
        compact(&store, rng).await;
        is_compacted(&store).await;
        // Whoever makes an object anew makes the same one.
        let merged = keys(&store, "compacted/store_events/").await;
        let lost = &merged[rng.usize(..merged.len())];
        let object = store.get(lost).await.unwrap();
        delete(&store, lost).await;
        assert_eq!(compact(&store, rng).await, 1, "seed {seed}");
        assert_eq!(store.get(lost).await.unwrap(), object, "seed {seed}");
        assert_eq!(compact(&store, rng).await, 0, "seed {seed}");
    }
}

/// What does not belong there is told, and keeps nothing beside it from being seen.
#[tokio::test(start_paused = true)]
async fn what_lies_beside_partitions_hides_none_of_them() {
    for stray in ["a", "event_type=sale_event/a", "event_type=inventory_event/dt=2026_1_1/a"] {
        for seed in 0..10 {
            let rng = &mut Rng::with_seed(seed);
            let (store, events) = books(rng).await;
            let sent = sent(&events, rng);
            let before = report(store.clone(), DateRange::default(), &sent).await;
            let key = format!("store_events/{stray}");
            write(&store, &key, "no event").await;
            let any = AnyOrder::new(store.clone(), seed);
            let after = report(any, DateRange::default(), &sent).await;
            let mut counts = before.counts.clone();
            counts.insert(FindingKind::Foreign, 1);
            assert_eq!(after.counts, counts, "{stray}");
            assert_eq!(after.stored, before.stored, "{stray}");
            compact(&store, rng).await;
            delete(&store, &key).await;
            is_compacted(&store).await;
        }
    }
}
