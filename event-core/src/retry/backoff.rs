//! How long to wait: between polls of an empty queue, and between tries of a failed request.
//! Pure: the time and the random generator are arguments.

use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

/// The wait between polls that find nothing: doubles from a first value up to 512 s, then starts
/// again at 2 s. A message resets it.
///
/// ```
/// use event_core::retry::IdleBackoff;
/// use std::time::Duration;
///
/// let mut idle = IdleBackoff::new(Duration::from_secs(2));
/// let secs: Vec<_> = (0..10).map(|_| idle.wait().as_secs()).collect();
/// assert_eq!(secs, [2, 4, 8, 16, 32, 64, 128, 256, 512, 2]);
/// idle.reset();
/// assert_eq!(idle.wait().as_secs(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct IdleBackoff {
    first: Duration,
    next: Duration,
}

impl IdleBackoff {
    /// The longest wait.
    pub const MAX: Duration = Duration::from_secs(512);
    /// Where it starts again after the longest wait, whatever the first value was.
    pub const RESTART: Duration = Duration::from_secs(2);

    /// Starts at `first`.
    pub fn new(first: Duration) -> Self {
        Self { first, next: first }
    }

    /// The wait after one more poll that found nothing.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next;
        self.next = match wait * 2 {
            doubled if doubled > Self::MAX => Self::RESTART,
            doubled => doubled,
        };
        wait
    }

    /// A message came: start again at the first value.
    pub fn reset(&mut self) {
        self.next = self.first;
    }
}

/// The wait between tries of a failed request: a random time up to a bound that doubles with
/// each try, up to a cap ("full jitter", after
/// [Exponential Backoff and Jitter](https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryBackoff {
    /// The bound for the first retry.
    pub base: Duration,
    /// The bound never grows beyond this.
    pub cap: Duration,
}

impl Default for RetryBackoff {
    /// 100 ms, at most 20 s.
    fn default() -> Self {
        Self { base: Duration::from_millis(100), cap: Duration::from_secs(20) }
    }
}

impl RetryBackoff {
    /// The longest wait before retry number `retry`, counted from 0.
    pub fn bound(&self, retry: u32) -> Duration {
        let factor = 2u32.checked_pow(retry).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// The wait before retry number `retry`, counted from 0: anything from nothing to the bound.
    pub fn wait(&self, retry: u32, rng: &mut Rng) -> Duration {
        self.bound(retry).mul_f64(rng.f64())
    }
}

/// How many retries an engine may make in all, so that an outage is not answered by a storm.
///
/// Each retry takes a token; each success brings a part of one, and time brings some. When
/// there is none, the retry waits its turn. After Finagle's
/// [retry budget](https://twitter.github.io/finagle/guide/Glossary.html).
#[derive(Clone, Debug)]
pub struct RetryBudget {
    tokens: f64,
    updated: Instant,
}

impl RetryBudget {
    /// The most tokens that can be saved up, and how many there are at first.
    pub const CAPACITY: f64 = 100.0;
    /// What a success brings: one retry for every five successes.
    pub const PER_SUCCESS: f64 = 0.2;
    /// What a second brings, so that retries never stop altogether.
    pub const PER_SECOND: f64 = 20.0;

    /// A full budget.
    pub fn new(now: Instant) -> Self {
        Self { tokens: Self::CAPACITY, updated: now }
    }

    /// So many requests succeeded.
    pub fn deposit(&mut self, successes: usize) {
        // A count of requests is far below 2^52, so the conversion is exact.
        let earned = successes as f64 * Self::PER_SUCCESS;
        self.tokens = (self.tokens + earned).min(Self::CAPACITY);
    }

    /// Takes a token for one retry and says how long to wait until it is there.
    pub fn withdraw(&mut self, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.updated).as_secs_f64();
        self.updated = self.updated.max(now);
        self.tokens = (self.tokens + elapsed * Self::PER_SECOND).min(Self::CAPACITY) - 1.0;
        Duration::from_secs_f64((-self.tokens / Self::PER_SECOND).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn idle_starts_again_at_two_seconds_from_any_first_value() {
        let mut idle = IdleBackoff::new(Duration::from_secs(5));
        let secs: Vec<_> = (0..9).map(|_| idle.wait().as_secs()).collect();
        assert_eq!(secs, [5, 10, 20, 40, 80, 160, 320, 2, 4]);
    }

    proptest! {
        #[test]
        fn idle_stays_in_its_range_and_resets(first_ms in 1u64..512_000, polls in 0usize..100) {
            let first = Duration::from_millis(first_ms);
            let mut idle = IdleBackoff::new(first);
            for _ in 0..polls {
                let wait = idle.wait();
                prop_assert!(wait <= IdleBackoff::MAX && wait >= first.min(IdleBackoff::RESTART));
            }
            idle.reset();
            prop_assert_eq!(idle.wait(), first);
        }

        #[test]
        fn retry_bounds_grow_to_the_cap_and_waits_stay_below(
            base_ms in 1u64..1000, cap_ms in 1u64..60_000, seed: u64,
        ) {
            let backoff = RetryBackoff {
                base: Duration::from_millis(base_ms),
                cap: Duration::from_millis(cap_ms),
            };
            let mut rng = Rng::with_seed(seed);
            for retry in 0..70 {
                prop_assert!(backoff.wait(retry, &mut rng) <= backoff.bound(retry));
                prop_assert!(backoff.bound(retry) <= backoff.bound(retry + 1));
            }
            prop_assert_eq!(backoff.bound(70), backoff.cap);
        }

        #[test]
        fn retry_bounds_double_until_they_reach_the_cap(
            base_ms in 0u64..1000, cap_ms in 0u64..60_000,
        ) {
            let (base, cap) = (Duration::from_millis(base_ms), Duration::from_millis(cap_ms));
            let backoff = RetryBackoff { base, cap };
            prop_assert_eq!(backoff.bound(0), base.min(cap));
            for retry in 0..40 {
                prop_assert_eq!(backoff.bound(retry + 1), (backoff.bound(retry) * 2).min(cap));
            }
        }

        #[test]
        fn retries_stay_within_the_budget(
            steps in prop::collection::vec((any::<bool>(), 0u64..200), 1..500),
        ) {
            let start = Instant::now();
            let mut now = start;
            let mut budget = RetryBudget::new(start);
            let (mut successes, mut retries, mut last) = (0usize, 0usize, start);
            for (success, gap_ms) in steps {
                now += Duration::from_millis(gap_ms);
                if success {
                    budget.deposit(1);
                    successes += 1;
                } else {
                    retries += 1;
                    last = last.max(now + budget.withdraw(now));
                }
            }
            let earned = RetryBudget::CAPACITY
                + successes as f64 * RetryBudget::PER_SUCCESS
                + (last - start).as_secs_f64() * RetryBudget::PER_SECOND;
            prop_assert!(retries as f64 <= earned + 0.001, "{retries} retries of {earned}");
        }
    }

    #[test]
    fn full_jitter_uses_the_whole_range() {
        let backoff = RetryBackoff::default();
        let mut rng = Rng::with_seed(1);
        for retry in [0, 1, 5, 60] {
            let bound = backoff.bound(retry);
            let waits: Vec<_> = (0..1000).map(|_| backoff.wait(retry, &mut rng)).collect();
            assert!(waits.iter().min().unwrap() < &(bound / 50));
            assert!(waits.iter().max().unwrap() > &(bound * 49 / 50));
            let mean = waits.iter().sum::<Duration>() / 1000;
            assert!(mean > bound * 45 / 100 && mean < bound * 55 / 100, "{mean:?} of {bound:?}");
        }
    }

    #[test]
    fn by_default_retries_wait_100_ms_at_first_and_20_s_at_last() {
        let backoff = RetryBackoff::default();
        let bounds = [0, 1, 7, 8, 60].map(|retry| backoff.bound(retry).as_millis());
        assert_eq!(bounds, [100, 200, 12_800, 20_000, 20_000]);
    }

    /// A budget without a token, and the time when it is.
    fn spent() -> (RetryBudget, Instant) {
        let now = Instant::now();
        let mut budget = RetryBudget::new(now);
        assert_eq!(waits(&mut budget, 100, now), [0; 100]);
        (budget, now)
    }

    /// How many milliseconds each of so many retries has to wait for its turn.
    fn waits(budget: &mut RetryBudget, retries: usize, now: Instant) -> Vec<u128> {
        (0..retries).map(|_| budget.withdraw(now).as_millis()).collect()
    }

    #[test]
    fn retries_beyond_the_budget_take_turns_of_50_ms() {
        let (mut budget, now) = spent();
        assert_eq!(waits(&mut budget, 3, now), [50, 100, 150]);
        assert_eq!(waits(&mut budget, 2, now + Duration::from_millis(100)), [100, 150]);
    }

    #[test]
    fn five_successes_are_worth_one_retry() {
        let (mut budget, now) = spent();
        budget.deposit(5);
        budget.deposit(10);
        assert_eq!(waits(&mut budget, 4, now), [0, 0, 0, 50]);
    }

    #[test]
    fn a_second_is_worth_twenty_retries() {
        let (mut budget, now) = spent();
        let waits = waits(&mut budget, 21, now + Duration::from_secs(1));
        assert_eq!((&waits[..20], waits[20]), (&[0; 20][..], 50));
    }

    #[test]
    fn the_same_second_is_never_worth_retries_twice() {
        let (mut budget, now) = spent();
        let later = now + Duration::from_secs(1);
        assert_eq!(waits(&mut budget, 20, later), [0; 20]);
        assert_eq!(waits(&mut budget, 1, now), [50], "a clock read late");
        assert_eq!(waits(&mut budget, 1, later), [100]);
    }

    #[test]
    fn no_more_retries_are_saved_up_than_the_capacity() {
        let (mut budget, now) = spent();
        budget.deposit(1_000_000);
        let later = now + Duration::from_secs(3600);
        let waits = waits(&mut budget, 101, later);
        assert_eq!((&waits[..100], waits[100]), (&[0; 100][..], 50));
        budget.deposit(1_000_000);
        assert_eq!(self::waits(&mut budget, 100, later), [0; 100]);
        assert_eq!(self::waits(&mut budget, 1, later), [50]);
    }
}
