use super::*;
use proptest::prelude::*;

fn batcher(count: usize, bytes: usize, linger_ms: u64) -> Batcher<usize> {
    Batcher::new(BatchLimits { count, bytes, linger: Duration::from_millis(linger_ms) })
}

/// The batches that come one after the other; where they never end, enough of them to fail.
fn all(next: impl FnMut() -> Option<Batch<usize>>) -> impl Iterator<Item = Batch<usize>> {
    std::iter::from_fn(next).take(1000)
}

#[test]
fn an_item_that_does_not_fit_closes_the_batch_before_it() {
    let now = Instant::now();
    let mut b = batcher(10, 100, 1000);
    b.push(1, 60, now);
    b.push(2, 60, now);
    let batch = b.next(now).unwrap();
    assert_eq!((batch.items, batch.reason), (vec![1], FlushReason::Bytes));
    assert_eq!(b.next(now), None);
}

#[test]
fn a_batch_is_filled_to_its_last_byte() {
    let now = Instant::now();
    let mut b = batcher(10, 100, 1000);
    b.push(1, 60, now);
    b.push(2, 40, now);
    let batch = b.next(now).unwrap();
    assert_eq!((batch.items, batch.bytes, batch.reason), (vec![1, 2], 100, FlushReason::Bytes));
}

#[test]
fn an_item_larger_than_a_batch_goes_alone() {
    let now = Instant::now();
    let mut b = batcher(10, 100, 1000);
    b.push(1, 1, now);
    b.push(2, 500, now);
    b.push(3, 1, now);
    let batches: Vec<_> = all(|| b.drain()).map(|b| b.items).collect();
    assert_eq!(batches, [vec![1], vec![2], vec![3]]);
}

#[test]
fn the_linger_runs_from_the_first_item_of_the_batch() {
    let start = Instant::now();
    let mut b = batcher(10, 100, 100);
    b.push(1, 1, start);
    b.push(2, 1, start + Duration::from_millis(90));
    let due = start + Duration::from_millis(100);
    assert_eq!(b.deadline(start), Some(due));
    assert_eq!(b.next(due - Duration::from_nanos(1)), None);
    assert_eq!(b.next(due).unwrap().items, [1, 2]);
    assert_eq!(b.deadline(due), None);
}

#[test]
fn full_batches_go_before_those_that_waited() {
    let now = Instant::now();
    let mut b = batcher(2, 100, 100);
    b.push_to(1, 1, 1, now);
    b.push_to(2, 2, 1, now);
    let later = now + Duration::from_millis(100);
    b.push_to(3, 3, 1, later);
    b.push_to(3, 4, 1, later);
    let batches: Vec<_> = all(|| b.next(later)).map(|b| (b.items, b.reason)).collect();
    let waited = |item| (vec![item], FlushReason::Linger);
    assert_eq!(batches, [(vec![3, 4], FlushReason::Count), waited(1), waited(2)]);
}

#[test]
fn under_pressure_the_largest_goes() {
    let now = Instant::now();
    let mut b = batcher(10, 100, 100);
    b.close_largest();
    assert!(b.is_empty());
    for (group, item, bytes) in [(1, 1, 10), (1, 2, 10), (2, 3, 30), (3, 4, 5)] {
        b.push_to(group, item, bytes, now);
    }
    assert_eq!(b.open(), (4, 55));
    b.close_largest();
    assert_eq!((b.open(), b.len()), ((3, 25), 4));
    let batch = b.next(now).unwrap();
    assert_eq!((batch.items, batch.bytes, batch.reason), (vec![3], 30, FlushReason::Pressure));
    assert_eq!(b.next(now), None);
}

#[test]
fn a_linger_beyond_the_end_of_the_clock_waits_for_the_end_of_the_work() {
    let now = Instant::now();
    let mut b = Batcher::new(BatchLimits { count: 10, bytes: 100, linger: Duration::MAX });
    b.push(1, 1, now);
    assert_eq!((b.deadline(now), b.next(now)), (None, None));
    assert_eq!(b.drain().unwrap().reason, FlushReason::Drain);
}

#[test]
fn what_goes_alone_is_due_at_once_and_leaves_the_open_batch_as_it_is() {
    let now = Instant::now();
    let mut b = batcher(10, 100, 1000);
    b.push(1, 10, now);
    b.push_alone(2, 20);
    b.push_alone(3, 30);
    assert_eq!((b.len(), b.deadline(now)), (3, Some(now)));
    let alone = |item, bytes| Some(Batch { items: vec![item], bytes, reason: FlushReason::Alone });
    assert_eq!((b.next(now), b.next(now), b.next(now)), (alone(2, 20), alone(3, 30), None));
    assert_eq!(b.deadline(now), Some(now + Duration::from_secs(1)));
    assert_eq!(b.drain().unwrap().items, [1]);
}

#[test]
fn reasons_are_named_in_lower_case() {
    use FlushReason::{Alone, Bytes, Count, Drain, Linger, Pressure};
    for reason in [Count, Bytes, Linger, Drain, Pressure, Alone] {
        assert_eq!(reason.as_str(), format!("{reason:?}").to_lowercase());
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Next,
    Drain,
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let step = prop_oneof![
        3 => (0usize..150).prop_map(Step::Push),
        1 => Just(Step::Next),
        1 => Just(Step::Drain),
    ];
    prop::collection::vec((step, 0u64..30), 0..200)
}

proptest! {
    #[test]
    fn what_is_held_is_counted_and_comes_when_it_is_due(
        count in 1usize..20, bytes in 1usize..200, linger in 0u64..50, steps in steps(),
    ) {
        let (mut now, mut held) = (Instant::now(), 0);
        let mut b = batcher(count, bytes, linger);
        for (step, gap) in steps {
            now += Duration::from_millis(gap);
            let due = b.deadline(now).is_some_and(|at| at <= now);
            let taken = match step {
                Step::Push(size) => {
                    b.push(0, size, now);
                    held += 1;
                    None
                }
                Step::Next => {
                    let batch = b.next(now);
                    prop_assert_eq!(batch.is_some(), due);
                    batch
                }
                Step::Drain => {
                    let batch = b.drain();
                    prop_assert_eq!(batch.is_some(), held > 0);
                    batch
                }
            };
            held -= taken.map_or(0, |batch| batch.items.len());
            prop_assert_eq!(b.len(), held);
            prop_assert_eq!(b.is_empty(), held == 0);
            prop_assert_eq!(b.deadline(now).is_some(), held > 0);
        }
    }

    #[test]
    fn a_batch_is_closed_for_the_reason_it_gives(
        count in 1usize..20,
        bytes in 1usize..200,
        linger in 1u64..50,
        pushes in prop::collection::vec((0usize..150, 0u64..30), 0..200),
    ) {
        let mut now = Instant::now();
        let mut b = batcher(count, bytes, linger);
        let (mut arrived, mut out) = (Vec::new(), Vec::new());
        for (i, &(size, gap)) in pushes.iter().enumerate() {
            now += Duration::from_millis(gap);
            // As an engine does: what is due goes before what comes.
            out.extend(all(|| b.next(now)).map(|batch| (batch, now)));
            b.push(i, size, now);
            arrived.push(now);
        }
        out.extend(all(|| b.drain()).map(|batch| (batch, now)));
        for (batch, at) in out {
            let next = batch.items.last().and_then(|last| pushes.get(last + 1));
            let waited = at - arrived[batch.items[0]];
            let full = batch.items.len() == count;
            match batch.reason {
                FlushReason::Count => prop_assert!(full),
                FlushReason::Bytes => {
                    let over = next.is_some_and(|next| batch.bytes + next.0 > bytes);
                    prop_assert!(!full && (batch.bytes >= bytes || over));
                }
                FlushReason::Linger => prop_assert!(!full && waited >= b.limits.linger),
                FlushReason::Drain => prop_assert!(!full && next.is_none()),
                FlushReason::Alone | FlushReason::Pressure => {
                    prop_assert!(false, "nobody asked for it");
                }
            }
        }
    }

    #[test]
    fn nothing_is_dropped_reordered_or_over_the_limits(
        count in 1usize..20,
        bytes in 1usize..200,
        linger in 0u64..50,
        pushes in prop::collection::vec((0usize..150, 0u64..30), 0..200),
    ) {
        let mut now = Instant::now();
        let mut b = batcher(count, bytes, linger);
        let mut out = Vec::new();
        for (i, (size, gap)) in pushes.iter().enumerate() {
            now += Duration::from_millis(*gap);
            b.push(i, *size, now);
            out.extend(all(|| b.next(now)));
            if let Some(deadline) = b.deadline(now) {
                prop_assert!(deadline > now, "a batch that is due was kept");
            }
        }
        out.extend(all(|| b.drain()));
        prop_assert!(b.is_empty());
        for batch in &out {
            prop_assert!(!batch.items.is_empty() && batch.items.len() <= count);
            prop_assert!(batch.bytes <= bytes || batch.items.len() == 1);
            prop_assert_eq!(batch.bytes, batch.items.iter().map(|&i| pushes[i].0).sum::<usize>());
        }
        let items: Vec<_> = out.into_iter().flat_map(|batch| batch.items).collect();
        prop_assert_eq!(items, (0..pushes.len()).collect::<Vec<_>>());
    }

    #[test]
    fn no_two_groups_share_a_batch_and_each_keeps_its_order(
        count in 1usize..5,
        bytes in 1usize..200,
        linger in 0u64..50,
        pushes in prop::collection::vec((0u64..4, 0usize..150, 0u64..30), 0..200),
    ) {
        let mut now = Instant::now();
        let mut b = batcher(count, bytes, linger);
        let mut out = Vec::new();
        for (i, (group, size, gap)) in pushes.iter().enumerate() {
            now += Duration::from_millis(*gap);
            b.push_to(*group, i, *size, now);
            out.extend(all(|| b.next(now)));
            let sizes = b.open.values().map(|open| (open.items.len(), open.bytes));
            let held = sizes.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
            prop_assert_eq!(b.open(), held);
        }
        out.extend(all(|| b.drain()));
        let mut groups: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for batch in out {
            let group = pushes[batch.items[0]].0;
            prop_assert!(batch.items.iter().all(|&item| pushes[item].0 == group));
            prop_assert!(batch.items.len() <= count);
            groups.entry(group).or_default().extend(batch.items);
        }
        for (group, items) in groups {
            let pushed = (0..pushes.len()).filter(|&item| pushes[item].0 == group);
            prop_assert_eq!(items, pushed.collect::<Vec<_>>());
        }
    }
}
