//! Soak: a million rollouts with faults, after which everything must be as it was: sessions, pieces of
//! work, actors, file descriptors, threads and memory.
//!
//! Run: cargo run --release --example soak -- --rollouts 1000000
//! Prints the counts before and after; fails if they differ, or a rollout is lost, doubled or
//! mis-scored.
//!
//! CI: --rollouts 20000
#![expect(clippy::print_stdout, reason = "the table goes to stdout")]

mod mishaps {
    pub(crate) mod audit;
    pub(crate) mod census;
    pub(crate) mod mischief;
    pub(crate) mod world;
}

use std::process::ExitCode;

use clap::Parser;
use mishaps::audit::{Audit, collect};
use mishaps::census::Census;
use mishaps::mischief::Mischief;
use mishaps::world;
use rehearsal::prelude::*;
use tokio::time::Instant;

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORLDS: usize = 4;
const ROWS: u32 = 500;
/// Collections; the first warms everything up, before the first count.
const ROUNDS: u32 = 10;

#[derive(Parser)]
struct Arguments {
    /// Rollouts in all; rounded to whole collections.
    #[arg(long, default_value_t = 1_000_000)]
    rollouts: u32,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::level_filters::LevelFilter::OFF).init();
    let Arguments { rollouts } = Arguments::parse();
    let repeats = (rollouts / ROUNDS / ROWS / WORLDS as u32).max(1);
    // One visit in 500 goes wrong, and a rollout makes six.
    let mischief = Mischief::start(1, 500, 0);
    let (config, _rows) = world::config(WORLDS, ROWS, repeats)?;
    let runtime = Runtime::start(config, &world::kinds()).await?;
    let offered = u64::from(ROWS * repeats) * WORLDS as u64;
    let mut sum = Audit::default();
    sum.add(&collect(&runtime, offered).await?);
    let before = Census::take(&runtime, mischief)?;
    println!("{:<10}{before}", "start");
    let started = Instant::now();
    for round in 2..=ROUNDS {
        sum.add(&collect(&runtime, offered).await?);
        println!("{:<10}{}", format!("round {round}"), Census::take(&runtime, mischief)?);
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = before.awaited(&runtime, mischief).await?;
    println!("{:<10}{after}", "end");
    let Audit { scored, doubled, mis_scored, given_up, .. } = sum;
    let faults = mischief.faults();
    println!("{scored} rollouts with {faults} faults in {seconds:.1} s, given up {given_up}");
    println!("lost {}, doubled {doubled}, mis-scored {mis_scored}", sum.lost());
    runtime.stop().await;
    let is_well = after.is_as(&before) && sum.is_sound() && given_up == 0;
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
