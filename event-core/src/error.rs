//! One error for every backend: a kind to decide by, the operation, and what to look at.

use std::fmt;
use std::sync::Arc;

/// What a backend call may answer instead of a result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, as far as the caller's next step depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The service asks for fewer requests.
    Throttled,
    /// The request did not take effect and may succeed later: connection refused, internal
    /// error, conflict with a concurrent request.
    Transient,
    /// The request may have taken effect: its answer was lost or makes no sense.
    Ambiguous,
    /// The credentials do not allow it.
    Denied,
    /// The queue or the bucket is not there. A missing object is not an error.
    NotFound,
    /// The entry or the setting itself is at fault; the same request will never succeed.
    Invalid,
    /// The entry is larger than the service takes.
    TooLarge,
    /// Nothing is known about it.
    Unknown,
}

impl ErrorKind {
    /// The name in lower case with underscores, to count and to group by.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Transient => "transient",
            Self::Ambiguous => "ambiguous",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::Invalid => "invalid",
            Self::TooLarge => "too_large",
            Self::Unknown => "unknown",
        }
    }
}

/// An error of a backend or an engine.
///
/// Its text is one line: the operation, what is at fault and, where there is one, the cause.
/// Cloning is cheap, since one failed request may be the outcome of many entries.
///
/// ```
/// use event_core::{Error, ErrorKind};
///
/// let error = Error::new(ErrorKind::NotFound, "receive", "queue orders does not exist");
/// assert_eq!(error.to_string(), "receive: queue orders does not exist");
/// assert!(!error.is_retryable());
/// ```
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    message: Arc<str>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of this kind; `operation` is the trait's method (`send`, `put`), `message` names
    /// what is at fault and what would do.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<Arc<str>>) -> Self {
        Self { kind, operation, message: message.into(), source: None }
    }

    /// A setting or an argument that can never work; the engines give these at start.
    pub fn invalid(operation: &'static str, message: impl Into<Arc<str>>) -> Self {
        Self::new(ErrorKind::Invalid, operation, message)
    }

    /// The same error with the cause below it.
    #[must_use]
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// What is at fault, and what would do.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The operation that failed.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// Whether the same request may succeed later with nothing changed by a person.
    ///
    /// An unknown error counts: to try again does no harm, since every operation that the
    /// engines repeat is idempotent or found as a duplicate, while giving up might.
    pub fn is_retryable(&self) -> bool {
        use ErrorKind::{Ambiguous, Throttled, Transient, Unknown};
        matches!(self.kind, Throttled | Transient | Ambiguous | Unknown)
    }

    /// Whether the credentials do not allow it, those that have just expired included.
    pub(crate) fn is_denied(&self) -> bool {
        self.kind == ErrorKind::Denied
    }

    /// Whether it is denied, or what is asked is not there: what a person has to mend, unless
    /// somebody is about to.
    pub(crate) fn is_about_access(&self) -> bool {
        matches!(self.kind, ErrorKind::Denied | ErrorKind::NotFound)
    }

    /// Whether the entry itself is at fault, so that the rest of its batch need not suffer and
    /// no later request will do better.
    pub fn is_about_entry(&self) -> bool {
        matches!(self.kind, ErrorKind::Invalid | ErrorKind::TooLarge)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.operation, self.message)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ErrorKind::{
        Ambiguous, Denied, Invalid, NotFound, Throttled, TooLarge, Transient, Unknown,
    };

    const KINDS: [ErrorKind; 8] =
        [Throttled, Transient, Ambiguous, Denied, NotFound, Invalid, TooLarge, Unknown];

    #[test]
    fn kinds_are_named_in_lower_case_with_underscores() {
        for kind in KINDS {
            assert_eq!(kind.as_str().replace('_', ""), format!("{kind:?}").to_lowercase());
        }
        assert_eq!((NotFound.as_str(), TooLarge.as_str()), ("not_found", "too_large"));
    }

    #[test]
    fn what_may_heal_by_itself_is_tried_again_and_what_is_unknown_too() {
        let retryable = |&kind: &ErrorKind| Error::new(kind, "put", "").is_retryable();
        let kinds: Vec<_> = KINDS.into_iter().filter(retryable).collect();
        assert_eq!(kinds, [Throttled, Transient, Ambiguous, Unknown]);
    }

    #[test]
    fn only_the_entry_itself_is_to_blame_for_its_form_and_its_size() {
        let about_entry = |&kind: &ErrorKind| Error::new(kind, "put", "").is_about_entry();
        let kinds: Vec<_> = KINDS.into_iter().filter(about_entry).collect();
        assert_eq!(kinds, [Invalid, TooLarge]);
    }

    #[test]
    fn an_error_tells_its_operation_what_is_at_fault_and_the_cause() {
        let error = Error::invalid("put", "the key is empty");
        assert_eq!((error.kind(), error.operation()), (Invalid, "put"));
        assert_eq!(error.to_string(), "put: the key is empty");
        assert!(std::error::Error::source(&error).is_none());

        let error = error.with_source(Error::new(Denied, "sign", "no credentials"));
        assert_eq!(error.to_string(), "put: the key is empty: sign: no credentials");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(source.as_deref(), Some("sign: no credentials"));
    }
}
