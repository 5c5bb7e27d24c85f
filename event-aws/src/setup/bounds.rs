//! Both sides of what SQS takes, and what differs in parts.

use super::tests::{
    ARN, DEAD, MISSING, NONE_LISTED, POLICY, QUEUE, UPDATE, attributes, blocked, done, listed,
    there, url, versioning,
};
use super::*;
use crate::script::Script;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn settings_at_their_bounds_are_taken_and_those_beyond_are_not() {
    let default = QueueSetup::default;
    let (least, most) = (60 * SECOND, 14 * DAY);
    for (setup, taken) in [
        (QueueSetup { delay: 900 * SECOND, ..default() }, true),
        (QueueSetup { delay: Duration::ZERO, ..default() }, true),
        (QueueSetup { visibility: 43_200 * SECOND, ..default() }, true),
        (QueueSetup { visibility: Duration::ZERO, ..default() }, true),
        (QueueSetup { retention: least, ..default() }, true),
        (QueueSetup { retention: most, ..default() }, true),
        (QueueSetup { retention: most + SECOND, ..default() }, false),
        (QueueSetup { dead_letter_retention: 2 * DAY, ..default() }, true),
        (QueueSetup { dead_letter_retention: 2 * DAY - SECOND, ..default() }, false),
        (QueueSetup { dead_letter_retention: most + SECOND, ..default() }, false),
        (QueueSetup { max_receives: 1, ..default() }, true),
        (QueueSetup { max_receives: 1000, ..default() }, true),
        (QueueSetup { max_receives: 1001, ..default() }, false),
    ] {
        assert_eq!(setup.check("orders").is_ok(), taken, "{setup:?}");
    }
    let named = |dead: &str| QueueSetup { dead_letter_queue: Some(dead.into()), ..default() };
    let name = |length| "q".repeat(length);
    assert!(default().check(&name(76)).is_ok() && default().check(&name(77)).is_err());
    assert!(named("lost").check(&name(80)).is_ok() && named("lost").check(&name(81)).is_err());
    assert!(named(&name(80)).check("orders").is_ok());
    assert!(named(&name(81)).check("orders").is_err());
}

#[test]
fn a_retention_is_lowered_by_a_smaller_one_and_by_one_instead_of_who_knows_what() {
    let lowers = |setting, present: &str, wanted: &str| {
        let (present, wanted) = (present.to_owned(), wanted.to_owned());
        let what = What::Set { setting, present, wanted };
        Change { resource: "queue", name: "orders".to_owned(), what }.lowers_retention()
    };
    for setting in [Setting::Retention, Setting::DeadLetterRetention] {
        for (present, lowered) in [("101", true), ("100", false), ("99", false), ("none", true)] {
            assert_eq!(lowers(setting, present, "100"), lowered, "{present}");
        }
        // As numbers, not as texts.
        assert!(lowers(setting, "1000", "999") && !lowers(setting, "999", "1000"));
    }
    assert!(!lowers(Setting::Visibility, "101", "100"));
}

/// What an update of a queue with these attributes sets, and what is told of it.
async fn set(orders: &[(&str, &str)]) -> (Vec<String>, serde_json::Value) {
    let updates = [url("orders_dlq"), attributes(&[ARN]), "{}".to_owned()];
    let needs_arn = !orders.iter().any(|(_, value)| *value == POLICY);
    let script = there(&DEAD, orders, &updates[if needs_arn { 0 } else { 2 }..]);
    let aws = script.aws();
    let plan = plan_queue(&aws, "orders", &QueueSetup::default()).await.unwrap();
    let [told, refused, kept] = done(&aws, plan, UPDATE).await.unwrap();
    assert!(refused.is_empty() && kept.is_empty());
    let request = script.requests().pop().unwrap();
    let body: serde_json::Value = serde_json::from_str(&request.body).unwrap();
    assert!(body["QueueUrl"].as_str().unwrap().ends_with("/orders"), "{body}");
    (told, body["Attributes"].clone())
}

fn with(name: &str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let is =
        |(own, old): &(&'static str, &'static str)| (*own, if *own == name { value } else { old });
    QUEUE.iter().map(is).collect()
}

#[tokio::test]
async fn of_what_differs_only_that_is_set() {
    let (told, set_to) = set(&with("VisibilityTimeout", "31")).await;
    assert_eq!(told, ["queue orders: VisibilityTimeout 31 -> 30"]);
    assert_eq!(set_to, serde_json::json!({"VisibilityTimeout": "30"}));
    // An empty name of a key is none.
    let unencrypted = [with("SqsManagedSseEnabled", "false"), vec![("KmsMasterKeyId", "")]];
    let (told, set_to) = set(&unencrypted.concat()).await;
    assert_eq!(told, ["queue orders: SqsManagedSseEnabled false -> true"]);
    assert_eq!(set_to, serde_json::json!({"SqsManagedSseEnabled": "true"}));
    const OFTEN: &str = r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:orders_dlq","maxReceiveCount":21}"#;
    const LOST: &str =
        r#"{"deadLetterTargetArn":"arn:aws:sqs:us-east-1:123456789012:lost","maxReceiveCount":20}"#;
    for (policy, line) in [
        (OFTEN, "queue orders: maxReceiveCount 21 -> 20"),
        (LOST, "queue orders: dead-letter queue lost -> orders_dlq"),
        ("", "queue orders: dead-letter queue none -> orders_dlq"),
        ("nonsense", "queue orders: dead-letter queue nonsense -> orders_dlq"),
    ] {
        let (told, set_to) = set(&with("RedrivePolicy", policy)).await;
        assert_eq!(told, [line]);
        assert_eq!(set_to.as_object().unwrap().len(), 1, "{set_to}");
        assert_eq!(set_to["RedrivePolicy"], POLICY.replace(r#""20""#, "20"), "{policy}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_queue_that_does_not_appear_is_waited_for_ten_seconds() {
    let (dead, orders) = (url("orders_dlq"), url("orders"));
    let connected = [(400, MISSING), (400, MISSING), (200, &*dead)];
    for appears in [true, false] {
        let away = [(400, MISSING); 10];
        let last = attributes(&[ARN]);
        let then = [(200, &*dead), (200, &*last), (200, &*orders)];
        let then = if appears { &then[..] } else { &[(400, MISSING)] };
        let script = Script::new(&[&connected[..], &away, then].concat());
        let aws = script.aws();
        let plan = plan_queue(&aws, "orders", &QueueSetup::default()).await.unwrap();
        let start = tokio::time::Instant::now();
        let outcome = done(&aws, plan, Existing::Refuse).await;
        assert_eq!(
            outcome.err().map(|error| error.kind()),
            (!appears).then_some(ErrorKind::NotFound)
        );
        assert_eq!(start.elapsed(), 10 * SECOND);
    }
}

#[tokio::test]
async fn a_bucket_that_the_try_before_made_is_made_as_wanted_and_no_more() {
    let made = "<Error><Code>BucketAlreadyOwnedByYou</Code><Message>so</Message></Error>";
    for (versioning, public_access_block) in [(true, true), (true, false), (false, true)] {
        let setup = BucketSetup { versioning, public_access_block };
        let answers = [(200, NONE_LISTED), (409, made), (200, ""), (200, "")];
        let script = Script::new(&answers);
        let plan = plan_bucket(&script.aws(), "events", &setup).await.unwrap();
        done(&script.aws(), plan, Existing::Refuse).await.unwrap();
        let puts: Vec<_> = script.requests().into_iter().skip(2).map(|put| put.uri).collect();
        assert_eq!(
            puts.iter().filter(|uri| uri.contains("versioning")).count(),
            usize::from(versioning)
        );
        let blocks = puts.iter().filter(|uri| uri.contains("publicAccessBlock")).count();
        assert_eq!(blocks, usize::from(public_access_block), "{puts:?}");
        assert_eq!(puts.len(), usize::from(versioning) + blocks);
    }
}

#[tokio::test]
async fn blocks_of_public_access_are_told_by_their_names() {
    let all = "BlockPublicAcls+IgnorePublicAcls+BlockPublicPolicy+RestrictPublicBuckets";
    for off in all.split('+') {
        let partly = blocked(true).replace(&format!("<{off}>true"), &format!("<{off}>false"));
        let (own, enabled) = (listed("events"), versioning("<Status>Enabled</Status>"));
        let script = Script::new(&[(200, &own), (200, &enabled), (200, &partly)]);
        let plan = plan_bucket(&script.aws(), "events", &BucketSetup::default()).await.unwrap();
        let refused = plan.decide(Existing::Refuse).refused;
        let on: Vec<_> = all.split('+').filter(|name| *name != off).collect();
        let expected = format!("bucket events: PublicAccessBlock {} -> all", on.join("+"));
        assert_eq!(refused.iter().map(ToString::to_string).collect::<Vec<_>>(), [expected]);
    }
}
