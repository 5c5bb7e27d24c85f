//! Pods that are killed, and services that go away and come back.

use std::net::SocketAddr;
use std::process::Command;
use std::thread;
use std::time::Duration;

use aws_sdk_sqs::types::QueueAttributeName;
use event_core::Message;
use event_tests::endpoint;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::http;
use crate::place::{Place, block_on, made_up};
use crate::pod::{AT_SPEED, Pod};

/// Both sides run with these many messages of this seed.
fn producer(place: &Place, messages: usize, seed: u64, pause: &str) -> Command {
    let mut producer = place.program("event-producer");
    producer.args(["--seed", &seed.to_string(), "--tot-msgs-to-produce", &messages.to_string()]);
    producer.env("WAIT_SECS_BETWEEN_MSGS", pause);
    producer
}

/// Waits until nothing is left on the queue, stops the consumer, and holds what is stored against
/// what was sent.
fn all_is_stored(place: &Place, mut consumer: Pod, sent: &[Message]) {
    consumer.until("an empty queue", |_| {
        let (left, _) = block_on(async { place.clients().await.left().await });
        (left == 0).then_some(())
    });
    consumer.terminate();
    consumer.end().finished();
    block_on(async {
        let clients = place.clients().await;
        assert_eq!(clients.left().await, (0, 0), "a good message is in the dead-letter queue");
        clients.holds_exactly(sent).await;
    });
}

/// Ten SIGKILLs during a drain of 5,000.
pub(crate) fn kills() {
    const MESSAGES: usize = 5_000;
    let (place, seed) = (Place::new(), 11);
    block_on(async {
        // What a killed pod held comes back after this time.
        place.clients().await.set(QueueAttributeName::VisibilityTimeout, "5").await;
    });
    Pod::start(&mut producer(&place, MESSAGES, seed, "0")).end().finished();
    for _ in 0..10 {
        let mut consumer = Pod::start(place.program("event-consumer").envs(AT_SPEED));
        // While it puts, deletes and polls, and not after it has settled all.
        consumer.until_metric("event_consumer_stored_total", 200.0);
        consumer.kill();
    }
    let consumer = Pod::start(place.program("event-consumer").envs(AT_SPEED));
    all_is_stored(&place, consumer, &made_up(seed, MESSAGES, 0.1));
}

/// Connections to the endpoint go through here, and can be cut off and refused.
struct Proxy {
    address: SocketAddr,
    runtime: Option<Runtime>,
}

impl Proxy {
    fn new() -> Self {
        let mut proxy = Self { address: ([127, 0, 0, 1], 0).into(), runtime: None };
        proxy.open();
        proxy
    }

    fn open(&mut self) {
        let endpoint = std::env::var("AWS_ENDPOINT_URL").unwrap();
        let target = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let listener = runtime.block_on(TcpListener::bind(self.address)).unwrap();
        self.address = listener.local_addr().unwrap();
        runtime.spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                let target = target.clone();
                tokio::spawn(async move {
                    if let Ok(mut outer) = TcpStream::connect(target).await {
                        let _ = copy_bidirectional(&mut inner, &mut outer).await;
                    }
                });
            }
        });
        self.runtime = Some(runtime);
    }

    /// Ends every connection and refuses new ones.
    fn cut(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// How long the services are away.
const AWAY: Duration = Duration::from_secs(20);

/// Both pods run while the services go away; they must neither end nor lose anything, say that
/// they are not ready, and go on by themselves. `endpoint` is the variable by which the pods find
/// what goes away, and where it is. Answers the metrics of the consumer after that.
fn survives(
    seed: u64,
    endpoint: Option<(&str, &str)>,
    away: impl FnOnce(&mut dyn FnMut()),
) -> String {
    const MESSAGES: usize = 3_000;
    let place = Place::new();
    let (mut producer, mut consumer) =
        (producer(&place, MESSAGES, seed, "0.008"), place.program("event-consumer"));
    consumer.envs(AT_SPEED);
    // Without any, the only puts are those of events.
    producer.env("TRIGGER_RANDOM_FAILURES", "false");
    if let Some((variable, url)) = endpoint {
        producer.env(variable, url);
        consumer.env(variable, url);
    }
    let (producer, mut consumer) = (Pod::start(&mut producer), Pod::start(&mut consumer));
    consumer.until_metric("event_consumer_stored_total", 200.0);
    let port = consumer.port();
    away(&mut || {
        consumer
            .until("a probe that fails", |_| (http::get(port, "/readyz").0 == 503).then_some(()));
        thread::sleep(AWAY);
        assert_eq!(
            http::get(port, "/healthz").0,
            200,
            "an outage is not a reason to restart a pod"
        );
    });
    consumer.until("readiness", |_| (http::get(port, "/readyz").0 == 200).then_some(()));
    assert_eq!(producer.end().finished()["sent"], MESSAGES);
    let scrape = http::get(port, "/metrics").1;
    all_is_stored(&place, consumer, &made_up(seed, MESSAGES, 0.0));
    scrape
}

/// Cuts off what the pods find by this variable, as if it were stopped and started again. This
/// operation, at least, must have been tried again meanwhile.
fn survives_a_cut(seed: u64, variable: &str, operation: &str) {
    let mut proxy = Proxy::new();
    let url = proxy.url();
    let scrape = survives(seed, Some((variable, &url)), |meanwhile| {
        proxy.cut();
        meanwhile();
        proxy.open();
    });
    let retries = format!("event_consumer_retries_total{{operation=\"{operation}\"");
    assert!(scrape.contains(&retries), "{operation} was not tried again\n{scrape}");
}

pub(crate) fn refused() {
    survives_a_cut(12, "AWS_ENDPOINT_URL", "receive");
}

/// The queue goes on, so that messages come which cannot be stored.
pub(crate) fn store_refused() {
    survives_a_cut(14, "AWS_ENDPOINT_URL_S3", "put");
}

/// The services take requests and answer none: `docker pause`.
pub(crate) fn frozen() {
    let container = std::env::var(endpoint::CONTAINER).unwrap();
    let docker = |verb: &str| {
        let status = Command::new("docker").args([verb, &container]).output().unwrap().status;
        assert!(status.success(), "docker {verb}");
    };
    survives(13, None, |meanwhile| {
        docker("pause");
        meanwhile();
        docker("unpause");
    });
}
