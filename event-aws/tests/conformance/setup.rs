//! Queues and buckets that are set up from nothing, and whose they are.

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::types::{BucketVersioningStatus, VersioningConfiguration};
use aws_sdk_sqs::types::QueueAttributeName;
use event_aws::{QueueSetup, S3Store, SqsQueue, setup_bucket, setup_queue};
use event_core::{ErrorKind, ListRequest, ObjectStore, PutMode, Queue};
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

async fn a_queue_is_set_up_once(name: String) {
    let aws = aws().await;
    let lines = async |setup: &QueueSetup| {
        let changes = setup_queue(&aws, &name, setup).await.unwrap();
        changes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let setup = QueueSetup::default();
    let created = [format!("queue {name}_dlq: created"), format!("queue {name}: created")];
    assert_eq!(lines(&setup).await, created);
    assert_eq!(lines(&setup).await, [""; 0], "a second run changes nothing");

    let queue = SqsQueue::connect(&aws, &name).await.unwrap();
    assert_eq!(queue.limits().visibility, setup.visibility);
    let dead = queue.dead_letters().await.unwrap().unwrap();
    assert!(dead.url().ends_with(&format!("/{name}_dlq")), "{}", dead.url());
    assert_eq!(dead.account(), queue.account());
    assert!(queue.account().is_some(), "{}", queue.url());
    assert!(dead.dead_letters().await.unwrap().is_none());
    let attributes = aws.sqs().get_queue_attributes().queue_url(queue.url());
    let attributes = attributes.attribute_names(QueueAttributeName::All).send().await.unwrap();
    let attributes = attributes.attributes.unwrap();
    for (name, value) in [
        (QueueAttributeName::DelaySeconds, "2"),
        (QueueAttributeName::VisibilityTimeout, "30"),
        (QueueAttributeName::MessageRetentionPeriod, "172800"),
        (QueueAttributeName::SqsManagedSseEnabled, "true"),
    ] {
        assert_eq!(attributes.get(&name).map(String::as_str), Some(value), "{name}");
    }

    let fewer = QueueSetup { delay: setup.delay * 2, max_receives: 3, ..setup };
    let changed = [
        format!("queue {name}: DelaySeconds 2 -> 4"),
        format!(
            "queue {name}: RedrivePolicy {name}_dlq after 20 receives -> {name}_dlq after 3 receives"
        ),
    ];
    assert_eq!(lines(&fewer).await, changed);
    assert_eq!(lines(&fewer).await, [""; 0]);
}

async fn a_bucket_is_set_up_once(name: String) {
    let aws = aws().await;
    let lines = async || {
        let changes = setup_bucket(&aws, &name).await.unwrap();
        changes.iter().map(|change| change.what.clone()).collect::<Vec<_>>()
    };
    let store = S3Store::new(&aws, &name);
    let error = store.check().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert_eq!(lines().await[..2], ["created", "versioning enabled"]);
    assert_eq!(lines().await, [""; 0], "a second run changes nothing");
    store.check().await.unwrap();

    let suspended = BucketVersioningStatus::Suspended;
    let suspended = VersioningConfiguration::builder().status(suspended).build();
    let request = aws.s3().put_bucket_versioning().bucket(&name);
    request.versioning_configuration(suspended).send().await.unwrap();
    aws.s3().delete_public_access_block().bucket(&name).send().await.unwrap();
    assert_eq!(lines().await, ["versioning enabled", "public access blocked"]);
    assert_eq!(lines().await, [""; 0]);

    let creations = aws.requests().into_iter().find(|api| api.operation == "CreateBucket");
    assert_eq!(creations.map(|api| (api.service, api.count)), Some(("s3", 1)));
}

async fn a_bucket_of_another_owner_is_refused(name: String) {
    let aws = aws().await;
    setup_bucket(&aws, &name).await.unwrap();
    let anyones = S3Store::new(&aws, &name);
    anyones.put("there", "{}".into(), PutMode::Create).await.unwrap();

    let of_other = anyones.clone().owned_by(OTHER).unwrap();
    let list = ListRequest { prefix: String::new(), after: None, max: 10 };
    let refused = [
        of_other.check().await,
        of_other.put("a", "{}".into(), PutMode::Create).await.map(drop),
        of_other.put("a", "{}".into(), PutMode::Overwrite).await.map(drop),
        of_other.self_test("").await,
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
    let error = setup_bucket(&aws, &name).await.unwrap_err();
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
