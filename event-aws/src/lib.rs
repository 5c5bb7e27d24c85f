//! Backends of [`event_core`] on AWS: [`SqsQueue`] is its [`Queue`](event_core::Queue) and
//! [`S3Store`] its [`ObjectStore`](event_core::ObjectStore).
//!
//! The SDK is configured in one place, [`AwsOptions`], whose source gives the reason for each
//! timeout and limit. Errors name the queue or the bucket and the setting to look at; they never
//! hold a credential. Credentials that are still valid outlast a renewal that fails.
//! [`Aws::requests`] tells how often each API was called. [`plan_queue`] and [`plan_bucket`] make
//! what is missing, where nothing else does, and change nothing that is there unless told to.
//!
//! ```no_run
//! use event_aws::{AwsOptions, S3Store, SqsQueue};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> event_core::Result<()> {
//! // Region, endpoint and credentials as every AWS tool finds them.
//! let aws = AwsOptions::default().load().await?;
//! let queue = SqsQueue::connect(&aws, "reliable_message_q").await?;
//! // A bucket of that name in another account is refused.
//! let store = S3Store::new(&aws, "events-of-mine").owned_by("123456789012")?;
//! # drop((queue, store));
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "cloudwatch")]
mod age;
mod config;
mod credentials;
mod endpoint;
mod error;
#[cfg(test)]
mod fake;
mod http;
mod name;
mod requests;
mod s3;
#[cfg(test)]
mod script;
mod setup;
mod sqs;
mod surroundings;
mod url;
mod user_agent;

#[cfg(feature = "cloudwatch")]
pub use age::age_of_oldest;
pub use config::{Aws, AwsOptions};
pub use name::{BUCKET_NAME, is_bucket};
pub use requests::ApiRequests;
pub use s3::S3Store;
pub use setup::{
    BucketSetup, Change, Decision, Existing, Plan, QueueSetup, Setting, Step, What, plan_bucket,
    plan_queue,
};
pub use sqs::SqsQueue;
