//! Chaos: everything panics, hangs, stalls and garbles at random, and actors are killed, while
//! collections run over four environments. Every rollout must come out once, with its own reward.
//!
//! Run: cargo run --release --example chaos -- --seconds 60 --seed 1
//! Prints crashes by kind, restarts, rollouts and recovery times; fails if a rollout is lost, doubled
//! or mis-scored.
//!
//! CI: --seconds 5
#![expect(clippy::print_stdout, reason = "the report goes to stdout")]

#[path = "mishaps/world.rs"]
mod world;

use std::cell::RefCell;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use clap::Parser;
use rehearsal::framework::supervision::{ChildState, NodeKind, TreeNode};
use rehearsal::prelude::*;
use tokio::time::Instant;
use world::{Audit, Auditor, FAULTS, Mischief, PLACES};

const WORLDS: usize = 4;
const ROWS: u32 = 500;
/// One visit in so many goes wrong; a rollout makes six.
const ONE_IN: u64 = 50;
/// The recorder crashes at one write in so many.
const RECORDER_ONE_IN: u64 = 5000;
/// The mean time between two kills.
const KILL_EVERY: Duration = Duration::from_millis(600);

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
    let mischief = Mischief::start(seed, ONE_IN, RECORDER_ONE_IN);
    let (config, _rows) = world::config(WORLDS, ROWS, 1)?;
    let runtime = Runtime::start(config, &world::kinds()).await?;
    let recoveries = RefCell::new(Vec::new());
    let started = Instant::now();
    let collecting = async {
        let mut audits = Vec::new();
        while started.elapsed() < Duration::from_secs(seconds) {
            audits.push(collect(&runtime).await?);
        }
        Ok::<_, Box<dyn std::error::Error>>(audits)
    };
    let audits = tokio::select! {
        audits = collecting => audits?,
        () = kill(&runtime, mischief, &recoveries) => unreachable!("it goes on killing"),
    };
    let (elapsed, mut recoveries) = (started.elapsed(), recoveries.into_inner());
    recoveries.sort();
    print_crashes(mischief);
    println!("killed {} actors; restarts {}", recoveries.len(), restarts(&runtime.tree()));
    let sum = |part: fn(&Audit) -> u64| audits.iter().map(part).sum::<u64>();
    let (scored, given_up) = (sum(|audit| audit.scored), sum(|audit| audit.given_up));
    let offered = audits.len() as u64 * u64::from(ROWS) * WORLDS as u64;
    let (doubled, mis_scored) = (sum(|audit| audit.doubled), sum(|audit| audit.mis_scored));
    let lost = (offered + doubled).saturating_sub(scored + given_up);
    println!("rollouts completed {scored} in {:.1} s, given up {given_up}", elapsed.as_secs_f64());
    println!("lost {lost}, doubled {doubled}, mis-scored {mis_scored}");
    let at = |share: f64| recoveries.get((recoveries.len() as f64 * share) as usize);
    let [p50, p99] = [0.5, 0.99].map(|share| at(share).copied().unwrap_or_default());
    println!("recovery of a killed actor: p50 {p50:.1?}, p99 {p99:.1?}");
    runtime.stop().await;
    let is_sound = lost + doubled + mis_scored == 0;
    Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one collection to its end. A recorder that crashed too often is gone on with, as
/// `collect --resume` would.
async fn collect(runtime: &Runtime) -> Result<Audit, Box<dyn std::error::Error>> {
    let auditor = Auditor::default();
    for _ in 0..100 {
        let recorder = Arc::new(auditor.clone());
        if runtime.collect(runtime.collection()?, recorder, Arc::default()).await.is_ok() {
            return Ok(auditor.audit());
        }
    }
    Err("a collection gave up a hundred times".into())
}

/// Kills one actor after the other at random, and measures how long each is away.
async fn kill(runtime: &Runtime, mischief: &Mischief, recoveries: &RefCell<Vec<Duration>>) {
    loop {
        tokio::time::sleep(KILL_EVERY.mul_f64(mischief.draw() as f64 / u64::MAX as f64 * 2.0))
            .await;
        let actors = actors(&runtime.tree());
        let (path, generation) = &actors[mischief.draw() as usize % actors.len()];
        let killed = Instant::now();
        if runtime.kill(path).is_err() {
            continue;
        }
        let is_back = async {
            loop {
                match runtime.tree().find(path) {
                    Some(node) if node.generation <= *generation => {}
                    Some(node) if node.state != ChildState::Up => {}
                    // A collection that has ended took its recorder along.
                    Some(_) | None => return,
                }
                tokio::task::yield_now().await;
            }
        };
        is_back.await;
        recoveries.borrow_mut().push(killed.elapsed());
    }
}

/// The paths and generations of all actors.
fn actors(node: &TreeNode) -> Vec<(String, u64)> {
    let own = matches!(node.kind, NodeKind::Actor { .. });
    let own = own.then(|| (node.path.clone(), node.generation));
    own.into_iter().chain(node.children.iter().flat_map(actors)).collect()
}

/// The restarts that the supervisors of a tree have ordered.
fn restarts(node: &TreeNode) -> u64 {
    let own = match node.kind {
        NodeKind::Supervisor { restarts, .. } => restarts,
        _ => 0,
    };
    own + node.children.iter().map(restarts).sum::<u64>()
}

fn print_crashes(mischief: &Mischief) {
    let row = |name: &str, cells: &[String]| println!("{name:<10}{}", cells.concat());
    row("", &FAULTS.map(|fault| format!("{fault:>8}")));
    for (place, tally) in PLACES.iter().zip(&mischief.tally) {
        row(place, &tally.each_ref().map(|count| format!("{:>8}", count.load(Relaxed))));
    }
}
