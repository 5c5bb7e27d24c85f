//! What is asked of SQS and S3, and what is told of it.

use super::*;
use crate::config::Aws;
use crate::script::{Request, Script};

pub(super) const MISSING: &str =
    r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"}"#;

pub(super) fn url(name: &str) -> String {
    format!(r#"{{"QueueUrl": "http://127.0.0.1:1/123456789012/{name}"}}"#)
}

pub(super) fn attributes(of: &[(&str, &str)]) -> String {
    let of: serde_json::Map<_, _> =
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
    serde_json::json!({ "Attributes": of }).to_string()
}

pub(super) const ARN: (&str, &str) = ("QueueArn", "arn:aws:sqs:us-east-1:123456789012:orders_dlq");
pub(super) const POLICY: &str = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:orders_dlq","maxReceiveCount":"20"}"#;
pub(super) const DEAD: [(&str, &str); 2] =
    [("SqsManagedSseEnabled", "true"), ("MessageRetentionPeriod", "1209600")];
pub(super) const QUEUE: [(&str, &str); 5] = [
    ("SqsManagedSseEnabled", "true"),
    ("MessageRetentionPeriod", "172800"),
    ("DelaySeconds", "2"),
    ("VisibilityTimeout", "30"),
    ("RedrivePolicy", POLICY),
];

fn lines<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<String> {
    changes.into_iter().map(ToString::to_string).collect()
}

/// What is told of a plan once it is done.
pub(super) async fn done(aws: &Aws, plan: Plan, existing: Existing) -> Result<[Vec<String>; 3]> {
    let Decision { steps, refused, kept } = plan.decide(existing);
    for step in &steps {
        step.apply(aws).await?;
    }
    let done = steps.iter().flat_map(Step::changes);
    Ok([lines(done), lines(&refused), lines(&kept)])
}

async fn queue(script: &Script, existing: Existing) -> Result<[Vec<String>; 3]> {
    let aws = script.aws();
    let plan = plan_queue(&aws, "orders", &QueueSetup::default()).await?;
    done(&aws, plan, existing).await
}

const NOTHING: [Vec<String>; 3] = [const { Vec::new() }; 3];
pub(super) const UPDATE: Existing = Existing::Update { lower_retention: false };
const LOWER: Existing = Existing::Update { lower_retention: true };

/// The API that a request to SQS is of.
fn api(request: &Request) -> String {
    let target = request.header("x-amz-target").unwrap_or_default();
    target.trim_start_matches("AmazonSQS.").to_owned()
}

fn apis(script: &Script) -> Vec<String> {
    script.requests().iter().map(api).collect()
}

#[tokio::test(start_paused = true)]
async fn missing_queues_are_created_the_dead_letter_queue_first() {
    let (dead, orders, arn) = (url("orders_dlq"), url("orders"), attributes(&[ARN]));
    let script = Script::new(&[
        (400, MISSING),
        (400, MISSING),
        (200, &dead),
        // SQS may take a second to know it.
        (400, MISSING),
        (200, &dead),
        (400, MISSING),
        (200, &dead),
        (200, &arn),
        (200, &orders),
    ]);
    let [told, refused, kept] = queue(&script, Existing::Refuse).await.unwrap();
    assert_eq!(told, ["queue orders_dlq: created", "queue orders: created"]);
    assert!(refused.is_empty() && kept.is_empty());
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

/// Both queues with these attributes, and the answers to what an update asks beside.
pub(super) fn there(dead: &[(&str, &str)], orders: &[(&str, &str)], updates: &[String]) -> Script {
    let answers =
        [url("orders_dlq"), attributes(dead), url("orders"), attributes(orders)].into_iter();
    let answers: Vec<_> = answers.chain(updates.iter().cloned()).collect();
    let answers: Vec<_> = answers.iter().map(|answer| (200, &**answer)).collect();
    Script::new(&answers)
}

#[tokio::test]
async fn queues_as_they_should_be_are_left_alone() {
    for existing in [Existing::Refuse, Existing::Keep, LOWER] {
        let script = there(&DEAD, &QUEUE, &[]);
        assert_eq!(queue(&script, existing).await.unwrap(), NOTHING);
        assert_eq!(script.requests().len(), 4);
    }
}

/// One that keeps messages for 14 days, has another dead-letter queue, and is not encrypted.
fn other(policy: &str) -> [(&'static str, &str); 5] {
    let mut other = QUEUE.map(|(name, _)| (name, ""));
    let values = ["false", "1209600", "0", "30", policy];
    other.iter_mut().zip(values).for_each(|(attribute, value)| attribute.1 = value);
    other
}

const DIFFERENCES: [&str; 5] = [
    "queue orders: DelaySeconds 0 -> 2",
    "queue orders: MessageRetentionPeriod 1209600 -> 172800",
    "queue orders: SqsManagedSseEnabled false -> true",
    "queue orders: dead-letter queue lost -> orders_dlq",
    "queue orders: maxReceiveCount 3 -> 20",
];

fn elsewhere() -> String {
    POLICY.replace("orders_dlq", "lost").replace("20", "3")
}

#[tokio::test]
async fn nothing_that_is_there_is_changed_unasked() {
    let policy = elsewhere();
    let script = there(&DEAD, &other(&policy), &[]);
    let [done, refused, kept] = queue(&script, Existing::Refuse).await.unwrap();
    assert_eq!((done.len(), kept.len()), (0, 0));
    assert_eq!(refused, DIFFERENCES);

    let script = there(&DEAD, &other(&policy), &[]);
    let [done, refused, kept] = queue(&script, Existing::Keep).await.unwrap();
    assert_eq!((done.len(), refused.len()), (0, 0));
    assert_eq!(kept, DIFFERENCES);
    assert!(apis(&script).iter().all(|api| api.starts_with("Get")), "{:?}", apis(&script));
}

#[tokio::test]
async fn a_difference_refuses_what_is_missing_as_well() {
    let mut short = DEAD;
    short[1].1 = "345600";
    let (dead, is) = (url("orders_dlq"), attributes(&short));
    let script = Script::new(&[(200, &dead), (200, &is), (400, MISSING)]);
    let [done, refused, _] = queue(&script, Existing::Refuse).await.unwrap();
    assert_eq!(done, [""; 0]);
    assert_eq!(refused, ["queue orders_dlq: MessageRetentionPeriod 345600 -> 1209600"]);
}

#[tokio::test]
async fn a_dead_letter_queue_that_no_queue_would_use_is_not_made() {
    let policy = elsewhere();
    let (orders, is) = (url("orders"), attributes(&other(&policy)));
    let answers = [(400, MISSING), (200, &*orders), (200, &is)];
    let [done, _, kept] = queue(&Script::new(&answers), Existing::Keep).await.unwrap();
    assert_eq!((done.len(), kept.len()), (0, 5));
    // One that its policy names, and that was deleted.
    let is = attributes(&QUEUE);
    let answers = [(400, MISSING), (200, &*orders), (200, &is), (200, "{}")];
    let [done, ..] = queue(&Script::new(&answers), Existing::Keep).await.unwrap_or_default();
    assert_eq!(done, ["queue orders_dlq: created"]);
    // The same, whatever else of the policy is another's choice.
    let sooner = POLICY.replace("20", "3");
    let is = attributes(&QUEUE.map(|(name, value)| match name {
        "RedrivePolicy" => (name, &*sooner),
        _ => (name, value),
    }));
    let answers = [(400, MISSING), (200, &*orders), (200, &is), (200, "{}")];
    let [done, _, kept] = queue(&Script::new(&answers), Existing::Keep).await.unwrap_or_default();
    assert_eq!((&*done, kept.len()), (&["queue orders_dlq: created".to_owned()][..], 1));
}

#[tokio::test]
async fn a_retention_is_lowered_only_where_that_is_asked_for() {
    let policy = elsewhere();
    let script = there(&DEAD, &other(&policy), &[]);
    let [done, refused, _] = queue(&script, UPDATE).await.unwrap();
    assert_eq!(done, [""; 0], "not even what does no harm");
    assert_eq!(refused, ["queue orders: MessageRetentionPeriod 1209600 -> 172800"]);
    assert_eq!(script.requests().len(), 4);

    // That of the dead-letter queue counts as well.
    let long = DEAD.map(|(name, value)| match name {
        "MessageRetentionPeriod" => (name, "99999999"),
        _ => (name, value),
    });
    let script = there(&long, &QUEUE, &[]);
    let [done, refused, _] = queue(&script, UPDATE).await.unwrap();
    assert_eq!((done.len(), refused.len()), (0, 1), "{refused:?}");
    assert!(refused[0].contains("_dlq: MessageRetentionPeriod 99999999 -> "), "{refused:?}");

    // To keep messages longer deletes none.
    let mut short = QUEUE;
    short[1].1 = "60";
    let script = there(&DEAD, &short, &["{}".to_owned()]);
    let [done, ..] = queue(&script, UPDATE).await.unwrap();
    assert_eq!(done, ["queue orders: MessageRetentionPeriod 60 -> 172800"]);
}

#[tokio::test]
async fn what_differs_is_set_and_told_and_nothing_else() {
    let policy = elsewhere();
    // A key of its own is no lack of encryption.
    let dead = [("SqsManagedSseEnabled", "false"), ("KmsMasterKeyId", "mine"), DEAD[1]];
    let updates = [url("orders_dlq"), attributes(&[ARN]), "{}".to_owned()];
    let script = there(&dead, &other(&policy), &updates);
    let [done, refused, kept] = queue(&script, LOWER).await.unwrap();
    assert_eq!(done, DIFFERENCES);
    assert!(refused.is_empty() && kept.is_empty());
    let requests = script.requests();
    let set = requests.last().unwrap();
    assert_eq!(api(set), "SetQueueAttributes");
    assert!(!set.body.contains("VisibilityTimeout"), "{}", set.body);
    assert!(set.body.contains("orders_dlq"), "{}", set.body);
}

#[tokio::test]
async fn the_values_are_those_of_the_setup() {
    let policy = elsewhere();
    let setup = QueueSetup {
        delay: Duration::ZERO,
        retention: 14 * DAY,
        max_receives: 3,
        dead_letter_queue: Some("lost".to_owned()),
        encrypted: false,
        ..QueueSetup::default()
    };
    let script = there(&DEAD, &other(&policy), &[]);
    let plan = plan_queue(&script.aws(), "orders", &setup).await.unwrap();
    assert!(plan.decide(Existing::Refuse).refused.is_empty());
    assert!(script.requests()[0].body.contains(r#""lost""#), "{}", script.requests()[0].body);
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
        (QueueSetup { dead_letter_queue: Some("orders".into()), ..default() }, "its own"),
        (QueueSetup { dead_letter_queue: Some("a b".into()), ..default() }, "a b"),
    ];
    let aws = Script::default().aws();
    for (setup, text) in table {
        let error = plan_queue(&aws, "orders", &setup).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(text), "{error}");
    }
    for name in ["or ders".to_owned(), "q".repeat(77)] {
        let error = plan_queue(&aws, &name, &default()).await.unwrap_err();
        assert!(error.to_string().contains("`queue_name`"), "{error}");
    }
    let error = plan_bucket(&aws, "My_Bucket", &BucketSetup::default()).await.unwrap_err();
    assert!(error.to_string().contains("`bucket_name`"), "{error}");
}

#[tokio::test]
async fn a_right_that_is_missing_ends_it() {
    let denied = r#"{"__type": "com.amazonaws.sqs#AccessDeniedException", "message": "no"}"#;
    let script = Script::new(&[(403, denied)]);
    let error = queue(&script, Existing::Refuse).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert_eq!(script.requests().len(), 1);
}

pub(super) const NONE_LISTED: &str =
    "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>";
const NOT_BLOCKED: &str =
    "<Error><Code>NoSuchPublicAccessBlockConfiguration</Code><Message>no</Message></Error>";

pub(super) fn listed(name: &str) -> String {
    let bucket = format!("<Bucket><Name>{name}</Name></Bucket>");
    NONE_LISTED.replace("</Buckets>", &format!("{bucket}</Buckets>"))
}

pub(super) fn versioning(status: &str) -> String {
    format!("<VersioningConfiguration>{status}</VersioningConfiguration>")
}

pub(super) fn blocked(last: bool) -> String {
    format!(
        "<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls>\
         <IgnorePublicAcls>true</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy>\
         <RestrictPublicBuckets>{last}</RestrictPublicBuckets></PublicAccessBlockConfiguration>"
    )
}

async fn bucket(script: &Script, existing: Existing) -> Result<[Vec<String>; 3]> {
    let aws = script.aws();
    let plan = plan_bucket(&aws, "events", &BucketSetup::default()).await?;
    done(&aws, plan, existing).await
}

#[tokio::test]
async fn a_missing_bucket_is_created_with_versions_and_without_public_access() {
    let answers = [(200, NONE_LISTED), (200, ""), (200, ""), (200, "")];
    let script = Script::new(&answers);
    let [told, ..] = bucket(&script, Existing::Refuse).await.unwrap();
    assert_eq!(told, ["bucket events: created"]);
    let requests = script.requests();
    assert_eq!(requests[1].body, "", "us-east-1 must not be named");
    assert!(requests[2].body.contains("<Status>Enabled</Status>"), "{}", requests[2].body);
    assert_eq!(requests[3].body.matches(">true<").count(), 4, "{}", requests[3].body);

    let script = Script::new(&answers);
    let elsewhere = aws_config::Region::new("eu-west-1");
    let aws = Aws::new(script.sdk().into_builder().region(elsewhere).build(), true);
    let plan = plan_bucket(&aws, "events", &BucketSetup::default()).await.unwrap();
    done(&aws, plan, Existing::Refuse).await.unwrap();
    let body = &script.requests()[1].body;
    assert!(body.contains("<LocationConstraint>eu-west-1</LocationConstraint>"), "{body}");
}

#[tokio::test]
async fn a_bucket_as_it_should_be_is_left_alone() {
    let (own, enabled) = (listed("events"), versioning("<Status>Enabled</Status>"));
    let script = Script::new(&[(200, &own), (200, &enabled), (200, &blocked(true))]);
    assert_eq!(bucket(&script, LOWER).await.unwrap(), NOTHING);
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn what_differs_in_a_bucket_is_set_only_where_that_is_asked_for() {
    let (own, suspended) = (listed("events"), versioning("<Status>Suspended</Status>"));
    let partly = blocked(false);
    let answers = [(200, &*own), (200, &suspended), (200, &partly), (200, ""), (200, "")];
    let differences = [
        "bucket events: versioning Suspended -> Enabled",
        "bucket events: PublicAccessBlock BlockPublicAcls+IgnorePublicAcls+BlockPublicPolicy -> all",
    ];
    for (existing, place, requests) in
        [(Existing::Refuse, 1, 3), (Existing::Keep, 2, 3), (UPDATE, 0, 5)]
    {
        let script = Script::new(&answers);
        let told = bucket(&script, existing).await.unwrap();
        assert_eq!(told[place], differences, "{existing:?}");
        assert_eq!(told.concat().len(), 2, "{existing:?}");
        assert_eq!(script.requests().len(), requests, "{existing:?}");
    }
    let script = Script::new(&[(200, &own), (200, &versioning("")), (404, NOT_BLOCKED)]);
    let [_, refused, _] = bucket(&script, Existing::Refuse).await.unwrap();
    assert!(refused.iter().all(|line| line.contains(" none -> ")), "{refused:?}");
    assert_eq!(refused.len(), 2);
    // Nothing is asked about what is not wanted.
    let script = Script::new(&answers);
    let setup = BucketSetup { versioning: false, public_access_block: false };
    assert!(plan_bucket(&script.aws(), "events", &setup).await.unwrap().steps.is_empty());
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn a_bucket_of_somebody_else_is_an_error_that_says_so() {
    let taken = "<Error><Code>BucketAlreadyExists</Code><Message>no</Message></Error>";
    // One whose name only starts so is not the one.
    let script = Script::new(&[(200, &listed("events-of-mine")), (409, taken)]);
    let error = bucket(&script, Existing::Refuse).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    let text = error.to_string();
    assert!(text.contains("belongs to another account; set `bucket_name`"), "{text}");
    assert_eq!(script.requests().len(), 2);
}
