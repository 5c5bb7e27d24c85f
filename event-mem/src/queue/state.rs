//! What a queue holds, as a state machine: the time is an argument, nothing waits.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

use event_core::{Delivery, Depth, Error, Message, MessageId, Receipt, Result};
use tokio::time::Instant;

use crate::clock::{Clock, later};

/// Messages by the order of their arrival.
///
/// No operation walks over messages that it does not answer: ten million may wait.
pub(super) struct State {
    clock: Clock,
    /// Starts ids and receipts, so that a receipt of another queue is told apart.
    prefix: Box<str>,
    next: u64,
    entries: BTreeMap<u64, Entry>,
    /// In the order in which they became visible. A message that comes back goes to the end, or
    /// a few that are never deleted would keep all others from being received. What was deleted
    /// while it was visible is still listed, and skipped when its turn comes.
    visible: VecDeque<u64>,
    /// When the messages that are in flight or delayed become visible.
    timers: BTreeSet<(Instant, u64)>,
    in_flight: usize,
    delayed: usize,
}

struct Entry {
    letter: Letter,
    arrived: Instant,
    receives: u32,
    place: Place,
}

enum Place {
    Visible,
    Delayed,
    InFlight { since: Instant, until: Instant },
}

/// A message with the names that stay when it moves to a dead-letter queue.
pub(super) struct Letter {
    pub(super) message: Message,
    id: MessageId,
    sent_at: SystemTime,
}

/// What to receive, and within which rules.
pub(super) struct Take {
    pub(super) max: usize,
    pub(super) visibility: Duration,
    pub(super) max_in_flight: usize,
    pub(super) max_receives: Option<u32>,
}

#[derive(Default)]
pub(super) struct Taken {
    pub(super) deliveries: Vec<Delivery>,
    /// Received too often: to be moved to the dead-letter queue.
    pub(super) dead: Vec<Letter>,
    /// Whether only the bound on messages in flight kept others from being received.
    pub(super) full: bool,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            clock: Clock::start(),
            prefix: format!("{:016x}-", fastrand::u64(..)).into(),
            next: 0,
            entries: BTreeMap::new(),
            visible: VecDeque::new(),
            timers: BTreeSet::new(),
            in_flight: 0,
            delayed: 0,
        }
    }

    pub(super) fn send(&mut self, message: Message, delay: Duration, now: Instant) -> MessageId {
        let id = MessageId::new(text(format_args!("{}{}", self.prefix, self.next)));
        let letter = Letter { message, id: id.clone(), sent_at: self.clock.time_at(now) };
        self.adopt(letter, delay, now);
        id
    }

    /// Takes a message in as it is.
    pub(super) fn adopt(&mut self, letter: Letter, delay: Duration, now: Instant) {
        let seq = self.next;
        self.next += 1;
        let place = if delay.is_zero() {
            self.visible.push_back(seq);
            Place::Visible
        } else {
            self.timers.insert((later(now, delay), seq));
            self.delayed += 1;
            Place::Delayed
        };
        let entry = Entry { letter, arrived: now, receives: 0, place };
        self.entries.insert(seq, entry);
    }

    pub(super) fn receive(&mut self, take: &Take, now: Instant) -> Taken {
        self.advance(now);
        let mut taken = Taken::default();
        while taken.deliveries.len() < take.max {
            if self.in_flight >= take.max_in_flight {
                taken.full = self.visible() > 0;
                break;
            }
            let Some(seq) = self.visible.pop_front() else {
                break;
            };
            let Some(entry) = self.entries.get_mut(&seq) else {
                continue;
            };
            if take.max_receives.is_some_and(|max| entry.receives >= max) {
                taken.dead.extend(self.remove(seq));
                continue;
            }
            entry.receives += 1;
            let until = later(now, take.visibility);
            entry.place = Place::InFlight { since: now, until };
            self.timers.insert((until, seq));
            self.in_flight += 1;
            taken.deliveries.push(Delivery {
                message: entry.letter.message.clone(),
                id: entry.letter.id.clone(),
                receipt: Receipt::new(text(format_args!(
                    "{}{seq}-{}",
                    self.prefix, entry.receives
                ))),
                receive_count: entry.receives,
                sent_at: entry.letter.sent_at,
                event: None,
            });
        }
        taken
    }

    /// Takes out the message that has been visible for longest.
    pub(super) fn take_visible(&mut self) -> Option<Letter> {
        loop {
            let seq = self.visible.pop_front()?;
            if let Some(letter) = self.remove(seq) {
                return Some(letter);
            }
        }
    }

    pub(super) fn delete(&mut self, receipt: &Receipt) -> Result<()> {
        let (seq, receives) = self.parse("delete", receipt)?;
        if self.entries.get(&seq).map(|entry| entry.receives) == Some(receives) {
            self.remove(seq);
        }
        Ok(())
    }

    pub(super) fn change_visibility(
        &mut self,
        receipt: &Receipt,
        visibility: Duration,
        max: Duration,
        now: Instant,
    ) -> Result<()> {
        let refuse = |message: String| Err(Error::invalid("change_visibility", message));
        self.advance(now);
        let (seq, receives) = self.parse("change_visibility", receipt)?;
        let entry = self.entries.get_mut(&seq);
        let Some(entry) = entry.filter(|entry| entry.receives == receives) else {
            return refuse("the message was deleted or received again".to_owned());
        };
        let Place::InFlight { since, until } = &mut entry.place else {
            return refuse("the message is not in flight, its visibility has lapsed".to_owned());
        };
        let hidden = now.saturating_duration_since(*since);
        if visibility > max.saturating_sub(hidden) {
            return refuse(format!(
                "{visibility:?} after the {hidden:?} since the receive is over the {max:?} that a \
                 delivery can be hidden"
            ));
        }
        self.timers.remove(&(*until, seq));
        if visibility.is_zero() {
            entry.place = Place::Visible;
            self.in_flight -= 1;
            self.visible.push_back(seq);
        } else {
            *until = later(now, visibility);
            self.timers.insert((*until, seq));
        }
        Ok(())
    }

    pub(super) fn depth(&mut self, now: Instant) -> Depth {
        self.advance(now);
        let oldest = self.entries.first_key_value();
        Depth {
            visible: self.visible() as u64,
            in_flight: self.in_flight as u64,
            delayed: self.delayed as u64,
            oldest: oldest.map(|(_, entry)| now.saturating_duration_since(entry.arrived)),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Messages that could be received; at most those whose time had come at the last call.
    pub(super) fn visible(&self) -> usize {
        self.entries.len() - self.in_flight - self.delayed
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// When the next message becomes visible by itself.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|&(due, _)| due)
    }

    /// Makes visible what is due.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some(&(due, seq)) = self.timers.first()
            && due <= now
        {
            self.timers.pop_first();
            // A removed message takes its timer along.
            let Some(entry) = self.entries.get_mut(&seq) else {
                continue;
            };
            match entry.place {
                Place::InFlight { .. } => self.in_flight -= 1,
                Place::Delayed => self.delayed -= 1,
                Place::Visible => {}
            }
            entry.place = Place::Visible;
            self.visible.push_back(seq);
        }
    }

    fn remove(&mut self, seq: u64) -> Option<Letter> {
        let entry = self.entries.remove(&seq)?;
        // What is delayed was never received, so that nothing names it to remove it.
        if let Place::InFlight { until, .. } = entry.place {
            self.timers.remove(&(until, seq));
            self.in_flight -= 1;
        }
        Some(entry.letter)
    }

    /// The message and the receive that a receipt names, if this queue can have given it out.
    fn parse(&self, operation: &'static str, receipt: &Receipt) -> Result<(u64, u32)> {
        let text = receipt.as_str();
        let numbers = text.strip_prefix(&*self.prefix).and_then(|numbers| {
            let (seq, receives) = numbers.split_once('-')?;
            Some((seq.parse().ok()?, receives.parse().ok()?))
        });
        let given = |&(seq, receives): &(u64, u32)| {
            let entry = self.entries.get(&seq);
            seq < self.next && receives > 0 && entry.is_none_or(|e| receives <= e.receives)
        };
        numbers.filter(given).ok_or_else(|| {
            Error::invalid(operation, format!("{text:?} is not a receipt of this queue"))
        })
    }
}

/// With room for any id and receipt, so that it is not grown piece by piece.
fn text(parts: fmt::Arguments<'_>) -> String {
    let mut text = String::with_capacity(48);
    // Writing to a String cannot fail.
    let _ = text.write_fmt(parts);
    text
}
