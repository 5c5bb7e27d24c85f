//! Events by a digest of their identity: an audit keeps one for each.

use sha2::{Digest, Sha256};

use crate::layout::message_digest;
use crate::message::Message;

/// The first half of the SHA-256 of the identity of an event. Two of a thousand million events share
/// one with a probability of 10⁻²¹.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Id(pub(super) u128);

impl Id {
    pub(super) fn of(identity: &str) -> Self {
        Self(half(&Sha256::digest(identity)))
    }

    /// Of a message that has no identity: by its bytes, apart from every identity, since
    /// those hold no control characters.
    pub(super) fn of_bytes(body: &[u8]) -> Self {
        Self(half(&Sha256::new().chain_update([0]).chain_update(body).finalize()))
    }

    /// Of a whole message, attributes included, which is what quarantine goes by.
    pub(super) fn of_message(message: &Message) -> Self {
        Self(half(&message_digest(message)))
    }
}

fn half(hash: &[u8]) -> u128 {
    // A SHA-256 has 32 bytes.
    u128::from_be_bytes(std::array::from_fn(|at| hash[at]))
}
