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

pub mod codec;
pub mod schema;

mod batch;
mod compression;
mod consumer;
mod error;
mod handler;
mod layout;
mod log;
mod maintain;
mod message;
mod meter;
#[cfg(test)]
mod mocks;
mod object;
mod observe;
mod producer;
mod queue;
mod reason;
mod retry;
mod shutdown;
mod sink;
mod source;
mod store;
mod timer;

pub use async_trait::async_trait;
pub use bytes::Bytes;
pub use jiff;

pub use batch::{Batch, BatchLimits, Batcher, FlushReason};
pub use compression::Compression;
pub use consumer::{Consumer, ConsumerOptions, ConsumerReport};
pub use error::{Error, ErrorKind, Result};
pub use handler::{Handler, Outcome};
pub use layout::Layout;
pub use log::{Manifest, ManifestOptions, ObjectLayout};
pub use maintain::{
    Audit, AuditReport, CompactReport, Compacted, Compactor, DateRange, Expected, ExpectedEvents,
    Finding, FindingKind, Quarantined, Stored, Verdict,
};
pub use message::{AttributeValue, Attributes, Message};
pub use meter::{Meter, MeteredQueue, MeteredStore, Requests};
pub use observe::Observer;
pub use producer::{Producer, ProducerOptions, ProducerReport};
pub use queue::{Delivery, Depth, MessageId, Queue, QueueLimits, Receipt, ReceiveRequest};
pub use reason::Reason;
pub use retry::{IdleBackoff, Outages, Retry, RetryBackoff, RetryBudget, Retryable};
pub use schema::retail::{EVENT_TYPE, Event, EventType};
pub use schema::{Fields, Identified, Partition, PartitionBy, Retail, Schema, SchemaSettings};
pub use shutdown::{Shutdown, ShutdownTrigger};
pub use sink::{BatchWriter, Quarantine, QuarantineEntry, StoreWriter};
pub use source::EventSource;
pub use store::{
    ListRequest, MAX_KEY_BYTES, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome, list_all,
};
