//! Collects rollouts from four environments with the embedded model, and keeps them in memory.
//!
//! Run: cargo run --release --example quick_start
//! Prints one line per environment (tasks, rollouts, mean reward), and the length of one record.
#![expect(clippy::print_stdout, reason = "an example prints what it shows")]

use rehearsal::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Loader::new().file("configs/quickstart.yaml").load()?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;

    let records = MemoryRecorder::new();
    let progress = Arc::new(Progress::default());
    let collection = runtime.collection()?;
    let summary = runtime.collect(collection, Arc::new(records.clone()), progress).await?;

    for (name, rewards) in &summary.environments {
        println!(
            "{name}: {} tasks, {} rollouts, mean reward {:.3}",
            rewards.tasks, rewards.rollouts, rewards.mean
        );
    }
    if let Some(record) = records.take().first() {
        println!("rollout {} is a record of {} bytes", record.key, record.line.len());
    }
    runtime.stop().await;
    Ok(())
}
