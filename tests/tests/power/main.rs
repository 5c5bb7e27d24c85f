#![allow(clippy::unwrap_used, reason = "tests, which clippy sees only in functions marked so")]
//! The suite finds what it is for: each backend here makes one mistake, and exactly the cases
//! that the mistake breaks must fail.

mod queue;
mod source;
mod store;

use std::sync::Arc;

use event_tests::conformance::{Backend, Case};

/// Runs all cases and compares those that fail.
#[track_caller]
fn expect_failures<B: Backend + ?Sized>(cases: &[Case<B>], backend: &Arc<B>, expected: &[&str]) {
    let fails = |case: &Case<B>| case.check(Arc::clone(backend)).is_err();
    let failed: Vec<_> = cases.iter().filter(|case| fails(case)).map(|case| case.name).collect();
    assert_eq!(failed, expected);
}
