//! One `request_id` in several partitions: an event in each of them, and no fault.

use std::sync::Arc;

use event_core::maintain::{
    Audit, AuditReport, DateRange, Expected, ExpectedEvents, FindingKind, Verdict,
};
use event_core::{Layout, Message, Retail, Shutdown};
use event_mem::MemStore;

use crate::support::{batch, delete, empty, event, keys, quarantine, singly};

const SALES_22: &str = "store_events/event_type=sale_event/dt=2026_11_22/a.json";
const SALES_23: &str = "store_events/event_type=sale_event/dt=2026_11_23/a.json";
const STOCK_22: &str = "store_events/event_type=inventory_event/dt=2026_11_22/a.json";

fn stock(request_id: &str, day: u8) -> Message {
    event(request_id, day).with_attribute("event_type", "inventory_event")
}

/// `a` on two days, and of two types on one of them.
fn three() -> [Message; 3] {
    [event("a", 22), event("a", 23), stock("a", 22)]
}

async fn stored() -> MemStore {
    let store = empty().await;
    singly(&store, &three()).await;
    store
}

fn sent(messages: &[Message]) -> Expected {
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    messages.iter().for_each(|message| sent.add_message(message));
    Expected::Events(sent)
}

async fn report(store: &MemStore, sent: Expected) -> AuditReport {
    let audit = Audit::new(Arc::new(store.clone()), Layout::default(), Arc::new(Retail::default()))
        .expected(sent);
    audit.run(&Shutdown::never()).await.unwrap()
}

fn found(report: &AuditReport, kind: FindingKind) -> Vec<&Vec<String>> {
    report.findings.iter().filter(|found| found.kind == kind).map(|found| &found.keys).collect()
}

#[tokio::test]
async fn one_request_id_in_three_partitions_is_three_events_and_no_fault() {
    let store = stored().await;
    let mut bare = ExpectedEvents::new(Arc::new(Retail::default()));
    bare.add_identity("a").unwrap();
    for sent in [Expected::Unknown, Expected::Count(3), sent(&three()), Expected::Events(bare)] {
        let report = report(&store, sent).await;
        assert_eq!((report.verdict, report.missing), (Verdict::Balanced, 0), "{report:?}");
        assert_eq!((report.stored.events, report.stored.records), (3, 3));
        assert_eq!(report.counts.iter().collect::<Vec<_>>(), [(&FindingKind::AlsoElsewhere, &1)]);
        let keys = [STOCK_22, SALES_22, SALES_23].map(str::to_owned).to_vec();
        assert_eq!(found(&report, FindingKind::AlsoElsewhere), [&keys]);
        let json = serde_json::to_string(&report).unwrap();
        assert!(json.contains(r#""counts":{"also_elsewhere":1}"#), "{json}");
    }
    // One day has nothing of the other.
    let day = Some("2026-11-23".parse().unwrap());
    let audit = Audit::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()));
    let audit = audit.dates(DateRange::new(day, day).unwrap()).expected(Expected::Count(1));
    let report = audit.run(&Shutdown::never()).await.unwrap();
    assert_eq!((report.verdict, report.findings), (Verdict::Balanced, vec![]));
}

#[tokio::test]
async fn two_records_in_one_partition_are_a_duplicate_wherever_else_there_is_one() {
    let store = stored().await;
    batch(&store, &[event("a", 22)]).await;
    let report = report(&store, Expected::Count(3)).await;
    assert_eq!((report.verdict, report.missing), (Verdict::Unbalanced, 0));
    assert_eq!((report.stored.events, report.stored.records), (3, 4));
    let both = vec![SALES_22.replace("a.json", "0000000000.ndjson"), SALES_22.to_owned()];
    let mut twice = found(&report, FindingKind::Duplicate)[0].clone();
    twice.sort();
    assert_eq!(twice, both);
    assert_eq!(found(&report, FindingKind::AlsoElsewhere).len(), 1);
    assert_eq!(report.counts.len(), 2);
}

#[tokio::test]
async fn a_loss_is_not_hidden_by_the_same_request_id_elsewhere() {
    for lost in [SALES_22, SALES_23, STOCK_22] {
        let store = stored().await;
        delete(&store, lost).await;
        for sent in [Expected::Count(3), sent(&three())] {
            let report = report(&store, sent).await;
            assert_eq!((report.verdict, report.missing), (Verdict::Unbalanced, 1), "{lost}");
        }
    }
}

#[tokio::test]
async fn what_is_in_quarantine_is_of_its_own_day_and_type() {
    for (quarantined, lost) in three().iter().zip([SALES_22, SALES_23, STOCK_22]) {
        let store = stored().await;
        delete(&store, lost).await;
        quarantine(&store, quarantined, "bad_msg").await;
        for sent in [Expected::Count(3), sent(&three())] {
            let report = report(&store, sent).await;
            assert_eq!((report.verdict, report.missing), (Verdict::Balanced, 0), "{lost}");
            assert_eq!(report.quarantined.events, 1, "{lost}");
        }
    }
    // A second message of an event that is stored is none of its own.
    let store = stored().await;
    quarantine(&store, &event("a", 23), "conflict").await;
    let report = report(&store, Expected::Count(3)).await;
    assert_eq!((report.verdict, report.quarantined.events), (Verdict::Balanced, 0));
}

#[tokio::test]
async fn an_event_that_was_sent_of_another_day_was_never_sent_of_this_one() {
    let store = stored().await;
    quarantine(&store, &stock("a", 24), "bad_msg").await;
    let quarantined = keys(&store, "quarantine/").await;
    let report = report(&store, sent(&three()[..2])).await;
    assert_eq!((report.verdict, report.missing), (Verdict::Unbalanced, 0));
    let keys = vec![STOCK_22.to_owned(), quarantined[0].clone()];
    assert_eq!(found(&report, FindingKind::NeverSent), [&keys]);
}

/// What is in quarantine of one day or type stands for no event of another.
#[tokio::test]
async fn an_event_whose_namesake_is_in_quarantine_is_missing_all_the_same() {
    for lost in [event("a", 23), stock("a", 22)] {
        let store = empty().await;
        quarantine(&store, &event("a", 22), "conflict").await;
        let report = report(&store, sent(&[event("a", 22), lost])).await;
        assert_eq!((report.verdict, report.missing), (Verdict::Unbalanced, 1), "{report:?}");
    }
}
