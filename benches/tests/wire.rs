//! The server speaks the protocols: `SqsQueue` and `S3Store` keep every promise on it, so that what
//! is measured there is what they do with SQS and S3.
#![allow(clippy::unwrap_used, reason = "a panic is how a case fails")]

use std::net::Ipv4Addr;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use event_aws::{Aws, AwsOptions, S3Store, SqsQueue};
use event_benches::server::{BUCKET, Delays, State};
use event_core::{ObjectStore, Queue, async_trait};
use event_mem::{MemQueueOptions, Redrive};
use event_tests::conformance::{
    Backend, Clock, QueueBackend, StoreBackend, queue_trials, store_trials,
};
use event_tests::libtest_mimic::{Arguments, run};
use tokio::net::TcpListener;

/// Of the queue.
const LACKS: [(&str, &str); 2] = [
    ("depth_tells_the_age_of_the_oldest", "SQS tells it to CloudWatch alone"),
    (
        "an_abandoned_receive_takes_nothing",
        "SQS hides what it sends to a client that has gone away",
    ),
];

fn main() -> ExitCode {
    // Where the SDK looks for credentials; the environment of this process cannot be changed
    // safely, so another one gets it.
    if std::env::var_os("AWS_ACCESS_KEY_ID").is_none() {
        let mut again = Command::new(std::env::current_exe().unwrap());
        again.args(std::env::args_os().skip(1));
        again.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        let ended = again.status().unwrap();
        return ExitCode::from(ended.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1));
    }
    let server = Server::start();
    let mut trials = queue_trials(Server { lacks: &LACKS, ..server.clone() });
    trials.extend(store_trials(server));
    run(&Arguments::from_args(), trials).exit_code()
}

/// One server for all cases.
#[derive(Clone)]
struct Server {
    endpoint: String,
    state: State,
    queues: Arc<AtomicU64>,
    lacks: &'static [(&'static str, &'static str)],
}

impl Server {
    fn start() -> Self {
        let (ready, is_ready) = mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                let endpoint = format!("http://{}", listener.local_addr().unwrap());
                let state = State::new(Delays::default());
                let server =
                    Self { endpoint, state: state.clone(), queues: Arc::default(), lacks: &[] };
                ready.send(server).unwrap();
                state.serve(listener).await.unwrap();
            });
        });
        is_ready.recv().unwrap()
    }

    /// Clients of its own for each case: connections belong to the runtime that made them.
    async fn aws(&self) -> Aws {
        let (region, endpoint) = (Some("us-east-1".into()), Some(self.endpoint.clone()));
        AwsOptions { region, endpoint }.load().await.unwrap()
    }

    fn name(&self) -> String {
        format!("queue-{}", self.queues.fetch_add(1, Ordering::Relaxed))
    }

    async fn connect(&self, name: &str) -> Arc<dyn Queue> {
        Arc::new(SqsQueue::connect(&self.aws().await, name).await.unwrap())
    }
}

impl Backend for Server {
    fn name(&self) -> &str {
        "wire"
    }

    fn clock(&self) -> Clock {
        Clock::WALL
    }

    fn lacks(&self) -> &[(&'static str, &'static str)] {
        self.lacks
    }
}

#[async_trait]
impl QueueBackend for Server {
    async fn queue(&self, delay: Duration) -> Arc<dyn Queue> {
        let name = self.name();
        let options = MemQueueOptions { delay, ..MemQueueOptions::default() };
        self.state.add_queue(&name, options, None);
        self.connect(&name).await
    }

    async fn queue_with_dead_letters(&self, max_receives: u32) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let (name, dead) = (self.name(), self.name());
        self.state.add_queue(&dead, MemQueueOptions::default(), None);
        let dead_letter = self.state.queue(&dead).unwrap();
        let redrive = Some(Redrive { max_receives, dead_letter });
        let options = MemQueueOptions { redrive, ..MemQueueOptions::default() };
        self.state.add_queue(&name, options, Some(&dead));
        (self.connect(&name).await, self.connect(&dead).await)
    }
}

#[async_trait]
impl StoreBackend for Server {
    async fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(S3Store::new(&self.aws().await, BUCKET))
    }
}
