//! From what the SDK answers to one line and a kind to decide by.

mod kind;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ConnectorError, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::RequestId;
use event_core::{Error, ErrorKind};
use hyper_util::client::legacy::Error as HttpError;

pub(crate) use kind::classify;

use crate::http;

/// What a request was about.
#[derive(Clone, Debug)]
pub(crate) enum Subject {
    Queue(Arc<str>),
    Bucket {
        name: Arc<str>,
        /// The account that must own it, where that is known.
        owner: Option<Arc<str>>,
    },
}

/// How errors call what a caller sets.
pub(crate) const QUEUE_SETTING: &str = "`queue_name`";
pub(crate) const BUCKET_SETTING: &str = "`bucket_name`";
pub(crate) const OWNER_SETTING: &str = "`bucket_owner`";

impl Subject {
    pub(crate) fn queue(name: &str) -> Self {
        Self::Queue(name.into())
    }

    pub(crate) fn bucket(name: &str) -> Self {
        Self::Bucket { name: name.into(), owner: None }
    }

    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Queue(name) | Self::Bucket { name, .. } => name,
        }
    }

    /// The setting that names it.
    fn setting(&self) -> &'static str {
        match self {
            Self::Queue(_) => QUEUE_SETTING,
            Self::Bucket { .. } => BUCKET_SETTING,
        }
    }

    /// An error about it; `what` follows its name.
    pub(crate) fn error(
        &self,
        kind: ErrorKind,
        operation: &'static str,
        what: impl fmt::Display,
    ) -> Error {
        Error::new(kind, operation, one_line(&format!("{self}: {what}")))
    }

    /// What the service said of one entry of a batch, or of all of a request.
    pub(crate) fn refused(&self, operation: &'static str, said: &Said<'_>) -> Error {
        let kind = classify(said.code, said.status);
        self.error(kind, operation, format_args!("{said}{}", self.advice(kind, said)))
    }

    fn advice(&self, kind: ErrorKind, said: &Said<'_>) -> String {
        let setting = self.setting();
        match (kind, self) {
            _ if said.is_about_region() => {
                format!("; set AWS_REGION to the region of the {}", self.noun())
            }
            (ErrorKind::NotFound, _) => {
                format!("; check {setting}, AWS_REGION and whose account the credentials are of")
            }
            (ErrorKind::Denied, Self::Bucket { owner: Some(owner), .. }) => format!(
                "; check the credentials, what their role allows, {setting}, and whether the \
                 bucket is account {owner}'s ({OWNER_SETTING})"
            ),
            (ErrorKind::Denied, _) => {
                format!("; check the credentials, what their role allows, and {setting}")
            }
            // The answer to a `HEAD`, which has no room for the reason.
            (_, Self::Bucket { .. }) if said.code.is_none() && said.status == Some(400) => {
                "; check AWS_REGION and whether the credentials have expired".to_owned()
            }
            _ => String::new(),
        }
    }

    fn noun(&self) -> &'static str {
        match self {
            Self::Queue(_) => "queue",
            Self::Bucket { .. } => "bucket",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Queue(name) | Self::Bucket { name, .. }) = self;
        write!(f, "{} {name}", self.noun())
    }
}

/// What a service answered.
#[derive(Clone, Copy, Default)]
pub(crate) struct Said<'a> {
    pub(crate) code: Option<&'a str>,
    pub(crate) status: Option<u16>,
    pub(crate) message: Option<&'a str>,
    pub(crate) request_id: Option<&'a str>,
}

impl Said<'_> {
    fn is_about_region(&self) -> bool {
        match self.code {
            Some(code) => kind::is_about_region(code),
            // The answer to a `HEAD` has a status alone.
            None => matches!(self.status, Some(301 | 307)),
        }
    }
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = self.message.filter(|message| !message.is_empty());
        f.write_str(message.map_or("the request was refused", |m| m.trim_end_matches('.')))?;
        f.write_str(" (")?;
        match (self.code, self.status) {
            (Some(code), _) => f.write_str(code)?,
            (None, Some(status)) => write!(f, "HTTP {status}")?,
            (None, None) => f.write_str("no reason given")?,
        }
        if let Some(id) = self.request_id {
            write!(f, ", request {id}")?;
        }
        f.write_str(")")
    }
}

/// A failed request, as an error of `operation` on `subject`.
///
/// The SDK's error is not kept as the source: its `Debug` prints whole answers of the service,
/// and those of S3 quote what was signed.
pub(crate) fn from_sdk<E>(
    error: &SdkError<E, HttpResponse>,
    operation: &'static str,
    subject: &Subject,
) -> Error
where
    E: ProvideErrorMetadata + StdError + 'static,
{
    match error {
        // A success that cannot be read comes as an error of the service too.
        SdkError::ServiceError(answer) if answer.raw().status().is_success() => {
            unreadable(answer.raw().status().as_u16(), error, operation, subject)
        }
        SdkError::ServiceError(answer) => {
            let metadata = answer.err().meta();
            let said = Said {
                code: metadata.code(),
                status: Some(answer.raw().status().as_u16()),
                message: metadata.message(),
                request_id: metadata.request_id(),
            };
            subject.refused(operation, &said)
        }
        // Not the service's own format: a proxy answered, or the answer broke off.
        SdkError::ResponseError(answer) => match answer.raw().status().as_u16() {
            status @ 400.. => {
                subject.refused(operation, &Said { status: Some(status), ..Said::default() })
            }
            status => unreadable(status, error, operation, subject),
        },
        SdkError::TimeoutError(_) => {
            subject.error(ErrorKind::Ambiguous, operation, "no answer in time")
        }
        SdkError::DispatchFailure(failure) => match failure.as_connector_error() {
            Some(failure) => not_answered(failure, operation, subject),
            None => subject.error(ErrorKind::Ambiguous, operation, causes(error)),
        },
        SdkError::ConstructionFailure(_) => {
            let what = format!("no request could be made: {}", causes(error));
            subject.error(ErrorKind::Invalid, operation, what)
        }
        _ => subject.error(ErrorKind::Unknown, operation, causes(error)),
    }
}

/// An answer that says neither what was done nor what was not.
fn unreadable(
    status: u16,
    error: &(dyn StdError + 'static),
    operation: &'static str,
    subject: &Subject,
) -> Error {
    let what = format!("answer {status} cannot be read: {}", causes(error));
    subject.error(ErrorKind::Ambiguous, operation, what)
}

/// A request without an answer. It may have been applied, unless it never left.
fn not_answered(failure: &ConnectorError, operation: &'static str, subject: &Subject) -> Error {
    let found = |is: fn(&(dyn StdError + 'static)) -> bool| chain(failure).find(|error| is(*error));
    let why = causes(failure);
    if let Some(error) = found(<dyn StdError>::is::<CredentialsError>) {
        use CredentialsError::{CredentialsNotLoaded, InvalidConfiguration};
        let (kind, why) = match error.downcast_ref() {
            // The cause lists all places where there are none, none of which is at fault.
            Some(CredentialsNotLoaded(_)) => (ErrorKind::Denied, "there are none".to_owned()),
            Some(InvalidConfiguration(_)) => (ErrorKind::Denied, why),
            // Whoever gives them out had a moment of weakness.
            _ => (ErrorKind::Transient, why),
        };
        let what = format!(
            "no credentials: {why}; give the pod a role, or set AWS_PROFILE or \
             AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        );
        return subject.error(kind, operation, what);
    }
    let connecting =
        |error: &(dyn StdError + 'static)| error.downcast_ref().is_some_and(HttpError::is_connect);
    if found(connecting).is_some() {
        let what = format!(
            "cannot connect: {why}; check AWS_REGION, AWS_ENDPOINT_URL, the network{}",
            by_proxies()
        );
        return subject.error(ErrorKind::Transient, operation, what);
    }
    let kind = if failure.is_user() {
        ErrorKind::Invalid
    } else if failure.is_other() && failure.as_other().is_none() {
        // Before or after it left: nobody says.
        ErrorKind::Unknown
    } else {
        ErrorKind::Ambiguous
    };
    subject.error(kind, operation, format_args!("no answer: {why}"))
}

/// What else may be at fault: hosts are asked for through it.
fn by_proxies() -> String {
    let proxies = http::proxies();
    let is = if proxies.is_empty() { "" } else { " and the proxy: " };
    format!("{is}{}", proxies.join(", "))
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

/// The causes of an error, without those that only repeat the one above.
pub(crate) fn causes(error: &(dyn StdError + 'static)) -> String {
    let mut text = String::new();
    for cause in chain(error).skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&cause);
        }
    }
    if text.is_empty() { error.to_string() } else { text }
}

/// Services answer texts of any length and with line breaks; a log line is one line.
pub(crate) fn one_line(text: &str) -> String {
    const LONGEST: usize = 500;
    let mut line = String::with_capacity(text.len().min(LONGEST));
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if line.len() + word.len() > LONGEST {
            line.push_str(" …");
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}
