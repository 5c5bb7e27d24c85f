//! A provider that fails, with the cache of the SDK before it and a clock of our own.

use std::collections::VecDeque;
use std::sync::Arc;

use aws_smithy_async::time::TimeSource;
use event_core::{ErrorKind, ObjectStore, PutMode};
use tokio::time::{Instant, advance};

use super::*;
use crate::S3Store;
use crate::config::Aws;
use crate::script::Script;

/// What the provider does when it is asked.
enum Step {
    /// Gives credentials with this id that are valid for so many seconds.
    Give(&'static str, Option<u64>),
    Fail,
    Hang,
}
use Step::{Fail, Give, Hang};

#[derive(Clone)]
struct Steps {
    steps: Arc<Mutex<VecDeque<Step>>>,
    clock: Clock,
}

/// The paused clock of the test, from a day of its own.
#[derive(Clone, Debug)]
struct Clock(Instant);

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000) + self.0.elapsed()
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Steps")
    }
}

impl ProvideCredentials for Steps {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let step = self.steps.lock().unwrap().pop_front();
            match step.expect("asked beyond the script") {
                Give(id, valid) => {
                    let expiry = valid.map(|valid| self.clock.now() + Duration::from_secs(valid));
                    Ok(Credentials::new(id, "secret-of-mine", None, expiry, "steps"))
                }
                Fail => Err(CredentialsError::provider_error("the agent is away")),
                Hang => std::future::pending().await,
            }
        })
    }
}

/// A store whose credentials come from such a provider, and what is left of its steps.
fn store(steps: impl IntoIterator<Item = Step>, requests: usize) -> (S3Store, Script, Steps) {
    let script = Script::new(&vec![(200, ""); requests]);
    let clock = Clock(Instant::now());
    let steps = Arc::new(Mutex::new(steps.into_iter().collect()));
    let provider = Steps { steps, clock: clock.clone() };
    let sdk = script
        .sdk()
        .into_builder()
        .time_source(clock)
        .credentials_provider(SharedCredentialsProvider::new(provider.clone()))
        .build();
    let aws = Aws::new(renewed_in_time(sdk, None), true);
    (S3Store::new(&aws, "events"), script, provider)
}

impl Steps {
    fn left(&self) -> usize {
        self.steps.lock().unwrap().len()
    }
}

async fn put(store: &S3Store) -> event_core::Result<()> {
    store.put("a", "{}".into(), PutMode::Overwrite).await.map(drop)
}

/// Whose credentials the last request was signed with.
fn signer(script: &Script) -> String {
    let requests = script.requests();
    let signature = requests.last().unwrap().header("authorization").unwrap().to_owned();
    let id = signature.split_once("Credential=").unwrap().1;
    id.split('/').next().unwrap().to_owned()
}

async fn after(seconds: u64) {
    advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn they_are_renewed_two_minutes_before_they_expire() {
    let (store, script, steps) = store([Give("first", Some(900)), Give("second", Some(900))], 3);
    put(&store).await.unwrap();
    after(779).await;
    put(&store).await.unwrap();
    assert_eq!((signer(&script), steps.left()), ("first".into(), 1));
    after(1).await;
    put(&store).await.unwrap();
    assert_eq!((signer(&script), steps.left()), ("second".into(), 0));
}

#[tokio::test(start_paused = true)]
async fn valid_ones_outlast_a_renewal_that_fails_and_expired_ones_do_not() {
    let failures = (0..9).map(|_| Fail);
    let steps = [Give("first", Some(900))].into_iter().chain(failures);
    let (store, script, steps) = store(steps.chain([Give("second", Some(900))]), 125);
    put(&store).await.unwrap();
    after(780).await;
    // 120 s are left. The provider is asked once in 15 s, and not with every request.
    for second in 0..120 {
        put(&store).await.unwrap_or_else(|error| panic!("after {second} s: {error}"));
        assert_eq!(steps.left(), 9 - second / 15, "after {second} s");
        after(1).await;
    }
    assert_eq!(signer(&script), "first");
    let error = put(&store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient, "{error}");
    assert!(error.to_string().contains("the agent is away"), "{error}");
    assert_eq!(script.requests().len(), 121);
    put(&store).await.unwrap();
    assert_eq!((signer(&script), steps.left()), ("second".into(), 0));
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_does_not_keep_what_is_valid_from_use() {
    let (store, script, steps) = store([Give("first", Some(900)), Hang, Hang], 4);
    put(&store).await.unwrap();
    after(800).await;
    let before = Instant::now();
    put(&store).await.unwrap();
    assert_eq!(before.elapsed(), REFRESH_TIMEOUT);
    put(&store).await.unwrap();
    assert_eq!((before.elapsed(), steps.left()), (REFRESH_TIMEOUT, 1));
    after(15).await;
    put(&store).await.unwrap();
    assert_eq!((signer(&script), steps.left()), ("first".into(), 0));
}

#[tokio::test(start_paused = true)]
async fn short_ones_are_used_while_they_last() {
    let (store, script, steps) =
        store([Give("first", Some(20)), Give("second", Some(10)), Give("third", None)], 5);
    let mut ids = Vec::new();
    for pause in [14, 1, 9, 1, 0] {
        put(&store).await.unwrap();
        ids.push((signer(&script), steps.left()));
        after(pause).await;
    }
    let ids: Vec<_> = ids.iter().map(|(id, left)| (&**id, *left)).collect();
    assert_eq!(ids, [("first", 2), ("first", 2), ("second", 1), ("second", 1), ("third", 0)]);
}

#[tokio::test(start_paused = true)]
async fn those_without_an_end_are_kept_where_the_provider_forgets_them() {
    let (store, script, steps) = store([Give("first", None), Fail], 2);
    put(&store).await.unwrap();
    // The SDK asks again after 15 minutes.
    after(901).await;
    put(&store).await.unwrap();
    assert_eq!((signer(&script), steps.left()), ("first".into(), 0));
}

#[tokio::test(start_paused = true)]
async fn the_fallback_is_what_is_valid() {
    let clock = Clock(Instant::now());
    let steps = Arc::new(Mutex::new([Give("first", Some(900))].into()));
    let provider = SharedCredentialsProvider::new(Steps { steps, clock: clock.clone() });
    let time = SharedTimeSource::new(clock);
    let keep = KeepValid::new(provider, time.clone(), None);
    assert_eq!(keep.fallback_on_interrupt(), None);
    keep.provide_credentials().await.unwrap();
    after(890).await;
    let fallback = keep.fallback_on_interrupt().unwrap();
    assert_eq!(fallback.expiry(), Some(time.now() + Duration::from_secs(10)));
    assert!(!format!("{keep:?}").contains("first"));
    after(10).await;
    assert_eq!(keep.fallback_on_interrupt(), None);
}

#[tokio::test(start_paused = true)]
async fn a_line_end_behind_a_key_is_left_out_and_what_no_key_has_is_refused() {
    let (store, script, _) = store([Give("first\n", Some(900)), Give("sec\nond", None)], 1);
    put(&store).await.unwrap();
    assert_eq!(signer(&script), "first");
    after(900).await;
    let error = put(&store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied, "{error}");
    assert!(error.to_string().contains("AWS_ACCESS_KEY_ID"), "{error}");
    for (id, key, token) in
        [("", "k", None), ("i", "", None), ("i", "k", Some("")), ("i", "k", Some("a\u{7f}"))]
    {
        let token = token.map(str::to_owned);
        let refused = usable(Credentials::new(id, key, token, None, "test")).unwrap_err();
        assert!(matches!(refused, CredentialsError::InvalidConfiguration(_)), "{refused}");
    }
    for (id, key, token) in [
        ("i d", "k", None),
        ("\u{e9}", "k", None),
        ("i", "k\u{e9}", None),
        ("i", "k", Some("t\u{0}k")),
    ] {
        let token = token.map(str::to_owned);
        assert!(usable(Credentials::new(id, key, token, None, "test")).is_err(), "{id} {key}");
    }
}

#[test]
fn credentials_without_their_line_ends_are_the_same_in_all_else() {
    let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_900);
    for (id, key, token) in [
        ("i ", "k\n", Some("t\r\n")),
        ("i\n", "k", Some("t")),
        ("i", " k", Some("t")),
        ("i", "k", Some("t\n")),
        ("i", "k\n", None),
        ("i", "k", Some("t")),
    ] {
        let mut given = Credentials::builder()
            .access_key_id(id)
            .secret_access_key(key)
            .account_id("123456789012")
            .provider_name("test");
        given.set_session_token(token.map(str::to_owned));
        given.set_expiry(Some(end));
        let plain = usable(given.build()).unwrap();
        assert_eq!((plain.access_key_id(), plain.secret_access_key()), ("i", "k"));
        assert_eq!(plain.session_token(), token.map(|_| "t"));
        assert_eq!(plain.expiry(), Some(end), "{id:?} {key:?} {token:?}");
        assert_eq!(
            plain.account_id().map(aws_credential_types::attributes::AccountId::as_str),
            Some("123456789012")
        );
    }
}

/// What is kept is what was given last.
#[tokio::test(start_paused = true)]
async fn the_last_ones_outlast_a_renewal_that_fails() {
    let steps = [Give("first", Some(900)), Give("second", Some(900)), Give("third", Some(900))];
    let (store, script, steps) = store(steps.into_iter().chain([Fail, Fail]), 5);
    for id in ["first", "second", "third"] {
        put(&store).await.unwrap();
        assert_eq!(signer(&script), id);
        after(790).await;
    }
    for _ in 0..2 {
        put(&store).await.unwrap();
        assert_eq!(signer(&script), "third");
        after(20).await;
    }
    assert_eq!(steps.left(), 0);
}

/// A provider that fails as the SDK's chain does: with a warning of its own each time.
#[derive(Debug)]
struct Loud;

impl ProvideCredentials for Loud {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            tracing::warn!("the provider failed, and here is every cause of it");
            Err(CredentialsError::provider_error("the agent is away"))
        })
    }
}

/// Counts warnings.
#[derive(Clone, Default)]
pub(super) struct Warnings(pub(super) Arc<std::sync::atomic::AtomicUsize>);

impl tracing::Subscriber for Warnings {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        *metadata.level() <= tracing::Level::WARN
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test(start_paused = true)]
async fn the_chain_warns_of_its_first_failure_and_not_of_each() {
    let warnings = Warnings::default();
    let _guard = tracing::subscriber::set_default(warnings.clone());
    let time = SharedTimeSource::new(Clock(Instant::now()));
    let keep = KeepValid::new(SharedCredentialsProvider::new(Loud), time.clone(), None);
    for _ in 0..20 {
        assert!(keep.credentials().await.is_err());
    }
    assert_eq!(warnings.0.load(Ordering::Relaxed), 1);
    // With valid ones at hand: a line that says so, and no more in its half a minute.
    let hour = time.now() + Duration::from_secs(3600);
    *keep.last() = Some(Credentials::new("id", "secret-of-mine", None, Some(hour), "steps"));
    for _ in 0..20 {
        assert!(keep.credentials().await.is_ok());
        advance(Duration::from_secs(1)).await;
    }
    assert_eq!(warnings.0.load(Ordering::Relaxed), 2);
}
