//! Many writers on one partition: how many segments they make in a second, what each of these costs,
//! and whether each writer gets its share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use event_core::{
    BatchWriter, Bytes, Delivery, Handler, Layout, ListRequest, MessageId, ObjectMeta, ObjectStore,
    Outcome, Page, PutMode, PutOutcome, Receipt, Result, Retail, Shutdown, async_trait,
};
use event_mem::MemStore;
use event_tests::AnyOrder;
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::support::{body, keys, retry, sale};

/// A store that takes as long for each request as S3 does, 16 to 44 ms.
pub(crate) struct Slow {
    store: MemStore,
    rng: Mutex<Rng>,
    requests: Arc<AtomicUsize>,
    /// Puts that found another's segment.
    lost: Arc<AtomicUsize>,
}

impl Slow {
    pub(crate) fn over(store: &MemStore, seed: u64) -> Self {
        Self {
            store: store.clone(),
            rng: Mutex::new(Rng::with_seed(seed)),
            requests: Arc::default(),
            lost: Arc::default(),
        }
    }

    /// Half of the way.
    async fn pass(&self) {
        let ms = self.rng.lock().unwrap().u64(8..23);
        sleep(Duration::from_millis(ms)).await;
    }

    async fn asked(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.pass().await;
    }
}

#[async_trait]
impl ObjectStore for Slow {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.asked().await;
        let outcome = self.store.put(key, body, mode).await;
        let is_lost = matches!(outcome, Ok(PutOutcome::Exists)) && key.ends_with(".zst");
        self.lost.fetch_add(usize::from(is_lost), Ordering::Relaxed);
        self.pass().await;
        outcome
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.asked().await;
        let object = self.store.get(key).await;
        self.pass().await;
        object
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.asked().await;
        let object = self.store.head(key).await;
        self.pass().await;
        object
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        self.asked().await;
        let page = self.store.list(request).await;
        self.pass().await;
        page
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        self.store.delete(keys).await
    }
}

fn batch(name: &str) -> Vec<Delivery> {
    let delivery = |event: usize| Delivery {
        message: sale(body(&format!("{name}.{event}"))),
        id: MessageId::new(name),
        receipt: Receipt::new(name),
        sent_at: SystemTime::UNIX_EPOCH,
        event: None,
        receive_count: 1,
    };
    (0..5).map(delivery).collect()
}

const SECONDS: u64 = 30;

/// What so many writers do in so many simulated seconds, each with two batches under way at once.
struct Run {
    /// Batches that each of them stored, a segment each.
    stored: Vec<usize>,
    requests: usize,
    lost: usize,
    /// From a batch to its outcomes, at most.
    worst: Duration,
}

async fn run(writers: usize, stop: &Shutdown) -> Run {
    let (store, requests, lost) = (MemStore::new(), Arc::default(), Arc::default());
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let lanes = (0..writers).flat_map(|writer| {
        let (requests, lost) = (Arc::clone(&requests), Arc::clone(&lost));
        let store = Slow { requests, lost, ..Slow::over(&store, writer as u64) };
        let handler =
            BatchWriter::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()));
        let handler = Arc::new(handler.retry(retry()));
        [(writer, 0, Arc::clone(&handler)), (writer, 1, handler)]
    });
    let lanes = lanes.map(|(writer, lane, handler)| {
        let stop = stop.clone();
        tokio::spawn(async move {
            let (mut batches, mut worst) = (0, Duration::ZERO);
            while Instant::now() < end && !stop.is_requested() {
                let batch = batch(&format!("{writer}.{lane}.{batches}"));
                let start = Instant::now();
                let outcomes = handler.handle(&batch, &stop).await;
                assert_eq!(outcomes, vec![Outcome::Ack; batch.len()]);
                worst = worst.max(start.elapsed());
                batches += 1;
            }
            (writer, batches, worst)
        })
    });
    let lanes: Vec<_> = lanes.collect();
    let (mut stored, mut worst) = (vec![0; writers], Duration::ZERO);
    for lane in lanes {
        let (writer, batches, wait) = lane.await.unwrap();
        stored[writer] += batches;
        worst = worst.max(wait);
    }
    assert_eq!(keys(&store, "store_events/event_type").await.len(), stored.iter().sum::<usize>());
    let [requests, lost] = [requests, lost].map(|count| count.load(Ordering::Relaxed));
    Run { stored, requests, lost, worst }
}

/// The more writers there are, the less each of them tries: what they do in vain must not grow as they
/// do.
#[tokio::test(start_paused = true)]
async fn writers_of_one_partition_lose_few_puts_and_each_has_its_share() {
    fastrand::seed(7);
    for (writers, most_lost) in [(1, 0.0), (2, 0.4), (6, 0.9), (16, 1.8)] {
        let Run { stored, requests, lost, worst } = run(writers, &Shutdown::never()).await;
        let (least, all) = (*stored.iter().min().unwrap(), stored.iter().sum::<usize>());
        let rate = all as f64 / SECONDS as f64;
        let each = |count: usize| count as f64 / all as f64;
        let (requests, lost) = (each(requests), each(lost));
        let told = format!(
            "{writers} writers: {rate:.1} segments a second, for each {requests:.1} requests and \
             {lost:.2} lost puts, {worst:?} at worst, {least} by the slowest of {stored:?}"
        );
        println!("{told}");
        assert!(rate >= 8.0 && lost <= most_lost, "{told}");
        assert!(least * 3 >= all / writers, "{told}");
    }
    let alone = run(1, &Shutdown::never()).await;
    assert!(alone.stored[0] >= 16 * SECONDS as usize, "alone it need not wait");
}

/// A drain stores what is held: that others want the head as well is not a reason to give it back.
#[tokio::test(start_paused = true)]
async fn writers_that_are_told_to_stop_store_what_they_hold_at_once() {
    fastrand::seed(7);
    let (stop, stopped) = Shutdown::new();
    let running = tokio::spawn(async move { run(16, &stopped).await });
    sleep(Duration::from_secs(10)).await;
    stop.shutdown();
    let start = Instant::now();
    let Run { worst, .. } = running.await.unwrap();
    let drain = start.elapsed();
    println!("stored within {drain:?}, where a batch waited {worst:?} at worst");
    assert!(drain < Duration::from_secs(5), "{drain:?}");
}

/// They share what is known of the log, and go to its head one after the other.
#[tokio::test(start_paused = true)]
async fn two_batches_of_one_process_store_each_event_once() {
    fastrand::seed(7);
    for seed in 0..30 {
        let mem = MemStore::new();
        let ours = crate::log::writer(AnyOrder::new(mem.clone(), seed));
        for round in 0..3 {
            let ids = |ids: &[&str]| {
                let bodies: Vec<_> = ids.iter().map(|id| body(&format!("{id}{round}"))).collect();
                crate::log::deliveries(bodies)
            };
            let (one, other) = (ids(&["a", "b"]), ids(&["b", "c", "a"]));
            let never = Shutdown::never();
            let (one, other) = tokio::join!(ours.handle(&one, &never), ours.handle(&other, &never));
            let outcomes = || one.iter().chain(&other);
            let count = |of| outcomes().filter(|outcome| **outcome == of).count();
            assert_eq!(
                (count(Outcome::Ack), count(Outcome::Duplicate)),
                (3, 2),
                "{one:?}, {other:?}"
            );
        }
        let mut lines = Vec::new();
        for key in keys(&mem, crate::log::PARTITION).await {
            lines.extend(crate::log::lines(&mem, &key).await);
        }
        lines.sort();
        let ids = ["a", "b", "c"].into_iter().flat_map(|id| (0..3).map(move |of| (id, of)));
        assert!(lines.iter().cloned().eq(ids.map(|(id, round)| body(&format!("{id}{round}")))));
    }
}
