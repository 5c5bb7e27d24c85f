//! Where the services are, as settings; and how long a start waits for them.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use event_aws::{Aws, AwsOptions, BUCKET_NAME, SqsQueue, is_bucket};
use event_core::retry::{Retry, RetryBackoff};
use event_core::{Error, Result, Shutdown};
use fastrand::Rng;
use tokio::time::sleep;

/// The queue.
#[derive(Clone, Debug, Args)]
pub struct QueueArgs {
    /// Name of the queue
    #[arg(long, value_name = "NAME", env = "RELIABLE_QUEUE_NAME",
          default_value = "reliable_message_q", value_parser = NonEmptyStringValueParser::new())]
    pub reliable_queue_name: String,
}

impl QueueArgs {
    /// Looks it up by its name.
    ///
    /// # Errors
    ///
    /// It is not there, or cannot be seen.
    pub async fn connect(&self, aws: &Aws) -> Result<SqsQueue> {
        SqsQueue::connect(aws, &self.reliable_queue_name).await
    }
}

/// The name of a bucket, by the rules that `eventctl setup` keeps to.
///
/// # Errors
///
/// What would do, of a name that no bucket can have.
pub fn bucket(text: &str) -> std::result::Result<String, String> {
    if is_bucket(text) { Ok(text.to_owned()) } else { Err(BUCKET_NAME.to_owned()) }
}

/// Where AWS is.
#[derive(Clone, Debug, Args)]
pub struct AwsArgs {
    /// Region, such as us-east-1 [default: that of the profile or the instance]
    #[arg(long, value_name = "REGION", env = "AWS_REGION")]
    pub aws_region: Option<String>,

    /// Where SQS and S3 are, if not at AWS, such as http://127.0.0.1:4566
    // Somebody may have put a password into it.
    #[arg(long, value_name = "URL", env = "AWS_ENDPOINT_URL", hide_env_values = true)]
    pub aws_endpoint_url: Option<String>,
}

impl AwsArgs {
    /// Clients by these settings; nothing is sent.
    ///
    /// # Errors
    ///
    /// A setting that has not the form of one.
    pub async fn load(&self) -> Result<Aws> {
        let options =
            AwsOptions { region: self.aws_region.clone(), endpoint: self.aws_endpoint_url.clone() };
        options.load().await
    }
}

/// How long a service may be away when a pod starts: longer than a restart of it, shorter than a
/// person waits for the reason.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Quick enough to notice within that time that the service is back.
const BACKOFF: RetryBackoff =
    RetryBackoff { base: Duration::from_millis(100), cap: Duration::from_secs(2) };

/// Tries again what may heal by itself for some time, since what starts together is not ready
/// together; the first failure is a warning in the log. The error after that is the last one; none came of it if `shutdown` was requested
/// meanwhile.
pub async fn with_retries<T, F, Fut>(shutdown: &Shutdown, request: F) -> Option<Result<T>>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let (trigger, stop) = Shutdown::new();
    let retry = Retry::new(BACKOFF, Rng::new(), Arc::new(()));
    let answer = retry.one(Error::is_retryable, &stop, request);
    tokio::pin!(answer);
    tokio::select! {
        biased;
        () = shutdown.requested() => return None,
        answer = &mut answer => return Some(answer),
        () = sleep(START_TIMEOUT) => trigger.shutdown(),
    }
    tokio::select! {
        biased;
        () = shutdown.requested() => None,
        answer = &mut answer => Some(answer),
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use event_core::ErrorKind;
    use tokio::time::{Instant, timeout};

    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "connect", "on purpose")
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_heal_is_waited_for_and_no_longer_than_that() {
        let start = Instant::now();
        let never = Shutdown::never();
        let healed = with_retries(&never, || async {
            if start.elapsed() < Duration::from_secs(20) {
                Err(error(ErrorKind::Transient))
            } else {
                Ok(())
            }
        });
        assert!(healed.await.unwrap().is_ok());

        let start = Instant::now();
        let away = with_retries(&never, || async { Err::<(), _>(error(ErrorKind::Transient)) });
        assert!(away.await.unwrap().is_err());
        assert_eq!(start.elapsed(), START_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn what_no_time_heals_is_told_at_once() {
        let start = Instant::now();
        let never = Shutdown::never();
        let missing = with_retries(&never, || async { Err::<(), _>(error(ErrorKind::NotFound)) });
        assert_eq!(missing.await.unwrap().unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(start.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_wait() {
        let (trigger, shutdown) = Shutdown::new();
        tokio::spawn(async move {
            sleep(Duration::from_secs(1)).await;
            trigger.shutdown();
        });
        let start = Instant::now();
        let away = with_retries(&shutdown, || async { Err::<(), _>(error(ErrorKind::Transient)) });
        assert!(away.await.is_none());
        assert_eq!(start.elapsed(), Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_ends_the_wait_for_an_answer_beyond_the_timeout() {
        const LATE: Duration = START_TIMEOUT.saturating_mul(2);
        let (trigger, shutdown) = Shutdown::new();
        tokio::spawn(async move {
            sleep(LATE).await;
            trigger.shutdown();
        });
        let start = Instant::now();
        let silent = timeout(LATE * 2, with_retries(&shutdown, pending::<Result<()>>));
        assert!(silent.await.expect("an end").is_none());
        assert_eq!(start.elapsed(), LATE);
    }
}
