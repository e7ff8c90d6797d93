//! Measures `equivalence_llm_judge` without the time of its judge: verifications per second on one
//! shard, with sessions, extraction, and a scripted judge asked twice for each.
//!
//! Run: cargo bench --bench judge

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rehearsal::prelude::*;
use serde_json::Value;

/// Verifications in all, and at the same time.
const VERIFICATIONS: usize = 20_000;
const CLIENTS: usize = 16;

type Failure = Box<dyn Error + Send + Sync>;

/// A task and its gold answer.
type Sample = (Arc<Task>, Arc<Response>);

fn samples(runtime: &Runtime, root: &Path) -> Result<Vec<Sample>, Failure> {
    let data = root.join("environments/data/equivalence_llm_judge");
    let rows = std::fs::read_to_string(data.join("example.jsonl"))?;
    let golds = std::fs::read_to_string(data.join("gold.jsonl"))?;
    let pairs = rows.lines().zip(golds.lines()).enumerate();
    let sample = |(index, (row, gold)): (usize, (&str, &str))| {
        let id = TaskId::of_row("bench", "example", index as u64 + 1);
        let task = runtime.environment_task("questions", id, row)?;
        let gold: Value = serde_json::from_str(gold)?;
        let item = Item::parse(&gold["turns"][0][0].to_string())?;
        Ok((task, Arc::new(Response::new("resp", "gold".into(), vec![item]))))
    };
    pairs.map(sample).collect()
}

/// Verifies the samples in turn, and returns how long each verification took.
async fn client(
    runtime: Arc<Runtime>,
    samples: Arc<Vec<Sample>>,
) -> Result<Vec<Duration>, Failure> {
    let mut times = Vec::with_capacity(VERIFICATIONS / CLIENTS);
    for (task, answer) in samples.iter().cycle().take(VERIFICATIONS / CLIENTS) {
        let started = Instant::now();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
        let verdict = runtime.verify("questions", task, answer, deadline).await?;
        if verdict.reward != Reward::ONE {
            return Err("a gold answer did not earn 1".into());
        }
        times.push(started.elapsed());
    }
    Ok(times)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let loader = Loader::new().file(root.join("configs/equivalence_llm_judge.yaml"));
    let config = loader.set("runtime.shards=1").load()?;
    let runtime = Arc::new(Runtime::start(config, &rehearsal::kinds()).await?);
    let samples = Arc::new(samples(&runtime, root)?);
    let started = Instant::now();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..CLIENTS {
        clients.spawn(client(runtime.clone(), samples.clone()));
    }
    let mut times = Vec::new();
    for found in clients.join_all().await {
        times.extend(found?);
    }
    let seconds = started.elapsed().as_secs_f64();
    times.sort_unstable();
    let micros = |share: f64| times[(share * (times.len() - 1) as f64) as usize].as_micros();
    let rate = times.len() as f64 / seconds;
    println!("{rate:.0} verifications/s, p50 {} µs, p99 {} µs", micros(0.5), micros(0.99));
    Ok(())
}
