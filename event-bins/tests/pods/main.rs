//! The pods as their operator runs them, on SQS and S3 or an emulator of them: the endpoint of
//! `AWS_ENDPOINT_URL`, else LocalStack in a container. Without either, every case is shown as
//! ignored.
//!
//! They share one emulator, so they run one after the other.
#![allow(clippy::unwrap_used, reason = "a panic is how a case fails")]

mod containers;
mod faults;
mod http;
mod operator;
mod path;
mod place;
mod pod;
mod query;
mod stack;

use std::process::ExitCode;

use event_tests::endpoint;
use event_tests::libtest_mimic::{Arguments, Completion, Trial, run};

type Case = (&'static str, fn(), Needs);

/// What a case needs beside SQS and S3.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Needs {
    Nothing,
    /// The container that the emulator runs in: to stop it, or to be sure that what is made there
    /// ends with it.
    Container,
    /// The image of the pods.
    Image,
}

const CASES: &[Case] = &[
    ("path::the_capture_is_stored_byte_for_byte", path::capture, Needs::Nothing),
    ("path::messages_of_the_original_producer_are_consumed", path::consumed, Needs::Nothing),
    ("path::the_original_consumer_gets_what_it_expects", path::produced, Needs::Nothing),
    ("path::events_of_another_kind_are_stored_by_settings_alone", path::rides, Needs::Nothing),
    ("operator::setup_changes_nothing_unasked", operator::setup, Needs::Nothing),
    ("operator::setup_makes_again_what_is_gone", operator::forgotten, Needs::Nothing),
    ("operator::status_tells_the_age_of_the_oldest", operator::age, Needs::Container),
    ("operator::wrong_settings_touch_no_message", operator::wrong_settings, Needs::Nothing),
    ("operator::a_stop_settles_everything", operator::stop, Needs::Nothing),
    ("operator::probes_tell_what_is_wrong", operator::probes, Needs::Nothing),
    ("operator::metrics_reconcile", operator::metrics, Needs::Nothing),
    ("faults::ten_kills_lose_nothing_and_store_nothing_twice", faults::kills, Needs::Nothing),
    ("faults::refused_connections_are_survived", faults::refused, Needs::Nothing),
    ("faults::an_outage_of_the_store_alone_is_survived", faults::store_refused, Needs::Nothing),
    ("faults::a_frozen_service_is_survived", faults::frozen, Needs::Container),
    ("stack::the_pods_may_do_what_they_do_and_no_more", stack::stack, Needs::Container),
    ("containers::two_thousand_events_from_pod_to_pod", containers::path, Needs::Image),
];

fn main() -> ExitCode {
    endpoint::main(|missing| {
        let mut arguments = Arguments::from_args();
        arguments.test_threads = Some(1);
        let trials = CASES.iter().map(|case| trial(case, missing)).collect();
        run(&arguments, trials).exit_code()
    })
}

fn trial(&(name, case, needs): &Case, missing: Option<&str>) -> Trial {
    let missing = missing.map(str::to_owned).or_else(|| needs.missing());
    Trial::ignorable_test(name, move || {
        if let Some(reason) = missing {
            return Ok(Completion::ignored_with(reason));
        }
        case();
        Ok(Completion::Completed)
    })
}

impl Needs {
    fn missing(self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Container => std::env::var(endpoint::CONTAINER).err().map(|_| {
                "what is at AWS_ENDPOINT_URL is in no container that could be stopped or thrown away"
                    .to_owned()
            }),
            Self::Image => endpoint::has_image(containers::IMAGE)
                .err()
                .map(|missing| format!("{missing}: `eks/image` makes it")),
        }
    }
}
