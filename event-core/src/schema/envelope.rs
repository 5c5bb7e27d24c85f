//! Events that came in the envelope of another service.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use crate::message::Message;
use crate::reason::Reason;

/// `reason`, or a more telling one if the message is not an event but an envelope around one, as SNS and
/// EventBridge make them: it has their keys, and no `identity` beside them.
#[cold]
pub(super) fn named(message: &Message, identity: &str, reason: Reason) -> Reason {
    around(&message.body, identity).unwrap_or(reason)
}

fn around(body: &[u8], identity: &str) -> Option<Reason> {
    let keys: BTreeMap<String, IgnoredAny> = serde_json::from_slice(body).ok()?;
    let has = |of: &[&str]| of.iter().all(|key| keys.contains_key(*key));
    if has(&[identity]) {
        return None;
    }
    let detail = if has(&["Type", "TopicArn", "Message"]) {
        "this is a notification of SNS around a message: switch on raw message delivery \
         (RawMessageDelivery) for the subscription, which passes on the attributes too"
    } else if has(&["detail-type", "source", "detail"]) {
        "this is an event of EventBridge around another: send its detail alone (InputPath \
         $.detail), through a function that sets the attributes, which a rule cannot set"
    } else {
        return None;
    };
    Some(Reason::new(Reason::ENVELOPE, detail))
}
