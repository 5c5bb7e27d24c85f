//! Many runs of one client: medians, and how far they lie apart.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::client::Client;
use crate::cost::usd_per_million;
use crate::run::Run;

/// A median between the least and the most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let last = values.len().saturating_sub(1);
        let at = |index: usize| values.get(index).copied().unwrap_or_default();
        let median = (at(last / 2) + at(last.div_ceil(2))) / 2.0;
        Self { median, least: at(0), most: at(last) }
    }
}

/// What is told of a client. Single figures are medians.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    #[serde(skip)]
    pub(crate) client: Client,
    pub(crate) events_per_s: f64,
    pub(crate) events_per_s_spread: Spread,
    pub(crate) cpu_s_per_1000: f64,
    pub(crate) cpu_s_per_1000_spread: Spread,
    /// CPU time beside that of its floor in the same round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_ratio_to_floor: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_ratio_spread: Option<Spread>,
    pub(crate) requests_per_1000: BTreeMap<String, f64>,
    pub(crate) usd_per_million: f64,
    pub(crate) peak_rss_mib: f64,
    /// From the send of an event to the put that made it durable: of a backlog, the time it waited
    /// for its turn. None where nothing is stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
    /// The server's CPU time as a share of the run.
    pub(crate) server_share: f64,
}

impl Line {
    /// Of at least one run; `floor` are the runs of its floor, in the same rounds.
    pub(crate) fn of(client: Client, runs: &[Run], floor: Option<&[Run]>) -> Self {
        let median = |value: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(value)).median;
        let events_per_s = Spread::of(runs.iter().map(|run| run.events as f64 / run.seconds));
        let cpu = Spread::of(runs.iter().map(cpu_per_1000));
        let ratio = floor.map(|floor| {
            let pairs = runs.iter().zip(floor);
            Spread::of(pairs.map(|(run, floor)| cpu_per_1000(run) / cpu_per_1000(floor)))
        });
        let requests = requests_per_1000(runs);
        let millis = |share: f64| {
            let stored = runs.iter().any(|run| !run.books.send_to_durable.is_empty());
            let percentile = |run: &Run| run.books.percentile(share).as_secs_f64() * 1_000.0;
            stored.then(|| median(&percentile))
        };
        Self {
            client,
            events_per_s: events_per_s.median,
            events_per_s_spread: events_per_s,
            cpu_s_per_1000: cpu.median,
            cpu_s_per_1000_spread: cpu,
            cpu_ratio_to_floor: ratio.map(|ratio| ratio.median),
            cpu_ratio_spread: ratio,
            usd_per_million: usd_per_million(&requests),
            requests_per_1000: requests,
            peak_rss_mib: median(&|run| run.peak_rss_mib),
            p50_ms: millis(0.5),
            p99_ms: millis(0.99),
            server_share: median(&|run| run.server_share),
        }
    }
}

pub(crate) fn cpu_per_1000(run: &Run) -> f64 {
    run.cpu_seconds / run.events as f64 * 1_000.0
}

/// Of all runs together.
fn requests_per_1000(runs: &[Run]) -> BTreeMap<String, f64> {
    let events: u64 = runs.iter().map(|run| run.events).sum();
    let mut all = BTreeMap::<String, f64>::new();
    for (api, count) in runs.iter().flat_map(|run| &run.requests) {
        *all.entry((*api).to_owned()).or_default() += *count as f64 / events as f64 * 1_000.0;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_in_the_middle() {
        let spread = |values: &[f64]| Spread::of(values.iter().copied());
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Spread { median: 2.0, least: 1.0, most: 3.0 });
        assert_eq!(spread(&[4.0, 1.0]).median, 2.5);
        assert_eq!(spread(&[7.0]), Spread { median: 7.0, least: 7.0, most: 7.0 });
    }
}
