//! The queue against a model of it that is too slow to be wrong.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug)]
enum Step {
    Send(usize),
    Receive(usize, u32),
    Delete(usize),
    Change(usize, u32),
    Advance(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..=10_usize).prop_map(Step::Send),
        (1..=10_usize, 0..6_u32).prop_map(|(max, visibility)| Step::Receive(max, visibility)),
        any::<usize>().prop_map(Step::Delete),
        (any::<usize>(), 0..6_u32).prop_map(|(which, time)| Step::Change(which, time)),
        (0..4_u32).prop_map(Step::Advance),
    ]
}

/// What a message in the model is: when it can be received next, and its receives.
struct Modelled {
    due: Instant,
    in_flight: bool,
    receives: u32,
}

/// A queue as it would be written without a care for its speed.
#[derive(Default)]
struct Model {
    messages: HashMap<MessageId, Modelled>,
    sent: u64,
    deleted: u64,
    receipts: Vec<(Receipt, MessageId, u32)>,
}

impl Model {
    fn visible(&self) -> impl Iterator<Item = (&MessageId, &Modelled)> {
        let now = Instant::now();
        self.messages.iter().filter(move |(_, message)| message.due <= now)
    }

    fn counts(&self) -> (u64, u64, u64) {
        let now = Instant::now();
        let hidden = |in_flight| {
            let hidden = self.messages.values().filter(|m| m.due > now && m.in_flight == in_flight);
            hidden.count() as u64
        };
        (self.visible().count() as u64, hidden(true), hidden(false))
    }

    fn chosen(&self, which: usize) -> Option<(Receipt, MessageId, u32)> {
        let count = self.receipts.len();
        (count > 0).then(|| self.receipts[which % count].clone())
    }
}

async fn agrees_with_the_model(steps: Vec<Step>, delay: u32) {
    const MAX_RECEIVES: u32 = 3;
    let dead_letter = MemQueue::default();
    let queue = queue(|o| {
        o.delay = SECOND * delay;
        o.redrive = Some(Redrive { max_receives: MAX_RECEIVES, dead_letter: dead_letter.clone() });
    });
    let mut model = Model::default();
    for step in steps {
        let now = Instant::now();
        match step {
            Step::Send(count) => {
                for id in queue.send(&messages(count)).await {
                    model.sent += 1;
                    let message =
                        Modelled { due: now + SECOND * delay, in_flight: false, receives: 0 };
                    assert!(model.messages.insert(id.unwrap(), message).is_none());
                }
            }
            Step::Receive(max, visibility) => {
                let got = receive(&queue, max, 0, visibility).await;
                let spent = |m: &Modelled| m.receives == MAX_RECEIVES;
                let live = model.visible().filter(|(_, m)| !spent(m)).count();
                assert_eq!(got.len(), live.min(max));
                for delivery in got {
                    let message = model.messages.get_mut(&delivery.id).unwrap();
                    assert!(message.due <= now, "a hidden message was received");
                    message.receives += 1;
                    assert_eq!(delivery.receive_count, message.receives);
                    (message.due, message.in_flight) = (now + SECOND * visibility, true);
                    model.receipts.push((delivery.receipt, delivery.id, delivery.receive_count));
                }
                // How many moved depends on how far the receive had to look.
                while let Some(letter) = receive(&dead_letter, 1, 0, 40_000).await.pop() {
                    let message = model.messages.remove(&letter.id).unwrap();
                    assert!(spent(&message) && message.due <= now);
                }
            }
            Step::Delete(which) => {
                if let Some((receipt, id, receives)) = model.chosen(which) {
                    assert!(queue.delete(&[receipt]).await[0].is_ok());
                    if model.messages.get(&id).is_some_and(|m| m.receives == receives) {
                        model.messages.remove(&id);
                        model.deleted += 1;
                    }
                }
            }
            Step::Change(which, time) => {
                if let Some((receipt, id, receives)) = model.chosen(which) {
                    let outcome =
                        queue.change_visibility(&[(receipt, SECOND * time)]).await.remove(0);
                    let message = model.messages.get_mut(&id);
                    let held = message.filter(|m| m.receives == receives && m.due > now);
                    assert_eq!(outcome.is_ok(), held.is_some());
                    if let Some(message) = held {
                        message.due = now + SECOND * time;
                    }
                }
            }
            Step::Advance(seconds) => advance(SECOND * seconds).await,
        }
        assert_eq!(counts(&queue).await, model.counts());
    }
    let dead = dead_letter.depth().await.unwrap().total();
    let gone = model.deleted + dead + model.messages.len() as u64;
    assert_eq!(gone, model.sent);
}

proptest! {
    #[test]
    fn a_queue_agrees_with_its_model(steps in prop::collection::vec(step(), 1..80), delay in 0..3_u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.unwrap().block_on(agrees_with_the_model(steps, delay));
    }
}
