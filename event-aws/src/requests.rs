//! How many requests were made of which API.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint;
use aws_smithy_runtime_api::client::orchestrator::Metadata;

/// How often one API of a service was called.
///
/// Each attempt counts, retries of the SDK among them, as AWS bills them. (SQS bills a request
/// once more for each further 64 KiB in it.) IAM calls some of them by another name: a
/// `SendMessageBatch` needs `sqs:SendMessage`, and `HeadBucket` and `ListObjectsV2` need
/// `s3:ListBucket`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequests {
    /// `cloudwatch`, `s3` or `sqs`.
    pub service: &'static str,
    /// The name of the API, such as `ReceiveMessage`.
    pub operation: String,
    /// Attempts so far.
    pub count: u64,
}

/// Counts by service and operation, which all clients of an [`Aws`](crate::Aws) share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests(Arc<Mutex<BTreeMap<&'static str, BTreeMap<String, u64>>>>);

impl Requests {
    /// What counts the requests of a client of this service.
    pub(crate) fn of(&self, service: &'static str) -> impl Intercept + use<> {
        Counter { service, requests: self.clone() }
    }

    /// All of them, by service and operation.
    pub(crate) fn list(&self) -> Vec<ApiRequests> {
        let counts = self.counts();
        let of_service = |(service, operations): (&&'static str, &BTreeMap<String, u64>)| {
            let service = *service;
            let count = |(operation, count): (&String, &u64)| ApiRequests {
                service,
                operation: operation.clone(),
                count: *count,
            };
            operations.iter().map(count).collect::<Vec<_>>()
        };
        counts.iter().flat_map(of_service).collect()
    }

    fn add(&self, service: &'static str, operation: &str) {
        let mut counts = self.counts();
        let operations = counts.entry(service).or_default();
        match operations.get_mut(operation) {
            Some(count) => *count += 1,
            // The name is copied the first time alone: this is on the way of each request.
            None => drop(operations.insert(operation.to_owned(), 1)),
        }
    }

    fn counts(&self) -> MutexGuard<'_, BTreeMap<&'static str, BTreeMap<String, u64>>> {
        // A count is there or not, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
struct Counter {
    service: &'static str,
    requests: Requests,
}

#[dyn_dispatch_hint]
impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "count requests"
    }

    /// The last hook before an attempt leaves, so that none is missed and none is counted that a
    /// missing credential held back.
    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The SDK names each of its operations.
        let operation = config.load::<Metadata>().map_or("unknown", Metadata::name);
        self.requests.add(self.service, operation);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_config::retry::RetryConfig;
    use event_core::{ObjectStore, Queue, ReceiveRequest};

    use crate::config::Aws;
    use crate::script::Script;
    use crate::{S3Store, SqsQueue};

    fn counts(aws: &Aws) -> Vec<(&'static str, String, u64)> {
        let requests = aws.requests().into_iter();
        requests.map(|api| (api.service, api.operation, api.count)).collect()
    }

    fn expected(counts: &[(&'static str, &str, u64)]) -> Vec<(&'static str, String, u64)> {
        counts.iter().map(|(service, api, count)| (*service, (*api).to_owned(), *count)).collect()
    }

    #[tokio::test]
    async fn every_request_of_every_client_counts() {
        let url = r#"{"QueueUrl": "http://127.0.0.1:1/0/orders"}"#;
        let script =
            Script::new(&[(200, url), (200, "{}"), (200, "{}"), (404, ""), (200, ""), (200, "{}")]);
        let aws = script.aws();
        assert_eq!(aws.requests(), []);
        // A clone made before counts with the rest.
        let queue = SqsQueue::connect(&aws.clone(), "orders").await.unwrap();
        let limits = queue.limits();
        let request = ReceiveRequest {
            max: 1,
            wait: std::time::Duration::ZERO,
            visibility: limits.visibility,
        };
        assert!(queue.receive(request).await.unwrap().is_empty());
        assert_eq!(S3Store::new(&aws, "events").head("a").await.unwrap(), None);
        let list = aws.sqs().list_queues().send().await;
        assert!(list.is_ok());
        let all = [
            ("s3", "HeadBucket", 1),
            ("s3", "HeadObject", 1),
            ("sqs", "GetQueueAttributes", 1),
            ("sqs", "GetQueueUrl", 1),
            ("sqs", "ListQueues", 1),
            ("sqs", "ReceiveMessage", 1),
        ];
        assert_eq!(counts(&aws), expected(&all));
        assert_eq!(script.requests().len(), 6);
    }

    #[tokio::test(start_paused = true)]
    async fn each_attempt_counts() {
        let script = Script::new(&[(500, ""), (200, ""), (200, ""), (200, "")]);
        let retry = RetryConfig::standard().with_max_attempts(2);
        let sdk = script.sdk().into_builder().retry_config(retry).build();
        let aws = Aws::new(sdk, true);
        aws.s3().head_bucket().bucket("events").send().await.unwrap();
        assert_eq!(counts(&aws), expected(&[("s3", "HeadBucket", 2)]));
        for _ in 0..2 {
            aws.s3().head_bucket().bucket("events").send().await.unwrap();
        }
        assert_eq!(counts(&aws), expected(&[("s3", "HeadBucket", 4)]));
    }
}
