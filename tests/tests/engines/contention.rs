//! Many writers on one partition: how many objects they make in a second, and whether each gets its
//! share.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use event_core::{
    BatchWriter, Bytes, Delivery, Handler, Layout, ListRequest, MessageId, ObjectMeta, ObjectStore,
    Outcome, Page, PutMode, PutOutcome, Receipt, Result, Retail, Shutdown, async_trait,
};
use event_mem::MemStore;
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::support::{body, keys, retry, sale};

/// A store that takes as long for each request as S3 does, 16 to 44 ms.
struct Slow(MemStore, Mutex<Rng>);

impl Slow {
    async fn pass(&self) {
        let ms = self.1.lock().unwrap().u64(8..23);
        sleep(Duration::from_millis(ms)).await;
    }
}

#[async_trait]
impl ObjectStore for Slow {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.pass().await;
        let outcome = self.0.put(key, body, mode).await;
        self.pass().await;
        outcome
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        self.pass().await;
        self.pass().await;
        self.0.get(key).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        self.pass().await;
        self.pass().await;
        self.0.head(key).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        self.pass().await;
        self.pass().await;
        self.0.list(request).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        self.0.delete(keys).await
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

const SECONDS: u64 = 20;

/// Batches that each of so many writers stores in so many simulated seconds, with two under way at once.
async fn stored(writers: usize) -> Vec<usize> {
    let store = MemStore::new();
    let end = Instant::now() + Duration::from_secs(SECONDS);
    let lanes = (0..2 * writers).map(|lane| {
        let writer = lane / 2;
        (writer, lane)
    });
    let handlers: Vec<_> = (0..writers)
        .map(|w| {
            Arc::new(
                BatchWriter::new(
                    Arc::new(Slow(store.clone(), Mutex::new(Rng::with_seed(w as u64)))),
                    Layout::default(),
                    Arc::new(Retail::default()),
                )
                .retry(retry()),
            )
        })
        .collect();
    let lanes: Vec<_> = lanes
        .map(|(writer, lane)| {
            let handler = Arc::clone(&handlers[writer]);
            tokio::spawn(async move {
                let mut batches = 0;
                while Instant::now() < end {
                    let batch = batch(&format!("{lane}.{batches}"));
                    let outcomes = handler.handle(&batch, &Shutdown::never()).await;
                    assert_eq!(outcomes, vec![Outcome::Ack; batch.len()]);
                    batches += 1;
                }
                (writer, batches)
            })
        })
        .collect();
    let mut stored = vec![0; writers];
    for lane in lanes {
        let (writer, batches) = lane.await.unwrap();
        stored[writer] += batches;
    }
    assert_eq!(keys(&store, "store_events/event_type").await.len(), stored.iter().sum::<usize>());
    println!("{stored:?}");
    stored
}

#[tokio::test(start_paused = true)]
async fn a_partition_takes_fifteen_batches_a_second_and_each_writer_has_its_share() {
    for writers in [1, 2, 4, 16] {
        let stored = stored(writers).await;
        let (least, all) = (stored.iter().min().unwrap(), stored.iter().sum::<usize>());
        assert!(all >= 15 * SECONDS as usize, "{writers} writers store {stored:?}");
        assert!(least * 4 >= all / writers * 3, "{writers} writers store {stored:?}");
    }
}
