//! The path that carries events from producers through a queue to durable, countable records in
//! an object store: nothing lost, nothing counted twice.
//!
//! ```text
//! EventSource → Producer → Queue → Consumer → Handler → ObjectStore
//!               batches            leases, batches      (StoreWriter is the handler that writes events)
//! ```
//!
//! Data only moves to the right. Acknowledgement is the one thing that comes back, and only after
//! what it acknowledges is durable.
//!
//! This crate has the traits that a backend implements ([`Queue`], [`ObjectStore`],
//! [`EventSource`]), the one that a user implements ([`Handler`]), and the engines between them
//! ([`Producer`], [`Consumer`]). It knows no service: backends are crates of their own, such as
//! `event-mem` for everything in memory or in a directory.

pub mod batch;
pub mod codec;
pub mod log;
pub mod maintain;
pub mod meter;
pub mod retry;
pub mod schema;
pub mod sink;
pub mod store;

mod compression;
mod consumer;
mod error;
mod handler;
mod layout;
mod message;
#[cfg(test)]
mod mocks;
mod object;
mod observe;
mod producer;
mod queue;
mod reason;
mod shutdown;
mod source;
mod timer;

pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use jiff;

pub use compression::Compression;
pub use consumer::{Consumer, ConsumerOptions, ConsumerReport};
pub use error::{Error, ErrorKind, Result};
pub use handler::{Handler, Outcome};
pub use layout::Layout;
pub use message::{AttributeValue, Attributes, Message};
pub use observe::Observer;
pub use producer::{Producer, ProducerOptions, ProducerReport};
pub use queue::{Delivery, Depth, MessageId, Queue, QueueLimits, Receipt, ReceiveRequest};
pub use reason::Reason;
pub use schema::{Retail, Schema};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use sink::{BatchWriter, Quarantine, StoreWriter};
pub use source::EventSource;
pub use store::{ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome};
