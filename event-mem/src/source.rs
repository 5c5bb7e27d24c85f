//! Sources of events.

mod duplicates;
mod replay;
mod scripted;
mod shared;
mod synthetic;

pub use duplicates::Duplicates;
pub use replay::Replay;
pub use scripted::Scripted;
pub use shared::Shared;
pub use synthetic::{Synthetic, SyntheticOptions};

use event_core::{Error, Result};

/// Refuses what is not a share of a whole.
fn check_rate(operation: &'static str, option: &str, rate: f64) -> Result<()> {
    if (0.0..=1.0).contains(&rate) {
        return Ok(());
    }
    let message = format!("{option} is {rate}, give 0.0 (never) to 1.0 (always)");
    Err(Error::invalid(operation, message))
}
