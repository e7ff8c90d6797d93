//! A fast stand-in for a model, to measure everything but the model: the Responses API, Chat Completions
//! with token ids for who asks for them, and Anthropic's Messages API.
//!
//! Run: cargo run --release --example mock_endpoint -- --latency 20ms --fail-rate 0.01
//! CI: --help
//!
//! Prints its `base_url`, then answers what `simple_weather` asks: a call of `get_weather` first, and
//! a message once there is a tool output. It runs until it is killed.
#![expect(clippy::print_stdout, reason = "whoever starts it reads the address there")]

mod service;

use std::error::Error;
use std::sync::Arc;

use clap::Parser;
use rehearsal::framework::config::TimeSpan;
use tokio::net::TcpListener;

use service::Mock;

#[derive(Parser)]
struct Options {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How long each answer takes, such as 20ms.
    #[arg(long, default_value = "0ms", value_parser = time_span)]
    latency: TimeSpan,
    /// The share of requests that are answered 503, from 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    fail_rate: f64,
}

fn time_span(text: &str) -> Result<TimeSpan, serde_json::Error> {
    serde_json::from_value(text.into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { port, latency, fail_rate } = Options::parse();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/v1", listener.local_addr()?);
    let mock = Arc::new(Mock::new(latency.duration(), fail_rate));
    service::serve(mock, listener).await?;
    Ok(())
}
