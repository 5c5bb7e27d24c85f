//! What a plan looks at, and what of it is done to what is there.

use super::tests::{
    ARN, DEAD, MISSING, QUEUE, UPDATE, attributes, blocked, done, listed, there, url, versioning,
};
use super::*;
use crate::config::Aws;
use crate::script::Script;

async fn plan(aws: &Aws) -> Plan {
    plan_queue(aws, "orders", &QueueSetup::default()).await.unwrap()
}

/// A dead-letter queue that keeps messages for four days.
const SHORT: [(&str, &str); 2] = [DEAD[0], ("MessageRetentionPeriod", "345600")];
const LENGTHENED: &str = "queue orders_dlq: MessageRetentionPeriod 345600 -> 1209600";

/// Whether the queue that uses it is as wanted, differs, or is to be made.
#[tokio::test]
async fn a_dead_letter_queue_that_is_there_and_differs_is_kept_where_that_is_asked_for() {
    let script = there(&SHORT, &QUEUE, &[]);
    let [made, refused, kept] =
        done(&script.aws(), plan(&script.aws()).await, Existing::Keep).await.unwrap();
    assert_eq!((made.len(), refused.len(), script.requests().len()), (0, 0, 4));
    assert_eq!(kept, [LENGTHENED]);

    let slower = QUEUE.map(|(name, value)| (name, if value == "30" { "31" } else { value }));
    let script = there(&SHORT, &slower, &[]);
    let [made, _, kept] =
        done(&script.aws(), plan(&script.aws()).await, Existing::Keep).await.unwrap();
    assert_eq!((made.len(), script.requests().len()), (0, 4));
    assert_eq!(kept, [LENGTHENED, "queue orders: VisibilityTimeout 31 -> 30"]);

    let (dead, is, orders) = (url("orders_dlq"), attributes(&SHORT), url("orders"));
    let arn = attributes(&[ARN]);
    let script = Script::new(&[
        (200, &dead),
        (200, &is),
        (400, MISSING),
        (200, &dead),
        (200, &arn),
        (200, &orders),
    ]);
    let [made, _, kept] =
        done(&script.aws(), plan(&script.aws()).await, Existing::Keep).await.unwrap();
    assert_eq!(
        (made, kept),
        (vec!["queue orders: created".to_owned()], vec![LENGTHENED.to_owned()])
    );
}

#[tokio::test]
async fn both_queues_are_set_where_that_is_asked_for_each_by_its_own_url() {
    let slower = QUEUE.map(|(name, value)| (name, if value == "30" { "31" } else { value }));
    let script = there(&SHORT, &slower, &["{}".to_owned(), "{}".to_owned()]);
    let [made, ..] = done(&script.aws(), plan(&script.aws()).await, UPDATE).await.unwrap();
    assert_eq!(made, [LENGTHENED, "queue orders: VisibilityTimeout 31 -> 30"]);
    let body = |request: &crate::script::Request| {
        serde_json::from_str::<serde_json::Value>(&request.body).unwrap()
    };
    let sets: Vec<_> = script.requests()[4..].iter().map(body).collect();
    for (set, name, attribute) in [
        (&sets[0], "/orders_dlq", ("MessageRetentionPeriod", "1209600")),
        (&sets[1], "/orders", ("VisibilityTimeout", "30")),
    ] {
        assert!(set["QueueUrl"].as_str().unwrap().ends_with(name), "{set}");
        assert_eq!(set["Attributes"][attribute.0], attribute.1, "{set}");
    }
}

/// SQS answers nothing that it is not asked for.
#[tokio::test]
async fn each_queue_is_asked_for_all_that_is_looked_at_and_nothing_else() {
    let script = there(&DEAD, &QUEUE, &[]);
    plan(&script.aws()).await;
    let asked = |request: usize| {
        let body: serde_json::Value =
            serde_json::from_str(&script.requests()[request].body).unwrap();
        let names = body["AttributeNames"].as_array().unwrap().clone();
        let mut names: Vec<_> =
            names.iter().map(|name| name.as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let both = ["KmsMasterKeyId", "MessageRetentionPeriod", "SqsManagedSseEnabled"];
    assert_eq!(asked(1), both);
    let own = ["DelaySeconds", "RedrivePolicy", "VisibilityTimeout"];
    let mut all = [both, own].concat();
    all.sort_unstable();
    assert_eq!(asked(3), all);
}

#[tokio::test]
async fn a_key_of_its_own_is_no_reason_to_pass_over_another_difference() {
    let own_key = [("SqsManagedSseEnabled", "false"), ("KmsMasterKeyId", "mine"), SHORT[1]];
    let script = there(&own_key, &QUEUE, &[]);
    let refused = plan(&script.aws()).await.decide(Existing::Refuse).refused;
    assert_eq!(refused.iter().map(ToString::to_string).collect::<Vec<_>>(), [LENGTHENED]);
}

/// Those of one bucket and those of the queues are decided on as a whole.
#[tokio::test]
async fn plans_are_done_in_their_order_and_refused_together() {
    let (own, enabled) = (listed("events"), versioning(""));
    let bucket = || async {
        let script = Script::new(&[(200, &own), (200, &enabled), (200, &blocked(true))]);
        plan_bucket(&script.aws(), "events", &BucketSetup::default()).await.unwrap()
    };
    let queues = || async {
        let script = Script::new(&[(400, MISSING), (400, MISSING)]);
        plan(&script.aws()).await
    };
    let changes = |decision: &Decision| -> Vec<String> {
        decision.steps.iter().flat_map(Step::changes).map(ToString::to_string).collect()
    };
    let both = bucket().await.and(queues().await);
    let expected = [
        "bucket events: versioning none -> Enabled",
        "queue orders_dlq: created",
        "queue orders: created",
    ];
    assert_eq!(changes(&both.clone().decide(UPDATE)), expected);
    let refused = both.clone().decide(Existing::Refuse);
    assert_eq!((changes(&refused).len(), refused.refused.len()), (0, 1));
    let kept = both.decide(Existing::Keep);
    assert_eq!(
        (changes(&kept), kept.kept.len()),
        (expected[1..].iter().map(ToString::to_string).collect(), 1)
    );
}

/// An account may have more buckets than an answer has room for.
#[tokio::test]
async fn a_bucket_is_looked_for_by_its_name() {
    let script = Script::new(&[(200, &listed("events"))]);
    let nothing = BucketSetup { versioning: false, public_access_block: false };
    plan_bucket(&script.aws(), "events", &nothing).await.unwrap();
    let uri = script.requests().remove(0).uri;
    assert!(uri.contains("prefix=events"), "{uri}");
}
