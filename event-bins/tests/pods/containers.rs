//! The pods as containers, on a network of their own.

use std::thread;
use std::time::{Duration, Instant};

use event_aws::AwsOptions;
use event_core::Retail;
use event_core::schema::retail::Event;
use event_tests::endpoint::localstack;
use event_tests::testcontainers::runners::SyncRunner;
use event_tests::testcontainers::{Container, GenericImage, ImageExt};

use crate::place::{Place, block_on, made_up};

/// What `eks/image` makes.
pub(crate) const IMAGE: &str = "event-processor:local";

const EVENTS: usize = 2_000;
const SEED: u64 = 21;

struct Network {
    name: String,
    localstack: String,
    place: Place,
}

impl Network {
    /// A pod as the manifests run it: without rights, on a root that cannot be written to.
    fn pod(&self, command: &[&str], settings: &[(&str, &str)]) -> Container<GenericImage> {
        let (image, tag) = IMAGE.split_once(':').unwrap();
        let mut pod = GenericImage::new(image, tag)
            .with_cmd(command.iter().copied())
            .with_network(&self.name)
            .with_readonly_rootfs(true)
            .with_cap_drop("ALL")
            .with_security_opt("no-new-privileges")
            .with_env_var("AWS_ENDPOINT_URL", format!("http://{}:4566", self.localstack))
            .with_env_var("AWS_REGION", "us-east-1")
            .with_env_var("AWS_ACCESS_KEY_ID", "test")
            .with_env_var("AWS_SECRET_ACCESS_KEY", "test")
            .with_env_var("RELIABLE_QUEUE_NAME", &self.place.queue)
            .with_env_var("STORE_EVENTS_BKT", &self.place.bucket);
        for (name, value) in settings {
            pod = pod.with_env_var(*name, *value);
        }
        pod.start().unwrap()
    }
}

/// Waits for the end of a container; fails unless it is one with success.
fn succeeds(pod: &Container<GenericImage>) {
    let start = Instant::now();
    let code = loop {
        if let Some(code) = pod.exit_code().unwrap() {
            break code;
        }
        assert!(start.elapsed() < Duration::from_secs(180), "it does not end");
        thread::sleep(Duration::from_millis(50));
    };
    let log = pod.stderr_to_vec().unwrap();
    assert_eq!(code, 0, "{}", String::from_utf8_lossy(&log));
}

/// The producer sends 2,000 events to LocalStack, the consumer stores them: accounts balance,
/// objects are the bytes that were sent.
pub(crate) fn path() {
    let name = format!("event-pods-{:016x}", fastrand::u64(..));
    let host = format!("{name}-localstack");
    let services = localstack().with_network(&name).with_container_name(&host).start().unwrap();
    let network = Network { name, localstack: host, place: Place::named() };

    succeeds(&network.pod(&["eventctl", "setup"], &[]));
    let seed = SEED.to_string();
    let total = EVENTS.to_string();
    let producer = network.pod(
        &["event-producer", "--seed", &seed],
        &[("TOT_MSGS_TO_PRODUCE", &total), ("WAIT_SECS_BETWEEN_MSGS", "0.001")],
    );
    let consumer = network.pod(
        &["event-consumer"],
        &[
            ("TOT_MSGS_TO_PROCESS", &total),
            ("MAX_MSGS_PER_BATCH", "10"),
            ("MSG_POLL_BACKOFF", "0"),
            ("MSG_PROCESS_DELAY", "0"),
        ],
    );
    succeeds(&producer);
    succeeds(&consumer);

    let port = services.get_host_port_ipv4(4566).unwrap();
    let sent = made_up(SEED, EVENTS, 0.1);
    block_on(async {
        let options = AwsOptions {
            endpoint: Some(format!("http://127.0.0.1:{port}")),
            ..AwsOptions::default()
        };
        let clients = network.place.clients_at(options).await;
        clients.holds_exactly(&sent).await;
        assert_eq!(clients.left().await, (0, 0));
        let reasons = sent.iter().filter_map(|message| Event::parse(message).err());
        let bad = reasons.filter(|reason| reason.code() == Retail::BAD_MSG).count();
        assert!(bad > 100, "{bad}");
        let quarantined = event_core::store::list_all(&clients.store, "quarantine/").await.unwrap();
        assert_eq!(quarantined.len(), bad);
    });
}
