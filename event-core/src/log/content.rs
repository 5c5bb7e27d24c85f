//! What the lines of a log are.

use std::borrow::Cow;
use std::sync::Arc;

use crate::codec;
use crate::layout::{message_digest, push_hex};
use crate::message::Message;
use crate::schema::Schema;

/// What the lines of a log are.
pub(super) enum Content {
    Events(Arc<dyn Schema>),
    /// Quarantined messages, each with its reason. The identity is the digest of the message, so
    /// what a commit calls a conflict is the same message with another reason.
    Quarantined,
}

impl Content {
    /// The identity of what is in a line; none if it is not such a line.
    pub(super) fn identity_of<'a>(&self, line: &'a [u8]) -> Option<Cow<'a, str>> {
        match self {
            Self::Events(schema) => schema.identity_of(line),
            Self::Quarantined => {
                let message = codec::decode_line(line).ok()?;
                Some(quarantined_identity(&message).into())
            }
        }
    }

    /// Whether a boundary of expiry may pass its days.
    pub(super) fn expires(&self) -> bool {
        matches!(self, Self::Events(_))
    }

    /// Whether what is to be stored waits where a segment is missing. A quarantined message is given
    /// back instead: it would hold up the batch that it came in, and good events with it.
    pub(super) fn waits_for_repair(&self) -> bool {
        matches!(self, Self::Events(_))
    }
}

/// The identity of a quarantined message.
pub(super) fn quarantined_identity(message: &Message) -> String {
    let mut identity = String::with_capacity(64);
    push_hex(&mut identity, &message_digest(message));
    identity
}
