//! The engines on the embedded backends, on paused time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod attributes;
mod consumer;
mod contention;
mod drain;
mod pipeline;
mod producer;
mod reference;
mod support;
