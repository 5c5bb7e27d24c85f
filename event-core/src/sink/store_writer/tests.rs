//! What becomes of each delivery, whatever the store answers.

use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::civil::date;
use mockall::Sequence;

use super::*;
use crate::message::Message;
use crate::mocks::{MockStore, delivery};
use crate::schema::Retail;

const BODY: &str = r#"{"request_id": "r1", "store_id": 8, "cust_id": 538, "category": "Games",
    "sku": 42515, "price": 64.08, "qty": 5, "discount": 4.9, "gift_wrap": false,
    "variant": "black", "priority_shipping": true, "ts": "2026-11-22T22:16:48.469759"}"#;
const KEY: &str = "store_events/event_type=sale_event/dt=2026_11_22/r1.json";

/// On the day of the events, below a prefix that was opened.
fn writer(store: Arc<dyn ObjectStore>) -> StoreWriter {
    let manifest = Manifest::new(&ManifestOptions::default()).unwrap();
    StoreWriter::new(store, Layout::default(), Arc::new(Retail::default()))
        .manifest(manifest)
        .today(|| date(2026, 11, 22))
}

fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "put", "on purpose")
}

async fn store(store: MockStore, shutdown: &Shutdown) -> Outcome {
    let writer = writer(Arc::new(store));
    let message =
        Message::new(BODY).with_attribute(crate::schema::retail::EVENT_TYPE, "sale_event");
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
    assert!(matches!(outcome, Outcome::Quarantine(reason) if reason.code() == Reason::CONFLICT));
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
    mock.expect_put().once().in_sequence(&mut order).return_once(|_, _, _| Ok(PutOutcome::Exists));
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
    Message::new(body).with_attribute(crate::schema::retail::EVENT_TYPE, "sale_event")
}

#[tokio::test]
async fn each_delivery_of_a_batch_has_its_own_outcome_in_order() {
    let mut mock = MockStore::new();
    mock.expect_put().times(2).returning(|key, _, _| match key.ends_with("/r2.json") {
        true => Ok(PutOutcome::Exists),
        false => Ok(PutOutcome::Written),
    });
    mock.expect_get().once().returning(|_| Ok(Some(BODY.replace("r1", "r2").into())));
    let writer = writer(Arc::new(mock));
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
    async fn put(&self, key: &str, _: bytes::Bytes, _: PutMode) -> Result<PutOutcome> {
        let number: u64 = key.rsplit(['/', '.']).nth(1).unwrap().parse().unwrap();
        tokio::time::sleep(Duration::from_secs(100 - number)).await;
        Ok(if number.is_multiple_of(2) { PutOutcome::Exists } else { PutOutcome::Written })
    }

    async fn get(&self, key: &str) -> Result<Option<bytes::Bytes>> {
        Ok(key.ends_with("4.json").then(|| "other".into()))
    }

    async fn head(&self, _: &str) -> Result<Option<crate::ObjectMeta>> {
        Ok(None)
    }

    async fn list(&self, _: crate::ListRequest) -> Result<crate::Page> {
        Ok(crate::Page::default())
    }

    async fn delete(&self, _: &[String]) -> Vec<Result<()>> {
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn outcomes_are_in_order_though_the_last_put_ends_first() {
    let writer = writer(Arc::new(Backwards));
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
    async fn put(&self, _: &str, _: bytes::Bytes, _: PutMode) -> Result<PutOutcome> {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.now.fetch_sub(1, Ordering::Relaxed);
        Ok(PutOutcome::Written)
    }

    async fn get(&self, _: &str) -> Result<Option<bytes::Bytes>> {
        Ok(None)
    }

    async fn head(&self, _: &str) -> Result<Option<crate::ObjectMeta>> {
        Ok(None)
    }

    async fn list(&self, _: crate::ListRequest) -> Result<crate::Page> {
        Ok(crate::Page::default())
    }

    async fn delete(&self, _: &[String]) -> Vec<Result<()>> {
        Vec::new()
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_events_are_at_the_store_at_once_than_was_said() {
    for (puts, most) in [(0, 1), (1, 1), (3, 3), (100, 20)] {
        let store = Arc::new(Crowd::default());
        let writer = writer(store.clone()).max_concurrent_puts(puts);
        let batch: Vec<_> = (0..20).map(|id| delivery(sale(&id.to_string()))).collect();
        let outcomes = writer.handle(&batch, &Shutdown::never()).await;
        assert_eq!(outcomes, vec![Outcome::Ack; 20]);
        assert_eq!(store.most.load(Ordering::Relaxed), most, "{puts} puts");
    }
}

#[tokio::test(start_paused = true)]
async fn below_a_prefix_that_needs_repair_events_wait_for_five_minutes() {
    let mut mock = MockStore::new();
    mock.expect_get().returning(|_| Ok(Some("no manifest".into())));
    let schema = Arc::new(Retail::default());
    let writer = StoreWriter::new(Arc::new(mock), Layout::default(), schema);
    let outcomes = writer.handle(&["r1", "r2"].map(sale).map(delivery), &Shutdown::never()).await;
    assert_eq!(outcomes, vec![Outcome::Retry(Duration::from_secs(300)); 2]);
    let error = writer.open(&Shutdown::never()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

/// A person waits for it; a consumer with messages would try again.
#[tokio::test(start_paused = true)]
async fn a_prefix_that_cannot_be_read_is_told_at_once_when_it_is_opened() {
    let mut mock = MockStore::new();
    mock.expect_get().once().returning(|_| Err(error(ErrorKind::Denied)));
    let schema = Arc::new(Retail::default());
    let writer = StoreWriter::new(Arc::new(mock), Layout::default(), schema);
    let never = Shutdown::never();
    let open = tokio::time::timeout(Duration::from_secs(3600), writer.open(&never)).await;
    assert_eq!(open.unwrap().unwrap_err().kind(), ErrorKind::Denied);
}
