//! Names that SQS and S3 take.

use event_core::{Error, Result};

use crate::error::{BUCKET_SETTING, QUEUE_SETTING};

/// The longest name of a [queue](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html).
pub(crate) const MAX_QUEUE: usize = 80;

/// Refuses what is not a name of a standard queue of at most so many characters.
pub(crate) fn check_queue(operation: &'static str, name: &str, longest: usize) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=longest).contains(&name.len()) && name.bytes().all(allowed) {
        return Ok(());
    }
    // They order messages and take no more than 300 a second; nothing here keeps their order.
    if name.ends_with(".fifo") {
        let message = format!(
            "{QUEUE_SETTING} is {name:?}: FIFO queues are not supported, give the name of a \
             standard queue"
        );
        return Err(Error::invalid(operation, message));
    }
    let message = format!(
        "{QUEUE_SETTING} is {name:?}, which is not a valid name of a standard queue: give 1 to {longest} \
         letters, digits, - and _, and no URL"
    );
    Err(Error::invalid(operation, message))
}

/// Refuses what is not a name of a bucket, by the
/// [rules](https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html) that all
/// buckets must keep to.
pub(crate) fn check_bucket(operation: &'static str, name: &str) -> Result<()> {
    if is_bucket(name) {
        return Ok(());
    }
    let message =
        format!("{BUCKET_SETTING} is {name:?}, which is not a valid bucket name: {BUCKET_NAME}");
    Err(Error::invalid(operation, message))
}

/// What would do as the name of a bucket.
pub const BUCKET_NAME: &str = "give 3 to 63 lower-case letters, digits, - and ., with a letter or \
    digit at both ends, no address, URL or ARN";

/// Whether a bucket can have this name.
pub fn is_bucket(name: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let allowed = |byte: u8| alphanumeric(byte) || matches!(byte, b'-' | b'.');
    let ends = [name.bytes().next(), name.bytes().next_back()];
    (3..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && ends.into_iter().flatten().all(alphanumeric)
        && !name.contains("..")
        // An address is not a name.
        && name.parse::<std::net::Ipv4Addr>().is_err()
}

/// Whether this is the number of an AWS account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_have_the_names_that_sqs_takes() {
        let long = "q".repeat(80);
        for name in ["reliable_message_q", "A-1", &long] {
            assert!(check_queue("connect", name, MAX_QUEUE).is_ok(), "{name:?}");
        }
        let longer = "q".repeat(81);
        for name in ["", "a b", "orders.fifo", "https://sqs/0/orders", "é", "a\n", &longer] {
            let error = check_queue("connect", name, MAX_QUEUE).unwrap_err().to_string();
            assert!(error.contains("`queue_name`"), "{error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }

    #[test]
    fn fifo_queues_are_named_as_what_they_are() {
        for name in ["orders.fifo", "https://sqs.us-east-1.amazonaws.com/123456789012/orders.fifo"]
        {
            let error = check_queue("connect", name, MAX_QUEUE).unwrap_err().to_string();
            assert!(error.contains("FIFO queues are not supported"), "{error}");
        }
    }

    #[test]
    fn buckets_have_the_names_that_s3_takes() {
        let long = "b".repeat(63);
        for name in ["abc", "events-of-mine", "a.b.c", "1-2", &long] {
            assert!(check_bucket("setup_bucket", name).is_ok(), "{name:?}");
        }
        let longer = "b".repeat(64);
        for name in ["", "ab", "Events", "a_b", "-ab", "ab-", ".ab", "a..b", "10.0.0.1", &longer] {
            let error = check_bucket("setup_bucket", name).unwrap_err().to_string();
            assert!(error.contains("`bucket_name` is"), "{error}");
        }
    }
}
