//! Several threads at one queue.

use super::*;

fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(future);
}

/// A wake-up that is lost makes this wait for an hour.
#[test]
fn no_wake_up_is_lost_between_threads() {
    let queue = queue(|o| o.limits.max_wait = SECOND * 3600);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            let queue = queue.clone();
            scope.spawn(|| {
                run(async move {
                    loop {
                        let delivery = receive(&queue, 1, 3600, 3600).await.remove(0);
                        delete(&queue, &delivery).await.unwrap();
                        if delivery.message.body == "stop" {
                            return;
                        }
                    }
                });
            });
        }
        run(async {
            for n in 0..2_000 {
                send(&queue, n % 5).await;
                queue.drained().await;
            }
            assert!(queue.send(&vec![Message::new("stop"); 3]).await.iter().all(Result::is_ok));
        });
    });
}

/// A lock taken in the wrong order makes this wait for ever.
#[test]
fn messages_move_both_ways_between_threads_without_loss() {
    let dead_letter = MemQueue::default();
    let redrive = Redrive { max_receives: 1, dead_letter: dead_letter.clone() };
    let queue = queue(|o| o.redrive = Some(redrive));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            run(async {
                for _ in 0..2_000 {
                    receive(&queue, 2, 0, 0).await;
                }
            });
        });
        for (from, to) in [(&queue, &dead_letter), (&dead_letter, &queue)] {
            scope.spawn(|| {
                for _ in 0..2_000 {
                    from.redrive_to(to);
                }
            });
        }
        run(async {
            for _ in 0..100 {
                send(&queue, 10).await;
            }
        });
    });
    run(async {
        let (here, there) = (queue.depth().await.unwrap(), dead_letter.depth().await.unwrap());
        assert_eq!(here.total() + there.total(), 1_000);
    });
}
