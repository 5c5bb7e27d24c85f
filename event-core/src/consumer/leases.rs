//! Whose visibility must be extended, and when. Pure: the time is an argument.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::error::Result;
use crate::queue::Receipt;

/// The receipts of everything that is held and not yet settled.
///
/// All leases are looked at together, four times in a visibility timeout; those with less than
/// half of it left are extended. So a lease always has a quarter left for the request to
/// succeed, and messages that are settled quickly are never extended.
#[derive(Debug)]
pub(super) struct Leases {
    visibility: Duration,
    max_visibility: Duration,
    held: BTreeMap<u64, Lease>,
    next_id: u64,
    next_look: Option<Instant>,
}

#[derive(Debug)]
struct Lease {
    receipt: Receipt,
    received: Instant,
    expires: Instant,
    /// An extension is under way.
    busy: bool,
    /// The queue said that the receipt is no longer good, or the longest time is used up.
    lost: bool,
}

/// One extension to ask for.
#[derive(Debug)]
pub(super) struct Extension {
    pub(super) id: u64,
    pub(super) receipt: Receipt,
    pub(super) visibility: Duration,
}

impl Leases {
    pub(super) fn new(visibility: Duration, max_visibility: Duration) -> Self {
        Self { visibility, max_visibility, held: BTreeMap::new(), next_id: 0, next_look: None }
    }

    /// Takes charge of a delivery that was received now.
    pub(super) fn add(&mut self, receipt: Receipt, now: Instant) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let lease = Lease {
            receipt,
            received: now,
            expires: now + self.visibility,
            busy: false,
            lost: false,
        };
        self.held.insert(id, lease);
        self.next_look.get_or_insert(now + self.visibility / 4);
        id
    }

    /// The delivery is about to be settled: from here on it is not extended.
    pub(super) fn remove(&mut self, id: u64) -> Option<Receipt> {
        self.held.remove(&id).map(|lease| lease.receipt)
    }

    /// Whether an extension is under way, which a release must not overtake.
    pub(super) fn is_busy(&self, id: u64) -> bool {
        self.held.get(&id).is_some_and(|lease| lease.busy)
    }

    /// When to look next.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.next_look
    }

    /// The extensions to ask for now.
    pub(super) fn due(&mut self, now: Instant) -> Vec<Extension> {
        if self.next_look.is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.next_look = (!self.held.is_empty()).then(|| now + self.visibility / 4);
        let half = self.visibility / 2;
        let needy = |lease: &&mut Lease| {
            !lease.busy && !lease.lost && lease.expires.saturating_duration_since(now) <= half
        };
        let mut extensions = Vec::new();
        for (&id, lease) in &mut self.held {
            if !needy(&lease) {
                continue;
            }
            let left = (lease.received + self.max_visibility).saturating_duration_since(now);
            if left < Duration::from_secs(1) {
                // The queue will hand it to someone else whatever is done here.
                lease.lost = true;
                continue;
            }
            lease.busy = true;
            extensions.push(Extension {
                id,
                receipt: lease.receipt.clone(),
                visibility: self.visibility.min(left),
            });
        }
        extensions
    }

    /// The answer to an extension that was asked for at `asked`.
    pub(super) fn extended(
        &mut self,
        id: u64,
        outcome: &Result<()>,
        visibility: Duration,
        asked: Instant,
    ) {
        let Some(lease) = self.held.get_mut(&id) else {
            return;
        };
        lease.busy = false;
        match outcome {
            Ok(()) => lease.expires = asked + visibility,
            // Denied is whoever asks with credentials that have just expired, whatever the receipt.
            Err(error) if error.is_retryable() || error.is_denied() => {}
            Err(_) => lease.lost = true,
        }
    }
}
