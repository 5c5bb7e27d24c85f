//! A handler that breaks, around the one under test.

use std::panic::resume_unwind;
use std::sync::Arc;

use event_core::{Delivery, Handler, Outcome, Shutdown, async_trait};
use tokio::time::sleep;

use super::fault::Fault;
use super::pod::Pod;
use super::traffic::Fate;

pub(super) struct Breaking {
    pub(super) pod: Arc<Pod>,
    pub(super) handler: Arc<dyn Handler>,
}

impl Breaking {
    /// Without the panic hook, which would print thousands of them.
    fn panic(&self, why: &'static str) -> ! {
        self.pod.world.log(format_args!("{} has a handler that panics: {why}", self.pod.name));
        resume_unwind(Box::new(why))
    }
}

#[async_trait]
impl Handler for Breaking {
    async fn handle(&self, batch: &[Delivery], shutdown: &Shutdown) -> Vec<Outcome> {
        let world = &self.pod.world;
        let is_poison =
            |delivery: &Delivery| world.traffic.fate(&delivery.message) == Some(&Fate::Poison);
        let breaks = world.strikes(Fault::HandlerPanic);
        let late = world.random(fastrand::Rng::bool);
        if let Some(poison) = batch.iter().position(is_poison) {
            world.hit(Fault::Poison);
            if late && poison > 0 {
                self.handler.handle(&batch[..poison], shutdown).await;
            }
            self.panic("poison");
        }
        if world.random(|rng| rng.u8(..)) < 10 {
            // No fault: some work takes longer than a message stays hidden.
            let visibility = world.plan.limits.visibility;
            sleep(visibility.mul_f64(world.random(fastrand::Rng::f64) * 3.0)).await;
        }
        if breaks && !late {
            self.panic("before its work");
        }
        let outcomes = self.handler.handle(batch, shutdown).await;
        if breaks {
            self.panic("after its work");
        }
        outcomes
    }
}
