//! What `event-local` shares with the pods: command lines, logs, and where events come from. It
//! knows no service, so that the two commands of the README build in a minute.

pub mod cli;
pub mod logs;
pub mod source;
