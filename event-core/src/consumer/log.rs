//! What a consumer logs of requests that are not tried again: one line for a request, not for a
//! message, and that seldom.

use crate::error::{Error, Result};
use crate::retry::Outages;

const NOT_EXTENDED: &str = "messages may be received again while they are handled";
const NOT_DELETED: &str = "messages that are done will be received again";

/// Extensions have these outcomes.
pub(super) fn not_extended<'a>(
    outages: &Outages,
    outcomes: impl Iterator<Item = &'a Result<()>> + Clone,
) {
    if outcomes.clone().all(Result::is_ok) {
        if let Some(over) = outages.succeeded(NOT_EXTENDED, "change_visibility") {
            over.log();
        }
        return;
    }
    warn(outages, NOT_EXTENDED, outcomes);
}

/// Deletions have these outcomes, after all tries.
pub(super) fn not_deleted(outages: &Outages, outcomes: &[Result<()>]) {
    warn(outages, NOT_DELETED, outcomes.iter());
}

/// One line for each kind of error; its text is that of the first.
fn warn<'a>(outages: &Outages, what: &'static str, outcomes: impl Iterator<Item = &'a Result<()>>) {
    let mut kinds: Vec<(&Error, usize)> = Vec::new();
    for error in outcomes.filter_map(|outcome| outcome.as_ref().err()) {
        match kinds.iter_mut().find(|(known, _)| known.kind() == error.kind()) {
            Some((_, messages)) => *messages += 1,
            None => kinds.push((error, 1)),
        }
    }
    for (error, messages) in kinds {
        let reason = error.kind().as_str();
        match outages.failed(what, error, messages) {
            Some(messages) => tracing::warn!(%error, reason, messages, "{what}"),
            None => tracing::debug!(%error, reason, messages, "{what}"),
        }
    }
}
