//! The worlds that are explored, and the mistakes that must be found in them.

use std::collections::HashSet;

use super::{Message, Mistake, Scope};

/// Explores everything; the number of worlds, or the shortest way to a fault.
fn explore(scope: &Scope) -> Result<usize, (String, Vec<String>)> {
    let start = scope.start();
    let mut seen = HashSet::from([start.digest()]);
    // Each step with the place of the one before it in this list.
    let mut ways: Vec<(usize, String)> = vec![(0, String::new())];
    let mut edge = vec![(0, start)];
    while !edge.is_empty() {
        let mut beyond = Vec::new();
        for (place, world) in edge {
            for (what, next) in world.next(scope) {
                if !seen.insert(next.digest()) {
                    continue;
                }
                ways.push((place, what));
                if let Some(fault) = next.fault() {
                    return Err((fault, way_to(&ways)));
                }
                beyond.push((ways.len() - 1, next));
            }
        }
        edge = beyond;
    }
    Ok(seen.len())
}

fn way_to(ways: &[(usize, String)]) -> Vec<String> {
    let mut at = ways.len() - 1;
    let mut way = Vec::new();
    while at > 0 {
        way.push(ways[at].1.clone());
        at = ways[at].0;
    }
    way.reverse();
    way
}

fn scope(writers: usize, messages: &[Message]) -> Scope {
    let messages = messages.to_vec();
    let (crashes, lost_answers, returns) = (0, 0, 0);
    let (alike, mistake) = (false, None);
    let lanes = 1;
    Scope { writers, lanes, messages, crashes, lost_answers, returns, alike, mistake }
}

fn holds(scope: &Scope) {
    match explore(scope) {
        Ok(worlds) => {
            println!("{worlds} worlds");
            assert!(worlds > 100, "{worlds} worlds are too few to show anything");
        }
        Err((fault, way)) => panic!("{fault}, after\n{}", way.join("\n")),
    }
}

const TWO: [Message; 2] = [(0, 0), (1, 0)];

#[test]
fn two_writers_and_two_events_with_a_crash_lose_nothing_and_store_nothing_twice() {
    holds(&Scope { crashes: 1, ..scope(2, &TWO) });
}

#[test]
fn two_writers_with_a_lost_answer_and_a_message_that_comes_again() {
    holds(&Scope { lost_answers: 1, returns: 1, ..scope(2, &TWO) });
}

#[test]
fn one_process_with_two_commits_beside_another() {
    holds(&Scope { lanes: 2, returns: 1, ..scope(2, &TWO) });
}

#[test]
fn events_with_the_same_fingerprint_are_told_apart() {
    holds(&Scope { crashes: 1, alike: true, ..scope(2, &TWO) });
}

#[test]
fn an_event_with_other_bytes_is_a_conflict_whoever_stored_the_first() {
    holds(&Scope { crashes: 1, lost_answers: 1, ..scope(2, &[(0, 0), (0, 1)]) });
}

#[test]
fn three_writers_and_two_events_with_a_crash() {
    holds(&Scope { crashes: 1, ..scope(3, &TWO) });
}

#[test]
fn two_writers_and_two_events_with_a_crash_a_lost_answer_and_a_message_that_comes_again() {
    holds(&Scope { crashes: 1, lost_answers: 1, returns: 1, ..scope(2, &TWO) });
}

#[test]
fn every_mistake_is_caught() {
    use Mistake::{
        AcknowledgesBeforeThePut, LeavesTheReadOutAfterALoss, PutsUnconditionally, SharesTheHead,
        StartsAtTheEnd, TakesALikelyMatchForOne, TakesExistsForSuccess,
    };
    for mistake in [
        AcknowledgesBeforeThePut,
        PutsUnconditionally,
        TakesExistsForSuccess,
        StartsAtTheEnd,
        LeavesTheReadOutAfterALoss,
        TakesALikelyMatchForOne,
        SharesTheHead,
    ] {
        let alike = mistake == TakesALikelyMatchForOne;
        let lanes = if mistake == SharesTheHead { 2 } else { 1 };
        let scope = Scope { crashes: 1, returns: 1, lanes, alike, ..scope(2, &TWO) };
        let scope = Scope { mistake: Some(mistake), ..scope };
        let (fault, way) = explore(&scope).expect_err(&format!("{mistake:?} goes unnoticed"));
        println!("{mistake:?}: {fault} after {} steps", way.len());
        assert!(way.len() <= 12, "{mistake:?} takes {} steps", way.len());
    }
}
