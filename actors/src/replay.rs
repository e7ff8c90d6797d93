//! The `replay` model: gives back what a model said in recorded rollouts.
//!
//! Environments, verifiers and agents can be changed and tried against real model outputs, without a
//! model and with the same result each time. Any rollouts file will do, NeMo Gym's or ours. A
//! recorded trajectory is cut into model calls: a run of items that the model made, up to the next
//! tool output, is one call, so calls made in parallel stay together.
//!
//! The gold answers of example tasks, `{"turns": [[item, …], …]}` with a turn for each model call, will do
//! as well; they have no prompt, so `match` must be `order`.
//!
//! Which recorded rollout answers is found by `match`, and the history tells how many of its calls
//! have been given back. The model itself keeps nothing, so an attempt that is made again replays
//! exactly.
//!
//! | `match`          | A rollout is answered by the record with |
//! |------------------|------------------------------------------|
//! | `auto` (default) | its task, repeat and prompt; if there is none, as by `prompt` |
//! | `key`            | its task and repeat (`rehearsal.task`, `rehearsal.repeat`) |
//! | `prompt`         | its prompt; several such records serve the repeats in turn |
//! | `order`          | the number of its task's line; repeats are not told apart |

mod prompt;
mod recording;

use std::path::PathBuf;
use std::sync::Arc;

use framework::model::{Generate, Model, ModelError};
use framework::responses::Response;
use framework::task::RolloutKey;
use framework::wiring::{BuildError, Wiring};
use serde::{Deserialize, Serialize};

use crate::turn;
use prompt::Prompt;
use recording::{Recorded, Recording};

/// The model's `settings:`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The rollouts file, a JSONL.
    pub path: PathBuf,
    /// How a rollout finds its record. Default: `auto`.
    #[serde(default)]
    pub r#match: Match,
}

/// How a rollout finds its record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Match {
    /// By task, repeat and prompt, else by prompt.
    #[default]
    Auto,
    /// By task and repeat.
    Key,
    /// By prompt, records of the same prompt in turn.
    Prompt,
    /// The n-th record for the n-th line of the dataset.
    Order,
}

/// A model that gives back recorded outputs.
#[derive(Debug)]
pub struct Replay {
    recording: Arc<Recording>,
    r#match: Match,
}

impl Model for Replay {
    const KIND: &'static str = "replay";
    type Config = Config;

    fn new(config: Config, _: &Wiring) -> Result<Self, BuildError> {
        let recording = Recording::shared(&config.path).map_err(BuildError::new)?;
        Ok(Self { recording, r#match: config.r#match })
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let recorded = self.find(&message)?;
        let step = turn::calls(&message.request.history).count();
        recorded.call(step).ok_or_else(|| {
            let calls = recorded.calls();
            self.miss(format_args!(
                "its record for `{}` (line {}) holds {calls} model calls, and one more is asked for",
                message.key, recorded.line
            ))
        })
    }
}

impl Replay {
    fn find(&self, message: &Generate) -> Result<&Recorded, ModelError> {
        let (recording, key) = (&*self.recording, &message.key);
        let prompt = || Prompt::of_items(message.request.params.input());
        match self.r#match {
            Match::Key => recording.by_key(key).ok_or_else(|| {
                self.miss(format_args!("no record has `rehearsal.task` and `repeat` of `{key}`"))
            }),
            Match::Order => self.by_order(key),
            Match::Prompt => self.by_prompt(key, prompt()),
            Match::Auto => {
                let prompt = prompt();
                let of_key = recording.by_key(key).filter(|recorded| recorded.prompt == prompt);
                of_key.map_or_else(|| self.by_prompt(key, prompt), Ok)
            }
        }
    }

    fn by_prompt(&self, key: &RolloutKey, prompt: Prompt) -> Result<&Recorded, ModelError> {
        let records = self.recording.by_prompt(prompt);
        records.get(key.repeat as usize).copied().ok_or_else(|| {
            self.miss(match records.len() {
                0 => format_args!("no record has the prompt of `{key}`").to_string(),
                count => format!("it has {count} records of the prompt of `{key}`, counted from 0"),
            })
        })
    }

    fn by_order(&self, key: &RolloutKey) -> Result<&Recorded, ModelError> {
        let line = key.task.as_str().rsplit('/').next().and_then(|line| line.parse().ok());
        let line: usize = line.ok_or_else(|| {
            self.miss(format_args!("`match: order` needs a line, and task `{}` has none", key.task))
        })?;
        line.checked_sub(1).and_then(|index| self.recording.by_order(index)).ok_or_else(|| {
            let count = self.recording.len();
            self.miss(format_args!("it has {count} records, none for line {line} of `{key}`"))
        })
    }

    fn miss(&self, what: impl std::fmt::Display) -> ModelError {
        let path = self.recording.path().display();
        ModelError::NoReply { reason: format!("nothing to replay from `{path}`: {what}") }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use framework::responses::{CreateParams, FunctionCall, Item, Request};
    use framework::task::TaskId;
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;

    /// A record of a rollout that made two parallel calls and then said its name.
    fn record(prompt: &str, name: &str, key: Option<(&str, u32)>) -> String {
        let call = |id: &str| {
            let (call_id, name) = (id.into(), "f".into());
            Item::function_call(id, FunctionCall { call_id, name, arguments: "{}".into() })
        };
        let output = [
            call("a"),
            call("b"),
            Item::function_call_output("a", "1"),
            Item::function_call_output("b", "2"),
            Item::output_message("m", name),
        ];
        let usage = json!({"input_tokens": 1, "output_tokens": 2, "total_tokens": 3});
        let mut record = json!({
            "responses_create_params": {"input": prompt, "temperature": null, "zzz": 1},
            "response": {"id": "r", "model": "gpt", "output": output, "usage": usage},
            "reward": 1.0,
        });
        if let Some((task, repeat)) = key {
            record["rehearsal"] = json!({"task": task, "repeat": repeat});
        }
        record.to_string()
    }

    fn replay(records: &[String], r#match: &str) -> Replay {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), records.join("\n")).unwrap();
        let config: Value = json!({"path": file.path(), "match": r#match});
        let config = serde_json::from_value(config).unwrap();
        Replay::new(config, &Wiring::detached("policy")).unwrap()
    }

    async fn ask(
        model: &Replay,
        prompt: &str,
        history: Vec<Item>,
        (task, repeat): (&str, u32),
    ) -> Result<Response, ModelError> {
        let request = Request { params: Arc::new(CreateParams::user(prompt)), history };
        let key = RolloutKey { task: TaskId::from(task), repeat };
        let deadline = Instant::now() + Duration::from_secs(1);
        model
            .generate(Generate { request, key, caller: Arc::from("agents/solver"), deadline })
            .await
    }

    /// What the rollout says at its end.
    async fn said(model: &Replay, prompt: &str, key: (&str, u32)) -> Result<String, String> {
        let calls = ask(model, prompt, vec![], key).await.map_err(|error| error.to_string())?;
        let mut history = calls.output;
        history.push(Item::function_call_output("a", "other"));
        let answer = ask(model, prompt, history, key).await.unwrap();
        Ok(answer.last_assistant_text().unwrap())
    }

    #[tokio::test]
    async fn calls_come_back_one_by_one_and_the_usage_with_the_last() {
        let model = replay(&[record("hi", "x", None)], "auto");
        let key = ("a/b/1", 0);
        let first = ask(&model, "hi", vec![], key).await.unwrap();
        assert_eq!((first.output.len(), first.usage), (2, None));
        let mut history = first.output;
        history.push(Item::function_call_output("a", "{}"));
        let again = ask(&model, "hi", history.clone(), key).await.unwrap();
        let second = ask(&model, "hi", history.clone(), key).await.unwrap();
        assert_eq!((second.output.len(), &*second.model), (1, "gpt"));
        assert_eq!(second.usage.unwrap().total_tokens, 3);
        assert_eq!(again.last_assistant_text(), second.last_assistant_text());
        history.extend(second.output);
        history.push(Item::function_call_output("a", "{}"));
        let error = ask(&model, "hi", history, key).await.unwrap_err().to_string();
        assert!(error.contains("for `a/b/1#0` (line 1) holds 2 model calls"), "{error}");
    }

    #[tokio::test]
    async fn records_of_one_prompt_serve_its_repeats() {
        let records = [record("hi", "x", None), record("ho", "y", None), record("hi", "z", None)];
        let model = replay(&records, "auto");
        assert_eq!(said(&model, "hi", ("a/b/1", 0)).await.unwrap(), "x");
        assert_eq!(said(&model, "hi", ("a/b/1", 1)).await.unwrap(), "z");
        let error = said(&model, "hi", ("a/b/1", 2)).await.unwrap_err();
        assert!(error.contains("it has 2 records of the prompt of `a/b/1#2`"), "{error}");
        let error = said(&model, "hu", ("a/b/3", 0)).await.unwrap_err();
        assert!(error.contains("no record has the prompt of `a/b/3#0`"), "{error}");
    }

    #[tokio::test]
    async fn the_key_decides_unless_the_prompt_is_another() {
        let records = [
            record("hi", "1", Some(("a/b/1", 1))),
            record("hi", "0", Some(("a/b/1", 0))),
            record("ho", "2", Some(("a/b/2", 0))),
        ];
        let model = replay(&records, "auto");
        assert_eq!(said(&model, "hi", ("a/b/1", 1)).await.unwrap(), "1");
        assert_eq!(said(&model, "hi", ("a/b/2", 0)).await.unwrap(), "0");
        let model = replay(&records, "prompt");
        assert_eq!(said(&model, "hi", ("z/z/9", 1)).await.unwrap(), "1");
        let model = replay(&records, "key");
        assert_eq!(said(&model, "hi", ("a/b/2", 0)).await.unwrap(), "2");
        let error = said(&model, "hi", ("a/b/3", 0)).await.unwrap_err();
        assert!(error.contains("no record has `rehearsal.task`"), "{error}");
    }

    #[tokio::test]
    async fn records_can_be_taken_in_the_order_of_the_tasks() {
        let model = replay(&[record("", "x", None), record("", "y", None)], "order");
        assert_eq!(said(&model, "hi", ("a/b/2", 5)).await.unwrap(), "y");
        for (task, expected) in
            [("a/b/3", "it has 2 records, none for line 3"), ("a", "needs a line")]
        {
            let error = said(&model, "hi", (task, 0)).await.unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let config = Config { path: "/nowhere/x.jsonl".into(), r#match: Match::Auto };
        let error = Replay::new(config, &Wiring::detached("policy")).unwrap_err().to_string();
        assert!(error.contains("cannot read `/nowhere/x.jsonl`"), "{error}");
    }
}
