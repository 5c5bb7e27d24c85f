//! Several prefixes in one store: each has books of its own.

use std::sync::Arc;

use event_core::maintain::{Audit, AuditReport, Expected, ExpectedEvents, FindingKind, Verdict};
use event_core::{Layout, Retail, Shutdown};
use event_mem::MemStore;

use crate::support::{delete, event, keys, put_aside_below, write};

fn layout(prefix: &str) -> Layout {
    Layout::new(prefix).unwrap()
}

async fn audit(store: &MemStore, prefix: &str, sent: Expected) -> AuditReport {
    let audit = Audit::new(Arc::new(store.clone()), layout(prefix), Arc::new(Retail::default()))
        .expected(sent);
    audit.run(&Shutdown::never()).await.unwrap()
}

/// One message in the quarantine of each, which holds its prefix.
async fn with_quarantines(prefixes: &[&str]) -> MemStore {
    let store = MemStore::new();
    for prefix in prefixes {
        put_aside_below(&store, layout(prefix), &event(prefix, 22), "bad_msg").await;
    }
    store
}

/// Also where one is inside of another, and whatever its segments are called.
const PREFIXES: [&str; 6] = ["a", "a/b", "a/reason", "b", "a/x=1", "a/event_type/reason"];

#[tokio::test]
async fn the_quarantine_of_one_prefix_is_in_the_books_of_no_other() {
    let store = with_quarantines(&PREFIXES).await;
    assert_eq!(keys(&store, "quarantine/").await.len(), PREFIXES.len());
    for prefix in PREFIXES {
        let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
        sent.add_body(&event(prefix, 22).body);
        for sent in [Expected::Events(sent), Expected::Count(1), Expected::Unknown] {
            let report = audit(&store, prefix, sent).await;
            assert_eq!((report.verdict, report.findings), (Verdict::Balanced, vec![]), "{prefix}");
            assert_eq!(report.quarantined.events, 1, "{prefix}");
            assert_eq!(report.quarantined.reasons["bad_msg"], 1, "{prefix}");
        }
    }
}

#[tokio::test]
async fn a_loss_in_one_prefix_is_not_hidden_by_the_quarantine_of_another() {
    for lost in PREFIXES {
        let store = with_quarantines(&PREFIXES).await;
        let own = format!("quarantine/{lost}/reason=bad_msg/");
        delete(&store, &keys(&store, &own).await.remove(0)).await;
        for prefix in PREFIXES {
            let report = audit(&store, prefix, Expected::Count(1)).await;
            let expected = if prefix == lost { Verdict::Unbalanced } else { Verdict::Balanced };
            assert_eq!(report.verdict, expected, "{lost} {prefix}");
            assert_eq!(report.missing, u64::from(prefix == lost), "{lost} {prefix}");
        }
    }
}

#[tokio::test]
async fn what_is_no_message_below_a_prefix_is_found_however_deep_it_lies() {
    for stray in ["x", "reason=bad_msg/x", "reason=bad_msg/event_type=sale_event/x", "b/c/d/x"] {
        let store = with_quarantines(&["a"]).await;
        let key = format!("quarantine/a/{stray}");
        write(&store, &key, "{}").await;
        let report = audit(&store, "a", Expected::Count(1)).await;
        assert_eq!(report.counts.get(&FindingKind::Unreadable), Some(&1), "{stray}");
        assert_eq!(report.findings[0].keys, [key]);
    }
}
