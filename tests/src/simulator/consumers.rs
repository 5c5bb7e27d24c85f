//! Consumers in a simulated world: started, killed, told to stop, and started again.

use std::sync::Arc;
use std::time::Duration;

use event_core::retry::{Retry, RetryBackoff};
use event_core::{
    Consumer, ConsumerReport, ErrorKind, Observer, Result, Shutdown, ShutdownTrigger,
};
use fastrand::Rng;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, sleep};

use super::books::Books;
use super::fault::Fault;
use super::handler::Breaking;
use super::invariant::Invariant;
use super::pod::Pod;
use super::queue::PodQueue;
use super::store::PodStore;
use super::world::World;

/// What a program that was told to stop may take beyond its grace period.
pub(super) const SLACK: Duration = Duration::from_millis(100);

/// Keeps one consumer running until it is told to stop, as a Deployment of one replica does.
pub(super) async fn keep_running(world: Arc<World>, slot: usize, stop: Shutdown) {
    for life in 0.. {
        let consumer = start(&world, format!("consumer-{slot}.{life}"));
        if consumer.live(&stop).await {
            return;
        }
        let down = if world.strikes(Fault::Scale) { 10..200 } else { 1..10 };
        tokio::select! {
            biased;
            () = stop.requested() => return,
            () = sleep(world.between(down)) => {}
        }
    }
}

type Ended = Result<Result<ConsumerReport>, JoinError>;

struct Running {
    pod: Arc<Pod>,
    books: Arc<Books>,
    grace: Duration,
    stop: ShutdownTrigger,
    task: JoinHandle<Result<ConsumerReport>>,
}

pub(super) fn retry(world: &World, observer: Arc<dyn Observer>) -> Retry {
    let rng = Rng::with_seed(world.random(|rng| rng.u64(..)));
    Retry::new(RetryBackoff::default(), rng, observer)
}

fn start(world: &Arc<World>, name: String) -> Running {
    let pod = Pod::new(world, name);
    let options = world.random(|rng| world.plan.consumer(rng));
    world.log(format_args!("{} has {options:?}", pod.name));
    let books = Books::new(&pod, options.clone());
    let queue = PodQueue {
        pod: Arc::clone(&pod),
        books: Some(Arc::clone(&books)),
        service: Arc::clone(&world.backends.queue),
    };
    let store = Arc::new(PodStore::new(&pod));
    let retry = retry(world, Arc::clone(&books) as _);
    let handler = world.subject.handler(Arc::clone(&store) as _, retry.clone());
    let handler = Breaking { pod: Arc::clone(&pod), handler };
    let quarantine = world.subject.quarantine(store);
    let grace = options.grace;
    let consumer = Consumer::new(Arc::new(queue), Arc::new(handler), quarantine)
        .options(options)
        .observer(Arc::clone(&books) as _)
        .retry(retry);
    let (stop, shutdown) = Shutdown::new();
    Running { pod, books, grace, stop, task: tokio::spawn(consumer.run(shutdown)) }
}

impl Running {
    /// Until it ends, one way or another; true if it shall not be started again.
    async fn live(mut self, stop: &Shutdown) -> bool {
        let world = Arc::clone(&self.pod.world);
        let ends = world.plan.has(Fault::Terminate) || world.plan.has(Fault::Scale);
        let lives = world.between(1..180);
        let ends = ends && Instant::now() + lives < world.calm();
        tokio::select! {
            biased;
            ended = &mut self.task => self.ended(ended),
            () = self.pod.killed.notified() => self.kill().await,
            () = stop.requested() => {
                self.stop().await;
                return true;
            }
            () = sleep(lives), if ends => {
                for fault in [Fault::Terminate, Fault::Scale] {
                    if world.plan.has(fault) {
                        world.hit(fault);
                    }
                }
                self.stop().await;
            }
        }
        false
    }

    async fn kill(&mut self) {
        self.task.abort();
        // It was killed, whatever it says.
        let _ = (&mut self.task).await;
    }

    async fn stop(&mut self) {
        let world = Arc::clone(&self.pod.world);
        self.pod.tell_to_stop();
        self.stop.shutdown();
        let told = Instant::now();
        loop {
            let jumped = world.jumped();
            let left = (self.grace + SLACK).saturating_sub(told.elapsed());
            tokio::select! {
                biased;
                ended = &mut self.task => return self.ended_after(ended, told.elapsed()),
                () = self.pod.killed.notified() => return self.kill().await,
                () = sleep(left.max(SLACK)) => {}
            }
            if jumped == world.jumped() && told.elapsed() > self.grace {
                let (name, grace) = (&self.pod.name, self.grace);
                let what = format!("{name} has not ended within its {grace:?} of grace");
                return world.violate(Invariant::Stops, what);
            }
        }
    }

    fn ended(&self, ended: Ended) {
        let world = &self.pod.world;
        let name = &self.pod.name;
        match ended {
            Ok(Err(error)) if world.plan.ends_pods() && error.kind() == ErrorKind::Denied => {
                world.log(format_args!("{name} ends: {error}"));
            }
            other => world.violate(Invariant::Lives, format!("{name} ended by itself: {other:?}")),
        }
    }

    fn ended_after(&self, ended: Ended, took: Duration) {
        match ended {
            Ok(Ok(report)) => {
                self.pod.world.log(format_args!("{} ends: {report:?}", self.pod.name));
                if took >= self.grace {
                    self.pod.world.hit(Fault::ShortGrace);
                }
                self.books.close(&report, took >= self.grace);
            }
            other => self.ended(other),
        }
    }
}
