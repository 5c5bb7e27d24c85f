//! The boundary of expiry: the oldest day of a prefix that is live.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use tokio::sync::Mutex;

use super::index::Slot;
use crate::error::{Error, Result};
use crate::layout::Layout;
use crate::object::Object;
use crate::retry::Retry;
use crate::shutdown::Shutdown;
use crate::store::ObjectStore;

/// The day by the clock of this process, in UTC.
pub(crate) type Today = Arc<dyn Fn() -> Date + Send + Sync>;

/// What one process knows of the boundary of a prefix.
///
/// Deleting a segment re-opens its key, so the boundary passes a day before the day is deleted, and
/// a writer looks at it after what it stored is durable and before its message is deleted: what was
/// put after the segments were deleted is not live, and its message must not be forgotten as if it
/// were.
pub(crate) struct Boundary {
    /// The day by the clock of this process.
    pub(crate) today: Today,
    /// Counts those that asked.
    asked: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The number of the object to be read next; all before it were read.
    next: Slot,
    oldest: Option<Date>,
    /// Those that asked before the last read began.
    served: u64,
}

/// `_oldest/0000000000.json`: `{"oldest": "2026-10-01"}`.
#[derive(Deserialize)]
struct Written {
    oldest: String,
}

/// Where a boundary is read.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) store: &'a dyn ObjectStore,
    pub(crate) layout: &'a Layout,
    pub(crate) retry: &'a Retry,
    pub(crate) stop: &'a Shutdown,
}

impl Default for Boundary {
    fn default() -> Self {
        let today = || TimeZone::UTC.to_datetime(Timestamp::now()).date();
        Self { today: Arc::new(today), asked: AtomicU64::new(0), known: Mutex::default() }
    }
}

impl Boundary {
    /// Whether a day is below the boundary, by a read that begins now: for what became durable before.
    pub(crate) async fn has_passed(&self, day: Date, source: Source<'_>) -> Result<bool> {
        let oldest = self.read(source).await?;
        Ok(oldest.is_some_and(|oldest| day < oldest))
    }

    /// Whether no boundary can have passed a day: it is too young to be deleted, even if this clock is
    /// a day slow.
    pub(crate) fn is_safe(&self, day: Date, least_days_kept: u32) -> bool {
        let age = (self.today)().since(day).map_or(i32::MAX, |age| age.get_days());
        i64::from(age) < i64::from(least_days_kept) - 1
    }

    /// The oldest live day, by a read that began after this was asked for. One read serves all that
    /// asked before it began.
    async fn read(&self, source: Source<'_>) -> Result<Option<Date>> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut known = self.known.lock().await;
        if known.served >= number {
            return Ok(known.oldest);
        }
        let asked = self.asked.load(Ordering::SeqCst);
        let Source { store, layout, retry, stop } = source;
        loop {
            let key = layout.boundary_key(known.next);
            let there = retry.one(|_| true, stop, || store.get(&key)).await?;
            let Some(bytes) = there else { break };
            let read = serde_json::from_slice::<Object<Written>>(&bytes).ok();
            let oldest = read.and_then(|Object(Written { oldest })| oldest.parse().ok());
            let oldest = oldest.ok_or_else(|| {
                let what = "is not a valid boundary of expiry: it needs manual repair";
                Error::invalid("log", format!("{key} {what}"))
            })?;
            // It is never lower than the one before.
            known.oldest = known.oldest.max(Some(oldest));
            known.next += 1;
        }
        known.served = asked;
        Ok(known.oldest)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use jiff::civil::date;

    use super::*;
    use crate::mocks::MockStore;
    use crate::store::{ListRequest, ObjectMeta, Page, PutMode, PutOutcome};

    const DAY: Date = date(2026, 11, 22);

    fn on(today: Date) -> Boundary {
        Boundary { today: Arc::new(move || today), ..Boundary::default() }
    }

    #[test]
    fn a_day_is_safe_while_even_a_slow_clock_says_that_it_is_kept() {
        for (days, safe) in
            [(-400, true), (-1, true), (0, true), (28, true), (29, false), (400, false)]
        {
            let today = DAY.checked_add(jiff::Span::new().days(days)).unwrap();
            assert_eq!(on(today).is_safe(DAY, 30), safe, "{days}");
        }
        assert!(on(DAY).is_safe(DAY, 2) && !on(DAY.tomorrow().unwrap()).is_safe(DAY, 2));
    }

    fn there(objects: &'static [&'static str]) -> (MockStore, Arc<Mutex<Vec<String>>>) {
        let (mut store, asked) = (MockStore::new(), Arc::<Mutex<Vec<String>>>::default());
        let log = Arc::clone(&asked);
        store.expect_get().returning(move |key| {
            log.lock().unwrap().push(key.to_owned());
            let number: usize = key[key.len() - 15..key.len() - 5].parse().unwrap();
            Ok(objects.get(number).map(|object| (*object).into()))
        });
        (store, asked)
    }

    async fn passed(boundary: &Boundary, store: &MockStore, day: Date) -> Result<bool> {
        let (layout, retry, stop) = (Layout::default(), Retry::default(), Shutdown::never());
        let source = Source { store, layout: &layout, retry: &retry, stop: &stop };
        boundary.has_passed(day, source).await
    }

    #[tokio::test]
    async fn the_last_boundary_counts_and_each_is_read_once() {
        let (store, asked) = there(&[r#"{"oldest": "2026-11-21"}"#, r#"{"oldest": "2026-11-23"}"#]);
        let boundary = on(DAY);
        assert!(passed(&boundary, &store, DAY).await.unwrap());
        assert!(!passed(&boundary, &store, date(2026, 11, 23)).await.unwrap());
        let numbers =
            |asked: &[String]| asked.iter().map(|key| key[21..31].to_owned()).collect::<Vec<_>>();
        let all = ["0000000000", "0000000001", "0000000002", "0000000002"];
        assert_eq!(numbers(&asked.lock().unwrap()), all);
        assert_eq!(asked.lock().unwrap()[0], "store_events/_oldest/0000000000.json");
    }

    #[tokio::test]
    async fn a_boundary_that_cannot_be_read_is_named() {
        let (store, _) = there(&["{}"]);
        let error = passed(&on(DAY), &store, DAY).await.unwrap_err().to_string();
        assert!(error.contains("store_events/_oldest/0000000000.json"), "{error}");
    }

    /// A hand was here; a day that was deleted is not live again.
    #[tokio::test]
    async fn a_boundary_is_never_lower_than_the_one_before() {
        let (store, _) = there(&[r#"{"oldest": "2026-11-23"}"#, r#"{"oldest": "2026-11-21"}"#]);
        assert!(passed(&on(DAY), &store, DAY).await.unwrap());
    }

    #[tokio::test(start_paused = true)]
    async fn a_boundary_is_asked_for_until_there_is_an_answer_whatever_the_error() {
        use crate::error::ErrorKind::{Denied, Invalid, NotFound, Transient, Unknown};
        let mut store = MockStore::new();
        let mut answers = [Denied, Invalid, NotFound, Transient, Unknown]
            .map(|kind| Err(Error::new(kind, "get", "on purpose")))
            .into_iter()
            .chain([Ok(Some(r#"{"oldest": "2026-11-23"}"#.into())), Ok(None)]);
        store.expect_get().times(7).returning(move |_| answers.next().unwrap());
        assert!(passed(&on(DAY), &store, DAY).await.unwrap());
    }

    /// Nothing was learnt from it.
    #[tokio::test(start_paused = true)]
    async fn a_read_that_failed_serves_nobody() {
        let boundary = Arc::new(on(DAY));
        let (store, asked) = there(&["{}"]);
        let store = Arc::new(store);
        let under_way = boundary.known.lock().await;
        let waiting = [(); 3].map(|()| {
            let (boundary, store) = (Arc::clone(&boundary), Arc::clone(&store));
            tokio::spawn(async move { passed(&boundary, &store, DAY).await })
        });
        tokio::task::yield_now().await;
        drop(under_way);
        for task in waiting {
            assert!(task.await.unwrap().is_err());
        }
        assert_eq!(asked.lock().unwrap().len(), 3);
    }

    /// Whoever asks while a read is under way is not served by it: the boundary may pass in between.
    #[tokio::test(start_paused = true)]
    async fn a_read_serves_those_that_asked_before_it_began() {
        let boundary = Arc::new(on(DAY));
        let mut store = MockStore::new();
        let reads = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&reads);
        store.expect_get().returning(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            Ok(None)
        });
        let store = Arc::new(store);
        let ask = || {
            let (boundary, store) = (Arc::clone(&boundary), Arc::clone(&store));
            tokio::spawn(async move { passed(&boundary, &store, DAY).await })
        };
        // Held as if a read were under way.
        let under_way = boundary.known.lock().await;
        let waiting = [ask(), ask(), ask()];
        tokio::task::yield_now().await;
        drop(under_way);
        for task in waiting {
            assert!(!task.await.unwrap().unwrap());
        }
        assert_eq!(reads.load(Ordering::SeqCst), 1);
        assert!(!ask().await.unwrap().unwrap());
        assert_eq!(reads.load(Ordering::SeqCst), 2);
    }

    /// A store without an object at first, which takes its answer to a read at once and then lets it
    /// wait for the gate.
    struct Gated {
        boundary: Mutex<Option<&'static str>>,
        gate: tokio::sync::Semaphore,
        reads: AtomicU64,
    }

    #[crate::async_trait]
    impl ObjectStore for Gated {
        async fn get(&self, key: &str) -> Result<Option<bytes::Bytes>> {
            self.reads.fetch_add(1, Ordering::SeqCst);
            let there = *self.boundary.lock().unwrap();
            let answer = there.filter(|_| key.ends_with("/0000000000.json")).map(Into::into);
            let _open = self.gate.acquire().await;
            Ok(answer)
        }

        async fn put(&self, _: &str, _: bytes::Bytes, _: PutMode) -> Result<PutOutcome> {
            unreachable!("a boundary is read")
        }

        async fn head(&self, _: &str) -> Result<Option<ObjectMeta>> {
            unreachable!("a boundary is read")
        }

        async fn list(&self, _: ListRequest) -> Result<Page> {
            unreachable!("a boundary is read")
        }

        async fn delete(&self, _: &[String]) -> Vec<Result<()>> {
            unreachable!("a boundary is read")
        }
    }

    /// The boundary passes after the answer to a read was made, and before that comes: it serves nobody
    /// who asked in between. All of them are served by the next.
    #[tokio::test(start_paused = true)]
    async fn who_asks_during_a_read_is_served_by_the_next_one() {
        let boundary = Arc::new(on(DAY));
        let (there, gate, reads) = (Default::default(), tokio::sync::Semaphore::new(0), 0.into());
        let store = Arc::new(Gated { boundary: there, gate, reads });
        let ask = || {
            let (boundary, store) = (Arc::clone(&boundary), Arc::clone(&store));
            let (layout, retry, stop) = (Layout::default(), Retry::default(), Shutdown::never());
            tokio::spawn(async move {
                let source = Source { store: &*store, layout: &layout, retry: &retry, stop: &stop };
                boundary.has_passed(DAY, source).await.unwrap()
            })
        };
        let first = ask();
        tokio::task::yield_now().await;
        assert_eq!(store.reads.load(Ordering::SeqCst), 1);
        *store.boundary.lock().unwrap() = Some(r#"{"oldest": "2026-11-23"}"#);
        let during = [ask(), ask()];
        tokio::task::yield_now().await;
        assert_eq!(store.reads.load(Ordering::SeqCst), 1, "they wait");
        store.gate.add_permits(1);
        assert!(!first.await.unwrap());
        for task in during {
            assert!(task.await.unwrap());
        }
        // The boundary, and that there is none after it.
        assert_eq!(store.reads.load(Ordering::SeqCst), 1 + 2);
    }
}
