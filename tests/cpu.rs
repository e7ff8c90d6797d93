//! CPU-heavy verification: what one environment computes does not hold up another.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::Duration;

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::framework::cpu::CpuPool;
use rehearsal::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::support::scrape::Scrape;
use crate::support::until;

/// Keeps threads busy until it is opened, which stands for seconds of computing.
#[derive(Default)]
struct Furnace {
    state: Mutex<(u32, bool)>,
    opened: Condvar,
}

impl Furnace {
    fn named(name: &str) -> Arc<Self> {
        static FURNACES: LazyLock<Mutex<HashMap<String, Arc<Furnace>>>> =
            LazyLock::new(Mutex::default);
        FURNACES.lock().unwrap().entry(name.to_owned()).or_default().clone()
    }

    fn burn(&self) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        let _opened = self.opened.wait_while(state, |state| !state.1).unwrap();
    }

    fn burning(&self) -> u32 {
        self.state.lock().unwrap().0
    }

    fn open(&self) {
        self.state.lock().unwrap().1 = true;
        self.opened.notify_all();
    }
}

/// An environment whose verifier computes.
struct Prover {
    cpu: CpuPool,
    furnace: Option<Arc<Furnace>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    furnace: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
struct Nothing {}

#[derive(Serialize)]
struct Guess {
    guess: u32,
}

async fn guess(_: &Prover, _: &mut (), _: Nothing) -> Result<Guess, ToolError> {
    Ok(Guess { guess: 1 })
}

impl Environment for Prover {
    const KIND: &'static str = "prover";
    type Config = Config;
    type Target = Nothing;
    type Session = ();

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let furnace = config.furnace.map(|name| Furnace::named(&name));
        Ok(Self { cpu: wiring.cpu(), furnace })
    }

    fn tools(tools: &mut Tools<Self>) {
        tools.add("guess", guess);
    }

    async fn open(&self, _: &Nothing) -> Result<(), EnvironmentError> {
        Ok(())
    }

    async fn verify(
        &self,
        (): (),
        _: &Nothing,
        response: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        let (furnace, items) = (self.furnace.clone(), response.output.len());
        let proven = self.cpu.run(move || {
            if let Some(furnace) = furnace {
                furnace.burn();
            }
            assert!(items > 2, "there is nothing to prove");
            true
        });
        Ok(Verdict::new(Reward::earned(proven.await)))
    }
}

/// Two environments, four models that call a tool and one that does not.
fn config(furnace: &str) -> String {
    format!(
        "
models:
  guesser:
    kind: scripted
    settings:
      rules: [{{ when: {{ step: 0 }}, calls: [{{ name: guess, arguments: {{}} }}] }}, {{ say: done }}]
  mute: {{ kind: scripted, settings: {{ rules: [{{ say: nothing }}] }} }}
environments:
  heavy: {{ kind: prover, settings: {{ furnace: {furnace} }} }}
  light: {{ kind: prover }}
agents:
  heavy: {{ kind: tool_loop, environment: heavy, model: guesser }}
  light: {{ kind: tool_loop, environment: light, model: guesser }}
  mute: {{ kind: tool_loop, environment: light, model: mute }}
runtime: {{ shards: 1, cpu_threads: 2, cpu_queue: 4 }}
"
    )
}

const ROW: &str = r#"{"responses_create_params":{"input":"Guess."}}"#;

async fn runtime(furnace: &str) -> Arc<Runtime> {
    let config = Loader::new().text("cpu", &config(furnace)).load().unwrap();
    let kinds = rehearsal::kinds().environment::<Prover>();
    Arc::new(Runtime::start(config, &kinds).await.unwrap())
}

async fn roll_out(runtime: &Runtime, agent: &str, repeat: u32) -> f64 {
    let task = runtime.task(agent, "cpu/1".into(), ROW).unwrap();
    let rollout = runtime.submit(agent, &task, repeat, RolloutPolicy::default()).await;
    rollout.unwrap().verdict.reward.get()
}

#[tokio::test]
async fn while_one_environments_verifiers_compute_anothers_rollouts_go_on() {
    let runtime = runtime("fair").await;
    let furnace = Furnace::named("fair");
    let heavy: Vec<_> = (0..32)
        .map(|repeat| {
            let runtime = runtime.clone();
            tokio::spawn(async move { roll_out(&runtime, "heavy", repeat).await })
        })
        .collect();
    until("all threads compute", || furnace.burning() == 2).await;

    // On the same single shard, with tool calls and with verifiers that compute as well.
    for repeat in 0..200 {
        assert_eq!(roll_out(&runtime, "light", repeat).await, 1.0);
    }
    assert_eq!(furnace.burning(), 2, "no more than its share, and nothing of it has ended");
    assert!(heavy.iter().all(|rollout| !rollout.is_finished()));

    furnace.open();
    for rollout in heavy {
        assert_eq!(rollout.await.unwrap(), 1.0);
    }
}

#[tokio::test]
async fn a_panic_on_the_pool_is_the_verifiers_failure() {
    let runtime = runtime("unused").await;
    let task = runtime.task("mute", "cpu/1".into(), ROW).unwrap();
    let policy = RolloutPolicy { attempts_max: 1, ..RolloutPolicy::default() };
    let failure = runtime.submit("mute", &task, 0, policy).await.unwrap_err().to_string();
    assert!(failure.starts_with("verifier: ") && failure.contains("crashed"), "{failure}");
    assert_eq!(roll_out(&runtime, "light", 0).await, 1.0);
}

/// Rows of the environments that verify text, and how many of the jobs that a short answer and a long one
/// make go to the pool.
fn texts() -> [(&'static str, serde_json::Value, [f64; 2]); 6] {
    let matching = r"\b(\w)\b";
    let options = json!([{ "A": "a" }, { "B": "b" }]);
    let instructions = json!(["punctuation:no_comma"]);
    [
        ("mcqa", json!({ "options": options, "expected_answer": "A" }), [0.0, 1.0]),
        (
            "mcqa",
            json!({ "expected_answer": "A", "template_metadata": { "output_regex": matching } }),
            [1.0, 1.0],
        ),
        ("structured_outputs", json!({ "schema_str": "{}" }), [0.0, 1.0]),
        ("structured_outputs", json!({ "schema_str": r#"{"pattern":"a"}"# }), [1.0, 1.0]),
        (
            "instruction_following",
            json!({ "prompt": "?", "instruction_id_list": instructions, "kwargs": [null] }),
            [1.0, 1.0],
        ),
        (
            "equivalence_llm_judge",
            json!({ "expected_answer": "A", "template_metadata": { "output_regex": matching } }),
            [1.0, 1.0],
        ),
    ]
}

#[tokio::test]
async fn what_verifiers_of_text_compute_for_long_leaves_its_shard() {
    for (index, (kind, mut row, expected)) in texts().into_iter().enumerate() {
        let name = format!("text-{index}");
        let settings = match kind {
            "equivalence_llm_judge" => json!({ "judge_model": "judge" }),
            _ => json!({}),
        };
        let judge = json!({ "kind": "scripted", "settings": { "rules": [{ "say": "[[A=B]]" }] } });
        let config = json!({
            "models": { "judge": judge },
            "environments": { (&name): { "kind": kind, "settings": settings } },
            "telemetry": { "prometheus": "127.0.0.1:0" },
        });
        let config = Loader::new().text("text", &config.to_string()).load().unwrap();
        let runtime = Runtime::start(config, &rehearsal::kinds()).await.unwrap();
        row["responses_create_params"] = json!({ "input": "?" });
        let task = runtime.environment_task(&name, "a/b/1".into(), &row.to_string()).unwrap();
        let labels = [&*format!("environment=\"{name}\""), "status=\"ok\""];
        let mut jobs = Vec::new();
        for length in [8, 64 << 10] {
            let said = Item::output_message("m", &"a ".repeat(length));
            let response = Arc::new(Response::new("r", "m".into(), vec![said]));
            let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
            runtime.verify(&name, &task, &response, deadline).await.unwrap();
            let scrape = Scrape::of(runtime.metrics_address().unwrap());
            jobs.push(scrape.sum("rehearsal_cpu_jobs_total", &labels) - jobs.iter().sum::<f64>());
        }
        assert_eq!(jobs, expected, "{kind} {row}");
        runtime.stop().await;
    }
}
