//! What is asked of SQS and S3, and what is told of it.

use super::*;
use crate::config::Aws;
use crate::script::{Request, Script};

const MISSING: &str = r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"}"#;

fn url(name: &str) -> String {
    format!(r#"{{"QueueUrl": "http://127.0.0.1:1/123456789012/{name}"}}"#)
}

fn attributes(of: &[(&str, &str)]) -> String {
    let of: serde_json::Map<_, _> =
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    serde_json::json!({ "Attributes": of }).to_string()
}

const ARN: (&str, &str) = ("QueueArn", "arn:aws:sqs:us-east-1:123456789012:orders_dlq");
const POLICY: &str = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:orders_dlq","maxReceiveCount":"20"}"#;
const DEAD: [(&str, &str); 2] =
    [("SqsManagedSseEnabled", "true"), ("MessageRetentionPeriod", "1209600")];
const QUEUE: [(&str, &str); 5] = [
    ("SqsManagedSseEnabled", "true"),
    ("MessageRetentionPeriod", "172800"),
    ("DelaySeconds", "2"),
    ("VisibilityTimeout", "30"),
    ("RedrivePolicy", POLICY),
];

fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(ToString::to_string).collect()
}

async fn queue(script: &Script) -> Result<Vec<String>> {
    let changes = setup_queue(&script.aws(), "orders", &QueueSetup::default()).await;
    changes.map(|changes| lines(&changes))
}

/// The API that a request to SQS is of.
fn api(request: &Request) -> String {
    let target = request.header("x-amz-target").unwrap_or_default();
    target.trim_start_matches("AmazonSQS.").to_owned()
}

#[tokio::test(start_paused = true)]
async fn missing_queues_are_created_the_dead_letter_queue_first() {
    let (dead, orders, arn) = (url("orders_dlq"), url("orders"), attributes(&[ARN]));
    let script = Script::new(&[
        (400, MISSING),
        (200, &dead),
        // SQS may take a second to know it.
        (400, MISSING),
        (200, &arn),
        (400, MISSING),
        (200, &orders),
    ]);
    let changes = queue(&script).await.unwrap();
    assert_eq!(changes, ["queue orders_dlq: created", "queue orders: created"]);
    let created: Vec<_> =
        script.requests().into_iter().filter(|r| api(r) == "CreateQueue").collect();
    let has = |request: &Request, (name, value): (&str, &str)| {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
        assert_eq!(body["Attributes"][name], value, "{name}");
    };
    DEAD.iter().for_each(|attribute| has(&created[0], *attribute));
    let numbered = POLICY.replace(r#""20""#, "20");
    let wanted = QUEUE.map(|(name, value)| (name, if value == POLICY { &numbered } else { value }));
    wanted.iter().for_each(|attribute| has(&created[1], *attribute));
}

#[tokio::test]
async fn queues_as_they_should_be_are_left_alone() {
    let answers = [
        url("orders_dlq"),
        attributes(&DEAD),
        attributes(&[ARN]),
        url("orders"),
        attributes(&QUEUE),
    ];
    let answers: Vec<_> = answers.iter().map(|answer| (200, &**answer)).collect();
    let script = Script::new(&answers);
    assert_eq!(queue(&script).await.unwrap(), Vec::<String>::new());
    assert_eq!(script.requests().len(), 5);
}

#[tokio::test]
async fn what_differs_is_set_and_told_and_nothing_else() {
    let mut other = QUEUE;
    other[0].1 = "false";
    other[2].1 = "0";
    let policy = POLICY.replace("orders_dlq", "lost").replace("20", "3");
    other[4].1 = &policy;
    let answers = [
        url("orders_dlq"),
        // A key of its own is no lack of encryption.
        attributes(&[("SqsManagedSseEnabled", "false"), ("KmsMasterKeyId", "mine"), DEAD[1]]),
        attributes(&[ARN]),
        url("orders"),
        attributes(&other),
        String::new(),
    ];
    let answers: Vec<_> = answers.iter().map(|answer| (200, &**answer)).collect();
    let script = Script::new(&answers);
    let expected = [
        "queue orders: DelaySeconds 0 -> 2",
        "queue orders: RedrivePolicy lost after 3 receives -> orders_dlq after 20 receives",
        "queue orders: SqsManagedSseEnabled false -> true",
    ];
    assert_eq!(queue(&script).await.unwrap(), expected);
    let requests = script.requests();
    let set = requests.last().unwrap();
    assert_eq!(api(set), "SetQueueAttributes");
    assert!(!set.body.contains("VisibilityTimeout"), "{}", set.body);
}

#[tokio::test]
async fn settings_that_no_queue_has_are_refused_without_a_request() {
    let seconds = Duration::from_secs;
    let default = QueueSetup::default;
    let table = [
        (QueueSetup { delay: seconds(901), ..default() }, "delay is 901s"),
        (QueueSetup { visibility: seconds(43_201), ..default() }, "visibility is"),
        (QueueSetup { retention: seconds(59), ..default() }, "retention is 59s"),
        (QueueSetup { dead_letter_retention: DAY, ..default() }, "dead_letter_retention is"),
        (QueueSetup { max_receives: 0, ..default() }, "max_receives is 0"),
    ];
    let aws = Script::default().aws();
    for (setup, text) in table {
        let error = setup_queue(&aws, "orders", &setup).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(text), "{error}");
    }
    for name in ["or ders".to_owned(), "q".repeat(77)] {
        let error = setup_queue(&aws, &name, &default()).await.unwrap_err();
        assert!(error.to_string().contains("RELIABLE_QUEUE_NAME"), "{error}");
    }
    let error = setup_bucket(&aws, "My_Bucket").await.unwrap_err();
    assert!(error.to_string().contains("STORE_EVENTS_BKT"), "{error}");
}

#[tokio::test]
async fn a_right_that_is_missing_ends_it() {
    let denied = r#"{"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no"}"#;
    let script = Script::new(&[(403, denied)]);
    let error = queue(&script).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(script.requests().len(), 1);
}

const NONE_LISTED: &str = "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>";
const NOT_BLOCKED: &str =
    "<Error><Code>NoSuchPublicAccessBlockConfiguration</Code><Message>no</Message></Error>";

fn listed(name: &str) -> String {
    let bucket = format!("<Bucket><Name>{name}</Name></Bucket>");
    NONE_LISTED.replace("</Buckets>", &format!("{bucket}</Buckets>"))
}

fn versioning(status: &str) -> String {
    format!("<VersioningConfiguration>{status}</VersioningConfiguration>")
}

fn blocked(last: bool) -> String {
    format!(
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
         <IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>\
         <RestrictPublicBuckets>{last}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
    )
}

async fn bucket(script: &Script) -> Result<Vec<String>> {
    setup_bucket(&script.aws(), "events").await.map(|changes| lines(&changes))
}

#[tokio::test]
async fn a_missing_bucket_is_created_with_versions_and_without_public_access() {
    let none = versioning("");
    let answers =
        [(200, NONE_LISTED), (200, ""), (200, &none), (200, ""), (404, NOT_BLOCKED), (200, "")];
    let script = Script::new(&answers);
    let expected = [
        "bucket events: created",
        "bucket events: versioning enabled",
        "bucket events: public access blocked",
    ];
    assert_eq!(bucket(&script).await.unwrap(), expected);
    let requests = script.requests();
    assert_eq!(requests[1].body, "", "us-east-1 must not be named");
    assert!(requests[3].body.contains("<Status>Enabled</Status>"), "{}", requests[3].body);
    assert_eq!(requests[5].body.matches(">true<").count(), 4, "{}", requests[5].body);

    let script = Script::new(&answers);
    let elsewhere = aws_config::Region::new("eu-west-1");
    let aws = Aws::new(script.sdk().into_builder().region(elsewhere).build(), true);
    setup_bucket(&aws, "events").await.unwrap();
    let body = &script.requests()[1].body;
    assert!(body.contains("<LocationConstraint>eu-west-1</LocationConstraint>"), "{body}");
}

#[tokio::test]
async fn a_bucket_as_it_should_be_is_left_alone() {
    let (own, enabled) = (listed("events"), versioning("<Status>Enabled</Status>"));
    let script = Script::new(&[(200, &own), (200, &enabled), (200, &blocked(true))]);
    assert_eq!(bucket(&script).await.unwrap(), Vec::<String>::new());
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn what_differs_in_a_bucket_is_set() {
    let (own, suspended) = (listed("events"), versioning("<Status>Suspended</Status>"));
    let partly = blocked(false);
    let script =
        Script::new(&[(200, &own), (200, &suspended), (200, ""), (200, &partly), (200, "")]);
    let expected = ["bucket events: versioning enabled", "bucket events: public access blocked"];
    assert_eq!(bucket(&script).await.unwrap(), expected);
}

#[tokio::test]
async fn a_bucket_of_somebody_else_is_an_error_that_says_so() {
    let taken = "<Error><Code>BucketAlreadyExists</Code><Message>no</Message></Error>";
    // One whose name only starts so is not the one.
    let script = Script::new(&[(200, &listed("events-of-mine")), (409, taken)]);
    let error = bucket(&script).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("belongs to another account; set STORE_EVENTS_BKT"), "{text}");
    assert_eq!(script.requests().len(), 2);
}
