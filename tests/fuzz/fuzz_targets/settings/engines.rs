//! The engines, by any numbers and in virtual time.

use std::sync::Arc;
use std::time::Duration;

use arbitrary::Arbitrary;
use event_core::batch::BatchLimits;
use event_core::store::list_all;
use event_core::{
    Consumer, ConsumerOptions, ErrorKind, Layout, Message, Producer, ProducerOptions, Quarantine,
    Queue, Result, Retail, Shutdown, StoreWriter,
};
use event_local::cli::DAY;
use event_mem::{MemQueue, MemStore, Scripted};
use tokio::time::{sleep, timeout};

use crate::is_one_line;

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Number {
    Small(u8),
    Any(u64),
}

impl Number {
    fn wide(self) -> u64 {
        match self {
            Self::Small(number) => number.into(),
            Self::Any(number) => number,
        }
    }

    fn count(self) -> usize {
        usize::try_from(self.wide()).unwrap_or(usize::MAX)
    }
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Time {
    Nanos(u8),
    Millis(u16),
    Seconds(u32),
    Any(Duration),
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        match time {
            Time::Nanos(nanos) => Self::from_nanos(nanos.into()),
            Time::Millis(millis) => Self::from_millis(millis.into()),
            Time::Seconds(seconds) => Self::from_secs(seconds.into()),
            Time::Any(time) => time,
        }
    }
}

/// Nothing stands for the default.
#[derive(Arbitrary, Debug)]
pub(crate) struct ConsumerNumbers {
    pub(crate) messages: u8,
    /// Milliseconds until it shall stop.
    stop: u8,
    receive_max: Option<Number>,
    wait: Option<Time>,
    visibility: Option<Time>,
    pollers: Option<Number>,
    idle_backoff: Option<Time>,
    pause: Option<Time>,
    max_messages: Option<Number>,
    max_bytes: Option<Number>,
    batch_count: Option<Number>,
    batch_bytes: Option<Number>,
    batch_linger: Option<Time>,
    handlers: Option<Number>,
    delete_linger: Option<Time>,
    total: Option<Number>,
    grace: Option<Time>,
    max_panics: Option<u32>,
    receive_grace: Option<Time>,
}

impl ConsumerNumbers {
    pub(crate) fn options(&self) -> ConsumerOptions {
        let count = |number: Option<Number>, default| number.map_or(default, Number::count);
        let time = |time: Option<Time>, default| time.map_or(default, Duration::from);
        let defaults = ConsumerOptions::default();
        ConsumerOptions {
            receive_max: count(self.receive_max, defaults.receive_max),
            wait: time(self.wait, defaults.wait),
            visibility: self.visibility.map(Duration::from),
            max_concurrent_receives: count(self.pollers, defaults.max_concurrent_receives),
            idle_backoff: self.idle_backoff.map(Duration::from),
            pause: time(self.pause, defaults.pause),
            max_messages: count(self.max_messages, defaults.max_messages),
            max_bytes: count(self.max_bytes, defaults.max_bytes),
            batch: BatchLimits {
                count: count(self.batch_count, defaults.batch.count),
                bytes: count(self.batch_bytes, defaults.batch.bytes),
                linger: time(self.batch_linger, defaults.batch.linger),
            },
            max_concurrent_batches: count(self.handlers, defaults.max_concurrent_batches),
            delete_linger: time(self.delete_linger, defaults.delete_linger),
            total: self.total.map(Number::wide),
            grace: time(self.grace, defaults.grace),
            max_panics: self.max_panics.unwrap_or(defaults.max_panics),
            receive_grace: time(self.receive_grace, defaults.receive_grace),
        }
    }

    pub(crate) fn stop(&self) -> Duration {
        Duration::from_millis(self.stop.into())
    }
}

/// Nothing stands for the default.
#[derive(Arbitrary, Debug)]
pub(crate) struct ProducerNumbers {
    pub(crate) messages: u8,
    /// Milliseconds until it shall stop.
    stop: u8,
    total: Option<Number>,
    interval: Option<Time>,
    linger: Option<Time>,
    sends: Option<Number>,
    grace: Option<Time>,
}

impl ProducerNumbers {
    pub(crate) fn options(&self) -> ProducerOptions {
        let defaults = ProducerOptions::default();
        ProducerOptions {
            total: self.total.map(Number::wide),
            interval: self.interval.map_or(defaults.interval, Duration::from),
            linger: self.linger.map_or(defaults.linger, Duration::from),
            max_concurrent_sends: self.sends.map_or(defaults.max_concurrent_sends, Number::count),
            grace: self.grace.map_or(defaults.grace, Duration::from),
        }
    }

    pub(crate) fn stop(&self) -> Duration {
        Duration::from_millis(self.stop.into())
    }
}

/// No events, so that a consumer quarantines them.
fn messages(count: u8) -> Vec<Message> {
    (0..count).map(|number| Message::new(vec![number])).collect()
}

pub(crate) fn in_virtual_time<T>(run: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a clock cannot fail to start");
    runtime.block_on(run)
}

fn requested_after(stop: Duration) -> Shutdown {
    let (trigger, shutdown) = Shutdown::new();
    if stop.is_zero() {
        trigger.shutdown();
    } else {
        tokio::spawn(async move {
            sleep(stop).await;
            trigger.shutdown();
        });
    }
    shutdown
}

/// What the engines may answer, in the time that they have; none if they refuse the options.
async fn ended<T>(run: impl Future<Output = Result<T>>, most: Duration) -> Option<Result<T>> {
    // The clock of timers has milliseconds.
    let most = most + Duration::from_millis(5);
    let ended = timeout(most, run).await.expect("it ends within its grace");
    if let Err(error) = &ended {
        is_one_line(&error.to_string());
        if error.kind() == ErrorKind::Invalid {
            return None;
        }
    }
    Some(ended)
}

/// False if the options are refused.
pub(crate) async fn produce(options: ProducerOptions, count: u8, stop: Duration) -> bool {
    let queue = MemQueue::default();
    let source = Scripted::new(messages(count));
    let producer = Producer::new(Arc::new(queue.clone()), source).options(options.clone());
    let most = stop.saturating_add(options.grace.min(DAY));
    let ended = ended(producer.run(requested_after(stop)), most).await;
    let depth = queue.depth().await.expect("a queue in memory knows");
    match &ended {
        None => assert_eq!(depth.visible, 0),
        Some(Ok(report)) => {
            assert_eq!(report.sent, depth.visible);
            let most = options.total.unwrap_or(u64::MAX).min(count.into());
            assert!(report.sent <= most);
            assert!(report.sent == most || stop.is_zero() || !options.interval.is_zero());
        }
        Some(Err(error)) => assert!(options.grace.is_zero(), "there was time: {error}"),
    }
    ended.is_some()
}

/// False if the options are refused.
pub(crate) async fn consume(options: ConsumerOptions, count: u8, stop: Duration) -> bool {
    let messages = messages(count);
    let count = u64::from(count);
    let (queue, store) = (MemQueue::default(), Arc::new(MemStore::default()));
    for message in messages {
        queue.send(&[message]).await.remove(0).expect("it has room");
    }
    let writer = StoreWriter::new(store.clone(), Layout::default(), Arc::new(Retail::default()));
    let quarantine = Quarantine::new(store.clone(), Layout::default());
    let consumer = Consumer::new(Arc::new(queue.clone()), Arc::new(writer), quarantine);
    let run = consumer.options(options.clone()).run(requested_after(stop));
    let most = stop.saturating_add(options.grace.min(DAY));
    let ended = ended(run, most).await;
    let depth = queue.depth().await.expect("a queue in memory knows");
    let left = depth.visible + depth.in_flight + depth.delayed;
    match &ended {
        None => assert_eq!(depth.visible, count),
        Some(Ok(report)) => {
            let settled = report.deleted + report.delete_failed + report.released;
            assert_eq!(report.received, settled + report.abandoned);
            assert!(report.received > 0 || count == 0 || stop.is_zero());
            assert!(report.deleted <= options.total.unwrap_or(u64::MAX), "{report:?}");
            assert!(report.deleted + left <= count, "{report:?}");
            if !options.grace.is_zero() {
                assert_eq!((report.abandoned, report.delete_failed), (0, 0));
                assert_eq!(report.deleted + left, count, "{report:?}");
            }
            let quarantined = list_all(&*store, "quarantine/").await.expect("it can be listed");
            assert!(quarantined.len() as u64 + left >= count, "durable, or on the queue");
        }
        Some(Err(error)) => panic!("nothing was at fault: {error}"),
    }
    ended.is_some()
}
