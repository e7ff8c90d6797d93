//! Measures what a verifier that computes for seconds costs the tool calls of another environment.
//!
//! Run: cargo bench --bench fairness

#![expect(clippy::print_stdout, reason = "a benchmark prints what it has found")]

use std::error::Error;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::framework::cpu::CpuPool;
use rehearsal::framework::responses::FunctionCall;
use rehearsal::framework::rollout::Timings;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Tool calls that are measured at a time.
const CALLS: u32 = 1_000_000;
/// How long one verifier of the heavy environment computes.
const BURN: Duration = Duration::from_secs(2);
/// Rollouts that want their verdict from it at once.
const BURNERS: u32 = 16;

static LATENCIES: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

/// An environment whose verifier computes for so long.
struct Arena {
    cpu: CpuPool,
    burn: Duration,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Config {
    burns: bool,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

async fn look(_: &Arena, seen: &mut u32, _: Nothing) -> Result<u32, ToolError> {
    *seen += 1;
    Ok(*seen)
}

fn burn(time: Duration) {
    let started = std::time::Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}

impl Environment for Arena {
    const KIND: &'static str = "arena";
    type Config = Config;
    type Target = Nothing;
    type Session = u32;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let burn = if config.burns { BURN } else { Duration::ZERO };
        Ok(Self { cpu: wiring.cpu(), burn })
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("look", look);
    }

    async fn open(&self, _: &Nothing) -> Result<u32, EnvironmentError> {
        Ok(0)
    }

    async fn verify(&self, _: u32, _: &Nothing, _: &Response) -> Result<Verdict, EnvironmentError> {
        let time = self.burn;
        self.cpu.run(move || burn(time)).await;
        Ok(Verdict::new(Reward::earned(true)))
    }
}

/// An agent that makes so many tool calls, one after the other, and stops their time.
struct Stopwatch {
    ports: Ports,
    calls: u32,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
struct Calls {
    calls: u32,
}

impl Agent for Stopwatch {
    const KIND: &'static str = "stopwatch";
    type Config = Calls;

    fn new(Calls { calls }: Calls, ports: Ports, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self { ports, calls })
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Rollout, Failure> {
        let Attempt { task, deadline, .. } = attempt;
        let session = self.ports.environment.open(task, deadline).await?;
        let call =
            FunctionCall { call_id: "c".into(), name: "look".into(), arguments: "{}".into() };
        for _ in 0..self.calls {
            let started = Instant::now();
            session.call(&call, deadline).await?;
            LATENCIES.lock().unwrap_or_else(PoisonError::into_inner).push(started.elapsed());
        }
        let response = Arc::new(Response::new("r", Arc::from("nobody"), Vec::new()));
        let verdict = session.verify(response.clone(), deadline).await?;
        Ok(Rollout {
            response,
            params: None,
            verdict,
            truncated: None,
            steps: 0,
            timings: Timings::default(),
        })
    }
}

const CONFIG: &str = "
models: { nobody: { kind: scripted, settings: { rules: [{ say: hi }] } } }
environments:
  heavy: { kind: arena, settings: { burns: true } }
  light: { kind: arena }
agents:
  heavy: { kind: stopwatch, environment: heavy, model: nobody }
  light: { kind: stopwatch, environment: light, model: nobody, settings: { calls: 20000 } }
";

/// One rollout of that agent.
async fn roll_out(runtime: &Runtime, agent: &str) -> Result<(), Box<dyn Error>> {
    let row = r#"{"responses_create_params":{"input":"Look."}}"#;
    let task = runtime.task(agent, "bench/1".into(), row)?;
    runtime.submit(agent, &task, 0, RolloutPolicy::default()).await?;
    Ok(())
}

/// Measures the tool calls of one light rollout.
async fn measure(runtime: &Runtime, what: &str) -> Result<(), Box<dyn Error>> {
    roll_out(runtime, "light").await?;
    let taken = std::mem::take(&mut *LATENCIES.lock().unwrap_or_else(PoisonError::into_inner));
    let mut latencies = taken;
    latencies.sort_unstable();
    let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize];
    let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| format!("{:.1?}", at(share)));
    println!("{what:<44} {p50:>10} {p99:>10} {p999:>10}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let kinds = rehearsal::kinds().environment::<Arena>().agent::<Stopwatch>();
    let config = Loader::new().text("fairness", CONFIG).load()?;
    let runtime = Arc::new(Runtime::start(config, &kinds).await?);
    println!("{:<44} {:>10} {:>10} {:>10}", format!("{CALLS} tool calls"), "p50", "p99", "p99.9");
    measure(&runtime, "alone").await?;
    let mut burners = JoinSet::new();
    for _ in 0..BURNERS {
        let runtime = runtime.clone();
        burners.spawn(async move { while roll_out(&runtime, "heavy").await.is_ok() {} });
    }
    // Until the verifiers compute.
    tokio::time::sleep(Duration::from_millis(200)).await;
    measure(&runtime, "beside verifiers that compute for 2 s each").await?;
    burners.shutdown().await;
    Ok(())
}
