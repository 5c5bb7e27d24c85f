use proptest::prelude::*;

use super::*;
use crate::error::{Error, ErrorKind};

const V: Duration = Duration::from_secs(40);
const HOURS: Duration = Duration::from_secs(12 * 3600);

fn ids(extensions: &[Extension]) -> Vec<u64> {
    extensions.iter().map(|extension| extension.id).collect()
}

#[test]
fn a_lease_is_extended_while_a_quarter_is_left_and_not_after_it_is_settled() {
    let start = Instant::now();
    let mut leases = Leases::new(V, HOURS);
    let a = leases.add(Receipt::new("a"), start);
    let b = leases.add(Receipt::new("b"), start);
    assert!(leases.due(start + V / 4).is_empty());
    assert_eq!(leases.remove(b), Some(Receipt::new("b")));
    let at = leases.wake_at().unwrap();
    assert!(at <= start + V * 3 / 4);
    assert_eq!(ids(&leases.due(at)), [a]);
    leases.extended(a, &Ok(()), V, at);
    assert!(leases.due(leases.wake_at().unwrap()).is_empty());
    assert_eq!(ids(&leases.due(leases.wake_at().unwrap())), [a]);
}

#[test]
fn every_lease_is_extended_before_it_expires_however_they_are_staggered() {
    let start = Instant::now();
    let mut leases = Leases::new(V, HOURS);
    let mut expires = BTreeMap::new();
    for step in 0..2000u64 {
        let now = start + Duration::from_millis(step * 500);
        if step % 7 == 0 && step < 200 {
            expires.insert(leases.add(Receipt::new("x"), now), now + V);
        }
        for extension in leases.due(now) {
            let left = expires[&extension.id] - now;
            assert!(left >= V / 4 - Duration::from_secs(1), "{left:?}");
            expires.insert(extension.id, now + V);
            leases.extended(extension.id, &Ok(()), V, now);
        }
        assert!(expires.values().all(|&at| at > now));
    }
}

#[test]
fn a_failed_extension_is_tried_again_and_a_lost_receipt_is_not() {
    let start = Instant::now();
    let mut leases = Leases::new(V, HOURS);
    let (a, b) = (leases.add(Receipt::new("a"), start), leases.add(Receipt::new("b"), start));
    let now = start + V / 2;
    assert_eq!(ids(&leases.due(now)), [a, b]);
    assert!(leases.is_busy(a));
    let fail = |kind| Err(Error::new(kind, "change_visibility", "on purpose"));
    leases.extended(a, &fail(ErrorKind::Throttled), V, now);
    leases.extended(b, &fail(ErrorKind::NotFound), V, now);
    assert_eq!(ids(&leases.due(now + V / 4)), [a]);
}

#[test]
fn no_lease_outlives_the_longest_visibility() {
    let start = Instant::now();
    let mut leases = Leases::new(V, V * 2);
    let a = leases.add(Receipt::new("a"), start);
    let mut hidden_until = start + V;
    for step in 1..20 {
        let now = start + V * step / 4;
        for extension in leases.due(now) {
            hidden_until = now + extension.visibility;
            leases.extended(a, &Ok(()), extension.visibility, now);
        }
    }
    assert_eq!(hidden_until, start + V * 2);
}

#[test]
fn leases_are_looked_at_four_times_in_a_visibility_while_any_is_held() {
    let start = Instant::now();
    let mut leases = Leases::new(V, HOURS);
    assert_eq!(leases.wake_at(), None);
    let a = leases.add(Receipt::new("a"), start);
    let b = leases.add(Receipt::new("b"), start + V / 8);
    assert_eq!(leases.wake_at(), Some(start + V / 4));
    assert!(leases.due(start + V / 4 - Duration::from_nanos(1)).is_empty());
    assert_eq!(leases.wake_at(), Some(start + V / 4));
    assert!(leases.due(start + V / 4).is_empty());
    assert_eq!(leases.wake_at(), Some(start + V / 2));
    assert_eq!(ids(&leases.due(start + V / 2)), [a]);
    leases.remove(a);
    leases.remove(b);
    assert!(leases.due(start + V * 3 / 4).is_empty());
    assert_eq!(leases.wake_at(), None);
    leases.add(Receipt::new("c"), start + V);
    assert_eq!(leases.wake_at(), Some(start + V * 5 / 4));
}

#[test]
fn an_extension_is_asked_for_once_and_forgotten_with_its_lease() {
    let start = Instant::now();
    let mut leases = Leases::new(V, HOURS);
    let a = leases.add(Receipt::new("a"), start);
    assert!(!leases.is_busy(a));
    assert_eq!(ids(&leases.due(start + V / 2)), [a]);
    assert!(leases.is_busy(a));
    assert!(leases.due(start + V * 3 / 4).is_empty());
    assert_eq!(leases.remove(a), Some(Receipt::new("a")));
    leases.extended(a, &Ok(()), V, start + V / 2);
    assert!(!leases.is_busy(a));
    assert_eq!(leases.remove(a), None);
}

#[test]
fn the_last_extension_is_for_a_second_or_more() {
    let start = Instant::now();
    let asked = |max_visibility| {
        let mut leases = Leases::new(V, max_visibility);
        leases.add(Receipt::new("a"), start);
        leases.due(start + V / 2).first().map(|extension| extension.visibility)
    };
    let second = Duration::from_secs(1);
    assert_eq!(asked(V / 2 + second), Some(second));
    assert_eq!(asked(V / 2 + second - Duration::from_nanos(1)), None);
    assert_eq!(asked(V * 3 / 2), Some(V));
}

#[derive(Clone, Debug)]
enum Step {
    Add,
    /// One of those that are held is settled.
    Remove(prop::sample::Index),
    /// One of the extensions under way has this answer.
    Answer(prop::sample::Index, Option<ErrorKind>),
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let answer = prop_oneof![
        4 => Just(None),
        1 => Just(Some(ErrorKind::Throttled)),
        1 => Just(Some(ErrorKind::NotFound)),
    ];
    let step = prop_oneof![
        Just(Step::Add),
        any::<prop::sample::Index>().prop_map(Step::Remove),
        (any::<prop::sample::Index>(), answer).prop_map(|(which, how)| Step::Answer(which, how)),
    ];
    prop::collection::vec((step, 0u64..15), 0..100)
}

proptest! {
    #[test]
    fn exactly_the_leases_that_are_held_good_and_half_used_are_extended(steps in steps()) {
        let mut now = Instant::now();
        let mut leases = Leases::new(V, HOURS);
        // When the good ones expire; and the extensions under way, since when.
        let (mut good, mut busy) = (BTreeMap::new(), BTreeMap::new());
        let mut held = Vec::new();
        for (step, gap) in steps {
            now += Duration::from_secs(gap);
            match step {
                Step::Add => {
                    let id = leases.add(Receipt::new("x"), now);
                    prop_assert_eq!(good.insert(id, now + V), None, "a lease of this id is held");
                    held.push(id);
                }
                Step::Remove(which) if !held.is_empty() => {
                    let id = held.swap_remove(which.index(held.len()));
                    prop_assert!(leases.remove(id).is_some());
                    good.remove(&id);
                    busy.remove(&id);
                }
                Step::Answer(which, fault) if !busy.is_empty() => {
                    let (&id, &asked) = busy.iter().nth(which.index(busy.len())).unwrap();
                    busy.remove(&id);
                    let answer = fault.map_or(Ok(()), |kind| Err(Error::new(kind, "change", "")));
                    leases.extended(id, &answer, V, asked);
                    match fault {
                        None => good.insert(id, asked + V),
                        Some(ErrorKind::NotFound) => good.remove(&id),
                        Some(_) => None,
                    };
                }
                Step::Remove(_) | Step::Answer(..) => {}
            }
            let looks = leases.wake_at().is_some_and(|at| at <= now);
            let half_used = |&(id, &at): &(&u64, &Instant)| {
                looks && !busy.contains_key(id) && at.saturating_duration_since(now) <= V / 2
            };
            let expected: Vec<_> = good.iter().filter(half_used).map(|(&id, _)| id).collect();
            prop_assert_eq!(ids(&leases.due(now)), &expected[..]);
            busy.extend(expected.into_iter().map(|id| (id, now)));
            prop_assert!(held.iter().all(|&id| leases.is_busy(id) == busy.contains_key(&id)));
            if !held.is_empty() {
                prop_assert!(leases.wake_at().is_some_and(|at| at > now && at <= now + V / 4));
            }
        }
    }
}
