//! What the pods share: settings, signals, probes and metrics. Wiring only; what a user of the
//! libraries would miss is in the libraries.

use mimalloc::MiMalloc;

pub mod aws;
pub mod consumer;
pub mod health;
pub mod metrics;
pub mod pod;
pub mod probes;
pub mod signals;

/// Requests allocate much and in small pieces: a fifth of what they cost, with glibc's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// The code in the README, compiled and run as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
