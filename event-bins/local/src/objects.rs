//! How events become objects: settings of every program that stores them.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use event_core::{
    BatchLimits, BatchWriter, Compression, ConsumerOptions, Error, Handler, Layout, ObjectStore,
    Quarantine, Retail, Retry, Shutdown, StoreWriter,
};

use crate::cli::seconds;

/// How many events are in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ObjectLayout {
    /// One, under its `request_id`.
    Event,
    /// Many, in the numbered segments of a log.
    Batch,
}

/// The settings of objects.
#[derive(Clone, Debug, Args)]
pub struct ObjectArgs {
    /// An object for each event, or one for many: a thousandth of the puts. All programs that store below one prefix must agree (production: batch)
    #[arg(long, value_name = "event|batch", env = "OBJECT_LAYOUT", default_value = "event",
          value_parser = object_layout)]
    pub object_layout: ObjectLayout,

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

fn object_layout(text: &str) -> Result<ObjectLayout, String> {
    match text {
        "event" => Ok(ObjectLayout::Event),
        "batch" => Ok(ObjectLayout::Batch),
        _ => Err("give event or batch".to_owned()),
    }
}

impl ObjectArgs {
    /// The handler that writes events below this layout's prefix.
    ///
    /// # Errors
    ///
    /// `Invalid` if the compression is not built in.
    pub fn writer(
        &self,
        store: Arc<dyn ObjectStore>,
        layout: Layout,
        retry: Retry,
    ) -> Result<Arc<dyn Handler>, Error> {
        Ok(match self.object_layout {
            ObjectLayout::Event => {
                Arc::new(StoreWriter::new(store, layout, Arc::new(Retail::default())).retry(retry))
            }
            ObjectLayout::Batch => Arc::new(self.batch_writer(store, layout, retry)?),
        })
    }

    /// Looks, before the first message is touched, whether these settings are those that the
    /// prefix was made with; a new prefix is made with them. Each request is made once.
    ///
    /// # Errors
    ///
    /// `Invalid` if they differ, or as [`BatchWriter::open`] says; that of a request that failed.
    pub async fn check(
        &self,
        store: Arc<dyn ObjectStore>,
        layout: Layout,
        retry: Retry,
    ) -> Result<(), Error> {
        match self.object_layout {
            ObjectLayout::Event => Ok(()),
            ObjectLayout::Batch => {
                let (stop, stopped) = Shutdown::new();
                stop.shutdown();
                self.batch_writer(store, layout, retry)?.open(&stopped).await
            }
        }
    }

    /// Where messages go that are no events, in the same layout.
    pub fn quarantine(&self, store: Arc<dyn ObjectStore>, layout: Layout) -> Quarantine {
        match self.object_layout {
            ObjectLayout::Event => Quarantine::new(store, layout),
            ObjectLayout::Batch => Quarantine::log(store, layout),
        }
    }

    fn batch_writer(
        &self,
        store: Arc<dyn ObjectStore>,
        layout: Layout,
        retry: Retry,
    ) -> Result<BatchWriter, Error> {
        let writer = BatchWriter::new(store, layout, Arc::new(Retail::default())).retry(retry);
        match self.batch_compression {
            Some(compression) => writer.compression(compression),
            None => Ok(writer),
        }
    }

    /// The options with batches for that handler, and room for several at once: some are gathered
    /// while others are stored or deleted.
    pub fn options(&self, options: ConsumerOptions) -> ConsumerOptions {
        if self.object_layout == ObjectLayout::Event {
            return options;
        }
        let (count, bytes) = (usize::from(self.batch_max_events), self.batch_max_bytes as usize);
        ConsumerOptions {
            batch: BatchLimits { count, bytes, linger: self.batch_max_age_secs },
            // SQS lets 120,000 of a queue be in flight, over all consumers.
            max_messages: (8 * count).clamp(options.max_messages, 100_000),
            max_bytes: options.max_bytes.max(4 * bytes),
            ..options
        }
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

    fn options(arguments: &[&str]) -> ConsumerOptions {
        let program = Program::try_parse_from(["program"].iter().chain(arguments));
        program.expect("sound settings").objects.options(ConsumerOptions::default())
    }

    #[test]
    fn objects_of_one_event_change_nothing() {
        assert_eq!(options(&["--batch-max-events", "7"]), ConsumerOptions::default());
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_there_are() {
        assert!(object_layout("Batch").is_err_and(|fault| fault == "give event or batch"));
        assert!(compression("lz4").is_err_and(|fault| fault.contains("none, gzip or zstd")));
    }

    #[test]
    fn there_is_room_for_several_batches() {
        let with = |events, bytes| {
            let batch = ["--object-layout", "batch", "--batch-max-age-secs", "0.5"];
            let limits = ["--batch-max-events", events, "--batch-max-bytes", bytes];
            options(&[batch, limits].concat())
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
