//! What a queue says of itself.

use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::operation::get_queue_attributes::GetQueueAttributesOutput;
use aws_sdk_sqs::types::QueueAttributeName;
use event_core::{QueueLimits, Result};

use crate::error::{Subject, from_sdk};

pub(super) const LIMITS: [QueueAttributeName; 2] =
    [QueueAttributeName::MaximumMessageSize, QueueAttributeName::VisibilityTimeout];

/// In the order in which [`Depth`] has them.
pub(super) const DEPTH: [QueueAttributeName; 3] = [
    QueueAttributeName::ApproximateNumberOfMessages,
    QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
    QueueAttributeName::ApproximateNumberOfMessagesDelayed,
];

pub(super) async fn attributes(
    client: &Client,
    url: &str,
    names: &[QueueAttributeName],
    operation: &'static str,
    subject: &Subject,
) -> Result<GetQueueAttributesOutput> {
    let request = client.get_queue_attributes().queue_url(url);
    let answer = request.set_attribute_names(Some(names.to_vec())).send().await;
    answer.map_err(|error| from_sdk(&error, operation, subject))
}

pub(super) fn number(answer: &GetQueueAttributesOutput, name: &QueueAttributeName) -> Option<u64> {
    answer.attributes()?.get(name)?.parse().ok()
}

pub(super) fn limits(answer: &GetQueueAttributesOutput) -> QueueLimits {
    let bytes = number(answer, &QueueAttributeName::MaximumMessageSize)
        .and_then(|bytes| usize::try_from(bytes).ok())
        .unwrap_or(QueueLimits::SQS.message_bytes);
    let visibility = number(answer, &QueueAttributeName::VisibilityTimeout)
        .map_or(QueueLimits::SQS.visibility, Duration::from_secs);
    // What one message may hold, the messages of a batch may hold together.
    QueueLimits { message_bytes: bytes, batch_bytes: bytes, visibility, ..QueueLimits::SQS }
}
