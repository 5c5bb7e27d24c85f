//! Mistakes in what a queue tells of itself.

use event_core::{Depth, Queue, Result, async_trait};

use super::{Mistake, expect};

#[derive(Default)]
struct CountsInFlightAsVisible;
#[async_trait]
impl Mistake for CountsInFlightAsVisible {
    async fn depth(&self, queue: &dyn Queue) -> Result<Depth> {
        let depth = queue.depth().await?;
        Ok(Depth { visible: depth.visible + depth.in_flight, in_flight: 0, ..depth })
    }
}

#[test]
fn a_depth_that_counts_what_is_in_flight_as_visible_is_caught() {
    expect::<CountsInFlightAsVisible>(&["depth_counts_by_state"]);
}

#[derive(Default)]
struct CountsDelayedAsVisible;
#[async_trait]
impl Mistake for CountsDelayedAsVisible {
    async fn depth(&self, queue: &dyn Queue) -> Result<Depth> {
        let depth = queue.depth().await?;
        Ok(Depth { visible: depth.visible + depth.delayed, delayed: 0, ..depth })
    }
}

#[test]
fn a_depth_that_counts_what_is_delayed_as_visible_is_caught() {
    expect::<CountsDelayedAsVisible>(&["depth_counts_by_state"]);
}

#[derive(Default)]
struct ForgetsTheAgeInFlight;
#[async_trait]
impl Mistake for ForgetsTheAgeInFlight {
    async fn depth(&self, queue: &dyn Queue) -> Result<Depth> {
        let depth = queue.depth().await?;
        let oldest = depth.oldest.filter(|_| depth.visible > 0);
        Ok(Depth { oldest, ..depth })
    }
}

#[test]
fn an_age_that_leaves_out_what_is_in_flight_is_caught() {
    expect::<ForgetsTheAgeInFlight>(&["depth_tells_the_age_of_the_oldest"]);
}
