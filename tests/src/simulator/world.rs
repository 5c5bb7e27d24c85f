//! A simulated world: what everyone in it shares, and what goes wrong next.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use event_core::{ObjectStore, Queue};
use fastrand::Rng;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::damage::Damages;
use super::fault::Fault;
use super::invariant::{Invariant, Violation};
use super::plan::Plan;
use super::subject::Subject;
use super::trace::Trace;
use super::traffic::Traffic;
use super::truth::Truth;

/// The services behind the faults.
#[derive(Clone)]
pub struct Backends {
    /// The queue under test.
    pub queue: Arc<dyn Queue>,
    /// Where it moves messages that come back too often.
    pub dead_letters: Arc<dyn Queue>,
    /// The store under test, empty.
    pub store: Arc<dyn ObjectStore>,
}

/// Everything that the programs of one world share.
pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) traffic: Traffic,
    pub(super) backends: Backends,
    pub(super) subject: Arc<dyn Subject>,
    start: Instant,
    /// Notified once, when an invariant did not hold.
    pub(super) violated: Notify,
    state: Mutex<State>,
    truth: Mutex<Truth>,
    pub(super) damages: Damages,
}

struct State {
    rng: Rng,
    trace: Trace,
    hits: BTreeMap<Fault, u64>,
    /// Time that passed in jumps.
    jumped: Duration,
    violation: Option<Violation>,
}

/// More backend calls than this in one world are taken for a loop that never waits.
const MOST_STEPS: u64 = 20_000_000;

impl World {
    pub(super) fn new(
        plan: Plan,
        traffic: Traffic,
        backends: Backends,
        subject: Arc<dyn Subject>,
        rng: Rng,
        keep_trace: bool,
    ) -> Self {
        let state = State {
            rng,
            trace: Trace::new(keep_trace),
            hits: traffic.hits.clone(),
            jumped: Duration::ZERO,
            violation: None,
        };
        Self {
            plan,
            traffic,
            backends,
            subject,
            start: Instant::now(),
            violated: Notify::new(),
            state: Mutex::new(state),
            truth: Mutex::default(),
            damages: Damages::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn random<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.state().rng)
    }

    pub(super) fn between(&self, secs: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random(|rng| rng.u64(secs.start * 1000..secs.end * 1000)))
    }

    /// Time since the start.
    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The time of day, which is a function of the seed. Two minutes after the start is midnight in
    /// UTC, so that a day ends in most worlds.
    pub(super) fn time_of_day(&self) -> SystemTime {
        const START: Duration = Duration::from_secs(1_795_391_880);
        SystemTime::UNIX_EPOCH + START + self.now()
    }

    /// Time that passed in jumps so far.
    pub(super) fn jumped(&self) -> Duration {
        self.state().jumped
    }

    pub(super) fn jump(&self, by: Duration) {
        self.state().jumped += by;
        self.log(format_args!("the clock jumps by {by:?}"));
    }

    /// Whether the faults are over.
    pub(super) fn is_calm(&self) -> bool {
        self.now() - self.jumped() >= self.plan.storm
    }

    /// When the faults will be over, if the clock does not jump.
    pub(super) fn calm(&self) -> Instant {
        self.start + self.plan.storm + self.jumped()
    }

    /// Whether it is time for a fault, which finds something to strike or does not.
    pub(super) fn is_time_for(&self, fault: Fault) -> bool {
        let rate = self.plan.faults.get(&fault);
        rate.is_some_and(|&rate| !self.is_calm() && self.random(Rng::f64) < rate)
    }

    /// Whether a fault strikes here.
    pub(super) fn strikes(&self, fault: Fault) -> bool {
        let strikes = self.is_time_for(fault);
        if strikes {
            self.hit(fault);
        }
        strikes
    }

    /// Whether it is the time of a fault that comes and goes, and it strikes here.
    pub(super) fn rages(&self, fault: Fault) -> bool {
        let now = self.now() - self.jumped();
        let rages = |(there, window): &(Fault, std::ops::Range<Duration>)| {
            *there == fault && window.contains(&now)
        };
        self.plan.has(fault) && self.plan.windows.iter().any(rages) && self.strikes(fault)
    }

    pub(super) fn hit(&self, fault: Fault) {
        *self.state().hits.entry(fault).or_default() += 1;
    }

    pub(super) fn log(&self, line: fmt::Arguments<'_>) {
        let now = self.now();
        let mut state = self.state();
        state.trace.line(now, line);
        if state.trace.steps() == MOST_STEPS {
            drop(state);
            self.violate(Invariant::Lives, format!("{MOST_STEPS} steps were made without an end"));
        }
    }

    pub(super) fn violate(&self, invariant: Invariant, what: impl Into<String>) {
        self.broke(Violation { invariant, what: what.into() });
    }

    fn broke(&self, violation: Violation) {
        self.log(format_args!("VIOLATION  {violation}"));
        self.state().violation.get_or_insert(violation);
        self.violated.notify_one();
    }

    /// What is true on the side of the services; `look` says what it finds.
    pub(super) fn truth<T>(&self, look: impl FnOnce(&mut Truth) -> T) -> T {
        look(&mut self.truth.lock().unwrap())
    }

    /// The same, where a finding may be a violation.
    pub(super) fn check(&self, look: impl FnOnce(&mut Truth, &Self) -> Result<(), Violation>) {
        let verdict = look(&mut self.truth.lock().unwrap(), self);
        if let Err(violation) = verdict {
            self.broke(violation);
        }
    }

    /// What there is to report, taken out.
    pub(super) fn report(&self) -> Report {
        let mut state = self.state();
        let (trace, lines) = state.trace.finish();
        Report {
            violation: state.violation.take(),
            trace,
            lines,
            steps: state.trace.steps(),
            hits: std::mem::take(&mut state.hits),
        }
    }
}

pub(super) struct Report {
    pub(super) violation: Option<Violation>,
    pub(super) trace: u64,
    pub(super) lines: Vec<String>,
    pub(super) steps: u64,
    pub(super) hits: BTreeMap<Fault, u64>,
}
