//! Wires producers and consumers to the embedded backends and waits for them.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use event_core::log::{Manifest, ObjectLayout};
use event_core::meter::{Meter, MeteredQueue, MeteredStore};
use event_core::retry::Retry;
use event_core::{
    Consumer, ConsumerOptions, ConsumerReport, Error, ErrorKind, EventSource, ObjectStore,
    Producer, ProducerOptions, ProducerReport, Quarantine, Queue, Schema, Shutdown,
};
use event_mem::{DirStore, MemQueue, Shared};
use tokio::task::JoinSet;

use event_local::complaints::Complaints;
use event_local::objects::ObjectArgs;

use crate::args::Args;
use crate::progress;
use crate::signals::{Grace, drain, signals};
use crate::summary::{Run, Summary};
use crate::tally::Tally;

/// Messages to make up where nobody says how many, as in the original demo.
const DEFAULT_COUNT: u64 = 10_000;

/// How a run ended.
pub(crate) struct Ended {
    pub(crate) summary: Summary,
    /// What is wrong with the input.
    pub(crate) complaints: Vec<String>,
    /// The first error of an engine.
    pub(crate) error: Option<Error>,
}

/// What producers and consumers share.
struct Local {
    queue: MemQueue,
    metered_queue: Arc<dyn Queue>,
    store: Arc<dyn ObjectStore>,
    tally: Arc<Tally>,
    /// One for all, so that what fails for all of them is told once.
    retry: Retry,
}

/// What is known once the prefix was opened.
struct Opened {
    manifest: Manifest,
    schema: Arc<dyn Schema>,
    quarantine: Quarantine,
}

/// Runs until all is sent and handled. The first interrupt stops sending and drains, within the
/// grace period whatever the store does; the second stops at once.
pub(crate) async fn run(args: &Args) -> Result<Ended, Error> {
    let meter = Arc::new(Meter::default());
    let queue = MemQueue::default();
    let dir = directory(args)?;
    let store: Arc<dyn ObjectStore> = Arc::new(MeteredStore::new(dir, Arc::clone(&meter)));
    let local = Local {
        metered_queue: Arc::new(MeteredQueue::new(queue.clone(), Arc::clone(&meter))),
        store,
        queue,
        tally: Arc::new(Tally::new()),
        retry: Retry::default(),
    };
    // Read once, and nothing is made before the input is known to be one.
    let made = local.manifest(args).await?;
    let schema = args.schema.schema(made.as_ref())?;
    let events = Events::of(args, Arc::clone(&schema), local.queue.limits().message_bytes)?;

    let partition_keys = schema.partition_keys().into_iter().map(Cow::into_owned).collect();

    let (stop_producers, producers_stop) = Shutdown::new();
    let (stop_consumers, consumers_stop) = Shutdown::new();
    let grace = Grace::of(args.shutdown_grace_secs);
    // From here on an interrupt drains, however early it comes.
    let interrupts =
        signals().map_err(|error| failed(format!("no signal can be heard: {error}")))?;
    let of_consumers = stop_consumers.clone();
    let signals = tokio::spawn(async move {
        drain(interrupts, grace, stop_producers, of_consumers).await;
        std::process::exit(130);
    });
    let bar = tokio::spawn(progress::show(Arc::clone(&local.tally), events.count));

    let started = Instant::now();
    let opened = local.open(args, schema, &producers_stop).await;
    let (objects, compression) = match &opened {
        Ok(Opened { manifest, .. }) => (manifest.layout(), manifest.compression().ok()),
        Err(_) => (ObjectLayout::Batch, None),
    };
    let outcome = match opened {
        // Settings that are wrong are told before anything is done.
        Err(error) if error.is_about_entry() => return Err(error),
        Err(error) => Err(error),
        Ok(opened) => {
            let mut consumers = local.consumers(args, grace, &opened, &consumers_stop)?;
            let mut producers = local.producers(args, grace, &events, &opened, &producers_stop);
            let sent = all(&mut producers).await;
            let mut consumed = Ok(());
            tokio::select! {
                () = local.queue.drained() => {}
                () = consumers_stop.requested() => {}
                // A consumer that returns now does so with an error, or because it was told to.
                first = next(&mut consumers) => consumed = first.map(|_| ()),
            }
            stop_consumers.shutdown();
            consumed = consumed.and(all(&mut consumers).await);
            sent.and(consumed)
        }
    };
    let elapsed = started.elapsed();

    bar.abort();
    let _ = bar.await;
    signals.abort();
    let run = Run {
        counts: local.tally.counts(),
        details: local.tally.details(),
        requests: meter.requests(),
        elapsed,
        out: args.out.clone(),
        layout: args.s3_prefix.clone(),
        objects,
        compression,
        partition_keys,
        seed: events.seed,
    };
    let error = outcome.err();
    let came_to_its_end = error.is_none() && !producers_stop.is_requested();
    let complaints = events.complaints.map(|complaints| {
        let mut lines = complaints.lines();
        lines.extend(complaints.emptiness().filter(|_| came_to_its_end));
        lines
    });
    Ok(Ended { summary: run.into(), complaints: complaints.unwrap_or_default(), error })
}

fn directory(args: &Args) -> Result<DirStore, Error> {
    Ok(DirStore::open(&args.out)?.fsync(args.fsync))
}

impl Local {
    /// The manifest, if there is one, by one try.
    async fn manifest(&self, args: &Args) -> Result<Option<Manifest>, Error> {
        let (stop, stopped) = Shutdown::new();
        stop.shutdown();
        let read = Manifest::read(&*self.store, &args.s3_prefix, &self.retry, &stopped).await;
        match read {
            Err(error) if !error.is_about_entry() => Ok(None),
            read => read,
        }
    }

    /// Opens the prefix, or makes it. A store that fails is waited for; nothing is sent meanwhile.
    async fn open(
        &self,
        args: &Args,
        schema: Arc<dyn Schema>,
        stop: &Shutdown,
    ) -> Result<Opened, Error> {
        let Self { store, retry, .. } = self;
        let options = args.objects.manifest(&args.schema, ObjectLayout::Batch);
        let manifest = Manifest::open(&**store, &args.s3_prefix, &options, retry, stop).await?;
        let (store, prefix) = (Arc::clone(store), args.s3_prefix.clone());
        let quarantine = ObjectArgs::quarantine(&manifest, store, prefix);
        Ok(Opened { manifest, schema, quarantine })
    }

    fn producers(
        &self,
        args: &Args,
        grace: Grace,
        events: &Events,
        opened: &Opened,
        stop: &Shutdown,
    ) -> JoinSet<Result<ProducerReport, Error>> {
        (0..args.producers)
            .map(|replica| producer_options(args, grace, events.count, replica))
            .filter(|options| options.total != Some(0))
            .map(|options| {
                Producer::new(Arc::clone(&self.metered_queue), events.source.clone())
                    .options(options)
                    .quarantine(opened.quarantine.clone())
                    .retry(self.retry.clone())
                    .observer(self.tally.clone())
                    .run(stop.clone())
            })
            .collect()
    }

    fn consumers(
        &self,
        args: &Args,
        grace: Grace,
        opened: &Opened,
        stop: &Shutdown,
    ) -> Result<JoinSet<Result<ConsumerReport, Error>>, Error> {
        (0..args.consumers)
            .map(|_| {
                let Opened { manifest, schema, quarantine } = opened;
                let options = consumer_options(args, grace, manifest.layout());
                let (store, layout) = (Arc::clone(&self.store), args.s3_prefix.clone());
                let (schema, retry) = (Arc::clone(schema), self.retry.clone());
                let writer = args.objects.writer(manifest, store, layout, schema, retry)?;
                let queue = Arc::clone(&self.metered_queue);
                Ok(Consumer::new(queue, writer, quarantine.clone())
                    .options(options)
                    .retry(self.retry.clone())
                    .observer(self.tally.clone())
                    .run(stop.clone()))
            })
            .collect()
    }
}

/// What one of the producers does of all that is to be sent.
fn producer_options(
    args: &Args,
    grace: Grace,
    count: Option<u64>,
    replica: u16,
) -> ProducerOptions {
    let (producers, replica) = (u64::from(args.producers), u64::from(replica));
    // Shares that add up to the count.
    let share = |count: u64| count / producers + u64::from(replica < count % producers);
    ProducerOptions {
        total: count.map(share),
        interval: args.interval() * u32::from(args.producers),
        grace: grace.draining,
        ..ProducerOptions::default()
    }
}

fn consumer_options(args: &Args, grace: Grace, layout: ObjectLayout) -> ConsumerOptions {
    let defaults = ConsumerOptions::default();
    args.objects.options(
        layout,
        ConsumerOptions {
            receive_max: usize::from(args.max_msgs_per_batch),
            wait: args.idle_backoff().map_or(defaults.wait, |_| Duration::ZERO),
            idle_backoff: args.idle_backoff(),
            pause: args.msg_process_delay,
            max_panics: args.max_panics_per_msg,
            grace: grace.giving_back,
            ..defaults
        },
    )
}

/// Where the events come from.
struct Events {
    source: Shared<Box<dyn EventSource>>,
    /// How many there will be, if that is known.
    count: Option<u64>,
    seed: Option<u64>,
    complaints: Option<Complaints>,
}

impl Events {
    fn of(args: &Args, schema: Arc<dyn Schema>, largest: usize) -> Result<Self, Error> {
        let complaints = |name| Complaints::about(name, "quarantined", schema);
        let complaints = args.source.name().map(complaints);
        let look = complaints.clone();
        let source = args.source.open(&args.schema, move |line, message, fault| {
            if let Some(complaints) = &look {
                // They are shown at the end, beside the summary.
                let _ = complaints.look(line, message, fault, largest);
            }
        })?;
        let made_up = source.seed.is_some();
        Ok(Self {
            source: Shared::new(source.events),
            count: args.count.or(made_up.then_some(DEFAULT_COUNT)),
            seed: source.seed,
            complaints,
        })
    }
}

/// Waits for one replica.
async fn next<T: 'static>(replicas: &mut JoinSet<Result<T, Error>>) -> Result<Option<T>, Error> {
    match replicas.join_next().await {
        None => Ok(None),
        Some(Ok(ended)) => ended.map(Some),
        Some(Err(error)) => Err(failed(format!("a replica broke: {error}"))),
    }
}

fn failed(what: String) -> Error {
    Error::new(ErrorKind::Unknown, "event-local", what)
}

/// Waits for all replicas; the first error.
async fn all<T: 'static>(replicas: &mut JoinSet<Result<T, Error>>) -> Result<(), Error> {
    let mut first = Ok(());
    while !replicas.is_empty() {
        let ended = next(replicas).await.map(|_| ());
        first = first.and(ended);
    }
    first
}

#[cfg(test)]
mod tests;
