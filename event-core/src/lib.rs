//! Moves events from a queue to durable, countable records in an object store: nothing lost,
//! nothing counted twice.
//!
//! ```text
//! EventSource → Producer → Queue → Consumer → Handler → ObjectStore
//!               batches            leases, batches      (StoreWriter and BatchWriter write events)
//! ```
//!
//! Queues deliver *at least* once, and a crash between a write and the deletion of its message
//! cannot be excluded. This crate makes that exact: a message is deleted only after what it carried
//! is durable, and an event that comes again is found by its own identity, also where a thousand
//! events share an object.
//!
//! | You want to | take |
//! |---|---|
//! | store events, a thousand to an object | [`BatchWriter`] with a [`Consumer`] |
//! | store events, an object each | [`StoreWriter`] with a [`Consumer`] |
//! | do something else with each message | a [`Handler`] of your own with a [`Consumer`] |
//! | send events | a [`Producer`] |
//! | bring events from somewhere | an [`EventSource`] |
//! | say what an event is | [`Retail`], [`schema::Fields`] by settings, or a [`Schema`] of your own |
//! | use SQS and S3 | `SqsQueue` and `S3Store` of `event-aws` |
//! | run without services | `MemQueue`, `MemStore` and `DirStore` of `event-mem` |
//! | bring a queue or a store of your own | [`Queue`] or [`ObjectStore`], and the suite of `event-tests` |
//! | count what happens | an [`Observer`]; requests: [`meter`] |
//! | prove that nothing is missing or double | [`maintain::Audit`] |
//! | merge small objects for readers | [`maintain::Compactor`] |
//! | know why no event is stored twice | [`log`] |
//!
//! # Example
//!
//! A hundred made-up events, through a queue and into a store, both in memory:
//!
//! ```
//! use event_core::{
//!     BatchWriter, Consumer, ConsumerOptions, Layout, Producer, ProducerOptions, Quarantine, Retail,
//!     Shutdown,
//! };
//! use event_mem::{MemQueue, MemStore, Synthetic, SyntheticOptions};
//! use std::sync::Arc;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> event_core::Result<()> {
//! let (queue, store) = (Arc::new(MemQueue::default()), Arc::new(MemStore::default()));
//!
//! let writer = BatchWriter::new(store.clone(), Layout::default(), Arc::new(Retail::default()));
//! let quarantine = Quarantine::log(store.clone(), Layout::default());
//! let consumer = Consumer::new(queue.clone(), Arc::new(writer), quarantine)
//!     .options(ConsumerOptions::default().batches(BatchWriter::BATCH));
//! let (stop, shutdown) = Shutdown::new();
//! let consumer = tokio::spawn(consumer.run(shutdown));
//!
//! let events = Synthetic::new(SyntheticOptions::default())?;
//! let options = ProducerOptions { total: Some(100), ..ProducerOptions::default() };
//! let sent = Producer::new(queue.clone(), events).options(options).run(Shutdown::never()).await?;
//!
//! // A consumer runs until it is told to stop; then it settles all that it holds.
//! queue.drained().await;
//! stop.shutdown();
//! let report = consumer.await.expect("it does not panic")?;
//! assert_eq!(report.acknowledged + report.quarantined, sent.sent);
//! # Ok(())
//! # }
//! ```
//!
//! # Guarantees
//!
//! At every moment, each message that the queue accepted is on the queue, in the dead-letter queue,
//! in exactly one live record of the store, or in quarantine byte for byte; and no event has two live
//! records in a partition. When faults stop, everything drains.
//!
//! The guarantee is that of [`StoreWriter`] and [`BatchWriter`]. A handler of your own is called *at
//! least* once for each message: its effects must be idempotent.
//!
//! # Exactly once, in your own code
//!
//! - **Store what comes, and nothing else:** no code. Say what an event is by [`schema::Fields`] or a
//!   [`Schema`]; [`BatchWriter`] and [`StoreWriter`] do the rest.
//! - **An effect elsewhere** (a database, a call): a [`Handler`] that makes the effect idempotent by
//!   the event's partition and identity, since an identity is one within its partition: an upsert
//!   under that key, a unique index, an idempotency key in the request. *Write, then acknowledge*:
//!   answer [`Outcome::Ack`] only when the effect is durable.
//! - **A sum:** keep the sum and the identities that are in it in one transaction. Two writes, one for
//!   the sum and one for the identities, are wrong after a crash between them, in either order.
//! - **Other bytes under a known identity** are a mistake of the sender. Decide what they mean before
//!   they come: the writers quarantine them as `conflict`.
//!
//! # How to write a handler
//!
//! Implement [`Handler::handle`]: a batch in, one [`Outcome`] for each delivery out, in order. It runs
//! several times at once, its messages stay hidden meanwhile, and a panic costs only the message that
//! causes it. See its example.
//!
//! # How to write a schema
//!
//! Implement [`Schema`]: identity and [`Partition`](schema::Partition) of a message, or the [`Reason`]
//! why it is not an event, and the identity of a stored line. Both must be pure functions of the
//! message. See its example; any JSON objects with a field for the identity and one for the time need
//! no code, see [`schema::Fields`].
//!
//! # How to write a backend
//!
//! Implement [`Queue`], [`ObjectStore`] or [`EventSource`]. The documentation of each trait is a
//! numbered list of promises, and each promise is a case of the conformance suite in `event-tests`,
//! which runs on your backend with a few lines. Classify errors by [`ErrorKind`] and never retry:
//! engines do, in one place.
//!
//! # Features
//!
//! | feature | default | adds |
//! |---|---|---|
//! | `zstd` | yes | [`Compression::Zstd`], with which [`BatchWriter`] makes a new prefix, and [`Quarantine::log`] |
//! | `gzip` | no | [`Compression::Gzip`] |
//!
//! # Supported Rust versions
//!
//! 1.89 and later. A new minor version of this crate may need a newer Rust that is at least six months
//! old.

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
#[doc(inline)]
pub use schema::{Retail, Schema};
pub use shutdown::{Shutdown, ShutdownTrigger};
#[doc(inline)]
pub use sink::{BatchWriter, Quarantine, StoreWriter};
pub use source::EventSource;
#[doc(inline)]
pub use store::{ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome};
