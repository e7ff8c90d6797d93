//! An environment of one's own, outside of Rehearsal's packages: fewer guesses earn more.
//!
//! Run: cargo run --release --example own_environment; prints a reward and its conversation.
#![expect(clippy::print_stdout, reason = "an example prints what it shows")]

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

struct GuessNumber;

/// A number: hidden in the dataset row, where only the environment sees it, or guessed by the model.
#[derive(Deserialize, JsonSchema)]
struct Number {
    number: i64,
}

/// A session is the hidden number and the guesses so far.
async fn guess(_: &GuessNumber, game: &mut (i64, u32), a: Number) -> Result<Value, ToolError> {
    game.1 += 1;
    Ok(json!({ "correct": a.number == game.0, "too_high": a.number > game.0 }))
}

impl Environment for GuessNumber {
    const KIND: &'static str = "guess_number";
    type Config = serde::de::IgnoredAny;
    type Target = Number;
    type Session = (i64, u32);

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("guess", guess);
    }

    async fn open(&self, target: &Number) -> Result<(i64, u32), EnvironmentError> {
        Ok((target.number, 0))
    }

    async fn verify(
        &self,
        (number, guesses): (i64, u32),
        _: &Number,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let said = response.last_assistant_text().unwrap_or_default();
        let right = f64::from(u8::from(said.contains(&number.to_string())));
        let reward = Reward::new(right / f64::from(guesses.max(1)))?;
        Ok(Verdict::new(reward).with("guesses", &guesses))
    }
}

const CONFIG: &str = r#"
models: { policy: { kind: scripted, settings: { rules: [
  { when: { step: 0 }, calls: [{ name: guess, arguments: { number: 50 } }] },
  { when: { output: 'too_high":true' }, calls: [{ name: guess, arguments: { number: 25 } }] },
  { say: The number is 25. } ] } } }
environments: { game: { kind: guess_number } }
agents: { player: { kind: tool_loop, environment: game, model: policy } }
"#;

const ROW: &str = r#"{"responses_create_params":{"input":"Find it."},"number":25}"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kinds = rehearsal::kinds().environment::<GuessNumber>();
    let config = Loader::new().text("example", CONFIG).load()?;
    let runtime = Runtime::start(config, &kinds).await?;
    let task = runtime.task("player", "game/1".into(), ROW)?;
    let rollout = runtime.submit("player", &task, 0, RolloutPolicy::default()).await?;
    println!("reward {}", rollout.verdict.reward.get());
    rollout.response.output.iter().for_each(|item| println!("{}", item.json()));
    runtime.stop().await;
    Ok(())
}
