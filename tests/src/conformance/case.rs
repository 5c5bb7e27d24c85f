//! A case and how it is run: on a runtime of its own, on a thread of its own, within a time.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, mpsc};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libtest_mimic::{Completion, Trial};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use super::clock::Clock;

/// What the suite must know of a backend, whatever it is a backend for.
pub trait Backend: Send + Sync + 'static {
    /// Stands before the name of each case.
    fn name(&self) -> &str;

    /// The clock that the backend goes by.
    fn clock(&self) -> Clock {
        Clock::WALL
    }

    /// Promises that the backend does not keep, by name, each with the reason.
    fn lacks(&self) -> &[(&'static str, &'static str)] {
        &[]
    }
}

/// One promise, and the code that holds a backend to it.
pub struct Case<B: ?Sized> {
    /// The promise, by the name that the documentation of the trait gives it.
    pub name: &'static str,
    /// What the documentation of the trait says under that name.
    pub promise: &'static str,
    pub(super) on_threads: bool,
    pub(super) run: fn(Arc<B>) -> BoxFuture<'static, ()>,
}

/// After this much time, by the case's own clock, it has failed.
const LIMIT: Duration = Duration::from_secs(60);

/// How much longer, by the wall clock, a case may block its thread.
const GRACE: Duration = Duration::from_secs(10);

impl<B: Backend + ?Sized> Case<B> {
    /// Holds the backend to the promise; the error says what was seen instead, and the promise.
    pub fn check(&self, backend: Arc<B>) -> Result<(), String> {
        let Self { name, promise, .. } = self;
        self.run(backend).map_err(|seen| format!("{seen}\nthe promise: `{name}`: {promise}"))
    }

    fn run(&self, backend: Arc<B>) -> Result<(), String> {
        let runtime = self.runtime(backend.clock());
        let run = self.run;
        let (done, outcome) = mpsc::sync_channel(1);
        let work = move || {
            let case = AssertUnwindSafe(async move { run(backend).await }).catch_unwind();
            let answer = runtime.block_on(async { timeout(LIMIT, case).await });
            // What the case left running must not hold up the answer.
            runtime.shutdown_background();
            // Nobody listens any more once the grace has passed.
            let _ = done.send(answer);
        };
        // The thread's name stands before the text of a panic.
        let thread = thread::Builder::new().name(self.name.to_owned());
        thread.spawn(work).expect("the system gives a thread");
        match outcome.recv_timeout(LIMIT + GRACE) {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(panic))) => Err(text(&*panic)),
            Ok(Err(_)) => Err(format!("it did not end within {LIMIT:?}")),
            Err(_) => Err(format!("it blocked its thread for more than {:?}", LIMIT + GRACE)),
        }
    }

    fn runtime(&self, clock: Clock) -> Runtime {
        let runtime = if clock == Clock::Paused && !self.on_threads {
            Builder::new_current_thread().enable_all().start_paused(true).build()
        } else {
            Builder::new_multi_thread().worker_threads(4).enable_all().build()
        };
        runtime.expect("the system gives threads and an event queue")
    }
}

/// One trial for each case.
///
/// # Panics
///
/// If the backend lacks something that is not a promise: a name that was mistyped, or has changed,
/// would excuse nothing and mislead the reader.
pub(super) fn trials<B: Backend + ?Sized>(cases: Vec<Case<B>>, backend: &Arc<B>) -> Vec<Trial> {
    let lacks = backend.lacks();
    for (promise, _) in lacks {
        let known = cases.iter().any(|case| case.name == *promise);
        assert!(known, "{} lacks {promise:?}, which is not a promise", backend.name());
    }
    let trial = |case: Case<B>| {
        let name = format!("{}::{}", backend.name(), case.name);
        let backend = Arc::clone(backend);
        match lacks.iter().find(|(promise, _)| *promise == case.name) {
            Some(&(_, reason)) => {
                Trial::ignorable_test(name, move || Ok(Completion::ignored_with(reason)))
            }
            None => Trial::test(name, move || Ok(case.check(backend)?)),
        }
    };
    cases.into_iter().map(trial).collect()
}

/// Lists cases under the names of their functions; those after `on_threads` run on several
/// threads, by the wall clock, whatever the backend's clock is.
macro_rules! cases {
    ($($(#[$threads:ident])? $module:ident::$name:ident => $promise:literal,)*) => {
        vec![$($crate::conformance::Case {
            name: stringify!($name),
            promise: $promise,
            on_threads: false $(|| stringify!($threads) == "on_threads")?,
            run: |backend| Box::pin($module::$name(backend)),
        }),*]
    };
}
pub(super) use cases;

/// Fails the case, with what was expected and what was seen, unless both are the same.
macro_rules! same {
    ($seen:expr, $expected:expr $(,)?) => {
        crate::conformance::case::same!($seen, $expected, "{}", stringify!($seen))
    };
    ($seen:expr, $expected:expr, $($what:tt)+) => {
        match (&$seen, &$expected) {
            (seen, expected) if *seen == *expected => {}
            (seen, expected) => {
                panic!("{}: expected {expected:?}, got {seen:?}", format_args!($($what)+))
            }
        }
    };
}
pub(super) use same;

/// What a task of a case answered; its panic is the case's own.
pub(super) async fn joined<T>(task: JoinHandle<T>) -> T {
    // Nobody aborts these tasks.
    let panicked = |error: JoinError| resume_unwind(error.into_panic());
    task.await.unwrap_or_else(panicked)
}

/// Polls once, with this task's waker; none, if it is not ready.
pub(super) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    poll_fn(|context| match future.poll_unpin(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("it panicked without a text")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl Backend for Nothing {
        fn name(&self) -> &str {
            "nothing"
        }
        fn clock(&self) -> Clock {
            Clock::Paused
        }
        fn lacks(&self) -> &[(&'static str, &'static str)] {
            &[("flight", "it has no wings")]
        }
    }

    fn case(name: &'static str, run: fn(Arc<Nothing>) -> BoxFuture<'static, ()>) -> Case<Nothing> {
        Case { name, promise: "it is kept", on_threads: false, run }
    }

    #[test]
    fn a_case_that_hangs_fails() {
        let hangs = case("hangs", |_| Box::pin(std::future::pending()));
        let fault = hangs.check(Arc::new(Nothing)).unwrap_err();
        assert_eq!(fault, "it did not end within 60s\nthe promise: `hangs`: it is kept");
    }

    #[test]
    fn a_case_that_panics_fails_with_its_text() {
        let panics = case("panics", |_| Box::pin(async { panic!("{} is wrong", 1) }));
        let fault = panics.check(Arc::new(Nothing)).unwrap_err();
        assert_eq!(fault, "1 is wrong\nthe promise: `panics`: it is kept");
    }

    #[test]
    fn what_differs_is_told_as_expected_and_seen() {
        let differs = case("differs", |_| Box::pin(async { same!(1 + 1, 3, "the {}", "sum") }));
        let fault = differs.check(Arc::new(Nothing)).unwrap_err();
        assert_eq!(fault.lines().next(), Some("the sum: expected 3, got 2"));
        let differs = case("differs", |_| Box::pin(async { same!(1 + 1, 3) }));
        let fault = differs.check(Arc::new(Nothing)).unwrap_err();
        assert_eq!(fault.lines().next(), Some("1 + 1: expected 3, got 2"));
    }

    #[test]
    fn what_a_backend_lacks_is_not_run() {
        let flight = case("flight", |_| Box::pin(async { panic!("it fell") }));
        let trials = trials(vec![flight], &Arc::new(Nothing));
        // Its report is not this test's.
        let report = tempfile::NamedTempFile::new().unwrap();
        let logfile = Some(report.path().to_string_lossy().into_owned());
        let arguments = libtest_mimic::Arguments { logfile, ..Default::default() };
        let conclusion = libtest_mimic::run(&arguments, trials);
        assert!(std::fs::read_to_string(&report).unwrap().contains("it has no wings"));
        assert_eq!((conclusion.num_ignored, conclusion.num_failed), (1, 0));
    }

    #[test]
    #[should_panic(expected = "nothing lacks \"flight\", which is not a promise")]
    fn to_lack_what_is_no_promise_is_refused() {
        trials(Vec::new(), &Arc::new(Nothing));
    }
}
