//! URLs of endpoints and proxies.

use event_core::{Error, Result};
use url::{Position, Url};

/// The longest text that is quoted of one.
const LONGEST: usize = 200;

/// An endpoint from the text of a setting, in the form that the SDK takes: a path has a slash at
/// its end, to which S3 would else put the bucket without one.
///
/// # Errors
///
/// `Invalid` if it is no URL of a host alone, with the name of the setting and without a password.
pub(crate) fn endpoint(source: &str, text: &str) -> Result<String> {
    let text = text.trim();
    let refused = |why: &str| {
        let message = format!("{source} is {:?}, {why}: give http://host:port", shown(text));
        Error::invalid("configure", message)
    };
    let no_url = || refused("which is not a URL");
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(no_url());
    }
    let (scheme, rest) = text.split_once("://").ok_or_else(no_url)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(refused("which is not an HTTP URL"));
    }
    // What else would be passed over on the way to a host.
    if rest.starts_with(['/', '\\', '?', '#']) {
        return Err(no_url());
    }
    let url =
        Url::parse(text).map_err(|error| refused(&format!("which is not a URL ({error})")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refused("which has a user or a password that no service asks for"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refused("which has more after the path than an endpoint has"));
    }
    if url.port() == Some(0) {
        return Err(refused("where no port is"));
    }
    let of_host = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    if !url.host_str().is_some_and(|host| host.chars().all(of_host)) {
        return Err(refused("which has no name of a host"));
    }
    let path = url.path().trim_end_matches('/');
    let slash = if path.is_empty() { "" } else { "/" };
    Ok(format!("{}{path}{slash}", &url[..Position::AfterPort]))
}

/// A URL for a person, without a user and a password, be it one or not.
pub(crate) fn shown(text: &str) -> String {
    let start = text.find("://").map_or(0, |scheme| scheme + 3);
    let (scheme, rest) = text.split_at(start);
    // A password may have any other character.
    let shown = match rest.rfind('@') {
        Some(at) => format!("{scheme}…{}", &rest[at..]),
        None => text.to_owned(),
    };
    match shown.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &shown[..end]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_has_a_form_that_the_sdk_takes() {
        for (text, taken) in [
            ("http://127.0.0.1:4566", "http://127.0.0.1:4566"),
            (" http://127.0.0.1:4566\n", "http://127.0.0.1:4566"),
            ("http://127.0.0.1:4566/", "http://127.0.0.1:4566"),
            ("HTTPS://SQS.eu-west-1.amazonaws.com", "https://sqs.eu-west-1.amazonaws.com"),
            ("http://localhost:4566/a/path", "http://localhost:4566/a/path/"),
            ("http://localhost/a/path//", "http://localhost/a/path/"),
            ("http://[::1]:4566", "http://[::1]:4566"),
            ("http://minio_1.local:9000", "http://minio_1.local:9000"),
        ] {
            assert_eq!(endpoint("AWS_ENDPOINT_URL", text).unwrap(), taken, "{text:?}");
        }
    }

    #[test]
    fn what_is_quoted_is_cut_after_two_hundred_characters() {
        for (text, quoted) in [
            ("\u{e9}".repeat(200), "\u{e9}".repeat(200)),
            ("\u{e9}".repeat(201), "\u{e9}".repeat(200) + "…"),
            (format!("http://{}", "a".repeat(194)), format!("http://{}…", "a".repeat(193))),
            ("http://me:pass@word@a/b".to_owned(), "http://…@a/b".to_owned()),
            ("me:pass@word@a".to_owned(), "…@a".to_owned()),
            ("@".to_owned(), "…@".to_owned()),
        ] {
            assert_eq!(shown(&text), quoted);
        }
    }

    #[test]
    fn what_is_none_is_refused_without_its_password() {
        for text in [
            "127.0.0.1:4566",
            "localhost",
            "http://",
            "http:///path",
            "http://a b",
            "http://a\tb",
            "ftp://a",
            "http://a:99999",
            "http://a:0",
            "http://a:b",
            "http://[::1",
            "http://{host}:1",
            "http://a?b=c",
            "http://a/#b",
            "http://user:hunter2@a",
            "http://user:hunter2/3@a",
            "user:hunter2@a:80",
            "http://user:at@hunter2@a",
            "user:at@hunter2@a:80",
            "http://user:hunter2@a b",
            "http://hunter2@a",
            "http://:hunter2@a",
            "http://?a",
            "http://#a",
            "http://\\a",
            "http://a?",
            "http://a#",
        ] {
            let error = endpoint("AWS_ENDPOINT_URL", text).unwrap_err().to_string();
            assert!(
                error.contains("AWS_ENDPOINT_URL is ") && !error.contains("hunter2"),
                "{error}"
            );
            assert!(!error.contains(char::is_control), "{error}");
        }
    }
}
