//! How much the consumer holds and may still ask for. Pure.

use super::options::Settings;

/// Messages and bytes that are held or reserved for a receive under way, against their bounds.
#[derive(Debug)]
pub(super) struct Capacity {
    receive_max: usize,
    max_messages: usize,
    max_bytes: usize,
    /// The largest message of the queue: what a receive may bring for each message asked for.
    message_bytes: usize,
    messages: usize,
    bytes: usize,
    /// Of `messages`, those that receives under way may bring.
    reserved: usize,
    /// Messages that may still be received before the total is reached.
    quota: Option<u64>,
}

impl Capacity {
    pub(super) fn new(settings: &Settings) -> Self {
        let (options, limits) = (&settings.options, &settings.limits);
        let fit = options.max_bytes / limits.message_bytes.max(1);
        Self {
            receive_max: options.receive_max.min(options.max_messages).min(fit.max(1)),
            max_messages: options.max_messages,
            max_bytes: options.max_bytes,
            message_bytes: limits.message_bytes,
            messages: 0,
            bytes: 0,
            reserved: 0,
            quota: options.total,
        }
    }

    /// Reserves room for one receive and says how many messages it may ask for; none while there
    /// is no room for a full one. Smaller receives would cost as much and bring less; only the
    /// end of the quota is worth one.
    pub(super) fn reserve(&mut self) -> Option<usize> {
        let left =
            self.quota.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let ask = self.receive_max.min(left);
        let room = self.messages + ask <= self.max_messages
            && self.bytes + ask * self.message_bytes <= self.max_bytes;
        if ask == 0 || !room {
            return None;
        }
        self.messages += ask;
        self.bytes += ask * self.message_bytes;
        self.reserved += ask;
        self.spend(ask);
        Some(ask)
    }

    /// A receive that asked for `asked` messages brought these; what it did not use is free.
    pub(super) fn received(&mut self, asked: usize, messages: usize, bytes: usize) {
        self.reserved = self.reserved.saturating_sub(asked);
        self.messages = (self.messages + messages).saturating_sub(asked);
        self.bytes = (self.bytes + bytes).saturating_sub(asked * self.message_bytes);
        self.unspend(asked.saturating_sub(messages));
    }

    /// Bodies were dropped; their messages are still to be settled.
    pub(super) fn free_bytes(&mut self, bytes: usize) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// Messages were settled for good.
    pub(super) fn settled(&mut self, messages: usize) {
        self.messages = self.messages.saturating_sub(messages);
    }

    /// Messages were given back: they do not count towards the total.
    pub(super) fn released(&mut self, messages: usize) {
        self.settled(messages);
        self.unspend(messages);
    }

    /// Messages and bytes that are held, without what is only reserved.
    pub(super) fn held(&self) -> (usize, usize) {
        let reserved = self.reserved * self.message_bytes;
        (self.messages.saturating_sub(self.reserved), self.bytes.saturating_sub(reserved))
    }

    /// Whether the total is reached: nothing is left to receive, and nothing held may come back.
    pub(super) fn total_is_reached(&self) -> bool {
        self.quota == Some(0) && self.messages == 0
    }

    fn spend(&mut self, messages: usize) {
        if let Some(quota) = &mut self.quota {
            *quota = quota.saturating_sub(messages as u64);
        }
    }

    fn unspend(&mut self, messages: usize) {
        if let Some(quota) = &mut self.quota {
            *quota += messages as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::ConsumerOptions;
    use crate::queue::QueueLimits;

    fn capacity(max_messages: usize, max_bytes: usize, total: Option<u64>) -> Capacity {
        let options =
            ConsumerOptions { max_messages, max_bytes, total, ..ConsumerOptions::default() };
        let limits = QueueLimits { message_bytes: 100, ..QueueLimits::SQS };
        Capacity::new(&options.resolve(&limits).unwrap())
    }

    #[test]
    fn room_for_the_largest_messages_is_reserved_before_they_are_known() {
        let mut capacity = capacity(1000, 2500, None);
        assert_eq!(
            [capacity.reserve(), capacity.reserve(), capacity.reserve()],
            [Some(10), Some(10), None]
        );
        capacity.received(10, 10, 50);
        assert_eq!(capacity.reserve(), Some(10));
        capacity.received(10, 10, 1000);
        assert_eq!(capacity.reserve(), None);
        capacity.free_bytes(1000);
        assert_eq!(capacity.reserve(), Some(10));
    }

    #[test]
    fn messages_are_bounded_until_they_are_settled() {
        let mut capacity = capacity(15, 100_000, None);
        assert_eq!(capacity.reserve(), Some(10));
        capacity.received(10, 10, 10);
        capacity.free_bytes(10);
        assert_eq!(capacity.reserve(), None);
        capacity.settled(5);
        assert_eq!(capacity.reserve(), Some(10));
    }

    #[test]
    fn what_is_held_is_told_without_what_is_reserved() {
        let mut capacity = capacity(1000, 100_000, None);
        assert_eq!(capacity.reserve(), Some(10));
        assert_eq!(capacity.held(), (0, 0));
        capacity.received(10, 4, 70);
        assert_eq!(capacity.reserve(), Some(10));
        assert_eq!(capacity.held(), (4, 70));
        capacity.free_bytes(50);
        capacity.settled(1);
        capacity.released(1);
        assert_eq!(capacity.held(), (2, 20));
    }

    #[test]
    fn small_bounds_make_small_receives() {
        assert_eq!(capacity(3, 100_000, None).reserve(), Some(3));
        assert_eq!(capacity(1000, 250, None).reserve(), Some(2));
    }

    #[test]
    fn no_more_is_asked_for_than_the_total_allows() {
        let mut capacity = capacity(1000, 100_000, Some(12));
        assert_eq!(
            [capacity.reserve(), capacity.reserve(), capacity.reserve()],
            [Some(10), Some(2), None]
        );
        capacity.received(10, 10, 10);
        capacity.received(2, 1, 1);
        capacity.settled(10);
        capacity.released(1);
        assert!(!capacity.total_is_reached());
        assert_eq!(capacity.reserve(), Some(2));
        capacity.received(2, 2, 2);
        capacity.settled(2);
        assert!(capacity.total_is_reached());
    }
    #[derive(Clone, Debug)]
    enum Step {
        Reserve,
        /// The oldest receive under way brings so many of the messages it asked for, in parts of
        /// 256, of this size.
        Answer(usize, usize),
        /// The body of the oldest message that has one is dropped.
        Free,
        Settle,
        Release,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            Just(Step::Reserve),
            (0usize..=256, 0usize..=100).prop_map(|(part, size)| Step::Answer(part, size)),
            Just(Step::Free),
            Just(Step::Settle),
            Just(Step::Release),
        ];
        prop::collection::vec(step, 0..100)
    }

    proptest! {
        #[test]
        fn no_bound_is_passed_and_nothing_is_forgotten_whatever_the_order(
            max_messages in 1usize..40,
            max_bytes in 100usize..3000,
            total in prop::option::of(1u64..60),
            steps in steps(),
        ) {
            let mut capacity = capacity(max_messages, max_bytes, total);
            let most = 10.min(max_messages).min(max_bytes / 100);
            let mut under_way: VecDeque<usize> = VecDeque::new();
            let (mut bodies, mut messages, mut settled) = (VecDeque::new(), 0, 0);
            for step in steps {
                match step {
                    Step::Reserve => {
                        let asked: usize = under_way.iter().sum();
                        let bytes = bodies.iter().sum::<usize>() + asked * 100;
                        let spent = asked + messages + settled;
                        let ask = total.map_or(most, |total| most.min(total as usize - spent));
                        let fits = asked + messages + ask <= max_messages
                            && bytes + ask * 100 <= max_bytes;
                        let reserved = capacity.reserve();
                        prop_assert_eq!(reserved, (ask > 0 && fits).then_some(ask));
                        under_way.extend(reserved);
                    }
                    Step::Answer(part, size) => {
                        let Some(asked) = under_way.pop_front() else { continue };
                        let brought = asked * part / 256;
                        capacity.received(asked, brought, brought * size);
                        bodies.extend(vec![size; brought]);
                        messages += brought;
                    }
                    Step::Free => {
                        let Some(bytes) = bodies.pop_front() else { continue };
                        capacity.free_bytes(bytes);
                    }
                    // Only what was handled is settled.
                    Step::Settle if messages > bodies.len() => {
                        capacity.settled(1);
                        messages -= 1;
                        settled += 1;
                    }
                    Step::Release if messages > bodies.len() => {
                        capacity.released(1);
                        messages -= 1;
                    }
                    Step::Settle | Step::Release => {}
                }
                prop_assert_eq!(capacity.held(), (messages, bodies.iter().sum()));
                prop_assert!(capacity.messages <= max_messages && capacity.bytes <= max_bytes);
                prop_assert_eq!(capacity.total_is_reached(), total == Some(settled as u64));
            }
        }
    }
}
