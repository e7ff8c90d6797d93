//! Rollouts on demand from a plain multi-threaded tokio program, as a trainer would ask for them.
//!
//! Run: cargo run --release --example embedding
//! Prints the mean reward of 1,000 rollouts that were offered at once.
#![expect(clippy::print_stdout, reason = "an example prints what it shows")]

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::prelude::*;

const ROLLOUTS: u32 = 1000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Loader::new().file("configs/stateful_counter.yaml").load()?;
    let runtime = Arc::new(Runtime::start(config, &rehearsal::kinds()).await?);

    let rows = std::fs::read_to_string("environments/data/stateful_counter/example.jsonl")?;
    let row = rows.lines().next().ok_or("the dataset is empty")?;
    let task = runtime.task("solver", "counter/1".into(), row)?;

    // Everything that an embedder holds is Send: rollouts can be asked for from any task.
    let mut rollouts = tokio::task::JoinSet::new();
    for repeat in 0..ROLLOUTS {
        let (runtime, task) = (runtime.clone(), task.clone());
        rollouts.spawn(async move {
            runtime.submit("solver", &task, repeat, RolloutPolicy::default()).await
        });
    }
    let mut sum = 0.0;
    while let Some(rollout) = rollouts.join_next().await {
        sum += rollout??.verdict.reward.get();
    }
    if let Some(runtime) = Arc::into_inner(runtime) {
        runtime.stop().await;
    }
    println!("{ROLLOUTS} rollouts, mean reward {:.3}", sum / f64::from(ROLLOUTS));
    Ok(())
}
