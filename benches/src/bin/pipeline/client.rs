//! The programs that are measured, and how each is started.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use event_benches::server::BUCKET;

use crate::Outcome;

/// A program and what it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// `event-consumer`, one object for each event.
    Event,
    /// `event-consumer`, objects of up to 1,000 events.
    Batch,
    /// `event-producer`.
    Producer,
    /// Floors, with so many loops.
    ReceiveDelete(u16),
    ReceivePutDelete(u16),
    Send(u16),
}

impl Client {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Event => "event layout".to_owned(),
            Self::Batch => "batch layout".to_owned(),
            Self::Producer => "producer".to_owned(),
            Self::ReceiveDelete(loops) => format!("floor receive+delete, {loops}"),
            Self::ReceivePutDelete(loops) => format!("floor receive+put+delete, {loops}"),
            Self::Send(loops) => format!("floor send, {loops}"),
        }
    }

    pub(crate) fn is_floor(self) -> bool {
        matches!(self, Self::ReceiveDelete(_) | Self::ReceivePutDelete(_) | Self::Send(_))
    }

    /// Whether it empties a queue, rather than fills one.
    pub(crate) fn consumes(self) -> bool {
        !matches!(self, Self::Producer | Self::Send(_))
    }
}

/// Where the programs are.
#[derive(Debug)]
pub(crate) struct Programs {
    directory: PathBuf,
}

impl Programs {
    /// Those that are there; `option` named the directory.
    pub(crate) fn of(directory: &Path, option: &str) -> Outcome<Self> {
        for name in ["event-consumer", "event-producer", "floor"] {
            let program = directory.join(name);
            if !program.is_file() {
                return Err(format!("{option}: there is no {}", program.display()).into());
            }
        }
        // `taskset` and `env` take a name without a directory for one in PATH.
        Ok(Self { directory: directory.canonicalize()? })
    }

    /// Builds them with the profile of this one, and shows how.
    pub(crate) fn build() -> Outcome<Self> {
        let own = std::env::current_exe()?;
        let directory = own.parent().ok_or("this program is in no directory")?.to_owned();
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        for package in [&["-p", "event-bins"][..], &["-p", "event-benches", "--bin", "floor"]] {
            let arguments = [&["build", "--release"], package].concat();
            eprintln!("building  cargo {}", arguments.join(" "));
            let mut build = Command::new(&cargo);
            build.args(arguments).stdout(Stdio::null());
            // What `cargo run` says of this package; build scripts look at it, and would run again.
            let of_package = |name: &str| {
                ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"]
                    .iter()
                    .any(|of| name.starts_with(of))
            };
            for (name, _) in std::env::vars().filter(|(name, _)| of_package(name)) {
                build.env_remove(name);
            }
            let status = build.status()?;
            if !status.success() {
                return Err("the programs to measure cannot be built".into());
            }
        }
        Ok(Self { directory })
    }

    /// The command of a consumer of many, which runs until it is told to stop.
    pub(crate) fn pod(&self, name: &str, server: SocketAddr) -> Vec<String> {
        let mut command = self.command(Client::Batch, 1, server);
        let program = command.pop();
        // The last one of a name is the one that holds.
        command.push(format!("AWS_ACCESS_KEY_ID={name}"));
        command.push("TOT_MSGS_TO_PROCESS=unlimited".to_owned());
        command.extend(program);
        command
    }

    /// The command that runs one of them for so many events at this server.
    pub(crate) fn command(&self, client: Client, events: u64, server: SocketAddr) -> Vec<String> {
        let settings = |settings: &[(&str, &str)]| -> Vec<String> {
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect()
        };
        let program = |name: &str| self.directory.join(name).display().to_string();
        let floor = |work: &str, loops: u16| {
            let arguments = [work.to_owned(), "--events".to_owned(), events.to_string()];
            let mut command = vec![program("floor")];
            command.extend(arguments);
            command.extend(["--pollers".to_owned(), loops.to_string()]);
            command
        };
        let total = events.to_string();
        let consumer = |layout: &str| {
            let mut command = settings(&[
                ("STORE_EVENTS_BKT", BUCKET),
                ("TOT_MSGS_TO_PROCESS", &total),
                ("MAX_MSGS_PER_BATCH", "10"),
                ("MSG_POLL_BACKOFF", "0"),
                ("MSG_PROCESS_DELAY", "0"),
                ("OBJECT_LAYOUT", layout),
                ("LOG_LEVEL", "warn"),
            ]);
            command.push(program("event-consumer"));
            command
        };
        let endpoint = format!("http://{server}");
        let mut command = vec!["env".to_owned()];
        command.extend(settings(&[
            ("AWS_ENDPOINT_URL", &endpoint),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "bench"),
            ("AWS_SECRET_ACCESS_KEY", "bench"),
        ]));
        command.extend(match client {
            Client::Event => consumer("event"),
            Client::Batch => consumer("batch"),
            Client::Producer => {
                let mut command = settings(&[
                    ("TOT_MSGS_TO_PRODUCE", &total),
                    ("WAIT_SECS_BETWEEN_MSGS", "0"),
                    ("TRIGGER_RANDOM_FAILURES", "false"),
                    ("LOG_LEVEL", "warn"),
                ]);
                command.push(program("event-producer"));
                command
            }
            Client::ReceiveDelete(loops) => floor("receive-delete", loops),
            Client::ReceivePutDelete(loops) => floor("receive-put-delete", loops),
            Client::Send(loops) => floor("send", loops),
        });
        command
    }
}
