//! Chaos: everything panics, hangs, stalls and garbles at random, and actors are killed, while
//! collections run over four environments. Every rollout must come out once, with its own reward.
//!
//! Run: cargo run --release --example chaos -- --seconds 60 --seed 1
//! Prints crashes by kind, restarts, rollouts and recovery times; fails if a rollout is lost, doubled
//! or mis-scored.
//!
//! CI: --seconds 5
#![expect(clippy::print_stdout, reason = "the report goes to stdout")]

mod mishaps {
    pub(crate) mod audit;
    pub(crate) mod killer;
    pub(crate) mod mischief;
    pub(crate) mod world;
}

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use clap::Parser;
use mishaps::audit::{Audit, collect};
use mishaps::killer::{kill, restarts};
use mishaps::mischief::Mischief;
use mishaps::world;
use rehearsal::framework::collection::CollectError;
use rehearsal::framework::supervision::observe_failures;
use rehearsal::prelude::*;
use tokio::time::Instant;

const WORLDS: usize = 4;
const ROWS: u32 = 500;

#[derive(Parser)]
struct Arguments {
    /// How long new collections are begun.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// What the mishaps are drawn from [default: random].
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    // Crashes are counted here, not shown one by one.
    tracing_subscriber::fmt().with_max_level(tracing::level_filters::LevelFilter::OFF).init();
    let Arguments { seconds, seed } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    println!("seed {seed}");
    // One visit in 50 goes wrong, and a rollout makes six; one write in 5000 crashes the recorder.
    let mischief = Mischief::start(seed, 50, 5000);
    let crashes: Arc<Mutex<BTreeMap<_, u64>>> = Arc::default();
    let counted = crashes.clone();
    let _counting = observe_failures(move |report| {
        *counted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(report.reason)
            .or_default() += 1;
    });
    let (config, _rows) = world::config(WORLDS, ROWS, 1)?;
    let runtime = Runtime::start(config, &world::kinds()).await?;
    let (started, mut sum, mut recoveries) = (Instant::now(), Audit::default(), Vec::new());
    let collecting = async {
        while started.elapsed() < Duration::from_secs(seconds) {
            sum.add(&collect(&runtime, u64::from(ROWS) * WORLDS as u64).await?);
        }
        Ok::<_, CollectError>(())
    };
    tokio::select! {
        collected = collecting => collected?,
        () = kill(&runtime, mischief, &mut recoveries) => unreachable!("it goes on killing"),
    }
    let elapsed = started.elapsed().as_secs_f64();
    print!("{mischief}");
    println!("crashes {:?}", crashes.lock().unwrap_or_else(PoisonError::into_inner));
    let restarts = restarts(&runtime.tree()) + sum.reopened;
    let (faults, killed) = (mischief.faults(), recoveries.len());
    println!("{faults} faults, {killed} killed actors; restarts {restarts}");
    let Audit { scored, given_up, doubled, mis_scored, .. } = sum;
    println!("rollouts completed {scored} in {elapsed:.1} s, given up {given_up}");
    println!("lost {}, doubled {doubled}, mis-scored {mis_scored}", sum.lost());
    recoveries.sort();
    let at = |share: f64| recoveries.get((recoveries.len() as f64 * share) as usize);
    let [p50, p99] = [0.5, 0.99].map(|share| at(share).copied().unwrap_or_default());
    println!("recovery of a killed actor: p50 {p50:.1?}, p99 {p99:.1?}");
    runtime.stop().await;
    Ok(if sum.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
