//! Measures the tools of `google_search` over its built-in library: calls in a second, one after the
//! other, and how long the slowest take.
//!
//! Run: cargo bench --bench search
//!
//! `kept` is what the cache answers, `asked` what is searched or read anew.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::error::Error;
use std::time::{Duration, Instant};

use rehearsal::environments::google_search::GoogleSearch;
use rehearsal::framework::environment::Trial;

/// How long each measurement takes.
const TIME: Duration = Duration::from_secs(2);
const ROW: &str = r#"{"responses_create_params":{"input":"?"},"expected_answer":"B","task_difficulty_qwen3_32b_avg_8":0.5}"#;
const KEEP_NOTHING: &str = r#"{"cache":{"searches_max":0,"pages_max":0}}"#;

/// Calls a tool for a while.
async fn measure(
    name: &str,
    settings: &str,
    tool: &str,
    arguments: &str,
) -> Result<(), Box<dyn Error>> {
    let mut trial = Trial::<GoogleSearch>::open(settings, ROW).await?;
    let (started, mut times) = (Instant::now(), Vec::new());
    while started.elapsed() < TIME {
        let before = Instant::now();
        trial.call(tool, arguments).await;
        times.push(before.elapsed());
    }
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>().as_secs_f64() / times.len() as f64;
    let micros = |share: usize| times[(times.len() - 1) * share / 100].as_secs_f64() * 1e6;
    let (rate, median, slow) = (1.0 / mean, micros(50), micros(99));
    println!("{name:<20} {rate:>10.0} /s {median:>10.1} µs {slow:>10.1} µs");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let search = r#"{"query":"engineer who designed the fog horn"}"#;
    let browse = r#"{"url":"https://library.example/ferries/timetable.html"}"#;
    println!("{:<20} {:>13} {:>13} {:>13}", "tool", "calls", "p50", "p99");
    measure("search, kept", "{}", "search", search).await?;
    measure("search, asked", KEEP_NOTHING, "search", search).await?;
    measure("browse, kept", "{}", "browse", browse).await?;
    measure("browse, asked", KEEP_NOTHING, "browse", browse).await?;
    Ok(())
}
