//! The handler that writes events to a store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tracing::{Instrument, debug_span};

use super::identified;
use crate::error::{Error, ErrorKind};
use crate::handler::{Handler, Outcome};
use crate::layout::Layout;
use crate::message::Message;
use crate::queue::Delivery;
use crate::reason::Reason;
use crate::retry::Retry;
use crate::schema::Schema;
use crate::shutdown::Shutdown;
use crate::store::{ObjectStore, PutMode, PutOutcome};

/// Stores each valid event as an object of its own, create-only, under its
/// [`Layout::event_key`]; the bytes stored are the bytes received.
///
/// | what is under the key | outcome |
/// |---|---|
/// | nothing | written; [`Outcome::Ack`] |
/// | the same bytes | [`Outcome::Duplicate`] |
/// | other bytes | [`Outcome::Quarantine`] with [`Reason::CONFLICT`] |
///
/// What is no event is quarantined with the reason that the [`Schema`] gives.
///
/// While the store fails, it tries again and keeps the messages: the consumer's bounds fill up,
/// receiving stops, and no message uses up its deliveries. An error that is about the event
/// itself (a key or a body that the store will never take) quarantines it.
///
/// # What is promised
///
/// Of all deliveries with the same identity and partition, one object is ever stored. Identity is by
/// partition: one on two days is two events, and both are stored.
pub struct StoreWriter {
    store: Arc<dyn ObjectStore>,
    layout: Layout,
    schema: Arc<dyn Schema>,
    retry: Retry,
    puts: Semaphore,
}

impl StoreWriter {
    /// A writer of events of this schema into this store, with up to 64 of them at the store at once.
    pub fn new(store: Arc<dyn ObjectStore>, layout: Layout, schema: Arc<dyn Schema>) -> Self {
        let puts = Semaphore::new(64);
        Self { store, layout, schema, retry: Retry::default(), puts }
    }

    /// With so many events at the store at once, over all batches; at least 1. An event stays
    /// there between two tries, so this bounds the requests that an outage is answered with, too.
    #[must_use]
    pub fn puts(mut self, puts: usize) -> Self {
        self.puts = Semaphore::new(puts.max(1));
        self
    }

    /// With this retry loop: to share a budget, to fix the seed of the jitter or, by
    /// [`Retry::observed_by`], to have the retries of puts counted, which the consumer's own
    /// observer does not hear of.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    async fn store(&self, delivery: &Delivery, shutdown: &Shutdown) -> Outcome {
        let message = &delivery.message;
        let event = match identified(&*self.schema, delivery) {
            Ok(event) => event,
            Err(reason) => return Outcome::Quarantine(reason),
        };
        let key = self.layout.event_key(&event);
        // Never closed, so there always is a turn. No shutdown ends this wait: whoever is before
        // us stops waiting then, and one try is quick.
        let _turn = self.puts.acquire().await;
        let not_about_the_event = |error: &Error| !error.is_about_entry();
        let span = debug_span!("store", key);
        let stored =
            self.retry.one(not_about_the_event, shutdown, || self.put_or_look(&key, message));
        match stored.instrument(span).await {
            Ok(outcome) => outcome,
            Err(error) if error.is_about_entry() => {
                Outcome::Quarantine(Reason::new(Reason::REFUSED, error.to_string()))
            }
            // Given up because of the shutdown: another consumer can have it at once.
            Err(_) => Outcome::Retry(Duration::ZERO),
        }
    }

    async fn put_or_look(&self, key: &str, message: &Message) -> Result<Outcome, Error> {
        let put = self.store.put(key, message.body.clone(), PutMode::Create);
        if put.await? == PutOutcome::Written {
            return Ok(Outcome::Ack);
        }
        // It may be our own put whose answer was lost, an earlier delivery, or another event:
        // only the bytes tell.
        match self.store.get(key).await? {
            Some(there) if there == message.body => Ok(Outcome::Duplicate),
            Some(_) => {
                let detail = format!("{key} holds an event with the same identity and other bytes");
                Ok(Outcome::Quarantine(Reason::new(Reason::CONFLICT, detail)))
            }
            None => {
                let message = format!("{key} existed and was gone a moment later");
                Err(Error::new(ErrorKind::Transient, "put", message))
            }
        }
    }
}

#[async_trait]
impl Handler for StoreWriter {
    async fn handle(&self, batch: &[Delivery], shutdown: &Shutdown) -> Vec<Outcome> {
        join_all(batch.iter().map(|delivery| self.store(delivery, shutdown))).await
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use mockall::Sequence;

    use super::*;
    use crate::message::Message;
    use crate::mocks::{MockStore, delivery};
    use crate::schema::Retail;

    const BODY: &str = r#"{"request_id": "r1", "store_id": 8, "cust_id": 538, "category": "Games",
        "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
        "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48.469759"}"#;
    const KEY: &str = "store_events/event_type=sale_event/dt=2026_11_22/r1.json";

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "put", "on purpose")
    }

    async fn store(store: MockStore, shutdown: &Shutdown) -> Outcome {
        let writer =
            StoreWriter::new(Arc::new(store), Layout::default(), Arc::new(Retail::default()));
        let message = Message::new(BODY).with_attribute(crate::EVENT_TYPE, "sale_event");
        writer.store(&delivery(message), shutdown).await
    }

    fn with_object_there(there: &'static str) -> MockStore {
        let mut mock = MockStore::new();
        mock.expect_put().once().return_once(|_, _, _| Ok(PutOutcome::Exists));
        mock.expect_get().once().return_once(move |_| Ok(Some(there.into())));
        mock
    }

    #[tokio::test]
    async fn an_event_is_created_under_its_key_with_its_own_bytes() {
        let mut mock = MockStore::new();
        mock.expect_put()
            .once()
            .withf(|key, body, mode| key == KEY && body == BODY && *mode == PutMode::Create)
            .return_once(|_, _, _| Ok(PutOutcome::Written));
        assert_eq!(store(mock, &Shutdown::never()).await, Outcome::Ack);
    }

    #[tokio::test]
    async fn the_same_bytes_under_the_key_are_a_duplicate() {
        let outcome = store(with_object_there(BODY), &Shutdown::never()).await;
        assert_eq!(outcome, Outcome::Duplicate);
    }

    #[tokio::test]
    async fn other_bytes_under_the_key_are_a_conflict() {
        let outcome = store(with_object_there("other"), &Shutdown::never()).await;
        assert!(
            matches!(outcome, Outcome::Quarantine(reason) if reason.code() == Reason::CONFLICT)
        );
    }

    #[tokio::test]
    async fn bytes_that_differ_in_anything_are_other_bytes() {
        let (flipped, cut) = (BODY.replace("Games", "games"), &BODY[..BODY.len() - 1]);
        let others = [
            String::new(),
            format!("{BODY} "),
            format!(" {BODY}"),
            format!("{BODY}\n"),
            cut.to_owned(),
            format!("{cut}]"),
            flipped,
            BODY.replace('\n', " "),
            BODY.replace("4.9", "4.90"),
            BODY.replacen('{', "[", 1),
        ];
        for other in others {
            let mut mock = MockStore::new();
            mock.expect_put().once().return_once(|_, _, _| Ok(PutOutcome::Exists));
            let there = other.clone();
            mock.expect_get().once().return_once(move |_| Ok(Some(there.into())));
            let outcome = store(mock, &Shutdown::never()).await;
            assert!(matches!(outcome, Outcome::Quarantine(_)), "{other}: {outcome:?}");
        }
    }

    /// Nothing is known of what was there, so nothing may be deleted for it.
    #[tokio::test(start_paused = true)]
    async fn what_was_there_and_is_gone_is_put_again() {
        let (mut mock, mut order) = (MockStore::new(), Sequence::new());
        for _ in 0..3 {
            let put = mock.expect_put().once().in_sequence(&mut order);
            put.return_once(|_, _, _| Ok(PutOutcome::Exists));
            mock.expect_get().once().in_sequence(&mut order).return_once(|_| Ok(None));
        }
        let put = mock.expect_put().once().in_sequence(&mut order);
        put.return_once(|_, _, _| Ok(PutOutcome::Written));
        assert_eq!(store(mock, &Shutdown::never()).await, Outcome::Ack);
    }

    /// A look that fails tells nothing either.
    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_looked_at_is_put_again() {
        let (mut mock, mut order) = (MockStore::new(), Sequence::new());
        mock.expect_put().times(2).returning(|_, _, _| Ok(PutOutcome::Exists));
        let get = mock.expect_get().once().in_sequence(&mut order);
        get.return_once(|_| Err(error(ErrorKind::Denied)));
        let get = mock.expect_get().once().in_sequence(&mut order);
        get.return_once(|_| Ok(Some(BODY.into())));
        assert_eq!(store(mock, &Shutdown::never()).await, Outcome::Duplicate);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failing_store_is_tried_again_however_it_fails() {
        use ErrorKind::{Ambiguous, Denied, NotFound, Throttled, Transient, Unknown};
        for kind in [Ambiguous, Denied, NotFound, Throttled, Transient, Unknown] {
            let (mut mock, mut order) = (MockStore::new(), Sequence::new());
            mock.expect_put()
                .times(3)
                .in_sequence(&mut order)
                .returning(move |_, _, _| Err(error(kind)));
            mock.expect_put()
                .once()
                .in_sequence(&mut order)
                .returning(|_, _, _| Ok(PutOutcome::Written));
            assert_eq!(store(mock, &Shutdown::never()).await, Outcome::Ack, "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_put_whose_answer_was_lost_counts_once() {
        let (mut mock, mut order) = (MockStore::new(), Sequence::new());
        mock.expect_put()
            .once()
            .in_sequence(&mut order)
            .return_once(|_, _, _| Err(error(ErrorKind::Ambiguous)));
        mock.expect_put()
            .once()
            .in_sequence(&mut order)
            .return_once(|_, _, _| Ok(PutOutcome::Exists));
        mock.expect_get().return_once(|_| Ok(Some(BODY.into())));
        assert_eq!(store(mock, &Shutdown::never()).await, Outcome::Duplicate);
    }

    #[tokio::test(start_paused = true)]
    async fn a_shutdown_during_an_outage_gives_the_message_back_at_once() {
        let (trigger, shutdown) = Shutdown::new();
        let mut mock = MockStore::new();
        mock.expect_put().once().returning(move |_, _, _| {
            trigger.shutdown();
            Err(error(ErrorKind::Transient))
        });
        assert_eq!(store(mock, &shutdown).await, Outcome::Retry(Duration::ZERO));
    }

    #[tokio::test]
    async fn what_the_store_will_never_take_is_quarantined() {
        let mut mock = MockStore::new();
        mock.expect_put().once().returning(|_, _, _| Err(error(ErrorKind::Invalid)));
        let outcome = store(mock, &Shutdown::never()).await;
        assert!(matches!(outcome, Outcome::Quarantine(reason) if reason.code() == Reason::REFUSED));
    }
    fn sale(request_id: &str) -> Message {
        let body = BODY.replace("r1", request_id);
        Message::new(body).with_attribute(crate::EVENT_TYPE, "sale_event")
    }

    #[tokio::test]
    async fn each_delivery_of_a_batch_has_its_own_outcome_in_order() {
        let mut mock = MockStore::new();
        mock.expect_put().times(2).returning(|key, _, _| match key.ends_with("/r2.json") {
            true => Ok(PutOutcome::Exists),
            false => Ok(PutOutcome::Written),
        });
        mock.expect_get().once().returning(|_| Ok(Some(BODY.replace("r1", "r2").into())));
        let writer =
            StoreWriter::new(Arc::new(mock), Layout::default(), Arc::new(Retail::default()));
        let batch = [sale("r1"), Message::new("no event"), sale("r2")].map(delivery);
        let outcomes = writer.handle(&batch, &Shutdown::never()).await;
        assert!(
            matches!(&outcomes[..], [Outcome::Ack, Outcome::Quarantine(_), Outcome::Duplicate]),
            "{outcomes:?}"
        );
    }

    /// Finds the even ones there, and answers for the last first.
    struct Backwards;

    #[async_trait]
    impl ObjectStore for Backwards {
        async fn put(&self, key: &str, _: bytes::Bytes, _: PutMode) -> crate::Result<PutOutcome> {
            let number: u64 = key.rsplit(['/', '.']).nth(1).unwrap().parse().unwrap();
            tokio::time::sleep(Duration::from_secs(100 - number)).await;
            Ok(if number.is_multiple_of(2) { PutOutcome::Exists } else { PutOutcome::Written })
        }

        async fn get(&self, key: &str) -> crate::Result<Option<bytes::Bytes>> {
            Ok(key.ends_with("4.json").then(|| "other".into()))
        }

        async fn head(&self, _: &str) -> crate::Result<Option<crate::ObjectMeta>> {
            Ok(None)
        }

        async fn list(&self, _: crate::ListRequest) -> crate::Result<crate::Page> {
            Ok(crate::Page::default())
        }

        async fn delete(&self, _: &[String]) -> Vec<crate::Result<()>> {
            Vec::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn outcomes_are_in_order_though_the_last_put_ends_first() {
        let writer =
            StoreWriter::new(Arc::new(Backwards), Layout::default(), Arc::new(Retail::default()));
        let batch: Vec<_> =
            [1, 3, 4, 5, 14, 7, 24, 44, 9].map(|id| delivery(sale(&id.to_string()))).into();
        let outcomes = writer.handle(&batch, &Shutdown::never()).await;
        let conflicts: Vec<_> =
            outcomes.iter().map(|outcome| matches!(outcome, Outcome::Quarantine(_))).collect();
        assert_eq!(conflicts, [false, false, true, false, true, false, true, true, false]);
    }

    /// Counts the puts that are under way at once.
    #[derive(Default)]
    struct Crowd {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    #[async_trait]
    impl ObjectStore for Crowd {
        async fn put(&self, _: &str, _: bytes::Bytes, _: PutMode) -> crate::Result<PutOutcome> {
            let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_secs(1)).await;
            self.now.fetch_sub(1, Ordering::Relaxed);
            Ok(PutOutcome::Written)
        }

        async fn get(&self, _: &str) -> crate::Result<Option<bytes::Bytes>> {
            Ok(None)
        }

        async fn head(&self, _: &str) -> crate::Result<Option<crate::ObjectMeta>> {
            Ok(None)
        }

        async fn list(&self, _: crate::ListRequest) -> crate::Result<crate::Page> {
            Ok(crate::Page::default())
        }

        async fn delete(&self, _: &[String]) -> Vec<crate::Result<()>> {
            Vec::new()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_events_are_at_the_store_at_once_than_was_said() {
        for (puts, most) in [(0, 1), (1, 1), (3, 3), (100, 20)] {
            let store = Arc::new(Crowd::default());
            let writer =
                StoreWriter::new(store.clone(), Layout::default(), Arc::new(Retail::default()))
                    .puts(puts);
            let batch: Vec<_> = (0..20).map(|id| delivery(sale(&id.to_string()))).collect();
            let outcomes = writer.handle(&batch, &Shutdown::never()).await;
            assert_eq!(outcomes, vec![Outcome::Ack; 20]);
            assert_eq!(store.most.load(Ordering::Relaxed), most, "{puts} puts");
        }
    }
}
