//! What every backend must do: one case for each promise that the documentation of
//! [`Queue`](event_core::Queue), [`ObjectStore`](event_core::ObjectStore) and
//! [`EventSource`](event_core::EventSource) numbers, under the promise's own name.
//!
//! A backend says how to make one of its queues (stores, sources), which clock it goes by and
//! which promises it cannot keep, each with a reason. Those are shown as ignored, never as
//! passed. This is a whole test binary (`harness = false` in its `[[test]]` section):
//!
//! ```no_run
//! use std::{sync::Arc, time::Duration};
//!
//! use event_core::{Queue, async_trait};
//! use event_tests::conformance::{Backend, Clock, QueueBackend, queue_trials};
//! use event_tests::libtest_mimic::{Arguments, run};
//! # async fn my_queue(_: Duration, _: Option<u32>) -> (Arc<dyn Queue>, Arc<dyn Queue>) { std::process::exit(1) }
//!
//! struct Mine;
//!
//! impl Backend for Mine {
//!     fn name(&self) -> &str {
//!         "my_queue"
//!     }
//!     fn clock(&self) -> Clock {
//!         Clock::WALL
//!     }
//!     fn lacks(&self) -> &[(&'static str, &'static str)] {
//!         &[("depth_tells_the_age_of_the_oldest", "the service does not tell it")]
//!     }
//! }
//!
//! #[async_trait]
//! impl QueueBackend for Mine {
//!     async fn queue(&self, delay: Duration) -> Arc<dyn Queue> {
//!         my_queue(delay, None).await.0
//!     }
//!     async fn queue_with_dead_letters(&self, receives: u32) -> (Arc<dyn Queue>, Arc<dyn Queue>) {
//!         my_queue(Duration::ZERO, Some(receives)).await
//!     }
//! }
//!
//! fn main() {
//!     run(&Arguments::from_args(), queue_trials(Mine)).exit()
//! }
//! ```

mod case;
mod clock;
mod queue;
mod source;
mod store;

pub use case::{Backend, Case};
pub use clock::Clock;
pub use queue::{QueueBackend, queue_cases, queue_clock, queue_trials};
pub use source::{SourceBackend, sample, source_cases, source_trials};
pub use store::{StoreBackend, store_cases, store_trials};

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbered promises of a trait's documentation, by name, without links.
    fn numbered(source: &str) -> Vec<(String, String)> {
        let mut promises: Vec<(String, String)> = Vec::new();
        let mut is_open = false;
        for line in source.lines().map(str::trim) {
            let text = line.strip_prefix("///").map(str::trim).filter(|text| !text.is_empty());
            let Some(text) = text.filter(|text| !text.starts_with('#')) else {
                is_open = false;
                continue;
            };
            let numbered =
                text.split_once(". `").filter(|(number, _)| number.parse::<u8>().is_ok());
            if let Some((number, rest)) = numbered {
                assert_eq!(
                    number,
                    (promises.len() + 1).to_string(),
                    "promises are numbered from 1"
                );
                let (name, promise) = rest.split_once("`: ").expect("a name and a promise");
                promises.push((name.to_owned(), promise.to_owned()));
                is_open = true;
            } else if let Some((_, promise)) = promises.last_mut().filter(|_| is_open) {
                promise.push(' ');
                promise.push_str(text);
            }
        }
        promises.iter_mut().for_each(|(_, promise)| *promise = without_links(promise));
        promises
    }

    fn without_links(text: &str) -> String {
        let mut plain = String::new();
        let mut rest = text;
        while let Some((before, link)) = rest.split_once('[') {
            let (label, after) = link.split_once(']').expect("a link ends");
            plain.push_str(before);
            plain.push_str(label);
            rest = after;
            if let Some(target) = after.strip_prefix('(') {
                rest = target.split_once(')').expect("a target ends").1;
            }
        }
        plain + rest
    }

    fn cases<B: ?Sized>(cases: &[Case<B>]) -> Vec<(String, String)> {
        cases.iter().map(|case| (case.name.to_owned(), case.promise.to_owned())).collect()
    }

    #[test]
    fn each_promise_of_a_queue_has_a_case() {
        let promises = numbered(include_str!("../../../event-core/src/queue.rs"));
        assert_eq!(cases(&queue_cases()), promises);
    }

    #[test]
    fn each_promise_of_a_store_has_a_case() {
        let promises = numbered(include_str!("../../../event-core/src/store.rs"));
        assert_eq!(cases(&store_cases()), promises);
    }

    #[test]
    fn each_promise_of_a_source_has_a_case() {
        let promises = numbered(include_str!("../../../event-core/src/source.rs"));
        assert_eq!(cases(&source_cases()), promises);
    }
}
