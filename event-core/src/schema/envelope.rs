//! Events that came in the envelope of another service.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::message::Message;
use crate::object::Object;
use crate::reason::Reason;

/// What tells an envelope: its keys, and no `request_id` beside them.
#[derive(Deserialize)]
struct Marks {
    request_id: Option<IgnoredAny>,
    #[serde(rename = "Type")]
    kind: Option<IgnoredAny>,
    #[serde(rename = "TopicArn")]
    topic: Option<IgnoredAny>,
    #[serde(rename = "Message")]
    message: Option<IgnoredAny>,
    #[serde(rename = "detail-type")]
    detail_type: Option<IgnoredAny>,
    source: Option<IgnoredAny>,
    detail: Option<IgnoredAny>,
}

/// `reason`, or a more telling one if the message is no event but an envelope around one, as SNS and
/// EventBridge make them.
#[cold]
pub(super) fn named(message: &Message, reason: Reason) -> Reason {
    around(&message.body).unwrap_or(reason)
}

fn around(body: &[u8]) -> Option<Reason> {
    let Object::<Marks>(marks) = serde_json::from_slice(body).ok()?;
    if marks.request_id.is_some() {
        return None;
    }
    let detail = if marks.kind.and(marks.topic).and(marks.message).is_some() {
        "this is a notification of SNS around a message: switch on raw message delivery \
         (RawMessageDelivery) for the subscription, which passes on the attribute event_type too"
    } else if marks.detail_type.and(marks.source).and(marks.detail).is_some() {
        "this is an event of EventBridge around another: send its detail alone (InputPath \
         $.detail), through a function that sets the attribute event_type, which a rule cannot set"
    } else {
        return None;
    };
    Some(Reason::new(Reason::ENVELOPE, detail))
}
