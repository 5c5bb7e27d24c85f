//! The age of the oldest message, which SQS tells to CloudWatch alone.

use std::time::{Duration, SystemTime};

use aws_sdk_cloudwatch::types::{Datapoint, Dimension, Statistic};
use event_core::Result;

use crate::config::Aws;
use crate::error::{Subject, from_sdk};

const OPERATION: &str = "age_of_oldest";

/// CloudWatch has a value for each minute, and has it some minutes later.
const PERIOD_SECS: i32 = 60;
const LOOK_BACK: Duration = Duration::from_secs(10 * 60);

/// How old the oldest message of a queue was when CloudWatch heard of it last, some minutes ago;
/// none if it has not heard of the queue for ten minutes, as of one that nobody uses.
///
/// It needs the right `cloudwatch:GetMetricStatistics`, and costs a
/// [thousandth of a cent](https://aws.amazon.com/cloudwatch/pricing/).
///
/// # Errors
///
/// `Denied` without that right, and any error of the request.
pub async fn age_of_oldest(aws: &Aws, queue: &str) -> Result<Option<Duration>> {
    let now = SystemTime::now();
    let request = aws
        .cloudwatch()
        .get_metric_statistics()
        .namespace("AWS/SQS")
        .metric_name("ApproximateAgeOfOldestMessage")
        .dimensions(Dimension::builder().name("QueueName").value(queue).build())
        .start_time((now - LOOK_BACK).into())
        .end_time(now.into())
        .period(PERIOD_SECS)
        .statistics(Statistic::Maximum);
    let answer = request.send().await;
    let answer = answer.map_err(|error| from_sdk(&error, OPERATION, &Subject::queue(queue)))?;
    Ok(latest(answer.datapoints()))
}

/// The value of the latest point; they come in any order.
fn latest(points: &[Datapoint]) -> Option<Duration> {
    let latest = points.iter().max_by_key(|point| point.timestamp())?;
    Duration::try_from_secs_f64(latest.maximum()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_cloudwatch::primitives::DateTime;

    #[test]
    fn the_latest_point_counts_in_whatever_order_they_come() {
        let point = |secs, age| {
            Datapoint::builder().timestamp(DateTime::from_secs(secs)).maximum(age).build()
        };
        let points = [point(60, 5.0), point(180, 7.0), point(120, 9.0)];
        assert_eq!(latest(&points), Some(Duration::from_secs(7)));
        assert_eq!(latest(&[]), None);
        assert_eq!(latest(&[point(60, -1.0)]), None);
    }
}
