//! How events become objects: settings of every program that stores them.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use event_core::{
    BatchLimits, BatchWriter, Compression, ConsumerOptions, Error, Handler, Layout, Manifest,
    ManifestOptions, ObjectLayout, ObjectStore, Quarantine, Result, Retry, Schema, StoreWriter,
};

use crate::cli::seconds;
use crate::schema::SchemaArgs;

/// The settings of objects.
#[derive(Clone, Debug, Args)]
pub struct ObjectArgs {
    /// An object for each event, or one for many: a thousandth of the puts. All programs that store
    /// below one prefix must agree (production: batch) [default: as the prefix was made]
    #[arg(long, value_name = "event|batch", env = "OBJECT_LAYOUT", value_parser = object_layout)]
    pub object_layout: Option<ObjectLayout>,

    /// Events in an object of the layout `batch`, at most; 1 to 10000
    #[arg(long, value_name = "N", env = "BATCH_MAX_EVENTS", default_value = "1000",
          value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub batch_max_events: u16,

    /// Bytes of messages in such an object before compression, at most; 1024 to 67108864
    #[arg(long, value_name = "BYTES", env = "BATCH_MAX_BYTES", default_value = "16777216",
          value_parser = clap::value_parser!(u32).range(1024..=64 * 1024 * 1024))]
    pub batch_max_bytes: u32,

    /// How long in seconds an event waits for others of its type and day; less than the visibility
    /// timeout of the queue
    #[arg(long, value_name = "SECONDS", env = "BATCH_MAX_AGE_SECS", default_value = "5",
          value_parser = seconds)]
    pub batch_max_age_secs: Duration,

    /// Bytes of messages that are held at once, at least: of a batch for each partition that events
    /// come for, and of those that are stored meanwhile; 1048576 to 4294967295 [default: 67108864,
    /// and four times what an object may have]
    #[arg(long, value_name = "BYTES", env = "MAX_HELD_BYTES",
          value_parser = clap::value_parser!(u32).range(1024 * 1024..))]
    pub max_held_bytes: Option<u32>,

    /// No day is ever deleted from the prefix before it is so many days old; at least 2
    /// [default: as the prefix was made, and 30 for a new one]
    #[arg(long, value_name = "DAYS", env = "LEAST_DAYS_KEPT",
          value_parser = clap::value_parser!(u32).range(2..=36500))]
    pub least_days_kept: Option<u32>,

    /// Compression of such an object. All programs that store below one prefix must agree: without
    /// it, as the prefix was made, and zstd for a new one
    #[arg(long, value_name = "none|gzip|zstd", env = "BATCH_COMPRESSION",
          value_parser = compression)]
    pub batch_compression: Option<Compression>,
}

/// A [`Compression`] by its name.
pub fn compression(text: &str) -> Result<Compression, String> {
    text.parse().map_err(|error: Error| error.to_string())
}

fn object_layout(text: &str) -> std::result::Result<ObjectLayout, String> {
    text.parse().map_err(|error: Error| error.message().to_owned())
}

impl ObjectArgs {
    /// What a prefix must have been made with, and what a new one is made with: `layout` where nobody
    /// says.
    pub fn manifest(&self, schema: &SchemaArgs, layout: ObjectLayout) -> ManifestOptions {
        ManifestOptions {
            layout: self.object_layout,
            default_layout: layout,
            schema: schema.settings(),
            compression: self.batch_compression,
            least_days_kept: self.least_days_kept,
        }
    }

    /// The handler that writes events below the prefix of this manifest.
    ///
    /// # Errors
    ///
    /// `Invalid` if its compression is not built in.
    pub fn writer(
        &self,
        manifest: &Manifest,
        store: Arc<dyn ObjectStore>,
        layout: Layout,
        schema: Arc<dyn Schema>,
        retry: Retry,
    ) -> Result<Arc<dyn Handler>> {
        let opened = manifest.clone();
        Ok(match manifest.layout() {
            ObjectLayout::Event => {
                Arc::new(StoreWriter::new(store, layout, schema).retry(retry).manifest(opened))
            }
            ObjectLayout::Batch => {
                manifest.compression()?;
                Arc::new(BatchWriter::new(store, layout, schema).retry(retry).manifest(opened))
            }
        })
    }

    /// Where messages go that are no events, in the layout of the prefix.
    pub fn quarantine(
        manifest: &Manifest,
        store: Arc<dyn ObjectStore>,
        layout: Layout,
    ) -> Quarantine {
        match manifest.layout() {
            ObjectLayout::Event => Quarantine::new(store, layout),
            ObjectLayout::Batch => Quarantine::log(store, layout),
        }
    }

    /// The options of a consumer with that handler: with batches, and room for several at once, since
    /// some are gathered while others are stored or deleted.
    pub fn options(&self, layout: ObjectLayout, options: ConsumerOptions) -> ConsumerOptions {
        let options = match layout {
            ObjectLayout::Event => options,
            ObjectLayout::Batch => {
                let (count, bytes) =
                    (usize::from(self.batch_max_events), self.batch_max_bytes as usize);
                options.batches(BatchLimits { count, bytes, linger: self.batch_max_age_secs })
            }
        };
        let max_bytes = self.max_held_bytes.map_or(options.max_bytes, |bytes| bytes as usize);
        ConsumerOptions { max_bytes, ..options }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        objects: ObjectArgs,
    }

    fn options(layout: ObjectLayout, arguments: &[&str]) -> ConsumerOptions {
        let program = Program::try_parse_from(["program"].iter().chain(arguments));
        program.expect("sound settings").objects.options(layout, ConsumerOptions::default())
    }

    #[test]
    fn objects_of_one_event_change_nothing() {
        let arguments = ["--batch-max-events", "7"];
        assert_eq!(options(ObjectLayout::Event, &arguments), ConsumerOptions::default());
    }

    #[test]
    fn the_bytes_that_are_held_are_as_set() {
        let arguments = ["--max-held-bytes", "201326592"];
        for layout in [ObjectLayout::Event, ObjectLayout::Batch] {
            assert_eq!(options(layout, &arguments).max_bytes, 192 << 20);
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_there_are() {
        assert!(object_layout("Batch").is_err_and(|fault| fault.contains("event or batch")));
        assert!(compression("lz4").is_err_and(|fault| fault.contains("none, gzip or zstd")));
    }

    #[test]
    fn there_is_room_for_several_batches() {
        let with = |events, bytes| {
            let age = ["--batch-max-age-secs", "0.5"];
            let limits = ["--batch-max-events", events, "--batch-max-bytes", bytes];
            options(ObjectLayout::Batch, &[&age[..], &limits].concat())
        };
        let batch = with("1000", "16777216");
        let linger = Duration::from_millis(500);
        assert_eq!(batch.batch, BatchLimits { count: 1000, bytes: 16 << 20, linger });
        assert_eq!((batch.max_messages, batch.max_bytes), (8000, 64 << 20));
        assert_eq!(with("1", "1024").max_messages, ConsumerOptions::default().max_messages);
        let largest = with("10000", "67108864");
        assert_eq!((largest.max_messages, largest.max_bytes), (80_000, 256 << 20));
    }
}
