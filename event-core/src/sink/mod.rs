//! Handlers that write to a store, and where what is no event goes.

mod batch_writer;
mod quarantine;
mod store_writer;

pub use batch_writer::BatchWriter;
pub use quarantine::Quarantine;
pub use store_writer::StoreWriter;
