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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn failed(kind: ErrorKind) -> Error {
        Error::new(kind, "change_visibility", "on purpose")
    }

    #[tokio::test(start_paused = true)]
    async fn one_extension_that_fails_is_no_success_of_its_request() {
        let outages = Outages::default();
        let outcomes = [Ok(()), Err(failed(ErrorKind::Transient)), Ok(())];
        not_extended(&outages, outcomes.iter());
        assert!(outages.succeeded(NOT_EXTENDED, "change_visibility").is_some());
        not_extended(&outages, outcomes.iter());
        not_extended(&outages, [Ok(()), Ok(())].iter());
        assert!(outages.succeeded(NOT_EXTENDED, "change_visibility").is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn each_kind_of_error_has_a_line_with_its_number() {
        use ErrorKind::{Denied, Invalid};
        let outages = Outages::default();
        let first = [Denied, Invalid].map(|kind| Err(failed(kind)));
        let more = [Denied, Invalid, Denied, Denied, Invalid].map(|kind| Err(failed(kind)));
        not_deleted(&outages, &first);
        not_deleted(&outages, &more);
        tokio::time::advance(std::time::Duration::from_secs(30)).await;
        let counts = [Denied, Invalid].map(|kind| outages.failed(NOT_DELETED, &failed(kind), 0));
        assert_eq!(counts, [Some(3), Some(2)]);
    }
}
