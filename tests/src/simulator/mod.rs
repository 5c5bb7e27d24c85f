//! The engines in a world where everything fails that can fail, decided by one number.
//!
//! A [`Simulation`] runs the production engines, unchanged, on backends in memory behind seeded
//! faults, on one thread and on a clock that jumps from one event to the next. Producers and
//! consumers are started, killed, told to stop and started again; requests take time, get lost,
//! are applied and not answered; and after every step the [`Invariant`]s are checked from the side
//! of the services. The same seed gives the same [`Run`], down to the last step.
//!
//! ```
//! use event_tests::simulator::{Fault, Simulation};
//!
//! let world = Simulation::new().faults(&[Fault::LostPut, Fault::Kill]);
//! let run = world.run(7);
//! assert_eq!(run.violation, None);
//! assert_eq!(run.trace, world.run(7).trace);
//! ```
//!
//! # With a handler of your own
//!
//! Implement [`Subject`]: it makes the handler of each program that starts, and says what a message
//! must have caused before it may leave the queue.
//!
//! ```
//! use event_core::retry::Retry;
//! use event_core::{Bytes, Delivery, Handler, Message, ObjectStore, Outcome, PutMode, Shutdown};
//! use event_tests::simulator::{Fault, Objects, Simulation, Subject, Traffic};
//! use std::sync::Arc;
//!
//! /// Keeps every message, whatever it is, under the name of its bytes.
//! struct Archive(Arc<dyn ObjectStore>, Retry);
//!
//! fn key(message: &Message) -> String {
//!     let hex: String = message.body.iter().take(400).map(|byte| format!("{byte:02x}")).collect();
//!     format!("archive/{}-{hex}", message.body.len())
//! }
//!
//! #[event_core::async_trait]
//! impl Handler for Archive {
//!     async fn handle(&self, batch: &[Delivery], shutdown: &Shutdown) -> Vec<Outcome> {
//!         let mut outcomes = Vec::new();
//!         for delivery in batch {
//!             let (key, body) = (key(&delivery.message), &delivery.message.body);
//!             let put = || self.0.put(&key, body.clone(), PutMode::Create);
//!             let stored = self.1.one(|_| true, shutdown, put).await;
//!             outcomes.push(stored.map_or(Outcome::Retry(Default::default()), |_| Outcome::Ack));
//!         }
//!         outcomes
//!     }
//! }
//!
//! struct Archives;
//!
//! impl Subject for Archives {
//!     fn handler(&self, store: Arc<dyn ObjectStore>, retry: Retry) -> Arc<dyn Handler> {
//!         Arc::new(Archive(store, retry))
//!     }
//!
//!     fn settled(&self, _: &Traffic, message: &Message, objects: &Objects) -> Result<(), String> {
//!         let there = objects.all.contains_key(&key(message));
//!         if there { Ok(()) } else { Err("it is not in the archive".to_owned()) }
//!     }
//! }
//!
//! let world = Simulation::new().faults(&[Fault::LostPut, Fault::Kill]).subject(|| Archives);
//! for seed in 0..5 {
//!     assert_eq!(world.run(seed).violation, None);
//! }
//! ```
//!
//! # With a backend of your own
//!
//! [`Simulation::backends`] takes the queues and the store to run on: any that live in memory and
//! keep tokio's time. What they do must take effect as they answer, not later: the faults are the
//! simulator's part.

mod audits;
mod batches;
mod books;
mod consumers;
mod damage;
mod fault;
mod handler;
mod invariant;
mod keys;
mod life;
mod named;
mod plan;
mod pod;
mod producers;
mod queue;
mod store;
mod subject;
mod trace;
mod traffic;
mod truth;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use event_core::Message;
use event_mem::{MemQueue, MemQueueOptions, MemStore, Redrive};
use fastrand::Rng;

pub use batches::EventBatches;
pub use fault::Fault;
pub use invariant::{Invariant, Violation};
pub use plan::Plan;
pub use subject::{EventObjects, Objects, Subject};
pub use traffic::{EventName, Fate, Traffic};
pub use world::Backends;

use world::World;

/// Makes what producers send.
type Draw = dyn Fn(&Plan, &mut Rng) -> Traffic + Send + Sync;

/// What to simulate. Each [`run`](Self::run) is a world of its own.
#[derive(Clone)]
pub struct Simulation {
    only: Option<Vec<Fault>>,
    traffic: Arc<Draw>,
    subject: Arc<dyn Fn() -> Arc<dyn Subject> + Send + Sync>,
    backends: Arc<dyn Fn(&Plan) -> Backends + Send + Sync>,
}

/// What happened in one world.
#[derive(Clone, Debug)]
pub struct Run {
    /// The seed that decided everything.
    pub seed: u64,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// A number that depends on every step: two runs of one seed have the same.
    pub trace: u64,
    /// The steps, one line each, where they were asked for.
    pub lines: Vec<String>,
    /// How many steps there were.
    pub steps: u64,
    /// How much time passed in the world.
    pub simulated: Duration,
    /// How often each fault struck.
    pub hits: BTreeMap<Fault, u64>,
}

impl Simulation {
    /// [`EventObjects`] on the backends in memory, with a mix of faults that the seed decides.
    pub fn new() -> Self {
        Self {
            only: None,
            traffic: Arc::new(Traffic::draw),
            subject: Arc::new(|| Arc::new(EventObjects::default())),
            backends: Arc::new(in_memory),
        }
    }

    /// With these faults and no other, in every world.
    #[must_use]
    pub fn faults(mut self, faults: &[Fault]) -> Self {
        self.only = Some(faults.to_vec());
        self
    }

    /// With other messages than those of a store chain: what `draw` gives for a seed, each once, with
    /// what must become of it. Faults of messages that it brings itself are up to it: there are
    /// repetitions, but no poison and no hostile input.
    #[must_use]
    pub fn messages(
        mut self,
        draw: impl Fn(u64) -> Vec<(Message, Fate)> + Send + Sync + 'static,
    ) -> Self {
        self.traffic = Arc::new(move |plan, rng| Traffic::of(draw(plan.seed), plan, rng));
        self
    }

    /// With another subject, made anew for each world.
    #[must_use]
    pub fn subject<S: Subject>(mut self, subject: impl Fn() -> S + Send + Sync + 'static) -> Self {
        self.subject = Arc::new(move || Arc::new(subject()));
        self
    }

    /// On other backends, made anew for each world, with the limits, the delay and the redrive
    /// policy of the plan.
    #[must_use]
    pub fn backends(
        mut self,
        backends: impl Fn(&Plan) -> Backends + Send + Sync + 'static,
    ) -> Self {
        self.backends = Arc::new(backends);
        self
    }

    /// Runs the world of a seed to its end, or to the first violation.
    pub fn run(&self, seed: u64) -> Run {
        self.simulate(seed, false)
    }

    /// The same, with every step written down.
    pub fn explain(&self, seed: u64) -> Run {
        self.simulate(seed, true)
    }

    fn simulate(&self, seed: u64, keep_trace: bool) -> Run {
        let plan = Plan::draw(seed, self.only.as_deref());
        // `MemQueue` marks its receipts with a number of the thread's own generator, and a log
        // keys its hashes and names its prefix by it.
        fastrand::seed(seed);
        let mut rng = Rng::with_seed(seed.wrapping_add(1));
        let traffic = (self.traffic)(&plan, &mut rng);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime without I/O needs nothing that can be missing");
        runtime.block_on(async {
            let backends = (self.backends)(&plan);
            let world = World::new(plan, traffic, backends, (self.subject)(), rng, keep_trace);
            let world = Arc::new(world);
            tokio::select! {
                biased;
                () = world.violated.notified() => {}
                () = life::live(&world) => {}
            }
            let report = world.report();
            Run {
                seed,
                violation: report.violation,
                trace: report.trace,
                lines: report.lines,
                steps: report.steps,
                simulated: world.now(),
                hits: report.hits,
            }
        })
    }
}

impl Default for Simulation {
    fn default() -> Self {
        Self::new()
    }
}

fn in_memory(plan: &Plan) -> Backends {
    let dead_letters = MemQueue::new(MemQueueOptions::default());
    let redrive = Redrive { max_receives: plan.max_receives, dead_letter: dead_letters.clone() };
    let queue = MemQueue::new(MemQueueOptions {
        delay: plan.delay,
        limits: plan.limits,
        max_in_flight: plan.max_in_flight,
        redrive: Some(redrive),
    });
    Backends {
        queue: Arc::new(queue),
        dead_letters: Arc::new(dead_letters),
        store: Arc::new(MemStore::new()),
    }
}
