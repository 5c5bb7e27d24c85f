//! `event-consumer`: from a queue in SQS to a bucket in S3.

use std::process::ExitCode;

use event_bins::consumer;

fn main() -> ExitCode {
    consumer::main("event-consumer", async |context| context.store_events().await)
}
