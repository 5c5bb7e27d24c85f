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
         check RELIABLE_QUEUE_NAME, AWS_REGION and whose account the credentials are of"
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
    ];
    for (cause, kind) in table {
        let failed: Failed = SdkError::dispatch_failure(ConnectorError::other(cause.into(), None));
        let error = from_sdk(&failed, "send", &queue);
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains("AWS_PROFILE"), "{error}");
    }
}
