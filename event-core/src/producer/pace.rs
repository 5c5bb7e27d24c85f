//! How many messages may be taken by now. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// Lets one message through for each interval that has passed, without making up for more than
/// one batch of them after a stall.
#[derive(Debug)]
pub(super) struct Pace {
    interval: Duration,
    next: Instant,
}

impl Pace {
    /// The first message may go at once.
    pub(super) fn new(interval: Duration, now: Instant) -> Self {
        Self { interval, next: now }
    }

    /// How many of `wanted` messages may go now.
    pub(super) fn allowed(&self, wanted: usize, now: Instant) -> usize {
        if self.interval.is_zero() {
            return wanted;
        }
        let Some(late) = now.checked_duration_since(self.next) else {
            return 0;
        };
        let due = 1 + late.as_nanos() / self.interval.as_nanos();
        usize::try_from(due).map_or(wanted, |due| due.min(wanted))
    }

    /// When the next message may go.
    pub(super) fn wake_at(&self) -> Instant {
        self.next
    }

    /// So many messages went, of `wanted` at most.
    pub(super) fn took(&mut self, messages: usize, wanted: usize, now: Instant) {
        let times = |messages: usize| {
            self.interval.saturating_mul(u32::try_from(messages).unwrap_or(u32::MAX))
        };
        // After a stall, the arrears are those of one batch.
        let oldest = now.checked_sub(times(wanted)).unwrap_or(now);
        self.next = self.next.max(oldest) + times(messages);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn one_message_goes_for_each_interval() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND * 2, start);
        assert_eq!(pace.allowed(10, start), 1);
        pace.took(1, 10, start);
        assert_eq!(pace.allowed(10, start + SECOND), 0);
        assert_eq!(pace.wake_at(), start + SECOND * 2);
        assert_eq!(pace.allowed(10, start + SECOND * 2), 1);
        assert_eq!(pace.allowed(10, start + SECOND * 7), 3);
    }

    #[test]
    fn a_stall_is_made_up_for_by_one_batch_at_most() {
        let start = Instant::now();
        let mut pace = Pace::new(SECOND, start);
        let later = start + SECOND * 1000;
        assert_eq!(pace.allowed(10, later), 10);
        pace.took(10, 10, later);
        assert_eq!(pace.allowed(10, later), 1);
        pace.took(1, 10, later);
        assert_eq!(pace.allowed(10, later), 0);
    }

    #[test]
    fn no_interval_is_no_limit() {
        let now = Instant::now();
        assert_eq!(Pace::new(Duration::ZERO, now).allowed(10, now), 10);
    }
    proptest! {
        #[test]
        fn messages_go_as_intervals_pass_and_no_arrears_exceed_a_batch(
            interval_ms in 1u64..1000,
            wanted in 1usize..20,
            gaps in prop::collection::vec(0u64..3000, 1..100),
        ) {
            let (interval, start) = (Duration::from_millis(interval_ms), Instant::now());
            let passed = |span: Duration| (span.as_millis() / interval.as_millis()) as usize;
            let mut pace = Pace::new(interval, start);
            let (mut now, mut takes, mut stalled) = (start, Vec::new(), false);
            for gap in gaps {
                now += Duration::from_millis(gap);
                let allowed = pace.allowed(wanted, now);
                prop_assert!(allowed <= wanted);
                prop_assert_eq!(allowed > 0, pace.wake_at() <= now);
                pace.took(allowed, wanted, now);
                takes.push((now, allowed));
                stalled |= allowed == wanted;
                if !stalled {
                    prop_assert_eq!(pace.allowed(wanted, now), 0);
                    let went = takes.iter().map(|take| take.1).sum::<usize>();
                    prop_assert_eq!(went, 1 + passed(now - start));
                }
            }
            for (i, first) in takes.iter().enumerate() {
                let mut went = 0;
                for take in &takes[i..] {
                    went += take.1;
                    prop_assert!(went <= wanted + 1 + passed(take.0 - first.0));
                }
            }
        }
    }
}
