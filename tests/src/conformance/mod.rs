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
pub use queue::{QueueBackend, queue_cases, queue_trials};
pub use source::{SourceBackend, sample, source_cases, source_trials};
pub use store::{StoreBackend, store_cases, store_trials};

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(source: &str) -> Vec<&str> {
        let lines = source.lines().filter_map(|line| {
            let (number, rest) = line.trim().strip_prefix("/// ")?.split_once(". `")?;
            Some((number.parse::<usize>().ok()?, rest.split_once('`')?.0))
        });
        let (numbers, names): (Vec<_>, Vec<_>) = lines.unzip();
        let expected: Vec<_> = (1..=names.len()).collect();
        assert_eq!(numbers, expected, "the promises are numbered from 1");
        names
    }

    fn names<B: ?Sized>(cases: &[Case<B>]) -> Vec<&str> {
        cases.iter().map(|case| case.name).collect()
    }

    #[test]
    fn each_promise_of_a_queue_has_a_case() {
        let promises = numbered(include_str!("../../../event-core/src/queue.rs"));
        assert_eq!(names(&queue_cases()), promises);
    }

    #[test]
    fn each_promise_of_a_store_has_a_case() {
        let promises = numbered(include_str!("../../../event-core/src/store.rs"));
        assert_eq!(names(&store_cases()), promises);
    }

    #[test]
    fn each_promise_of_a_source_has_a_case() {
        let promises = numbered(include_str!("../../../event-core/src/source.rs"));
        assert_eq!(names(&source_cases()), promises);
    }
}
