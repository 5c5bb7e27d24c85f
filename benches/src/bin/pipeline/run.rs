//! One run of one client, on a server of its own.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use event_benches::server::{Delays, Outcome as Books};
use wait4::Wait4;

use crate::Outcome;
use crate::client::{Client, Programs};
use crate::host::{Cores, Host, There};

/// What one run took.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) events: u64,
    /// From the start of the program to its end.
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    pub(crate) peak_rss_mib: f64,
    /// The server's CPU time as a share of the run: near 1, and the server was what was measured.
    pub(crate) server_share: f64,
    pub(crate) requests: BTreeMap<&'static str, u64>,
    pub(crate) books: Books,
}

/// What to run on what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) client: Client,
    pub(crate) events: u64,
    pub(crate) delays: Delays,
    pub(crate) there: There,
    /// By the programs of the other build.
    pub(crate) is_beside: bool,
}

impl Plan {
    pub(crate) fn run(self, programs: &Programs, cores: Cores) -> Outcome<Run> {
        let backlog = if self.client.consumes() { self.events } else { 0 };
        let host = Host::start(cores, self.delays, backlog, self.there)?;
        let start = Instant::now();
        let child = spawn(&programs.command(self.client, self.events, host.address), cores)?;
        let id = child.id();
        let ended = AtomicBool::new(false);
        let (usage, peak) = std::thread::scope(|scope| {
            let peak = scope.spawn(|| watch_memory(id, &ended));
            let usage = child.wait4();
            ended.store(true, Ordering::Relaxed);
            (usage, peak.join())
        });
        let seconds = start.elapsed().as_secs_f64();
        let usage = usage?;
        if !usage.status.success() {
            return Err(format!("{} failed: {}", self.client.name(), usage.status).into());
        }
        let state = host.state.clone();
        let requests = state.counts().all();
        let server = host.stop()?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let mut books = Books::default();
        // To count what was there before would take longer than the run.
        if self.there.stored == 0 {
            books = runtime.block_on(state.outcome())?;
            if matches!(self.client, Client::Event | Client::Batch) {
                check(&self.client.name(), &books, self.events, self.there.invalid_rate)?;
            }
        }
        Ok(Run {
            events: self.events,
            seconds,
            cpu_seconds: (usage.rusage.utime + usage.rusage.stime).as_secs_f64(),
            peak_rss_mib: peak.map_err(|_| "the memory could not be watched")?,
            server_share: server / seconds,
            requests,
            books,
        })
    }
}

/// A pod that loses or doubles events is not worth measuring.
pub(crate) fn check(name: &str, books: &Books, events: u64, invalid_rate: f64) -> Outcome<()> {
    let sent = usize::try_from(events)?;
    let Books { stored, twice, quarantined, .. } = *books;
    let is_as_sent = (invalid_rate > 0.0) == (quarantined > 0);
    if (stored + quarantined, twice) != (sent, 0) || !is_as_sent {
        return Err(format!(
            "{name}: of {sent} events {stored} are stored, {twice} of them twice, and {quarantined} \
             are in quarantine"
        )
        .into());
    }
    Ok(())
}

pub(crate) fn spawn(command: &[String], cores: Cores) -> Outcome<Child> {
    let mut words = cores.of_client().iter().copied().chain(command.iter().map(String::as_str));
    let program = words.next().ok_or("no command")?;
    Ok(Command::new(program).args(words).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
}

/// The most memory that a process has had, in MiB. Asked of the process and not of its resource
/// usage, in which the kernel counts what its parent had when it was started.
fn watch_memory(process: u32, ended: &AtomicBool) -> f64 {
    let mut peak = 0.0;
    while !ended.load(Ordering::Relaxed) {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        // `taskset` and `env` become the program, whose count starts anew.
        peak = kib.map_or(peak, |kib| kib / 1024.0);
        std::thread::sleep(Duration::from_millis(10));
    }
    peak
}
