//! Makes odd bodies, and stores those that are events as the consumer does, for real readers to read.
//!
//! ```text
//! DIR/events.json           what the stored events say, by request_id
//! DIR/event/…               the store, with an object for each event
//! DIR/batch-none/…          the same, with a line for each object; so -gzip and -zstd, with fewer
//! DIR/refused/REASON/…      the bodies that were refused, each as it would have been stored
//! ```

mod body;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Parser;
use event_core::batch::BatchLimits;
use event_core::schema::retail::{EVENT_TYPE, Event};
use event_core::{
    BatchWriter, Compression, Consumer, ConsumerOptions, EventSource, Handler, Layout, Message,
    ObjectStore, Quarantine, Queue, Retail, Shutdown, StoreWriter,
};
use event_mem::{DirStore, MemQueue, Replay};
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Makes odd bodies, and stores those that are events as the consumer does.
#[derive(Parser)]
#[command(name = "odd-bodies")]
struct Args {
    /// Where to; what is there is removed
    dir: PathBuf,
    /// Captures whose messages are stored beside those that are made
    cases: Vec<PathBuf>,
    /// The same seed makes the same bodies
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many bodies
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// Of these, so many are stored compressed as well, in each way
    #[arg(long, default_value_t = 100)]
    compressed: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Args { dir, cases, seed, count, compressed } = Args::parse();
    if dir.exists() {
        fs::remove_dir_all(&dir)?;
    }
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut messages: Vec<_> = (0..count)
        .map(|number| {
            let kind = ["sale_event", "inventory_event"][number % 2];
            Message::new(body::odd(number, &mut rng)).with_attribute(EVENT_TYPE, kind)
        })
        .collect();
    for case in cases {
        let mut replay = Replay::open(&case)?.any_lines();
        loop {
            let batch = replay.next_batch(100).await?;
            if batch.is_empty() {
                break;
            }
            messages.extend(batch);
        }
    }

    let (events, refused) = judged(&messages);
    for (layout, compression, some) in [
        ("event", None, messages.len()),
        ("batch-none", Some(Compression::None), messages.len()),
        ("batch-gzip", Some(Compression::Gzip), compressed),
        ("batch-zstd", Some(Compression::Zstd), compressed),
    ] {
        let some = &messages[..some.min(messages.len())];
        store(&dir.join(layout), compression, some).await?;
    }
    fs::write(dir.join("events.json"), serde_json::to_vec(&events)?)?;
    for (reason, bodies) in &refused {
        let dir = dir.join("refused").join(reason);
        fs::create_dir_all(&dir)?;
        for (number, body) in bodies.iter().enumerate() {
            fs::write(dir.join(format!("{number}.json")), body)?;
        }
    }
    let refused: BTreeMap<_, _> = refused.iter().map(|(code, some)| (code, some.len())).collect();
    println!("{} events; refused: {refused:?}", events.len());
    Ok(())
}

/// Bodies, by the code of their reason.
type Refused<'a> = BTreeMap<String, Vec<&'a [u8]>>;

/// What the events say, by `request_id`, and the bodies of all others, by reason.
fn judged(messages: &[Message]) -> (BTreeMap<String, Value>, Refused<'_>) {
    let mut events = BTreeMap::new();
    let mut refused = Refused::new();
    for message in messages {
        match Event::parse(message) {
            Ok(event) => {
                events.insert(event.request_id.to_string(), fields(&event));
            }
            Err(reason) => {
                refused.entry(reason.code().to_owned()).or_default().push(&*message.body);
            }
        }
    }
    (events, refused)
}

fn fields(event: &Event<'_>) -> Value {
    json!({
        "store_id": event.store_id, "cust_id": event.cust_id, "category": event.category,
        "sku": event.sku, "price": event.price, "qty": event.qty, "discount": event.discount,
        "gift_wrap": event.gift_wrap, "variant": event.variant,
        "priority_shipping": event.priority_shipping,
        "ts": event.ts.strftime("%Y-%m-%d %H:%M:%S.%6f").to_string(),
        "is_return": event.is_return
    })
}

/// Stores these as the consumer does: with a compression in batches, of one event each, so that each
/// is a file of its own.
async fn store(dir: &Path, compression: Option<Compression>, messages: &[Message]) -> Result<()> {
    fs::create_dir_all(dir)?;
    let queue = MemQueue::default();
    for messages in messages.chunks(10) {
        for sent in queue.send(messages).await {
            sent?;
        }
    }
    let store: Arc<dyn ObjectStore> = Arc::new(DirStore::open(dir)?.fsync(false));
    let layout = Layout::default();
    let quarantine = Quarantine::new(Arc::clone(&store), layout.clone());
    let handler: Arc<dyn Handler> = match compression {
        None => Arc::new(StoreWriter::new(store, layout, Arc::new(Retail::default()))),
        Some(compression) => Arc::new(
            BatchWriter::new(store, layout, Arc::new(Retail::default()))
                .compression(compression)?,
        ),
    };
    let options = ConsumerOptions {
        batch: BatchLimits { count: 1, ..ConsumerOptions::default().batch },
        total: Some(messages.len() as u64),
        ..ConsumerOptions::default()
    };
    let consumer = Consumer::new(Arc::new(queue), handler, quarantine).options(options);
    consumer.run(Shutdown::never()).await?;
    Ok(())
}
