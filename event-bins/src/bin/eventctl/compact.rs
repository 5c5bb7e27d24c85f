//! Few large objects for readers.

use std::fmt;

use clap::Args;
use event_bins::pod::Failure;
use event_core::maintain::{CompactReport, Compacted, Compactor, DateRange};
use event_core::{Compression, Error, Result, Shutdown};
use event_local::objects;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::print;
use crate::stored::StoredArgs;

#[derive(Clone, Debug, Args)]
pub(crate) struct CompactArgs {
    #[command(flatten)]
    stored: StoredArgs,

    /// Only days that ended at least so many days ago (UTC): later than that, few events come, as
    /// a queue keeps them for 2 days
    #[arg(long, value_name = "N", default_value = "2",
          value_parser = clap::value_parser!(u16).range(0..=36500))]
    closed_days: u16,

    /// Merge objects of at most so many bytes in all into one
    #[arg(long, value_name = "BYTES", default_value = "33554432",
          value_parser = target_bytes)]
    target_bytes: u64,

    /// How the merged objects are compressed: none, gzip or zstd
    #[arg(long, value_name = "NAME", default_value = "zstd", value_parser = objects::compression)]
    compression: Compression,

    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--help` says of the exit status.
pub(crate) const EXIT_STATUS: &str = "Exit status: 0 if all was merged; 1 if a service failed, it \
    was told to stop, or the report could not be written; 2 if a setting is wrong, a bucket that is not there or may not be used included; \
    3 if something is there that no compaction can have left; 130 if it was told to stop twice.";

/// The whole object is in memory.
const MOST: u64 = 1024 * 1024 * 1024;

fn target_bytes(text: &str) -> Result<u64, String> {
    let bytes = text.parse().ok().filter(|bytes| (1..=MOST).contains(bytes));
    bytes.ok_or_else(|| format!("give bytes, 1 to {MOST}"))
}

impl CompactArgs {
    pub(crate) async fn run(&self, shutdown: &Shutdown) -> Result<(), Failure> {
        let wrong = |error: Error| Failure::at_start(&error);
        let today = TimeZone::UTC.to_datetime(Timestamp::now()).date();
        let dates = self.dates(today).map_err(wrong)?;
        let (_, store) = self.stored.open().await.map_err(wrong)?;
        let schema = self.stored.schema(&store, shutdown).await?;
        let compactor = Compactor::new(store, self.stored.s3_prefix.clone(), schema)
            .dates(dates)
            .target_bytes(self.target_bytes)
            .compression(self.compression)
            .map_err(wrong)?;
        let report = compactor.run(shutdown).await.map_err(wrong)?;
        let printed = match self.json {
            true => print(serde_json::json!(report)),
            false => print(Table(&report)),
        };
        // A fault is worse than a report that was not written.
        sound(report.faults.len()).and(printed)
    }

    /// The days that are to be merged and have been closed for long enough.
    fn dates(&self, today: Date) -> Result<DateRange> {
        let (from, to) = (self.stored.from, self.stored.to);
        let asked = DateRange::new(from, to)?;
        let closed = today.checked_sub((1 + i32::from(self.closed_days)).days()).ok();
        let to = to.into_iter().chain(closed).min();
        DateRange::new(from, to).map_err(|_| {
            let message = format!(
                "none of the days asked for ({asked}) ended {} days ago: give earlier ones, or a \
                 smaller --closed-days",
                self.closed_days
            );
            Error::invalid("compact", message)
        })
    }
}

fn sound(faults: usize) -> Result<(), Failure> {
    let have = match faults {
        0 => return Ok(()),
        1 => "partition has",
        _ => "partitions have",
    };
    Err(Failure::Stored(format!("{faults} {have} a fault: the rest there was not merged")))
}

/// For people.
struct Table<'a>(&'a CompactReport);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CompactReport { dates, partitions, faults, .. } = self.0;
        write!(f, "days {dates}")?;
        for (partition, Compacted { objects, bytes, sources, .. }) in partitions {
            write!(f, "\n{objects:>9} objects {bytes:>12} bytes of {sources:>9}  {partition}")?;
        }
        for (partition, what) in faults {
            write!(f, "\nfault in {partition}: {what}")?;
        }
        if partitions.is_empty() && faults.is_empty() {
            write!(f, "\nall of them are compacted: nothing was made")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use jiff::civil::date;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        compact: CompactArgs,
    }

    fn dates(arguments: &[&str]) -> Result<String> {
        let program = ["compact", "--store-events-bkt", "events"];
        let program = Program::try_parse_from(program.iter().chain(arguments)).expect("sound");
        program.compact.dates(date(2026, 11, 25)).map(|dates| dates.to_string())
    }

    #[test]
    fn sizes_and_days_have_bounds() {
        for (argument, sound, wrong) in [
            ("--target-bytes", ["1", "1073741824"], ["0", "1073741825"]),
            ("--closed-days", ["0", "36500"], ["-1", "36501"]),
        ] {
            let program = ["compact", "--store-events-bkt", "events", argument];
            let taken = |value| Program::try_parse_from(program.iter().chain([&value])).is_ok();
            assert_eq!(sound.map(taken), [true; 2], "{argument} {sound:?}");
            assert_eq!(wrong.map(taken), [false; 2], "{argument} {wrong:?}");
        }
    }

    #[test]
    fn only_days_that_have_ended_for_long_enough_are_merged() {
        for (arguments, expected) in [
            (&[][..], "to 2026-11-22"),
            (&["--closed-days", "0"], "to 2026-11-24"),
            (&["--to", "2026-11-20"], "to 2026-11-20"),
            (&["--from", "2026-11-22", "--to", "2026-11-25"], "2026-11-22 to 2026-11-22"),
        ] {
            assert_eq!(dates(arguments).expect("closed"), expected, "{arguments:?}");
        }
        let error = dates(&["--from", "2026-11-23"]).expect_err("open").to_string();
        assert!(error.contains("from 2026-11-23") && error.contains("--closed-days"), "{error}");
    }

    #[test]
    fn a_person_reads_what_was_made_and_what_is_damaged() {
        let mut report = CompactReport::default();
        let nothing = "days all\nall of them are compacted: nothing was made";
        assert_eq!(Table(&report).to_string(), nothing);
        let mut made = Compacted::default();
        (made.objects, made.bytes, made.sources) = (2, 30, 400);
        report.partitions = [("dt=1".to_owned(), made)].into();
        let merged = "days all\n        2 objects           30 bytes of       400  dt=1";
        assert_eq!(Table(&report).to_string(), merged);
        report.faults = [("dt=2".to_owned(), "a key: damaged".to_owned())].into();
        let both = format!("{merged}\nfault in dt=2: a key: damaged");
        assert_eq!(Table(&report).to_string(), both);
        report.partitions.clear();
        let fault = "days all\nfault in dt=2: a key: damaged";
        assert_eq!(Table(&report).to_string(), fault);
    }

    #[test]
    fn faults_are_counted() {
        let failed = |text: &str| Err(Failure::Stored(text.to_owned()));
        assert_eq!(sound(0), Ok(()));
        assert_eq!(sound(1), failed("1 partition has a fault: the rest there was not merged"));
        assert_eq!(sound(2), failed("2 partitions have a fault: the rest there was not merged"));
    }
}
