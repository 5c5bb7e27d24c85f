//! The engines on the embedded backends, on paused time.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod access;
mod attributes;
mod bytes;
mod consumer;
mod contention;
mod days;
mod drain;
mod expiry;
mod leases;
mod log;
mod logs;
mod manifest;
mod original_demo;
mod pipeline;
mod poison;
mod producer;
mod quarantine;
mod quarantine_days;
mod requests;
mod start;
mod stopping;
mod support;
mod told;
