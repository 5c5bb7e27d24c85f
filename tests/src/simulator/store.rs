//! The store as one program sees it: the service behind ways and faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use event_core::retry::{RetryBackoff, RetryBudget};
use event_core::{
    Bytes, Error, ErrorKind, ListRequest, ObjectMeta, ObjectStore, Page, PutMode, PutOutcome,
    Result, async_trait,
};
use tokio::time::{Instant, sleep};

use super::damage::Damage;
use super::fault::Fault;
use super::invariant::Invariant;
use super::pod::{Pod, Weather};
use super::world::World;

const WEATHER: Weather =
    Weather { outage: Fault::StoreOutage, denied: Fault::StoreDenied, throttled: Fault::SlowDown };

pub(super) struct PodStore {
    pod: Arc<Pod>,
    service: Arc<dyn ObjectStore>,
    since: Instant,
    /// None where a key may be put again for another reason than a failed try.
    retries: Option<Mutex<Retries>>,
}

/// The retries of puts of one program.
struct Retries {
    /// What the budget has left, and when that was.
    budget: (f64, Instant),
    /// By key: when the last try failed, which one it was, and what the clock had jumped by then.
    failed: BTreeMap<String, (Instant, u32, Duration)>,
    /// Found there: what is tried after that is the look at it as well.
    looked_at: BTreeSet<String>,
    made: u32,
    /// The waits before first retries.
    first_waits: Vec<Duration>,
}

/// Puts that a `StoreWriter` has under way at once.
const PUTS: f64 = 64.0;

impl Retries {
    fn earn(&mut self, tokens: f64) {
        let (left, since) = self.budget;
        let earned = since.elapsed().as_secs_f64() * RetryBudget::PER_SECOND + tokens;
        self.budget = ((left + earned).min(RetryBudget::CAPACITY), Instant::now());
    }
}

impl PodStore {
    pub(super) fn new(pod: &Arc<Pod>) -> Self {
        use Fault::{Conflicts, DuplicateDelivery, Duplicates, PartialSend, Poison};
        let plan = &pod.world.plan;
        let repeats = [Conflicts, DuplicateDelivery, Duplicates, PartialSend, Poison];
        let each_key_once = !plan.redelivers() && !repeats.iter().any(|&fault| plan.has(fault));
        let retries = each_key_once.then(|| {
            Mutex::new(Retries {
                budget: (RetryBudget::CAPACITY, Instant::now()),
                failed: BTreeMap::new(),
                looked_at: BTreeSet::new(),
                made: 0,
                first_waits: Vec::new(),
            })
        });
        let service = Arc::clone(&pod.world.backends.store);
        Self { pod: Arc::clone(pod), service, since: Instant::now(), retries }
    }

    async fn try_put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        let world = &self.pod.world;
        self.pod.to_service("put", &WEATHER).await?;
        let ambiguous = |text| Err(Error::new(ErrorKind::Ambiguous, "put", text));
        if world.strikes(Fault::ConflictingPut) {
            let text = "409: a concurrent request for this key, on purpose";
            return Err(Error::new(ErrorKind::Transient, "put", text));
        }
        if world.strikes(Fault::LatePut) {
            let (world, service) = (Arc::clone(world), Arc::clone(&self.service));
            let key = key.to_owned();
            tokio::spawn(async move {
                sleep(world.between(1..300)).await;
                let _ = apply(&world, &*service, &key, body, mode).await;
            });
            return ambiguous("no answer, on purpose");
        }
        // It found the segments above the gap when it started.
        let fills_a_gap = |damage: Damage| damage.is_gone && damage.since < self.since;
        if world.damage(key).is_some_and(fills_a_gap) {
            let what = format!("{} put {key}, from where a segment is gone", self.pod.name);
            world.violate(Invariant::Keys, what);
        }
        // An event of its own. What is in quarantine is not looked at, since it was durable, and the
        // protocol of logs does not provide for deletes.
        if mode == PutMode::Create
            && key.starts_with("store_events/")
            && key.ends_with(".json")
            && !key.contains("/_")
            && self.service.head(key).await?.is_none()
            && world.strikes(Fault::GoneAgain)
        {
            self.pod.to_program("put").await?;
            return Ok(PutOutcome::Exists);
        }
        let outcome = apply(world, &*self.service, key, body, mode).await?;
        if world.strikes(Fault::LostPut) {
            return ambiguous("the answer is lost, on purpose");
        }
        self.pod.to_program("put").await?;
        Ok(outcome)
    }

    fn check(&self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            let what = format!("{} {}", self.pod.name, what());
            self.pod.world.violate(Invariant::Retries, what);
        }
    }

    /// Whether this try keeps to the backoff and the budget, if it is not the first for its key.
    fn tries(&self, key: &str) {
        let Some(retries) = &self.retries else { return };
        let mut retries = retries.lock().unwrap();
        let Some(&(failed, tries, jumped)) = retries.failed.get(key) else {
            return;
        };
        retries.made += 1;
        retries.earn(0.0);
        retries.budget.0 -= 1.0;
        let (made, left) = (f64::from(retries.made), retries.budget.0);
        let waited = failed.elapsed();
        let mut is_fixed = false;
        if tries == 0 {
            retries.first_waits.push(waited);
            let waits = &retries.first_waits;
            is_fixed = waits.len() == 20 && waits.iter().all(|wait| *wait == waits[0]);
        }
        drop(retries);
        // A retry is paid for when its wait begins, and so many puts wait at once.
        self.check(left > -(PUTS + 1.0), || {
            format!("retries puts beyond its budget, which is at {left}")
        });
        self.check(!is_fixed, || {
            format!("waits {waited:?} before each first retry, without jitter")
        });
        // Out of budget a retry waits for its turn, behind all others of this program.
        let backoff = RetryBackoff::default();
        let turn = Duration::from_secs_f64((made + PUTS) / RetryBudget::PER_SECOND);
        let most = backoff.bound(tries).max(turn) + Duration::from_millis(10);
        let has_jumped = self.pod.world.jumped() != jumped;
        self.check(waited <= most || has_jumped, || {
            format!("waited {waited:?} before retry {tries} of a put, at most {most:?} is allowed")
        });
    }

    fn tried(&self, key: &str, outcome: &Result<PutOutcome>) {
        let Some(retries) = &self.retries else { return };
        let mut retries = retries.lock().unwrap();
        if let Ok(outcome) = outcome {
            retries.earn(RetryBudget::PER_SUCCESS);
            retries.failed.remove(key);
            if *outcome == PutOutcome::Exists {
                retries.looked_at.insert(key.to_owned());
            }
            return;
        }
        if retries.looked_at.contains(key) {
            return;
        }
        let tries = retries.failed.get(key).map_or(0, |(_, tries, _)| tries + 1);
        let failed = (Instant::now(), tries, self.pod.world.jumped());
        retries.failed.insert(key.to_owned(), failed);
    }

    async fn asked<T>(
        &self,
        operation: &'static str,
        request: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        self.pod.to_service(operation, &WEATHER).await?;
        let answer = request.await?;
        self.pod.to_program(operation).await?;
        Ok(answer)
    }
}

async fn apply(
    world: &World,
    service: &dyn ObjectStore,
    key: &str,
    body: Bytes,
    mode: PutMode,
) -> Result<PutOutcome> {
    let outcome = service.put(key, body.clone(), mode).await?;
    if outcome == PutOutcome::Written {
        world.check(|truth, world| truth.written(world, key, &body, mode));
    }
    Ok(outcome)
}

#[async_trait]
impl ObjectStore for PodStore {
    async fn put(&self, key: &str, body: Bytes, mode: PutMode) -> Result<PutOutcome> {
        self.tries(key);
        let outcome = self.try_put(key, body, mode).await;
        self.tried(key, &outcome);
        let name = &self.pod.name;
        match &outcome {
            Ok(outcome) => self.pod.world.log(format_args!("{name} put {key}: {outcome:?}")),
            Err(error) => self.pod.world.log(format_args!("{name} put {key}: {error}")),
        }
        outcome
    }

    async fn get(&self, key: &str) -> Result<Option<Bytes>> {
        let get = async { Ok(self.pod.world.as_found(key, self.service.get(key).await?)) };
        self.asked("get", get).await
    }

    async fn head(&self, key: &str) -> Result<Option<ObjectMeta>> {
        let is_there = |_: &ObjectMeta| !self.pod.world.is_gone(key);
        let head = async { Ok(self.service.head(key).await?.filter(is_there)) };
        self.asked("head", head).await
    }

    async fn list(&self, request: ListRequest) -> Result<Page> {
        // A page may hold fewer than were asked for.
        let max = self.pod.world.random(|rng| rng.usize(1..=request.max.clamp(1, 10)));
        let mut request = ListRequest { max: max.min(request.max), ..request };
        let list = async {
            loop {
                let mut page = self.service.list(request.clone()).await?;
                request.after = page.objects.last().map(|object| object.key.clone());
                page.objects.retain(|object| !self.pod.world.is_gone(&object.key));
                if !page.more || !page.objects.is_empty() {
                    return Ok(page);
                }
            }
        };
        self.asked("list", list).await
    }

    async fn delete(&self, keys: &[String]) -> Vec<Result<()>> {
        if let Err(error) = self.pod.to_service("delete", &WEATHER).await {
            return keys.iter().map(|_| Err(error.clone())).collect();
        }
        let outcomes = self.service.delete(keys).await;
        for (key, outcome) in keys.iter().zip(&outcomes) {
            if outcome.is_ok() {
                self.pod.world.truth(|truth| truth.removed(key));
            }
        }
        outcomes
    }
}
