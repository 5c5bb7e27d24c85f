//! Consumers that share a store and nothing else.

use std::process::{Child, Command};
use std::time::{Duration, Instant};

use event_benches::server::{Puts, QUEUE};
use event_core::Queue;
use wait4::Wait4;

use crate::Outcome;
use crate::host::{Host, There, wait_for};
use crate::report::Pods;
use crate::run::{check, spawn};
use crate::scenario::{Bench, DELAYS};
use crate::series::Spread;

const HOW_MANY: [usize; 3] = [1, 3, 6];

/// Longer than any backlog that can be asked for takes.
const LONGEST: Duration = Duration::from_secs(600);

/// What pods did until the queue was empty.
struct Run {
    seconds: f64,
    cpu_seconds: f64,
    /// Of each pod.
    puts: Vec<Puts>,
    gets: u64,
}

impl Run {
    fn segments(&self) -> f64 {
        self.puts.iter().map(|puts| puts.written).sum::<u64>() as f64
    }

    fn lost(&self) -> f64 {
        self.puts.iter().map(|puts| puts.lost).sum::<u64>() as f64
    }

    /// Segments of the pod that wrote the fewest, by the mean.
    fn least_share(&self) -> f64 {
        let least = self.puts.iter().map(|puts| puts.written).min().unwrap_or_default();
        least as f64 * self.puts.len() as f64 / self.segments()
    }
}

impl Bench<'_> {
    pub(crate) fn pods(&self) -> Outcome<Vec<Pods>> {
        let mut runs = HOW_MANY.map(|pods| (pods, Vec::new()));
        for round in 1..=self.args.rounds.min(3) {
            for (pods, runs) in &mut runs {
                let run = self.run_pods(*pods)?;
                eprintln!(
                    "round {round:<3} {pods} pods: {} events in {:.2} s, {:.0} segments, {:.0} lost \
                     puts",
                    self.args.events,
                    run.seconds,
                    run.segments(),
                    run.lost()
                );
                runs.push(run);
            }
        }
        let events = self.args.events as f64;
        let of = |(pods, runs): (usize, Vec<Run>)| {
            let spread = |value: &dyn Fn(&Run) -> f64| Spread::of(runs.iter().map(value));
            Pods {
                pods,
                events_per_s: spread(&|run| events / run.seconds),
                segments_per_s: spread(&|run| run.segments() / run.seconds),
                events_per_segment: spread(&|run| events / run.segments()),
                lost_puts_per_segment: spread(&|run| run.lost() / run.segments()),
                gets_per_segment: spread(&|run| run.gets as f64 / run.segments()),
                least_share: spread(&Run::least_share),
                cpu_s_per_1000: spread(&|run| run.cpu_seconds / events * 1_000.0),
            }
        };
        Ok(runs.into_iter().map(of).collect())
    }

    fn run_pods(&self, pods: usize) -> Outcome<Run> {
        let events = self.args.events;
        let host = Host::start(self.cores, DELAYS, events, There::default())?;
        let queue = host.state.queue(QUEUE).ok_or("the server has no queue")?;
        let start = Instant::now();
        let names: Vec<_> = (0..pods).map(|pod| format!("pod{pod}")).collect();
        let mut running = Running(Vec::new());
        for name in &names {
            running.0.push(spawn(&self.programs.pod(name, host.address), self.cores)?);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        // Told to stop then, they store what they hold at once, where they would wait for more.
        let left = || runtime.block_on(queue.depth()).map_or(u64::MAX, |depth| depth.visible);
        if !wait_for(LONGEST, || left() == 0) {
            return Err(format!("{} messages are left after {LONGEST:?}", left()).into());
        }
        let cpu_seconds = running.stop()?;
        let seconds = start.elapsed().as_secs_f64();
        let state = host.state.clone();
        host.stop()?;
        check("pods", &runtime.block_on(state.outcome())?, events, 0.0)?;
        let (puts, calls) = (state.counts().puts(), state.counts().all());
        let puts = names.iter().map(|name| puts.get(name).copied().unwrap_or_default()).collect();
        Ok(Run {
            seconds,
            cpu_seconds,
            puts,
            gets: calls.get("GetObject").copied().unwrap_or_default(),
        })
    }
}

/// Pods that do not outlive a measurement that failed.
struct Running(Vec<Child>);

impl Running {
    /// Tells all to stop, and waits for their ends: the CPU seconds that they took.
    fn stop(&mut self) -> Outcome<f64> {
        for pod in &self.0 {
            let id = pod.id().to_string();
            if !Command::new("kill").args(["-TERM", &id]).status()?.success() {
                return Err("a pod cannot be told to stop".into());
            }
        }
        let mut cpu = 0.0;
        for pod in self.0.drain(..) {
            let usage = pod.wait4()?;
            if !usage.status.success() {
                return Err(format!("a pod failed: {}", usage.status).into());
            }
            cpu += (usage.rusage.utime + usage.rusage.stime).as_secs_f64();
        }
        Ok(cpu)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        for pod in &mut self.0 {
            // It may have ended.
            let _ = pod.kill();
            let _ = pod.wait();
        }
    }
}
