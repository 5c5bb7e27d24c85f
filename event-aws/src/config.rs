//! How the SDK is configured: chosen, not defaulted.

use std::fmt;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_s3::config::retry::RetryPartition;
use event_core::Result;

use crate::endpoint::OneBucket;
use crate::requests::{ApiRequests, Requests};
use crate::surroundings::{
    CLOUDWATCH, S3, SQS, Surroundings, WithoutEndpoints, check_region, wrong,
};
use crate::url::shown;
use crate::user_agent::UserAgent;
use crate::{credentials, http};

/// To connect takes milliseconds; one lost packet costs a second, two cost three.
const CONNECT: Duration = Duration::from_millis(3_100);

/// A long poll answers after 20 s at the latest. Without a bound above that, a receive whose
/// connection died unnoticed hangs for ever
/// ([aws-sdk-rust#1034](https://github.com/awslabs/aws-sdk-rust/issues/1034)).
const RECEIVE_ATTEMPT: Duration = Duration::from_secs(30);

/// Anything else that SQS does takes milliseconds, and a visibility timeout (30 s by default)
/// is running: two attempts must fit into it.
const SQS_ATTEMPT: Duration = Duration::from_secs(10);

/// Objects of some megabytes over a slow line, still short enough for a second attempt.
const S3_ATTEMPT: Duration = Duration::from_secs(15);

/// What is allowed over all attempts beyond their own time: the SDK's wait between them, and
/// the credentials, which may have to be fetched first.
const OPERATION_MARGIN: Duration = Duration::from_secs(5);

/// One quick second try, for a connection that broke. Longer retries are those of the engines, which
/// know of shutdown, of leases and of a budget that all requests share; more attempts here would
/// only hide an outage from them.
const ATTEMPTS: u32 = 2;

/// A download that moves nothing for so long is given up. The SDK's 5 s give false alarms on a busy
/// machine ([aws-sdk-rust#1146](https://github.com/awslabs/aws-sdk-rust/issues/1146)).
///
/// Only the body of an object needs it, which is read after its request ended. All else is inside
/// the time of an attempt, and to watch its bytes as well is a cost of each request.
const STALLED_GRACE: Duration = Duration::from_secs(20);

/// Where the services are.
///
/// What is left out comes from where every AWS tool takes it: the region from `AWS_REGION`, the
/// profile or the instance, the endpoint from `AWS_ENDPOINT_URL`, `AWS_ENDPOINT_URL_SQS` and
/// `AWS_ENDPOINT_URL_S3` or the profile. So do credentials, always: environment, profile, web
/// identity, EKS Pod Identity, instance, in this order. What is set and blank is not set.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AwsOptions {
    /// Region, for example `us-east-1`.
    pub region: Option<String>,
    /// Endpoint of both services, for example `http://127.0.0.1:4566` for an emulator; that of one
    /// alone (`AWS_ENDPOINT_URL_SQS`, `AWS_ENDPOINT_URL_S3`) goes before it. With any
    /// endpoint, buckets are addressed in the path instead of the host name.
    pub endpoint: Option<String>,
}

impl fmt::Debug for AwsOptions {
    /// Without a password that somebody may have put into the endpoint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let endpoint = self.endpoint.as_deref().map(shown);
        let mut options = f.debug_struct("AwsOptions");
        options.field("region", &self.region).field("endpoint", &endpoint).finish()
    }
}

impl AwsOptions {
    /// Finds region and endpoints, and prepares the clients. Nothing is sent to a service, except
    /// that a region that is nowhere else is asked of the instance.
    ///
    /// # Errors
    ///
    /// `Invalid`, if there is no region, if it, an endpoint or a file of profiles has not the form
    /// of one, or if two settings contradict each other.
    pub async fn load(&self) -> Result<Aws> {
        let surroundings = Surroundings::of_this_process().await?;
        let endpoint = given(self.endpoint.as_deref());
        surroundings.check_endpoints(endpoint)?;
        let [sqs, s3, cloudwatch] =
            [SQS, S3, CLOUDWATCH].map(|service| surroundings.endpoint(service, endpoint));
        let endpoints = Endpoints { sqs: sqs?, s3: s3?, cloudwatch: cloudwatch? };
        let tls = match http::trusted() {
            Ok(tls) => tls,
            Err(_) if endpoints.are_without_tls() => http::no_trust(),
            Err(why) => return Err(wrong(why)),
        };
        // Pinned: a later version may change timeouts, retries and the HTTP stack with an update.
        let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .http_client(http::client(tls))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
            // So that it looks for none itself.
            .endpoint_url(NOWHERE);
        if let Some(region) = surroundings.region(given(self.region.as_deref()))? {
            loader = loader.region(region);
        }
        if let Some(profile) = surroundings.profile_of_variable() {
            loader = loader.profile_name(profile);
        }
        let sdk = without_endpoints(loader.load().await);
        let region = sdk.region().map(AsRef::as_ref).unwrap_or_default();
        check_region("the region of the instance", region)?;
        // Only AWS itself is sure to have a host name for each bucket.
        let elsewhere = endpoints.s3.is_some();
        let sdk = credentials::renewed_in_time(sdk, Some(surroundings));
        Ok(Aws { endpoints, ..Aws::new(sdk, elsewhere) })
    }
}

const NOWHERE: &str = "http://nowhere.invalid";

/// Endpoints are set for each client, and for no other.
fn without_endpoints(sdk: SdkConfig) -> SdkConfig {
    let mut builder = sdk.clone().into_builder();
    builder.set_endpoint_url(None);
    builder.set_service_config(Some(WithoutEndpoints(sdk)));
    builder.build()
}

/// Where services are that are not at AWS.
#[derive(Clone, Debug, Default)]
struct Endpoints {
    sqs: Option<String>,
    s3: Option<String>,
    #[cfg_attr(not(feature = "cloudwatch"), allow(dead_code, reason = "nobody asks it then"))]
    cloudwatch: Option<String>,
}

impl Endpoints {
    fn are_without_tls(&self) -> bool {
        let is_plain =
            |url: &Option<String>| url.as_ref().is_some_and(|url| url.starts_with("http:"));
        is_plain(&self.sqs) && is_plain(&self.s3)
    }
}

fn given(setting: Option<&str>) -> Option<&str> {
    setting.map(str::trim).filter(|setting| !setting.is_empty())
}

/// The SDK's configuration, from which queues and stores are made. All of them share connections,
/// credentials and the count of their requests.
#[derive(Clone)]
pub struct Aws {
    sdk: SdkConfig,
    path_style: bool,
    endpoints: Endpoints,
    requests: Requests,
}

impl Aws {
    pub(crate) fn new(sdk: SdkConfig, path_style: bool) -> Self {
        let requests = Requests::default();
        Self { sdk, path_style, endpoints: Endpoints::default(), requests }
    }

    /// The region that requests go to.
    pub fn region(&self) -> &str {
        // `load` refuses to go on without one.
        self.sdk.region().map(AsRef::as_ref).unwrap_or_default()
    }

    /// How often each API was called so far, by service and operation: by clones of this, by
    /// queues, stores and clients made of it. What it took to get credentials is not among them.
    pub fn requests(&self) -> Vec<ApiRequests> {
        self.requests.list()
    }

    /// A client of SQS for what no [`Queue`](event_core::Queue) does, such as making one.
    pub fn sqs(&self) -> aws_sdk_sqs::Client {
        self.sqs_for("control", SQS_ATTEMPT)
    }

    /// A client of S3 for what no [`ObjectStore`](event_core::ObjectStore) does, such as making a
    /// bucket.
    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.s3_for("control")
    }

    /// A client of CloudWatch, for what the services tell it alone.
    #[cfg(feature = "cloudwatch")]
    pub fn cloudwatch(&self) -> aws_sdk_cloudwatch::Client {
        let mut builder = aws_sdk_cloudwatch::config::Builder::from(&self.sdk);
        if let Some(endpoint) = &self.endpoints.cloudwatch {
            builder = builder.endpoint_url(endpoint);
        }
        let config = builder
            .interceptor(self.requests.of("cloudwatch"))
            .interceptor(UserAgent)
            .timeout_config(self.timeouts(SQS_ATTEMPT))
            .build();
        aws_sdk_cloudwatch::Client::from_conf(config)
    }

    /// For `ReceiveMessage` alone, whose attempts may take long.
    pub(crate) fn sqs_receive(&self) -> aws_sdk_sqs::Client {
        self.sqs_for("receive", RECEIVE_ATTEMPT)
    }

    /// For one kind of call. Retries take from a bucket of tokens that the SDK would share
    /// between all clients of a service
    /// ([smithy-rs#3964](https://github.com/smithy-lang/smithy-rs/issues/3964)): receives
    /// that fail must not use up those of deletes.
    pub(crate) fn sqs_for(
        &self,
        kind_of_call: &'static str,
        attempt: Duration,
    ) -> aws_sdk_sqs::Client {
        let mut builder = aws_sdk_sqs::config::Builder::from(&self.sdk);
        if let Some(endpoint) = &self.endpoints.sqs {
            builder = builder.endpoint_url(endpoint);
        }
        let config = builder
            .interceptor(self.requests.of("sqs"))
            .interceptor(UserAgent)
            .timeout_config(self.timeouts(attempt))
            .retry_partition(RetryPartition::custom(kind_of_call).build())
            .build();
        aws_sdk_sqs::Client::from_conf(config)
    }

    pub(crate) fn sqs_short(&self, kind_of_call: &'static str) -> aws_sdk_sqs::Client {
        self.sqs_for(kind_of_call, SQS_ATTEMPT)
    }

    /// For puts into one bucket.
    pub(crate) fn s3_write(&self) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(
            self.s3_config("write").endpoint_resolver(OneBucket::default()).build(),
        )
    }

    pub(crate) fn s3_for(&self, kind_of_call: &'static str) -> aws_sdk_s3::Client {
        aws_sdk_s3::Client::from_conf(self.s3_config(kind_of_call).build())
    }

    fn s3_config(&self, kind_of_call: &'static str) -> aws_sdk_s3::config::Builder {
        let mut builder = aws_sdk_s3::config::Builder::from(&self.sdk);
        if let Some(endpoint) = &self.endpoints.s3 {
            builder = builder.endpoint_url(endpoint);
        }
        let downloads = StalledStreamProtectionConfig::enabled().upload_enabled(false);
        builder
            .stalled_stream_protection(downloads.grace_period(STALLED_GRACE).build())
            .interceptor(self.requests.of("s3"))
            .interceptor(UserAgent)
            .timeout_config(self.timeouts(S3_ATTEMPT))
            .retry_partition(RetryPartition::custom(kind_of_call).build())
            .force_path_style(self.path_style)
    }

    fn timeouts(&self, attempt: Duration) -> TimeoutConfig {
        let mut timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(attempt)
            .operation_timeout(attempt * ATTEMPTS + OPERATION_MARGIN)
            .build();
        if let Some(defaults) = self.sdk.timeout_config() {
            timeouts.take_defaults_from(defaults);
        }
        timeouts
    }
}

impl fmt::Debug for Aws {
    /// Region and endpoints, which have no password, and nothing of the credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws")
            .field("region", &self.region())
            .field("endpoints", &self.endpoints)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn timeouts_bound_each_attempt_and_all_of_them() {
        let options = AwsOptions {
            region: Some("eu-west-1".into()),
            endpoint: Some("http://127.0.0.1:1".into()),
        };
        let aws = options.load().await.unwrap();
        assert_eq!(aws.region(), "eu-west-1");
        let receive = aws.sqs_receive();
        let timeouts = receive.config().timeout_config().unwrap().clone();
        assert_eq!(timeouts.connect_timeout(), Some(CONNECT));
        assert_eq!(timeouts.operation_attempt_timeout(), Some(RECEIVE_ATTEMPT));
        assert_eq!(timeouts.operation_timeout(), Some(Duration::from_secs(65)));
        assert!(RECEIVE_ATTEMPT > event_core::QueueLimits::SQS.max_wait);
        assert_eq!(receive.config().retry_config().unwrap().max_attempts(), ATTEMPTS);
        let provider = format!("{:?}", aws.sdk.credentials_provider());
        assert!(provider.contains("KeepValid"), "{provider}");
    }

    #[tokio::test]
    async fn each_kind_of_call_has_its_own_time() {
        let aws = AwsOptions { region: Some("eu-west-1".into()), endpoint: None };
        let aws = aws.load().await.unwrap();
        let times = |timeouts: Option<&TimeoutConfig>| {
            let timeouts = timeouts.unwrap();
            let secs = |time: Option<Duration>| time.unwrap().as_secs();
            assert_eq!(timeouts.connect_timeout(), Some(CONNECT));
            (secs(timeouts.operation_attempt_timeout()), secs(timeouts.operation_timeout()))
        };
        for sqs in [aws.sqs(), aws.sqs_short("send"), aws.sqs_short("settle")] {
            assert_eq!(times(sqs.config().timeout_config()), (10, 25));
        }
        for s3 in [aws.s3(), aws.s3_write(), aws.s3_for("read")] {
            assert_eq!(times(s3.config().timeout_config()), (15, 35));
        }
        assert_eq!(times(aws.sqs_receive().config().timeout_config()), (30, 65));
    }

    #[tokio::test]
    async fn an_endpoint_that_is_given_is_that_of_every_service() {
        let load = async |endpoint: &str| {
            let options = AwsOptions {
                region: Some(" eu-west-1\n".into()),
                endpoint: Some(endpoint.to_owned()),
            };
            options.load().await.unwrap()
        };
        let own = load("http://127.0.0.1:1/a").await;
        assert_eq!(own.region(), "eu-west-1");
        let Endpoints { sqs, s3, cloudwatch } = &own.endpoints;
        for url in [sqs, s3, cloudwatch] {
            assert_eq!(url.as_deref(), Some("http://127.0.0.1:1/a/"));
        }
        assert!(own.path_style);
        let blank = load(" ").await;
        assert!(blank.endpoints.s3.is_none() && !blank.path_style);
    }

    #[test]
    fn trust_is_needed_unless_both_services_are_without_tls() {
        let [plain, tls] = ["http://a", "https://a"].map(|url| Some(url.to_owned()));
        for (sqs, s3, are_without) in [
            (&plain, &plain, true),
            (&plain, &tls, false),
            (&tls, &plain, false),
            (&None, &plain, false),
            (&plain, &None, false),
        ] {
            let endpoints =
                Endpoints { sqs: sqs.clone(), s3: s3.clone(), cloudwatch: plain.clone() };
            assert_eq!(endpoints.are_without_tls(), are_without, "{sqs:?} {s3:?}");
        }
    }

    #[test]
    fn no_debug_output_has_a_secret() {
        let aws = crate::script::Script::default().aws();
        assert!(!format!("{aws:?}").contains("secret"), "{aws:?}");
        let endpoint = Some("http://me:secret@a".to_owned());
        let options = AwsOptions { endpoint, ..AwsOptions::default() };
        assert!(!format!("{options:?}").contains("secret"), "{options:?}");
    }
}
