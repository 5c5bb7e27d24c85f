//! Events that are there before a consumer starts.

use event_benches::server::State;
use event_benches::{of_today, today};
use event_core::log::{Manifest, ManifestOptions, ObjectLayout};
use event_core::retry::Retry;
use event_core::{Compression, EventSource, Layout, ObjectStore, PutMode, Shutdown};

use crate::Outcome;

/// As many as a writer puts into a segment where there is much to do.
const SEGMENT: u64 = 1_000;

/// Stores so many events in the partition of today's sales.
pub(crate) async fn fill(state: &State, events: u64) -> Outcome<()> {
    if events == 0 {
        return Ok(());
    }
    let (store, layout) = (state.store(), Layout::default());
    let options = ManifestOptions { layout: Some(ObjectLayout::Batch), ..Default::default() };
    Manifest::open(store, &layout, &options, &Retry::default(), &Shutdown::never()).await?;
    let day = today().strftime("%Y_%m_%d");
    let partition = format!("{}/event_type=sale_event/dt={day}", Layout::DEFAULT_PREFIX);
    // Events that the queue does not bring.
    let mut source = of_today(1, 0.0);
    for slot in 0..events.div_ceil(SEGMENT) {
        let size = SEGMENT.min(events - slot * SEGMENT);
        let mut lines = Vec::new();
        for message in source.next_batch(usize::try_from(size)?).await? {
            lines.extend_from_slice(&message.body);
            lines.push(b'\n');
        }
        let object = Compression::Zstd.compress(lines)?;
        store.put(&format!("{partition}/{slot:010}.ndjson.zst"), object, PutMode::Create).await?;
    }
    Ok(())
}
