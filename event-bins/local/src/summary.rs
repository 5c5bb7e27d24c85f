//! What a run comes to, for a person and for a machine.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use event_core::log::ObjectLayout;
use event_core::meter::Requests;
use event_core::{Compression, Layout};
use event_local::prices::PRICES;
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cost::Cost;
use crate::tally::{Counts, Details};

/// The summary; as JSON, one object with these names.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    /// Messages handed on by the producers.
    pub(crate) sent: u64,
    /// Events stored by this run.
    pub(crate) stored: u64,
    /// Messages quarantined; those that were there before count as well.
    pub(crate) quarantined: u64,
    /// Messages whose event was stored before, by this run or an earlier one.
    pub(crate) duplicates: u64,
    /// Whether sent = stored + quarantined + duplicates.
    pub(crate) balanced: bool,
    pub(crate) stored_by_type: BTreeMap<String, u64>,
    pub(crate) quarantined_by_reason: BTreeMap<String, u64>,
    pub(crate) elapsed_s: f64,
    pub(crate) events_per_s: f64,
    pub(crate) send_to_durable: Latency,
    /// The directory of the run.
    pub(crate) out: PathBuf,
    /// The prefix of the events below it.
    pub(crate) prefix: String,
    /// What the objects of events and of quarantined messages are called, below the directory of the
    /// run.
    #[serde(skip)]
    pub(crate) names: Names,
    /// Makes the same events again.
    pub(crate) seed: Option<u64>,
    /// Requests as SQS and S3 would count them.
    pub(crate) requests: Requests,
    pub(crate) cost: Cost,
}

/// From the queue's acceptance to the store's.
#[derive(Debug, Serialize)]
pub(crate) struct Latency {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

/// What a summary is made of.
pub(crate) struct Run {
    pub(crate) counts: Counts,
    pub(crate) details: Details,
    pub(crate) requests: Requests,
    pub(crate) elapsed: Duration,
    pub(crate) out: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) objects: ObjectLayout,
    /// That of the prefix, if it is known.
    pub(crate) compression: Option<Compression>,
    /// Those of the schema of the prefix.
    pub(crate) partition_keys: Vec<String>,
    pub(crate) seed: Option<u64>,
}

impl From<Run> for Summary {
    fn from(run: Run) -> Self {
        let (counts, elapsed_s) = (run.counts, run.elapsed.as_secs_f64());
        Self {
            sent: counts.sent,
            stored: counts.stored,
            quarantined: counts.quarantined,
            duplicates: counts.duplicates,
            balanced: counts.balance(),
            stored_by_type: run.details.stored_by_type,
            quarantined_by_reason: run.details.quarantined_by_reason,
            elapsed_s,
            events_per_s: counts.sent as f64 / elapsed_s.max(1e-9),
            send_to_durable: Latency::of(&run.details.latency),
            out: run.out,
            prefix: run.layout.prefix().to_owned(),
            names: Names::of(&run.layout, run.objects, run.compression, &run.partition_keys),
            seed: run.seed,
            requests: run.requests,
            cost: Cost::of(&run.requests),
        }
    }
}

/// What objects are called, for a person.
#[derive(Debug)]
pub(crate) struct Names {
    events: String,
    quarantine: String,
}

impl Names {
    fn of(
        layout: &Layout,
        objects: ObjectLayout,
        compression: Option<Compression>,
        partition_keys: &[String],
    ) -> Self {
        let (event, quarantined) = match objects {
            ObjectLayout::Event => {
                ("<identity>.json".to_owned(), "reason=…/<sha-256>.json".to_owned())
            }
            ObjectLayout::Batch => {
                let segment = |of: Compression| format!("<number>{}", of.suffix());
                let event = compression.unwrap_or(Compression::Zstd);
                (segment(event), format!("dt=…/{}", segment(Compression::Zstd)))
            }
        };
        let partition: String = partition_keys.iter().map(|key| format!("{key}=…/")).collect();
        Self {
            events: format!("{}/{partition}{event}", layout.prefix()),
            quarantine: format!("{}{quarantined}", layout.quarantine_root()),
        }
    }
}

impl Summary {
    fn accounted(&self) -> u64 {
        self.stored + self.quarantined + self.duplicates
    }

    /// What to say of messages that are not accounted for; nothing if all are.
    pub(crate) fn unaccounted(&self) -> Option<String> {
        (!self.balanced).then(|| {
            format!(
                "of {} messages sent, {} are accounted for; the others were on the queue in \
                 memory, which is gone",
                self.sent,
                self.accounted()
            )
        })
    }
}

impl Latency {
    fn of(micros: &Histogram<u64>) -> Self {
        let ms = |micros: u64| micros as f64 / 1000.0;
        Self {
            p50_ms: ms(micros.value_at_quantile(0.5)),
            p99_ms: ms(micros.value_at_quantile(0.99)),
            max_ms: ms(micros.max()),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rate = thousands(self.events_per_s as u64);
        let line = |count: u64| format!("{:>12}", thousands(count));
        writeln!(
            f,
            "sent        {}   in {:.2} s, {rate} events/s",
            line(self.sent),
            self.elapsed_s
        )?;
        writeln!(f, "stored      {}   {}", line(self.stored), by_name(&self.stored_by_type))?;
        writeln!(
            f,
            "quarantined {}   {}",
            line(self.quarantined),
            by_name(&self.quarantined_by_reason)
        )?;
        writeln!(
            f,
            "duplicates  {}   stored before under the same identity",
            line(self.duplicates)
        )?;
        let balance =
            if self.balanced { "balanced: nothing lost, nothing twice" } else { "NOT BALANCED" };
        writeln!(f, "accounted   {}   {balance}", line(self.accounted()))?;
        writeln!(f)?;
        let latency = &self.send_to_durable;
        writeln!(
            f,
            "send to durable   p50 {:.1} ms   p99 {:.1} ms   max {:.1} ms",
            latency.p50_ms, latency.p99_ms, latency.max_ms
        )?;
        let out = self.out.display();
        writeln!(f, "events            {out}/{}", self.names.events)?;
        writeln!(f, "quarantine        {out}/{}", self.names.quarantine)?;
        if let Some(seed) = self.seed {
            writeln!(f, "seed              {seed}")?;
        }
        let cost = &self.cost;
        write!(
            f,
            "on SQS and S3     ${:.4}: {} SQS requests, {} puts, {} gets ({PRICES})",
            cost.usd,
            thousands(cost.sqs_requests),
            thousands(cost.s3_puts),
            thousands(cost.s3_gets)
        )
    }
}

fn by_name(counts: &BTreeMap<String, u64>) -> String {
    let each: Vec<_> =
        counts.iter().map(|(name, count)| format!("{} {name}", thousands(*count))).collect();
    each.join(", ")
}

fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_parted() {
        let parted = [0, 999, 1000, 12_345, 999_999, 1_234_567].map(thousands);
        assert_eq!(parted, ["0", "999", "1,000", "12,345", "999,999", "1,234,567"]);
    }

    fn run(objects: ObjectLayout, compression: Option<Compression>) -> Run {
        let mut details = crate::tally::Tally::new().details();
        details.stored_by_type = [("b".to_owned(), 1500), ("a".to_owned(), 2)].into();
        details.quarantined_by_reason = [("bad_msg".to_owned(), 30)].into();
        for millis in 1..=100 {
            details.latency.record(millis * 1000).expect("in bounds");
        }
        Run {
            counts: Counts { sent: 1536, stored: 1502, duplicates: 4, quarantined: 30 },
            details,
            requests: Requests { send: 1000, put: 2000, get: 300, ..Requests::default() },
            elapsed: Duration::from_millis(1500),
            out: "out".into(),
            layout: Layout::new("of/mine").expect("a prefix"),
            objects,
            compression,
            partition_keys: vec!["event_type".to_owned(), "dt".to_owned()],
            seed: Some(7),
        }
    }

    #[test]
    fn a_person_reads_every_count_in_its_place() {
        let text = Summary::from(run(ObjectLayout::Event, None)).to_string();
        let expected = "\
sent               1,536   in 1.50 s, 1,024 events/s
stored             1,502   2 a, 1,500 b
quarantined           30   30 bad_msg
duplicates             4   stored before under the same identity
accounted          1,536   balanced: nothing lost, nothing twice

send to durable   p50 50.0 ms   p99 99.0 ms   max 100.0 ms
events            out/of/mine/event_type=…/dt=…/<identity>.json
quarantine        out/quarantine/of/mine/reason=…/<sha-256>.json
seed              7
on SQS and S3     $0.0105: 1,000 SQS requests, 2,000 puts, 300 gets (us-east-1, November 2026)";
        assert_eq!(text, expected);
    }

    #[test]
    fn objects_are_called_as_they_are_compressed() {
        for (compression, suffix) in [
            (None, ".zst"),
            (Some(Compression::Zstd), ".zst"),
            (Some(Compression::Gzip), ".gz"),
            (Some(Compression::None), ""),
        ] {
            let text = Summary::from(run(ObjectLayout::Batch, compression)).to_string();
            let events = format!("out/of/mine/event_type=…/dt=…/<number>.ndjson{suffix}\n");
            assert!(text.contains(&events), "{events} is not in {text}");
            // Those of the quarantine are what they are.
            assert!(text.contains("/dt=…/<number>.ndjson.zst\n"), "{text}");
        }
        let rides = Run {
            partition_keys: vec!["dt".to_owned(), "city".to_owned()],
            ..run(ObjectLayout::Event, None)
        };
        let text = Summary::from(rides).to_string();
        assert!(text.contains("out/of/mine/dt=…/city=…/<identity>.json\n"), "{text}");
    }

    #[test]
    fn one_message_that_is_lost_is_told_to_a_person_and_to_a_machine() {
        let mut lost = run(ObjectLayout::Event, None);
        lost.counts.stored -= 1;
        lost.seed = None;
        let lost = Summary::from(lost);
        let text = lost.to_string();
        assert!(text.contains("accounted          1,535   NOT BALANCED\n"), "{text}");
        let unaccounted = lost.unaccounted().expect("one is lost");
        assert!(unaccounted.starts_with("of 1536 messages sent, 1535 are accounted for; "));
        assert_eq!(Summary::from(run(ObjectLayout::Event, None)).unaccounted(), None);
        assert!(!text.contains("seed"), "{text}");
        let json = serde_json::to_value(&lost).expect("JSON");
        assert_eq!(json["balanced"], false);
        let counts = ["sent", "stored", "quarantined", "duplicates"].map(|name| &json[name]);
        assert_eq!(counts, [1536, 1501, 30, 4]);
        assert_eq!((&json["elapsed_s"], &json["events_per_s"]), (&1.5.into(), &1024.0.into()));
        assert_eq!(json["stored_by_type"]["b"], 1500);
        assert_eq!(json["quarantined_by_reason"]["bad_msg"], 30);
        assert_eq!((&json["prefix"], &json["seed"]), (&"of/mine".into(), &serde_json::Value::Null));
        assert_eq!(
            (&json["requests"]["put"], &json["cost"]["s3_puts"]),
            (&2000.into(), &2000.into())
        );
        let p99 = json["send_to_durable"]["p99_ms"].as_f64().expect("a number");
        assert!((98.9..99.2).contains(&p99), "{p99}");
    }
}
