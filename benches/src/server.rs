//! A server with the JSON protocol of SQS and the part of S3 that the backends use, for
//! measurements and for tests of what goes over the wire.
//!
//! Behind it are a [`MemQueue`] and a [`MemStore`], which keep every promise of a queue and a
//! store: what is here is the protocol alone. It runs on one thread and does little for a request,
//! so that clients are what is measured. It knows one bucket, no account, and checks no signature;
//! what it does not know it refuses by name, so that no client takes silence for success.

mod answer;
mod counts;
mod record;
mod s3;
mod sqs;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use event_core::{EventSource, Queue};
use event_mem::{MemQueue, MemQueueOptions, MemStore, Synthetic};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::time::sleep;

pub use counts::{Counts, Puts};
pub use record::{Outcome, SentAt};

/// The one bucket.
pub const BUCKET: &str = "events";

/// The queue that is there from the start, that of the pods' own default.
pub const QUEUE: &str = "reliable_message_q";

/// How long answers take beyond the time it takes to make them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delays {
    /// Of each answer of SQS; a long poll waits for a message first.
    pub sqs: Duration,
    /// Of each answer of S3.
    pub s3: Duration,
}

/// What the server holds. Clones are handles to the same.
#[derive(Clone, Debug)]
pub struct State {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    delays: Delays,
    queues: Mutex<BTreeMap<String, Arc<NamedQueue>>>,
    store: MemStore,
    counts: Counts,
    sent: SentAt,
    /// Where `fill` goes on.
    events: tokio::sync::Mutex<Synthetic>,
    /// Operations of SQS.
    refused: Mutex<BTreeSet<&'static str>>,
}

#[derive(Debug)]
struct NamedQueue {
    name: String,
    queue: MemQueue,
    options: MemQueueOptions,
    /// The name of the queue that its redrive policy names.
    dead_letters: Option<String>,
}

impl State {
    /// An empty store, and an empty queue called [`QUEUE`] as fast as a queue can be: without a
    /// delay and without a dead-letter queue.
    pub fn new(delays: Delays) -> Self {
        let inner = Inner {
            delays,
            queues: Mutex::default(),
            store: MemStore::new(),
            counts: Counts::default(),
            sent: SentAt::default(),
            events: tokio::sync::Mutex::new(crate::of_today(0, 0.0)),
            refused: Mutex::default(),
        };
        let state = Self { inner: Arc::new(inner) };
        state.add_queue(QUEUE, MemQueueOptions::default(), None);
        state
    }

    /// Makes a queue, or replaces the one of this name; `dead_letters` is the name of the queue
    /// that `options` redrive to.
    pub fn add_queue(&self, name: &str, options: MemQueueOptions, dead_letters: Option<&str>) {
        let queue = NamedQueue {
            name: name.to_owned(),
            queue: MemQueue::new(options.clone()),
            options,
            dead_letters: dead_letters.map(str::to_owned),
        };
        let mut queues = self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.insert(name.to_owned(), Arc::new(queue));
    }

    /// The queue of this name, to fill it without a request.
    pub fn queue(&self, name: &str) -> Option<MemQueue> {
        self.named(name).map(|named| named.queue.clone())
    }

    /// The objects of the bucket.
    pub fn store(&self) -> &MemStore {
        &self.inner.store
    }

    /// How often each API was called.
    pub fn counts(&self) -> &Counts {
        &self.inner.counts
    }

    /// When each message was sent.
    pub fn sent(&self) -> &SentAt {
        &self.inner.sent
    }

    /// Puts so many more events of the original demo's kind, of today and all of them valid, on the
    /// queue [`QUEUE`].
    ///
    /// # Errors
    ///
    /// The queue refuses one.
    pub async fn fill(&self, events: usize) -> event_core::Result<()> {
        self.fill_from(&mut *self.inner.events.lock().await, events).await
    }

    /// The same, from another source.
    ///
    /// # Errors
    ///
    /// The queue refuses one, or the source fails.
    pub async fn fill_from(
        &self,
        source: &mut dyn EventSource,
        events: usize,
    ) -> event_core::Result<()> {
        let Some(queue) = self.queue(QUEUE) else { return Ok(()) };
        let mut left = events;
        while left > 0 {
            let batch = source.next_batch(left.min(queue.limits().batch_entries)).await?;
            left -= batch.len();
            self.sent().add(&batch, SystemTime::now());
            for sent in queue.send(&batch).await {
                sent?;
            }
        }
        Ok(())
    }

    /// Refuses this operation of SQS from now on, such as `DeleteMessageBatch`, or `HeadBucket` of
    /// S3, for a reason that no later try would heal.
    pub fn refuse(&self, operation: &'static str) {
        self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner).insert(operation);
    }

    fn refuses(&self, operation: &str) -> bool {
        self.inner.refused.lock().unwrap_or_else(PoisonError::into_inner).contains(operation)
    }

    fn named(&self, name: &str) -> Option<Arc<NamedQueue>> {
        let queues = self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.get(name).cloned()
    }

    /// Serves until the process or the task ends.
    ///
    /// # Errors
    ///
    /// The listener takes no more connections.
    pub async fn serve(self, listener: TcpListener) -> io::Result<()> {
        let address = listener.local_addr()?;
        loop {
            let (stream, _) = listener.accept().await?;
            // An answer of two packets would wait for the client's acknowledgement of the first.
            stream.set_nodelay(true)?;
            let state = self.clone();
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { state.answer(request, address).await }
            });
            tokio::spawn(async move {
                let connection = http1::Builder::new();
                // A client that hangs up in the middle is the client's business.
                let _ = connection.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
        address: SocketAddr,
    ) -> Result<Response<Full<Bytes>>, hyper::Error> {
        let (head, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let target = head.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let (answer, delay) = match target.and_then(|target| target.strip_prefix("AmazonSQS.")) {
            Some(operation) => {
                (sqs::answer(self, operation, &body, address).await, self.inner.delays.sqs)
            }
            None => (s3::answer_to(self, &head, body).await, self.inner.delays.s3),
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        Ok(answer)
    }
}
