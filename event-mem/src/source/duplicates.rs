//! Messages that come twice.

use std::collections::VecDeque;

use event_core::{EventSource, Message, Result, async_trait};
use fastrand::Rng;

use super::check_rate;

/// A source that repeats some messages of another, as a producer does whose acknowledgement was
/// lost: the same body and attributes, now or up to a hundred messages later.
///
/// The originals keep their order. What is repeated depends on the seed and the messages before
/// it, not on the size of the batches.
///
/// ```
/// use event_core::{EventSource, Message};
/// use event_mem::{Duplicates, Scripted};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> event_core::Result<()> {
/// let mut source = Duplicates::new(Scripted::new([Message::new("a")]), 1.0, 7)?;
/// assert_eq!(source.next_batch(10).await?, [Message::new("a"), Message::new("a")]);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Duplicates<S> {
    source: S,
    rate: f64,
    rng: Rng,
    /// The last originals, any of which may be repeated.
    recent: VecDeque<Message>,
    /// Read and not answered yet.
    ready: VecDeque<Message>,
}

/// How many messages back a duplicate may be from.
const RECENT: usize = 100;

impl<S: EventSource> Duplicates<S> {
    /// Repeats messages of `source` at this rate: after each one, 0.0 never to 1.0 always, one
    /// of the last hundred.
    pub fn new(source: S, rate: f64, seed: u64) -> Result<Self> {
        check_rate("duplicates", "rate", rate)?;
        Ok(Self {
            source,
            rate,
            rng: Rng::with_seed(seed),
            recent: VecDeque::with_capacity(RECENT),
            ready: VecDeque::new(),
        })
    }

    fn push(&mut self, message: Message) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(message.clone());
        self.ready.push_back(message);
        if self.rng.f64() < self.rate {
            let which = self.rng.usize(..self.recent.len());
            self.ready.push_back(self.recent[which].clone());
        }
    }
}

#[async_trait]
impl<S: EventSource> EventSource for Duplicates<S> {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        if self.ready.is_empty() {
            for message in self.source.next_batch(max).await? {
                self.push(message);
            }
        }
        let count = max.min(self.ready.len());
        Ok(self.ready.drain(..count).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scripted;
    use std::collections::HashSet;

    fn messages() -> Vec<Message> {
        let message = |n: u32| Message::new(n.to_string()).with_attribute("n", n.to_string());
        (0..10_000).map(message).collect()
    }

    async fn read(rate: f64, max: usize) -> Vec<Message> {
        let mut source = Duplicates::new(Scripted::new(messages()), rate, 3).unwrap();
        let mut all = Vec::new();
        loop {
            let batch = source.next_batch(max).await.unwrap();
            assert!(batch.len() <= max);
            if batch.is_empty() {
                assert!(source.next_batch(max).await.unwrap().is_empty());
                return all;
            }
            all.extend(batch);
        }
    }

    #[tokio::test]
    async fn originals_keep_their_order_and_duplicates_come_at_the_rate() {
        for (rate, expected) in [(0.0, 0..=0), (0.25, 2300..=2700), (1.0, 10_000..=10_000)] {
            let all = read(rate, 10).await;
            let duplicates = all.len() - 10_000;
            assert!(expected.contains(&duplicates), "{rate}: {duplicates}");
            let mut seen = HashSet::new();
            let mut firsts = all;
            firsts.retain(|message| seen.insert(message.body.clone()));
            assert_eq!(firsts, messages());
        }
    }

    #[tokio::test]
    async fn what_is_repeated_does_not_depend_on_the_size_of_batches() {
        let whole = read(0.3, 1_000_000).await;
        for max in [1, 2, 7, 100] {
            assert_eq!(read(0.3, max).await, whole, "{max}");
        }
    }

    #[tokio::test]
    async fn a_duplicate_is_one_of_the_last_hundred_originals_as_it_was() {
        let (mut originals, mut distances) = (Vec::new(), Vec::new());
        let mut seen = HashSet::new();
        for message in read(1.0, 10).await {
            if seen.insert(message.body.clone()) {
                originals.push(message);
                continue;
            }
            let place = originals.iter().rposition(|original| *original == message);
            distances.push(originals.len() - place.expect("an original"));
        }
        assert_eq!(distances.len(), 10_000);
        // Any of them, and none before.
        assert_eq!((distances.iter().min(), distances.iter().max()), (Some(&1), Some(&RECENT)));
        let mean = distances.iter().sum::<usize>() / distances.len();
        assert!((45..55).contains(&mean), "{mean}");
    }

    #[test]
    fn a_rate_that_is_no_share_is_refused() {
        for rate in [-0.1, 1.1, f64::NAN] {
            let error = Duplicates::new(Scripted::default(), rate, 0).unwrap_err();
            assert!(error.to_string().contains(&format!("rate is {rate}")));
        }
    }
}
