//! Backends of [`event_core`] with nothing to install: for tests, for a first look, and for one
//! machine that needs no service.
//!
//! | role | type | holds its data |
//! |---|---|---|
//! | [`Queue`](event_core::Queue) | [`MemQueue`] | in memory |
//! | [`ObjectStore`](event_core::ObjectStore) | [`MemStore`] | in memory |
//! | [`ObjectStore`](event_core::ObjectStore) | [`DirStore`] | in files of a directory |
//! | [`EventSource`](event_core::EventSource) | [`Scripted`] | a list of messages |
//! | [`EventSource`](event_core::EventSource) | [`Replay`] | a file or a pipe of JSON lines |
//! | [`EventSource`](event_core::EventSource) | [`Synthetic`] | makes events up, from a seed |
//! | [`EventSource`](event_core::EventSource) | [`Duplicates`] | repeats messages of another source |
//! | [`EventSource`](event_core::EventSource) | [`Shared`] | lets several producers read one source |
//!
//! Time is tokio's: a test that pauses the clock decides when a message becomes visible again.
//!
//! ```
//! use event_core::{EventSource, Layout, ObjectStore, PutMode, Queue, ReceiveRequest, Retail, Schema};
//! use event_mem::{MemQueue, MemStore, Synthetic, SyntheticOptions};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> event_core::Result<()> {
//! let options = SyntheticOptions { seed: 7, invalid_rate: 0.0, ..SyntheticOptions::default() };
//! let mut source = Synthetic::new(options)?;
//! let (queue, store) = (MemQueue::default(), MemStore::default());
//!
//! for outcome in queue.send(&source.next_batch(10).await?).await {
//!     outcome?;
//! }
//! let limits = queue.limits();
//! let request = ReceiveRequest { max: 10, wait: limits.max_wait, visibility: limits.visibility };
//! for delivery in queue.receive(request).await? {
//!     let event = Retail::default().identify(&delivery.message);
//!     let event = event.expect("no event is invalid at a rate of 0.0");
//!     let key = Layout::default().event_key(&event);
//!     store.put(&key, delivery.message.body.clone(), PutMode::Create).await?;
//!     queue.delete(&[delivery.receipt]).await.remove(0)?;
//! }
//! queue.drained().await;
//! assert_eq!(event_core::store::list_all(&store, "store_events/").await?.len(), 10);
//! # Ok(())
//! # }
//! ```

mod clock;
mod dir;
mod key;
mod queue;
mod source;
mod store;

pub use dir::DirStore;
pub use queue::{MemQueue, MemQueueOptions, Redrive};
pub use source::{Duplicates, Replay, Scripted, Shared, Synthetic, SyntheticOptions};
pub use store::MemStore;
