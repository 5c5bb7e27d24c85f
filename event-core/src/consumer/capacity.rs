//! How much the consumer holds and may still ask for. Pure.

use super::options::Settings;

/// Messages and bytes that are held or reserved for a receive under way, against their bounds.
#[derive(Debug)]
pub(super) struct Capacity {
    receive_max: usize,
    max_messages: usize,
    max_bytes: usize,
    /// The largest message of the queue.
    message_bytes: usize,
    /// The largest message lately. Room for twice that is reserved: with room for the largest of
    /// all, a megabyte on SQS, there could be no more than a few receives at once. It is the
    /// largest of the queue until there is an answer, and shrinks by an eighth with each.
    recent_bytes: usize,
    messages: usize,
    bytes: usize,
    /// Of `messages` and `bytes`, what receives under way may bring.
    reserved: Room,
    /// Messages that may still be received before the total is reached.
    quota: Option<u64>,
}

/// What a receive may bring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) messages: usize,
    pub(super) bytes: usize,
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
            recent_bytes: limits.message_bytes,
            messages: 0,
            bytes: 0,
            reserved: Room::default(),
            quota: options.total,
        }
    }

    /// Reserves room for one receive; none while there is no room for a full one. Smaller receives
    /// would cost as much and bring less; only the end of the quota is worth one.
    pub(super) fn reserve(&mut self) -> Option<Room> {
        let left =
            self.quota.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let messages = self.receive_max.min(left);
        let bytes = messages * self.message_bytes.min(2 * self.recent_bytes);
        let fits =
            self.messages + messages <= self.max_messages && self.bytes + bytes <= self.max_bytes;
        if messages == 0 || !fits {
            return None;
        }
        self.messages += messages;
        self.bytes += bytes;
        self.reserved.messages += messages;
        self.reserved.bytes += bytes;
        self.spend(messages);
        Some(Room { messages, bytes })
    }

    /// A receive for which there was this room brought messages of these sizes; what it did not
    /// use is free.
    pub(super) fn received(&mut self, room: Room, sizes: impl Iterator<Item = usize>) {
        let (mut messages, mut bytes, mut largest) = (0, 0, 0);
        for size in sizes {
            messages += 1;
            bytes += size;
            largest = size.max(largest);
        }
        if messages > 0 {
            self.recent_bytes = largest.max(self.recent_bytes / 8 * 7);
        }
        self.reserved.messages = self.reserved.messages.saturating_sub(room.messages);
        self.reserved.bytes = self.reserved.bytes.saturating_sub(room.bytes);
        self.messages = (self.messages + messages).saturating_sub(room.messages);
        self.bytes = (self.bytes + bytes).saturating_sub(room.bytes);
        self.unspend(room.messages.saturating_sub(messages));
    }

    /// Whether so many messages and bytes are too much to wait for others in open batches: what
    /// waits may take half of the room, so that work goes on in the other half.
    pub(super) fn is_pressed(&self, (messages, bytes): (usize, usize)) -> bool {
        messages > self.max_messages.div_ceil(2) || bytes > self.max_bytes.div_ceil(2)
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
        let Room { messages, bytes } = self.reserved;
        (self.messages.saturating_sub(messages), self.bytes.saturating_sub(bytes))
    }

    /// Whether more may be received before something that is held comes back.
    pub(super) fn awaits_more(&self) -> bool {
        self.quota != Some(0) || self.reserved.messages > 0
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

    /// Reserves, and says for how many messages.
    fn asked(capacity: &mut Capacity) -> Option<usize> {
        capacity.reserve().map(|room| room.messages)
    }

    /// The answer to a receive that asked for `asked` messages of the largest size.
    fn answer(capacity: &mut Capacity, asked: usize, sizes: &[usize]) {
        let room = Room { messages: asked, bytes: asked * 100 };
        capacity.received(room, sizes.iter().copied());
    }

    #[test]
    fn room_for_the_largest_messages_is_reserved_before_any_is_known() {
        let mut capacity = capacity(1000, 2500, None);
        let ten = Some(Room { messages: 10, bytes: 1000 });
        assert_eq!([capacity.reserve(), capacity.reserve(), capacity.reserve()], [ten, ten, None]);
        answer(&mut capacity, 10, &[60; 10]);
        assert_eq!(capacity.reserve(), None);
        capacity.free_bytes(100);
        assert_eq!(capacity.reserve(), ten);
    }

    #[test]
    fn room_for_twice_the_largest_of_late_is_reserved_once_some_are_known() {
        let mut capacity = capacity(1000, 3000, None);
        let mut receive = |size: usize| {
            let room = capacity.reserve().expect("nothing is held");
            capacity.received(room, [size].into_iter());
            capacity.free_bytes(size);
            capacity.settled(1);
            room.bytes / 10
        };
        assert_eq!([receive(10), receive(10)], [100, 100]);
        let rooms: Vec<_> = (0..20).map(|_| receive(10)).collect();
        assert!(rooms.is_sorted_by(|a, b| a >= b) && rooms[19] == 20, "{rooms:?}");
        assert_eq!([receive(30), receive(10)], [20, 60]);
    }

    #[test]
    fn what_is_recent_is_the_largest_of_the_messages_and_not_all_of_them() {
        let mut capacity = capacity(1000, 100_000, None);
        for _ in 0..100 {
            let room = capacity.reserve().unwrap();
            capacity.received(room, [9, 10, 3, 10, 1, 2].into_iter());
            capacity.free_bytes(35);
            capacity.settled(6);
        }
        assert_eq!(capacity.reserve(), Some(Room { messages: 10, bytes: 10 * 2 * 10 }));
    }

    #[test]
    fn an_answer_without_messages_tells_no_size() {
        let mut capacity = capacity(1000, 1000, None);
        for _ in 0..100 {
            assert_eq!(asked(&mut capacity), Some(10));
            answer(&mut capacity, 10, &[]);
        }
        assert_eq!(capacity.reserve(), Some(Room { messages: 10, bytes: 1000 }));
    }

    #[test]
    fn messages_are_bounded_until_they_are_settled() {
        let mut capacity = capacity(15, 100_000, None);
        assert_eq!(asked(&mut capacity), Some(10));
        answer(&mut capacity, 10, &[1; 10]);
        capacity.free_bytes(10);
        assert_eq!(asked(&mut capacity), None);
        capacity.settled(5);
        assert_eq!(asked(&mut capacity), Some(10));
    }

    #[test]
    fn what_is_held_is_told_without_what_is_reserved() {
        let mut capacity = capacity(1000, 100_000, None);
        assert_eq!(asked(&mut capacity), Some(10));
        assert_eq!(capacity.held(), (0, 0));
        answer(&mut capacity, 10, &[10, 20, 30, 10]);
        assert_eq!(asked(&mut capacity), Some(10));
        assert_eq!(capacity.held(), (4, 70));
        capacity.free_bytes(50);
        capacity.settled(1);
        capacity.released(1);
        assert_eq!(capacity.held(), (2, 20));
    }

    #[test]
    fn small_bounds_make_small_receives() {
        assert_eq!(asked(&mut capacity(3, 100_000, None)), Some(3));
        assert_eq!(asked(&mut capacity(1000, 250, None)), Some(2));
    }

    #[test]
    fn what_waits_in_open_batches_may_take_half_of_the_room() {
        let capacity = capacity(10, 1000, None);
        assert!(!capacity.is_pressed((5, 500)));
        assert!(capacity.is_pressed((6, 0)) && capacity.is_pressed((0, 501)));
    }

    #[test]
    fn no_more_is_asked_for_than_the_total_allows() {
        let mut capacity = capacity(1000, 100_000, Some(12));
        let asks = [asked(&mut capacity), asked(&mut capacity), asked(&mut capacity)];
        assert_eq!(asks, [Some(10), Some(2), None]);
        answer(&mut capacity, 10, &[1; 10]);
        assert!(capacity.awaits_more());
        answer(&mut capacity, 2, &[1]);
        assert!(capacity.awaits_more());
        capacity.settled(10);
        capacity.released(1);
        assert!(!capacity.total_is_reached());
        assert_eq!(asked(&mut capacity), Some(2));
        answer(&mut capacity, 2, &[1; 2]);
        assert!(!capacity.awaits_more());
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
            let mut under_way: VecDeque<Room> = VecDeque::new();
            let (mut bodies, mut messages, mut settled) = (VecDeque::new(), 0, 0);
            for step in steps {
                match step {
                    Step::Reserve => {
                        let asked: usize = under_way.iter().map(|room| room.messages).sum();
                        let reserved: usize = under_way.iter().map(|room| room.bytes).sum();
                        let bytes = bodies.iter().sum::<usize>() + reserved;
                        let spent = asked + messages + settled;
                        let ask = total.map_or(most, |total| most.min(total as usize - spent));
                        let each = 100.min(2 * capacity.recent_bytes);
                        let fits = asked + messages + ask <= max_messages
                            && bytes + ask * each <= max_bytes;
                        let room = Room { messages: ask, bytes: ask * each };
                        let reserved = capacity.reserve();
                        prop_assert_eq!(reserved, (ask > 0 && fits).then_some(room));
                        under_way.extend(reserved);
                    }
                    Step::Answer(part, size) => {
                        let Some(room) = under_way.pop_front() else { continue };
                        let brought = room.messages * part / 256;
                        // No larger than what there is room for, or the bound may be passed.
                        let size = size.min(room.bytes / room.messages);
                        capacity.received(room, std::iter::repeat_n(size, brought));
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
