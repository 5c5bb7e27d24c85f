//! How events become objects: settings of every program that stores them.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use event_core::batch::BatchLimits;
use event_core::log::{Manifest, ManifestOptions, ObjectLayout};
use event_core::retry::Retry;
use event_core::{
    BatchWriter, Compression, ConsumerOptions, Error, Handler, Layout, ObjectStore, Quarantine,
    Result, Schema, StoreWriter,
};

use crate::cli::seconds;
use crate::schema::SchemaArgs;

/// The settings of objects.
#[derive(Clone, Debug, Args)]
pub struct ObjectArgs {
    /// An object for each `event`, or one for many, a `batch`: a thousandth of the puts. All programs
    /// that store below one prefix must agree (production: batch); blank: as the prefix was made
    #[arg(long, value_name = "event|batch", env = "OBJECT_LAYOUT", default_value = "",
          hide_default_value = true, value_parser = given::<ObjectLayout>(str::parse))]
    pub object_layout: Given<ObjectLayout>,

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

    /// Bytes of messages that are held at once, at most: of a batch for each partition that events
    /// come for, and of those that are stored meanwhile. From 1048576; blank: 67108864, or four times
    /// what an object may have
    #[arg(long, value_name = "BYTES", env = "MAX_HELD_BYTES", default_value = "",
          hide_default_value = true, value_parser = given(held_bytes))]
    pub max_held_bytes: Given<usize>,

    /// No day is ever deleted from the prefix before it is so many days old, 2 to 36500; blank: as
    /// the prefix was made, and 30 for a new one
    #[arg(long, value_name = "DAYS", env = "LEAST_DAYS_KEPT", default_value = "",
          hide_default_value = true, value_parser = given(days_kept))]
    pub least_days_kept: Given<u32>,

    /// Compression of such an object: `none`, `gzip` or `zstd`. All programs that store below one
    /// prefix must agree; blank: as the prefix was made, and zstd for a new one
    #[arg(long, value_name = "none|gzip|zstd", env = "BATCH_COMPRESSION", default_value = "",
          hide_default_value = true, value_parser = given::<Compression>(str::parse))]
    pub batch_compression: Given<Compression>,
}

/// A setting that may be left blank.
#[derive(Clone, Copy, Debug)]
pub struct Given<T>(pub Option<T>);

/// Reads a setting that may be left blank; the error says what would do.
fn given<T: Clone + Send + Sync + 'static>(
    read: fn(&str) -> Result<T>,
) -> impl Fn(&str) -> std::result::Result<Given<T>, String> + Clone + Send + Sync + 'static {
    move |text| match text {
        "" => Ok(Given(None)),
        _ => read(text).map(|value| Given(Some(value))).map_err(|error| error.message().to_owned()),
    }
}

fn held_bytes(text: &str) -> Result<usize> {
    let bytes = text.parse().ok().filter(|bytes| (1024 * 1024..=1 << 40).contains(bytes));
    bytes.ok_or_else(|| Error::invalid("settings", "give bytes, 1048576 to 1099511627776"))
}

fn days_kept(text: &str) -> Result<u32> {
    let days = text.parse().ok().filter(|days| (2..=36500).contains(days));
    days.ok_or_else(|| Error::invalid("settings", "give days, 2 to 36500"))
}

/// A [`Compression`] by its name.
pub fn compression(text: &str) -> Result<Compression, String> {
    text.parse().map_err(|error: Error| error.to_string())
}

impl ObjectArgs {
    /// What a prefix must have been made with, and what a new one is made with: `layout` where nobody
    /// says.
    pub fn manifest(&self, schema: &SchemaArgs, layout: ObjectLayout) -> ManifestOptions {
        ManifestOptions {
            layout: self.object_layout.0,
            default_layout: layout,
            schema: schema.settings(),
            compression: self.batch_compression.0,
            least_days_kept: self.least_days_kept.0,
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

    /// Where messages go that are not events, in the layout of the prefix.
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
        let max_bytes = self.max_held_bytes.0.unwrap_or(options.max_bytes);
        ConsumerOptions { max_bytes, ..options }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use event_core::schema::SchemaSettings;

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
    fn a_batch_is_by_default_a_thousand_events_of_sixteen_megabytes_in_five_seconds() {
        let limits = BatchLimits { count: 1000, bytes: 16 << 20, linger: Duration::from_secs(5) };
        assert_eq!(options(ObjectLayout::Batch, &[]).batch, limits);
    }

    #[test]
    fn settings_of_objects_have_bounds() {
        for (argument, sound, wrong) in [
            ("--batch-max-events", ["1", "10000"], ["0", "10001"]),
            ("--batch-max-bytes", ["1024", "67108864"], ["1023", "67108865"]),
            ("--batch-max-age-secs", ["0", "86400"], ["-1", "86401"]),
            ("--max-held-bytes", ["1048576", "1099511627776"], ["1048575", "1099511627777"]),
            ("--least-days-kept", ["2", "36500"], ["1", "36501"]),
        ] {
            let taken = |value| Program::try_parse_from(["program", argument, value]).is_ok();
            assert_eq!(sound.map(taken), [true; 2], "{argument} {sound:?}");
            assert_eq!(wrong.map(taken), [false; 2], "{argument} {wrong:?}");
        }
    }

    #[test]
    fn a_prefix_is_made_with_what_is_given_and_else_with_its_defaults() {
        let manifest = |arguments: &[&str], layout| {
            let program = Program::try_parse_from(["program"].iter().chain(arguments));
            let schema = SchemaArgs { partition_by: "hour".to_owned(), ..SchemaArgs::default() };
            program.expect("sound settings").objects.manifest(&schema, layout)
        };
        let schema = SchemaSettings::default().with("partition_by", "hour");
        for layout in [ObjectLayout::Event, ObjectLayout::Batch] {
            let none = ManifestOptions {
                layout: None,
                default_layout: layout,
                schema: schema.clone(),
                compression: None,
                least_days_kept: None,
            };
            assert_eq!(manifest(&[], layout), none);
        }
        let given = [
            ["--object-layout", "event"],
            ["--batch-compression", "gzip"],
            ["--least-days-kept", "7"],
        ];
        let all = ManifestOptions {
            layout: Some(ObjectLayout::Event),
            default_layout: ObjectLayout::Batch,
            schema,
            compression: Some(Compression::Gzip),
            least_days_kept: Some(7),
        };
        assert_eq!(manifest(&given.concat(), ObjectLayout::Batch), all);
    }

    #[test]
    fn the_bytes_that_are_held_are_as_set() {
        let arguments = ["--max-held-bytes", "201326592"];
        for layout in [ObjectLayout::Event, ObjectLayout::Batch] {
            assert_eq!(options(layout, &arguments).max_bytes, 192 << 20);
            // Fewer than a consumer holds of itself, and than four batches.
            assert_eq!(options(layout, &["--max-held-bytes", "1048576"]).max_bytes, 1 << 20);
            assert_eq!(options(layout, &["--max-held-bytes", ""]).max_bytes, 64 << 20);
        }
    }

    #[test]
    fn a_name_that_is_none_is_answered_with_those_there_are() {
        let layout = given::<ObjectLayout>(str::parse);
        assert!(layout("Batch").is_err_and(|fault| fault.contains("event or batch")));
        assert!(layout("").is_ok_and(|layout| layout.0.is_none()));
        for bad in ["0", "1048575", "-1", "1e9", "64MiB"] {
            assert!(given(held_bytes)(bad).is_err_and(|fault| fault.contains("1048576")), "{bad}");
        }
        for bad in ["1", "36501", "x"] {
            assert!(
                given(days_kept)(bad).is_err_and(|fault| fault.contains("2 to 36500")),
                "{bad}"
            );
        }
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
