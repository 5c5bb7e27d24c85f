//! The course of a simulated world: the storm, the calm after it, and the reckoning.

use std::sync::Arc;
use std::time::Duration;

use event_core::store::list_all;
use event_core::{Delivery, Message, Queue, ReceiveRequest, Shutdown};
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep, sleep_until, timeout};

use super::fault::Fault;
use super::invariant::Invariant;
use super::traffic::Fate;
use super::world::World;
use super::{audits, consumers, producers};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) async fn live(world: &Arc<World>) {
    world.log(format_args!("{:?}", world.plan));
    let weather = tokio::spawn(storm(Arc::clone(world)));
    let (stop, shutdown) = Shutdown::new();
    let mut consumers = JoinSet::new();
    for slot in 0..world.plan.consumers {
        consumers.spawn(consumers::keep_running(Arc::clone(world), slot, shutdown.clone()));
    }
    let upstream = Arc::new(std::sync::Mutex::new(world.traffic.messages.clone()));
    let mut producers = JoinSet::new();
    for slot in 0..world.plan.producers {
        producers.spawn(producers::keep_running(Arc::clone(world), slot, Arc::clone(&upstream)));
    }
    while !world.is_calm() {
        sleep_until(world.calm()).await;
    }
    weather.abort();
    world.log(format_args!("the faults are over"));
    // A receive that hangs, a poll at the longest idle wait, and everything one by one after it.
    let bound = HOUR / 2 + 10 * Duration::from_secs(world.traffic.messages.len() as u64);
    let sent = all(&mut producers);
    if timeout(bound, sent).await.is_err() {
        world.violate(Invariant::Drains, format!("producers have not ended {bound:?} later"));
        return;
    }
    let mut buried = Vec::new();
    loop {
        if !drained(world, bound).await {
            return;
        }
        let dead = dead_letters(world).await;
        if dead.is_empty() {
            break;
        }
        for delivery in dead {
            if world.traffic.fate(&delivery.message) == Some(&Fate::Poison) {
                world.truth(|truth| truth.buried(&delivery.id));
                buried.push(delivery.message);
            } else if world.plan.redelivers() {
                redrive(world, &delivery).await;
            } else {
                let body = String::from_utf8_lossy(&delivery.message.body).into_owned();
                world.violate(Invariant::Spared, format!("this is in it: {body}"));
            }
        }
    }
    stop.shutdown();
    all(&mut consumers).await;
    // What was put late appears late.
    sleep(10 * MINUTE).await;
    world.check(|truth, world| truth.finished(world, &buried));
    compare(world).await;
    if let Some(schema) = world.subject.schema() {
        audits::audit(world, schema, &buried).await;
    }
}

async fn all(slots: &mut JoinSet<()>) {
    while let Some(ended) = slots.join_next().await {
        ended.expect("the simulator itself must not panic");
    }
}

/// What strikes the world as a whole, each second.
async fn storm(world: Arc<World>) {
    let plan = &world.plan;
    let ticks = [Fault::EarlyLapse, Fault::ClockJump, Fault::Redrive, Fault::DamagedSegment];
    if !ticks.iter().any(|&fault| plan.has(fault)) {
        return;
    }
    let mut redriven = Instant::now();
    loop {
        sleep(world.between(1..2)).await;
        if world.strikes(Fault::EarlyLapse)
            && let Some(receipt) = some(&world, world.truth(|truth| truth.receipts()))
        {
            let lapse = [(receipt, Duration::ZERO)];
            let lapsed = world.backends.queue.change_visibility(&lapse).await;
            world.log(format_args!("a message lapses: {lapsed:?}"));
        }
        if world.strikes(Fault::ClockJump) {
            world.jump(HOUR);
            advance(HOUR).await;
        }
        if world.is_time_for(Fault::DamagedSegment) {
            world.damage_a_segment();
        }
        if world.strikes(Fault::Redrive) {
            take_away(&world).await;
        }
        if plan.has(Fault::Redrive) && redriven.elapsed() > MINUTE {
            redriven = Instant::now();
            for delivery in dead_letters(&world).await {
                redrive(&world, &delivery).await;
            }
        }
    }
}

fn some<T>(world: &World, all: Vec<T>) -> Option<T> {
    world.random(|rng| rng.choice(all))
}

/// Receives as someone else would who never answers for it, so that messages use up their receives.
async fn take_away(world: &World) {
    let request =
        ReceiveRequest { max: 3, wait: Duration::ZERO, visibility: Duration::from_secs(1) };
    let mut taken = world.backends.queue.receive(request).await.unwrap_or_default();
    world.log(format_args!("{} messages are taken by someone else", taken.len()));
    world.check(|truth, world| truth.received(world, &mut taken));
}

/// Waits until the queue holds nothing; false if it does not come to that.
async fn drained(world: &World, bound: Duration) -> bool {
    let until = Instant::now() + bound;
    loop {
        let (there, late) = world.truth(|truth| truth.left());
        let depth = total(&*world.backends.queue).await;
        let dead = total(&*world.backends.dead_letters).await;
        if there as u64 != depth + dead {
            let what = format!(
                "{there} messages are accepted and not deleted, and the queues hold {depth} and {dead}"
            );
            world.violate(Invariant::Durable, what);
            return false;
        }
        if depth == 0 && late == 0 {
            return true;
        }
        if Instant::now() > until {
            let what = format!("{depth} messages are on the queue {bound:?} later");
            world.violate(Invariant::Drains, what);
            return false;
        }
        sleep(Duration::from_secs(5)).await;
    }
}

async fn total(queue: &dyn Queue) -> u64 {
    queue.depth().await.map_or(0, |depth| depth.total())
}

/// Takes everything out of the dead-letter queue.
async fn dead_letters(world: &World) -> Vec<Delivery> {
    let queue = &world.backends.dead_letters;
    let request = ReceiveRequest { max: 10, wait: Duration::ZERO, visibility: HOUR };
    let mut all = Vec::new();
    loop {
        let dead = queue.receive(request).await.unwrap_or_default();
        if dead.is_empty() {
            return all;
        }
        let receipts: Vec<_> = dead.iter().map(|delivery| delivery.receipt.clone()).collect();
        queue.delete(&receipts).await;
        all.extend(dead);
    }
}

/// Sends a dead letter anew, as an operator does: under a new id.
async fn redrive(world: &World, delivery: &Delivery) {
    let message: &[Message] = std::slice::from_ref(&delivery.message);
    world.log(format_args!("redriven: {}", delivery.id.as_str()));
    for id in world.backends.queue.send(message).await.into_iter().flatten() {
        world.truth(|truth| truth.redriven(world, &delivery.id, id));
    }
}

/// Whether the store holds what was seen to be written.
async fn compare(world: &World) {
    let store = &*world.backends.store;
    let Ok(listed) = list_all(store, "").await else {
        return world.violate(Invariant::Fate, "the store cannot be listed");
    };
    let seen = world.truth(|truth| truth.objects.all.clone());
    if listed.len() != seen.len() {
        let what = format!("{} objects are listed, {} were written", listed.len(), seen.len());
        return world.violate(Invariant::Fate, what);
    }
    for (key, body) in seen {
        if store.get(&key).await.ok().flatten() != Some(body) {
            return world
                .violate(Invariant::Bytes, format!("{key} holds other bytes than were put"));
        }
    }
}
