//! What the same requests would cost on SQS and S3.

use std::collections::BTreeMap;

/// Where and when these prices were public: <https://aws.amazon.com/sqs/pricing/> and
/// <https://aws.amazon.com/s3/pricing/>, free tier left out.
pub(crate) const PRICES: &str = "us-east-1, November 2026";

/// A standard queue, for each request of any kind. Batches of ten events of the reference stay
/// below the 64 KiB that one request may carry.
const SQS: f64 = 0.40 / 1e6;

/// What one request costs in US dollars, by its API.
fn price(api: &str) -> f64 {
    match api {
        "PutObject" | "ListObjectsV2" => 5.00 / 1e6,
        "GetObject" | "HeadObject" | "HeadBucket" => 0.40 / 1e6,
        // Deletes are free.
        "DeleteObjects" => 0.0,
        _ => SQS,
    }
}

/// US dollars for a million events, by the requests for a thousand.
pub(crate) fn usd_per_million(requests_per_1000: &BTreeMap<String, f64>) -> f64 {
    requests_per_1000.iter().map(|(api, count)| price(api) * count * 1_000.0).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_events_with_a_put_each_cost_five_dollars_and_eight_cents() {
        let requests =
            [("ReceiveMessage", 100.0), ("DeleteMessageBatch", 100.0), ("PutObject", 1000.0)];
        let requests = requests.map(|(api, count)| (api.to_owned(), count)).into();
        let usd = usd_per_million(&requests);
        assert!((usd - 5.08).abs() < 1e-9, "{usd}");
    }
}
