//! The server in a thread of its own, and who has which core.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use event_benches::of_today;
use event_benches::server::{Delays, State};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use crate::{Outcome, stored};

/// Which cores are used; none if nothing can be tied to one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cores {
    tied: bool,
}

const SERVER: &str = "0";
const CLIENT: &str = "1";

impl Cores {
    pub(crate) fn find() -> Self {
        let tied = ["-c", SERVER, "taskset", "-c", CLIENT, "true"];
        let tied = Command::new("taskset").args(tied).status();
        Self { tied: tied.is_ok_and(|status| status.success()) }
    }

    /// What to put before the command of a client.
    pub(crate) fn of_client(self) -> &'static [&'static str] {
        if self.tied { &["taskset", "-c", CLIENT] } else { &[] }
    }

    fn tie_this_thread(self) -> Outcome<()> {
        if !self.tied {
            return Ok(());
        }
        let thread = std::fs::read_link("/proc/thread-self")?;
        let id = thread.file_name().ok_or("/proc/thread-self names no thread")?;
        let mut tie = Command::new("taskset");
        tie.args(["-c", "-p", SERVER]).arg(id).stdout(std::process::Stdio::null());
        if !tie.status()?.success() {
            return Err("taskset cannot tie the server to its core".into());
        }
        Ok(())
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.tied {
            write!(f, "cores     the server on {SERVER}, clients on {CLIENT}")
        } else {
            write!(f, "cores     not tied: taskset or a second core is missing, expect more noise")
        }
    }
}

/// What a client finds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct There {
    /// How many of the events on the queue are invalid, from 0 to 1.
    pub(crate) invalid_rate: f64,
    /// Events come one by one, that far apart, instead of all before.
    pub(crate) trickle: Option<Duration>,
    /// Events that are stored in the partition of today's sales.
    pub(crate) stored: u64,
}

/// A server that runs.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) state: State,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Outcome<f64>>,
}

impl Host {
    /// Starts one with so many events to bring.
    pub(crate) fn start(cores: Cores, delays: Delays, events: u64, there: There) -> Outcome<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            cores.tie_this_thread()?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let state = State::new(delays);
                stored::fill(&state, there.stored).await?;
                let There { invalid_rate, trickle, .. } = there;
                if trickle.is_none() {
                    let mut source = of_today(0, invalid_rate);
                    state.fill_from(&mut source, usize::try_from(events)?).await?;
                }
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
                ready.send((listener.local_addr()?, state.clone()))?;
                let before = busy()?;
                let trickling = async {
                    for _ in 0..trickle.map_or(0, |_| events) {
                        tokio::time::sleep(trickle.unwrap_or_default()).await;
                        state.fill(1).await?;
                    }
                    std::future::pending::<Outcome<()>>().await
                };
                tokio::select! {
                    failed = state.clone().serve(listener) => failed?,
                    failed = trickling => failed?,
                    _ = stopped => {}
                }
                Ok(busy()? - before)
            })
        });
        let Ok((address, state)) = is_ready.recv() else {
            return Err(match thread.join() {
                Ok(Err(error)) => error,
                _ => "the server does not start".into(),
            });
        };
        Ok(Self { address, state, stop, thread })
    }

    /// Stops it; the CPU seconds that it took since it was ready.
    pub(crate) fn stop(self) -> Outcome<f64> {
        // It may have failed already, which is told below.
        let _ = self.stop.send(());
        self.thread.join().map_err(|_| "the server panicked")?
    }
}

/// CPU seconds of this thread, by the scheduler's own account.
fn busy() -> Outcome<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanos = text.split(' ').next().unwrap_or_default().parse::<f64>()?;
    Ok(nanos / 1e9)
}

/// Waits until `done`, or too long.
pub(crate) fn wait_for(limit: Duration, mut done: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    while Instant::now() < end {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
