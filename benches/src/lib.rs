//! What the benches share: the same messages for all of them, and a server with the protocols of
//! SQS and S3 to measure and test clients on.

pub mod server;

use event_core::jiff::{Timestamp, civil::DateTime, tz::Offset};
use event_core::{EventSource, Message};
use event_mem::{Synthetic, SyntheticOptions};

/// A source that makes up the same valid and invalid events for each bench, in the original demo's
/// proportions.
pub fn synthetic() -> Synthetic {
    // The default options are in range.
    Synthetic::new(SyntheticOptions::default()).expect("default options are valid")
}

/// The same without invalid ones.
pub fn valid() -> Synthetic {
    let options = SyntheticOptions { invalid_rate: 0.0, ..SyntheticOptions::default() };
    // No rate is lower.
    Synthetic::new(options).expect("a rate of zero is valid")
}

/// The start of this day in UTC.
pub fn today() -> DateTime {
    Offset::UTC.to_datetime(Timestamp::now()).start_of_day()
}

/// A source of events of today, this share of which is invalid, between 0 and 1: what a queue brings
/// in most cases. Whether an older event is still stored has to be looked up. Another seed gives other
/// events.
pub fn of_today(seed: u64, invalid_rate: f64) -> Synthetic {
    let options = SyntheticOptions { seed, invalid_rate, start: today() };
    // Shares of the benches are constants.
    Synthetic::new(options).expect("the share is between 0 and 1")
}

/// So many messages of [`synthetic`].
pub fn messages(count: usize) -> Vec<Message> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    // A runtime without drivers needs nothing from the system.
    let runtime = runtime.expect("a current-thread runtime always starts");
    let mut source = synthetic();
    let batch = runtime.block_on(source.next_batch(count));
    batch.expect("a synthetic source does not fail")
}
