//! SQS and S3 in memory on a port of this machine, with events to consume.

use std::net::Ipv4Addr;
use std::time::Duration;

use clap::Parser;
use event_benches::server::{BUCKET, Delays, QUEUE, State};
use tokio::net::TcpListener;

/// Serves the bucket `events` and the queue `reliable_message_q` until it is killed.
#[derive(Debug, Parser)]
#[command(name = "server", max_term_width = 100)]
struct Args {
    /// Port on 127.0.0.1
    #[arg(long, value_name = "PORT", default_value = "4566")]
    port: u16,

    /// Events on the queue at the start
    #[arg(long, value_name = "N", default_value = "0")]
    events: usize,

    /// Milliseconds that each answer of SQS takes longer
    #[arg(long, value_name = "MS", default_value = "0")]
    sqs_delay: u64,

    /// Milliseconds that each answer of S3 takes longer
    #[arg(long, value_name = "MS", default_value = "0")]
    s3_delay: u64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let delays = Delays {
            sqs: Duration::from_millis(args.sqs_delay),
            s3: Duration::from_millis(args.s3_delay),
        };
        let state = State::new(delays);
        state.fill(args.events).await?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port)).await?;
        println!("http://{} queue {QUEUE} bucket {BUCKET}", listener.local_addr()?);
        state.serve(listener).await?;
        Ok(())
    })
}
