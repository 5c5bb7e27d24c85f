//! Books of any events, and where each of them is.

use std::collections::BTreeSet;

use event_core::Message;
use event_core::maintain::DateRange;
use event_mem::MemStore;
use event_tests::twins;
use fastrand::Rng;

use crate::support::{batch, empty, keys, put_in_log, quarantine, singly};

pub(crate) const KINDS: [&str; 2] = ["sale_event", "inventory_event"];
pub(crate) const DAYS: [&str; 3] = ["2026-11-22", "2026-11-23", "2026-12-01"];
const REASONS: [&str; 2] = ["conflict", "refused"];

/// An event, and where it is.
pub(crate) struct Known {
    pub(crate) id: String,
    pub(crate) kind: &'static str,
    pub(crate) day: &'static str,
    pub(crate) sent: bool,
    /// The keys of its records.
    pub(crate) records: Vec<String>,
    /// The keys of its messages in quarantine, with their reasons.
    pub(crate) quarantined: Vec<(String, &'static str)>,
}

impl Known {
    pub(crate) fn new(id: String, kind: &'static str, day: &'static str) -> Self {
        Self { id, kind, day, sent: true, records: Vec::new(), quarantined: Vec::new() }
    }

    pub(crate) fn message(&self, qty: u8) -> Message {
        let Self { id, kind, day, .. } = self;
        let body = format!(
            r#"{{"request_id": "{id}", "store_id": 8, "cust_id": 538, "category": "Games",
            "sku": 42515, "price": 64.08, "qty": {qty}, "discount": 4.9, "gift_wrap": false,
            "variant": "black", "priority_shipping": true, "ts": "{day}T23:59:59"}}"#
        );
        Message::new(body).with_attribute("event_type", *kind)
    }

    pub(crate) fn is_on(&self, dates: DateRange) -> bool {
        dates.contains(self.day.parse().unwrap())
    }
}

pub(crate) fn sale(id: String) -> Message {
    Known::new(id, KINDS[0], DAYS[0]).message(1)
}

/// What came to a store by a step.
async fn came(store: &MemStore, prefix: &str, step: impl Future<Output = ()>) -> Vec<String> {
    let before: BTreeSet<_> = keys(store, prefix).await.into_iter().collect();
    step.await;
    let after = keys(store, prefix).await;
    after.into_iter().filter(|key| !before.contains(key)).collect()
}

/// Books of some twenty events: stored in either layout or in both, quarantined, or nowhere.
pub(crate) async fn books(rng: &mut Rng) -> (MemStore, Vec<Known>) {
    let store = empty().await;
    let mut ids = twins();
    rng.shuffle(&mut ids);
    let mut events = Vec::new();
    for id in ids.into_iter().take(20) {
        let (kind, day) = (KINDS[rng.usize(..2)], DAYS[rng.usize(..3)]);
        let sent = rng.u8(..10) > 0;
        let mut event = Known { sent, ..Known::new(id, kind, day) };
        if rng.u8(..10) < 4 {
            event.records =
                came(&store, "store_events/", singly(&store, &[event.message(1)])).await;
        }
        let times = if rng.u8(..10) < 3 { rng.u8(1..4) } else { 0 };
        for time in 0..times {
            // The same message for another reason, or another one with the same id.
            let (qty, reason) = (1 + time / 2, REASONS[usize::from(time % 2)]);
            let message = event.message(qty);
            // In a log a message is there once a day.
            let (is_object, day) = (rng.bool(), 24 + u64::from(time));
            let put = async {
                match is_object {
                    true => quarantine(&store, &message, reason).await,
                    false => put_in_log(&store, day, &[message], reason).await,
                }
            };
            let [key] = &came(&store, "quarantine/", put).await[..] else { panic!("{}", event.id) };
            event.quarantined.push((key.clone(), reason));
        }
        events.push(event);
    }
    for (kind, day) in KINDS.iter().flat_map(|kind| DAYS.map(|day| (*kind, day))) {
        let mut here: Vec<_> =
            events.iter_mut().filter(|event| (event.kind, event.day) == (kind, day)).collect();
        here.retain(|event| rng.u8(..10) < if event.records.is_empty() { 6 } else { 2 });
        while !here.is_empty() {
            let many = rng.usize(1..=here.len());
            let mut chunk: Vec<_> = here.drain(..many).collect();
            let messages: Vec<_> = chunk.iter().map(|event| event.message(1)).collect();
            let put = batch(&store, &messages);
            let [key] = &came(&store, "store_events/", put).await[..] else {
                panic!("{messages:?}")
            };
            chunk.iter_mut().for_each(|event| event.records.push(key.clone()));
        }
    }
    (store, events)
}
