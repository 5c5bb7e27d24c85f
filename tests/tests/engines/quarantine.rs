//! Many quarantined messages in one object, each once a day.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use event_core::batch::BatchLimits;
use event_core::sink::QuarantineEntry;
use event_core::{
    BatchWriter, Bytes, Compression, Consumer, ConsumerOptions, Delivery, Depth, Error, ErrorKind,
    Layout, Message, MessageId, ObjectStore, Observer, Producer, PutMode, Quarantine, Queue,
    QueueLimits, Reason, Receipt, ReceiveRequest, Result, Retail, Shutdown, async_trait, codec,
};
use event_mem::{MemQueue, MemStore, Scripted};
use event_tests::Faulty;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{
    events, keys, options, retry, run_until_drained, sale, send, spawn, transient,
};

const DAY: &str = "quarantine/store_events/dt=2026_11_22";
/// 2026-11-23T00:00:00Z.
const MIDNIGHT: Duration = Duration::from_secs(1_795_392_000);
const SECOND: Duration = Duration::from_secs(1);

/// Accepted in the last second of [`DAY`].
fn sent_at() -> SystemTime {
    SystemTime::UNIX_EPOCH + MIDNIGHT - SECOND
}

fn log(store: impl ObjectStore) -> Quarantine {
    Quarantine::log(Arc::new(store), Layout::default())
}

fn segment(slot: u32) -> String {
    format!("{DAY}/{slot:010}.ndjson.zst")
}

fn bad(count: usize) -> Vec<Message> {
    (0..count).map(|number| sale(format!("no event {number}"))).collect()
}

async fn put_at(
    quarantine: &Quarantine,
    messages: &[Message],
    code: &'static str,
    sent_at: SystemTime,
    stop: &Shutdown,
) -> Vec<Result<()>> {
    let reason = &Reason::new(code, "on purpose");
    let entries = messages.iter().map(|message| QuarantineEntry { message, reason, sent_at });
    quarantine.put(&entries.collect::<Vec<_>>(), &retry(), stop).await
}

async fn put(quarantine: &Quarantine, messages: &[Message]) {
    for put in put_at(quarantine, messages, "bad_msg", sent_at(), &Shutdown::never()).await {
        put.unwrap();
    }
}

/// The messages below a prefix, with the codes of their reasons, in order.
async fn messages(store: &MemStore, prefix: &str) -> Vec<(Message, String)> {
    let mut messages = Vec::new();
    for key in keys(store, prefix).await {
        let object = store.get(&key).await.unwrap().unwrap();
        let lines = Compression::Zstd.decompress(object).unwrap();
        assert!(lines.ends_with(b"\n"), "{key}");
        for line in lines.strip_suffix(b"\n").unwrap().split(|&byte| byte == b'\n') {
            let (message, reason) = codec::decode_quarantined(line).unwrap();
            let written = codec::encode_quarantined(&message, &reason);
            assert_eq!(written.strip_suffix(b"\n").unwrap(), line);
            messages.push((message, reason.code().to_owned()));
        }
    }
    messages
}

/// A queue that accepted everything at the same time.
struct SentAt(MemQueue, SystemTime);

#[async_trait]
impl Queue for SentAt {
    fn limits(&self) -> QueueLimits {
        self.0.limits()
    }

    async fn send(&self, batch: &[Message]) -> Vec<Result<MessageId>> {
        self.0.send(batch).await
    }

    async fn receive(&self, request: ReceiveRequest) -> Result<Vec<Delivery>> {
        let deliveries = self.0.receive(request).await?;
        Ok(deliveries.into_iter().map(|of| Delivery { sent_at: self.1, ..of }).collect())
    }

    async fn delete(&self, receipts: &[Receipt]) -> Vec<Result<()>> {
        self.0.delete(receipts).await
    }

    async fn change_visibility(&self, changes: &[(Receipt, Duration)]) -> Vec<Result<()>> {
        self.0.change_visibility(changes).await
    }

    async fn depth(&self) -> Result<Depth> {
        self.0.depth().await
    }
}

/// A consumer of batches whose quarantine is a log, in a store of its own.
fn consumer(queue: &MemQueue, store: &MemStore, quarantine: impl ObjectStore) -> Consumer {
    let schema = Arc::new(Retail::default());
    let writer = BatchWriter::new(Arc::new(store.clone()), Layout::default(), schema);
    let queue = Arc::new(SentAt(queue.clone(), sent_at()));
    let consumer = Consumer::new(queue, Arc::new(writer.retry(retry())), log(quarantine));
    let batch = BatchLimits { count: 100, linger: SECOND, ..options().batch };
    consumer.retry(retry()).options(ConsumerOptions { batch, ..options() })
}

#[tokio::test(start_paused = true)]
async fn a_hundred_messages_that_are_no_events_are_one_put() {
    let (queue, mem) = (MemQueue::default(), MemStore::new());
    let puts = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&puts);
    let counted = Faulty::new(mem.clone(), move |call| {
        count.fetch_add(u64::from(call.operation == "put"), Ordering::SeqCst);
        None
    });
    send(&queue, &bad(100)).await;
    let report = run_until_drained(consumer(&queue, &mem, counted), &queue).await;
    assert_eq!((report.quarantined, report.deleted), (100, 100));
    assert_eq!(puts.load(Ordering::SeqCst), 1);
    assert_eq!(keys(&mem, "").await, [segment(0)]);
    let mut found = messages(&mem, DAY).await;
    found.sort_by_key(|(message, _)| message.body.clone());
    let mut expected: Vec<_> =
        bad(100).into_iter().map(|message| (message, "not_json".to_owned())).collect();
    expected.sort_by_key(|(message, _)| message.body.clone());
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_is_no_second_line_whatever_its_reason() {
    let mem = MemStore::new();
    let (one, other) = (log(mem.clone()), log(mem.clone()));
    put(&one, &bad(3)).await;
    // On the same pod and on another, in one batch twice, and beside what is new.
    put(&one, &bad(3)).await;
    put(&other, &[bad(3), bad(4)].concat()).await;
    let again = put_at(&other, &bad(4), "conflict", sent_at(), &Shutdown::never()).await;
    assert!(again.iter().all(Result::is_ok), "{again:?}");
    assert_eq!(keys(&mem, "").await, [segment(0), segment(1)]);
    let reasons = bad(4).into_iter().map(|message| (message, "bad_msg".to_owned()));
    assert_eq!(messages(&mem, DAY).await, reasons.collect::<Vec<_>>());
}

/// The day is that of the queue, on whichever day the message comes.
#[tokio::test(start_paused = true)]
async fn what_was_accepted_on_two_days_is_in_two_logs() {
    let mem = MemStore::new();
    let quarantine = log(mem.clone());
    let midnight = SystemTime::UNIX_EPOCH + MIDNIGHT;
    let (message, never) = (bad(1), Shutdown::never());
    for sent_at in [midnight - Duration::from_nanos(1), midnight, midnight - SECOND] {
        for put in put_at(&quarantine, &message, "bad_msg", sent_at, &never).await {
            put.unwrap();
        }
    }
    let next = segment(0).replace("11_22", "11_23");
    assert_eq!(keys(&mem, "").await, [segment(0), next]);
}

#[tokio::test(start_paused = true)]
async fn messages_that_differ_in_an_attribute_alone_are_two() {
    let mem = MemStore::new();
    let with = |value: &'static str| sale("no event").with_attribute("a", value);
    let three = [sale("no event"), with("x"), with("y")];
    let quarantine = log(mem.clone());
    for message in &three {
        put(&quarantine, std::slice::from_ref(message)).await;
    }
    let found = messages(&mem, DAY).await;
    assert_eq!(found.into_iter().map(|(message, _)| message).collect::<Vec<_>>(), three);
}

/// Bytes that are not text, and line breaks, among them.
#[tokio::test(start_paused = true)]
async fn messages_are_kept_byte_for_byte() {
    let mem = MemStore::new();
    let odd = [
        Message::new(&b"\xff\n"[..]).with_attribute("trace", vec![0, 255]),
        Message::new("a\r\nb\n"),
        Message::new(""),
        Message::new("\u{2028}\u{0}"),
    ];
    put(&log(mem.clone()), &odd).await;
    put(&log(mem.clone()), &odd).await;
    let found = messages(&mem, DAY).await;
    assert_eq!(found.into_iter().map(|(message, _)| message).collect::<Vec<_>>(), odd);
}

#[tokio::test(start_paused = true)]
async fn two_consumers_with_the_same_messages_make_one_record_of_each() {
    let mem = MemStore::new();
    let slow = || {
        let mem = mem.clone();
        async move {
            let queue = MemQueue::default();
            send(&queue, &bad(250)).await;
            run_until_drained(consumer(&queue, &mem, mem.clone()), &queue).await
        }
    };
    let (one, other) = tokio::join!(slow(), slow());
    assert_eq!((one.quarantined, other.quarantined), (250, 250));
    let mut found: Vec<_> =
        messages(&mem, DAY).await.into_iter().map(|(message, _)| message.body).collect();
    found.sort();
    let mut expected: Vec<_> = bad(250).into_iter().map(|message| message.body).collect();
    expected.sort();
    assert_eq!(found, expected);
}

#[tokio::test(start_paused = true)]
async fn a_failing_store_is_asked_again_until_it_answers() {
    let mem = MemStore::new();
    let calls = AtomicU64::new(0);
    let weak = Faulty::new(mem.clone(), move |call| {
        let fails = !calls.fetch_add(1, Ordering::SeqCst).is_multiple_of(4);
        fails.then(|| transient(call.operation))
    });
    struct Retries(AtomicU64);
    impl Observer for Retries {
        fn retried(&self, _: &Error, entries: usize) {
            self.0.fetch_add(entries as u64, Ordering::SeqCst);
        }
    }
    let (retries, reason) = (Arc::new(Retries(AtomicU64::new(0))), Reason::new("bad_msg", ""));
    let retry = retry().observed_by(Arc::clone(&retries) as _);
    let message = &bad(1)[0];
    let entry = QuarantineEntry { message, reason: &reason, sent_at: sent_at() };
    let put = log(weak).put(&[entry], &retry, &Shutdown::never()).await;
    assert!(put[0].is_ok() && put.len() == 1, "{put:?}");
    assert_eq!(keys(&mem, "").await, [segment(0)]);
    // The listing succeeds at once, the look at the head and the put at their fourth try.
    assert_eq!(retries.0.load(Ordering::SeqCst), 2 * 3);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_tries_with_the_error() {
    let broken = Faulty::new(MemStore::new(), |call| Some(transient(call.operation)));
    let (stop, shutdown) = Shutdown::new();
    let quarantine = log(broken);
    let running =
        tokio::spawn(
            async move { put_at(&quarantine, &bad(2), "bad_msg", sent_at(), &shutdown).await },
        );
    sleep(Duration::from_secs(24 * 60 * 60)).await;
    assert!(!running.is_finished());
    stop.shutdown();
    let told = Instant::now();
    let outcomes = running.await.unwrap();
    assert!(told.elapsed() < SECOND, "it took {:?} to stop", told.elapsed());
    let kinds = outcomes.into_iter().map(|put| put.unwrap_err().kind());
    assert_eq!(kinds.collect::<Vec<_>>(), [ErrorKind::Transient; 2]);
}

/// What may be wrong with a log, and the key that tells.
async fn damaged(mem: &MemStore) -> Vec<(MemStore, String)> {
    let copy = async || {
        let copy = MemStore::new();
        for key in keys(mem, "").await {
            let object = mem.get(&key).await.unwrap().unwrap();
            copy.put(&key, object, PutMode::Create).await.unwrap();
        }
        copy
    };
    let no_message = Compression::Zstd.compress(b"{}\n".to_vec()).unwrap();
    let odd: [(String, Bytes); 3] = [
        (segment(0), "no zstd".into()),
        (segment(1), no_message),
        (segment(2).replace(".zst", ""), "{\"body\":\"x\"}\n".into()),
    ];
    let mut all = Vec::new();
    for (key, object) in odd {
        let copy = copy().await;
        copy.put(&key, object, PutMode::Overwrite).await.unwrap();
        all.push((copy, key));
    }
    for missing in [0, 1] {
        let (copy, key) = (copy().await, segment(missing));
        copy.delete(std::slice::from_ref(&key)).await.remove(0).unwrap();
        all.push((copy, key));
    }
    all
}

/// A quarantine of a few segments.
async fn sound() -> MemStore {
    let mem = MemStore::new();
    for message in bad(3) {
        put(&log(mem.clone()), &[message]).await;
    }
    mem
}

#[tokio::test(start_paused = true)]
async fn what_is_missing_or_damaged_is_named_and_nothing_is_put() {
    for (mem, damage) in damaged(&sound().await).await {
        let before = keys(&mem, "").await;
        let (quarantine, new, never) = (log(mem.clone()), bad(5), Shutdown::never());
        let put = put_at(&quarantine, &new, "bad_msg", sent_at(), &never);
        let outcomes = timeout(SECOND, put).await.expect("it gives up");
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.to_string().contains(&damage), "{error}");
        }
        assert_eq!(keys(&mem, "").await, before);
    }
}

/// Good events are stored and deleted, what is bad waits on the queue for the repair, and a stop is
/// heard meanwhile.
#[tokio::test(start_paused = true)]
async fn good_events_are_stored_while_the_quarantine_is_damaged() {
    let sound = sound().await;
    for (quarantine, damage) in damaged(&sound).await {
        let (queue, mem) = (MemQueue::default(), MemStore::new());
        let counted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&counted);
        let watched = Faulty::new(quarantine.clone(), move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            None
        });
        let (stop, shutdown) = Shutdown::new();
        let running = spawn(consumer(&queue, &mem, watched), &shutdown);
        let conflict = |id: &str| sale(crate::support::body(id).replace("Games", "Books"));
        for round in 0..20 {
            let good = events(10 * (round + 1)).split_off(10 * round);
            let ids = [format!("{}", 10 * round), format!("{}", 10 * round + 1)];
            send(&queue, &[good, ids.iter().map(|id| conflict(id)).collect(), bad(5)].concat())
                .await;
            sleep(Duration::from_secs(60)).await;
        }
        let left = queue.depth().await.unwrap().total();
        assert_eq!(left, 20 * 2 + 20 * 5, "{damage}: what is good is deleted");
        let requests = counted.load(Ordering::SeqCst);
        assert!(requests < 20 * 60, "{damage}: {requests} requests in 20 minutes");
        stop.shutdown();
        let told = Instant::now();
        let report = running.await.unwrap();
        assert!(told.elapsed() < Duration::from_secs(10), "{damage}: {:?}", told.elapsed());
        assert_eq!((report.acknowledged, report.quarantined, report.abandoned), (200, 0, 0));
        // Each comes again five minutes later, and no sooner.
        assert!(report.received < 200 + 140 * 5, "{damage}: {} deliveries", report.received);

        // Repaired by hand.
        quarantine.delete(&[damage]).await.remove(0).unwrap();
        for key in keys(&sound, "").await {
            let object = sound.get(&key).await.unwrap().unwrap();
            quarantine.put(&key, object, PutMode::Overwrite).await.unwrap();
        }
        run_until_drained(consumer(&queue, &mem, quarantine.clone()), &queue).await;
        assert_eq!(messages(&quarantine, DAY).await.len(), 5 + 40);
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_queue_takes_is_of_the_day_of_the_attempt_to_send_it() {
    let (queue, mem) = (MemQueue::default(), MemStore::new());
    let mut all = events(15);
    all.insert(7, sale(vec![b'x'; 2 * 1024 * 1024]));
    let producer = Producer::new(Arc::new(queue), Scripted::new(all)).quarantine(log(mem.clone()));
    let report = producer.retry(retry()).clock(sent_at).run(Shutdown::never()).await.unwrap();
    assert_eq!((report.sent, report.quarantined), (15, 1));
    let found = messages(&mem, DAY).await;
    assert_eq!((found.len(), &*found[0].1), (1, "refused"));
}
