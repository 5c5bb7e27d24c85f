//! What `event-local` shares with the pods: command lines, logs, and where events come from. It
//! knows no service, so that `cargo run` need not build the AWS SDK.

pub mod cli;
pub mod logs;
pub mod source;
