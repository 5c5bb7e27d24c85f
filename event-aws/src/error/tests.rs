use super::*;
use ErrorKind::{Ambiguous, Denied, Invalid, NotFound, Throttled, TooLarge, Transient, Unknown};

#[test]
fn codes_and_statuses_have_their_kinds() {
    let table = [
        (Some("AWS.SimpleQueueService.NonExistentQueue"), 400, NotFound),
        (Some("com.amazonaws.sqs#QueueDoesNotExist"), 400, NotFound),
        (Some("NoSuchBucket"), 404, NotFound),
        (Some("ThrottlingException"), 400, Throttled),
        (Some("RequestThrottled"), 403, Throttled),
        (Some("KMS.ThrottlingException"), 400, Throttled),
        (Some("OverLimit"), 403, Throttled),
        (Some("SlowDown"), 503, Throttled),
        (Some("ServiceUnavailable"), 503, Transient),
        (Some("InternalError"), 500, Transient),
        (Some("ConditionalRequestConflict"), 409, Transient),
        (Some("RequestTimeout"), 400, Transient),
        (Some("AccessDenied"), 403, Denied),
        (Some("InvalidClientTokenId"), 403, Denied),
        (Some("SignatureDoesNotMatch"), 403, Denied),
        (Some("ExpiredToken"), 400, Denied),
        (Some("KMS.AccessDeniedException"), 400, Denied),
        (Some("ReceiptHandleIsInvalid"), 400, Invalid),
        (Some("InvalidParameterValue"), 400, Invalid),
        (Some("AWS.SimpleQueueService.MessageNotInflight"), 400, Invalid),
        (Some("PermanentRedirect"), 301, NotFound),
        (Some("AuthorizationHeaderMalformed"), 400, NotFound),
        // By their names they are about the entry, and are not.
        (Some("InvalidAccessKeyId"), 400, Denied),
        (Some("InvalidSecurity"), 400, Denied),
        (Some("InvalidSignatureException"), 400, Denied),
        (Some("InvalidToken"), 400, Denied),
        (Some("KmsInvalidKeyUsage"), 400, Denied),
        (Some("KMS.KmsInvalidState"), 400, Denied),
        (Some("MissingAuthenticationToken"), 400, Denied),
        (Some("RequestExpired"), 400, Denied),
        (Some("RequestTimeTooSkewed"), 403, Denied),
        (Some("UnrecognizedClientException"), 400, Denied),
        (Some("LimitExceededException"), 400, Throttled),
        (Some("KmsThrottled"), 400, Throttled),
        (Some("RequestLimitExceeded"), 503, Throttled),
        (Some("TooManyRequestsException"), 400, Throttled),
        (Some("BadDigest"), 400, Transient),
        (Some("XAmzContentSHA256Mismatch"), 400, Transient),
        (Some("QueueDeletedRecently"), 400, NotFound),
        (Some("TemporaryRedirect"), 307, NotFound),
        (Some("KeyTooLongError"), 400, Invalid),
        (Some("TooManyEntriesInBatchRequest"), 400, Invalid),
        (Some("MaxMessageLengthExceeded"), 400, TooLarge),
        (Some("NotImplemented"), 501, Unknown),
        (Some("InvalidRequest"), 400, Unknown),
        (Some("AWS.SimpleQueueService.BatchRequestTooLong"), 400, TooLarge),
        (Some("EntityTooLarge"), 400, TooLarge),
        // Codes that nobody knows yet go by their status.
        (Some("NewCode"), 403, Denied),
        (Some("NewCode"), 500, Transient),
        (Some("NewCode"), 400, Unknown),
        (Some("NewCode"), 418, Unknown),
        (None, 404, NotFound),
        (None, 409, Transient),
        (None, 413, TooLarge),
        (None, 429, Throttled),
        (None, 502, Ambiguous),
        (None, 503, Transient),
        (None, 504, Ambiguous),
        (None, 400, Unknown),
        (None, 401, Denied),
        (None, 403, Denied),
        (None, 301, NotFound),
        (None, 307, NotFound),
        (None, 408, Ambiguous),
        (None, 500, Transient),
        (None, 501, Unknown),
        (None, 304, Unknown),
    ];
    for (code, status, kind) in table {
        assert_eq!(classify(code, Some(status)), kind, "{code:?} with status {status}");
    }
    assert_eq!(classify(None, None), Unknown);
}

#[test]
fn a_message_is_one_line_that_names_the_setting() {
    let queue = Subject::queue("orders");
    let said = Said {
        code: Some("AWS.SimpleQueueService.NonExistentQueue"),
        status: Some(400),
        message: Some("The specified queue\ndoes not exist.\r\n"),
        request_id: Some("1-2"),
    };
    let error = queue.refused("receive", &said);
    assert_eq!(
        error.to_string(),
        "receive: queue orders: The specified queue does not exist. \
         (AWS.SimpleQueueService.NonExistentQueue, request 1-2); \
         check `queue_name`, AWS_REGION and whose account the credentials are of"
    );
    let bucket = Subject::bucket("events");
    let said = Said { code: Some("PermanentRedirect"), ..Said::default() };
    assert_eq!(
        bucket.refused("put", &said).to_string(),
        "put: bucket events: the request was refused (PermanentRedirect); \
         set AWS_REGION to the region of the bucket"
    );
}

#[test]
fn a_refusal_says_who_asks_and_what_is_to_be_checked() {
    let said = |code, status| Said { code, status, ..Said::default() };
    let queue = Subject::queue("orders");
    let bucket = Subject::bucket("events");
    let owned = Subject::Bucket { name: "events".into(), owner: Some("123456789012".into()) };
    for (subject, said, text) in [
        (&queue, said(None, None), "the request was refused (no reason given)"),
        (&queue, said(None, Some(503)), "the request was refused (HTTP 503)"),
        (&queue, said(None, Some(400)), "the request was refused (HTTP 400)"),
        (&queue, said(Some("AccessDenied"), Some(403)), "allows, and `queue_name`"),
        (&bucket, said(Some("AccessDenied"), Some(403)), "allows, and `bucket_name`"),
        (&owned, said(Some("AccessDenied"), Some(403)), "123456789012's (`bucket_owner`)"),
        (&bucket, said(None, Some(404)), "whose account the credentials are of"),
        (&bucket, said(None, Some(307)), "set AWS_REGION to the region of the bucket"),
        (&queue, said(None, Some(301)), "set AWS_REGION to the region of the queue"),
        (&bucket, said(Some("NewCode"), Some(400)), "the request was refused (NewCode)"),
    ] {
        let error = subject.refused("ask", &said).to_string();
        assert!(error.ends_with(text), "{error}");
    }
}

#[test]
fn a_line_has_no_gaps_and_is_cut_between_words() {
    assert_eq!(one_line(" a\r\n\tb\u{0}\u{7f}c  d "), "a b c d");
    assert_eq!(one_line(&"x".repeat(500)), "x".repeat(500));
    assert_eq!(one_line(&"x".repeat(501)), " …");
    let edge = format!("{} {}", "x".repeat(250), "y".repeat(250));
    assert_eq!(one_line(&edge), edge);
}

#[test]
fn a_long_message_is_cut() {
    let line = one_line(&"word\n".repeat(1_000));
    assert!(line.len() < 600 && line.ends_with("word …") && !line.contains('\n'), "{line}");
}

#[test]
fn what_may_have_been_applied_is_ambiguous() {
    type Failed = SdkError<aws_sdk_sqs::operation::send_message::SendMessageError, HttpResponse>;
    let queue = Subject::queue("orders");
    let broken = || Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let cases: [(Failed, ErrorKind); 6] = [
        (SdkError::timeout_error(broken()), Ambiguous),
        (SdkError::dispatch_failure(ConnectorError::io(broken())), Ambiguous),
        (SdkError::dispatch_failure(ConnectorError::timeout(broken())), Ambiguous),
        (SdkError::dispatch_failure(ConnectorError::user(broken())), Invalid),
        (SdkError::dispatch_failure(ConnectorError::other(broken(), None)), Unknown),
        (SdkError::construction_failure(broken()), Invalid),
    ];
    for (failed, kind) in cases {
        let error = from_sdk(&failed, "send", &queue);
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[test]
fn credentials_that_are_nowhere_are_denied_and_late_ones_are_not() {
    type Failed = SdkError<aws_sdk_sqs::operation::send_message::SendMessageError, HttpResponse>;
    let queue = Subject::queue("orders");
    let table = [
        (CredentialsError::not_loaded("no role"), Denied),
        (CredentialsError::provider_error("503"), Transient),
        (CredentialsError::invalid_configuration("a bad file"), Denied),
        (CredentialsError::provider_timed_out(std::time::Duration::from_secs(5)), Transient),
        (CredentialsError::unhandled("who knows"), Transient),
    ];
    for (cause, kind) in table {
        let failed: Failed = SdkError::dispatch_failure(ConnectorError::other(cause.into(), None));
        let error = from_sdk(&failed, "send", &queue);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("AWS_PROFILE"), "{error}");
    }
}

#[derive(Debug)]
struct Cause(&'static str, Option<Box<Self>>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.1.as_deref().map(|cause| cause as _)
    }
}

#[test]
fn causes_are_told_once_each_and_an_error_without_any_is_its_own() {
    let chain = |texts: &[&'static str]| {
        let below = |below, text: &&'static str| Some(Box::new(Cause(text, below)));
        causes(&*texts.iter().rev().fold(None, below).unwrap())
    };
    assert_eq!(chain(&["top"]), "top");
    assert_eq!(chain(&["top", "a", "b"]), "a: b");
    assert_eq!(chain(&["top", "a", "b says c", "b says c", "c", "d"]), "a: b says c: d");
}
