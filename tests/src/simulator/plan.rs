//! What a seed decides before anything runs.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use event_core::batch::BatchLimits;
use event_core::{ConsumerOptions, ProducerOptions, QueueLimits};
use fastrand::Rng;

use super::fault::Fault;

/// The world of one seed: which faults there are and how often they strike, how many programs
/// run, and how the queue is set up.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What it was drawn from.
    pub seed: u64,
    /// The faults that may strike. For one that strikes single requests, its probability at each.
    pub faults: BTreeMap<Fault, f64>,
    /// When a fault that comes and goes is there, counted from the start.
    pub windows: Vec<(Fault, Range<Duration>)>,
    /// When the last fault is over.
    pub storm: Duration,
    /// Most events that producers send, before any are repeated or spoilt.
    pub events: usize,
    /// Producers that run side by side.
    pub producers: usize,
    /// Consumers that run side by side.
    pub consumers: usize,
    /// The limits of the queue: those of SQS, but for a small message size, so that the bounds on
    /// bytes are met.
    pub limits: QueueLimits,
    /// How long a new message stays hidden.
    pub delay: Duration,
    /// Most messages in flight.
    pub max_in_flight: usize,
    /// How often a message is received before it goes to the dead-letter queue.
    pub max_receives: u32,
}

/// The largest message that the simulated queue takes.
const MESSAGE_BYTES: usize = 2048;
const HOUR: u64 = 60 * 60;

impl Plan {
    /// The plan of a seed; with `only`, of these faults and no other.
    pub fn draw(seed: u64, only: Option<&[Fault]>) -> Self {
        let mut rng = Rng::with_seed(seed);
        let faults = match only {
            Some(only) => only.to_vec(),
            None => mix(&mut rng),
        };
        let faults: BTreeMap<_, _> =
            faults.into_iter().map(|fault| (fault, rate(fault, &mut rng))).collect();
        let windows: Vec<_> = faults
            .keys()
            .filter(|fault| fault.comes_and_goes())
            .flat_map(|&fault| windows(fault, &mut rng))
            .collect();
        let least = Duration::from_secs(rng.u64(60..600));
        let storm = windows.iter().map(|(_, window)| window.end).fold(least, Duration::max);
        let has = |fault| faults.contains_key(&fault);
        // Without any that redelivers, no healthy consumer lets a good message be received often.
        let spares_receives = !faults.keys().any(|fault| fault.redelivers());
        let limits = QueueLimits {
            batch_bytes: 4 * MESSAGE_BYTES,
            message_bytes: MESSAGE_BYTES,
            visibility: Duration::from_secs(rng.u64(10..60)),
            cancel_safe_receive: rng.bool(),
            ..QueueLimits::SQS
        };
        Self {
            seed,
            storm,
            events: if rng.u8(..) < 32 { rng.usize(100..200) } else { rng.usize(1..50) },
            producers: rng.usize(1..4),
            consumers: rng.usize(1..4),
            limits,
            delay: Duration::from_secs(rng.u64(0..3)),
            max_in_flight: if has(Fault::InFlightLimit) { rng.usize(3..20) } else { 120_000 },
            max_receives: match has(Fault::Redrive) || has(Fault::Poison) || spares_receives {
                true => rng.u32(2..5),
                false => u32::MAX,
            },
            faults,
            windows,
        }
    }

    /// Whether this fault may strike.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains_key(&fault)
    }

    /// Whether a good message may be received more than once, through no fault of the consumer.
    pub fn redelivers(&self) -> bool {
        self.faults.keys().any(|fault| fault.redelivers())
    }

    /// Whether programs may give up, to be started again.
    pub fn ends_pods(&self) -> bool {
        self.faults.keys().any(|fault| fault.ends_pods())
    }

    /// The options of a consumer that starts.
    pub(super) fn consumer(&self, rng: &mut Rng) -> ConsumerOptions {
        let visibility = self.limits.visibility;
        let receive_max = rng.usize(1..11);
        let mut options = ConsumerOptions {
            receive_max,
            wait: Duration::from_secs(rng.u64(1..21)),
            max_concurrent_receives: rng.usize(1..6),
            max_messages: receive_max + rng.usize(0..100),
            max_bytes: MESSAGE_BYTES * (receive_max + rng.usize(0..50)),
            batch: BatchLimits {
                count: rng.usize(1..20),
                bytes: rng.usize(MESSAGE_BYTES..20 * MESSAGE_BYTES),
                linger: Duration::from_millis(rng.u64(0..3000)),
            },
            max_concurrent_batches: rng.usize(1..10),
            delete_linger: Duration::from_millis(rng.u64(0..500)),
            ..ConsumerOptions::default()
        };
        options.batch.linger = options.batch.linger.min(visibility / 2);
        if rng.u8(..) < 50 {
            // As the original demo polls.
            options.wait = Duration::ZERO;
            options.idle_backoff = Some(Duration::from_secs(rng.u64(1..5)));
            options.pause = Duration::from_secs(rng.u64(0..5));
        }
        if self.has(Fault::ShortGrace) {
            options.grace = Duration::from_millis(rng.u64(50..3000));
        }
        options
    }

    /// The options of a producer that starts.
    pub(super) fn producer(&self, rng: &mut Rng) -> ProducerOptions {
        let longest = if rng.bool() { 1 } else { 1000 };
        let mut options = ProducerOptions {
            interval: Duration::from_millis(rng.u64(0..longest)),
            linger: Duration::from_millis(rng.u64(0..200)),
            max_concurrent_sends: rng.usize(1..5),
            ..ProducerOptions::default()
        };
        if self.has(Fault::ShortGrace) {
            options.grace = Duration::from_millis(rng.u64(50..3000));
        }
        options
    }
}

/// A quarter of the worlds has only faults that a consumer must bear without a second delivery:
/// there it shows whether good messages are spared the dead-letter queue.
fn mix(rng: &mut Rng) -> Vec<Fault> {
    let gentle = rng.u8(..) < 64;
    let share = rng.f64() * 0.5;
    let all = Fault::ALL.iter().copied();
    all.filter(|fault| !(gentle && fault.redelivers())).filter(|_| rng.f64() < share).collect()
}

fn rate(fault: Fault, rng: &mut Rng) -> f64 {
    let most = match fault {
        // At each await of a program.
        Fault::Kill | Fault::Pause => 0.01,
        Fault::HungRequest => 0.03,
        // Each second.
        Fault::EarlyLapse => 0.2,
        Fault::ClockJump => 0.01,
        Fault::DamagedSegment => 0.1,
        // Each batch.
        Fault::HandlerPanic => 0.2,
        // Each event.
        Fault::Poison => 0.1,
        // While it is there.
        Fault::QueueOutage | Fault::StoreOutage | Fault::QueueDenied | Fault::StoreDenied => {
            return 1.0;
        }
        Fault::QueueThrottling | Fault::SlowDown => return 0.5 + rng.f64() / 2.0,
        _ => 0.4,
    };
    most * (0.2 + 0.8 * rng.f64())
}

fn windows(fault: Fault, rng: &mut Rng) -> Vec<(Fault, Range<Duration>)> {
    let is_outage = matches!(fault, Fault::QueueOutage | Fault::StoreOutage);
    let secs =
        |from: u64, length: u64| Duration::from_secs(from)..Duration::from_secs(from + length);
    if is_outage && rng.u8(..) < 32 {
        return vec![(fault, secs(rng.u64(1..20), 6 * HOUR))];
    }
    let mut from = 0;
    let windows = (0..rng.usize(1..4)).map(|_| {
        let start = from + rng.u64(1..30);
        let length = rng.u64(5..if is_outage { 900 } else { 120 });
        from = start + length;
        (fault, secs(start, length))
    });
    windows.collect()
}
