//! The programs as processes, on SQS and S3 in this process: what an engine with containers is not
//! needed for.
#![allow(clippy::unwrap_used, reason = "a panic is how a test fails")]

mod books;
mod input;
mod kills;
mod pod;
mod prefixes;
mod probes;
mod stopping;
mod told;

use std::net::SocketAddr;
use std::process::Command;

use event_benches::server::{BUCKET, State};
use tokio::net::TcpListener;

/// Serves until the test ends.
async fn serve(server: &State) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.clone().serve(listener));
    address
}

/// A program that has this server for AWS, and nothing else of the environment.
fn program(path: &str, server: SocketAddr) -> Command {
    let mut program = Command::new(path);
    program.env_clear().envs([
        ("AWS_ENDPOINT_URL", format!("http://{server}").as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("STORE_EVENTS_BKT", BUCKET),
    ]);
    program
}
