//! The engines in simulated worlds: each fault alone, and mixes of them.
//!
//! More seeds in less time: `cargo run --release -p event-tests --bin simulate -- --seeds 0..10000`.

use std::collections::BTreeSet;
use std::sync::Arc;

use event_core::schema::{Fields, PartitionBy};
use event_core::{Message, Schema};
use event_tests::simulator::{
    EventBatches, EventName, EventObjects, Fate, Fault, Invariant, Run, Simulation,
};

fn unharmed(run: &Run, faults: &str) {
    if let Some(violation) = &run.violation {
        panic!(
            "seed {} violates {violation}\nto see all of it: cargo run --release -p event-tests \
             --bin simulate -- --seeds {}{faults} --explain",
            run.seed, run.seed
        );
    }
}

/// Worlds with this fault and no other. It must have struck, or the test would show nothing.
fn alone(fault: Fault) {
    let mut simulation = Simulation::new().faults(&[fault]);
    let mut layout = "";
    if fault == Fault::DamagedSegment {
        // Only batches are in a log.
        (simulation, layout) = (simulation.subject(EventBatches::default), " --layout batch");
    }
    let mut struck = 0;
    for seed in 0..30 {
        let run = simulation.run(seed);
        unharmed(&run, &format!(" --faults {fault}{layout}"));
        struck += run.hits.get(&fault).unwrap_or(&0);
    }
    assert!(struck > 10, "{fault} struck {struck} times only");
}

macro_rules! each_alone {
    ($($test:ident: $fault:ident,)*) => {
        mod alone {
            use super::*;
            $(#[test] fn $test() { alone(Fault::$fault); })*
        }

        const ALONE: &[(Fault, &str)] = &[$((Fault::$fault, stringify!($test)),)*];
    };
}

each_alone! {
    duplicate_delivery: DuplicateDelivery,
    forgotten_delete: ForgottenDelete,
    late_message: LateMessage,
    out_of_order: OutOfOrder,
    early_lapse: EarlyLapse,
    stale_receipt: StaleReceipt,
    partial_send: PartialSend,
    partial_delete: PartialDelete,
    partial_visibility: PartialVisibility,
    lost_receive: LostReceive,
    queue_throttling: QueueThrottling,
    in_flight_limit: InFlightLimit,
    queue_outage: QueueOutage,
    queue_denied: QueueDenied,
    lost_put: LostPut,
    late_put: LatePut,
    conflicting_put: ConflictingPut,
    gone_again: GoneAgain,
    slow_down: SlowDown,
    store_outage: StoreOutage,
    store_denied: StoreDenied,
    hung_request: HungRequest,
    latency: Latency,
    clock_jump: ClockJump,
    kill: Kill,
    terminate: Terminate,
    pause: Pause,
    short_grace: ShortGrace,
    scale: Scale,
    handler_panic: HandlerPanic,
    poison: Poison,
    hostile_input: HostileInput,
    duplicates: Duplicates,
    conflicts: Conflicts,
    redrive: Redrive,
    damaged_segment: DamagedSegment,
}

#[test]
fn every_fault_is_tried_alone() {
    let tried: BTreeSet<_> = ALONE.iter().map(|(fault, _)| *fault).collect();
    assert_eq!(tried, Fault::ALL.iter().copied().collect());
}

#[test]
fn no_mix_of_faults_breaks_an_invariant() {
    for seed in 0..60 {
        unharmed(&Simulation::new().run(seed), "");
    }
}

#[test]
fn no_mix_of_faults_breaks_an_invariant_of_many_events_in_one_object() {
    let simulation = Simulation::new().subject(EventBatches::default);
    for seed in 0..60 {
        unharmed(&simulation.run(seed), " --layout batch");
    }
}

/// Rides, some of which are sent again with another fare, and some without a time.
fn rides(seed: u64) -> Vec<(Message, Fate)> {
    const CITIES: [(&str, &str); 4] =
        [("Köln", "K%C3%B6ln"), ("a/b", "a%2Fb"), ("..", ".."), ("", "__HIVE_DEFAULT_PARTITION__")];
    let ride = |number: u64, fare: u64| {
        let (city, folder) = CITIES[(number % 4) as usize];
        let id = number / 2;
        let body = format!(
            r#"{{"ride_id": {id}, "at": "2026-11-22T23:59:59Z", "city": "{city}", "fare": {fare}}}"#
        );
        let partition = format!("dt=2026_11_22/city={folder}");
        (Message::new(body), Fate::Stored(EventName { partition, identity: id.to_string() }))
    };
    let timeless = Message::new(r#"{"ride_id": 1, "city": "Köln", "fare": 1}"#);
    let mut all = vec![(timeless, Fate::Quarantined { code: "missing_field" })];
    all.extend((0..seed % 60).map(|number| ride(number, 1250)));
    all.extend((0..seed % 60).step_by(7).map(|number| ride(number, 1251)));
    all
}

#[test]
fn no_mix_of_faults_breaks_an_invariant_of_events_of_another_schema() {
    let city = vec!["city".to_owned()];
    let schema = Fields::new("ride_id", "at", None, city, PartitionBy::Day).unwrap();
    let schema: Arc<dyn Schema> = Arc::new(schema);
    let (objects, batches) = (Arc::clone(&schema), schema);
    let simulation = Simulation::new().messages(rides);
    let singly = simulation.clone().subject(move || EventObjects::of(Arc::clone(&objects)));
    let batches = simulation.subject(move || EventBatches::of(Arc::clone(&batches)));
    for seed in 0..30 {
        unharmed(&singly.run(seed), " of rides, one object each");
        unharmed(&batches.run(seed), " of rides");
    }
}

#[test]
fn without_faults_every_message_is_received_once() {
    let simulation = Simulation::new().faults(&[]);
    for seed in 0..30 {
        let run = simulation.run(seed);
        unharmed(&run, " --faults none");
        assert!(run.hits.values().all(|&hits| hits == 0));
    }
}

#[test]
fn the_same_seed_gives_the_same_steps() {
    for seed in 0..30 {
        let (once, again) = (Simulation::new().explain(seed), Simulation::new().explain(seed));
        assert!(once.steps > 10 && once.lines.len() as u64 == once.steps);
        for (line, repeated) in once.lines.iter().zip(&again.lines) {
            assert_eq!(line, repeated, "of seed {seed}");
        }
        assert_eq!((once.steps, once.trace), (again.steps, again.trace));
        assert_eq!(Simulation::new().run(seed).trace, once.trace, "seed {seed} without its lines");
    }
    assert_ne!(Simulation::new().run(0).trace, Simulation::new().run(1).trace);
}

/// The page that says what is promised has a row for each fault, which names its test, and one for
/// each invariant.
#[test]
fn the_page_has_every_fault_and_every_invariant() {
    let page = include_str!("../README.md");
    for (fault, test) in ALONE {
        let row = format!("| `{fault}` | {} | `alone::{test}` |", fault.about());
        assert!(page.contains(&row), "tests/README.md has no row {row}");
    }
    for invariant in Invariant::ALL {
        let row = format!("| `{invariant}` | {} |", invariant.about());
        assert!(page.contains(&row), "tests/README.md has no row {row}");
    }
}
