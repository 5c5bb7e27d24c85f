//! Settings: the command line of `event-local`, and what the engines make of any number.
//!
//! `c` as the first byte is a consumer, `p` a producer, by the numbers that follow. Anything else
//! is a command line, its arguments parted by NUL. One that starts with a byte below the space
//! stands for a flag that there is; what follows that byte, if anything, is its value.

#![no_main]

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::sync::LazyLock;
use std::time::Duration;

use arbitrary::Unstructured;
use clap::builder::Resettable;
use clap::error::ErrorKind::{DisplayHelp, DisplayVersion, InvalidUtf8, UnknownArgument};
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use event_core::retry::IdleBackoff;
use event_core::{ConsumerOptions, ProducerOptions};
use event_local::source::SourceArgs;
use event_local::{cli, logs};
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "what says where to and how to report is not looked at")]
#[path = "../../../../event-bins/local/src/args.rs"]
mod args;
mod engines;

use args::Args;
use engines::{ConsumerNumbers, ProducerNumbers, consume, in_virtual_time, produce};

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let mut numbers = Unstructured::new(rest);
    match first {
        b'c' => {
            let Ok(numbers) = numbers.arbitrary::<ConsumerNumbers>() else { return };
            in_virtual_time(consume(numbers.options(), numbers.messages % 32, numbers.stop()));
        }
        b'p' => {
            let Ok(numbers) = numbers.arbitrary::<ProducerNumbers>() else { return };
            in_virtual_time(produce(numbers.options(), numbers.messages % 32, numbers.stop()));
        }
        _ => command_line(rest),
    }
});

fn command_line(input: &[u8]) {
    let arguments: Vec<_> = input.split(|&byte| byte == 0).map(argument).collect();
    let texts = || arguments.iter().map(|argument| argument.to_str());
    texts().flatten().for_each(forms_of_values);
    // Whatever variables there are where it is fuzzed.
    let command = Args::command().mut_args(|argument| argument.env(Resettable::Reset));
    let program = OsString::from("event-local");
    let matches = command.try_get_matches_from([program].iter().chain(&arguments));
    match matches.and_then(|matches| Ok((Args::from_arg_matches(&matches)?, matches))) {
        Ok((args, matches)) => works(&args, &matches),
        Err(error) if matches!(error.kind(), DisplayHelp | DisplayVersion) => {}
        Err(error) => {
            assert_eq!(error.exit_code(), 2);
            let is_named = match error.kind() {
                UnknownArgument => |line: &str| line.starts_with("unexpected argument '"),
                InvalidUtf8 if texts().any(|text| text.is_none()) => |_: &str| true,
                _ => names_a_flag,
            };
            let line = cli::in_one_line(error, &Args::command());
            is_one_line(&line);
            assert!(is_named(&line), "{line}");
        }
    }
}

fn names_a_flag(line: &str) -> bool {
    // clap has two of its own. One that another requires is told as missing, at the line's start.
    let mut flags = FLAGS.iter().map(String::as_str).chain(["help", "version"]);
    flags
        .any(|flag| line.contains(&format!("'--{flag}")) || line.starts_with(&format!("--{flag} ")))
}

/// The names of the flags that there are.
static FLAGS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let command = Args::command();
    let names = command.get_arguments().filter_map(|argument| argument.get_long());
    names.map(str::to_owned).collect()
});

fn argument(bytes: &[u8]) -> OsString {
    let Some((&first, value)) = bytes.split_first().filter(|(first, _)| **first < b' ') else {
        return OsString::from_vec(bytes.to_vec());
    };
    let flag = &FLAGS[usize::from(first) % FLAGS.len()];
    let mut argument = OsString::from(format!("--{flag}"));
    if !value.is_empty() {
        argument.push("=");
        argument.push(OsString::from_vec(value.to_vec()));
    }
    argument
}

fn is_one_line(text: &str) {
    assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
}

/// What the parsers of single values let through is what they say.
fn forms_of_values(text: &str) {
    for (read, most) in [(cli::seconds(text), cli::DAY), (cli::backoff(text), IdleBackoff::MAX)] {
        match read {
            Ok(time) => {
                let seconds: f64 = text.parse().expect("it was read as a number");
                assert!(seconds >= 0.0 && (seconds - time.as_secs_f64()).abs() < 1e-6, "{text}");
                assert!(time <= most, "{text}");
            }
            Err(fault) => is_one_line(&fault),
        }
    }
    match cli::total(text) {
        Ok(total) => assert_ne!(total.messages(), Some(0)),
        Err(fault) => is_one_line(&fault),
    }
    match cli::share(text) {
        Ok(share) => assert!((0.0..=1.0).contains(&share), "{text}"),
        Err(fault) => is_one_line(&fault),
    }
    let faults = [cli::boolean(text).err(), cli::layout(text).err()];
    faults.iter().flatten().for_each(|fault| is_one_line(fault));
}

/// What the parser lets through, the parts take.
fn works(args: &Args, matches: &ArgMatches) {
    // Fields are matched by patterns, and one that its user wrote may take its time to build.
    if !args.log_level.contains('{')
        && let Err(fault) = logs::filter(&args.log_level, args::DEFAULT_LEVEL)
    {
        is_one_line(&fault);
        assert!(fault.contains("--log-level"), "{fault}");
    }
    let rate = matches.get_raw("rate").and_then(|mut texts| texts.next()?.to_str()?.parse().ok());
    assert!(rate.is_none_or(|rate: f64| rate > 0.0), "{rate:?}");

    // No file that the fuzzer names is looked at.
    let source = SourceArgs { input: None, ..args.source.clone() };
    let mut source = source.open(&args.schema, |_, _, _| {}).expect("sound settings open");
    assert!(args.source.seed.is_none_or(|seed| source.seed == Some(seed)));

    let producer = ProducerOptions {
        total: args.count,
        interval: args.interval(),
        ..ProducerOptions::default()
    };
    let defaults = ConsumerOptions::default();
    let consumer = ConsumerOptions {
        receive_max: args.max_msgs_per_batch.into(),
        wait: args.idle_backoff().map_or(defaults.wait, |_| Duration::ZERO),
        idle_backoff: args.idle_backoff(),
        pause: args.msg_process_delay,
        ..defaults
    };
    let stop = Duration::from_millis(100);
    let taken = in_virtual_time(async {
        let made_up = source.events.next_batch(3).await.expect("what is made up has no end");
        assert!((1..=3).contains(&made_up.len()));
        produce(producer, 3, stop).await && consume(consumer, 3, stop).await
    });
    assert!(taken, "an engine refuses what the parser let through");
}
