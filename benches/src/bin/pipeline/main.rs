//! What the pods cost beside the least that a client of SQS and S3 has to do.
//!
//! A server in memory has one core, one client at a time the other. Pods and bare loops on the SDK
//! take turns, so that noise of the machine meets all of them; ratios are of neighbours.

mod args;
mod client;
mod cost;
mod host;
mod plot;
mod pods;
mod report;
mod run;
mod scenario;
mod series;
mod stored;
mod table;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser;

use args::Args;
use client::Programs;
use host::Cores;
use scenario::Bench;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("pipeline: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Outcome<()> {
    let programs = match &args.programs {
        Some(directory) => Programs::of(directory, "--programs")?,
        None => Programs::build()?,
    };
    let beside = args.beside.as_deref().map(|directory| Programs::of(directory, "--beside"));
    let bench = Bench { args, programs, beside: beside.transpose()?, cores: Cores::find() };
    eprintln!("{}", bench.cores);
    let report = bench.run()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", table::of(&report));
    }
    for file in plot::write(&report, &args.plots)? {
        eprintln!("plot      {}", file.display());
    }
    Ok(())
}
