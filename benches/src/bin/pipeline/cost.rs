//! What the same requests would cost on SQS and S3.

use std::collections::BTreeMap;

use event_local::prices::{S3_GET, S3_PUT, SQS_REQUEST};

/// What one request costs in US dollars, by its API.
fn price(api: &str) -> f64 {
    match api {
        "PutObject" | "ListObjectsV2" => S3_PUT,
        "GetObject" | "HeadObject" | "HeadBucket" => S3_GET,
        // Deletes are free.
        "DeleteObjects" => 0.0,
        // Batches of ten events of the original demo stay below 64 KiB.
        _ => SQS_REQUEST,
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
