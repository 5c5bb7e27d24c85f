//! Handlers that write to a store, and where what is not an event goes.

mod batch_writer;
mod quarantine;
mod store_writer;

pub use batch_writer::BatchWriter;
pub use quarantine::{Quarantine, QuarantineEntry};
pub use store_writer::StoreWriter;

use std::borrow::Cow;
use std::time::Duration;

use crate::handler::Outcome;
use crate::queue::Delivery;
use crate::reason::Reason;
use crate::schema::{Identified, Partition, Schema};

/// When events are tried again below whose prefix something needs manual repair.
pub(crate) const AFTER_A_FAULT: Duration = Duration::from_secs(300);

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

/// Of an event of a day that is no longer live.
fn too_old(partition: &Partition) -> Outcome {
    let detail = format!("the day {} was deleted below this prefix", partition.day());
    Outcome::Quarantine(Reason::new(Reason::TOO_OLD, detail))
}
