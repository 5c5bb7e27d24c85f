//! What an operator does and sees: set up, get a setting wrong, stop, look.

use std::collections::BTreeSet;
use std::process::{Command, Output};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use event_core::Queue;

use crate::http;
use crate::place::{Place, block_on};
use crate::pod::{AT_SPEED, Pod, refusal};

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn setup() {
    let place = Place::named();
    let made = stdout(&place.eventctl(&["setup"]));
    for line in [
        format!("queue {}: created", place.queue),
        format!("queue {}_dlq: created", place.queue),
        format!("bucket {}: created", place.bucket),
    ] {
        assert!(made.lines().any(|made| made == line), "{line} is not in\n{made}");
    }
    let unchanged = "all is as it should be: nothing was changed\n";
    assert_eq!(stdout(&place.eventctl(&["setup"])), unchanged);
    let of_queue = [QueueAttributeName::DelaySeconds, QueueAttributeName::MessageRetentionPeriod];
    let values = async || {
        let clients = place.clients().await;
        let request = clients.aws.sqs().get_queue_attributes().queue_url(clients.queue.url());
        let request = request.set_attribute_names(Some(of_queue.to_vec()));
        let attributes = request.send().await.unwrap().attributes.unwrap();
        of_queue.clone().map(|name| attributes[&name].clone())
    };
    block_on(async {
        let clients = place.clients().await;
        clients.set(QueueAttributeName::DelaySeconds, "7").await;
        clients.set(QueueAttributeName::MessageRetentionPeriod, "1209600").await;
    });
    let run = |flags: &[&str]| {
        let output = place.eventctl(&[&["setup"], flags].concat());
        (output.status.code(), stdout(&output))
    };
    let refused = [
        format!(
            "refused: queue {}: DelaySeconds 7 -> 2; keep it with --delay-secs 7, change it with \
             --existing update\n",
            place.queue
        ),
        format!(
            "refused: queue {}: MessageRetentionPeriod 1209600 -> 172800; keep it with \
             --retention-secs 1209600, lower it, which deletes messages, with --existing update \
             --lower-retention\n",
            place.queue
        ),
    ];
    for flags in [&[][..], &["--dry-run"]] {
        assert_eq!(run(flags), (Some(5), refused.concat()));
    }
    assert_eq!(run(&["--existing", "update"]), (Some(5), refused[1].clone()));
    let (code, kept) = run(&["--existing", "keep"]);
    assert_eq!((code, kept.matches("kept: ").count()), (Some(0), 2), "{kept}");
    let as_there = ["--delay-secs", "7", "--retention-secs", "1209600"];
    assert_eq!(run(&as_there), (Some(0), unchanged.to_owned()));
    assert_eq!(block_on(values()), ["7", "1209600"], "nothing was changed so far");

    let lower = ["--existing", "update", "--lower-retention"];
    let (code, planned) = run(&[&lower[..], &["--dry-run"]].concat());
    assert_eq!((code, planned.matches("to do: ").count()), (Some(5), 2), "{planned}");
    assert_eq!(block_on(values()), ["7", "1209600"], "a dry run changes nothing");
    let (code, changed) = run(&lower);
    assert_eq!((code, changed.replace("to do: ", "")), (Some(0), planned.replace("to do: ", "")));
    assert_eq!(block_on(values()), ["2", "172800"]);
    assert_eq!(run(&["--dry-run"]), (Some(0), unchanged.to_owned()));
}

/// What is gone, as after a restart of an emulator, is made again, until a signal ends it.
pub(crate) fn forgotten() {
    let place = Place::new();
    let mut eventctl = place.program("eventctl");
    let mut eventctl = eventctl.args(["setup", "--every-secs", "1"]).spawn().unwrap();
    block_on(async {
        let clients = place.clients().await;
        clients.delete_bucket().await;
        let start = Instant::now();
        while clients.store.check().await.is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "the bucket is not made again");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let id = eventctl.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    assert_eq!(eventctl.wait().unwrap().code(), Some(0));
    assert_eq!(place.eventctl(&["setup", "--dry-run"]).status.code(), Some(0));
}

/// Only CloudWatch knows it. That of the container learns it from this case, not from its queue.
pub(crate) fn age() {
    let place = Place::new();
    assert!(place.status()["queue"]["oldest_s"].is_null());
    block_on(async {
        use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};

        let datum = MetricDatum::builder()
            .metric_name("ApproximateAgeOfOldestMessage")
            .dimensions(Dimension::builder().name("QueueName").value(&place.queue).build())
            .timestamp((SystemTime::now() - Duration::from_secs(60)).into())
            .value(77.0);
        let request = place.clients().await.aws.cloudwatch().put_metric_data();
        let request = request.namespace("AWS/SQS").metric_data(datum.build());
        request.send().await.unwrap();
    });
    let status = place.status();
    assert_eq!(status["queue"]["oldest_s"], 77, "{status}");
    assert!(status["dead_letters"]["oldest_s"].is_null(), "{status}");
}

fn send(place: &Place, arguments: &[&str]) {
    let mut producer = place.program("event-producer");
    producer.args(arguments).env("WAIT_SECS_BETWEEN_MSGS", "0");
    Pod::start(&mut producer).end().finished();
}

/// Each is told in one line, ends the pod with status 2, and no message was received.
pub(crate) fn wrong_settings() {
    let (place, elsewhere) = (Place::new(), Place::named());
    send(&place, &["--tot-msgs-to-produce", "1"]);
    // Whose bucket it is, emulators do not look at: `tests/settings` has that case.
    let cases: [(&str, &str, &str); 5] = [
        ("RELIABLE_QUEUE_NAME", &elsewhere.queue, &elsewhere.queue),
        ("STORE_EVENTS_BKT", &elsewhere.bucket, &elsewhere.bucket),
        ("STORE_EVENTS_BKT_OWNER", "12", "STORE_EVENTS_BKT_OWNER"),
        ("AWS_REGION", "eu-west-3", "AWS_REGION"),
        ("STORE_EVENTS_BKT", "No_Bucket", "STORE_EVENTS_BKT"),
    ];
    for (variable, value, named) in cases {
        let (code, text) = refusal(place.program("event-consumer").env(variable, value));
        assert_eq!(code, Some(2), "{variable}={value}: {text}");
        assert_eq!(text.lines().count(), 1, "{variable}={value}: {text}");
        assert!(text.contains(named), "{variable}={value}: {text}");
    }
    let untouched = block_on(async {
        let clients = place.clients().await;
        let request = clients.aws.sqs().receive_message().queue_url(clients.queue.url());
        let count = MessageSystemAttributeName::ApproximateReceiveCount;
        let request = request.message_system_attribute_names(count.clone()).wait_time_seconds(5);
        let answer = request.send().await.unwrap();
        answer.messages()[0].attributes().unwrap()[&count] == "1"
    });
    assert!(untouched, "a pod that refused its settings received a message");
}

/// SIGTERM in the middle of a backlog: everything that was received is stored and deleted or back
/// on the queue, long before Kubernetes would kill.
pub(crate) fn stop() {
    let place = Place::new();
    send(&place, &["--tot-msgs-to-produce", "2000"]);
    let mut consumer = Pod::start(place.program("event-consumer").envs(AT_SPEED));
    consumer.until_metric("event_consumer_stored_total", 100.0);
    let start = Instant::now();
    consumer.terminate();
    let finished = consumer.end().finished();
    assert!(start.elapsed() < Duration::from_secs(25), "{:?}", start.elapsed());
    assert_eq!(finished["abandoned"], 0, "{finished}");
    let deleted = finished["deleted"].as_u64().unwrap();
    assert!((100..2000).contains(&deleted), "{deleted}");
    let depth = block_on(async { place.clients().await.queue.depth().await.unwrap() });
    // Some may not have come out of the delay of the queue yet.
    assert_eq!((depth.in_flight, depth.visible + depth.delayed), (0, 2000 - deleted));
}

pub(crate) fn probes() {
    let place = Place::new();
    let mut consumer = Pod::start(place.program("event-consumer").envs(AT_SPEED));
    let port = consumer.port();
    assert_eq!(http::get(port, "/healthz"), (200, "ok\n".into()));
    consumer.until("readiness", |_| (http::get(port, "/readyz").0 == 200).then_some(()));
    block_on(async {
        place.clients().await.delete_bucket().await;
    });
    let what = consumer.until("the missing bucket", |_| {
        let (status, what) = http::get(port, "/readyz");
        (status == 503).then_some(what)
    });
    assert!(what.contains(&place.bucket), "{what}");
    // The bucket can be mended while the pod waits: to restart it would not help.
    assert_eq!(http::get(port, "/healthz").0, 200);
    assert_eq!(http::get(port, "/elsewhere").0, 404);
    consumer.terminate();
    consumer.end().finished();
}

/// What was received is stored, a duplicate, quarantined, given back or held; and every request is
/// counted by the name that AWS gives it.
pub(crate) fn metrics() {
    let place = Place::new();
    send(&place, &["--tot-msgs-to-produce", "400", "--duplicate-rate", "0.3"]);
    let mut consumer = Pod::start(place.program("event-consumer").envs(AT_SPEED));
    consumer.until_metric("event_consumer_deleted_total", 400.0);
    let scrape = http::get(consumer.port(), "/metrics").1;
    let sum = |metric: &str| http::sum(&scrape, &format!("event_consumer_{metric}"));
    let received = sum("received_total");
    let ends = ["stored_total", "duplicates_total", "quarantined_total", "released_total"];
    assert_eq!(received, ends.map(sum).iter().sum::<f64>() + sum("in_flight"), "{scrape}");
    assert_eq!((received, sum("deleted_total")), (400.0, 400.0));
    assert!(sum("duplicates_total") > 50.0 && sum("quarantined_total") > 10.0, "{scrape}");
    assert_eq!((sum("in_flight"), sum("held_bytes")), (0.0, 0.0));
    assert_eq!(sum("age_at_store_seconds_count"), sum("stored_total"));
    assert_eq!(sum("flush_messages_sum"), received);
    let apis: BTreeSet<_> = scrape
        .lines()
        .filter(|line| line.starts_with("event_aws_requests_total"))
        .filter_map(|line| line.split("operation=\"").nth(1)?.split('"').next())
        .collect();
    let expected = [
        "DeleteMessageBatch",
        "GetObject",
        "GetQueueAttributes",
        "GetQueueUrl",
        "HeadBucket",
        "ListObjectsV2",
        "PutObject",
        "ReceiveMessage",
    ];
    assert_eq!(apis, BTreeSet::from(expected), "{scrape}");
    consumer.terminate();
    consumer.end().finished();
}
