//! Messages of several days that are quarantined at once: what is wrong with one day is none of the
//! others' business.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use event_core::sink::QuarantineEntry;
use event_core::{
    ErrorKind, Layout, Message, ObjectStore, PutMode, Quarantine, Reason, Result, Shutdown,
};
use event_mem::MemStore;

use crate::support::{keys, retry};

/// Noon of this day of November 2026.
fn noon(day: u64) -> SystemTime {
    const OCTOBER_31: u64 = 1_793_404_800;
    SystemTime::UNIX_EPOCH + Duration::from_secs(OCTOBER_31 + day * 86_400 + 43_200)
}

fn segment(day: u64, slot: u64) -> String {
    format!("quarantine/store_events/dt=2026_11_{day}/{slot:010}.ndjson.zst")
}

/// Quarantines a message for each of these times.
async fn put(store: &MemStore, sent_at: &[SystemTime]) -> Vec<Result<()>> {
    let quarantine = Quarantine::log(Arc::new(store.clone()), Layout::default());
    let reason = &Reason::new("bad_msg", "on purpose");
    let messages: Vec<_> =
        (0..sent_at.len()).map(|number| Message::new(format!("no event {number}"))).collect();
    let entry = |(message, &sent_at)| QuarantineEntry { message, reason, sent_at };
    let entries: Vec<_> = messages.iter().zip(sent_at).map(entry).collect();
    quarantine.put(&entries, &retry(), &Shutdown::never()).await
}

/// A store whose first segments of these days cannot be read.
async fn damaged(days: &[u64]) -> MemStore {
    let store = MemStore::new();
    for &day in days {
        store.put(&segment(day, 0), "no zstd".into(), PutMode::Create).await.unwrap();
    }
    store
}

#[tokio::test(start_paused = true)]
async fn a_message_is_quarantined_if_and_only_if_the_log_of_its_day_is_sound() {
    for damage in [&[][..], &[22], &[23], &[24], &[22, 23], &[22, 24], &[23, 24], &[22, 23, 24]] {
        for days in [&[22, 23][..], &[23, 22], &[22, 23, 24], &[24, 22, 23, 22], &[23, 22, 24, 23]]
        {
            let store = damaged(damage).await;
            let sent_at: Vec<_> = days.iter().map(|&day| noon(day)).collect();
            let outcomes = put(&store, &sent_at).await;
            assert_eq!(outcomes.len(), days.len());
            for (outcome, &day) in outcomes.iter().zip(days) {
                match damage.contains(&day) {
                    true => {
                        let error = outcome.as_ref().unwrap_err();
                        assert_eq!(error.kind(), ErrorKind::Invalid);
                        assert!(error.to_string().contains(&segment(day, 0)), "{day}: {error}");
                    }
                    false => assert!(outcome.is_ok(), "{day} of {days:?}, {damage:?}: {outcome:?}"),
                }
            }
            let mut there: Vec<_> = days.iter().chain(damage).map(|&day| segment(day, 0)).collect();
            there.sort();
            there.dedup();
            assert_eq!(keys(&store, "").await, there);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_that_can_be_none_of_a_queue_fails_its_own_message_alone() {
    let store = MemStore::new();
    let odd = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    for place in 0..3 {
        let mut sent_at = [noon(22), noon(22), noon(23)];
        sent_at[place] = odd;
        let outcomes = put(&store, &sent_at).await;
        for (at, outcome) in outcomes.iter().enumerate() {
            assert_eq!(outcome.is_err(), at == place, "{place}: {outcomes:?}");
        }
    }
}
