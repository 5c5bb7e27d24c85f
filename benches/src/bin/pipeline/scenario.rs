//! What is run, in which order.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use event_benches::server::Delays;

use crate::Outcome;
use crate::args::{Args, Scenario};
use crate::client::{Client, Programs};
use crate::host::{Cores, Host, There, wait_for};
use crate::report::{Beside, Drain, Floors, Latency, Producer, Report, Start, Trickle};
use crate::run::{Plan, Run, spawn};
use crate::series::{Line, Spread};
use event_local::prices::PRICES;

/// Loops of a floor: as many as a consumer has pollers at first.
const LOOPS: u16 = 8;

/// Where requests take time, more loops are the only way of a bare client to be faster.
const MANY_LOOPS: u16 = 32;

pub(crate) const DELAYS: Delays =
    Delays { sqs: Duration::from_millis(10), s3: Duration::from_millis(30) };

/// Far enough apart that a consumer waits at the queue again before the next event comes.
const TRICKLE: Duration = Duration::from_secs(1);
const TRICKLED: u64 = 100;

/// That of the original demo.
const INVALID_RATE: f64 = 0.1;

/// A run whose server was busy for more of the time is one of the server.
const HELD_UP: f64 = 0.9;

#[derive(Debug)]
pub(crate) struct Bench<'a> {
    pub(crate) args: &'a Args,
    pub(crate) programs: Programs,
    /// Those of another build.
    pub(crate) beside: Option<Programs>,
    pub(crate) cores: Cores,
}

impl Bench<'_> {
    pub(crate) fn run(&self) -> Outcome<Report> {
        let (events, rounds) = (self.args.events, self.args.rounds);
        let mut report = Report { events, rounds, prices: PRICES, ..Report::default() };
        let wants = |scenario| self.args.scenario.contains(&scenario);
        if wants(Scenario::Throughput) {
            self.throughput(&mut report)?;
        }
        if wants(Scenario::Invalid) {
            let there = There { invalid_rate: INVALID_RATE, ..There::default() };
            let dirty = Plan { there, ..plan(Client::Batch, events) };
            let runs = self.turns(&[dirty], rounds, &mut report)?;
            report.layouts.invalid = Some(Line::of(Client::Batch, &runs[0], None));
        }
        if wants(Scenario::Producer) {
            self.producer(&mut report)?;
        }
        if wants(Scenario::Latency) {
            self.latency(&mut report)?;
        }
        if wants(Scenario::Drain) {
            self.drain(&mut report)?;
        }
        if wants(Scenario::Start) {
            self.start(&mut report)?;
        }
        if wants(Scenario::Pods) {
            report.pods = self.pods()?;
        }
        if wants(Scenario::Trickle) {
            let there = There { trickle: Some(TRICKLE), ..There::default() };
            let runs =
                self.turns(&[Plan { there, ..plan(Client::Event, TRICKLED) }], 1, &mut report)?;
            let event = Line::of(Client::Event, &runs[0], None);
            report.trickle = Some(Trickle { events_per_s: 1.0 / TRICKLE.as_secs_f64(), event });
        }
        if self.args.idle > 0 {
            report.idle_requests_per_minute = Some(self.idle()?);
        }
        Ok(report)
    }

    fn throughput(&self, report: &mut Report) -> Outcome<()> {
        let clients = [
            Client::ReceiveDelete(LOOPS),
            Client::Batch,
            Client::ReceivePutDelete(LOOPS),
            Client::Event,
        ];
        let mut plans = clients.map(|client| plan(client, self.args.events)).to_vec();
        plans.extend(self.beside(&[plans[1], plans[3]]));
        let runs = self.turns(&plans, self.args.rounds, report)?;
        let line = |index: usize, floor: Option<usize>| {
            Line::of(clients[index], &runs[index], floor.map(|floor| &*runs[floor]))
        };
        report.layouts.event = Some(line(3, Some(2)));
        report.layouts.batch = Some(line(1, Some(0)));
        report.floors =
            Some(Floors { receive_delete: line(0, None), receive_put_delete: line(2, None) });
        for (index, other) in [1, 3].into_iter().zip(4..runs.len()) {
            report.beside.push(Beside::of(plans[index].client, &runs[index], &runs[other]));
        }
        Ok(())
    }

    fn producer(&self, report: &mut Report) -> Outcome<()> {
        let clients = [Client::Send(LOOPS), Client::Producer];
        let mut plans = clients.map(|client| plan(client, self.args.events)).to_vec();
        plans.extend(self.beside(&[plans[1]]));
        let runs = self.turns(&plans, self.args.rounds, report)?;
        if let Some(other) = runs.get(2) {
            report.beside.push(Beside::of(clients[1], &runs[1], other));
        }
        report.producer = Some(Producer {
            producer: Line::of(clients[1], &runs[1], Some(&runs[0])),
            floor: Line::of(clients[0], &runs[0], None),
        });
        Ok(())
    }

    fn latency(&self, report: &mut Report) -> Outcome<()> {
        let slow = |client| Plan { delays: DELAYS, ..plan(client, self.args.events) };
        let plans = [
            plan(Client::Batch, self.args.events),
            slow(Client::Batch),
            slow(Client::Event),
            slow(Client::ReceiveDelete(LOOPS)),
            slow(Client::ReceiveDelete(MANY_LOOPS)),
        ];
        // Waiting makes little noise, and takes long.
        let runs = self.turns(&plans, self.args.rounds.min(3), report)?;
        let line = |index: usize| Line::of(plans[index].client, &runs[index], None);
        let shares =
            runs[1].iter().zip(&runs[0]).map(|(with, without)| without.seconds / with.seconds);
        report.latency = Some(Latency {
            sqs_delay_ms: 10,
            s3_delay_ms: 30,
            batch_share_of_rate: Spread::of(shares),
            batch_without: line(0),
            batch: line(1),
            event: line(2),
            floor_8: line(3),
            floor_32: line(4),
        });
        Ok(())
    }

    fn drain(&self, report: &mut Report) -> Outcome<()> {
        let events = self.args.events;
        let plans = [plan(Client::Batch, events), plan(Client::Batch, 10 * events)];
        let runs = self.turns(&plans, self.args.rounds, report)?;
        let ratios = runs[1].iter().zip(&runs[0]).map(|(ten, one)| ten.seconds / one.seconds);
        report.drain = Some(Drain {
            time_ratio: Spread::of(ratios),
            once: Line::of(Client::Batch, &runs[0], None),
            ten_times: Line::of(Client::Batch, &runs[1], None),
        });
        Ok(())
    }

    /// One event for a partition that has many: its writer reads first what is there.
    fn start(&self, report: &mut Report) -> Outcome<()> {
        let start = |stored| Plan {
            delays: DELAYS,
            there: There { stored, ..There::default() },
            ..plan(Client::Batch, 1)
        };
        let plans = [start(0), start(self.args.stored)];
        let runs = self.turns(&plans, self.args.rounds.min(3), report)?;
        let of = |value: fn(&Run) -> f64| Spread::of(runs[1].iter().map(value));
        let more = runs[1].iter().zip(&runs[0]).map(|(all, none)| {
            (all.peak_rss_mib - none.peak_rss_mib) * 1_048_576.0 / self.args.stored as f64
        });
        report.start = Some(Start {
            stored: self.args.stored,
            seconds: of(|run| run.seconds),
            cpu_seconds: of(|run| run.cpu_seconds),
            peak_rss_mib: of(|run| run.peak_rss_mib),
            bytes_per_event: Spread::of(more),
        });
        Ok(())
    }

    /// The same plans for the programs of another build, if there are any.
    fn beside(&self, plans: &[Plan]) -> Vec<Plan> {
        let plans = plans.iter().filter(|_| self.beside.is_some());
        plans.map(|plan| Plan { is_beside: true, ..*plan }).collect()
    }

    /// All runs of each plan. Every other round goes backwards, so that none is always the first.
    fn turns(&self, plans: &[Plan], rounds: u16, report: &mut Report) -> Outcome<Vec<Vec<Run>>> {
        let mut runs: BTreeMap<usize, Vec<Run>> = BTreeMap::new();
        for round in 1..=rounds {
            let mut order: Vec<_> = (0..plans.len()).collect();
            if round % 2 == 0 {
                order.reverse();
            }
            for index in order {
                let Plan { client, events, delays, is_beside, .. } = plans[index];
                let other = self.beside.as_ref().filter(|_| is_beside);
                let run = plans[index].run(other.unwrap_or(&self.programs), self.cores)?;
                let build = if is_beside { ", other build" } else { "" };
                let (name, share) = (format!("{}{build}", client.name()), run.server_share);
                let slow = if delays.sqs.is_zero() { "" } else { ", slow answers" };
                eprintln!(
                    "round {round:<3} {name}{slow}: {events} events in {:.2} s, {:.2} s of CPU, \
                     server {:.0} %",
                    run.seconds,
                    run.cpu_seconds,
                    share * 100.0
                );
                if share > HELD_UP && !report.held_up_by_server.contains(&name) {
                    report.held_up_by_server.push(name);
                }
                runs.entry(index).or_default().push(run);
            }
        }
        Ok(runs.into_values().collect())
    }

    /// Requests of a consumer that finds nothing, once it has noticed.
    fn idle(&self) -> Outcome<f64> {
        /// Longer than a long poll, so that those of a busy consumer have ended.
        const SETTLE: Duration = Duration::from_secs(45);
        let host = Host::start(self.cores, Delays::default(), 0, There::default())?;
        let command = self.programs.command(Client::Batch, self.args.events, host.address);
        let mut child = spawn(&command, self.cores)?;
        let requests = || host.state.counts().all().values().sum::<u64>();
        eprintln!("idle      for {} s", (SETTLE + Duration::from_secs(self.args.idle)).as_secs());
        let ended = |child: &mut std::process::Child| !matches!(child.try_wait(), Ok(None));
        let died = wait_for(SETTLE, || ended(&mut child));
        let (before, start) = (requests(), Instant::now());
        let died = died || wait_for(Duration::from_secs(self.args.idle), || ended(&mut child));
        let counted = requests() - before;
        let minutes = start.elapsed().as_secs_f64() / 60.0;
        child.kill()?;
        child.wait()?;
        host.stop()?;
        if died {
            return Err("the consumer ended while it was idle".into());
        }
        Ok(counted as f64 / minutes)
    }
}

fn plan(client: Client, events: u64) -> Plan {
    let (delays, there) = (Delays::default(), There::default());
    Plan { client, events, delays, there, is_beside: false }
}
