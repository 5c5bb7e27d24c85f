//! What goes over the wire, and what is made of the answers.

use super::*;
use crate::script::Script;

const OK: &str = "99914b932bd37a50b983c5e7c90ae93b";

/// A queue whose requests after those of `connect` are answered so.
async fn queue(answers: &[(u16, &str)]) -> (SqsQueue, Script) {
    let connected = [
        (200, r#"{"QueueUrl": "http://127.0.0.1:1/0/orders"}"#),
        (200, r#"{"Attributes": {"MaximumMessageSize": "1024", "VisibilityTimeout": "45"}}"#),
    ];
    let answers: Vec<_> = connected.iter().chain(answers).copied().collect();
    let script = Script::new(&answers);
    let queue = SqsQueue::connect(&script.aws(), "orders").await.unwrap();
    (queue, script)
}

/// The bodies of the requests after those of `connect`.
fn requests(script: &Script) -> Vec<String> {
    script.requests().into_iter().skip(2).map(|request| request.body).collect()
}

fn kinds<T>(outcomes: &[Result<T>]) -> Vec<Option<ErrorKind>> {
    outcomes.iter().map(|outcome| outcome.as_ref().err().map(Error::kind)).collect()
}

fn sent(id: &str, digest: &str) -> String {
    format!(r#"{{"Id": "{id}", "MessageId": "m{id}", "MD5OfMessageBody": "{digest}"}}"#)
}

#[tokio::test]
async fn limits_are_those_of_the_queue() {
    let (queue, _) = queue(&[]).await;
    let expected = QueueLimits {
        batch_bytes: 1024,
        message_bytes: 1024,
        visibility: Duration::from_secs(45),
        ..QueueLimits::SQS
    };
    assert_eq!(queue.limits(), expected);
}

#[tokio::test]
async fn what_is_refused_here_is_left_out_of_the_request() {
    let answer = format!(
        r#"{{"Successful": [{}], "Failed": [{{"Id": "0", "Code": "InternalError",
            "SenderFault": false}}]}}"#,
        sent("3", OK)
    );
    let (queue, script) = queue(&[(200, &answer)]).await;
    let bodies =
        [Message::new("{}"), Message::new(""), Message::new(vec![b'x'; 2000]), Message::new("{}")];
    let outcomes = queue.send(&bodies).await;
    use ErrorKind::{Invalid, TooLarge, Transient};
    assert_eq!(kinds(&outcomes), [Some(Transient), Some(Invalid), Some(TooLarge), None]);
    assert_eq!(outcomes[3].as_ref().unwrap().as_str(), "m3");
    let requests = requests(&script);
    assert_eq!(requests.len(), 1);
    let has = |id: &str| requests[0].contains(&format!(r#""Id":"{id}""#));
    assert_eq!(["0", "1", "2", "3"].map(has), [true, false, false, true], "{requests:?}");
}

#[tokio::test]
async fn batches_without_anything_to_send_make_no_request() {
    let (queue, script) = queue(&[]).await;
    assert!(queue.send(&[]).await.is_empty());
    assert!(queue.delete(&[]).await.is_empty());
    assert!(queue.change_visibility(&[]).await.is_empty());
    let eleven = vec![Message::new("{}"); 11];
    assert_eq!(kinds(&queue.send(&eleven).await), [Some(ErrorKind::Invalid); 11]);
    let halves = vec![Message::new(vec![b'x'; 600]); 2];
    assert_eq!(kinds(&queue.send(&halves).await), [Some(ErrorKind::TooLarge); 2]);
    assert_eq!(kinds(&queue.send(&[Message::new("")]).await), [Some(ErrorKind::Invalid)]);
    assert_eq!(requests(&script), Vec::<String>::new());
}

#[tokio::test]
async fn an_entry_that_is_missing_or_damaged_is_ambiguous() {
    let answer =
        format!(r#"{{"Successful": [{}, {}]}}"#, sent("0", OK), sent("2", &OK.replace('9', "0")));
    let (queue, _) = queue(&[(200, &answer)]).await;
    let outcomes = queue.send(&vec![Message::new("{}"); 3]).await;
    let ambiguous = Some(ErrorKind::Ambiguous);
    assert_eq!(kinds(&outcomes), [None, ambiguous, ambiguous]);
}

#[tokio::test]
async fn attributes_that_arrived_otherwise_are_ambiguous() {
    let [of_sale, of_inventory] =
        ["757dbcef7fa8fd168eac04cce0219176", "9fbb377e76547b8c571ddaa65e08032f"];
    let with = |id: &str, digest: &str| {
        let attributes = format!(r#", "MD5OfMessageAttributes": "{digest}"}}"#);
        sent(id, OK).replace('}', &attributes)
    };
    let answer = format!(
        r#"{{"Successful": [{}, {}, {}]}}"#,
        with("0", of_sale),
        with("1", of_inventory),
        sent("2", OK)
    );
    let (queue, _) = queue(&[(200, &answer)]).await;
    let message = Message::new("{}").with_attribute("event_type", "sale_event");
    let outcomes = queue.send(&vec![message; 3]).await;
    assert_eq!(kinds(&outcomes), [None, Some(ErrorKind::Ambiguous), None]);
    let text = outcomes[1].as_ref().unwrap_err().to_string();
    assert!(text.contains("attributes"), "{text}");
}

#[tokio::test]
async fn the_account_is_in_the_url() {
    let table = [
        ("https://sqs.eu-west-1.amazonaws.com/123456789012/orders", Some("123456789012")),
        ("http://127.0.0.1:4566/queue/us-east-1/000000000000/orders", Some("000000000000")),
        ("http://127.0.0.1:1/0/orders", None),
        ("http://127.0.0.1:1/orders", None),
        ("orders", None),
    ];
    for (url, account) in table {
        let found = format!(r#"{{"QueueUrl": "{url}"}}"#);
        let script = Script::new(&[(200, &found), (200, "{}")]);
        let queue = SqsQueue::connect(&script.aws(), "orders").await.unwrap();
        assert_eq!(queue.account(), account, "{url}");
    }
}

#[tokio::test]
async fn a_name_that_no_queue_has_is_refused_without_a_request() {
    let script = Script::new(&[]);
    let error = SqsQueue::connect(&script.aws(), "my orders").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("`queue_name`"), "{error}");
}

#[tokio::test]
async fn the_dead_letter_queue_is_that_of_the_policy() {
    let policy = |policy: &str| {
        let policy = policy.replace('"', "\\\"");
        format!(r#"{{"Attributes": {{"RedrivePolicy": "{policy}"}}}}"#)
    };
    let arn = "arn:aws:sqs:us-east-1:123456789012:orders_dlq";
    let there = policy(&format!(r#"{{"deadLetterTargetArn": "{arn}", "maxReceiveCount": 20}}"#));
    let dead = r#"{"QueueUrl": "http://127.0.0.1:1/123456789012/orders_dlq"}"#;
    let limits = r#"{"Attributes": {"VisibilityTimeout": "7"}}"#;
    let nonsense = policy("{}");
    let taken_away = policy("");
    let answers = [
        (200, "{}"),
        (200, &*taken_away),
        (200, &*there),
        (200, dead),
        (200, limits),
        (200, &*nonsense),
    ];
    let (queue, script) = queue(&answers).await;
    assert!(queue.dead_letters().await.unwrap().is_none());
    assert!(queue.dead_letters().await.unwrap().is_none());
    let found = queue.dead_letters().await.unwrap().unwrap();
    assert_eq!(found.url(), "http://127.0.0.1:1/123456789012/orders_dlq");
    assert_eq!(found.limits().visibility, Duration::from_secs(7));
    let asked = &requests(&script)[3];
    assert!(asked.contains(r#""QueueName":"orders_dlq""#), "{asked}");
    assert!(asked.contains(r#""QueueOwnerAWSAccountId":"123456789012""#), "{asked}");
    let error = queue.dead_letters().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error}");
}

#[tokio::test]
async fn one_at_fault_does_not_take_its_batch_with_it() {
    let refused = r#"{"__type": "com.amazonaws.sqs#InvalidMessageContents", "message": "no"}"#;
    let accepted =
        [sent("1", OK), sent("3", OK)].map(|sent| format!(r#"{{"Successful": [{sent}]}}"#));
    let answers = [(400, refused), (200, &accepted[0]), (400, refused), (200, &accepted[1])];
    let (queue, script) = queue(&answers).await;
    // The first one is refused here, so that those sent are elsewhere in the request.
    let bodies = [&*"x".repeat(2000), "{}", "{}", "{}"].map(|body| Message::new(body.to_owned()));
    let outcomes = queue.send(&bodies).await;
    use ErrorKind::{Invalid, TooLarge};
    assert_eq!(kinds(&outcomes), [Some(TooLarge), None, Some(Invalid), None]);
    assert_eq!(requests(&script).len(), 4);
}

#[tokio::test]
async fn a_failed_request_is_the_outcome_of_each_entry() {
    let gone = r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "gone"}"#;
    let (queue, _) = queue(&[(400, gone), (503, "<html>busy</html>"), (504, "")]).await;
    let receipts = [Receipt::new("a"), Receipt::new("b")];
    let outcomes = queue.delete(&receipts).await;
    assert_eq!(kinds(&outcomes), [Some(ErrorKind::NotFound); 2]);
    let text = outcomes[0].as_ref().unwrap_err().to_string();
    assert!(text.starts_with("delete: queue orders: gone"), "{text}");
    assert!(text.contains("`queue_name`"), "{text}");
    assert_eq!(kinds(&queue.delete(&receipts).await), [Some(ErrorKind::Transient); 2]);
    assert_eq!(kinds(&queue.delete(&receipts).await), [Some(ErrorKind::Ambiguous); 2]);
}

#[tokio::test]
async fn a_time_too_long_fails_alone_and_others_are_rounded_up() {
    let (queue, script) = queue(&[(200, r#"{"Successful": [{"Id": "0"}, {"Id": "2"}]}"#)]).await;
    let change = |millis| (Receipt::new("r"), Duration::from_millis(millis));
    let outcomes = queue.change_visibility(&[change(1), change(43_200_001), change(2_000)]).await;
    assert_eq!(kinds(&outcomes), [None, Some(ErrorKind::Invalid), None]);
    let request = &requests(&script)[0];
    assert!(request.contains(r#""VisibilityTimeout":1}"#), "{request}");
    assert!(request.contains(r#""VisibilityTimeout":2}"#), "{request}");
}

#[tokio::test]
async fn an_outcome_is_that_of_its_receipt_after_a_time_too_long() {
    let answer = r#"{"Successful": [{"Id": "1"}], "Failed": [{"Id": "2", "Code": "InternalError",
        "SenderFault": false}]}"#;
    let (queue, script) = queue(&[(200, answer)]).await;
    let change = |receipt, secs| (Receipt::new(receipt), Duration::from_secs(secs));
    let changes = [change("long", 43_201), change("a", 1), change("b", 2)];
    let outcomes = queue.change_visibility(&changes).await;
    assert_eq!(kinds(&outcomes), [Some(ErrorKind::Invalid), None, Some(ErrorKind::Transient)]);
    let request = &requests(&script)[0];
    for entry in [r#""Id":"1","ReceiptHandle":"a""#, r#""Id":"2","ReceiptHandle":"b""#] {
        assert!(request.contains(entry), "{entry} is not in {request}");
    }
    assert!(!request.contains("long"), "{request}");
}

#[tokio::test]
async fn a_receive_asks_for_everything_and_hands_out_what_is_whole() {
    let message = |id: &str, digest: &str| {
        format!(
            r#"{{"MessageId": "{id}", "ReceiptHandle": "r{id}", "Body": "{{}}", "MD5OfBody":
            "{digest}", "Attributes": {{"ApproximateReceiveCount": "2", "SentTimestamp": "1"}}}}"#
        )
    };
    let damaged = message("b", &OK.replace('9', "0"));
    let both = format!(r#"{{"Messages": [{}, {damaged}]}}"#, message("a", OK));
    let (queue, script) =
        queue(&[(200, &both), (200, &format!(r#"{{"Messages": [{damaged}]}}"#)), (200, "{}")])
            .await;
    let request = ReceiveRequest {
        max: 10,
        wait: Duration::from_millis(19_001),
        visibility: Duration::from_secs(30),
    };
    let deliveries = queue.receive(request).await.unwrap();
    let [delivery] = &deliveries[..] else { panic!("{deliveries:?}") };
    assert_eq!((delivery.id.as_str(), delivery.receive_count), ("a", 2));
    let sent = &requests(&script)[0];
    for part in [
        r#""MaxNumberOfMessages":10"#,
        r#""WaitTimeSeconds":20"#,
        r#""VisibilityTimeout":30"#,
        r#""MessageAttributeNames":["All"]"#,
        r#""MessageSystemAttributeNames":["SentTimestamp","ApproximateReceiveCount"]"#,
    ] {
        assert!(sent.contains(part), "{part} is not in {sent}");
    }
    let error = queue.receive(request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error}");
    assert!(queue.receive(request).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_receive_out_of_bounds_is_refused_without_a_request() {
    let (queue, script) = queue(&[(200, "{}"), (200, "{}")]).await;
    let request = |max, wait, visibility| ReceiveRequest {
        max,
        wait: Duration::from_millis(wait),
        visibility: Duration::from_millis(visibility),
    };
    for (request, text) in [
        (request(0, 0, 0), "max is 0"),
        (request(11, 0, 0), "max is 11"),
        (request(1, 20_001, 0), "wait is 20.001s"),
        (request(1, 0, 43_200_001), "visibility is 43200.001s"),
    ] {
        let error = queue.receive(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains(text), "{error}");
    }
    assert_eq!(requests(&script), Vec::<String>::new());
    for at_bounds in [request(1, 0, 0), request(10, 20_000, 43_200_000)] {
        assert!(queue.receive(at_bounds).await.unwrap().is_empty());
    }
    let first = &requests(&script)[0];
    // Zero is not left to the queue, whose own values are others.
    assert!(first.contains(r#""WaitTimeSeconds":0"#), "{first}");
    assert!(first.contains(r#""VisibilityTimeout":0"#), "{first}");
}

#[test]
fn seconds_are_rounded_up() {
    let nanos = [0, 1, 999_999_999, 1_000_000_000, 1_000_000_001];
    let seconds = nanos.map(|nanos| whole_seconds(Duration::from_nanos(nanos)));
    assert_eq!(seconds, [0, 1, 1, 1, 2]);
    assert_eq!(whole_seconds(Duration::MAX / 2), i32::MAX);
}

#[tokio::test]
async fn more_receipts_than_a_batch_takes_are_refused_without_a_request() {
    let (queue, script) = queue(&[]).await;
    let receipts = vec![Receipt::new("r"); 11];
    assert_eq!(kinds(&queue.delete(&receipts).await), [Some(ErrorKind::Invalid); 11]);
    let changes: Vec<_> = receipts.into_iter().map(|receipt| (receipt, Duration::ZERO)).collect();
    assert_eq!(kinds(&queue.change_visibility(&changes).await), [Some(ErrorKind::Invalid); 11]);
    assert_eq!(requests(&script), Vec::<String>::new());
}

#[tokio::test]
async fn a_failed_change_of_visibility_is_the_outcome_of_each_that_was_asked_for() {
    let (queue, _) = queue(&[(503, "")]).await;
    let change = |secs| (Receipt::new("r"), Duration::from_secs(secs));
    let outcomes = queue.change_visibility(&[change(1), change(43_201), change(43_200)]).await;
    use ErrorKind::{Invalid, Transient};
    assert_eq!(kinds(&outcomes), [Some(Transient), Some(Invalid), Some(Transient)]);
}

/// An unknown code of an entry goes by whose fault it is: nothing is given up for one of SQS.
#[tokio::test]
async fn an_unknown_failure_of_an_entry_is_that_of_its_side() {
    let failed = |id: u8, code: &str, ours: bool| {
        format!(
            r#"{{"Id": "{id}", "Code": "{code}", "SenderFault": {ours}, "Message": "so it is"}}"#
        )
    };
    let failed = [
        failed(0, "NewCode", false),
        failed(1, "NewCode", true),
        failed(2, "ReceiptHandleIsInvalid", true),
        failed(3, "AccessDenied", true),
    ];
    let answer = format!(r#"{{"Failed": [{}]}}"#, failed.join(","));
    let (queue, _) = queue(&[(200, &answer)]).await;
    let outcomes = queue.delete(&vec![Receipt::new("r"); 4]).await;
    use ErrorKind::{Denied, Invalid, Transient, Unknown};
    assert_eq!(kinds(&outcomes), [Transient, Unknown, Invalid, Denied].map(Some));
    let text = outcomes[0].as_ref().unwrap_err().to_string();
    assert_eq!(text, "delete: queue orders: so it is (NewCode)");
}

#[tokio::test]
async fn the_depth_has_each_number_in_its_place() {
    let attributes = |of: &str| format!(r#"{{"Attributes": {{{of}}}}}"#);
    let visible = r#""ApproximateNumberOfMessages": "1""#;
    let in_flight = r#""ApproximateNumberOfMessagesNotVisible": "20""#;
    let delayed = r#""ApproximateNumberOfMessagesDelayed": "300""#;
    let all = attributes(&[visible, in_flight, delayed].join(","));
    let parts = [[visible, in_flight], [visible, delayed], [in_flight, delayed]];
    let parts = parts.map(|parts| attributes(&parts.join(",")));
    let (queue, _) =
        queue(&[(200, &*all), (200, &parts[0]), (200, &parts[1]), (200, &parts[2])]).await;
    let expected = Depth { visible: 1, in_flight: 20, delayed: 300, oldest: None };
    assert_eq!(queue.depth().await.unwrap(), expected);
    for missing in ["MessagesDelayed", "NotVisible", "NumberOfMessages"] {
        let error = queue.depth().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Ambiguous, "{error}");
        assert!(error.to_string().ends_with(missing), "{error}");
    }
}

#[tokio::test]
async fn limits_that_may_not_be_read_are_those_of_a_new_queue() {
    let url = r#"{"QueueUrl": "http://127.0.0.1:1/0/orders"}"#;
    let said = |code: &str| format!(r#"{{"__type": "com.amazonaws.sqs#{code}", "message": "no"}}"#);
    let script = Script::new(&[(200, url), (403, &said("AccessDeniedException"))]);
    let queue = SqsQueue::connect(&script.aws(), "orders").await.unwrap();
    assert_eq!((queue.limits(), queue.url()), (QueueLimits::SQS, "http://127.0.0.1:1/0/orders"));
    for (code, kind) in
        [("QueueDoesNotExist", ErrorKind::NotFound), ("ThrottlingException", ErrorKind::Throttled)]
    {
        let script = Script::new(&[(200, url), (400, &said(code))]);
        let error = SqsQueue::connect(&script.aws(), "orders").await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

/// All that a request says of itself is about all entries: they are not tried one by one.
#[tokio::test]
async fn a_batch_is_tried_one_by_one_only_where_an_entry_may_be_at_fault() {
    for (status, code, requested) in [
        (400, "InvalidMessageContents", 3),
        (400, "BatchRequestTooLong", 3),
        (403, "AccessDeniedException", 1),
        (400, "ThrottlingException", 1),
        (500, "InternalError", 1),
    ] {
        let said = format!(r#"{{"__type": "com.amazonaws.sqs#{code}", "message": "no"}}"#);
        let (queue, script) = queue(&vec![(status, &*said); requested]).await;
        let outcomes = queue.send(&vec![Message::new("{}"); 2]).await;
        assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
        assert_eq!(requests(&script).len(), requested, "{code}");
    }
}
