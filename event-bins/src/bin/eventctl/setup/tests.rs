//! The flags of a setup, what they keep, and how it is repeated.

use clap::Parser;
use event_core::ShutdownTrigger;
use tokio::time::Instant;

use super::*;

#[derive(Parser)]
struct Alone {
    #[command(flatten)]
    setup: SetupArgs,
}

#[test]
fn the_defaults_are_those_of_the_library() {
    let setup = Alone::try_parse_from(["setup"]).unwrap().setup;
    assert_eq!(setup.queue_setup(), QueueSetup::default());
    assert_eq!(setup.bucket_setup(), BucketSetup::default());
    assert_eq!(setup.existing(), Existing::default());
}

#[test]
fn every_flag_reaches_its_setting() {
    let flags = "setup --delay-secs 3 --visibility-secs 4 --retention-secs 65 \
                 --dead-letter-retention-secs 66 --max-receives 7 --dead-letter-queue lost \
                 --encryption false --versioning false --public-access-block false \
                 --existing update --lower-retention";
    let setup = Alone::try_parse_from(flags.split_whitespace()).unwrap().setup;
    let seconds = Duration::from_secs;
    let wanted = QueueSetup {
        delay: seconds(3),
        visibility: seconds(4),
        retention: seconds(65),
        dead_letter_retention: seconds(66),
        max_receives: 7,
        dead_letter_queue: Some("lost".to_owned()),
        encrypted: false,
    };
    assert_eq!(setup.queue_setup(), wanted);
    let nothing = BucketSetup { versioning: false, public_access_block: false };
    assert_eq!(setup.bucket_setup(), nothing);
    assert_eq!(setup.existing(), Existing::Update { lower_retention: true });
}

#[test]
fn numbers_have_the_bounds_of_sqs() {
    for (argument, sound, wrong) in [
        ("--delay-secs", ["0", "900"], ["-1", "901"]),
        ("--visibility-secs", ["0", "43200"], ["-1", "43201"]),
        ("--retention-secs", ["60", "1209600"], ["59", "1209601"]),
        ("--dead-letter-retention-secs", ["60", "1209600"], ["59", "1209601"]),
        ("--max-receives", ["1", "1000"], ["0", "1001"]),
        ("--every-secs", ["1", "86400"], ["0", "86401"]),
    ] {
        let taken = |value| Alone::try_parse_from(["setup", argument, value]).is_ok();
        assert_eq!(sound.map(taken), [true; 2], "{argument} {sound:?}");
        assert_eq!(wrong.map(taken), [false; 2], "{argument} {wrong:?}");
    }
    assert!(Alone::try_parse_from(["setup", "--dry-run", "--every-secs", "1"]).is_err());
}

/// What a line of a refusal says to give is given, and the difference is gone.
#[test]
fn the_flag_that_keeps_a_value_is_one_that_there_is() {
    let differences = [
        (Setting::Delay, "0", "--delay-secs 0"),
        (Setting::Visibility, "43200", "--visibility-secs 43200"),
        (Setting::Retention, "1209600", "--retention-secs 1209600"),
        (Setting::DeadLetterRetention, "60", "--dead-letter-retention-secs 60"),
        (Setting::Encryption, "false", "--encryption false"),
        (Setting::DeadLetterQueue, "lost", "--dead-letter-queue lost"),
        (Setting::DeadLetterQueue, "none", "--existing keep"),
        (Setting::MaxReceives, "3", "--max-receives 3"),
        (Setting::Versioning, "Suspended", "--versioning false"),
        (Setting::PublicAccessBlock, "none", "--public-access-block false"),
    ];
    let default = format!("{:?}", Alone::try_parse_from(["setup"]).unwrap().setup);
    for (setting, present, flag) in differences {
        let (present, wanted) = (present.to_owned(), "1".to_owned());
        let what = What::Set { setting, present, wanted };
        let told = remedy(&Change { resource: "queue", name: "orders".to_owned(), what });
        let keeps = told.strip_prefix("keep it with ").unwrap().split(',').next().unwrap();
        assert_eq!(keeps, flag, "{told}");
        let flags = ["setup"].into_iter().chain(keeps.split(' '));
        let kept = Alone::try_parse_from(flags).unwrap_or_else(|error| panic!("{error}")).setup;
        assert_ne!(format!("{kept:?}"), default, "{told}");
        let is_lowered = told.contains("--lower-retention");
        let retentions = [Setting::Retention, Setting::DeadLetterRetention];
        assert_eq!(is_lowered, retentions.contains(&setting), "{told}");
    }
}

const EVERY: Duration = Duration::from_secs(60);

/// What a repeated setup ends with whose looks take a second and end so, and at which seconds they
/// began; a stop comes with the last.
async fn looks(outcomes: Vec<Result<bool, Failure>>) -> (Result<(), Failure>, Vec<u64>) {
    let (stop, shutdown): (ShutdownTrigger, _) = Shutdown::new();
    let (start, mut seconds) = (Instant::now(), Vec::new());
    let mut outcomes = outcomes.into_iter();
    let look = async || {
        seconds.push(start.elapsed().as_secs());
        sleep(Duration::from_secs(1)).await;
        let outcome = outcomes.next().unwrap();
        if outcomes.len() == 0 {
            stop.shutdown();
        }
        outcome
    };
    let ended = repeated(EVERY, &shutdown, look).await;
    (ended, seconds)
}

#[tokio::test(start_paused = true)]
async fn a_repeated_setup_looks_again_after_its_pause_whatever_a_service_does() {
    let away = || Err(Failure::Service("away".to_owned()));
    let (ended, seconds) = looks(vec![Ok(true), away(), Ok(false), away()]).await;
    assert_eq!((ended, seconds), (Ok(()), vec![0, 61, 122, 183]));
}

#[tokio::test(start_paused = true)]
async fn what_no_later_look_would_heal_ends_a_repeated_setup() {
    for failure in [Failure::Setting("wrong".to_owned()), Failure::Differs("it".to_owned())] {
        let (ended, seconds) = looks(vec![Ok(true), Err(failure.clone()), Ok(true)]).await;
        assert_eq!((ended, seconds), (Err(failure.clone()), vec![0, 61]));
        // One of a stop that came meanwhile is its end.
        assert_eq!(looks(vec![Err(failure)]).await, (Ok(()), vec![0]));
    }
}
