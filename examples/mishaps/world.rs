//! A world in which everything breaks at random, and in which every row earns a reward of its own, so
//! that a rollout that is lost, doubled or scored wrongly shows.
//!
//! Row `n` says `n`; the model books `n`, the session adds up, and the verifier pays `n / 1000` for the
//! sum `n`, else -1.

use std::fmt::Write;
use std::io::Write as _;
use std::sync::Arc;

use rehearsal::actors::tool_loop::{self, ToolLoop};
use rehearsal::framework::config::Config;
use rehearsal::framework::model::ModelError;
use rehearsal::framework::responses::FunctionCall;
use rehearsal::framework::rollout::Culprit;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use tempfile::TempPath;

use super::mischief::visit;

type AnyError = Box<dyn std::error::Error>;

/// The model.
pub(crate) struct Clerk;

impl Model for Clerk {
    const KIND: &'static str = "clerk";
    type Config = serde::de::IgnoredAny;

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let garbled =
            |reason: &str| ModelError::Malformed { endpoint: "here".into(), reason: reason.into() };
        visit("model").await.map_err(garbled)?;
        let prompt = message.request.params.input().last().map(Item::text).unwrap_or_default();
        let item = match message.request.history.is_empty() {
            true => Item::function_call(
                "f",
                FunctionCall {
                    call_id: "c".into(),
                    name: "book".into(),
                    arguments: format!("{{\"amount\":{prompt}}}").into(),
                },
            ),
            false => Item::output_message("m", "Booked."),
        };
        Ok(Response::new("r", Arc::from("clerk"), vec![item]))
    }
}

/// The environment.
pub(crate) struct Ledger;

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Target {
    amount: u32,
}

/// Books an amount.
#[derive(Deserialize, JsonSchema)]
struct Book {
    amount: u32,
}

async fn book(_: &Ledger, sum: &mut u32, args: Book) -> Result<u32, ToolError> {
    // Before anything is booked: what is garbled, the model could say again, but ours does not.
    assert!(visit("tool").await.is_ok(), "garbled");
    *sum += args.amount;
    Ok(*sum)
}

impl Environment for Ledger {
    const KIND: &'static str = "ledger";
    type Config = serde::de::IgnoredAny;
    type Target = Target;
    type Session = u32;

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("book", book);
    }

    async fn open(&self, _: &Target) -> Result<u32, EnvironmentError> {
        visit("open").await.map(|()| 0).map_err(EnvironmentError::temporary)
    }

    async fn verify(
        &self,
        sum: u32,
        target: &Target,
        _: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        visit("verify").await.map_err(EnvironmentError::temporary)?;
        let earned = if sum == target.amount { reward(sum) } else { -1.0 };
        Ok(Verdict::new(Reward::new(earned)?))
    }
}

/// What a row earns.
pub(crate) fn reward(row: u32) -> f64 {
    f64::from(row) / 1000.0
}

/// The agent: `tool_loop`, clumsily.
pub(crate) struct Clumsy(ToolLoop);

impl Agent for Clumsy {
    const KIND: &'static str = "clumsy";
    type Config = serde::de::IgnoredAny;

    fn new(_: Self::Config, ports: Ports, wiring: &Wiring) -> Result<Self, BuildError> {
        ToolLoop::new(tool_loop::Config::default(), ports, wiring).map(Self)
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Rollout, Failure> {
        let garbled = |reason| Failure::retryable(Culprit::Agent, reason);
        visit("agent").await.map_err(garbled)?;
        self.0.attempt(attempt).await
    }
}

/// What ships, and this world.
pub(crate) fn kinds() -> Kinds {
    rehearsal::kinds().model::<Clerk>().environment::<Ledger>().agent::<Clumsy>()
}

/// `worlds` environments with a model and an agent each; each agent has all rows `repeats` times, from
/// a file that lives as long as the path.
pub(crate) fn config(
    worlds: usize,
    rows: u32,
    repeats: u32,
) -> Result<(Config, TempPath), AnyError> {
    let mut file = tempfile::NamedTempFile::with_suffix(".jsonl")?;
    for row in 1..=rows {
        let input = format!(r#"{{"input":"{row}"}}"#);
        writeln!(file, r#"{{"responses_create_params":{input},"amount":{row}}}"#)?;
    }
    let path = file.into_temp_path();
    let (mut models, mut environments, mut agents) = (String::new(), String::new(), String::new());
    for n in 0..worlds {
        writeln!(models, "  w{n}: {{ kind: clerk, timeout: 300ms }}")?;
        let limits = "tool_timeout: 300ms, verify_timeout: 300ms, session_idle_timeout: 2s";
        writeln!(environments, "  w{n}: {{ kind: ledger, {limits} }}")?;
        let data = format!("[{{ name: t, type: example, path: '{}' }}]", path.display());
        let wiring = format!("environment: w{n}, model: w{n}, datasets: {data}");
        writeln!(agents, "  w{n}: {{ kind: clumsy, {wiring} }}")?;
    }
    let names: Vec<_> = (0..worlds).map(|n| format!("w{n}")).collect();
    let yaml = format!(
        "models:\n{models}environments:\n{environments}agents:\n{agents}\
         collect:\n  {{ output: unused, agents: [{}], repeats: {repeats}, max_in_flight: 256,\n    \
         max_attempts: 50, rollout_timeout: 1s }}\n",
        names.join(", ")
    );
    Ok((Loader::new().text("mishaps", &yaml).load()?, path))
}
