//! What the same requests would have cost on SQS and S3.

use event_core::meter::Requests;
use event_local::prices::{S3_GET, S3_PUT, SQS_REQUEST};
use serde::Serialize;

/// Requests by price, and what they come to in US dollars.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Cost {
    pub(crate) sqs_requests: u64,
    pub(crate) s3_puts: u64,
    pub(crate) s3_gets: u64,
    pub(crate) usd: f64,
}

impl Cost {
    pub(crate) fn of(requests: &Requests) -> Self {
        let r = requests;
        let sqs_requests = r.send + r.receive + r.delete + r.change_visibility + r.depth;
        let (s3_puts, s3_gets) = (r.put + r.list, r.get + r.head);
        let usd =
            sqs_requests as f64 * SQS_REQUEST + s3_puts as f64 * S3_PUT + s3_gets as f64 * S3_GET;
        Self { sqs_requests, s3_puts, s3_gets, usd }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_events_with_a_put_each_cost_five_dollars_and_twelve_cents() {
        let cost = Cost::of(&Requests {
            send: 100_000,
            receive: 100_000,
            delete: 100_000,
            put: 1_000_000,
            ..Requests::default()
        });
        assert!((cost.usd - 5.12).abs() < 1e-9, "{cost:?}");
    }

    /// But for deletes of objects, which are free.
    #[test]
    fn every_request_has_its_price() {
        let cost = Cost::of(&Requests {
            send: 1,
            receive: 20,
            delete: 300,
            change_visibility: 4000,
            depth: 50_000,
            put: 1,
            get: 20,
            head: 300,
            list: 4000,
            delete_objects: 50_000,
        });
        assert_eq!((cost.sqs_requests, cost.s3_puts, cost.s3_gets), (54_321, 4001, 320));
        let gets = Cost::of(&Requests { get: 1_000_000, ..Requests::default() });
        assert!((gets.usd - 0.4).abs() < 1e-9, "{gets:?}");
    }
}
