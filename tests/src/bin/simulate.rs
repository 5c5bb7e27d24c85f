//! Runs the engines in simulated worlds, one for each seed, until an invariant does not hold.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use event_tests::simulator::{EventBatches, Fault, Run, Simulation};

/// Runs the production engines in simulated worlds, one for each seed, and checks every invariant
/// after every step. Exit status: 0 if all held, 1 if one did not, 2 if an argument is wrong.
#[derive(Parser)]
#[command(name = "simulate", version)]
struct Args {
    /// The seeds to run: from A to B, without B; or a single one
    #[arg(long, value_name = "A..B", default_value = "0..1000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Only these faults, in every world; "none" for none. Without it each seed decides
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    faults: Option<Vec<String>>,
    /// How consumers store events: one object for each, or many in one
    #[arg(long, value_enum, default_value = "event")]
    layout: Layout,
    /// Worlds side by side
    #[arg(long, value_name = "N", default_value_t = thread::available_parallelism().map_or(1, Into::into))]
    jobs: usize,
    /// Go on after a violation and report the seed of each
    #[arg(long)]
    keep_going: bool,
    /// Print every step of each world; for a single seed
    #[arg(long)]
    explain: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Layout {
    Event,
    Batch,
}

/// A world that takes longer than this does not come to its end.
const LONGEST: Duration = Duration::from_secs(120);
/// Steps printed before a violation.
const TAIL: usize = 60;

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| {
        text.trim()
            .parse::<u64>()
            .map_err(|_| format!("{text:?} is no seed; give A..B, such as 0..1000"))
    };
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (number(from)?, number(to)?),
        None => (number(text)?, number(text)?.saturating_add(1)),
    };
    if from >= to {
        return Err(format!("{text} holds no seed: give A..B with A below B"));
    }
    Ok(from..to)
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut simulation = Simulation::new();
    if args.layout == Layout::Batch {
        simulation = simulation.subject(EventBatches::default);
    }
    if let Some(names) = &args.faults {
        let named = names.iter().filter(|name| *name != "none").map(|name| name.parse());
        match named.collect::<Result<Vec<Fault>, String>>() {
            Ok(faults) => simulation = simulation.faults(&faults),
            Err(message) => {
                eprintln!("--faults: {message}");
                return ExitCode::from(2);
            }
        }
    }
    if args.explain && args.seeds.end - args.seeds.start > 1 {
        eprintln!("--explain prints the steps of one world: give it one seed, as in --seeds 7");
        return ExitCode::from(2);
    }
    if args.explain {
        return explain(&simulation, args.seeds.start);
    }
    let totals = run_all(&simulation, &args);
    let seeds_to_catch = totals.seeds_to_catch(args.seeds.start);
    if args.json {
        totals.print_json(seeds_to_catch);
    } else {
        totals.print(seeds_to_catch);
    }
    for run in &totals.violations {
        if !args.json {
            report(&simulation, run, &args);
        }
    }
    if totals.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn explain(simulation: &Simulation, seed: u64) -> ExitCode {
    let run = simulation.explain(seed);
    let mut out = std::io::stdout().lock();
    for line in &run.lines {
        // Whoever closes the pipe has seen enough.
        if writeln!(out, "{line}").is_err() {
            break;
        }
    }
    if run.violation.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// What all worlds came to.
struct Totals {
    seeds: u64,
    took: Duration,
    simulated: Duration,
    steps: u64,
    hits: BTreeMap<Fault, u64>,
    violations: Vec<Run>,
}

fn run_all(simulation: &Simulation, args: &Args) -> Totals {
    let start = Instant::now();
    let mut progress = Progress { start, told: start };
    let (next, stop) = (AtomicU64::new(args.seeds.start), AtomicBool::new(false));
    let mut totals = Totals {
        seeds: 0,
        took: Duration::ZERO,
        simulated: Duration::ZERO,
        steps: 0,
        hits: BTreeMap::new(),
        violations: Vec::new(),
    };
    let (send, runs) = channel();
    thread::scope(|scope| {
        for _ in 0..args.jobs.max(1) {
            let send = send.clone();
            let (next, stop) = (&next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= args.seeds.end || send.send(simulation.run(seed)).is_err() {
                        break;
                    }
                }
            });
        }
        drop(send);
        loop {
            match runs.recv_timeout(LONGEST) {
                Ok(run) => {
                    totals.add(run);
                    if !totals.violations.is_empty() && !args.keep_going {
                        stop.store(true, Ordering::Relaxed);
                    }
                    if !args.json {
                        progress.tell(totals.seeds, args.seeds.end - args.seeds.start);
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let last = next.load(Ordering::Relaxed);
                    eprintln!(
                        "no world has ended for {LONGEST:?}: one of the seeds before {last} goes on for ever"
                    );
                    std::process::exit(1);
                }
            }
        }
    });
    totals.took = start.elapsed();
    totals.violations.sort_by_key(|run| run.seed);
    totals
}

/// Tells how far it is: on a terminal often and in place, elsewhere a line now and then.
struct Progress {
    start: Instant,
    told: Instant,
}

impl Progress {
    fn tell(&mut self, done: u64, of: u64) {
        let terminal = std::io::stderr().is_terminal();
        let every = if terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        if self.told.elapsed() < every {
            return;
        }
        self.told = Instant::now();
        let rate = done as f64 / self.start.elapsed().as_secs_f64();
        let (before, after) = if terminal { ("\r", " ") } else { ("", "\n") };
        eprint!("{before}{done} of {of} seeds, {rate:.0} a second{after}");
    }
}

impl Totals {
    fn add(&mut self, run: Run) {
        self.seeds += 1;
        self.simulated += run.simulated;
        self.steps += run.steps;
        for (&fault, hits) in &run.hits {
            *self.hits.entry(fault).or_default() += hits;
        }
        if run.violation.is_some() {
            self.violations.push(run);
        }
    }

    fn per_second(&self) -> f64 {
        self.seeds as f64 / self.took.as_secs_f64()
    }

    /// The median of the numbers of seeds run from one violation to the next.
    fn seeds_to_catch(&self, first: u64) -> Option<u64> {
        let ends = self.violations.iter().map(|run| run.seed + 1);
        let starts = std::iter::once(first).chain(ends.clone());
        let mut gaps: Vec<_> = starts.zip(ends).map(|(start, end)| end - start).collect();
        gaps.sort_unstable();
        gaps.get(gaps.len() / 2).copied()
    }

    fn hours(&self) -> f64 {
        self.simulated.as_secs_f64() / 3600.0
    }

    fn print(&self, seeds_to_catch: Option<u64>) {
        if std::io::stderr().is_terminal() {
            eprintln!();
        }
        println!("{:<20} {:>12}  what happens", "fault", "times");
        for fault in Fault::ALL {
            println!("{:<20} {:>12}  {}", fault, self.hits.get(fault).unwrap_or(&0), fault.about());
        }
        println!();
        println!(
            "seeds                {:>12}  in {:.1} s, {:.0} seeds/s",
            self.seeds,
            self.took.as_secs_f64(),
            self.per_second()
        );
        println!("steps                {:>12}", self.steps);
        println!("simulated hours      {:>12.0}", self.hours());
        print!("violations           {:>12}", self.violations.len());
        match seeds_to_catch {
            Some(seeds) => println!("  median of seeds to the next: {seeds}"),
            None => println!(),
        }
    }

    fn print_json(&self, seeds_to_catch: Option<u64>) {
        let violations: Vec<_> = self
            .violations
            .iter()
            .map(|run| {
                let violation = run.violation.as_ref();
                serde_json::json!({
                    "seed": run.seed,
                    "invariant": violation.map(|violation| violation.invariant.name()),
                    "what": violation.map(|violation| violation.what.clone()),
                })
            })
            .collect();
        let hits: BTreeMap<_, _> =
            self.hits.iter().map(|(fault, hits)| (fault.name(), hits)).collect();
        let report = serde_json::json!({
            "seeds": self.seeds,
            "violations": self.violations.len(),
            "violated": violations,
            "seconds": self.took.as_secs_f64(),
            "seeds_per_second": self.per_second(),
            "seeds_to_catch": seeds_to_catch,
            "steps": self.steps,
            "simulated_hours": self.hours(),
            "faults": hits,
        });
        println!("{report}");
    }
}

/// The violation, the last steps before it, and how to see all of them.
fn report(simulation: &Simulation, run: &Run, args: &Args) {
    let Some(violation) = &run.violation else { return };
    println!("\nseed {} violates {violation}", run.seed);
    if !args.keep_going {
        let lines = simulation.explain(run.seed).lines;
        for line in &lines[lines.len().saturating_sub(TAIL)..] {
            println!("{line}");
        }
    }
    let faults = args
        .faults
        .as_ref()
        .map_or(String::new(), |faults| format!(" --faults {}", faults.join(",")));
    let layout = if args.layout == Layout::Batch { " --layout batch" } else { "" };
    println!(
        "to see all of it: cargo run --release -p event-tests --bin simulate -- --seeds {}{faults}{layout} --explain",
        run.seed
    );
}
