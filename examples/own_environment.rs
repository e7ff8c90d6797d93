//! An environment of one's own, outside of Rehearsal's packages: guess a number, fewer guesses earn
//! more.
//!
//! Run: cargo run --release --example own_environment
//! Prints the reward and the conversation of one rollout.
#![expect(clippy::print_stdout, reason = "an example prints what it shows")]

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The world: nothing is shared between rollouts.
struct GuessNumber;

/// What a dataset row says beyond the prompt; the model never sees it.
#[derive(Deserialize, JsonSchema)]
struct Target {
    number: i64,
}

/// The state of one rollout.
struct Game {
    number: i64,
    guesses: u32,
}

/// Compares a guess with the hidden number.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Guess {
    guess: i64,
}

#[derive(Serialize)]
struct Answer {
    answer: &'static str,
}

async fn guess(_: &GuessNumber, game: &mut Game, arguments: Guess) -> Result<Answer, ToolError> {
    game.guesses += 1;
    let answer = match arguments.guess.cmp(&game.number) {
        std::cmp::Ordering::Less => "higher",
        std::cmp::Ordering::Equal => "correct",
        std::cmp::Ordering::Greater => "lower",
    };
    Ok(Answer { answer })
}

impl Environment for GuessNumber {
    const KIND: &'static str = "guess_number";
    type Config = serde::de::IgnoredAny;
    type Target = Target;
    type Session = Game;

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("guess", guess);
    }

    async fn open(&self, target: &Target) -> Result<Game, EnvironmentError> {
        Ok(Game { number: target.number, guesses: 0 })
    }

    async fn verify(
        &self,
        game: Game,
        target: &Target,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let said = response.last_assistant_text().unwrap_or_default();
        let right = said.contains(&target.number.to_string());
        let reward = if right { 1.0 / f64::from(game.guesses.max(1)) } else { 0.0 };
        Ok(Verdict::new(Reward::new(reward)?).with("guesses", &game.guesses))
    }
}

const CONFIG: &str = r#"
models:
  policy:
    kind: scripted
    settings:
      rules:
        - when: { step: 0 }
          calls: [{ name: guess, arguments: { guess: 50 } }]
        - when: { output: lower }
          calls: [{ name: guess, arguments: { guess: 25 } }]
        - when: { output: correct }
          say: The number is 25.
environments: { game: { kind: guess_number } }
agents: { player: { kind: tool_loop, environment: game, model: policy } }
"#;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let kinds = rehearsal::kinds().environment::<GuessNumber>();
    let config = Loader::new().text("example", CONFIG).load()?;
    let runtime = Runtime::start(config, &kinds).await?;
    let row = r#"{"responses_create_params":{"input":"Find it."},"number":25}"#;
    let task = runtime.task("player", "game/1".into(), row)?;
    let rollout = runtime.submit("player", &task, 0, RolloutPolicy::default()).await?;
    println!("reward {}", rollout.verdict.reward.get());
    for item in &rollout.response.output {
        println!("{}", item.json());
    }
    runtime.stop().await;
    Ok(())
}
