//! The HTTP port of a pod under attack: memory and descriptors stay for the work, and probes are
//! answered.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::time::Duration;

use event_benches::server::{Delays, QUEUE, State};
use event_core::{Queue, QueueLimits};
use event_mem::MemQueueOptions;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStderr;
use tokio::time::{sleep, timeout};

use crate::{program, serve};

/// Kubernetes gives up a probe after so long.
const PROBE: Duration = Duration::from_secs(5);

/// A consumer with a port of its own, which ends with this.
struct Pod {
    child: Child,
    port: u16,
}

impl Pod {
    /// With at most so many descriptors, if there is a number.
    async fn start(address: SocketAddr, descriptors: Option<u32>) -> Self {
        let path = env!("CARGO_BIN_EXE_event-consumer");
        let mut consumer = match descriptors {
            None => program(path, address),
            Some(descriptors) => {
                let mut shell = program("/bin/sh", address);
                shell.args(["-c", &format!("ulimit -n {descriptors}; exec \"$0\""), path]);
                shell
            }
        };
        consumer.envs([
            ("TOT_MSGS_TO_PROCESS", "unlimited"),
            ("MAX_MSGS_PER_BATCH", "10"),
            ("MSG_POLL_BACKOFF", "0"),
            ("MSG_PROCESS_DELAY", "0"),
            ("HTTP_PORT", "0"),
            ("LOG_FORMAT", "json"),
        ]);
        let mut child = consumer.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let log = ChildStderr::from_std(child.stderr.take().unwrap()).unwrap();
        let mut lines = BufReader::new(log).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("it ends before it serves probes");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            let port = line["address"].as_str().and_then(|address| address.rsplit(':').next());
            if let Some(port) = port {
                break port.parse().unwrap();
            }
        };
        // Nobody reads on: what it logs must not stop it.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, port }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.port)).await.unwrap()
    }

    /// Opens so many connections one after the other, of which as many are held as a process may
    /// have without asking for more, and sends this on each.
    async fn attack(&self, connections: usize, sent: &[u8]) -> VecDeque<TcpStream> {
        let mut held = VecDeque::new();
        for _ in 0..connections {
            let mut stream = self.connect().await;
            // One that was closed is no news, nor one that takes no more.
            let _ = timeout(Duration::from_secs(1), stream.write_all(sent)).await;
            held.push_back(stream);
            if held.len() > 500 {
                held.pop_front();
            }
        }
        held
    }

    /// Status and body, as a probe would get them in time.
    async fn get(&self, path: &str) -> (u16, String) {
        let answer = async {
            let mut stream = self.connect().await;
            let request = format!("GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
        };
        timeout(PROBE, answer).await.unwrap_or_else(|_| panic!("{path} is not answered in time"))
    }

    /// The most memory that it ever had, in KiB.
    fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    fn descriptors(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap().count()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
