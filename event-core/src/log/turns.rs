//! How several writers share the head of a log. Pure: time and chance are arguments.
//!
//! The first put at a slot wins it, and whoever looked at the slot while that put was under way puts in
//! vain. How many writers there are nobody knows, but all of them see how fast the log grows. So each
//! has a rate at which it tries, and waits a random time between two tries. Where the log grows faster
//! than is good for all together, each slows down by a share; where it grows slower, each gains a
//! little. As with senders that share a line, all come to the same rate that way. A writer that meets
//! nobody does not wait.

use std::time::Duration;

use tokio::time::Instant;

use super::index::Slot;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turns {
    /// Tries in the time of one put.
    rate: f64,
    /// Own segments since the last one of another writer.
    alone: u32,
    /// Segments of others since the last try.
    others: Slot,
    /// When the last try ended.
    last: Option<Instant>,
    /// No look at the head before this.
    not_before: Option<Instant>,
    /// How many segments to read at once where one was missed.
    ahead: Slot,
}

/// One after the other: a try is a look at the head and a put.
const FASTEST: f64 = 0.5;
/// Segments in the time of one put: with more, more than every third put is in vain.
const GROWTH: f64 = 0.33;
const SLOWER: f64 = 0.85;
/// What is gained, by the root of the rate: less where many share the log.
const FASTER: f64 = 0.03;
/// Eight seconds at 30 ms for a put.
const SLOWEST: f64 = 1.0 / 256.0;
/// After so many segments of its own one after the other, a writer is alone.
const ALONE: u32 = 16;
const MOST_AHEAD: Slot = 16;
/// A put that took hours met an outage, and says nothing of how long the next one takes.
const LONGEST: Duration = Duration::from_secs(1);
/// However slow the store is and however many writers there are.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Default for Turns {
    fn default() -> Self {
        Self { rate: FASTEST, alone: ALONE, others: 0, last: None, not_before: None, ahead: 1 }
    }
}

impl Turns {
    /// When the head may be looked at.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// A put that was asked for at `asked` has its answer: it won the slot, or another writer had it.
    /// `chance` is between 0 and 1.
    pub(super) fn tried(&mut self, asked: Instant, now: Instant, won: bool, chance: f64) {
        let put = now.saturating_duration_since(asked).min(LONGEST).as_secs_f64();
        let others = std::mem::take(&mut self.others);
        let was_alone = self.alone == ALONE;
        self.alone = if others > 0 || !won { 0 } else { ALONE.min(self.alone + 1) };
        if self.alone == ALONE {
            self.rate = FASTEST;
        } else if was_alone {
            self.rate = FASTEST / 4.0;
        } else if let Some(last) = self.last {
            let puts = now.saturating_duration_since(last).as_secs_f64() / put;
            let grown = f64::from(others + Slot::from(won));
            if grown > GROWTH * puts {
                self.rate = SLOWEST.max(self.rate * SLOWER);
            } else {
                self.rate = FASTEST.min(self.rate + FASTER * self.rate.sqrt());
            }
        }
        self.last = Some(now);
        // In the mean as long as makes the rate, with the try itself.
        let wait = put * 2.0 * chance * (1.0 / self.rate - 1.0 / FASTEST);
        let wait = Duration::from_secs_f64(wait).min(LONGEST_WAIT);
        self.not_before = (!wait.is_zero()).then(|| now + wait);
    }

    pub(super) fn ahead(&self) -> Slot {
        self.ahead
    }

    /// So many of the segments read at once were there: as many will be next time, and one more.
    pub(super) fn found(&mut self, found: Slot) {
        self.others = self.others.saturating_add(found);
        let next = if found >= self.ahead { 2 * self.ahead } else { found + 1 };
        self.ahead = next.min(MOST_AHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Duration = Duration::from_millis(30);

    /// The longest wait after a try that took one put and ended now.
    fn wait(turns: &mut Turns, now: Instant, won: bool) -> Duration {
        turns.tried(now - PUT, now, won, 1.0);
        turns.not_before().map_or(Duration::ZERO, |until| until - now)
    }

    #[test]
    fn who_meets_nobody_does_not_wait_and_after_sixteen_own_segments_nobody_is_met() {
        let (mut turns, mut now) = (Turns::default(), Instant::now());
        assert_eq!(wait(&mut turns, now, true), Duration::ZERO);
        turns.found(1);
        for own in 0..=ALONE {
            now += 2 * PUT;
            assert_eq!(wait(&mut turns, now, true).is_zero(), own == ALONE, "{own}");
        }
        assert!(!wait(&mut turns, now, false).is_zero(), "a lost put is a meeting");
    }

    #[test]
    fn a_row_that_grows_too_fast_makes_waits_longer_and_a_slow_one_shorter() {
        let (mut turns, mut now) = (Turns::default(), Instant::now());
        let first = wait(&mut turns, now, false);
        // A fourth of the rate of one after the other: eight puts, two of them the try.
        assert_eq!(first, 2 * 6 * PUT);
        // Three puts for one segment are as it should be, two are too few.
        now += 3 * PUT;
        let less_than_growth = wait(&mut turns, now, false);
        assert!(less_than_growth < first, "nothing was seen to grow");
        now += 2 * PUT;
        turns.found(1);
        let longer = wait(&mut turns, now, false);
        assert!(longer > less_than_growth, "{longer:?}");
        for _ in 0..100 {
            turns.found(MOST_AHEAD);
            now += PUT;
            wait(&mut turns, now, false);
        }
        let longest = wait(&mut turns, now, true);
        assert!(longest <= PUT.mul_f64(2.0 / SLOWEST) && longest > 100 * PUT, "{longest:?}");
        assert_eq!(turns.not_before().map(|until| until - now), Some(longest));
        turns.tried(now - PUT, now, true, 0.0);
        assert_eq!(turns.not_before(), None, "chance may spare the wait");
        turns.tried(now - LONGEST, now, false, 1.0);
        assert_eq!(turns.not_before(), Some(now + LONGEST_WAIT));
    }

    #[test]
    fn a_put_that_took_hours_is_not_waited_for_again() {
        let (mut turns, now) = (Turns::default(), Instant::now() + 1000 * LONGEST);
        turns.tried(now - 1000 * LONGEST, now, false, 0.5);
        assert_eq!(turns.not_before(), Some(now + 6 * LONGEST));
    }

    #[test]
    fn as_many_segments_are_read_at_once_as_are_likely_to_be_there() {
        let mut turns = Turns::default();
        let mut read = |found: fn(Slot) -> Slot| {
            let ahead = turns.ahead();
            turns.found(found(ahead));
            ahead
        };
        assert_eq!([(); 6].map(|()| read(|all| all)), [1, 2, 4, 8, 16, 16]);
        assert_eq!([read(|_| 1), read(|_| 1), read(|_| 0)], [16, 2, 2]);
        assert_eq!(read(|all| all), 1);
    }

    /// Each segment of another counts for one try.
    #[test]
    fn segments_of_others_that_one_try_counted_are_not_counted_by_the_next() {
        let (mut turns, mut now) = (Turns::default(), Instant::now());
        wait(&mut turns, now, false);
        turns.found(3);
        now += 2 * PUT;
        let longer = wait(&mut turns, now, false);
        now += 2 * PUT;
        assert!(wait(&mut turns, now, false) < longer, "nothing came since");
    }

    /// How fast the log grows is seen from one try to the next, lost or won.
    #[test]
    fn a_lost_try_begins_the_time_in_which_the_log_grows() {
        let (mut turns, start) = (Turns::default(), Instant::now());
        let first = wait(&mut turns, start, false);
        let late = start + 100 * PUT;
        let second = wait(&mut turns, late, false);
        assert!(second < first);
        // One segment in a hundred puts would be little, in two it is much.
        turns.found(1);
        assert!(wait(&mut turns, late + 2 * PUT, false) > second);
    }
}
