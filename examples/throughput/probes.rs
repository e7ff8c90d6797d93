//! What has to be measured in a process of its own: memory and start-up.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

use rehearsal::prelude::*;

use crate::Result;
use crate::workload::Workload;

/// Runs this program as a probe and returns the first line that it prints, with the milliseconds
/// until it came.
fn probe(arguments: &[&str]) -> Result<(String, f64)> {
    let started = Instant::now();
    let mut process =
        Command::new(std::env::current_exe()?).args(arguments).stdout(Stdio::piped()).spawn()?;
    let output = process.stdout.take().ok_or("the probe has no stdout")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let millis = started.elapsed().as_secs_f64() * 1e3;
    process.wait()?;
    Ok((line.trim().to_owned(), millis))
}

/// Resident bytes that each rollout in flight adds.
pub(crate) fn run_memory(in_flight: usize) -> Result<String> {
    Ok(probe(&["--probe-memory", &in_flight.to_string()])?.0)
}

/// Milliseconds from process start to the first record.
pub(crate) fn run_start() -> Result<f64> {
    let mut millis = [0.0; 5];
    for run in &mut millis {
        *run = probe(&["--probe-start"])?.1;
    }
    Ok(crate::median(millis))
}

/// Starts rollouts on a model that takes a minute, and prints what each costs while it waits.
pub(crate) async fn memory(in_flight: usize) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let workload = Workload::slow(in_flight, "60s");
    let runtime = workload.start(&folder).await?;
    let before = resident_bytes()?;
    let progress = Arc::new(Progress::default());
    let recorder = Arc::new(MemoryRecorder::new());
    let collecting = runtime.collect(runtime.collection()?, recorder, progress.clone());
    let measuring = async {
        // All are in flight, and then memory has stopped growing: each waits for the model.
        let mut last = 0;
        loop {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let now = resident_bytes()?;
            let settled = now.abs_diff(last) < now / 200;
            if progress.snapshot().in_flight == in_flight as u64 && settled {
                break;
            }
            last = now;
        }
        println!("{}", last.saturating_sub(before) / in_flight as u64);
        std::io::stdout().flush()?;
        progress.cancel();
        Result::Ok(())
    };
    let (summary, measured) = tokio::join!(collecting, measuring);
    summary?;
    measured
}

fn resident_bytes() -> Result<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: u64 = pages.split_whitespace().nth(1).ok_or("statm has no second field")?.parse()?;
    Ok(pages * 4096)
}

/// Makes one rollout and prints its record's length.
pub(crate) async fn start() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let runtime = Workload::slow(1, "0s").start(&folder).await?;
    let records = MemoryRecorder::new();
    runtime.collect(runtime.collection()?, Arc::new(records.clone()), Arc::default()).await?;
    let record = records.take().pop().ok_or("no record")?;
    println!("{}", record.line.len());
    std::io::stdout().flush()?;
    runtime.stop().await;
    Ok(())
}
