//! Metrics scraped over HTTP while a collection runs, as Prometheus would.
//!
//! Run: cargo run --release --example metrics
//! Prints the throughput metrics in the middle of the collection and after it.
#![expect(clippy::print_stdout, reason = "an example prints what it shows")]

use rehearsal::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Loader::new()
        .file("configs/simple_weather.yaml")
        .set("telemetry.prometheus=127.0.0.1:0")
        .set("collect.repeats=4000")
        .load()?;
    let runtime = Runtime::start(config, &rehearsal::kinds()).await?;
    let address = runtime.metrics_address().ok_or("no metrics endpoint")?;

    let progress = Arc::new(Progress::default());
    let records = Arc::new(MemoryRecorder::new());
    let collecting = runtime.collect(runtime.collection()?, records, progress.clone());
    let scraping = async {
        while progress.snapshot().ended() < 1000 {
            tokio::task::yield_now().await;
        }
        scrape(address).await
    };
    let (summary, middle) = tokio::join!(collecting, scraping);
    println!("in the middle:\n{}", middle?);
    println!("after {} rollouts:\n{}", summary?.scored, scrape(address).await?);
    runtime.stop().await;
    Ok(())
}

/// The series that tell the throughput.
async fn scrape(address: std::net::SocketAddr) -> std::io::Result<String> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    let wanted = [
        "rehearsal_rollouts_total{",
        "rehearsal_rollouts_in_flight",
        "rehearsal_tool_calls_total{",
    ];
    let lines = text.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    Ok(lines.map(|line| format!("  {line}\n")).collect())
}
