//! What `event-local` shares with the pods: command lines, logs, where events come from, what is wrong
//! with them, what objects they become, and what requests cost. It knows no service, so that `cargo run` need not build the AWS SDK.

pub mod cli;
pub mod complaints;
pub mod logs;
pub mod objects;
pub mod output;
pub mod prices;
pub mod schema;
pub mod source;
pub mod variables;
