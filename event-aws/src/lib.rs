//! Backends of [`event_core`] on AWS: [`SqsQueue`] is its [`Queue`](event_core::Queue) and
//! [`S3Store`] its [`ObjectStore`](event_core::ObjectStore).
//!
//! The SDK is configured in one place, [`AwsOptions`], whose source gives the reason for each
//! timeout and limit. Errors name the queue or the bucket and the setting to look at; they never
//! hold a credential.
//!
//! ```no_run
//! use event_aws::{AwsOptions, S3Store, SqsQueue};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> event_core::Result<()> {
//! // Region, endpoint and credentials as every AWS tool finds them.
//! let aws = AwsOptions::default().load().await?;
//! let queue = SqsQueue::connect(&aws, "reliable_message_q").await?;
//! let store = S3Store::new(&aws, "events-of-mine");
//! store.self_test("store_events").await?;
//! # drop(queue);
//! # Ok(())
//! # }
//! ```

mod config;
mod error;
mod http;
mod s3;
#[cfg(test)]
mod script;
mod sqs;

pub use config::{Aws, AwsOptions};
pub use s3::S3Store;
pub use sqs::SqsQueue;
