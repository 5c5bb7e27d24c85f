//! What an operator knows of a store: its books, held against stores that are sound, and against
//! every fault that one can have.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod audit;
mod compact;
mod gone;
mod interleaved;
mod made;
mod model;
mod odd;
mod partitions;
mod prefixes;
mod quarantine;
mod support;
