//! Queues and buckets that are set up from nothing, and whose they are.

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use event_aws::{
    Aws, BucketSetup, Decision, Existing, Plan, QueueSetup, S3Store, SqsQueue, Step, plan_bucket,
    plan_queue,
};
use event_core::{ErrorKind, ListRequest, ObjectStore, PutMode, Queue, Result};
use event_tests::libtest_mimic::{Completion, Trial};

use super::{Missing, aws, block_on, is_localstack};

/// An account that is not the one of these tests. LocalStack takes it for an access key, too.
const OTHER: &str = "111111111111";

/// All of them; without an endpoint they are shown as ignored.
pub(crate) fn trials(absent: Missing) -> Vec<Trial> {
    let there = absent.is_none();
    let localstack = there && is_localstack();
    let blind = localstack.then_some("LocalStack: requests for objects may expect any owner");
    let alone = (there && !localstack).then_some("no credentials of a second account");
    let name = || format!("event-conformance-{:016x}", fastrand::u64(..));
    let [queue, bucket, owned, of_other] = [name(), name(), name(), name()];
    vec![
        trial(
            "setup::a_queue_is_set_up_once",
            absent,
            a_queue_is_set_up_once(queue.clone()),
            remove_queues(queue),
        ),
        trial(
            "setup::a_bucket_is_set_up_once",
            absent,
            a_bucket_is_set_up_once(bucket.clone()),
            remove_bucket(bucket, false),
        ),
        trial(
            "setup::a_bucket_of_another_owner_is_refused",
            absent.or(blind),
            a_bucket_of_another_owner_is_refused(owned.clone()),
            remove_bucket(owned, false),
        ),
        trial(
            "setup::a_bucket_of_another_account_is_not_set_up",
            absent.or(alone),
            a_bucket_of_another_account_is_not_set_up(of_other.clone()),
            remove_bucket(of_other, true),
        ),
    ]
}

fn trial(
    name: &str,
    ignored: Option<&'static str>,
    work: impl Future<Output = ()> + Send + 'static,
    clean_up: impl Future<Output = ()> + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        if let Some(reason) = ignored {
            return Ok(Completion::ignored_with(reason));
        }
        block_on(async {
            // A task of its own, so that what it made is removed when it fails.
            let outcome = tokio::spawn(work).await;
            clean_up.await;
            if let Err(failed) = outcome {
                std::panic::resume_unwind(failed.into_panic());
            }
        });
        Ok(Completion::Completed)
    })
}

/// What was done, what was refused, what was kept.
async fn done(aws: &Aws, plan: Plan, existing: Existing) -> Result<[Vec<String>; 3]> {
    let Decision { steps, refused, kept } = plan.decide(existing);
    for step in &steps {
        step.apply(aws).await?;
    }
    let done = steps.iter().flat_map(Step::changes).map(ToString::to_string).collect();
    Ok([done, strings(&refused), strings(&kept)])
}

fn strings(of: &[impl ToString]) -> Vec<String> {
    of.iter().map(ToString::to_string).collect()
}

const UPDATE: Existing = Existing::Update { lower_retention: false };
const NOTHING: [Vec<String>; 3] = [const { Vec::new() }; 3];

async fn a_queue_is_set_up_once(name: String) {
    let aws = aws().await;
    let lines = async |setup: &QueueSetup, existing: Existing| {
        done(&aws, plan_queue(&aws, &name, setup).await.unwrap(), existing).await.unwrap()
    };
    let setup = QueueSetup::default();
    let created = [format!("queue {name}_dlq: created"), format!("queue {name}: created")];
    assert_eq!(lines(&setup, Existing::Refuse).await, [created.to_vec(), vec![], vec![]]);
    assert_eq!(lines(&setup, Existing::Refuse).await, NOTHING, "a second run changes nothing");

    let queue = SqsQueue::connect(&aws, &name).await.unwrap();
    assert_eq!(queue.limits().visibility, setup.visibility);
    let dead = queue.dead_letters().await.unwrap().unwrap();
    assert!(dead.url().ends_with(&format!("/{name}_dlq")), "{}", dead.url());
    assert_eq!(dead.account(), queue.account());
    assert!(queue.account().is_some(), "{}", queue.url());
    assert!(dead.dead_letters().await.unwrap().is_none());
    let has = async |expected: &[(QueueAttributeName, &str)]| {
        let attributes = aws.sqs().get_queue_attributes().queue_url(queue.url());
        let attributes = attributes.attribute_names(QueueAttributeName::All).send().await.unwrap();
        let attributes = attributes.attributes.unwrap();
        for (name, value) in expected {
            assert_eq!(attributes.get(name).map(String::as_str), Some(*value), "{name}");
        }
    };
    let as_made = [
        (QueueAttributeName::DelaySeconds, "2"),
        (QueueAttributeName::VisibilityTimeout, "30"),
        (QueueAttributeName::MessageRetentionPeriod, "172800"),
        (QueueAttributeName::SqsManagedSseEnabled, "true"),
    ];
    has(&as_made).await;

    let fewer = QueueSetup {
        delay: setup.delay * 2,
        max_receives: 3,
        retention: setup.retention / 2,
        ..setup
    };
    let changed = [
        format!("queue {name}: DelaySeconds 2 -> 4"),
        format!("queue {name}: MessageRetentionPeriod 172800 -> 86400"),
        format!("queue {name}: maxReceiveCount 20 -> 3"),
    ];
    let [_, lower, _] = &changed;
    assert_eq!(lines(&fewer, Existing::Refuse).await, [vec![], changed.to_vec(), vec![]]);
    assert_eq!(lines(&fewer, Existing::Keep).await, [vec![], vec![], changed.to_vec()]);
    assert_eq!(lines(&fewer, UPDATE).await, [vec![], vec![lower.clone()], vec![]]);
    has(&as_made).await;
    let lower = Existing::Update { lower_retention: true };
    assert_eq!(lines(&fewer, lower).await, [changed.to_vec(), vec![], vec![]]);
    assert_eq!(lines(&fewer, Existing::Refuse).await, NOTHING);
    has(&[(QueueAttributeName::MessageRetentionPeriod, "86400")]).await;
}

async fn a_bucket_is_set_up_once(name: String) {
    let aws = aws().await;
    let lines = async |existing: Existing| make_bucket(&aws, &name, existing).await.unwrap();
    let store = S3Store::new(&aws, &name);
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let created = vec![format!("bucket {name}: created")];
    assert_eq!(lines(Existing::Refuse).await, [created, vec![], vec![]]);
    assert_eq!(lines(Existing::Refuse).await, NOTHING, "a second run changes nothing");
    store.check().await.unwrap();

    let suspended = BucketVersioningStatus::Suspended;
    let suspended = VersioningConfiguration::builder().status(suspended).build();
    let request = aws.s3().put_bucket_versioning().bucket(&name);
    request.versioning_configuration(suspended).send().await.unwrap();
    aws.s3().delete_public_access_block().bucket(&name).send().await.unwrap();
    let differences = vec![
        format!("bucket {name}: versioning Suspended -> Enabled"),
        format!("bucket {name}: PublicAccessBlock none -> all"),
    ];
    assert_eq!(lines(Existing::Refuse).await, [vec![], differences.clone(), vec![]]);
    assert_eq!(lines(UPDATE).await, [differences, vec![], vec![]]);
    assert_eq!(lines(Existing::Refuse).await, NOTHING);

    let creations = aws.requests().into_iter().find(|api| api.operation == "CreateBucket");
    assert_eq!(creations.map(|api| (api.service, api.count)), Some(("s3", 1)));
}

async fn make_bucket(aws: &Aws, name: &str, existing: Existing) -> Result<[Vec<String>; 3]> {
    done(aws, plan_bucket(aws, name, &BucketSetup::default()).await?, existing).await
}

async fn a_bucket_of_another_owner_is_refused(name: String) {
    let aws = aws().await;
    make_bucket(&aws, &name, Existing::Refuse).await.unwrap();
    let anyones = S3Store::new(&aws, &name);
    anyones.put("there", "{}".into(), PutMode::Create).await.unwrap();

    let of_other = anyones.clone().owned_by(OTHER).unwrap();
    let list = ListRequest { prefix: String::new(), after: None, max: 10 };
    let refused = [
        of_other.check().await,
        of_other.put("a", "{}".into(), PutMode::Create).await.map(drop),
        of_other.put("a", "{}".into(), PutMode::Overwrite).await.map(drop),
        of_other.get("there").await.map(drop),
        of_other.head("there").await.map(drop),
        of_other.list(list.clone()).await.map(drop),
        of_other.delete(&["there".to_owned()]).await.remove(0),
    ];
    for (index, outcome) in refused.into_iter().enumerate() {
        let error = outcome.expect_err(&format!("request {index} of those to be refused"));
        assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
        assert!(error.to_string().contains("STORE_EVENTS_BKT_OWNER"), "{error}");
    }
    let keys = anyones.list(list).await.unwrap().objects.into_iter().map(|object| object.key);
    assert_eq!(keys.collect::<Vec<_>>(), ["there"], "nothing was written or deleted");
}

async fn a_bucket_of_another_account_is_not_set_up(name: String) {
    let aws = aws().await;
    other_account().await.create_bucket().bucket(&name).send().await.unwrap();
    let error = make_bucket(&aws, &name, Existing::Refuse).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
    assert!(error.to_string().contains("belongs to another account"), "{error}");
}

async fn other_account() -> aws_sdk_s3::Client {
    let credentials = Credentials::new(OTHER, "test", None, None, "conformance");
    let aws = aws().await;
    let config = aws.s3().config().to_builder().credentials_provider(credentials).build();
    aws_sdk_s3::Client::from_conf(config)
}

async fn remove_queues(name: String) {
    let aws = aws().await;
    for name in [format!("{name}_dlq"), name] {
        if let Ok(queue) = SqsQueue::connect(&aws, &name).await {
            let _ = aws.sqs().delete_queue().queue_url(queue.url()).send().await;
        }
    }
}

async fn remove_bucket(name: String, of_other: bool) {
    let aws = aws().await;
    let client = if of_other { other_account().await } else { aws.s3() };
    // Versions and what marks them as deleted: an object alone would leave both behind.
    if let Ok(listed) = client.list_object_versions().bucket(&name).send().await {
        let versions =
            listed.versions().iter().map(|version| (version.key(), version.version_id()));
        let marks = listed.delete_markers().iter().map(|mark| (mark.key(), mark.version_id()));
        for (key, version) in versions.chain(marks) {
            let request = client.delete_object().bucket(&name);
            let request = request.set_key(key.map(Into::into));
            let _ = request.set_version_id(version.map(Into::into)).send().await;
        }
    }
    let _ = client.delete_bucket().bucket(&name).send().await;
}
