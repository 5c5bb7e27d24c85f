//! How long is waited, and who hears of it.

use super::*;

/// Others take what comes, again and again: each time the receive is woken for nothing.
#[tokio::test(start_paused = true)]
async fn a_receive_waits_no_longer_however_often_it_is_woken() {
    for _ in 0..3 {
        let queue = queue(|_| {});
        let waiting = {
            let queue = queue.clone();
            tokio::spawn(async move {
                let asked = Instant::now();
                (receive(&queue, 1, 20, 30).await, asked.elapsed())
            })
        };
        settle().await;
        for _ in 0..19 {
            advance(SECOND).await;
            // Without a turn for the one who waits in between.
            {
                let mut state = queue.lock();
                state.send(Message::new("x"), Duration::ZERO, Instant::now());
                assert!(state.take_visible().is_some());
            }
            queue.inner.arrival.notify_waiters();
            settle().await;
        }
        let (taken, waited) = waiting.await.unwrap();
        assert_eq!((taken.len(), waited), (0, SECOND * 20));
    }
}

#[tokio::test(start_paused = true)]
async fn everybody_hears_that_the_queue_is_drained() {
    let queue = MemQueue::default();
    send(&queue, 2).await;
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.drained().await })
        })
        .collect();
    settle().await;
    for delivery in receive(&queue, 10, 0, 30).await {
        assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
        delete(&queue, &delivery).await.unwrap();
        settle().await;
    }
    for waiting in waiting {
        tokio::time::timeout(SECOND, waiting).await.unwrap().unwrap();
    }
    tokio::time::timeout(SECOND, queue.drained()).await.unwrap();
}

/// What has been visible for longest comes first, by whichever way it leaves.
#[tokio::test(start_paused = true)]
async fn messages_leave_in_the_order_in_which_they_became_visible() {
    let bodies = |deliveries: Vec<Delivery>| -> Vec<u8> {
        deliveries.iter().map(|delivery| delivery.message.body[0] - b'0').collect()
    };
    let (from, to) = (MemQueue::default(), MemQueue::default());
    send(&from, 5).await;
    // The first two come back after the others.
    let taken = receive(&from, 2, 0, 30).await;
    change(&from, &taken[1], 0).await.unwrap();
    change(&from, &taken[0], 0).await.unwrap();
    assert_eq!(from.redrive_to(&to), 5);
    assert_eq!(bodies(receive(&to, 10, 0, 30).await), [2, 3, 4, 1, 0]);
}

#[tokio::test(start_paused = true)]
async fn only_what_could_be_received_makes_a_full_queue_refuse() {
    let queue = queue(|o| o.max_in_flight = 1);
    send(&queue, 1).await;
    assert_eq!(receive(&queue, 1, 0, 30).await.len(), 1);
    assert_eq!(receive(&queue, 1, 0, 30).await.len(), 0, "nothing is kept back");
    send(&queue, 1).await;
    let error = queue.receive(request(1, 0, 30)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
}

#[tokio::test(start_paused = true)]
async fn a_redrive_moves_what_has_just_come_back_and_the_target_delays_it() {
    let (from, to) = (queue(|o| o.delay = SECOND * 7), queue(|o| o.delay = SECOND * 3));
    send(&from, 3).await;
    advance(SECOND * 7).await;
    assert_eq!(receive(&from, 2, 0, 30).await.len(), 2);
    advance(SECOND * 29).await;
    assert_eq!(from.redrive_to(&to), 1);
    advance(SECOND).await;
    // Nobody asked anything since their visibility lapsed.
    assert_eq!(from.redrive_to(&to), 2);
    assert_eq!(counts(&to).await, (0, 0, 3));
    advance(SECOND * 3).await;
    assert_eq!(counts(&to).await, (3, 0, 0));
}
