//! The backends of this workspace, as the [conformance suite](crate::conformance) wants them.

use std::io::{Cursor, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use event_core::codec::encode_line;
use event_core::{EventSource, ObjectStore, Queue};
use event_mem::{
    DirStore, Duplicates, MemQueue, MemQueueOptions, MemStore, Redrive, Replay, Scripted, Shared,
    Synthetic, SyntheticOptions,
};

use crate::conformance::{Backend, Clock, QueueBackend, SourceBackend, StoreBackend, sample};

/// Queues in memory.
pub struct MemQueues;

impl Backend for MemQueues {
    fn name(&self) -> &str {
        "mem_queue"
    }

    fn clock(&self) -> Clock {
        Clock::Paused
    }
}

#[async_trait]
impl QueueBackend for MemQueues {
    async fn queue(&self, delay: Duration) -> Arc<dyn Queue> {
        let options = MemQueueOptions { delay, ..MemQueueOptions::default() };
        Arc::new(MemQueue::new(options))
    }

    async fn queue_with_dead_letters(&self, max_receives: u32) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
        let dead_letter = MemQueue::default();
        let redrive = Redrive { max_receives, dead_letter: dead_letter.clone() };
        let options = MemQueueOptions { redrive: Some(redrive), ..MemQueueOptions::default() };
        (Arc::new(MemQueue::new(options)), Arc::new(dead_letter))
    }
}

/// Stores in memory.
pub struct MemStores;

impl Backend for MemStores {
    fn name(&self) -> &str {
        "mem_store"
    }
}

#[async_trait]
impl StoreBackend for MemStores {
    async fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(MemStore::default())
    }
}

/// Stores in this directory.
pub struct DirStores(pub PathBuf);

impl Backend for DirStores {
    fn name(&self) -> &str {
        "dir_store"
    }

    fn lacks(&self) -> &[(&'static str, &'static str)] {
        &[("a_key_may_also_be_a_prefix", "a path cannot be a file and a directory")]
    }
}

#[async_trait]
impl StoreBackend for DirStores {
    async fn store(&self) -> Arc<dyn ObjectStore> {
        Arc::new(DirStore::open(&self.0).expect("a directory that can be written to"))
    }
}

/// One of the sources in memory.
pub struct MemSources {
    name: &'static str,
    clock: Clock,
    lacks: &'static [(&'static str, &'static str)],
    source: fn(usize) -> Box<dyn EventSource>,
}

impl MemSources {
    /// Each of them.
    pub fn all() -> [Self; 5] {
        let source = |name, source| Self { name, clock: Clock::Paused, lacks: &[], source };
        [
            source("scripted", |messages| Box::new(scripted(messages))),
            source("shared", |messages| Box::new(Shared::new(scripted(messages)))),
            source("duplicates", |messages| {
                let repeated = Duplicates::new(scripted(messages), 0.3, 7);
                Box::new(repeated.expect("0.3 is a rate"))
            }),
            Self {
                lacks: &[("the_end_is_the_end", "it makes events for ever")],
                ..source("synthetic", |_| {
                    let endless = Synthetic::new(SyntheticOptions::default());
                    Box::new(endless.expect("the defaults are valid"))
                })
            },
            Self {
                // It reads on a thread of its own, which the paused clock would outrun.
                clock: Clock::WALL,
                ..source("replay", |messages| {
                    let lines = sample(messages).iter().flat_map(encode_line).collect();
                    Box::new(Replay::from_reader(Trickle(Cursor::new(lines)), "lines"))
                })
            },
        ]
    }
}

impl Backend for MemSources {
    fn name(&self) -> &str {
        self.name
    }

    fn clock(&self) -> Clock {
        self.clock
    }

    fn lacks(&self) -> &[(&'static str, &'static str)] {
        self.lacks
    }
}

#[async_trait]
impl SourceBackend for MemSources {
    async fn source(&self, messages: usize) -> Box<dyn EventSource> {
        (self.source)(messages)
    }
}

fn scripted(messages: usize) -> Scripted {
    Scripted::new(sample(messages))
}

/// A reader whose lines come in pieces, so that whoever reads them has to wait in between.
struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        std::thread::yield_now();
        let piece = buffer.len().min(50);
        self.0.read(&mut buffer[..piece])
    }
}
