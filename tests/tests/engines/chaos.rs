//! Everything fails now and then, pods come and go, and each event is stored once all the same.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_core::{
    BatchLimits, Consumer, ConsumerOptions, Error, ErrorKind, Layout, Message, ObjectStore,
    Producer, ProducerOptions, Queue, QueueLimits, Retry, RetryBackoff, Shutdown, StoreWriter,
};
use event_mem::{Duplicates, MemQueue, MemQueueOptions, MemStore, Scripted, Shared};
use event_tests::Faulty;
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::support::{consumer, drained, events, keys, sale};

/// Faults stop after this much time, so that the queue can drain.
const STORM: Duration = Duration::from_secs(600);

/// One world: a queue and a store, and how often a call to them fails.
#[derive(Clone)]
struct World {
    queue: MemQueue,
    store: MemStore,
    rng: Arc<Mutex<Rng>>,
    fault_rate: f64,
    calm: Instant,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let limits = QueueLimits { cancel_safe_receive: rng.bool(), ..QueueLimits::SQS };
        let delay = Duration::from_secs(rng.u64(0..3));
        Self {
            queue: MemQueue::new(MemQueueOptions { delay, limits, ..MemQueueOptions::default() }),
            store: MemStore::new(),
            fault_rate: rng.f64() * 0.4,
            rng: Arc::new(Mutex::new(rng)),
            calm: Instant::now() + STORM,
        }
    }

    fn random<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.rng.lock().unwrap())
    }

    fn fault(&self) -> Option<Error> {
        use ErrorKind::{Ambiguous, Throttled, Transient, Unknown};
        let fails = Instant::now() < self.calm && self.random(Rng::f64) < self.fault_rate;
        let kind = self.random(|rng| rng.choice([Ambiguous, Throttled, Transient, Unknown]));
        fails.then(|| Error::new(kind.unwrap_or(Unknown), "chaos", "on purpose"))
    }

    fn queue(&self) -> Arc<dyn Queue> {
        let world = self.clone();
        Arc::new(Faulty::new(self.queue.clone(), move |_| world.fault()))
    }

    fn store(&self) -> Arc<dyn ObjectStore> {
        let world = self.clone();
        Arc::new(Faulty::new(self.store.clone(), move |_| world.fault()))
    }

    fn retry(&self) -> Retry {
        let rng = Rng::with_seed(self.random(|rng| rng.u64(..)));
        Retry::new(RetryBackoff::default(), rng, Arc::new(()))
    }

    fn consumer(&self) -> Consumer {
        let batch = BatchLimits {
            count: self.random(|rng| rng.usize(1..40)),
            bytes: 1_000_000,
            linger: Duration::from_millis(self.random(|rng| rng.u64(0..2000))),
        };
        let options = ConsumerOptions {
            batch,
            max_messages: self.random(|rng| rng.usize(10..100)),
            handlers: self.random(|rng| rng.usize(1..5)),
            ..ConsumerOptions::default()
        };
        let writer = StoreWriter::new(self.store(), Layout::default()).retry(self.retry());
        consumer(self.queue(), writer, self.store()).options(options).retry(self.retry())
    }

    /// Pods that run for a while, one after the other, and are shut down or killed, until the
    /// end of the storm; the last one runs until it is told to stop.
    async fn pods(self, shutdown: Shutdown) {
        while Instant::now() < self.calm {
            let (stop, ends) = Shutdown::new();
            let pod = tokio::spawn(self.consumer().run(ends));
            sleep(Duration::from_millis(self.random(|rng| rng.u64(0..120_000)))).await;
            if self.random(Rng::bool) {
                pod.abort();
                continue;
            }
            let told = Instant::now();
            stop.shutdown();
            pod.await.unwrap().unwrap();
            assert!(told.elapsed() <= ConsumerOptions::default().grace, "the grace was exceeded");
        }
        self.consumer().run(shutdown).await.unwrap();
    }
}

async fn each_event_is_stored_once(seed: u64) {
    let world = World::new(seed);
    let good = events(150);
    let bad: Vec<Message> = (0..10).map(|n| sale(format!("not json {n}"))).collect();
    let mut all = [&*good, &*bad].concat();
    world.random(|rng| rng.shuffle(&mut all));
    let source = Shared::new(Duplicates::new(Scripted::new(all), 0.2, seed).unwrap());

    let (stop, shutdown) = Shutdown::new();
    let pods: Vec<_> = (0..2).map(|_| tokio::spawn(world.clone().pods(shutdown.clone()))).collect();
    let producers: Vec<_> = (0..2)
        .map(|_| {
            let interval = Duration::from_millis(world.random(|rng| rng.u64(0..2000)));
            let options = ProducerOptions { interval, ..ProducerOptions::default() };
            let producer = Producer::new(world.queue(), source.clone());
            tokio::spawn(producer.options(options).retry(world.retry()).run(Shutdown::never()))
        })
        .collect();
    for producer in producers {
        producer.await.unwrap().unwrap();
    }
    drained(&world.queue).await;
    stop.shutdown();
    for pod in pods {
        pod.await.unwrap();
    }

    let stored: BTreeSet<_> = keys(&world.store, "store_events/").await.into_iter().collect();
    let key = |id| format!("store_events/event_type=sale_event/dt=2026_11_22/{id}.json");
    assert_eq!(stored, (0..150).map(key).collect::<BTreeSet<_>>());
    for (id, event) in good.iter().enumerate() {
        assert_eq!(world.store.get(&key(id)).await.unwrap().unwrap(), event.body);
    }
    assert_eq!(keys(&world.store, "quarantine/reason=not_json/").await.len(), 10);
    assert_eq!(keys(&world.store, "").await.len(), 160);
}

#[test]
fn whatever_fails_each_event_is_stored_once() {
    for seed in 0..40 {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_time().start_paused(true).build().unwrap();
        let world =
            std::panic::AssertUnwindSafe(|| runtime.block_on(each_event_is_stored_once(seed)));
        if let Err(panic) = std::panic::catch_unwind(world) {
            eprintln!("with seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
