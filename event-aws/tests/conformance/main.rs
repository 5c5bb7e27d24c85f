//! The promises, held against SQS and S3 or an emulator of them, and the whole path on both: the
//! endpoint of `AWS_ENDPOINT_URL`, else LocalStack in a container. Without either, every case is
//! shown as ignored.
//!
//! ```text
//! AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_REGION=us-east-1 \
//! AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test cargo test -p event-aws --test conformance
//! ```
#![allow(clippy::unwrap_used, reason = "a panic is how a case fails")]

mod path;
mod setup;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use event_aws::{Aws, AwsOptions, S3Store, SqsQueue};
use event_core::store::list_all;
use event_core::{ObjectStore, Queue, async_trait};
use event_tests::conformance::{
    Backend, Clock, QueueBackend, StoreBackend, queue_cases, queue_trials, store_cases,
    store_trials,
};
use event_tests::endpoint;
use event_tests::libtest_mimic::{Arguments, Completion, Trial, run};

type Lacks = Vec<(&'static str, &'static str)>;

/// Why there is no SQS and S3 to test with, if there is none.
type Missing = Option<&'static str>;

fn main() -> ExitCode {
    endpoint::main(|missing| {
        // As long as the process: cases keep it as the reason why they are ignored.
        let missing: Missing = missing.map(|reason| &*reason.to_owned().leak());
        let (queues, stores) = (SqsQueues::new(missing), S3Stores::new(missing));
        let (made, bucket) = (Arc::clone(&queues.made), stores.bucket.clone());
        let mut trials = vec![path_trial(missing, &made, &bucket)];
        trials.extend(queue_trials(queues));
        trials.extend(store_trials(stores));
        trials.extend(setup::trials(missing));
        let conclusion = run(&Arguments::from_args(), trials);
        if std::env::var_os("AWS_ENDPOINT_URL").is_some() {
            let made = std::mem::take(&mut *made.lock().unwrap());
            block_on(clean_up(made, bucket));
        }
        conclusion.exit_code()
    })
}

/// Whether LocalStack is at the endpoint: it says so in a header of each answer.
fn is_localstack() -> bool {
    let answer = || {
        let endpoint = std::env::var("AWS_ENDPOINT_URL").ok()?;
        let host = endpoint.strip_prefix("http://")?.trim_end_matches('/');
        let mut stream = TcpStream::connect(host).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
        write!(stream, "GET /_localstack/health HTTP/1.0\r\nHost: {host}\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        Some(answer)
    };
    answer().is_some_and(|answer| answer.to_lowercase().contains("\nx-localstack: true"))
}

/// Queues in SQS, each with a name of its own.
struct SqsQueues {
    lacks: Lacks,
    /// Names of all that were made, to be removed at the end.
    made: Arc<Mutex<Vec<String>>>,
}

impl SqsQueues {
    fn new(missing: Missing) -> Self {
        let mut lacks = vec![
            ("depth_tells_the_age_of_the_oldest", "SQS tells it to CloudWatch alone"),
            (
                "an_abandoned_receive_takes_nothing",
                "SQS hides what it sends to a client that has gone away",
            ),
        ];
        if missing.is_none() && is_localstack() {
            let reason = "LocalStack: a stale receipt still deletes and extends";
            lacks.push(("stale_receipts_delete_nothing", reason));
        }
        if let Some(missing) = missing {
            lacks = queue_cases().iter().map(|case| (case.name, missing)).collect();
        }
        Self { lacks, made: Arc::default() }
    }

    async fn make(&self, attributes: &[(QueueAttributeName, String)]) -> SqsQueue {
        make_queue(&self.made, attributes).await
    }
}

async fn make_queue(
    made: &Mutex<Vec<String>>,
    attributes: &[(QueueAttributeName, String)],
) -> SqsQueue {
    let name = format!("event-conformance-{:016x}", fastrand::u64(..));
    made.lock().unwrap().push(name.clone());
    let aws = aws().await;
    let mut request = aws.sqs().create_queue().queue_name(&name);
    for (attribute, value) in attributes {
        request = request.attributes(attribute.clone(), value);
    }
    request.send().await.unwrap();
    SqsQueue::connect(&aws, &name).await.unwrap()
}

fn path_trial(missing: Missing, made: &Arc<Mutex<Vec<String>>>, bucket: &str) -> Trial {
    let (made, bucket) = (Arc::clone(made), bucket.to_owned());
    let path = async move {
        let queue = make_queue(&made, &[]).await;
        let aws = aws().await;
        create_bucket(&aws, &bucket).await;
        path::the_capture_is_stored_byte_for_byte(queue, S3Store::new(&aws, &bucket)).await;
    };
    Trial::ignorable_test("path::the_capture_is_stored_byte_for_byte", move || {
        if let Some(missing) = missing {
            return Ok(Completion::ignored_with(missing));
        }
        block_on(path);
        Ok(Completion::Completed)
    })
}

impl Backend for SqsQueues {
    fn name(&self) -> &str {
        "sqs_queue"
    }

    fn clock(&self) -> Clock {
        Clock::Wall { early: Duration::from_secs(1) }
    }

    fn lacks(&self) -> &[(&'static str, &'static str)] {
        &self.lacks
    }
}

#[async_trait]
impl QueueBackend for SqsQueues {
    async fn queue(&self, delay: Duration) -> Arc<dyn Queue> {
        let delay = delay.as_secs().to_string();
        Arc::new(self.make(&[(QueueAttributeName::DelaySeconds, delay)]).await)
    }

    async fn queue_with_dead_letters(&self, receives: u32) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let dead = self.make(&[]).await;
        let answer = aws().await.sqs().get_queue_attributes().queue_url(dead.url());
        let answer = answer.attribute_names(QueueAttributeName::QueueArn).send().await.unwrap();
        let arn = &answer.attributes.unwrap()[&QueueAttributeName::QueueArn];
        let policy =
            format!(r#"{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": "{receives}"}}"#);
        let queue = self.make(&[(QueueAttributeName::RedrivePolicy, policy)]).await;
        (Arc::new(queue), Arc::new(dead))
    }
}

/// One bucket for all cases, made by the first.
struct S3Stores {
    lacks: Lacks,
    bucket: String,
}

impl S3Stores {
    fn new(missing: Missing) -> Self {
        let lacks = match missing {
            Some(missing) => store_cases().iter().map(|case| (case.name, missing)).collect(),
            None => Vec::new(),
        };
        Self { lacks, bucket: format!("event-conformance-{:016x}", fastrand::u64(..)) }
    }
}

impl Backend for S3Stores {
    fn name(&self) -> &str {
        "s3_store"
    }

    fn lacks(&self) -> &[(&'static str, &'static str)] {
        &self.lacks
    }
}

#[async_trait]
impl StoreBackend for S3Stores {
    async fn store(&self) -> Arc<dyn ObjectStore> {
        let aws = aws().await;
        create_bucket(&aws, &self.bucket).await;
        let store = S3Store::new(&aws, &self.bucket);
        Arc::new(store)
    }
}

async fn create_bucket(aws: &Aws, bucket: &str) {
    use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
    let request = aws.s3().create_bucket().bucket(bucket);
    // The first region of all is the one that must not be named.
    let place = (aws.region() != "us-east-1").then(|| {
        let place = BucketLocationConstraint::from(aws.region());
        CreateBucketConfiguration::builder().location_constraint(place).build()
    });
    if let Err(error) = request.set_create_bucket_configuration(place).send().await {
        let error = error.into_service_error();
        assert!(error.is_bucket_already_owned_by_you(), "no bucket to test with: {error:?}");
    }
}

/// Clients of its own for each case: connections belong to the runtime that made them.
async fn aws() -> Aws {
    AwsOptions::default().load().await.unwrap()
}

async fn clean_up(queues: Vec<String>, bucket: String) {
    let aws = aws().await;
    for name in queues {
        if let Ok(queue) = SqsQueue::connect(&aws, &name).await {
            let _ = aws.sqs().delete_queue().queue_url(queue.url()).send().await;
        }
    }
    let store = S3Store::new(&aws, &bucket);
    if let Ok(objects) = list_all(&store, "").await {
        let keys: Vec<_> = objects.into_iter().map(|object| object.key).collect();
        drop(store.delete(&keys).await);
        let _ = aws.s3().delete_bucket().bucket(&bucket).send().await;
    }
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}
