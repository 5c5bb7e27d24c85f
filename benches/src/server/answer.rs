//! Answers over HTTP, and errors in the form that each service gives them.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::CONTENT_TYPE;
use hyper::{Response, StatusCode};
use serde::Serialize;

pub(super) type Answer = Response<Full<Bytes>>;

pub(super) fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, content_type.parse().expect("a type of these files"));
    answer
}

/// An error of either service.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) status: StatusCode,
    /// As the service names it, such as `QueueDoesNotExist`.
    pub(super) code: &'static str,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// What neither the backends nor a measurement needs.
    pub(super) fn unknown(what: impl std::fmt::Display) -> Self {
        let message = format!("this server does not know {what}");
        Self::new(StatusCode::NOT_IMPLEMENTED, "NotImplemented", message)
    }

    pub(super) fn json(&self) -> Answer {
        #[derive(Serialize)]
        struct Body<'a> {
            __type: String,
            message: &'a str,
        }
        json(
            self.status,
            &Body { __type: format!("com.amazonaws.sqs#{}", self.code), message: &self.message },
        )
    }

    pub(super) fn xml(&self) -> Answer {
        let Self { status, code, message } = self;
        let message = escaped(message);
        let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
        xml(*status, body)
    }
}

pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    // Structures of strings, numbers and lists, with room for a batch.
    let mut bytes = Vec::with_capacity(8 * 1024);
    serde_json::to_writer(&mut bytes, body).expect("no map with keys other than strings");
    answer(status, "application/x-amz-json-1.0", bytes)
}

pub(super) fn xml(status: StatusCode, body: String) -> Answer {
    answer(status, "application/xml", body)
}

/// Text as XML has it.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // A parser would make a newline of it.
            '\r' => escaped.push_str("&#13;"),
            char => escaped.push(char),
        }
    }
    escaped
}
