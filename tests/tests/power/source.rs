//! Sources with one mistake each.

use std::sync::Arc;

use event_core::{EventSource, Message, Result, async_trait};
use event_tests::conformance::{Backend, Clock, SourceBackend, sample, source_cases};
use tokio::task::yield_now;

/// A list from its end, so that what is read depends on nothing but the mistake.
struct Mistaken {
    rest: Vec<Message>,
    mistake: Mistake,
}

#[derive(Clone, Copy, PartialEq)]
enum Mistake {
    None,
    IgnoresTheMaximum,
    GoesOnAfterTheEnd,
    WaitsWithWhatItTook,
    OrdersByBatch,
    EndsEarly,
}

#[async_trait]
impl EventSource for Mistaken {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        let more = usize::from(self.mistake == Mistake::IgnoresTheMaximum);
        let rest = self.rest.len().saturating_sub(max + more);
        let mut batch = self.rest.split_off(rest);
        if self.mistake != Mistake::OrdersByBatch {
            batch.reverse();
        }
        match self.mistake {
            Mistake::WaitsWithWhatItTook => yield_now().await,
            Mistake::GoesOnAfterTheEnd if batch.is_empty() => self.rest = sample(1),
            Mistake::EndsEarly if self.rest.is_empty() => batch.clear(),
            _ => {}
        }
        Ok(batch)
    }
}

struct Backends(Mistake);

impl Backend for Backends {
    fn name(&self) -> &str {
        "mistaken_source"
    }
    fn clock(&self) -> Clock {
        Clock::Paused
    }
}

#[async_trait]
impl SourceBackend for Backends {
    async fn source(&self, messages: usize) -> Box<dyn EventSource> {
        Box::new(Mistaken { rest: sample(messages), mistake: self.0 })
    }
}

#[track_caller]
fn expect(mistake: Mistake, broken: &[&str]) {
    let backend: Arc<dyn SourceBackend> = Arc::new(Backends(mistake));
    super::expect_failures(&source_cases(), &backend, broken);
}

#[test]
fn a_source_without_a_mistake_passes() {
    expect(Mistake::None, &[]);
}

#[test]
fn a_batch_over_its_maximum_is_caught() {
    let all: Vec<_> = source_cases().iter().map(|case| case.name).collect();
    expect(Mistake::IgnoresTheMaximum, &all);
}

#[test]
fn a_source_that_goes_on_after_its_end_is_caught() {
    expect(Mistake::GoesOnAfterTheEnd, &["the_end_is_the_end"]);
}

#[test]
fn a_read_that_waits_with_what_it_took_is_caught() {
    expect(Mistake::WaitsWithWhatItTook, &["an_abandoned_read_loses_nothing"]);
}

#[test]
fn an_order_that_depends_on_the_batches_is_caught() {
    expect(Mistake::OrdersByBatch, &["an_abandoned_read_loses_nothing", "order_is_kept"]);
}

#[test]
fn a_source_that_ends_early_is_caught() {
    let broken =
        ["batches_keep_to_their_maximum", "an_abandoned_read_loses_nothing", "order_is_kept"];
    expect(Mistake::EndsEarly, &broken);
}
