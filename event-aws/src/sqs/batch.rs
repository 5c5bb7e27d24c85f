//! Whose outcome is which, in a batch.

use event_core::{Error, ErrorKind, Result};

use crate::error::Subject;

/// What was answered to one entry. Its id is the entry's index in the batch.
pub(super) struct Answer<T> {
    pub(super) id: String,
    pub(super) outcome: Result<T>,
}

impl Answer<()> {
    pub(super) fn done(id: &str) -> Self {
        Self { id: id.to_owned(), outcome: Ok(()) }
    }
}

/// The same error for each of so many entries.
pub(super) fn refuse<T>(entries: usize, error: &Error) -> Vec<Result<T>> {
    (0..entries).map(|_| Err(error.clone())).collect()
}

/// One outcome for each of so many entries, in order.
///
/// An entry without an answer may have been applied or not, and of two answers to one entry
/// neither is to be believed: both are `Ambiguous`. An answer to no entry concerns nobody.
pub(super) fn account<T>(
    operation: &'static str,
    subject: &Subject,
    entries: usize,
    answers: Vec<Answer<T>>,
) -> Vec<Result<T>> {
    let ambiguous = |what: &str| Err(subject.error(ErrorKind::Ambiguous, operation, what));
    let mut outcomes: Vec<Option<Result<T>>> = (0..entries).map(|_| None).collect();
    for Answer { id, outcome } in answers {
        match id.parse().ok().and_then(|index: usize| outcomes.get_mut(index)) {
            Some(place @ None) => *place = Some(outcome),
            Some(place) => {
                *place = Some(ambiguous("the answer has two outcomes for this entry"));
            }
            None => tracing::warn!(%subject, operation, id, "an answer to an entry never sent"),
        }
    }
    let missing = || ambiguous("the answer does not mention this entry");
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(answers: &[(&str, Result<u32, ErrorKind>)]) -> Vec<Result<u32, ErrorKind>> {
        let subject = Subject::queue("orders");
        let answer = |(id, outcome): &(&str, Result<u32, ErrorKind>)| Answer {
            id: (*id).to_owned(),
            outcome: outcome.map_err(|kind| Error::new(kind, "send", "")),
        };
        let outcomes = account("send", &subject, 3, answers.iter().map(answer).collect());
        outcomes.into_iter().map(|outcome| outcome.map_err(|error| error.kind())).collect()
    }

    #[test]
    fn answers_in_any_order_find_their_entries() {
        let answers = [("2", Ok(2)), ("0", Err(ErrorKind::Throttled)), ("1", Ok(1))];
        assert_eq!(outcomes(&answers), [Err(ErrorKind::Throttled), Ok(1), Ok(2)]);
    }

    #[test]
    fn an_entry_that_is_not_mentioned_is_ambiguous() {
        let ambiguous = Err(ErrorKind::Ambiguous);
        assert_eq!(outcomes(&[("1", Ok(1))]), [ambiguous, Ok(1), ambiguous]);
        assert_eq!(outcomes(&[]), [ambiguous; 3]);
    }

    #[test]
    fn an_entry_with_two_answers_is_ambiguous() {
        let both = [("0", Ok(0)), ("1", Ok(1)), ("2", Ok(2)), ("1", Err(ErrorKind::Invalid))];
        assert_eq!(outcomes(&both), [Ok(0), Err(ErrorKind::Ambiguous), Ok(2)]);
    }

    #[test]
    fn answers_to_others_are_nobodys() {
        let strange = [("0", Ok(0)), ("3", Ok(3)), ("x", Ok(4)), ("1", Ok(1)), ("2", Ok(2))];
        assert_eq!(outcomes(&strange), [Ok(0), Ok(1), Ok(2)]);
    }
}
