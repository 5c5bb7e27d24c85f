//! What a run comes to, for a person and for a machine.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use event_core::{Compression, Layout, ObjectLayout, Requests};
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
    /// Messages put aside; those that were there before count as well.
    pub(crate) quarantined: u64,
    /// Messages whose event was stored before, by this run or an earlier one.
    pub(crate) suppressed: u64,
    /// Whether sent = stored + quarantined + suppressed.
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
    pub(crate) compression: Option<Compression>,
    pub(crate) seed: Option<u64>,
}

impl From<Run> for Summary {
    fn from(run: Run) -> Self {
        let (counts, elapsed_s) = (run.counts, run.elapsed.as_secs_f64());
        Self {
            sent: counts.sent,
            stored: counts.stored,
            quarantined: counts.quarantined,
            suppressed: counts.suppressed,
            balanced: counts.balance(),
            stored_by_type: run.details.stored_by_type,
            quarantined_by_reason: run.details.quarantined_by_reason,
            elapsed_s,
            events_per_s: counts.sent as f64 / elapsed_s.max(1e-9),
            send_to_durable: Latency::of(&run.details.latency),
            out: run.out,
            prefix: run.layout.prefix().to_owned(),
            names: Names::of(&run.layout, run.objects, run.compression),
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
    fn of(layout: &Layout, objects: ObjectLayout, compression: Option<Compression>) -> Self {
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
        Self {
            events: format!("{}/event_type=…/dt=…/{event}", layout.prefix()),
            quarantine: format!("{}{quarantined}", layout.quarantine_root()),
        }
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
            "suppressed  {}   stored before under the same identity",
            line(self.suppressed)
        )?;
        let sum = self.stored + self.quarantined + self.suppressed;
        let balance =
            if self.balanced { "balanced: nothing lost, nothing twice" } else { "NOT BALANCED" };
        writeln!(f, "accounted   {}   {balance}", line(sum))?;
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
        let parted = [0, 999, 1000, 1_234_567].map(thousands);
        assert_eq!(parted, ["0", "999", "1,000", "1,234,567"]);
    }
}
