//! Measures Rehearsal: rollouts per second, CPU, memory and start-up, as tables in Markdown.
//!
//! Run: cargo run --release --example throughput   (the mock endpoint is built along with it:
//! cargo build --release --examples)
//! CI: --quick
//!
//! The work is `simple_weather` with two model calls and one tool call a rollout, 16 rollouts a task;
//! records go to a JSONL file. Every figure is the median of three runs in this process, or of processes of their own
//! where memory and start-up are measured.
#![expect(clippy::print_stdout, reason = "the tables go to stdout")]

mod endpoint;
mod probes;
mod workload;

use std::error::Error;

use endpoint::Endpoint;
use workload::{Workload, collect};

/// Rollouts cost as the command does: with its allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Rollouts in flight, per row of the tables.
const IN_FLIGHT: [usize; 4] = [32, 256, 1024, 4096];

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--probe-memory", in_flight] => probes::memory(in_flight.parse()?).await,
        ["--probe-start"] => probes::start().await,
        ["--quick"] => tables(20).await,
        [] => tables(1).await,
        _ => Err("usage: throughput [--quick]".into()),
    }
}

/// Prints all tables; `quicker` divides the work.
async fn tables(quicker: usize) -> Result<()> {
    println!("| in process, scripted model: in flight | rollouts/s | CPU µs a rollout |");
    println!("|---|---|---|");
    for in_flight in IN_FLIGHT {
        let workload = Workload::scripted(in_flight, 200_000 / quicker);
        let runs =
            [collect(&workload).await?, collect(&workload).await?, collect(&workload).await?];
        let (rate, cpu) =
            (median(runs.map(|run| run.rate)), median(runs.map(|run| run.cpu_micros)));
        println!("| {in_flight} | {rate:.0} | {cpu:.1} |");
    }
    println!();
    println!(
        "| over HTTP to a mock: in flight | rollouts/s | CPU ms a rollout | requests/s | bare client, requests/s | share |"
    );
    println!("|---|---|---|---|---|---|");
    let endpoint = Endpoint::start()?;
    for in_flight in IN_FLIGHT {
        let (mut rates, mut cpus, mut bares) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        for run in 0..3 {
            let workload = Workload::http(in_flight, 20_000 / quicker, &endpoint.base_url);
            let measured = collect(&workload).await?;
            (rates[run], cpus[run]) = (measured.rate, measured.cpu_micros / 1000.0);
            bares[run] = endpoint::bare_client(&endpoint.base_url, in_flight, 40_000 / quicker)?;
        }
        let (rate, cpu, bare) = (median(rates), median(cpus), median(bares));
        let (requests, share) = (2.0 * rate, 200.0 * rate / bare);
        println!(
            "| {in_flight} | {rate:.0} | {cpu:.3} | {requests:.0} | {bare:.0} | {share:.0} % |"
        );
    }
    drop(endpoint);
    println!();
    println!("| memory, slow model: in flight | resident bytes a rollout |");
    println!("|---|---|");
    for in_flight in [16_384 / quicker, 65_536 / quicker] {
        println!("| {in_flight} | {} |", probes::run_memory(in_flight)?);
    }
    println!();
    println!(
        "From process start to the first record: {:.1} ms (median of 5)",
        probes::run_start()?
    );
    Ok(())
}

fn median<const N: usize>(mut values: [f64; N]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[N / 2]
}
