#![allow(clippy::unwrap_used, reason = "a panic is how a case fails")]
//! The tests that need more than one crate, and what a backend or a handler can be tested with.
//!
//! - [`conformance`] is the suite that any backend can be held against; it says how to run it on
//!   one of your own.
//! - [`simulator`] runs the engines in worlds where everything fails, each decided by a seed.
//! - [`Faulty`] makes a backend fail on purpose.
//! - [`Meanwhile`] lets something else happen before each request to a store.
//! - [`AnyOrder`] makes a store answer in any order and in pages of any size.
//! - [`twins`] are identities that differ in little.
//! - `endpoint`, with the feature `containers`, finds SQS and S3 to test with, or starts them.

mod any_order;
pub mod backends;
pub mod conformance;
#[cfg(feature = "containers")]
pub mod endpoint;
mod faults;
mod meanwhile;
pub mod simulator;
mod twins;

pub use any_order::AnyOrder;
pub use faults::{Call, Faulty};
pub use libtest_mimic;
pub use meanwhile::{Meanwhile, Request};
#[cfg(feature = "containers")]
pub use testcontainers;
pub use twins::twins;
