//! Soak: a million rollouts with faults, after which everything must be as it was: sessions, pieces of
//! work, actors, file descriptors, threads and memory.
//!
//! Run: cargo run --release --example soak -- --rollouts 1000000
//! Prints the counts before and after; fails if they differ, or a rollout is lost, doubled or
//! mis-scored.
//!
//! CI: --rollouts 20000
#![expect(clippy::print_stdout, reason = "the table goes to stdout")]

#[path = "mishaps/world.rs"]
mod world;

use std::fmt;
use std::process::ExitCode;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use clap::Parser;
use rehearsal::framework::supervision::{NodeKind, TreeNode};
use rehearsal::prelude::*;
use tokio::time::Instant;
use world::{Auditor, Mischief};

/// As in the command.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const WORLDS: usize = 4;
const ROWS: u32 = 500;
/// One visit in so many goes wrong; a rollout makes six.
const ONE_IN: u64 = 500;
/// Collections; the first warms everything up, before the first count.
const ROUNDS: u32 = 10;
/// How long what is left over may take to go: an idle thread lives for 10 seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// What memory may grow by: the allocator keeps some of what it once had.
const GROWTH_BYTES_MAX: u64 = 32 << 20;

#[derive(Parser)]
struct Arguments {
    /// Rollouts in all; rounded to whole collections.
    #[arg(long, default_value_t = 1_000_000)]
    rollouts: u32,
}

/// What there is.
struct Census {
    sessions: u64,
    work: u64,
    actors: u64,
    files: u64,
    threads: u64,
    resident_bytes: u64,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_max_level(tracing::level_filters::LevelFilter::OFF).init();
    let Arguments { rollouts } = Arguments::parse();
    let repeats = (rollouts / ROUNDS / ROWS / WORLDS as u32).max(1);
    let mischief = Mischief::start(1, ONE_IN, 0);
    let (config, _rows) = world::config(WORLDS, ROWS, repeats)?;
    let runtime = Runtime::start(config, &world::kinds()).await?;
    collect(&runtime).await?;
    let before = Census::take(&runtime, mischief)?;
    println!("{:<10}{before}", "start");
    let (started, mut scored) = (Instant::now(), 0);
    for round in 2..=ROUNDS {
        scored += collect(&runtime).await?;
        println!("{:<10}{}", format!("round {round}"), Census::take(&runtime, mischief)?);
    }
    let seconds = started.elapsed().as_secs_f64();
    let after = before.awaited(&runtime, mischief).await?;
    println!("{:<10}{after}", "end");
    let faults = mischief.tally.iter().flatten().map(|count| count.load(Relaxed)).sum::<u64>();
    println!(
        "{scored} rollouts with {faults} faults in {seconds:.1} s: none lost, doubled, mis-scored"
    );
    runtime.stop().await;
    Ok(if after.is_as(&before) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Runs one collection, checks it, and returns its size.
async fn collect(runtime: &Runtime) -> Result<u64, Box<dyn std::error::Error>> {
    let auditor = Auditor::default();
    let collection = runtime.collection()?;
    let offered = u64::from(ROWS * collection.repeats) * WORLDS as u64;
    runtime.collect(collection, Arc::new(auditor.clone()), Arc::default()).await?;
    let audit = auditor.audit();
    if (audit.scored, audit.doubled, audit.mis_scored) != (offered, 0, 0) {
        let world::Audit { scored, doubled, mis_scored, given_up, .. } = audit;
        let counts = format!("{scored} scored, {doubled} doubled, {mis_scored} mis-scored");
        return Err(format!("of {offered} rollouts: {counts}, {given_up} given up").into());
    }
    Ok(offered)
}

impl Census {
    fn take(runtime: &Runtime, mischief: &Mischief) -> std::io::Result<Self> {
        let (actors, sessions) = residents(&runtime.tree());
        let statm = std::fs::read_to_string("/proc/self/statm")?;
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
        Ok(Self {
            sessions,
            work: mischief.alive.load(Relaxed).unsigned_abs(),
            actors,
            files: std::fs::read_dir("/proc/self/fd")?.count() as u64,
            threads: std::fs::read_dir("/proc/self/task")?.count() as u64,
            resident_bytes: pages.unwrap_or(0) * 4096,
        })
    }

    /// Whether this, later, is no more than `before`.
    fn is_as(&self, before: &Self) -> bool {
        let counts = |it: &Self| [it.sessions, it.work, it.actors, it.files, it.threads];
        let is_less = counts(self).iter().zip(counts(before)).all(|(now, then)| *now <= then);
        is_less && self.resident_bytes <= before.resident_bytes + GROWTH_BYTES_MAX
    }

    /// What there is once it is no more than this, or when that has taken too long.
    async fn awaited(&self, runtime: &Runtime, mischief: &Mischief) -> std::io::Result<Self> {
        let started = Instant::now();
        loop {
            let now = Self::take(runtime, mischief)?;
            if now.is_as(self) || started.elapsed() > PATIENCE {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl fmt::Display for Census {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sessions, work, actors, files, threads, resident_bytes } = self;
        let mib = *resident_bytes as f64 / 1_048_576.0;
        write!(f, "sessions {sessions:>4}  work {work:>4}  actors {actors:>3}  ")?;
        write!(f, "files {files:>3}  threads {threads:>3}  resident {mib:>6.1} MiB")
    }
}

/// The actors and the sessions of a tree.
fn residents(node: &TreeNode) -> (u64, u64) {
    let own = match node.kind {
        NodeKind::Actor { .. } => (1, 0),
        NodeKind::Sessions { live, .. } => (0, live as u64),
        _ => (0, 0),
    };
    let below = node.children.iter().map(residents);
    below.fold(own, |sum, child| (sum.0 + child.0, sum.1 + child.1))
}
