//! A world in which every row earns a reward of its own, so that no rollout can be lost, doubled,
//! mixed up or scored wrongly without showing.
//!
//! Row `n` asks to book `n`; the model calls `book` with it, the session adds up, and the verifier
//! pays `n / 1000` if the sum is `n`, and `-1` if it is not.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::Arc;

use rehearsal::actors::tool_loop::{self, ToolLoop};
use rehearsal::framework::model::ModelError;
use rehearsal::framework::responses::FunctionCall;
use rehearsal::framework::rollout::Culprit;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scene::{Fault, Place, Scene};

/// What ships, and the ledger.
pub(crate) fn kinds() -> Kinds {
    rehearsal::kinds().model::<Clerk>().environment::<Ledger>().agent::<Bookkeeper>()
}

/// A dataset of that many rows.
pub(crate) fn dataset(rows: u32) -> String {
    let mut text = String::new();
    for row in 1..=rows {
        writeln!(text, r#"{{"responses_create_params":{{"input":"Book {row}."}},"amount":{row}}}"#)
            .unwrap();
    }
    text
}

/// What a row earns in a run in which nothing goes wrong.
pub(crate) fn reward(row: u32) -> f64 {
    f64::from(row) / 1000.0
}

/// The settings of all three kinds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    scene: String,
}

/// The model.
pub(crate) struct Clerk {
    scene: Arc<Scene>,
}

impl Model for Clerk {
    const KIND: &'static str = "clerk";
    type Config = Config;

    fn new(config: Config, _: &Wiring) -> Result<Self, BuildError> {
        let scene = Scene::named(&config.scene);
        scene.build().map_err(BuildError::new)?;
        Ok(Self { scene })
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let row = row_of(&message.request);
        let is_first_call = message.request.history.is_empty();
        if is_first_call && let Some(fault) = self.scene.visit(Place::Model, row).await {
            return Err(error_of(fault));
        }
        let sum = message.request.history.last().map(|item| item.field::<String>("output"));
        let is_booked = sum.flatten().is_some_and(|sum| sum == row.to_string());
        let item = if is_booked {
            Item::output_message("m", "Booked.")
        } else {
            let arguments = format!("{{\"amount\":{row}}}");
            let call = FunctionCall {
                call_id: "c".into(),
                name: "book".into(),
                arguments: arguments.into(),
            };
            Item::function_call("f", call)
        };
        Ok(Response::new("r", Arc::from("clerk"), vec![item]))
    }
}

fn row_of(request: &Request) -> u32 {
    let prompt = request.params.input().last().map(Item::text).unwrap_or_default();
    prompt.trim_start_matches("Book ").trim_end_matches('.').parse().unwrap()
}

fn error_of(fault: Fault) -> ModelError {
    let endpoint = "http://nowhere".to_owned();
    let text = "injected".to_owned();
    match fault {
        Fault::Permanent => ModelError::Authentication { endpoint, status: 401, message: text },
        Fault::Garbage => ModelError::Malformed { endpoint, reason: text },
        Fault::Temporary
        | Fault::Panic
        | Fault::Hang
        | Fault::Slow
        | Fault::Block
        | Fault::Gone => ModelError::Connection { endpoint, reason: text },
    }
}

/// The environment.
pub(crate) struct Ledger {
    scene: Arc<Scene>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Target {
    amount: u32,
}

/// The account of one rollout.
pub(crate) struct Account {
    row: u32,
    sum: u32,
}

/// Books an amount.
#[derive(Deserialize, JsonSchema)]
struct Book {
    amount: u32,
}

/// A sum, or what JSON cannot say: a map whose keys are no text.
#[derive(Serialize)]
#[serde(untagged)]
enum Booked {
    Sum(u32),
    Garbage(HashMap<(u8, u8), u8>),
}

async fn book(ledger: &Ledger, account: &mut Account, args: Book) -> Result<Booked, ToolError> {
    match ledger.scene.visit(Place::Tool, account.row).await {
        Some(Fault::Garbage) => return Ok(Booked::Garbage(HashMap::from([((0, 0), 0)]))),
        Some(_) => return Err(ToolError::text("the ledger is locked, try again")),
        None => {}
    }
    account.sum += args.amount;
    Ok(Booked::Sum(account.sum))
}

impl Environment for Ledger {
    const KIND: &'static str = "ledger";
    type Config = Config;
    type Target = Target;
    type Session = Account;

    fn new(config: Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self { scene: Scene::named(&config.scene) })
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("book", book);
    }

    async fn open(&self, target: &Target) -> Result<Account, EnvironmentError> {
        match self.scene.visit(Place::Open, target.amount).await {
            Some(Fault::Permanent) => Err(EnvironmentError::permanent("injected")),
            Some(_) => Err(EnvironmentError::temporary("injected")),
            None => Ok(Account { row: target.amount, sum: 0 }),
        }
    }

    async fn verify(
        &self,
        account: Account,
        target: &Target,
        _: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        match self.scene.visit(Place::Verifier, target.amount).await {
            Some(Fault::Permanent) => return Err(EnvironmentError::permanent("injected")),
            Some(Fault::Garbage) => return Ok(Verdict::new(Reward::new(f64::NAN)?)),
            Some(_) => return Err(EnvironmentError::temporary("injected")),
            None => {}
        }
        let earned = if account.sum == target.amount { reward(target.amount) } else { -1.0 };
        Ok(Verdict::new(Reward::new(earned)?).with("sum", &account.sum))
    }
}

/// The agent: `tool_loop` with mishaps before it.
pub(crate) struct Bookkeeper {
    scene: Arc<Scene>,
    inner: ToolLoop,
}

impl Agent for Bookkeeper {
    const KIND: &'static str = "bookkeeper";
    type Config = Config;

    fn new(config: Config, ports: Ports, wiring: &Wiring) -> Result<Self, BuildError> {
        let scene = Scene::named(&config.scene);
        Ok(Self { scene, inner: ToolLoop::new(tool_loop::Config::default(), ports, wiring)? })
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Rollout, Failure> {
        let row = attempt.key.task.as_str().rsplit('/').next().and_then(|row| row.parse().ok());
        match self.scene.visit(Place::Agent, row.unwrap_or(0)).await {
            Some(Fault::Permanent) => Err(Failure::permanent(Culprit::Agent, "injected")),
            Some(_) => Err(Failure::retryable(Culprit::Agent, "injected")),
            None => self.inner.attempt(attempt).await,
        }
    }
}
