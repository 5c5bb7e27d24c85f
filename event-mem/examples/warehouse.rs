//! A warehouse in place of the store: it reserves stock for sales as they come in.
//!
//! `cargo run -p event-mem --example warehouse`
//!
//! Shows every outcome that a handler has: an order that cannot be filled yet is tried again
//! later, one that never can is quarantined.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use event_core::schema::retail::{Event, EventType};
use event_core::{
    Consumer, Delivery, Handler, Layout, Outcome, Producer, ProducerOptions, Quarantine, Reason,
    Shutdown, async_trait,
};
use event_mem::{MemQueue, MemStore, Synthetic, SyntheticOptions};

/// How often an order waits for new stock before it is quarantined.
const TRIES: u32 = 3;

/// Pieces on the shelves, by category.
#[derive(Default)]
struct Warehouse(Mutex<Shelves>);

#[derive(Default)]
struct Shelves {
    pieces: BTreeMap<String, u64>,
    done: HashSet<String>,
    shipped_with_priority: u64,
}

#[async_trait]
impl Handler for Warehouse {
    async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        batch.iter().map(|delivery| shelves.fill(delivery)).collect()
    }
}

impl Shelves {
    fn fill(&mut self, delivery: &Delivery) -> Outcome {
        let event = match Event::parse(&delivery.message) {
            Ok(event) => event,
            Err(reason) => return Outcome::Quarantine(reason),
        };
        if self.done.contains(&*event.request_id) {
            return Outcome::Duplicate;
        }
        let pieces = self.pieces.entry(event.category.to_string()).or_default();
        let arrives = event.event_type == EventType::Inventory || event.is_return;
        if arrives {
            *pieces += event.qty;
        } else if *pieces >= event.qty {
            *pieces -= event.qty;
            self.shipped_with_priority += u64::from(event.priority_shipping);
        } else if delivery.receive_count < TRIES {
            return Outcome::Retry(Duration::from_millis(200));
        } else {
            let detail = format!("{} of {} ordered, {pieces} there", event.qty, event.category);
            return Outcome::Quarantine(Reason::new("out_of_stock", detail));
        }
        self.done.insert(event.request_id.into_owned());
        Outcome::Ack
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> event_core::Result<()> {
    let queue = MemQueue::default();
    let warehouse = Arc::new(Warehouse::default());
    let store = Arc::new(MemStore::new());
    let quarantine = Quarantine::new(store.clone(), Layout::default());
    let consumer = Consumer::new(Arc::new(queue.clone()), warehouse.clone(), quarantine);

    let options = ProducerOptions { total: Some(1000), ..ProducerOptions::default() };
    let events = Synthetic::new(SyntheticOptions::default())?;
    let producer = Producer::new(Arc::new(queue.clone()), events).options(options);

    let (stop, shutdown) = Shutdown::new();
    let (sent, report) = tokio::join!(
        async {
            let sent = producer.run(Shutdown::never()).await;
            queue.drained().await;
            stop.shutdown();
            sent
        },
        consumer.run(shutdown)
    );
    let (sent, report) = (sent?.sent, report?);

    let out_of_stock =
        event_core::store::list_all(&*store, "quarantine/store_events/reason=out_of_stock/")
            .await?
            .len();
    let shelves = warehouse.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (category, pieces) in &shelves.pieces {
        println!("{category:<14} {pieces:>6} pieces");
    }
    println!(
        "{sent} messages: {} done ({} with priority), {} waits for stock, {out_of_stock} out of stock, {} invalid",
        report.acknowledged,
        shelves.shipped_with_priority,
        report.released,
        report.quarantined - out_of_stock as u64,
    );
    Ok(())
}
