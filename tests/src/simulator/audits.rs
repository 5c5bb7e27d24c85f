//! What an operator does once a world is at rest: the audit and the compaction, on a store that
//! answers in any order and in pages of any size.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use event_core::maintain::{
    Audit, AuditReport, Compactor, Expected, ExpectedEvents, FindingKind, Verdict,
};
use event_core::store::list_all;
use event_core::{Compression, Depth, Layout, Message, Schema, Shutdown};

use super::fault::Fault;
use super::invariant::{Invariant, Violation};
use super::keys::folder_of;
use super::world::World;
use crate::any_order::AnyOrder;

/// Audits, compacts, and audits once more; `buried` is what is in the dead-letter queue.
pub(super) async fn audit(world: &World, schema: Arc<dyn Schema>, buried: &[Message]) {
    let checked = check(world, schema, buried).await;
    if let Err(Violation { invariant, what }) = checked {
        world.violate(invariant, what);
    }
}

type Checked = Result<(), Violation>;

fn broken(invariant: Invariant, what: impl Into<String>) -> Violation {
    Violation { invariant, what: what.into() }
}

fn any_order(world: &World) -> AnyOrder {
    AnyOrder::over(Arc::clone(&world.backends.store), world.random(|rng| rng.u64(..)))
}

async fn check(world: &World, schema: Arc<dyn Schema>, buried: &[Message]) -> Checked {
    balances(world, &schema, buried, &[]).await?;
    compact(world, &schema).await?;
    shows_each_event_once(world).await?;
    // An event that nobody sent, with an id that is another's but for its case.
    let message = world.traffic.messages.iter().find_map(phantom_of);
    balances(world, &schema, buried, message.as_slice()).await
}

/// A message with the id of this one in upper case, unless that is what it has.
fn phantom_of(message: &Message) -> Option<Message> {
    const ID: &str = r#""request_id": "e"#;
    let body = str::from_utf8(&message.body).ok()?;
    let is_plain = body.contains(ID) && !body.contains(super::traffic::POISON);
    let body = || body.replacen(ID, &ID.replace("\"e", "\"E"), 1).into();
    is_plain.then(|| Message { body: body(), ..message.clone() })
}

/// Whether the books of what was sent balance, and those with `phantoms` beside it do not.
async fn balances(
    world: &World,
    schema: &Arc<dyn Schema>,
    buried: &[Message],
    phantoms: &[Message],
) -> Checked {
    let traffic = &world.traffic;
    let mut sent = ExpectedEvents::new(Arc::clone(schema));
    traffic.messages.iter().chain(phantoms).for_each(|message| sent.add_message(message));
    let dead = Depth { visible: buried.len() as u64, ..Depth::default() };
    let audit = Audit::new(Arc::new(any_order(world)), Layout::default(), Arc::clone(schema));
    let audit = audit.expected(Expected::Events(sent)).queues(Depth::default(), dead);
    let report = audit.run(&Shutdown::never()).await;
    let report = report.map_err(|error| broken(Invariant::Lives, format!("an audit: {error}")))?;
    world.log(format_args!("an audit tells {:?} and {:?}", report.verdict, report.stored));

    let poison: BTreeSet<_> = buried.iter().map(|message| &message.body).collect();
    let missing = (poison.len() + phantoms.len()) as u64;
    let dead = buried.len() as u64;
    let books = if missing == 0 || missing == dead {
        Verdict::Balanced
    } else if missing < dead {
        Verdict::Open
    } else {
        Verdict::Unbalanced
    };
    let count = |kind| report.counts.get(&kind).copied().unwrap_or(0);
    // Each event that was sent is in one place. What is not an event may not say which one it is.
    let places = report.stored.events + report.quarantined.events + report.missing;
    let holds = report.verdict == books
        && report.missing == missing
        && (report.expected == Some(places) || world.plan.has(Fault::HostileInput))
        && count(FindingKind::Missing) == missing
        && count(FindingKind::AlsoElsewhere) == traffic.elsewhere() as u64
        && report.stored.records == traffic.stored() as u64
        && report.stored.events == traffic.stored() as u64
        && in_quarantine(&report) == traffic.quarantined() as u64
        && !report.counts.keys().any(|kind| kind.is_fault());
    if holds {
        return Ok(());
    }
    let (stored, quarantined) = (traffic.stored(), traffic.quarantined());
    let what = format!(
        "an audit of {stored} stored events, {quarantined} messages in quarantine and {missing} \
         missing events, {dead} of them dead letters, tells {report:?}"
    );
    Err(broken(Invariant::Books, what))
}

fn in_quarantine(report: &AuditReport) -> u64 {
    report.quarantined.reasons.values().sum()
}

async fn compact(world: &World, schema: &Arc<dyn Schema>) -> Checked {
    let (target, compression) = world.random(|rng| (rng.u64(1..20_000), rng.usize(..3)));
    let compactor =
        Compactor::new(Arc::new(any_order(world)), Layout::default(), Arc::clone(schema));
    let compactor = compactor.target_bytes(target).compression(Compression::ALL[compression]);
    let compactor = compactor.expect("all are built in");
    let failed = |what: String| broken(Invariant::Lives, format!("a compaction: {what}"));
    let report =
        compactor.run(&Shutdown::never()).await.map_err(|error| failed(error.to_string()))?;
    world.log(format_args!("a compaction makes {:?}", report.partitions));
    match report.faults.into_iter().next() {
        Some((partition, what)) => Err(failed(format!("{partition}: {what}"))),
        None => Ok(()),
    }
}

/// Whether a reader of what was merged sees each event once, in its partition, byte for byte.
async fn shows_each_event_once(world: &World) -> Checked {
    let store = &*world.backends.store;
    let listed = list_all(store, "compacted/store_events/").await.unwrap_or_default();
    let mut seen = BTreeMap::new();
    for key in listed.into_iter().map(|object| object.key) {
        let object = store.get(&key).await.ok().flatten().unwrap_or_default();
        let lines = Compression::of_key(&key).and_then(|known| known.decompress(object).ok());
        let lines = lines.ok_or_else(|| broken(Invariant::Bytes, format!("{key} is damaged")))?;
        let place = key.strip_prefix("compacted/").and_then(|key| key.rsplit_once('/'));
        for line in lines.split_inclusive(|&byte| byte == b'\n') {
            let body = lines.slice_ref(line.strip_suffix(b"\n").unwrap_or(line));
            let Some(name) = world.traffic.name_of(&body) else {
                let text = String::from_utf8_lossy(line).into_owned();
                return Err(broken(
                    Invariant::Bytes,
                    format!("{key} has what nobody sent: {text}"),
                ));
            };
            if place.is_none_or(|(folder, _)| folder_of(name) != folder) {
                return Err(broken(Invariant::Keys, format!("event {name} was merged into {key}")));
            }
            if let Some(other) = seen.insert(name, key.clone()) {
                let what = format!("event {name} was merged into {other} and into {key}");
                return Err(broken(Invariant::Once, what));
            }
        }
    }
    if seen.len() != world.traffic.stored() {
        let what = format!("{} events are merged of {}", seen.len(), world.traffic.stored());
        return Err(broken(Invariant::Fate, what));
    }
    Ok(())
}
