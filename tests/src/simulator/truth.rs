//! What is true on the side of the services, and whether it may be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::SystemTime;

use event_core::{Bytes, Delivery, Message, MessageId, PutMode, Receipt};

use super::invariant::{Invariant, Violation};
use super::subject::Objects;
use super::traffic::{Fate, Identity, identity};
use super::world::World;

/// What was accepted and not deleted, and what was written.
#[derive(Default)]
pub(super) struct Truth {
    on_queue: BTreeMap<MessageId, OnQueue>,
    /// Accepted, and not yet on the queue.
    late: usize,
    /// Every body that the queue ever accepted.
    accepted: BTreeSet<Bytes>,
    /// On which days the queue accepted a message, as the log of the quarantine names them.
    days: BTreeMap<Identity, BTreeSet<String>>,
    pub(super) objects: Objects,
}

/// A message between its acceptance and its deletion, in the dead-letter queue too.
struct OnQueue {
    message: Message,
    /// When the queue accepted it, by the time of day in the world.
    sent_at: SystemTime,
    /// Of the last delivery: the one that deletes it.
    receipt: Option<Receipt>,
}

/// The folder of a day in the log of the quarantine.
fn day_of(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).expect("a time in this century");
    time.strftime("dt=%Y_%m_%d").to_string()
}

type Checked = Result<(), Violation>;

fn broken(invariant: Invariant, what: impl Into<String>) -> Checked {
    Err(Violation { invariant, what: what.into() })
}

impl Truth {
    /// The queue accepted a message. One that is late has no id there yet.
    pub(super) fn accepted(&mut self, world: &World, message: &Message, id: Option<MessageId>) {
        self.accepted.insert(message.body.clone());
        match id {
            None => self.late += 1,
            Some(id) => self.is_on_queue(world, message.clone(), id),
        }
    }

    pub(super) fn arrived_late(&mut self, world: &World, message: &Message, id: MessageId) {
        self.accepted(world, message, Some(id));
        self.late -= 1;
    }

    fn is_on_queue(&mut self, world: &World, message: Message, id: MessageId) {
        let sent_at = world.time_of_day();
        self.days.entry(identity(&message)).or_default().insert(day_of(sent_at));
        self.on_queue.insert(id, OnQueue { message, sent_at, receipt: None });
    }

    pub(super) fn was_accepted(&self, message: &Message) -> bool {
        self.accepted.contains(&message.body)
    }

    /// The queue hands these out, with the time of day in the world.
    pub(super) fn received(&mut self, world: &World, deliveries: &mut [Delivery]) -> Checked {
        let mut verdict = Ok(());
        for delivery in deliveries {
            let Some(there) = self.on_queue.get_mut(&delivery.id) else {
                let what = "a message was received that nobody sent, or that was deleted";
                verdict = broken(Invariant::Leases, what);
                continue;
            };
            there.receipt = Some(delivery.receipt.clone());
            delivery.sent_at = there.sent_at;
            let is_poison = world.traffic.fate(&delivery.message) == Some(&Fate::Poison);
            if delivery.receive_count > 1 && !is_poison && !world.plan.redelivers() {
                let what = "a message was received again though nothing kept it from being settled";
                verdict = broken(Invariant::Leases, what);
            }
        }
        verdict
    }

    /// The queue deleted the message whose last receipt this is.
    pub(super) fn deleted(&mut self, world: &World, receipt: &Receipt) -> Checked {
        let last = |there: &OnQueue| there.receipt.as_ref() == Some(receipt);
        let id = self.on_queue.iter().find(|(_, there)| last(there)).map(|(id, _)| id.clone());
        let Some(there) = id.and_then(|id| self.on_queue.remove(&id)) else {
            return broken(Invariant::Leases, "a stale receipt deleted a message");
        };
        let settled = world.subject.settled(&world.traffic, &there.message, &self.objects);
        settled.or_else(|why| {
            let body = String::from_utf8_lossy(&there.message.body);
            broken(Invariant::Durable, format!("{why}: {body}"))
        })
    }

    /// A message of the dead-letter queue is on the queue again, under another id.
    pub(super) fn redriven(&mut self, world: &World, from: &MessageId, to: MessageId) {
        if let Some(there) = self.on_queue.remove(from) {
            self.is_on_queue(world, there.message, to);
        }
    }

    /// Forgets a message that stays in the dead-letter queue for good.
    pub(super) fn buried(&mut self, id: &MessageId) {
        self.on_queue.remove(id);
    }

    /// The last receipts of all messages that were received.
    pub(super) fn receipts(&self) -> Vec<Receipt> {
        self.on_queue.values().filter_map(|there| there.receipt.clone()).collect()
    }

    /// Messages accepted and not deleted: on the queue, and still to arrive there.
    pub(super) fn left(&self) -> (usize, usize) {
        (self.on_queue.len(), self.late)
    }

    /// The store wrote an object.
    pub(super) fn written(
        &mut self,
        world: &World,
        key: &str,
        body: &Bytes,
        mode: PutMode,
    ) -> Checked {
        if self.objects.all.contains_key(key) {
            return broken(Invariant::Once, format!("{key} was written again, {mode:?}"));
        }
        if !key.starts_with("quarantine/") {
            world.subject.written(&world.traffic, key, body, &self.objects)?;
        }
        // What no queue accepted goes by the time of the attempt, which a late put comes after.
        let is_of_day = |message: &Message, folder: &str| {
            self.days.get(&identity(message)).is_none_or(|days| days.contains(folder))
        };
        self.objects.insert(key, body, is_of_day)
    }

    /// The store deleted an object.
    pub(super) fn removed(&mut self, key: &str) {
        self.objects.all.remove(key);
    }

    /// Everything is over; these are in the dead-letter queue.
    pub(super) fn finished(&self, world: &World, buried: &[Message]) -> Checked {
        let finished = world.subject.finished(&world.traffic, &self.objects, buried);
        finished.or_else(|what| broken(Invariant::Fate, what))
    }
}
