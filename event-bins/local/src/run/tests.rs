//! What producers and consumers are told of the command line.

use clap::Parser;
use event_core::batch::BatchLimits;
use event_core::{Message, Retail};
use event_mem::MemStore;

use super::*;

fn args(arguments: &[&str]) -> Args {
    let program = ["event-local"].iter().chain(arguments);
    Args::try_parse_from(program).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

const GRACE: Grace =
    Grace { draining: Duration::from_secs(20), giving_back: Duration::from_secs(5) };

#[test]
fn producers_share_the_messages_to_the_last_one() {
    let totals = |producers: &str, count| {
        let args = args(&["--producers", producers]);
        let options = (0..args.producers).map(|n| producer_options(&args, GRACE, count, n));
        options.map(|options| options.total).collect::<Vec<_>>()
    };
    assert_eq!(totals("1", Some(7)), [Some(7)]);
    assert_eq!(totals("3", Some(11)), [Some(4), Some(4), Some(3)]);
    assert_eq!(totals("3", Some(2)), [Some(1), Some(1), Some(0)]);
    assert_eq!(totals("2", None), [None, None], "of an input all that there are");
}

#[test]
fn the_rate_and_the_pause_are_those_of_all_producers_together() {
    let interval = |arguments: &[&str]| {
        let args = args(&[&["--producers", "3"], arguments].concat());
        let options = (0..3).map(|number| producer_options(&args, GRACE, None, number));
        let intervals: Vec<_> = options.map(|options| options.interval).collect();
        assert_eq!(intervals, [intervals[0]; 3]);
        intervals[0]
    };
    assert_eq!(interval(&[]), Duration::ZERO);
    // Each sends one message while the others send two.
    assert_eq!(interval(&["--rate", "4"]), Duration::from_millis(750));
    assert_eq!(interval(&["--wait-secs-between-msgs", "2"]), Duration::from_secs(6));
    let alone = args(&["--rate", "4"]);
    let alone = producer_options(&alone, GRACE, None, 0);
    assert_eq!((alone.interval, alone.grace), (Duration::from_millis(250), GRACE.draining));
}

#[test]
fn every_setting_of_a_consumer_reaches_it() {
    let usual = consumer_options(&args(&[]), GRACE, ObjectLayout::Event);
    assert_eq!(usual, ConsumerOptions { grace: GRACE.giving_back, ..ConsumerOptions::default() });
    let arguments = "--max-msgs-per-batch 7 --msg-poll-backoff 3 --msg-process-delay 0.5 \
                     --max-panics-per-msg 4 --max-held-bytes 1048576 --batch-max-events 30 \
                     --batch-max-bytes 2048 --batch-max-age-secs 9";
    let args = args(&arguments.split_whitespace().collect::<Vec<_>>());
    let singly = ConsumerOptions {
        receive_max: 7,
        wait: Duration::ZERO,
        idle_backoff: Some(Duration::from_secs(3)),
        pause: Duration::from_millis(500),
        max_panics: 4,
        max_bytes: 1 << 20,
        grace: GRACE.giving_back,
        ..ConsumerOptions::default()
    };
    assert_eq!(consumer_options(&args, GRACE, ObjectLayout::Event), singly);
    let batch = BatchLimits { count: 30, bytes: 2048, linger: Duration::from_secs(9) };
    let batches = consumer_options(&args, GRACE, ObjectLayout::Batch);
    assert_eq!(batches, ConsumerOptions { batch, ..singly });
}

#[test]
fn objects_are_brought_to_the_disk_where_that_is_asked_for() {
    let out = tempfile::TempDir::new().expect("a directory");
    let out = ["--out", out.path().to_str().expect("text")];
    // Nothing but a power cut would show it.
    let shown = |arguments: &[&str]| format!("{:?}", directory(&args(arguments)).expect("a store"));
    assert!(shown(&out).contains("fsync: false"));
    assert!(shown(&[&out[..], &["--fsync"]].concat()).contains("fsync: true"));
}

fn events(args: &Args) -> Events {
    Events::of(args, Arc::new(Retail::default()), 1024).expect("a source")
}

#[test]
fn an_input_has_as_many_messages_as_there_are_unless_fewer_are_asked_for() {
    assert_eq!(events(&args(&[])).count, Some(10_000));
    assert_eq!(events(&args(&["--count", "7"])).count, Some(7));
    assert_eq!(events(&args(&["--input", "-"])).count, None);
    assert_eq!(events(&args(&["--input", "-", "--count", "7"])).count, Some(7));
}

#[tokio::test]
async fn as_many_run_as_are_asked_for_and_no_producer_of_nothing() {
    let queue = MemQueue::default();
    let local = Local {
        metered_queue: Arc::new(queue.clone()),
        queue,
        store: Arc::new(MemStore::default()),
        tally: Arc::new(Tally::new()),
        retry: Retry::default(),
    };
    for (producers, count, running) in [("4", "9", 4), ("4", "3", 3)] {
        let args = args(&["--producers", producers, "--consumers", "3", "--count", count]);
        let never = Shutdown::never();
        let schema = Arc::new(Retail::default());
        let opened = local.open(&args, schema, &never).await.expect("a prefix");
        let events = events(&args);
        assert_eq!(local.producers(&args, GRACE, &events, &opened, &never).len(), running);
        assert_eq!(local.consumers(&args, GRACE, &opened, &never).expect("a handler").len(), 3);
    }
}

#[test]
fn only_an_input_is_complained_about_and_what_is_wrong_in_it_is_quarantined() {
    let complaints = events(&args(&["--input", "-"])).complaints.expect("an input");
    let large = complaints.look(3, &Message::new("{}"), None, 1).unwrap_or_default();
    assert!(large.starts_with("standard input line 3: ") && large.ends_with("; quarantined"));
    assert!(events(&args(&[])).complaints.is_none());
}

#[tokio::test]
async fn all_are_waited_for_and_the_first_error_is_told() {
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let mut replicas = JoinSet::new();
    for (wait, outcome) in [(2, Err("second")), (1, Err("first")), (3, Ok(())), (4, Err("last"))] {
        let tell = tell.clone();
        replicas.spawn(async move {
            for _ in 0..wait * 10 {
                tokio::task::yield_now().await;
            }
            let _ = tell.send(());
            outcome.map_err(|what| Error::invalid("run", what))
        });
    }
    let error = all(&mut replicas).await.expect_err("three failed");
    assert!(error.to_string().contains("first"), "{error}");
    for _ in 0..4 {
        assert!(told.try_recv().is_ok(), "one was not waited for");
    }
    let mut broken = JoinSet::new();
    broken.spawn(async { panic!("on purpose") });
    let error = all::<()>(&mut broken).await.expect_err("it broke");
    assert!(error.to_string().contains("a replica broke"), "{error}");
    assert!(all::<()>(&mut JoinSet::new()).await.is_ok());
}
