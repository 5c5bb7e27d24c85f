use super::*;
use crate::mocks::MockObserver;
use fastrand::Rng;
use proptest::prelude::*;
use std::cell::RefCell;

fn retry() -> Retry {
    Retry::new(RetryBackoff::default(), Rng::with_seed(7), Arc::new(()))
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "test", "on purpose")
}

#[tokio::test(start_paused = true)]
async fn only_refused_entries_are_sent_again_and_outcomes_keep_their_order() {
    let log = RefCell::new(Vec::new());
    let outcomes = retry()
        .each(vec![0, 1, 2, 3], Error::is_retryable, &Shutdown::never(), |batch| {
            let round = log.borrow().len();
            log.borrow_mut().push(batch.clone());
            let answer = |&entry: &i32| match (entry, round) {
                (1, 0) | (3, 0 | 1) => Err(error(ErrorKind::Throttled)),
                (2, _) => Err(error(ErrorKind::TooLarge)),
                _ => Ok(entry * 10),
            };
            let outcomes = batch.iter().map(answer).collect();
            async { (batch, outcomes) }
        })
        .await;
    assert_eq!(*log.borrow(), [vec![0, 1, 2, 3], vec![1, 3], vec![3]]);
    let values: Vec<_> = outcomes.iter().map(|o| o.as_ref().ok().copied()).collect();
    assert_eq!(values, [Some(0), Some(10), None, Some(30)]);
}

#[tokio::test(start_paused = true)]
async fn a_missing_outcome_makes_the_batch_ambiguous() {
    let mut first = true;
    let outcomes = retry()
        .each(vec![0, 1], Error::is_retryable, &Shutdown::never(), |batch| {
            let answers = if std::mem::take(&mut first) { 1 } else { 2 };
            async move { (batch, vec![Ok(()); answers]) }
        })
        .await;
    assert!(!first && outcomes.len() == 2 && outcomes.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_wait_at_once() {
    let (trigger, stop) = Shutdown::new();
    let start = Instant::now();
    let retry = retry();
    let call = retry.one(Error::is_retryable, &stop, || async {
        trigger.shutdown();
        Err::<(), _>(error(ErrorKind::Transient))
    });
    assert!(call.await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_cannot_heal_is_not_tried_again() {
    let mut calls = 0;
    let outcome = retry()
        .one(Error::is_retryable, &Shutdown::never(), || {
            calls += 1;
            async { Err::<(), _>(error(ErrorKind::Denied)) }
        })
        .await;
    assert!(outcome.is_err());
    assert_eq!(calls, 1);
}
#[tokio::test(start_paused = true)]
async fn too_few_outcomes_or_too_many_make_every_entry_ambiguous() {
    for answers in [0, 1, 3] {
        let outcomes = retry()
            .each(
                vec![0, 1],
                |_| false,
                &Shutdown::never(),
                |batch| async move { (batch, vec![Ok(()); answers]) },
            )
            .await;
        let kinds: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_err(Error::kind)).collect();
        assert_eq!(kinds, [Err(ErrorKind::Ambiguous); 2], "{answers} outcomes");
    }
}

/// Retries that wait for nothing but the budget.
fn eager() -> Retry {
    let backoff = RetryBackoff { base: Duration::ZERO, cap: Duration::ZERO };
    Retry::new(backoff, Rng::with_seed(7), Arc::new(()))
}

/// How long a request takes that fails so many times.
async fn time_of(retry: &Retry, failures: usize) -> Duration {
    let (start, mut left) = (Instant::now(), failures);
    let outcome = retry
        .one(Error::is_retryable, &Shutdown::never(), || {
            let fails = left > 0;
            left -= usize::from(fails);
            async move { if fails { Err(error(ErrorKind::Transient)) } else { Ok(()) } }
        })
        .await;
    outcome.unwrap();
    start.elapsed()
}

#[tokio::test(start_paused = true)]
async fn retries_beyond_the_budget_wait_for_it_whoever_spent_it() {
    let retry = eager();
    assert_eq!(time_of(&retry, 60).await, Duration::ZERO);
    assert_eq!(time_of(&retry.observed_by(Arc::new(())), 40).await, Duration::ZERO);
    // The two successes so far are worth less than half a retry.
    assert_eq!(time_of(&retry, 10).await.as_millis(), 10 * 50 - 20);
}

#[tokio::test(start_paused = true)]
async fn successes_earn_retries_whole_batches_and_parts_alike() {
    let retry = eager();
    time_of(&retry, 100).await;
    let mut round = 0;
    let all = |batch: Vec<()>| async { (batch, vec![Ok(()); 250]) };
    retry.each(vec![(); 250], Error::is_retryable, &Shutdown::never(), all).await;
    let some = |batch: Vec<()>| {
        round += 1;
        let answer = |i: usize| match round > 1 || i < 250 {
            true => Ok(()),
            false => Err(error(ErrorKind::Throttled)),
        };
        let outcomes = (0..batch.len()).map(answer).collect();
        async { (batch, outcomes) }
    };
    let start = Instant::now();
    retry.each(vec![(); 251], Error::is_retryable, &Shutdown::never(), some).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    // Two times 250 successes are 100 retries; one was made.
    assert_eq!(time_of(&retry, 99).await, Duration::ZERO);
    assert!(time_of(&retry, 2).await > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_retry_waits_for_its_backoff_where_the_budget_does_not_hold_it() {
    let retry = retry();
    let waited = time_of(&retry, 5).await;
    let most: Duration = (0..5).map(|n| RetryBackoff::default().bound(n)).sum();
    assert!(waited > Duration::ZERO && waited <= most, "{waited:?}");
}

#[test]
fn a_pace_is_a_wait_of_the_backoff() {
    let retry = retry();
    let waits: Vec<_> = (0..100).map(|_| retry.pace(4)).collect();
    let bound = RetryBackoff::default().bound(4);
    assert!(waits.iter().all(|&wait| wait <= bound));
    assert!(waits.iter().any(|&wait| wait > bound / 2));
}

#[tokio::test(start_paused = true)]
async fn an_observer_hears_how_many_entries_are_tried_again_and_why() {
    let mut observer = MockObserver::new();
    let told =
        |error: &Error, &entries: &usize| (error.kind(), entries) == (ErrorKind::Throttled, 2);
    observer.expect_retried().once().withf(told).return_const(());
    let mut first = true;
    retry()
        .observed_by(Arc::new(observer))
        .each(vec![1, 2, 3], Error::is_retryable, &Shutdown::never(), |batch| {
            let fails = std::mem::take(&mut first);
            let answer = |&entry: &i32| match fails && entry != 2 {
                true => Err(error(ErrorKind::Throttled)),
                false => Ok(()),
            };
            let outcomes = batch.iter().map(answer).collect();
            async { (batch, outcomes) }
        })
        .await;
}

/// What a request with these answers ends with, when, and after how many tries; the last answer
/// is given from then on.
async fn until_timeout(
    answers: &[(u64, ErrorKind)],
    heals: Option<u64>,
) -> (Option<ErrorKind>, u64) {
    let start = Instant::now();
    let access = |error: &Error| matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound);
    let retry = retry().with_access_timeout(access, Duration::from_secs(30));
    let outcome = retry
        .one(Error::is_retryable, &Shutdown::never(), || async {
            let now = start.elapsed().as_secs();
            if heals.is_some_and(|heals| heals <= now) {
                return Ok(());
            }
            let kind = answers.iter().rev().find(|(from, _)| *from <= now).map(|(_, kind)| *kind);
            Err(error(kind.unwrap()))
        })
        .await;
    (outcome.err().map(|error| error.kind()), start.elapsed().as_secs())
}

#[tokio::test(start_paused = true)]
async fn what_may_be_granted_later_is_tried_again_for_that_long_and_not_a_moment_longer() {
    use ErrorKind::{Denied, Invalid, NotFound, Transient};
    for kind in [Denied, NotFound] {
        assert_eq!(until_timeout(&[(0, kind)], None).await, (Some(kind), 30));
        let (outcome, healed) = until_timeout(&[(0, kind)], Some(20)).await;
        assert!(outcome.is_none() && (20..=30).contains(&healed), "{healed}");
    }
    assert_eq!(until_timeout(&[(0, Invalid)], None).await, (Some(Invalid), 0));
    // The time begins with the first such error, not with the request, and anew after another.
    let (outcome, ended) = until_timeout(&[(0, Transient), (100, Denied)], None).await;
    assert!(outcome == Some(Denied) && (130..160).contains(&ended), "{ended}");
    let turns = [(0, Denied), (20, Transient), (100, NotFound)];
    let (outcome, ended) = until_timeout(&turns, None).await;
    assert!(outcome == Some(NotFound) && (130..160).contains(&ended), "{ended}");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_one_entry_costs_no_other_its_outcome() {
    let start = Instant::now();
    let denied = |error: &Error| error.kind() == ErrorKind::Denied;
    let retry = retry().with_access_timeout(denied, Duration::from_secs(30));
    let answer = |entry: i32| match entry {
        1 => Err(error(ErrorKind::Denied)),
        2 if start.elapsed() < Duration::from_secs(300) => Err(error(ErrorKind::Throttled)),
        3 => Err(error(ErrorKind::Invalid)),
        _ => Ok(entry),
    };
    let outcomes = retry
        .each(vec![0, 1, 2, 3], Error::is_retryable, &Shutdown::never(), |batch| async move {
            let outcomes = batch.iter().map(|&entry| answer(entry)).collect();
            (batch, outcomes)
        })
        .await;
    let kinds: Vec<_> = outcomes.iter().map(|o| o.as_ref().map_err(Error::kind)).collect();
    assert_eq!(kinds, [Ok(&0), Err(ErrorKind::Denied), Ok(&2), Err(ErrorKind::Invalid)]);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_ends_the_wait_for_access_at_once() {
    let (trigger, stop) = Shutdown::new();
    let start = Instant::now();
    let retry = retry().with_access_timeout(|_| true, Duration::from_secs(30));
    let call = retry.one(Error::is_retryable, &stop, || async {
        trigger.shutdown();
        Err::<(), _>(error(ErrorKind::Denied))
    });
    assert!(call.await.is_err());
    assert_eq!(start.elapsed(), Duration::ZERO);
}

/// What a batch backend may answer, round by round: one outcome for each entry, or any other number.
fn rounds() -> impl Strategy<Value = Vec<(Vec<u8>, usize)>> {
    let short_or_long = prop_oneof![4 => Just(usize::MAX), 1 => 0usize..9];
    prop::collection::vec((prop::collection::vec(0u8..6, 8), short_or_long), 1..8)
}

proptest! {
    /// Against a model that goes by the entry, never by its place in a request.
    #[test]
    fn each_entry_has_its_own_outcome_whatever_the_rounds_answer(
        entries in 1usize..8,
        rounds in rounds(),
    ) {
        use ErrorKind::{Ambiguous, Invalid, Throttled, TooLarge, Transient};
        const ANSWERS: [Option<ErrorKind>; 6] =
            [None, None, Some(Throttled), Some(Transient), Some(TooLarge), Some(Invalid)];
        let is_final = |outcome: &Result<usize, ErrorKind>| {
            outcome.as_ref().err().is_none_or(|&kind| !error(kind).is_retryable())
        };
        let answer = |entry: usize, round: usize| match rounds.get(round) {
            // The entry is in the answer, so that another's cannot be taken for it.
            Some((fates, _)) => match ANSWERS[usize::from(fates[entry])] {
                None => Ok(entry * 100 + round),
                Some(kind) => Err(kind),
            },
            None => Ok(entry * 100 + round),
        };
        let answers = |round: usize, sent: usize| {
            rounds.get(round).map_or(sent, |(_, answers)| if *answers == usize::MAX { sent } else { *answers })
        };
        // The model.
        let mut expected: Vec<Result<usize, ErrorKind>> = vec![Err(Ambiguous); entries];
        let (mut left, mut sent): (Vec<usize>, Vec<_>) = ((0..entries).collect(), Vec::new());
        for round in 0.. {
            sent.push(left.clone());
            let whole = answers(round, left.len()) == left.len();
            for &entry in &left {
                expected[entry] = if whole { answer(entry, round) } else { Err(Ambiguous) };
            }
            left.retain(|&entry| !is_final(&expected[entry]));
            if left.is_empty() {
                break;
            }
        }

        let log = RefCell::new(Vec::new());
        let request = |batch: Vec<usize>| {
            let round = log.borrow().len();
            log.borrow_mut().push(batch.clone());
            let mut outcomes: Vec<_> = batch
                .iter()
                .map(|&entry| answer(entry, round).map_err(error))
                .collect();
            outcomes.resize_with(answers(round, batch.len()), || Ok(usize::MAX));
            async { (batch, outcomes) }
        };
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        let outcomes = runtime.block_on(async {
            let never = Shutdown::never();
            retry().each((0..entries).collect(), Error::is_retryable, &never, request).await
        });
        let found: Vec<_> =
            outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.kind())).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(log.into_inner(), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn who_observes_leaves_what_was_logged_shared() {
    let outages = Outages::default();
    let retry = retry().outages(outages.clone()).observed_by(Arc::new(()));
    assert_eq!(retry.logged().failed("x", &error(ErrorKind::Transient), 1), Some(1));
    assert_eq!(outages.failed("x", &error(ErrorKind::Transient), 1), None);
}
