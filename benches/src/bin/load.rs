//! `load`: what a request costs through real gateway processes, printed with the ratios.
//!
//! `cargo build --release -p lime-cli && cargo run --release -p lime-benches --bin load`, and the same with
//! `-- --hosts` for few sites and many.

#![expect(clippy::print_stdout, reason = "what is measured is printed")]

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use lime_benches::load::{HostsPlan, Plan, compare, compare_hosts};

/// Compares an origin, a gateway that is switched off, and gateways that check tokens, in one run under three minutes.
#[derive(Debug, Parser)]
struct Arguments {
    /// The program whose gateway is measured
    #[arg(default_value = "target/release/lime")]
    lime: PathBuf,
    /// Compares a gateway of 10 sites with one of 10,000 instead
    #[arg(long)]
    hosts: bool,
    /// A few seconds, to see that it works; its figures mean nothing
    #[arg(long)]
    quick: bool,
    /// How often each takes its turn
    #[arg(long, default_value_t = 41, value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: u16,
    /// Connections that are kept busy
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
}

impl Arguments {
    fn hosts_plan(self) -> HostsPlan {
        let full = HostsPlan {
            lime: self.lime,
            few: 10,
            many: 10_000,
            tokens: 10_000,
            rounds: self.rounds.into(),
            requests: 4_000,
            connections: self.connections.into(),
            reloads: 5,
            // The allocator gives back what reading the file took, after a second and by and by.
            idle: Duration::from_secs(10),
        };
        if self.quick {
            HostsPlan { many: 100, tokens: 200, rounds: 2, requests: 500, reloads: 1, idle: Duration::ZERO, ..full }
        } else {
            full
        }
    }

    fn plan(self) -> Plan {
        let full = Plan {
            lime: self.lime,
            rounds: self.rounds.into(),
            // A quarter of a second: long enough to count, short enough that the machine is the same for all of a round.
            requests: 4_000,
            seen_tokens: 10_000,
            fresh_tokens: 800,
            connections: self.connections.into(),
            idle: Duration::from_secs(2),
            time_max: Duration::from_secs(175),
        };
        if self.quick {
            Plan { rounds: 2, requests: 1_000, seen_tokens: 500, fresh_tokens: 200, idle: Duration::ZERO, ..full }
        } else {
            full
        }
    }
}

/// One thread makes all requests: what it takes is taken from all alike.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    if arguments.hosts {
        println!("{}", compare_hosts(&arguments.hosts_plan()).await?);
    } else {
        println!("{}", compare(&arguments.plan()).await?);
    }
    Ok(())
}
