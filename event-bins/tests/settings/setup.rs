//! What `eventctl setup` says and does of queues that are there, or are not.

use crate::service::{Answer, Service};
use crate::{stderr, with_credentials};

/// Both queues have these, in which the one and its dead-letter queue are alike.
const AS_WANTED: &str = r#"{"QueueUrl": "http://127.0.0.1/000000000000/orders", "Attributes": {
    "SqsManagedSseEnabled": "true", "MessageRetentionPeriod": "1209600", "DelaySeconds": "2",
    "VisibilityTimeout": "30", "RedrivePolicy": "{\"deadLetterTargetArn\":\"arn:aws:sqs:us-east-1:000000000000:orders_dlq\",\"maxReceiveCount\":20}"}}"#;
const MISSING: &str = r#"{"__type": "com.amazonaws.sqs#QueueDoesNotExist", "message": "no"}"#;

/// The exit status, the lines on standard output, the last one on standard error, and what was
/// asked that does not only read.
fn setup(answer: Answer, arguments: &[&str]) -> (i32, Vec<String>, String, Vec<String>) {
    let service = Service::start(answer);
    let mut eventctl = with_credentials("eventctl");
    eventctl.env("AWS_ENDPOINT_URL", &service.url).env("RELIABLE_QUEUE_NAME", "orders");
    eventctl.args(["setup", "--retention-secs", "1209600"]).args(arguments);
    let output = eventctl.output().unwrap();
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    let last = stderr(&output).lines().last().unwrap_or_default().to_owned();
    let asked = service.asked().into_iter().filter(|asked| !asked.starts_with("get"));
    let told = told.lines().map(str::to_owned).collect();
    (output.status.code().unwrap(), told, last, asked.collect())
}

#[test]
fn what_is_as_wanted_is_told_in_one_line_and_left_alone() {
    for arguments in [&[][..], &["--dry-run"], &["--existing", "update"]] {
        let (status, told, last, asked) = setup(|_| (200, AS_WANTED), arguments);
        assert_eq!((status, &*last), (0, ""), "{arguments:?}");
        assert_eq!(told, ["all is as it should be: nothing was changed"]);
        assert!(asked.is_empty(), "{asked:?}");
    }
}

#[test]
fn a_difference_is_refused_kept_or_set_as_is_asked_for() {
    const OTHER: [&str; 2] = ["--visibility-secs", "31"];
    let with = |arguments: &[&str]| setup(|_| (200, AS_WANTED), &[&OTHER[..], arguments].concat());
    let change = "queue orders: VisibilityTimeout 30 -> 31";
    let (status, told, last, asked) = with(&[]);
    assert_eq!(status, 5, "{last}");
    let keep = "keep it with --visibility-secs 30, change it with --existing update";
    assert_eq!(told, [format!("refused: {change}; {keep}")]);
    assert!(last.starts_with("eventctl: 1 setting differs from what is there"), "{last}");
    assert!(asked.is_empty(), "{asked:?}");

    let (status, told, last, asked) = with(&["--existing", "keep"]);
    assert_eq!((status, told), (0, vec![format!("kept: {change}")]), "{last}");
    assert!(asked.is_empty(), "{asked:?}");

    let (status, told, last, asked) = with(&["--existing", "update", "--dry-run"]);
    assert_eq!((status, told), (5, vec![format!("to do: {change}")]), "{last}");
    assert!(last.contains("this was a dry run") && asked.is_empty(), "{last}");

    let (status, told, last, asked) = with(&["--existing", "update"]);
    assert_eq!(
        (status, told, asked),
        (0, vec![change.to_owned()], vec!["setqueueattributes".to_owned()]),
        "{last}"
    );

    let (status, told, last, _) = with(&["--delay-secs", "3"]);
    assert_eq!((status, told.len()), (5, 2), "{told:?}");
    assert!(last.contains("2 settings differ from what is there"), "{last}");
}

#[test]
fn a_dry_run_creates_nothing_and_tells_what_is_missing() {
    for existing in ["refuse", "keep", "update"] {
        let arguments = ["--dry-run", "--existing", existing];
        let (status, told, last, asked) = setup(|_| (400, MISSING), &arguments);
        assert_eq!(status, 5, "{last}");
        assert_eq!(told, ["to do: queue orders_dlq: created", "to do: queue orders: created"]);
        assert!(asked.is_empty(), "{asked:?}");
    }
}

/// What differs and is kept is nothing to do.
#[test]
fn a_dry_run_that_would_keep_all_that_differs_has_nothing_to_do() {
    let arguments = ["--dry-run", "--existing", "keep", "--visibility-secs", "31"];
    let (status, told, last, asked) = setup(|_| (200, AS_WANTED), &arguments);
    assert_eq!((status, &*last), (0, ""));
    assert_eq!(told, ["kept: queue orders: VisibilityTimeout 30 -> 31"]);
    assert!(asked.is_empty(), "{asked:?}");
}

/// Its name may be taken, and then no queue is made either.
#[test]
fn a_bucket_comes_before_the_queues() {
    let answer: Answer = |asked| match asked {
        "get" => (200, "<ListAllMyBucketsResult><Buckets></Buckets></ListAllMyBucketsResult>"),
        "put" => (409, "<Error><Code>BucketAlreadyExists</Code></Error>"),
        _ => (400, MISSING),
    };
    let bucket = ["--store-events-bkt", "events"];
    let (status, told, last, asked) = setup(answer, &[&bucket[..], &["--dry-run"]].concat());
    assert_eq!(status, 5, "{last}");
    let expected = ["bucket events: created", "queue orders_dlq: created", "queue orders: created"];
    assert_eq!(told, expected.map(|line| format!("to do: {line}")));
    assert!(asked.is_empty(), "{asked:?}");

    let (status, told, last, asked) = setup(answer, &bucket);
    assert_eq!((status, told.len()), (2, 0), "{last}");
    assert!(last.contains("belongs to another account"), "{last}");
    assert_eq!(asked, ["put"]);
}

/// SQS deletes at once what is older.
#[test]
fn a_retention_is_lowered_only_by_a_flag_of_its_own() {
    let lower = ["--retention-secs", "60", "--existing", "update"];
    let run = |arguments: &[&str]| {
        let service = Service::start(|_| (200, AS_WANTED));
        let mut eventctl = with_credentials("eventctl");
        eventctl.env("AWS_ENDPOINT_URL", &service.url).env("RELIABLE_QUEUE_NAME", "orders");
        let status = eventctl.arg("setup").args(arguments).output().unwrap().status.code();
        (status, service.asked().contains(&"setqueueattributes".to_owned()))
    };
    assert_eq!(run(&lower), (Some(5), false));
    assert_eq!(run(&[&lower[..], &["--lower-retention"]].concat()), (Some(0), true));
}
