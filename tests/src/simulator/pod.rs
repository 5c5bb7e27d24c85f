//! One run of one program in a simulated world: where it can be struck, and what it keeps.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use event_core::{Error, ErrorKind, Result};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::fault::Fault;
use super::world::World;

pub(super) struct Pod {
    pub(super) world: Arc<World>,
    pub(super) name: String,
    /// Notified when it is to be killed.
    pub(super) killed: Notify,
    state: Mutex<State>,
}

struct State {
    paused_until: Instant,
    told_to_stop: Option<Instant>,
}

impl Pod {
    pub(super) fn new(world: &Arc<World>, name: String) -> Arc<Self> {
        world.log(format_args!("{name} starts"));
        let state = State { paused_until: Instant::now(), told_to_stop: None };
        Arc::new(Self {
            world: Arc::clone(world),
            name,
            killed: Notify::new(),
            state: Mutex::new(state),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub(super) fn tell_to_stop(&self) {
        self.world.log(format_args!("{} is told to stop", self.name));
        self.state().told_to_stop = Some(Instant::now());
    }

    /// Whether it was told to stop before this moment: what is at this very moment on its way can
    /// not know yet.
    pub(super) fn should_be_stopping(&self) -> bool {
        self.state().told_to_stop.is_some_and(|told| told < Instant::now())
    }

    pub(super) fn was_told_to_stop(&self) -> bool {
        self.state().told_to_stop.is_some()
    }

    /// A way between program and service: it takes time, others get their turn, and the program
    /// may be killed or stand still before it goes on.
    pub(super) async fn way(&self) {
        let world = &self.world;
        if world.strikes(Fault::Kill) {
            world.log(format_args!("{} is killed here", self.name));
            self.killed.notify_one();
            pending::<()>().await;
        }
        for _ in 0..world.random(|rng| rng.u8(0..3)) {
            yield_now().await;
        }
        let slow = if world.rages(Fault::Latency) { 100 } else { 1 };
        let takes = world.random(|rng| rng.u64(0..20)) * slow;
        sleep(Duration::from_millis(takes)).await;
        if world.strikes(Fault::Pause) {
            let visibility = world.plan.limits.visibility;
            let pause = visibility.mul_f64(1.0 + world.random(fastrand::Rng::f64));
            world.log(format_args!("{} stands still for {pause:?}", self.name));
            let mut state = self.state();
            state.paused_until = state.paused_until.max(Instant::now() + pause);
        }
        loop {
            let until = self.state().paused_until;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// The way to a service, which may end in an error: then the request had no effect.
    pub(super) async fn to_service(&self, operation: &'static str, faults: &Weather) -> Result<()> {
        self.way().await;
        let world = &self.world;
        let fail = |kind, text| Err(Error::new(kind, operation, text));
        if world.rages(faults.outage) {
            return fail(ErrorKind::Transient, "connection refused, on purpose");
        }
        if world.rages(faults.denied) {
            return fail(ErrorKind::Denied, "access denied, on purpose");
        }
        if world.rages(faults.throttled) {
            return fail(ErrorKind::Throttled, "slow down, on purpose");
        }
        self.hang(operation).await
    }

    /// The way back, on which the answer may be lost.
    pub(super) async fn to_program(&self, operation: &'static str) -> Result<()> {
        self.hang(operation).await?;
        self.way().await;
        Ok(())
    }

    async fn hang(&self, operation: &'static str) -> Result<()> {
        if !self.world.strikes(Fault::HungRequest) {
            return Ok(());
        }
        sleep(self.world.between(10..60)).await;
        Err(Error::new(ErrorKind::Ambiguous, operation, "no answer in time, on purpose"))
    }
}

/// Which faults keep requests from a service.
pub(super) struct Weather {
    pub(super) outage: Fault,
    pub(super) denied: Fault,
    pub(super) throttled: Fault,
}
