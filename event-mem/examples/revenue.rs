//! A revenue report in place of the store: what marketing would run on the stream.
//!
//! `cargo run -p event-mem --example revenue`
//!
//! Shows a handler with its own state, and what at-least-once delivery asks of it: one event in
//! five comes twice here, and is counted once.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use event_core::schema::retail::{Event, EventType};
use event_core::{
    Consumer, Delivery, Handler, Layout, Outcome, Producer, ProducerOptions, Quarantine, Shutdown,
    async_trait,
};
use event_mem::{Duplicates, MemQueue, MemStore, Synthetic, SyntheticOptions};

/// Sums up sales by category; returns are paid back.
#[derive(Default)]
struct Revenue(Mutex<Books>);

#[derive(Default)]
struct Books {
    by_category: BTreeMap<String, f64>,
    seen: HashSet<String>,
}

#[async_trait]
impl Handler for Revenue {
    async fn handle(&self, batch: &[Delivery], _: &Shutdown) -> Vec<Outcome> {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        batch.iter().map(|delivery| books.enter(delivery)).collect()
    }
}

impl Books {
    fn enter(&mut self, delivery: &Delivery) -> Outcome {
        let event = match Event::parse(&delivery.message) {
            Ok(event) => event,
            Err(reason) => return Outcome::Quarantine(reason),
        };
        if !self.seen.insert(event.request_id.to_string()) {
            return Outcome::Duplicate;
        }
        if event.event_type == EventType::Sale {
            let amount = event.price * event.qty as f64 * (1.0 - event.discount / 100.0);
            let sum = self.by_category.entry(event.category.into_owned()).or_default();
            *sum += if event.is_return { -amount } else { amount };
        }
        // A report that must survive the process would be written here, before the answer: what
        // is acknowledged is deleted.
        Outcome::Ack
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> event_core::Result<()> {
    let queue = MemQueue::default();
    let revenue = Arc::new(Revenue::default());
    let quarantine = Quarantine::new(Arc::new(MemStore::new()), Layout::default());
    let consumer = Consumer::new(Arc::new(queue.clone()), revenue.clone(), quarantine);

    let events = Duplicates::new(Synthetic::new(SyntheticOptions::default())?, 0.2, 1)?;
    let options = ProducerOptions { total: Some(10_000), ..ProducerOptions::default() };
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

    let books = revenue.0.lock().unwrap_or_else(PoisonError::into_inner);
    for (category, sum) in &books.by_category {
        println!("{category:<14} {sum:>12.2}");
    }
    println!(
        "{sent} messages: {} events, {} seen before, {} quarantined",
        report.acknowledged, report.duplicates, report.quarantined
    );
    Ok(())
}
