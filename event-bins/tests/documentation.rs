//! What the README of this crate says of settings and metrics, held against the programs.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::time::SystemTime;

use event_aws::AwsOptions;
use event_bins::metrics::{ConsumerMetrics, ProducerMetrics};
use event_core::batch::FlushReason;
use event_core::schema::{Identified, Partition};
use event_core::{
    Delivery, Error, ErrorKind, Message, MessageId, Observer, Outcome, Reason, Receipt, Retail,
};

const README: &str = include_str!("../README.md");

/// The first column of a table: code at the start of a row below a heading.
fn rows(heading: &str) -> BTreeSet<&'static str> {
    let section = README.split(&format!("\n## {heading}\n")).nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect()
}

/// The rows of the settings whose second column is this pod or both.
fn settings(pod: &str) -> BTreeSet<&'static str> {
    let is_of_pod = |name: &&'static str| {
        let row = README.lines().find(|line| line.starts_with(&format!("| `{name}` |"))).unwrap();
        let column = row.split('|').nth(2).unwrap().trim();
        column == "both" || column == pod
    };
    rows("Settings").into_iter().filter(is_of_pod).collect()
}

/// The variables that `--help` names.
fn variables(help: &str) -> BTreeSet<&str> {
    let named = help.split("[env: ").skip(1);
    named.filter_map(|rest| rest.split(['=', ']']).next()).collect()
}

#[test]
fn the_names_that_others_are_compared_with_are_those_of_the_readme() {
    let known: BTreeSet<_> = event_local::variables::SETTINGS.iter().copied().collect();
    assert_eq!(known, rows("Settings"));
}

#[test]
fn every_setting_is_in_the_readme_and_every_one_there_exists() {
    for (program, pod) in [
        (env!("CARGO_BIN_EXE_event-consumer"), "consumer"),
        (env!("CARGO_BIN_EXE_event-producer"), "producer"),
    ] {
        let help = Command::new(program).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert_eq!(variables(&help), settings(pod), "{pod}");
    }
}

fn help(program: &str, command: &[&str]) -> String {
    let help = Command::new(program).args(command).arg("--help").output().unwrap();
    String::from_utf8(help.stdout).unwrap()
}

/// What `--help` says of each flag, by its name.
fn flags(help: &str) -> BTreeMap<&str, &str> {
    let each = help.split("\n      --").skip(1);
    each.map(|text| (text.split([' ', '\n']).next().unwrap(), text)).collect()
}

/// What stands in brackets after this word, alone on its line; or within a line, in round ones.
fn told<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let whole = |line: &'a str| line.trim().strip_prefix(&format!("[{word}: "))?.strip_suffix(']');
    let within = || text.split_once(&format!("({word}: "))?.1.split(')').next();
    text.lines().find_map(whole).or_else(within)
}

const CONSUMER: &str = env!("CARGO_BIN_EXE_event-consumer");
const PRODUCER: &str = env!("CARGO_BIN_EXE_event-producer");
const EVENTCTL: &str = env!("CARGO_BIN_EXE_eventctl");
const PROGRAMS: [(&str, &[&str]); 6] = [
    (CONSUMER, &[]),
    (PRODUCER, &[]),
    (EVENTCTL, &["setup"]),
    (EVENTCTL, &["status"]),
    (EVENTCTL, &["audit"]),
    (EVENTCTL, &["compact"]),
];

#[test]
fn a_variable_has_the_name_of_its_flag() {
    for (program, command) in PROGRAMS {
        let help = help(program, command);
        let flags = flags(&help);
        assert!(flags.contains_key("aws-region"), "{help}");
        for (flag, text) in flags {
            for variable in variables(text) {
                assert_eq!(variable, flag.to_uppercase().replace('-', "_"), "{command:?}");
            }
        }
    }
}

/// The first word of a cell, without its marks.
fn first(cell: &str) -> &str {
    cell.trim().split([' ', ',']).next().unwrap().trim_matches('`')
}

/// By the tables for the pods, and for what `eventctl` makes and merges.
#[test]
fn defaults_and_values_for_production_are_those_of_the_readme() {
    let mut found = 0;
    for (program, command) in PROGRAMS {
        let help = help(program, command);
        for (flag, text) in flags(&help) {
            let variable = flag.to_uppercase().replace('-', "_");
            let is_row = |line: &&str| {
                line.starts_with(&format!("| `{variable}` |"))
                    || line.starts_with(&format!("| `--{flag}` |"))
            };
            let Some(row) = README.lines().find(is_row) else { continue };
            let cells: Vec<_> = row.split('|').collect();
            let of_pods = row.starts_with(&format!("| `{variable}`"));
            let default = cells[if of_pods { 3 } else { 2 }];
            if let Some(own) = told(text, "default") {
                assert_eq!(first(default), own, "{flag}: {row}");
                found += 1;
            } else {
                let is_value = default.trim().parse::<f64>().is_ok();
                assert!(!is_value, "{flag} has no default: {row}");
            }
            if of_pods && let Some(own) = told(text, "production") {
                assert_eq!(first(cells[4]), own, "{flag}: {row}");
                found += 1;
            }
        }
    }
    assert!(found > 40, "{found}");
}

#[test]
fn each_command_tells_the_statuses_that_it_may_end_with() {
    for ((program, command), expected) in PROGRAMS.into_iter().zip([
        &[0, 1, 2, 4, 130][..],
        &[0, 1, 2, 4, 130],
        &[0, 1, 2, 5, 130],
        &[],
        &[0, 1, 2, 3, 130],
        &[0, 1, 2, 3, 130],
    ]) {
        let help = help(program, command);
        let statuses = help.split("Exit status: ").nth(1).unwrap_or_default();
        let told =
            statuses.split("; ").map(|status| status.split(' ').next().unwrap().parse().ok());
        assert_eq!(told.flatten().collect::<Vec<u8>>(), expected, "{command:?}: {statuses}");
    }
    let table = rows_of_statuses();
    assert_eq!(table, [0, 1, 2, 3, 4, 5, 130]);
}

fn rows_of_statuses() -> Vec<u8> {
    let section = README.split("\n## Exit status\n").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.split('|').nth(1)?.trim().parse().ok()).collect()
}

fn observe(observer: &impl Observer) {
    let message = Message::new("{}").with_attribute("event_type", "sale_event");
    let partition = Partition::parse("event_type=sale_event/dt=2026_11_22").unwrap();
    let event = Identified::new("r1", partition).unwrap();
    let delivery = Delivery {
        message: message.clone(),
        id: MessageId::new("id"),
        receipt: Receipt::new("receipt"),
        receive_count: 1,
        sent_at: SystemTime::now(),
        event: Some(Ok(event)),
    };
    observer.sent(&[message]);
    observer.received(std::slice::from_ref(&delivery));
    observer.held(3, 4);
    observer.flushed(FlushReason::Count, 1, 2);
    observer.handled(&delivery, &Outcome::Duplicate);
    observer.deleted(5);
    observer.delete_failed(7);
    observer.released(6);
    observer.handled(&delivery, &Outcome::Ack);
    observer.handled(&delivery, &Outcome::Quarantine(Reason::new(Retail::BAD_MSG, "")));
    observer.retried(&Error::new(ErrorKind::Throttled, "put", "on purpose"), 1);
}

/// Names as they are scraped.
fn names(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

#[tokio::test]
async fn every_metric_is_in_the_readme_and_every_one_there_exists() {
    let options = AwsOptions {
        region: Some("us-east-1".to_owned()),
        endpoint: Some("http://127.0.0.1:1".to_owned()),
    };
    let aws = options.load().await.unwrap();
    let (consumer, consumer_counts) = ConsumerMetrics::new(&aws, &Retail::EVENT_TYPES);
    let (producer, producer_counts) = ProducerMetrics::new(&aws);
    observe(&consumer_counts);
    observe(&producer_counts);
    let (consumer, producer) = (consumer.text(), producer.text());
    for counted in [
        "event_consumer_received_total 1",
        "event_consumer_stored_total{event_type=\"sale_event\"} 1",
        "event_consumer_duplicates_total 1",
        "event_consumer_quarantined_total{reason=\"bad_msg\"} 1",
        "event_consumer_deleted_total 5",
        "event_consumer_delete_failed_total 7",
        "event_consumer_released_total 6",
        "event_consumer_in_flight 3",
        "event_consumer_held_bytes 4",
        "event_consumer_flush_messages_sum{reason=\"count\"} 1.0",
        "event_consumer_flush_bytes_sum{reason=\"count\"} 2.0",
        "event_consumer_age_at_store_seconds_count 1",
        "event_consumer_retries_total{operation=\"put\",reason=\"throttled\"} 1",
    ] {
        assert!(consumer.lines().any(|line| line == counted), "{counted}\n{consumer}");
    }
    assert!(producer.contains("event_producer_sent_total 1\n"), "{producer}");
    let names: BTreeSet<_> = names(&consumer).union(&names(&producer)).copied().collect();
    assert_eq!(names, rows("Metrics"), "{consumer}{producer}");
}

#[tokio::test]
async fn counters_of_labels_are_there_before_their_first_event() {
    let options = AwsOptions { region: Some("us-east-1".to_owned()), ..AwsOptions::default() };
    let (metrics, _) = ConsumerMetrics::new(&options.load().await.unwrap(), &Retail::EVENT_TYPES);
    let text = metrics.text();
    assert!(text.contains("event_consumer_stored_total{event_type=\"sale_event\"} 0"), "{text}");
}
