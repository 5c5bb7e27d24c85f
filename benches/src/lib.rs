//! What the benches share: the same messages for all of them.

use event_core::{EventSource, Message};
use event_mem::{Synthetic, SyntheticOptions};

/// A source that makes up the same valid and invalid events for each bench, in the reference's
/// proportions.
pub fn synthetic() -> Synthetic {
    // The default options are in range.
    Synthetic::new(SyntheticOptions::default()).expect("default options are valid")
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
