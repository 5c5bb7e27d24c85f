//! Addresses, times and the one request body of S3 that is a document.

use std::borrow::Cow;
use std::time::SystemTime;

use hyper::header::HeaderValue;
use hyper::{StatusCode, Uri};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;

use super::{Fault, Result};

/// The bucket and the key of a path; the key of the bucket itself is empty.
pub(super) fn path(uri: &Uri) -> Result<(String, String)> {
    let path = uri.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let decoded = |text| match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(bad(format!("{path} is not UTF-8"))),
    };
    Ok((decoded(bucket)?, decoded(key)?))
}

/// What follows the question mark.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        let query = uri.query().unwrap_or_default().as_bytes();
        Self(form_urlencoded::parse(query).into_owned().collect())
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(key, value)| (key == name).then_some(&**value))
    }
}

/// The keys of a `DeleteObjects`.
pub(super) fn keys_to_delete(body: &[u8]) -> Result<Vec<String>> {
    let text = std::str::from_utf8(body).map_err(|_| bad("a body that is not UTF-8".to_owned()))?;
    let key = |part: &str| part.split_once("</Key>").map(|(key, _)| unescaped(key).into_owned());
    let keys = text.split("<Key>").skip(1).map(key).collect::<Option<_>>();
    keys.ok_or_else(|| bad("a key without an end".to_owned()))
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return text.into();
    }
    // The ampersand last, or what it makes would be taken for another escape.
    let pairs = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        ("&#xA;", "\n"),
        ("&#xD;", "\r"),
        ("&amp;", "&"),
    ];
    let replace = |text: String, (escape, char): (&str, &str)| text.replace(escape, char);
    pairs.into_iter().fold(text.to_owned(), replace).into()
}

pub(super) fn http_date(time: SystemTime) -> Result<HeaderValue> {
    let text = timestamp(time)?.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    HeaderValue::try_from(text).map_err(|error| bad(error.to_string()))
}

/// With milliseconds, as S3 has it.
pub(super) fn iso_date(time: SystemTime) -> Result<String> {
    Ok(format!("{:.3}", timestamp(time)?))
}

fn timestamp(time: SystemTime) -> Result<Timestamp> {
    Timestamp::try_from(time).map_err(|error| bad(error.to_string()))
}

fn bad(message: String) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, "InvalidArgument", message)
}
