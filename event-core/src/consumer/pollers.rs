//! When to poll, and with how many receives at once. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use super::options::ConsumerOptions;
use crate::retry::IdleBackoff;

/// One poller while the queue is idle; one more for each poll that came back full, one fewer for
/// each that did not.
#[derive(Debug)]
pub(super) struct Pollers {
    max: usize,
    target: usize,
    active: usize,
    idle: Option<IdleBackoff>,
    pause: Duration,
    not_before: Instant,
    /// Batches in a row from which nothing came but retries.
    fruitless: u32,
}

impl Pollers {
    pub(super) fn new(options: &ConsumerOptions, now: Instant) -> Self {
        Self {
            max: if options.pause.is_zero() { options.max_concurrent_receives } else { 1 },
            target: 1,
            active: 0,
            idle: options.idle_backoff.map(IdleBackoff::new),
            pause: options.pause,
            not_before: now,
            fruitless: 0,
        }
    }

    /// Whether one more receive may start now.
    pub(super) fn may_start(&self, now: Instant) -> bool {
        self.active < self.target && self.not_before <= now
    }

    /// When one more may start, if nothing happens until then.
    pub(super) fn wake_at(&self, now: Instant) -> Option<Instant> {
        (self.active < self.target && self.not_before > now).then_some(self.not_before)
    }

    pub(super) fn started(&mut self) {
        self.active += 1;
    }

    /// A receive that asked for `asked` messages brought `got`.
    pub(super) fn answered(&mut self, asked: usize, got: usize, now: Instant) {
        self.active -= 1;
        self.target = match got {
            0 => 1,
            _ if got >= asked => (self.target + 1).min(self.max),
            _ => (self.target - 1).max(1),
        };
        let mut wait = self.pause;
        if let Some(idle) = &mut self.idle {
            if got == 0 {
                wait += idle.wait();
            } else {
                idle.reset();
            }
        }
        self.wait_until(now + wait);
    }

    /// A receive failed for good.
    pub(super) fn failed(&mut self) {
        self.active -= 1;
    }

    /// A batch got something done.
    pub(super) fn progress(&mut self) {
        self.fruitless = 0;
    }

    /// A batch got nothing done: wait before the next poll, longer each time. `wait` says how
    /// long, given how often that was before.
    pub(super) fn no_progress(&mut self, now: Instant, wait: impl FnOnce(u32) -> Duration) {
        self.wait_until(now + wait(self.fruitless));
        self.fruitless = self.fruitless.saturating_add(1);
        self.target = 1;
    }

    fn wait_until(&mut self, instant: Instant) {
        self.not_before = self.not_before.max(instant);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pollers(options: &ConsumerOptions) -> (Pollers, Instant) {
        let now = Instant::now();
        (Pollers::new(options, now), now)
    }

    fn start_all(pollers: &mut Pollers, now: Instant) -> usize {
        let before = pollers.active;
        while pollers.may_start(now) {
            pollers.started();
        }
        pollers.active - before
    }

    #[test]
    fn pollers_grow_with_full_polls_to_their_bound_and_shrink_to_one() {
        let (mut p, now) =
            pollers(&ConsumerOptions { max_concurrent_receives: 3, ..ConsumerOptions::default() });
        assert_eq!(start_all(&mut p, now), 1);
        for _ in 0..5 {
            p.answered(10, 10, now);
            start_all(&mut p, now);
        }
        assert_eq!(p.active, 3);
        p.answered(10, 4, now);
        assert_eq!(start_all(&mut p, now), 0);
        p.answered(10, 0, now);
        p.answered(10, 0, now);
        assert_eq!(start_all(&mut p, now), 1);
    }

    #[test]
    fn the_schedule_of_the_reference_is_kept_and_a_message_resets_it() {
        let (mut p, mut now) = pollers(&ConsumerOptions {
            idle_backoff: Some(Duration::from_secs(2)),
            ..ConsumerOptions::default()
        });
        let mut poll = |got: usize| {
            assert!(p.may_start(now));
            p.started();
            p.answered(5, got, now);
            let wait = p.wake_at(now).map_or(Duration::ZERO, |at| at - now);
            now += wait;
            wait.as_secs()
        };
        let waits: Vec<_> = (0..10).map(|_| poll(0)).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 2]);
        assert_eq!([poll(0), poll(3), poll(0), poll(0)], [4, 0, 2, 4]);
    }

    #[test]
    fn a_pause_leaves_one_poller() {
        let (mut p, now) = pollers(&ConsumerOptions {
            pause: Duration::from_secs(10),
            ..ConsumerOptions::default()
        });
        p.started();
        p.answered(10, 10, now);
        assert!(!p.may_start(now));
        assert_eq!(p.wake_at(now), Some(now + Duration::from_secs(10)));
        assert_eq!(start_all(&mut p, now + Duration::from_secs(10)), 1);
    }

    #[test]
    fn batches_without_progress_slow_polling_down_until_one_gets_something_done() {
        let (mut p, now) = pollers(&ConsumerOptions::default());
        let double = |times: u32| Duration::from_secs(1 << times);
        for expected in [1, 2, 4] {
            p.not_before = now;
            p.no_progress(now, double);
            assert_eq!(p.wake_at(now), Some(now + Duration::from_secs(expected)));
        }
        p.not_before = now;
        p.progress();
        p.no_progress(now, double);
        assert_eq!(p.wake_at(now), Some(now + Duration::from_secs(1)));
    }
    #[test]
    fn a_receive_that_failed_makes_room_for_another() {
        let (mut p, now) = pollers(&ConsumerOptions::default());
        assert_eq!(start_all(&mut p, now), 1);
        p.failed();
        assert_eq!(start_all(&mut p, now), 1);
    }

    #[test]
    fn batches_without_progress_leave_one_poller() {
        let (mut p, now) = pollers(&ConsumerOptions::default());
        for _ in 0..3 {
            start_all(&mut p, now);
            p.answered(10, 10, now);
        }
        p.no_progress(now, |_| Duration::ZERO);
        assert_eq!(start_all(&mut p, now), 0);
        for _ in 0..2 {
            p.answered(10, 4, now);
        }
        assert_eq!(start_all(&mut p, now), 1);
    }

    proptest! {
        #[test]
        fn pollers_stay_between_one_and_their_bound_and_none_starts_before_its_time(
            max in 1usize..6,
            pause in 0u64..3,
            idle in prop::option::of(1u64..600),
            answers in prop::collection::vec(
                (prop_oneof![Just(0usize), 1usize..10, Just(10usize)], 0u64..600), 0..100,
            ),
        ) {
            let (mut p, mut now) = pollers(&ConsumerOptions {
                max_concurrent_receives: max,
                pause: Duration::from_secs(pause),
                idle_backoff: idle.map(Duration::from_secs),
                ..ConsumerOptions::default()
            });
            let max = if pause > 0 { 1 } else { max };
            let (mut expected, mut not_before) = (1, now);
            let mut idle = idle.map(|first| IdleBackoff::new(Duration::from_secs(first)));
            for (got, gap) in answers {
                // Whoever may start now must not be told to wait, nor be woken when none may start.
                let too_early = p.active < expected && not_before > now;
                prop_assert_eq!(p.wake_at(now), too_early.then_some(not_before));
                if p.active == 0 {
                    now = not_before.max(now);
                }
                let started = start_all(&mut p, now);
                let may = if not_before <= now { expected } else { 0 };
                prop_assert_eq!(p.active, may.max(p.active - started));
                prop_assert!(p.active <= max);
                now += Duration::from_secs(gap);
                p.answered(10, got, now);
                let mut wait = Duration::from_secs(pause);
                match got {
                    0 => {
                        expected = 1;
                        wait += idle.as_mut().map_or(Duration::ZERO, IdleBackoff::wait);
                    }
                    10 => expected = (expected + 1).min(max),
                    _ => expected = (expected - 1).max(1),
                }
                if let (Some(idle), true) = (&mut idle, got > 0) {
                    idle.reset();
                }
                not_before = not_before.max(now + wait);
                prop_assert_eq!(p.may_start(now), p.active < expected && not_before <= now);
            }
        }
    }
}
