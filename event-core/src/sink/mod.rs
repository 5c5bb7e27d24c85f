//! Handlers that write to a store, and where what is no event goes.

mod batch_writer;
mod quarantine;
mod store_writer;

pub use batch_writer::BatchWriter;
pub use quarantine::Quarantine;
pub use store_writer::StoreWriter;

use std::borrow::Cow;

use crate::queue::Delivery;
use crate::reason::Reason;
use crate::schema::{Identified, Schema};

/// What was found out of a delivery, or is now.
fn identified<'a>(
    schema: &dyn Schema,
    delivery: &'a Delivery,
) -> Result<Cow<'a, Identified>, Reason> {
    match &delivery.event {
        Some(Ok(event)) => Ok(Cow::Borrowed(event)),
        Some(Err(reason)) => Err(reason.clone()),
        None => schema.identify(&delivery.message).map(Cow::Owned),
    }
}
