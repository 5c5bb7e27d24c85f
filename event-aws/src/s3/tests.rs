//! What goes over the wire, and what is made of the answers.

use super::*;
use crate::script::Script;

fn store(answers: &[(u16, &str)]) -> (S3Store, Script) {
    let script = Script::new(answers);
    (S3Store::new(&script.aws(), "events"), script)
}

fn said(code: &str) -> String {
    format!("<Error><Code>{code}</Code><Message>so it is</Message></Error>")
}

const BODY: Bytes = Bytes::from_static(b"{}");

#[tokio::test]
async fn a_creation_is_conditional_and_an_overwrite_is_not() {
    let exists = said("PreconditionFailed");
    let (store, script) = store(&[(200, ""), (412, &exists), (200, "")]);
    let create = |key| store.put(key, BODY, PutMode::Create);
    assert_eq!(create("a/b").await.unwrap(), PutOutcome::Written);
    assert_eq!(create("a/b").await.unwrap(), PutOutcome::Exists);
    let outcome = store.put("a/b", BODY, PutMode::Overwrite).await;
    assert_eq!(outcome.unwrap(), PutOutcome::Written);
    let requests = script.requests();
    let conditions = requests.iter().map(|request| request.header("if-none-match"));
    assert_eq!(conditions.collect::<Vec<_>>(), [Some("*"), Some("*"), None]);
    for request in requests {
        assert!(request.uri.starts_with("http://127.0.0.1:1/events/a/b"), "{}", request.uri);
        assert!(request.header("x-amz-checksum-crc32").is_some(), "no checksum");
    }
}

#[tokio::test]
async fn errors_of_a_put_have_their_kinds() {
    let table = [
        (409, "ConditionalRequestConflict", ErrorKind::Transient),
        (503, "SlowDown", ErrorKind::Throttled),
        (404, "NoSuchBucket", ErrorKind::NotFound),
        (403, "AccessDenied", ErrorKind::Denied),
        (301, "PermanentRedirect", ErrorKind::NotFound),
        (418, "Teapot", ErrorKind::Unknown),
    ];
    for (status, code, kind) in table {
        let (store, _) = store(&[(status, &said(code))]);
        let error = store.put("a", BODY, PutMode::Create).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(
            text.starts_with("put: bucket events: so it is (") && text.contains(code),
            "{text}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_ambiguous_and_no_refusal() {
    let (store, _) = store(&[(200, "<SomethingElse/>")]);
    let request = ListRequest { prefix: String::new(), after: None, max: 10 };
    let error = store.list(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error}");
    assert!(error.to_string().contains("answer 200 cannot be read"), "{error}");
}

#[tokio::test]
async fn a_missing_object_is_none_and_a_missing_bucket_is_an_error() {
    let [no_key, no_bucket] = [said("NoSuchKey"), said("NoSuchBucket")];
    let (store, _) =
        store(&[(404, &no_key), (404, &no_bucket), (404, ""), (200, ""), (404, ""), (404, "")]);
    assert_eq!(store.get("a").await.unwrap(), None);
    assert_eq!(store.get("a").await.unwrap_err().kind(), ErrorKind::NotFound);
    // A head has no body, so that the bucket is looked at.
    assert_eq!(store.head("a").await.unwrap(), None);
    let error = store.head("a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("`bucket_name`"), "{error}");
}

#[tokio::test]
async fn a_store_that_does_not_know_the_condition_is_refused() {
    let unknown = said("NotImplemented");
    for (status, body) in [(501, &*unknown), (304, "")] {
        let (careless, _) = store(&[(status, body), (status, body)]);
        let error = careless.put("a", BODY, PutMode::Create).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{status}");
        assert!(error.to_string().contains("If-None-Match"), "{error}");
        // Without a condition it is as any other answer.
        let error = careless.put("a", BODY, PutMode::Overwrite).await.unwrap_err();
        assert!(!error.to_string().contains("If-None-Match"), "{error}");
    }
}

#[tokio::test]
async fn an_empty_page_before_the_last_is_passed_over() {
    let empty = "<ListBucketResult><IsTruncated>true</IsTruncated>\
                 <NextContinuationToken>on</NextContinuationToken></ListBucketResult>";
    let last = "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>a/b</Key>\
                <LastModified>2026-11-23T10:00:00.000Z</LastModified><Size>7</Size></Contents>\
                </ListBucketResult>";
    let (store, script) = store(&[(200, empty), (200, last)]);
    let request = ListRequest { prefix: "a/".into(), after: Some("a/a".into()), max: 5_000 };
    let page = store.list(request).await.unwrap();
    assert_eq!((page.objects[0].key.as_str(), page.objects[0].size), ("a/b", 7));
    let modified = page.objects[0].modified.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(modified.as_secs(), 1_795_428_000);
    assert!(!page.more);
    let uris: Vec<_> = script.requests().into_iter().map(|request| request.uri).collect();
    assert!(uris[0].contains("max-keys=1000") && uris[0].contains("start-after=a%2Fa"), "{uris:?}");
    assert!(uris[1].contains("continuation-token=on"), "{uris:?}");
}

#[tokio::test]
async fn keys_that_no_store_takes_are_refused_without_a_request() {
    let (store, script) =
        store(&[(200, "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>")]);
    let long = "k".repeat(MAX_KEY_BYTES + 1);
    for key in ["", &long] {
        let error = store.put(key, BODY, PutMode::Create).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert!(store.delete(&[]).await.is_empty());
    let outcomes = store.delete(&["a".to_owned(), long, "a".to_owned()]).await;
    assert!(matches!(&outcomes[..], [Ok(()), Err(_), Ok(())]), "{outcomes:?}");
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn an_expected_owner_is_in_every_request() {
    let exists = said("PreconditionFailed");
    let deleted = "<DeleteResult><Deleted><Key>a</Key></Deleted></DeleteResult>";
    let listed = "<ListBucketResult><IsTruncated>true</IsTruncated>\
                  <NextContinuationToken>on</NextContinuationToken></ListBucketResult>";
    let answers = [
        (200, ""),
        (412, &*exists),
        (200, deleted),
        (200, ""),
        (200, ""),
        (404, ""),
        (200, ""),
        (200, listed),
        (200, "<ListBucketResult></ListBucketResult>"),
        (200, ""),
    ];
    let (store, script) = store(&answers);
    let store = store.owned_by("123456789012").unwrap();
    store.put("a", BODY, PutMode::Create).await.unwrap();
    store.put("a", BODY, PutMode::Create).await.unwrap();
    store.delete(&["a".to_owned()]).await.remove(0).unwrap();
    store.put("a", BODY, PutMode::Overwrite).await.unwrap();
    store.get("a").await.unwrap();
    assert_eq!(store.head("a").await.unwrap(), None);
    store.list(ListRequest { prefix: "".into(), after: None, max: 5 }).await.unwrap();
    store.check().await.unwrap();
    let requests = script.requests();
    assert_eq!(requests.len(), answers.len());
    for request in requests {
        let owner = request.header("x-amz-expected-bucket-owner");
        assert_eq!(owner, Some("123456789012"), "{}", request.uri);
    }
}

#[tokio::test]
async fn a_refusal_with_an_expected_owner_advises_to_check_it() {
    let denied = said("AccessDenied");
    let (store, script) = store(&[(403, &denied), (403, &denied), (403, "")]);
    let anyones = store.put("a", BODY, PutMode::Create).await.unwrap_err();
    assert!(!anyones.to_string().contains("OWNER"), "{anyones}");
    assert_eq!(script.requests()[0].header("x-amz-expected-bucket-owner"), None);
    let store = store.owned_by("123456789012").unwrap();
    let put = store.put("a", BODY, PutMode::Create).await.unwrap_err();
    for error in [put, store.check().await.unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        let text = error.to_string();
        assert!(text.contains("account 123456789012's (`bucket_owner`)"), "{text}");
    }
}

#[tokio::test]
async fn an_owner_has_twelve_digits() {
    for account in ["", "12345678901", "1234567890123", "12345678901x", "arn:aws:iam"] {
        let (store, _) = store(&[]);
        let error = store.owned_by(account).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("`bucket_owner`"), "{error}");
    }
}

#[tokio::test]
async fn a_check_tells_what_a_status_can_tell() {
    let table = [
        (404, ErrorKind::NotFound, "`bucket_name`"),
        (403, ErrorKind::Denied, "check the credentials"),
        (301, ErrorKind::NotFound, "set AWS_REGION to the region of the bucket"),
        (400, ErrorKind::Unknown, "check AWS_REGION and whether the credentials have expired"),
        (503, ErrorKind::Transient, ""),
    ];
    for (status, kind, advice) in table {
        let (store, script) = store(&[(status, "")]);
        let error = store.check().await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let text = error.to_string();
        assert!(text.starts_with("check: bucket events: ") && text.contains(advice), "{text}");
        assert_eq!(script.requests()[0].uri, "http://127.0.0.1:1/events/");
    }
    let (store, _) = store(&[(200, "")]);
    store.check().await.unwrap();
}

#[tokio::test]
async fn only_a_creation_meets_what_is_there() {
    let exists = said("PreconditionFailed");
    let (store, _) = store(&[(412, &exists)]);
    let error = store.put("a", BODY, PutMode::Overwrite).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unknown, "{error}");
}

/// Who may write and not list cannot look at the bucket.
#[tokio::test]
async fn an_object_is_missing_where_its_bucket_may_not_be_looked_at_and_not_where_that_failed() {
    let (store, _) = store(&[(404, ""), (403, ""), (404, ""), (503, ""), (403, "")]);
    assert_eq!(store.head("a").await.unwrap(), None);
    assert_eq!(store.head("a").await.unwrap_err().kind(), ErrorKind::Transient);
    assert_eq!(store.head("a").await.unwrap_err().kind(), ErrorKind::Denied);
}

#[tokio::test]
async fn only_a_key_that_is_missing_is_none() {
    let [denied, other] = [said("AccessDenied"), said("NoSuchUpload")];
    let (store, _) = store(&[(404, ""), (404, &other), (403, &denied)]);
    for kind in [ErrorKind::NotFound, ErrorKind::NotFound, ErrorKind::Denied] {
        assert_eq!(store.get("a").await.unwrap_err().kind(), kind);
    }
}

#[tokio::test]
async fn keys_and_pages_have_bounds() {
    let (store, script) = store(&[(200, ""), (404, &said("NoSuchKey"))]);
    let longest = "k".repeat(MAX_KEY_BYTES);
    store.put(&longest, BODY, PutMode::Overwrite).await.unwrap();
    assert_eq!(store.get(&longest).await.unwrap(), None);
    let longer = "k".repeat(MAX_KEY_BYTES + 1);
    for error in [
        store.get(&longer).await.unwrap_err(),
        store.head(&longer).await.unwrap_err(),
        store.head("").await.unwrap_err(),
        // Characters that are several bytes each.
        store.get(&"\u{e9}".repeat(MAX_KEY_BYTES / 2 + 1)).await.unwrap_err(),
        store.list(ListRequest { prefix: "".into(), after: None, max: 0 }).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    }
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test]
async fn a_failed_delete_is_the_outcome_of_each_key_that_was_sent() {
    let (store, _) = store(&[(503, &said("SlowDown"))]);
    let keys = ["a".to_owned(), String::new(), "b".to_owned()];
    let kinds: Vec<_> =
        store.delete(&keys).await.into_iter().map(|outcome| outcome.unwrap_err().kind()).collect();
    assert_eq!(kinds, [ErrorKind::Throttled, ErrorKind::Invalid, ErrorKind::Throttled]);
}

#[tokio::test]
async fn a_listing_ends_where_s3_does_not_say_how_it_goes_on() {
    let lost = "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>";
    let (store, script) = store(&[(200, lost)]);
    let request = ListRequest { prefix: "a".into(), after: Some(String::new()), max: 7 };
    let page = store.list(request).await.unwrap();
    assert!(page.objects.is_empty() && !page.more);
    let uri = &script.requests()[0].uri;
    assert!(uri.contains("max-keys=7") && !uri.contains("start-after"), "{uri}");
}
