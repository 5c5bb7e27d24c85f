//! What a queue tells of itself.

use std::collections::BTreeMap;

use event_core::Depth;

use crate::server::NamedQueue;

/// The account of all queues, as emulators have it.
pub(super) const ACCOUNT: &str = "000000000000";

/// Those of the asked names that there are; `All` asks for each.
pub(super) fn of(
    queue: &NamedQueue,
    depth: &Depth,
    asked: &[String],
) -> BTreeMap<&'static str, String> {
    let options = &queue.options;
    let of_redrive = options.redrive.as_ref().zip(queue.dead_letters.as_ref());
    let policy = of_redrive.map(|(redrive, name)| {
        let (arn, most) = (arn(name), redrive.max_receives);
        format!(r#"{{"deadLetterTargetArn":"{arn}","maxReceiveCount":{most}}}"#)
    });
    let all = [
        ("ApproximateNumberOfMessages", depth.visible.to_string()),
        ("ApproximateNumberOfMessagesDelayed", depth.delayed.to_string()),
        ("ApproximateNumberOfMessagesNotVisible", depth.in_flight.to_string()),
        ("DelaySeconds", options.delay.as_secs().to_string()),
        ("MaximumMessageSize", options.limits.message_bytes.to_string()),
        ("QueueArn", arn(&queue.name)),
        ("VisibilityTimeout", options.limits.visibility.as_secs().to_string()),
    ];
    let is_asked = |name: &str| asked.iter().any(|asked| asked == name || asked == "All");
    all.into_iter()
        .chain(policy.map(|policy| ("RedrivePolicy", policy)))
        .filter(|(name, _)| is_asked(name))
        .collect()
}

fn arn(name: &str) -> String {
    format!("arn:aws:sqs:us-east-1:{ACCOUNT}:{name}")
}
