//! How several writers share the head of a row. Pure: the time is an argument.
//!
//! Whoever has just claimed a slot knows the head, while everyone else has to read that claim first:
//! left alone, one busy writer would have every slot. So it lets the others go first now and then,
//! for as long as reading a claim and making the next one takes; after each of its claims if it met
//! others lately, after every sixteenth if it did not.

use std::time::Duration;

use tokio::time::Instant;

use super::index::Slot;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turns {
    /// Own claims since it last let others go first.
    in_a_row: u32,
    /// Own claims after which it does.
    most_in_a_row: u32,
    /// No claim before this.
    not_before: Option<Instant>,
    /// How many entries to read at once where one was missed.
    ahead: Slot,
}

const MOST_IN_A_ROW: u32 = 16;
const MOST_AHEAD: Slot = 16;
/// A claim that took hours met an outage, and says nothing of how long the next one takes.
const LONGEST: Duration = Duration::from_secs(1);

impl Default for Turns {
    fn default() -> Self {
        Self { in_a_row: 0, most_in_a_row: MOST_IN_A_ROW, not_before: None, ahead: 1 }
    }
}

impl Turns {
    /// When the next claim may be made.
    pub(super) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// A claim that was asked for at `asked` stands.
    pub(super) fn won(&mut self, asked: Instant, now: Instant) {
        self.in_a_row += 1;
        // Nobody came in between when it last let them.
        if self.not_before.take().is_some() {
            self.most_in_a_row = MOST_IN_A_ROW.min(self.most_in_a_row * 2);
        }
        if self.in_a_row >= self.most_in_a_row {
            self.in_a_row = 0;
            let took = now.saturating_duration_since(asked);
            self.not_before = now.checked_add((took * 2).min(LONGEST));
        }
    }

    /// Another writer had the slot.
    pub(super) fn lost(&mut self) {
        *self = Self { most_in_a_row: 1, ahead: self.ahead, ..Self::default() };
    }

    pub(super) fn ahead(&self) -> Slot {
        self.ahead
    }

    /// So many of the entries read at once were there: as many will be next time, and one more.
    pub(super) fn found(&mut self, found: Slot) {
        let next = if found >= self.ahead { 2 * self.ahead } else { found + 1 };
        self.ahead = next.min(MOST_AHEAD);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PUT: Duration = Duration::from_millis(30);

    /// Claims until it has to let others go first.
    fn claims_in_a_row(turns: &mut Turns, now: Instant) -> u32 {
        for claims in 1..100 {
            turns.won(now, now + PUT);
            if turns.not_before().is_some() {
                return claims;
            }
        }
        panic!("it never lets others go first")
    }

    #[test]
    fn a_writer_lets_others_go_first_more_often_when_it_meets_some() {
        let (mut turns, now) = (Turns::default(), Instant::now());
        assert_eq!([claims_in_a_row(&mut turns, now), claims_in_a_row(&mut turns, now)], [16, 16]);
        assert_eq!(turns.not_before(), Some(now + PUT + 2 * PUT));
        turns.lost();
        assert_eq!(turns.not_before(), None);
        let mut after_an_outage = Turns { most_in_a_row: 1, ..Turns::default() };
        after_an_outage.won(now, now + 1000 * LONGEST);
        assert_eq!(after_an_outage.not_before(), Some(now + 1001 * LONGEST));
        let more: Vec<_> = (0..6).map(|_| claims_in_a_row(&mut turns, now)).collect();
        assert_eq!(more, [1, 2, 4, 8, 16, 16]);
    }

    #[test]
    fn as_many_entries_are_read_at_once_as_are_likely_to_be_there() {
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
}
