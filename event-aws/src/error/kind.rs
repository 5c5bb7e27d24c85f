//! Which kind of error an answer is, by its code and its HTTP status.

use event_core::ErrorKind;

/// The kind of an answer with this error code, or else with this status.
///
/// Codes are those of the [SQS](https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html)
/// and [S3](https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html) references, with
/// or without the prefix that one of the protocols puts before them. What neither a code nor a
/// status tells is `Unknown`, never something that would end in giving a message up.
pub(crate) fn classify(code: Option<&str>, status: Option<u16>) -> ErrorKind {
    code.and_then(by_code).or_else(|| status.and_then(by_status)).unwrap_or(ErrorKind::Unknown)
}

/// Whether the request went to another region than that of the queue or the bucket.
pub(super) fn is_about_region(code: &str) -> bool {
    matches!(
        code,
        "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "PermanentRedirect"
            | "Redirect"
            | "TemporaryRedirect"
    )
}

fn by_code(code: &str) -> Option<ErrorKind> {
    // `AWS.SimpleQueueService.NonExistentQueue`, `com.amazonaws.sqs#QueueDoesNotExist`,
    // `KMS.ThrottlingException`
    let bare = code.rsplit(['.', '#']).next().unwrap_or(code);
    let kind = match bare {
        "BandwidthLimitExceeded"
        | "KmsThrottled"
        | "LimitExceededException"
        // Too many messages in flight: to delete some is what helps, and time.
        | "OverLimit"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "Throttled"
        | "ThrottledException"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "TooManyRequestsException" => ErrorKind::Throttled,

        "BadDigest"
        | "ConditionalRequestConflict"
        | "IncompleteBody"
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "OperationAborted"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "XAmzContentChecksumMismatch"
        | "XAmzContentSHA256Mismatch" => ErrorKind::Transient,

        "AccessDenied"
        | "AccessDeniedException"
        | "AccountProblem"
        | "AllAccessDisabled"
        | "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "KmsAccessDenied"
        | "KmsDisabled"
        | "KmsInvalidKeyUsage"
        | "KmsInvalidState"
        | "KmsNotFound"
        | "KmsOptInRequired"
        | "MissingAuthenticationToken"
        | "NotAuthorized"
        | "NotSignedUp"
        | "OptInRequired"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "UnauthorizedAccess"
        | "UnrecognizedClientException" => ErrorKind::Denied,

        "NoSuchBucket" | "NonExistentQueue" | "QueueDoesNotExist" | "QueueDeletedRecently" => {
            ErrorKind::NotFound
        }

        "BatchRequestTooLong"
        | "EntityTooLarge"
        | "MaxMessageLengthExceeded"
        | "MetadataTooLarge"
        | "RequestEntityTooLarge" => ErrorKind::TooLarge,

        "BatchEntryIdsNotDistinct"
        | "EmptyBatchRequest"
        | "InvalidAddress"
        | "InvalidArgument"
        | "InvalidAttributeName"
        | "InvalidAttributeValue"
        | "InvalidBatchEntryId"
        | "InvalidIdFormat"
        | "InvalidMessageContents"
        | "InvalidParameterCombination"
        | "InvalidParameterValue"
        | "InvalidURI"
        | "KeyTooLongError"
        | "MalformedXML"
        | "MessageNotInflight"
        | "MissingParameter"
        | "ReceiptHandleIsInvalid"
        | "TooManyEntriesInBatchRequest" => ErrorKind::Invalid,

        // In this region it is not there.
        _ if is_about_region(bare) => ErrorKind::NotFound,
        // What is wrong with the request as a whole (`NotImplemented`, `InvalidRequest`) says
        // nothing against the entry in it, and stays `Unknown`: an `Invalid` one is quarantined.
        _ => return None,
    };
    Some(kind)
}

fn by_status(status: u16) -> Option<ErrorKind> {
    match status {
        401 | 403 => Some(ErrorKind::Denied),
        404 => Some(ErrorKind::NotFound),
        409 | 500 | 503 => Some(ErrorKind::Transient),
        413 => Some(ErrorKind::TooLarge),
        429 => Some(ErrorKind::Throttled),
        // Somebody on the way waited for the service, which may have done its work.
        408 | 502 | 504 => Some(ErrorKind::Ambiguous),
        301 | 307 => Some(ErrorKind::NotFound),
        _ => None,
    }
}
