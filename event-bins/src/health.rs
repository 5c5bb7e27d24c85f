//! Whether a pod lives, and whether what it needs is there.

use std::future::Future;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use event_aws::{S3Store, SqsQueue};
use event_core::{Delivery, Error, Message, Observer, Outcome, Queue, Shutdown};
use tokio::sync;
use tokio::time::{Instant, timeout};

/// The slowest request: a receive that takes both its tries to time out.
pub const SLOWEST_REQUEST: Duration = Duration::from_secs(65);

/// A request that is tried again waits up to 20 s, and longer where the retry budget is used up.
const BETWEEN_TRIES: Duration = Duration::from_secs(25);

/// Whether requests still come to an end: a poll, or another request while polling waits for
/// something. A request that failed counts, since an outage is not a reason to restart a pod.
#[derive(Debug)]
pub struct Liveness {
    silence: Duration,
    last: Mutex<Instant>,
}

impl Liveness {
    /// A pod that by its settings pauses at most for so long between two requests.
    pub fn new(pause: Duration) -> Self {
        Self { silence: pause + SLOWEST_REQUEST + BETWEEN_TRIES, last: Mutex::new(Instant::now()) }
    }

    /// Nothing if a request ended lately; else what is wrong.
    pub fn check(&self) -> Result<(), String> {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = last.elapsed();
        if silent <= self.silence {
            return Ok(());
        }
        let (silent, allowed) = (silent.as_secs(), self.silence.as_secs());
        Err(format!(
            "no request has ended for {silent} s, by its settings one does every {allowed} s"
        ))
    }

    fn seen(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }
}

impl Observer for Liveness {
    fn sent(&self, _: &[Message]) {
        self.seen();
    }

    fn received(&self, _: &[Delivery]) {
        self.seen();
    }

    fn handled(&self, _: &Delivery, _: &Outcome) {
        self.seen();
    }

    fn deleted(&self, _: usize) {
        self.seen();
    }

    fn released(&self, _: usize) {
        self.seen();
    }

    fn retried(&self, _: &Error, _: usize) {
        self.seen();
    }
}

/// How long an answer of the services is believed: probes come every few seconds from every
/// node, and each of them must not be a request.
const BELIEVED: Duration = Duration::from_secs(10);

/// A probe that waits longer has been given up by whoever asked.
const PROBE: Duration = Duration::from_secs(3);

/// Whether queue and bucket answer, with the credentials as they are.
#[derive(Debug)]
pub struct Readiness {
    needs: OnceLock<Needs>,
    draining: Shutdown,
    last: sync::Mutex<Option<(Instant, Result<(), String>)>>,
}

/// What a pod needs to do its work.
#[derive(Clone, Debug)]
pub struct Needs {
    /// Asked for its depth.
    pub queue: SqsQueue,
    /// Asked whether it is there, where the pod has one.
    pub store: Option<S3Store>,
}

impl Readiness {
    /// Not ready until it is told what the pod needs, nor once it drains.
    pub fn new(draining: Shutdown) -> Self {
        Self { needs: OnceLock::new(), draining, last: sync::Mutex::default() }
    }

    /// The pod has started and needs this from now on; a second call changes nothing.
    pub fn started(&self, needs: Needs) {
        let _ = self.needs.set(needs);
    }

    /// Nothing if all is there; else what is not.
    pub async fn check(&self) -> Result<(), String> {
        if self.draining.is_requested() {
            return Err("draining".to_owned());
        }
        let Some(needs) = self.needs.get() else {
            return Err("starting".to_owned());
        };
        self.recent(needs.ask()).await
    }

    /// The last answer while it is believed, else that to this.
    async fn recent(&self, ask: impl Future<Output = Result<(), Error>>) -> Result<(), String> {
        // Held while asking, so that probes at the same time share one answer.
        let mut last = self.last.lock().await;
        if let Some((asked, answer)) = &*last
            && asked.elapsed() < BELIEVED
        {
            return answer.clone();
        }
        let answer = match timeout(PROBE, ask).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err(format!("no answer within {PROBE:?}")),
        };
        *last = Some((Instant::now(), answer.clone()));
        answer
    }
}

impl Needs {
    async fn ask(&self) -> Result<(), Error> {
        let store = async {
            match &self.store {
                Some(store) => store.check().await,
                None => Ok(()),
            }
        };
        let (queue, store) = tokio::join!(self.queue.depth(), store);
        queue.and(store)
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use event_core::ErrorKind;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn silence_is_told_from_a_pause() {
        let liveness = Liveness::new(Duration::from_secs(512));
        advance(Duration::from_secs(602)).await;
        assert_eq!(liveness.check(), Ok(()));
        advance(Duration::from_secs(8)).await;
        let silence = "no request has ended for 610 s, by its settings one does every 602 s";
        assert_eq!(liveness.check(), Err(silence.to_owned()));
        liveness.received(&[]);
        assert_eq!(liveness.check(), Ok(()), "an empty poll is a poll");
        advance(Duration::from_secs(610)).await;
        assert!(liveness.check().is_err());
        liveness.retried(&Error::new(ErrorKind::Transient, "receive", "on purpose"), 1);
        assert_eq!(liveness.check(), Ok(()), "a request that failed has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_every_request_is_a_sign_of_life() {
        let liveness = Liveness::new(Duration::ZERO);
        let delivery = Delivery {
            message: Message::new("{}"),
            id: event_core::MessageId::new("id"),
            receipt: event_core::Receipt::new("receipt"),
            receive_count: 1,
            sent_at: std::time::SystemTime::UNIX_EPOCH,
            event: None,
        };
        let signs: [&dyn Fn(); 5] = [
            &|| liveness.sent(&[]),
            &|| liveness.received(&[]),
            &|| liveness.handled(&delivery, &Outcome::Duplicate),
            &|| liveness.deleted(1),
            &|| liveness.released(1),
        ];
        for (number, sign) in signs.into_iter().enumerate() {
            advance(Duration::from_secs(91)).await;
            assert!(liveness.check().is_err(), "{number}");
            sign();
            assert_eq!(liveness.check(), Ok(()), "{number}");
        }
    }

    #[tokio::test]
    async fn a_pod_is_not_ready_before_it_has_started_nor_while_it_drains() {
        let (trigger, shutdown) = Shutdown::new();
        let readiness = Readiness::new(shutdown);
        assert_eq!(readiness.check().await, Err("starting".to_owned()));
        trigger.shutdown();
        assert_eq!(readiness.check().await, Err("draining".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_bad_answer_is_believed_as_long_as_a_good_one() {
        let failed = Error::new(ErrorKind::Transient, "depth", "on purpose");
        for answer in [Ok(()), Err(failed)] {
            let (readiness, asked) = (Readiness::new(Shutdown::never()), AtomicUsize::new(0));
            let check = || {
                readiness.recent(async {
                    asked.fetch_add(1, Ordering::Relaxed);
                    answer.clone()
                })
            };
            let expected = answer.clone().map_err(|error| error.to_string());
            assert_eq!(check().await, expected);
            advance(BELIEVED - Duration::from_millis(1)).await;
            assert_eq!(check().await, expected);
            assert_eq!(asked.load(Ordering::Relaxed), 1, "{answer:?}");
            advance(Duration::from_millis(1)).await;
            assert_eq!(check().await, expected);
            assert_eq!(asked.load(Ordering::Relaxed), 2, "{answer:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn silence_is_believed_as_any_other_answer() {
        let readiness = Readiness::new(Shutdown::never());
        let fault = readiness.recent(pending()).await.unwrap_err();
        assert!(fault.contains("no answer within 3s"), "{fault}");
        advance(BELIEVED - Duration::from_millis(1)).await;
        assert_eq!(readiness.recent(async { Ok(()) }).await, Err(fault));
        advance(Duration::from_millis(1)).await;
        assert_eq!(readiness.recent(async { Ok(()) }).await, Ok(()));
    }

    /// Each node of a cluster may ask at the same time.
    #[tokio::test(start_paused = true)]
    async fn probes_at_the_same_time_share_one_answer() {
        let (readiness, asked) = (Readiness::new(Shutdown::never()), AtomicUsize::new(0));
        let check = || {
            readiness.recent(async {
                asked.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PROBE / 2).await;
                Ok(())
            })
        };
        let answers = tokio::join!(check(), check(), check());
        assert_eq!(answers, (Ok(()), Ok(()), Ok(())));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}
