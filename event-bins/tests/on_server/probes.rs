//! The HTTP port of a pod under attack: memory and descriptors stay for the work, and probes are
//! answered.

use std::time::Duration;

use event_benches::server::{Delays, QUEUE, State};
use event_core::{Queue, QueueLimits};
use event_mem::MemQueueOptions;
use tokio::time::{sleep, timeout};

use crate::pod::Pod;
use crate::serve;

fn server() -> State {
    let server = State::new(Delays::default());
    let limits = QueueLimits { visibility: Duration::from_secs(30), ..QueueLimits::SQS };
    server.add_queue(QUEUE, MemQueueOptions { limits, ..MemQueueOptions::default() }, None);
    server
}

/// Waits until the consumer has stored and deleted everything.
async fn drained(server: &State) {
    let drained = async {
        while server.queue(QUEUE).unwrap().depth().await.unwrap().total() > 0 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), drained).await.expect("the queue does not drain");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_unfinished_heads_take_neither_memory_nor_probes() {
    let server = server();
    let address = serve(&server).await;
    let pod = Pod::start(address, None).await;
    assert_eq!(pod.get("/healthz").await, (200, "ok\n".into()));
    let (memory, descriptors) = (pod.peak_kib(), pod.descriptors());

    let mut long = b"GET /metrics HTTP/1.1\r\nx: ".to_vec();
    long.resize(300_000, b'x');
    let held = pod.attack(1_000, &long).await;
    let idle = pod.attack(1_000, b"GET /metrics HTTP/1.1\r\nHost: pod\r\n").await;
    assert_eq!(pod.get("/healthz").await, (200, "ok\n".into()));
    assert_eq!(pod.get("/readyz").await.0, 200);
    let scrape = pod.get("/metrics").await.1;
    assert!(scrape.contains("event_build_info"), "{scrape}");
    // What AWS is asked.
    let found = r#"event_aws_requests_total{service="sqs",operation="GetQueueUrl"} 1"#;
    assert!(scrape.lines().any(|line| line == found), "{scrape}");
    for api in
        [r#"service="sqs",operation="ReceiveMessage""#, r#"service="s3",operation="HeadBucket""#]
    {
        assert!(scrape.contains(api), "{scrape}");
    }

    let more = pod.descriptors().saturating_sub(descriptors);
    assert!(more < 40, "{more} descriptors more than before");
    server.fill(500).await.unwrap();
    drained(&server).await;
    let more = pod.peak_kib() - memory;
    assert!(more < 48 * 1024, "{more} KiB more than before");
    drop((held, idle));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn idle_connections_leave_descriptors_for_the_work() {
    let server = server();
    let address = serve(&server).await;
    // The work needs up to 190 of them: 64 requests at once of each kind.
    let pod = Pod::start(address, Some(256)).await;
    let held = pod.attack(400, b"").await;
    server.fill(500).await.unwrap();
    drained(&server).await;
    assert_eq!(pod.get("/healthz").await, (200, "ok\n".into()));
    assert_eq!(pod.get("/readyz").await, (200, "ok\n".into()));
    drop(held);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_pod_whose_queue_or_bucket_is_away_is_not_ready_and_lives() {
    for (refused, what) in [
        ("GetQueueAttributes", "depth: queue reliable_message_q: "),
        ("HeadBucket", "check: bucket events: "),
    ] {
        let server = server();
        let pod = Pod::start(serve(&server).await, None).await;
        // It has all that it needs then.
        let polls = async {
            while !server.counts().all().contains_key("ReceiveMessage") {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(60), polls).await.expect("it does not poll");
        server.refuse(refused);
        let (status, text) = pod.get("/readyz").await;
        assert!(status == 503 && text.starts_with(what), "{text}");
        assert_eq!(pod.get("/healthz").await, (200, "ok\n".into()));
    }
}
