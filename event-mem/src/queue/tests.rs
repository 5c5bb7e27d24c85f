mod model;
mod threads;
mod waits;

use std::collections::HashSet;

use tokio::time::advance;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn queue(change: impl FnOnce(&mut MemQueueOptions)) -> MemQueue {
    let mut options = MemQueueOptions::default();
    change(&mut options);
    MemQueue::new(options)
}

fn messages(count: usize) -> Vec<Message> {
    (0..count).map(|n| Message::new(n.to_string())).collect()
}

fn request(max: usize, wait: u32, visibility: u32) -> ReceiveRequest {
    ReceiveRequest { max, wait: SECOND * wait, visibility: SECOND * visibility }
}

async fn send(queue: &MemQueue, count: usize) {
    assert!(queue.send(&messages(count)).await.iter().all(Result::is_ok));
}

async fn receive(queue: &MemQueue, max: usize, wait: u32, visibility: u32) -> Vec<Delivery> {
    queue.receive(request(max, wait, visibility)).await.unwrap()
}

async fn delete(queue: &MemQueue, delivery: &Delivery) -> Result<()> {
    queue.delete(std::slice::from_ref(&delivery.receipt)).await.remove(0)
}

async fn change(queue: &MemQueue, delivery: &Delivery, seconds: u32) -> Result<()> {
    let change = (delivery.receipt.clone(), SECOND * seconds);
    queue.change_visibility(&[change]).await.remove(0)
}

async fn counts(queue: &MemQueue) -> (u64, u64, u64) {
    let depth = queue.depth().await.unwrap();
    (depth.visible, depth.in_flight, depth.delayed)
}

/// Lets a task that was spawned run until it waits.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_batch_over_the_limits_is_refused_whole() {
    let queue = queue(|o| (o.limits.batch_bytes, o.limits.message_bytes) = (10, 8));
    let sent = queue.send(&vec![Message::default(); 11]).await;
    assert!(sent.iter().all(|o| o.as_ref().unwrap_err().kind() == ErrorKind::Invalid));
    let sent = queue.send(&[Message::new("12345678"), Message::new("123")]).await;
    assert!(sent.iter().all(|o| o.as_ref().unwrap_err().kind() == ErrorKind::TooLarge));
    assert_eq!(queue.send(&[]).await.len(), 0);
    assert_eq!(counts(&queue).await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn attributes_count_towards_the_bytes_of_a_batch() {
    let message = Message::new("1").with_attribute("a", "b");
    let bytes = message.size();
    for (most, is_taken) in [(2 * bytes, true), (2 * bytes - 1, false)] {
        let queue = queue(|o| o.limits.batch_bytes = most);
        let sent = queue.send(&vec![message.clone(); 2]).await;
        assert!(sent.iter().all(|outcome| outcome.is_ok() == is_taken), "{most}: {sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_large_is_refused_alone() {
    let queue = queue(|o| (o.limits.batch_bytes, o.limits.message_bytes) = (10, 8));
    let batch = ["1234567", "123456789", "8"].map(Message::new);
    let sent = queue.send(&batch).await;
    assert!(sent[0].is_ok() && sent[2].is_ok());
    assert_eq!(sent[1].as_ref().unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(counts(&queue).await, (2, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_out_of_range_is_refused_by_name() {
    let queue = MemQueue::default();
    for (request, named) in [
        (request(0, 0, 0), "max is 0, give 1 to 10"),
        (request(11, 0, 0), "max is 11"),
        (request(1, 21, 0), "wait is 21s, at most 20s"),
        (request(1, 0, 43_201), "visibility is 43201s, at most 43200s"),
    ] {
        let error = queue.receive(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(named), "{error}");
    }
    for request in [request(1, 20, 0), request(10, 0, 43_200)] {
        assert!(queue.receive(request).await.unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_comes_back_with_another_receipt_until_it_is_deleted() {
    let queue = MemQueue::default();
    send(&queue, 1).await;
    let first = receive(&queue, 10, 0, 30).await.remove(0);
    advance(SECOND * 29).await;
    assert!(receive(&queue, 10, 0, 30).await.is_empty());
    advance(SECOND).await;
    let second = receive(&queue, 10, 0, 30).await.remove(0);
    assert_eq!((&first.id, first.receive_count), (&second.id, 1));
    assert_eq!((first.sent_at, second.receive_count), (second.sent_at, 2));

    assert!(delete(&queue, &first).await.is_ok());
    assert!(change(&queue, &first, 0).await.is_err());
    assert_eq!(counts(&queue).await, (0, 1, 0));
    assert!(delete(&queue, &second).await.is_ok());
    assert!(delete(&queue, &second).await.is_ok());
    assert_eq!(counts(&queue).await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_last_receipt_deletes_even_after_its_visibility_lapsed() {
    let queue = MemQueue::default();
    send(&queue, 2).await;
    let delivery = receive(&queue, 1, 0, 1).await.remove(0);
    advance(SECOND * 2).await;
    assert_eq!(counts(&queue).await, (2, 0, 0));
    let error = change(&queue, &delivery, 1).await.unwrap_err();
    assert!(error.to_string().contains("not in flight"), "{error}");
    delete(&queue, &delivery).await.unwrap();
    assert_eq!(counts(&queue).await, (1, 0, 0));
    let rest = receive(&queue, 10, 0, 1).await;
    assert_eq!((rest.len(), &rest[0].message.body[..]), (1, &b"1"[..]));
}

#[tokio::test(start_paused = true)]
async fn receipts_that_were_never_given_out_fail_alone() {
    let (queue, other) = (MemQueue::default(), MemQueue::default());
    send(&queue, 1).await;
    send(&other, 1).await;
    let foreign = receive(&other, 1, 0, 30).await.remove(0).receipt;
    let own = receive(&queue, 1, 0, 30).await.remove(0).receipt;
    let [no_receive, next_receive] = ["-0-0", "-0-2"].map(|of| own.as_str().replace("-0-1", of));
    let next_message = own.as_str().replace("-0-1", "-1-1");
    let mut receipts: Vec<Receipt> =
        ["", "nonsense", "-0-1", &no_receive, &next_receive, &next_message]
            .map(Receipt::new)
            .into();
    receipts.extend([foreign, own]);
    let changes: Vec<_> = receipts.iter().map(|r| (r.clone(), SECOND)).collect();
    for outcomes in [queue.change_visibility(&changes).await, queue.delete(&receipts).await] {
        let (own, others) = outcomes.split_last().unwrap();
        assert!(own.is_ok());
        assert!(others.iter().all(|o| o.as_ref().unwrap_err().kind() == ErrorKind::Invalid));
    }
    assert_eq!((counts(&queue).await, counts(&other).await), ((0, 0, 0), (0, 1, 0)));
}

#[tokio::test(start_paused = true)]
async fn more_entries_than_a_batch_holds_are_refused_whole() {
    let queue = MemQueue::default();
    send(&queue, 1).await;
    let receipt = receive(&queue, 1, 0, 30).await.remove(0).receipt;
    let outcomes = queue.delete(&vec![receipt.clone(); 11]).await;
    assert_eq!((outcomes.len(), outcomes.iter().filter(|o| o.is_err()).count()), (11, 11));
    let outcomes = queue.change_visibility(&vec![(receipt, SECOND); 11]).await;
    assert_eq!((outcomes.len(), outcomes.iter().filter(|o| o.is_err()).count()), (11, 11));
    assert_eq!(counts(&queue).await, (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_changed_visibility_counts_from_now_and_ends_with_the_longest() {
    let queue = queue(|o| o.limits.max_visibility = SECOND * 60);
    send(&queue, 1).await;
    let delivery = receive(&queue, 1, 0, 30).await.remove(0);
    advance(SECOND * 20).await;
    assert!(change(&queue, &delivery, 41).await.is_err());
    assert!(change(&queue, &delivery, 61).await.is_err());
    change(&queue, &delivery, 40).await.unwrap();
    advance(SECOND * 39).await;
    assert_eq!(counts(&queue).await, (0, 1, 0));
    advance(SECOND).await;
    assert_eq!(counts(&queue).await, (1, 0, 0));

    // The longest counts from the receive, however often it was changed.
    let delivery = receive(&queue, 1, 0, 30).await.remove(0);
    advance(SECOND * 20).await;
    change(&queue, &delivery, 20).await.unwrap();
    advance(SECOND * 10).await;
    assert!(change(&queue, &delivery, 31).await.is_err());
    change(&queue, &delivery, 30).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_endless_visibility_is_survived() {
    let queue =
        queue(|o| (o.limits.max_visibility, o.limits.max_wait) = (Duration::MAX, Duration::MAX));
    send(&queue, 1).await;
    let endless = ReceiveRequest { max: 1, wait: Duration::MAX, visibility: Duration::MAX };
    let delivery = queue.receive(endless).await.unwrap().remove(0);
    let outcome = queue.change_visibility(&[(delivery.receipt, Duration::MAX)]).await;
    assert!(outcome[0].is_ok());
    assert_eq!(counts(&queue).await, (0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_waiting_receive_wakes_when_something_can_be_received() {
    let queue = queue(|o| o.delay = SECOND);
    let began = Instant::now();
    let waiting = |visibility| {
        let queue = queue.clone();
        tokio::spawn(async move { (receive(&queue, 10, 20, visibility).await, began.elapsed()) })
    };
    let first = waiting(5);
    settle().await;
    send(&queue, 1).await;
    let (delivery, after) = first.await.unwrap();
    assert_eq!((delivery.len(), after), (1, SECOND), "a delay that passes");

    // This one begins to wait when the message comes back after 5 s; that changes twice.
    let second = waiting(30);
    settle().await;
    change(&queue, &delivery[0], 2).await.unwrap();
    let (delivery, after) = second.await.unwrap();
    assert_eq!((delivery.len(), after), (1, SECOND * 3), "a visibility that lapses");

    let third = waiting(30);
    settle().await;
    advance(SECOND).await;
    change(&queue, &delivery[0], 0).await.unwrap();
    let (delivery, after) = third.await.unwrap();
    assert_eq!((delivery.len(), after), (1, SECOND * 4), "a release");

    let (none, after) = waiting(30).await.unwrap();
    assert_eq!((none.len(), after), (0, SECOND * 24), "nothing");
}

#[tokio::test(start_paused = true)]
async fn every_waiting_receiver_gets_a_message_of_one_batch() {
    let queue = MemQueue::default();
    let began = Instant::now();
    let receivers: Vec<_> = (0..10)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { receive(&queue, 1, 20, 30).await })
        })
        .collect();
    settle().await;
    send(&queue, 10).await;
    let mut ids = HashSet::new();
    for receiver in receivers {
        ids.insert(receiver.await.unwrap().remove(0).id);
    }
    assert_eq!((ids.len(), began.elapsed()), (10, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_wake_up_for_a_receiver_that_gave_up_goes_to_another() {
    let queue = MemQueue::default();
    let waiting = || {
        let queue = queue.clone();
        tokio::spawn(async move { receive(&queue, 1, 20, 30).await })
    };
    let (gives_up, stays) = (waiting(), waiting());
    settle().await;
    send(&queue, 1).await;
    gives_up.abort();
    let began = Instant::now();
    assert_eq!(stays.await.unwrap().len(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_is_dropped_takes_nothing() {
    let queue = MemQueue::default();
    let abandoned = tokio::time::timeout(SECOND, queue.receive(request(10, 20, 30)));
    assert!(abandoned.await.is_err());
    send(&queue, 1).await;
    assert_eq!(counts(&queue).await, (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn the_bound_in_flight_holds_until_something_is_settled() {
    let queue = queue(|o| o.max_in_flight = 3);
    send(&queue, 5).await;
    let held = receive(&queue, 10, 0, 30).await;
    assert_eq!(held.len(), 3);
    let error = queue.receive(request(1, 0, 30)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Throttled);
    assert!(receive(&queue, 1, 5, 30).await.is_empty());

    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { receive(&queue, 10, 20, 30).await }
    });
    settle().await;
    let began = Instant::now();
    delete(&queue, &held[0]).await.unwrap();
    assert_eq!(waiting.await.unwrap().len(), 1);
    assert_eq!(began.elapsed(), Duration::ZERO);
    assert_eq!(counts(&queue).await, (1, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_received_too_often_moves_with_its_names() {
    let dead_letter = MemQueue::default();
    let redrive = Redrive { max_receives: 2, dead_letter: dead_letter.clone() };
    let queue = queue(|o| o.redrive = Some(redrive));
    send(&queue, 2).await;
    let first = receive(&queue, 1, 0, 0).await.remove(0);
    advance(SECOND).await;
    // It went behind the other.
    let (other, again) =
        (receive(&queue, 1, 0, 30).await.remove(0), receive(&queue, 1, 0, 0).await.remove(0));
    assert_eq!((&first.id, again.receive_count), (&again.id, 2));
    delete(&queue, &other).await.unwrap();

    let waiting = tokio::spawn({
        let dead_letter = dead_letter.clone();
        async move { receive(&dead_letter, 10, 20, 30).await }
    });
    settle().await;
    let drained = tokio::spawn({
        let queue = queue.clone();
        async move { queue.drained().await }
    });
    settle().await;
    assert!(!drained.is_finished());
    assert!(receive(&queue, 10, 0, 30).await.is_empty());
    drained.await.unwrap();
    let dead = waiting.await.unwrap().remove(0);
    assert_eq!((dead.id, dead.sent_at, dead.receive_count), (first.id, first.sent_at, 1));
    assert_eq!(dead.message, first.message);
    let depth = dead_letter.depth().await.unwrap();
    assert_eq!(depth.oldest, Some(Duration::ZERO), "the age counts from the move");
}

#[tokio::test(start_paused = true)]
async fn a_redrive_sends_visible_messages_anew() {
    let dead_letter = MemQueue::default();
    let queue = queue(|o| {
        o.redrive = Some(Redrive { max_receives: 1, dead_letter: dead_letter.clone() });
    });
    for (from, to) in [(&dead_letter, &queue), (&queue, &dead_letter)] {
        send(from, 3).await;
        let held = receive(from, 1, 0, 30).await.remove(0);
        assert_eq!(from.redrive_to(to), 2);
        assert_eq!((counts(from).await, counts(to).await), ((0, 1, 0), (2, 0, 0)));
        delete(from, &held).await.unwrap();
        for moved in receive(to, 10, 0, 30).await {
            assert_ne!(moved.id, held.id);
            assert_eq!(moved.receive_count, 1);
            delete(to, &moved).await.unwrap();
        }
    }
    send(&queue, 1).await;
    assert_eq!(queue.redrive_to(&queue), 0);
    assert_eq!(counts(&queue).await, (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn depth_tells_states_and_the_age_of_the_oldest() {
    let queue = queue(|o| o.delay = SECOND * 2);
    assert_eq!(queue.depth().await.unwrap(), Depth::default());
    send(&queue, 2).await;
    assert_eq!(counts(&queue).await, (0, 0, 2));
    advance(SECOND * 2).await;
    send(&queue, 1).await;
    let held = receive(&queue, 1, 0, 30).await.remove(0);
    assert_eq!(counts(&queue).await, (1, 1, 1));
    advance(SECOND).await;
    assert_eq!(queue.depth().await.unwrap().oldest, Some(SECOND * 3));
    delete(&queue, &held).await.unwrap();
    delete(&queue, &receive(&queue, 1, 0, 30).await[0]).await.unwrap();
    assert_eq!(queue.depth().await.unwrap().oldest, Some(SECOND));
}
