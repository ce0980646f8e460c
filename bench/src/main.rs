//! Measures the server's program from outside, and prints its figures as Markdown: see the README beside it.
//!
//! Read in this order: `server` starts what is measured, `stream`, `http` and `sockets` talk to it, `connections`,
//! `delivery`, `events` and `functions` measure, `hostile` is the load that means harm, `figures` sums up.
#![allow(clippy::print_stdout, reason = "its output is what it is for")]

mod connections;
mod delivery;
mod events;
mod figures;
mod functions;
mod hostile;
mod http;
mod server;
mod sockets;
mod stream;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use figures::Table;
use rustix::process::{Resource, getrlimit, setrlimit};
use server::Server;

/// Measure a release build of `campanile`
#[derive(Debug, Parser)]
struct Args {
    /// The program
    program: PathBuf,
    /// How often each figure is taken; the spread is shown
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 8)]
    seconds: u64,
    /// Sockets that receive the steady stream
    #[arg(long, default_value_t = 1_000)]
    sockets: usize,
    /// Rules that each hostile event meets, at most all 26
    #[arg(long, default_value_t = 26)]
    hostile_rules: usize,
    /// Nothing but this; default: everything
    #[arg(long)]
    only: Option<What>,
    /// Where the servers keep their data, on the disk that is to be measured
    #[arg(long, default_value = ".")]
    data: PathBuf,
}

/// What there is to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    /// Idle connections and deliveries, in the clear and through TLS
    Connections,
    /// The steady stream, calm and beside hostile load
    Delivery,
    /// Events into the log
    Events,
    /// Runs of functions
    Functions,
}

impl Args {
    fn wants(&self, what: What) -> bool {
        self.only.is_none_or(|only| only == what)
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 1)]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let lasting = Duration::from_secs(args.seconds);
    let mut table = Table::default();
    many_descriptors()?;

    if args.wants(What::Connections) {
        connections::measure(&args, lasting, &mut table).await?;
    }
    if args.wants(What::Delivery) {
        let server = Server::start(&args.program, &args.data)?;
        delivery::measure(&server, &args, lasting, &mut table).await?;
    }
    if args.wants(What::Events) {
        let server = Server::start(&args.program, &args.data)?;
        for round in 1..=args.rounds {
            eprintln!("events, round {round}");
            events::measure(&server, lasting, &mut table).await?;
        }
    }
    if args.wants(What::Functions) {
        let server = Server::start(&args.program, &args.data)?;
        for round in 1..=args.rounds {
            eprintln!("functions, round {round}");
            functions::measure_warm(&server, lasting, &mut table).await?;
            functions::measure_cold(&args.program, &args.data, &mut table).await?;
        }
    }
    println!("{table}");
    Ok(())
}

/// As many sockets as the operating system allows; the server inherits that.
fn many_descriptors() -> std::io::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    Ok(setrlimit(Resource::Nofile, limit)?)
}
