//! Consumers that write many events into one object, killed a hundred times in the middle of their
//! work.

use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::Duration;

use event_benches::of_today;
use event_benches::server::{Delays, QUEUE, State};
use event_core::maintain::{Audit, Expected, ExpectedEvents, Verdict};
use event_core::{EventSource, Layout, Queue, QueueLimits, Retail, Shutdown};
use event_mem::MemQueueOptions;
use tokio::time::{Instant, sleep, timeout};

use crate::{program, serve};

const EVENTS: usize = 60_000;
const KILLS: usize = 100;
const PODS: usize = 2;

/// A consumer as its own process, which ends with this.
struct Pod(Child);

impl Pod {
    fn start(address: SocketAddr) -> Self {
        let mut consumer = program(env!("CARGO_BIN_EXE_event-consumer"), address);
        consumer.envs([
            ("TOT_MSGS_TO_PROCESS", "unlimited"),
            ("MAX_MSGS_PER_BATCH", "10"),
            ("MSG_POLL_BACKOFF", "0"),
            ("MSG_PROCESS_DELAY", "0"),
            ("OBJECT_LAYOUT", "batch"),
            ("BATCH_MAX_EVENTS", "50"),
            ("BATCH_MAX_AGE_SECS", "0.5"),
            ("LOG_LEVEL", "error"),
        ]);
        Self(consumer.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn requests(server: &State) -> u64 {
    server.counts().all().values().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_kills_lose_nothing_and_store_nothing_twice() {
    let server = State::new(Delays { sqs: Duration::from_millis(1), s3: Duration::from_millis(5) });
    // What a killed consumer held comes back after this time.
    let limits = QueueLimits { visibility: Duration::from_secs(2), ..QueueLimits::SQS };
    server.add_queue(QUEUE, MemQueueOptions { limits, ..MemQueueOptions::default() }, None);
    let mut events = of_today(0, 0.0);
    let mut sent = ExpectedEvents::new(Arc::new(Retail::default()));
    let (mut same, mut left) = (events.clone(), EVENTS);
    while left > 0 {
        let batch = same.next_batch(left).await.unwrap();
        batch.iter().for_each(|message| sent.add_message(message));
        left -= batch.len();
    }
    server.fill_from(&mut events, EVENTS).await.unwrap();
    let address = serve(&server).await;

    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut pods = [(); PODS].map(|()| Pod::start(address));
    for kill in 0..KILLS {
        // By what was done, not by the clock, so that they are at work.
        let then = requests(&server) + rng.u64(20..200);
        let work = async {
            while requests(&server) < then {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(Duration::from_secs(60), work).await.expect("the consumers do nothing");
        let left = server.queue(QUEUE).unwrap().depth().await.unwrap().total();
        assert!(left > 0, "all was done after {kill} kills: more events would do");
        let victim = &mut pods[rng.usize(..PODS)];
        *victim = Pod::start(address);
    }
    // However slow the machine is, the queue gets shorter and shorter.
    let (mut left, mut shorter) = (u64::MAX, Instant::now());
    while left > 0 {
        let now = server.queue(QUEUE).unwrap().depth().await.unwrap().total();
        if now < left {
            (left, shorter) = (now, Instant::now());
        }
        assert!(shorter.elapsed() < Duration::from_secs(60), "{left} messages do not drain");
        sleep(Duration::from_millis(20)).await;
    }
    drop(pods);

    let there = server.outcome().await.unwrap();
    // Of each it is known when it was sent, so none is another than those that were.
    let known = there.send_to_durable.len();
    assert_eq!((there.stored, known, there.twice, there.quarantined), (EVENTS, EVENTS, 0, 0));
    let audit = Audit::new(
        Arc::new(server.store().clone()),
        Layout::default(),
        Arc::new(Retail::default()),
    );
    let audit = audit.expected(Expected::Events(sent));
    let report = audit.run(&Shutdown::never()).await.unwrap();
    assert_eq!(report.verdict, Verdict::Balanced, "{report:?}");
}
