//! Producers in a simulated world, and the outbox upstream that they empty.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use event_core::{
    ErrorKind, EventSource, Message, Observer, Producer, ProducerReport, Reason, Result, Shutdown,
    async_trait,
};
use tokio::task::JoinError;
use tokio::time::{Instant, sleep};

use super::consumers::{SLACK, retry};
use super::fault::Fault;
use super::invariant::Invariant;
use super::pod::Pod;
use super::queue::PodQueue;
use super::store::PodStore;
use super::world::World;

/// What is still to be sent. What a program took and is not known to have sent when it ends comes
/// back here, as from any outbox that is worth its name.
pub(super) type Upstream = Arc<Mutex<VecDeque<Message>>>;

/// Keeps one producer running until nothing is left to be sent.
pub(super) async fn keep_running(world: Arc<World>, slot: usize, upstream: Upstream) {
    for life in 0.. {
        live(&world, format!("producer-{slot}.{life}"), &upstream).await;
        if upstream.lock().unwrap().is_empty() {
            return;
        }
        sleep(world.between(1..10)).await;
    }
}

async fn live(world: &Arc<World>, name: String, upstream: &Upstream) {
    let pod = Pod::new(world, name);
    let options = world.random(|rng| world.plan.producer(rng));
    let grace = options.grace;
    let outbox = Arc::new(Outbox { pod: Arc::clone(&pod), taken: Mutex::default() });
    let source = Source { upstream: Arc::clone(upstream), outbox: Arc::clone(&outbox) };
    let service = Arc::clone(&world.backends.queue);
    let queue = PodQueue { pod: Arc::clone(&pod), books: None, service };
    let quarantine = world.subject.quarantine(Arc::new(PodStore::new(&pod)));
    let producer = Producer::new(Arc::new(queue), source)
        .options(options)
        .quarantine(quarantine)
        .observer(Arc::clone(&outbox) as _)
        .clock({
            let world = Arc::clone(world);
            move || world.time_of_day()
        })
        .retry(retry(world, Arc::clone(&outbox) as _));
    let (stop, shutdown) = Shutdown::new();
    let mut task = tokio::spawn(producer.run(shutdown));
    let lives = world.between(1..60);
    let ends = world.plan.has(Fault::Terminate) && Instant::now() + lives < world.calm();
    let mut told = None;
    loop {
        let until = match told {
            None => lives,
            // Jumps of the clock are none of its doing.
            Some((_, jumped)) => grace + SLACK + (world.jumped() - jumped),
        };
        tokio::select! {
            biased;
            ended = &mut task => {
                outbox.ended(&ended, told.is_some());
                break;
            }
            () = pod.killed.notified() => {
                task.abort();
                // Whatever it says, nothing of it runs from here on.
                let _ = task.await;
                break;
            }
            () = sleep(until), if ends => {}
        }
        match told {
            None => {
                world.hit(Fault::Terminate);
                pod.tell_to_stop();
                stop.shutdown();
                told = Some((Instant::now(), world.jumped()));
            }
            Some((since, jumped)) if since.elapsed() > grace + (world.jumped() - jumped) => {
                let what = format!("{} has not ended within its {grace:?} of grace", pod.name);
                world.violate(Invariant::Stops, what);
            }
            Some(_) => {}
        }
    }
    outbox.give_back(upstream);
}

struct Source {
    upstream: Upstream,
    outbox: Arc<Outbox>,
}

#[async_trait]
impl EventSource for Source {
    async fn next_batch(&mut self, max: usize) -> Result<Vec<Message>> {
        let mut upstream = self.upstream.lock().unwrap();
        let max = max.min(upstream.len());
        let messages: Vec<_> = upstream.drain(..max).collect();
        self.outbox.taken.lock().unwrap().extend(messages.iter().cloned());
        Ok(messages)
    }
}

/// What one program took, until it says that it is sent or quarantined.
struct Outbox {
    pod: Arc<Pod>,
    taken: Mutex<Vec<Message>>,
}

impl Outbox {
    fn done(&self, message: &Message, is_true: bool) {
        let mut taken = self.taken.lock().unwrap();
        let place = taken.iter().position(|there| there == message);
        let known = place.map(|place| taken.swap_remove(place)).is_some();
        drop(taken);
        if !known || !is_true {
            let what = format!("{} says that it sent what it did not", self.pod.name);
            self.pod.world.violate(Invariant::Books, what);
        }
    }

    fn ended(&self, ended: &Result<Result<ProducerReport>, JoinError>, told: bool) {
        let world = &self.pod.world;
        let left = self.taken.lock().unwrap().len();
        world.log(format_args!("{} ends: {ended:?}", self.pod.name));
        let broken = match ended {
            Ok(Ok(_)) if left == 0 => return,
            Ok(Ok(_)) => Invariant::Books,
            Ok(Err(error))
                if told || (world.plan.ends_pods() && error.kind() == ErrorKind::Denied) =>
            {
                return;
            }
            // What it cannot send has to go to quarantine.
            Ok(Err(error))
                if world.plan.has(Fault::DamagedSegment) && error.kind() == ErrorKind::Invalid =>
            {
                return;
            }
            _ => Invariant::Lives,
        };
        let what = format!("{} ended with {left} messages not sent: {ended:?}", self.pod.name);
        world.violate(broken, what);
    }

    fn give_back(&self, upstream: &Upstream) {
        upstream.lock().unwrap().extend(self.taken.lock().unwrap().drain(..));
    }
}

impl Observer for Outbox {
    fn sent(&self, messages: &[Message]) {
        for message in messages {
            self.done(message, self.pod.world.truth(|truth| truth.was_accepted(message)));
        }
    }

    fn rejected(&self, message: &Message, _: &Reason) {
        self.done(
            message,
            self.pod.world.truth(|truth| truth.objects.quarantined(message).next().is_some()),
        );
    }
}
