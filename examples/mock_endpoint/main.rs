//! A fast stand-in for a model, to measure everything but the model: the Responses API, Chat Completions
//! with token ids for who asks for them, and Anthropic's Messages API, each whole or as a stream.
//!
//! Run: cargo run --release --example mock_endpoint -- --latency 'lognormal(20ms,0.5)' --fail 429=0.01
//! CI: --help
//!
//! Prints its `base_url`, then answers what `simple_weather` asks: a call of `get_weather` first, and
//! a message once there is a tool output; or what `--script` says. It runs until it is killed. Its own
//! rate: `wrk -t1 -c64 -d10 -s examples/mock_endpoint/load.lua http://127.0.0.1:PORT`
#![expect(clippy::print_stdout, reason = "whoever starts it reads the address there")]

mod answers;
mod faulty;
mod service;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use rehearsal::framework::config::TimeSpan;
use tokio::net::TcpListener;

use answers::Script;
use faulty::{Latency, Rate};
use service::Mock;

#[derive(Parser)]
struct Options {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How long each answer takes: `20ms`, `uniform(10ms,50ms)`, `exponential(20ms)`, whose mean it is,
    /// or `lognormal(20ms,0.5)`, of that median and deviation.
    #[arg(long, default_value = "0ms", value_parser = Latency::parse)]
    latency: Latency,
    /// How long a stream pauses before each event, such as 5ms.
    #[arg(long, default_value = "0ms", value_parser = time_span)]
    pause: Duration,
    /// Writes whole answers for people, in lines, as OpenAI does.
    #[arg(long)]
    pretty: bool,
    /// A share of the requests, from 0 to 1, that fail in a way, such as `503=0.01`: an HTTP status,
    /// `hang` (no answer), `hang-up`, `truncate` (half an answer) or `garbage`. May be given again.
    #[arg(long, value_parser = Rate::parse)]
    fail: Vec<Rate>,
    /// A JSON file with what is said in each step, the last again and again:
    /// `[{"calls": [{"name": "f", "arguments": {"a": 1}}]}, {"say": "done"}]`.
    #[arg(long)]
    script: Option<PathBuf>,
}

fn time_span(text: &str) -> Result<Duration, serde_json::Error> {
    serde_json::from_value::<TimeSpan>(text.into()).map(TimeSpan::duration)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { port, latency, pause, pretty, fail, script } = Options::parse();
    let script = match script {
        Some(path) => Script::parse(&std::fs::read_to_string(path)?)?,
        None => Script::weather(),
    };
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/v1", listener.local_addr()?);
    let mock = Mock { script, latency, pause, pretty, fail, ..Mock::default() };
    service::serve(Arc::new(mock), listener).await?;
    Ok(())
}
