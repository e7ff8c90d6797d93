//! A rollout, how it ended, and the line that records it.
//!
//! A failure is a type of its own and has no reward, so it can never be mistaken for a bad score.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use memchr::memchr2;
use serde::{Deserialize, Serialize};

use crate::environment::Verdict;
use crate::responses::{CreateParams, Fields, Response};
use crate::task::{RolloutKey, Task};

/// One finished and scored attempt at a task.
#[derive(Clone, Debug)]
pub struct Rollout {
    /// The last response; its output is the whole trajectory after the prompt.
    pub response: Arc<Response>,
    /// What the model was asked with, where the agent wrote the prompt and not the row: recorded in
    /// place of the row's own.
    pub params: Option<Arc<CreateParams>>,
    /// What the environment made of it.
    pub verdict: Verdict,
    /// The limit that cut it short, if one did.
    pub truncated: Option<Limit>,
    /// Model calls made.
    pub steps: u32,
    /// Where the time went.
    pub timings: Timings,
}

/// A limit that a rollout can run into. It is scored all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The agent's `max_steps`.
    Steps,
    /// The agent's `max_output_tokens`, over all calls.
    Tokens,
    /// The agent's `max_seconds`.
    Time,
    /// The agent's `cost_limit`.
    Cost,
    /// The agent's limit of repetitions: it did the same again and again.
    Repetition,
    /// The model's own limit on one response.
    ModelOutput,
    /// A content filter of the endpoint.
    ContentFilter,
}

/// Seconds spent, by whom.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    /// Waiting for the model.
    pub model: Duration,
    /// Waiting for tools.
    pub tools: Duration,
    /// Verifying.
    pub verify: Duration,
    /// From the start of the attempt to its verdict.
    pub total: Duration,
}

/// Who is to blame for a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Culprit {
    /// The model or its endpoint.
    Model,
    /// The environment, outside of tools and verifier: opening and keeping the session.
    Environment,
    /// A tool that crashed or ran out of time. (A call that the model got wrong is no failure.)
    Tool,
    /// The agent.
    Agent,
    /// The verifier.
    Verifier,
    /// The runtime: a rollout's deadline, a shard that is gone, a shutdown.
    Runtime,
}

impl Culprit {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Model, Self::Environment, Self::Tool, Self::Agent, Self::Verifier, Self::Runtime];

    /// The word used in records, metrics and summaries.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Environment => "environment",
            Self::Tool => "tool",
            Self::Agent => "agent",
            Self::Verifier => "verifier",
            Self::Runtime => "runtime",
        }
    }
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An attempt that came to nothing. It is never a reward.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{culprit}: {error}")]
pub struct Failure {
    /// Who is to blame.
    pub culprit: Culprit,
    /// What happened, for people.
    pub error: String,
    /// Whether another attempt may fare better.
    pub retryable: bool,
    /// Set if the attempt was turned away by a dependency that is known to be down: for how long.
    /// Such an attempt costs nothing and is not counted.
    pub held_off: Option<Duration>,
    /// Further things to know; each becomes a top-level key of the record.
    pub extras: Fields,
    /// What was to be verified, if that is what failed. It can be verified later.
    pub response: Option<Arc<Response>>,
}

impl Failure {
    /// A failure that another attempt may not meet.
    pub fn retryable(culprit: Culprit, error: impl fmt::Display) -> Self {
        Self::new(culprit, error, true)
    }

    /// A failure of which it is known whether another attempt may fare better.
    pub fn new(culprit: Culprit, error: impl fmt::Display, retryable: bool) -> Self {
        let (error, extras) = (error.to_string(), Fields::default());
        Self { culprit, error, retryable, held_off: None, extras, response: None }
    }

    /// A failure that every attempt would meet.
    pub fn permanent(culprit: Culprit, error: impl fmt::Display) -> Self {
        Self::new(culprit, error, false)
    }
}

/// How a rollout ended, as records and metrics name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Completed and scored.
    Scored,
    /// Cut short by a limit, and scored.
    Truncated,
    /// Given up after the last attempt; not scored.
    Failed,
}

impl Outcome {
    /// The word used in records and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Scored => "scored",
            Self::Truncated => "truncated",
            Self::Failed => "failed",
        }
    }
}

impl Rollout {
    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        if self.truncated.is_some() { Outcome::Truncated } else { Outcome::Scored }
    }
}

/// What stands under a record's `rehearsal` key.
#[derive(Debug, Serialize)]
struct Provenance<'a> {
    task: &'a str,
    repeat: u32,
    attempt: u32,
    agent: &'a str,
    environment: &'a str,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<Limit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureText<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timings: Option<TimingSeconds>,
}

#[derive(Debug, Serialize)]
struct FailureText<'a> {
    culprit: Culprit,
    error: &'a str,
    retryable: bool,
}

/// [`Timings`] as records write them.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct TimingSeconds {
    model: f32,
    tools: f32,
    verify: f32,
    total: f32,
}

impl From<Timings> for TimingSeconds {
    fn from(timings: Timings) -> Self {
        let Timings { model, tools, verify, total } = timings;
        let seconds = |duration: Duration| duration.as_micros() as f32 / 1e6;
        Self {
            model: seconds(model),
            tools: seconds(tools),
            verify: seconds(verify),
            total: seconds(total),
        }
    }
}

impl From<TimingSeconds> for Timings {
    fn from(seconds: TimingSeconds) -> Self {
        let TimingSeconds { model, tools, verify, total } = seconds;
        let duration = |seconds: f32| Duration::try_from_secs_f32(seconds).unwrap_or_default();
        Self {
            model: duration(model),
            tools: duration(tools),
            verify: duration(verify),
            total: duration(total),
        }
    }
}

/// Whose rollout it is and which attempt: what its record names besides its content.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The task's key and repeat.
    pub key: &'a RolloutKey,
    /// The agent's name.
    pub agent: &'a str,
    /// The environment's name.
    pub environment: &'a str,
    /// Which attempt, from 1.
    pub attempt: u32,
}

impl Origin<'_> {
    /// The record of a scored rollout: the row, `response`, `reward`, the verifier's extras, and
    /// `rehearsal`. One line without its end.
    pub fn record(&self, task: &Task, rollout: &Rollout) -> String {
        let mut line = String::with_capacity(3072);
        let params = rollout.params.as_ref().unwrap_or(&task.params);
        write_row(task, params, |name| rollout.verdict.extras.contains(name), &mut line);
        line.push_str(",\"response\":");
        rollout.response.write_json(&mut line);
        line.push_str(",\"reward\":");
        push_json(&mut line, &rollout.verdict.reward.get());
        rollout.verdict.extras.write_into(&mut line);
        let provenance = Provenance {
            outcome: rollout.outcome(),
            limit: rollout.truncated,
            steps: Some(rollout.steps),
            timings: Some(rollout.timings.into()),
            ..self.provenance()
        };
        line.push_str(",\"rehearsal\":");
        push_json(&mut line, &provenance);
        line.push('}');
        one_line(line)
    }

    /// The record of a rollout that was given up: the row, the `response` that could not be verified,
    /// the failure's extras, and `rehearsal`, which says why. It has no `reward`.
    pub fn failure_record(&self, task: &Task, failure: &Failure) -> String {
        let Failure { culprit, error, retryable, held_off: _, extras, response } = failure;
        let mut line = String::new();
        write_row(task, &task.params, |name| extras.contains(name), &mut line);
        if let Some(response) = response {
            line.push_str(",\"response\":");
            response.write_json(&mut line);
        }
        extras.write_into(&mut line);
        let text = FailureText { culprit: *culprit, error, retryable: *retryable };
        let provenance =
            Provenance { outcome: Outcome::Failed, failure: Some(text), ..self.provenance() };
        line.push_str(",\"rehearsal\":");
        push_json(&mut line, &provenance);
        line.push('}');
        one_line(line)
    }

    fn provenance(&self) -> Provenance<'_> {
        Provenance {
            task: self.key.task.as_str(),
            repeat: self.key.repeat,
            attempt: self.attempt,
            agent: self.agent,
            environment: self.environment,
            outcome: Outcome::Scored,
            limit: None,
            failure: None,
            steps: None,
            timings: None,
        }
    }
}

/// JSON in one line: some endpoints write theirs for people, and their text is in it as it came. A line
/// break cannot be part of a string, nor can the white space that indents the next line.
pub(crate) fn one_line(json: String) -> String {
    let mut rest = json.as_str();
    let mut line = String::new();
    while let Some(end) = memchr2(b'\n', b'\r', rest.as_bytes()) {
        line.push_str(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    if line.is_empty() {
        return json;
    }
    line.push_str(rest);
    line
}

/// Writes the row without the keys that the record overrides, and leaves the object open.
fn write_row(
    task: &Task,
    params: &CreateParams,
    overridden: impl Fn(&str) -> bool,
    line: &mut String,
) {
    line.push_str("{\"responses_create_params\":");
    params.write_json(line);
    for (name, value) in task.extras.iter() {
        // Trainers take a top-level `error` for a failed request.
        if name != "error" && !overridden(name) {
            crate::responses::push_key(line, name);
            line.push_str(value.get());
        }
    }
}

fn push_json(line: &mut String, value: &impl Serialize) {
    let mut bytes = std::mem::take(line).into_bytes();
    serde_json::to_writer(&mut bytes, value).expect("plain data serialises to JSON");
    *line = String::from_utf8(bytes).expect("serde_json writes UTF-8");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::{EnvironmentError, Reward};
    use crate::responses::{Item, Role};
    use crate::task::{Row, Target, TaskId};
    use serde_json::Value;

    fn task(line: &str) -> Task {
        Task::new(
            TaskId::of_row("solver", "example", 1),
            Row::parse(line).unwrap(),
            Target::new(()),
        )
    }

    fn rollout() -> Rollout {
        let output = vec![Item::output_message("m", "hello")];
        Rollout {
            response: Arc::new(Response::new("r", Arc::from("scripted"), output)),
            params: None,
            verdict: Verdict::new(Reward::ONE).with("accuracy", &true).with("id", &9),
            truncated: None,
            steps: 1,
            timings: Timings::default(),
        }
    }

    #[test]
    fn a_record_is_the_row_the_response_the_reward_and_what_is_ours() {
        let task = task(r#"{"responses_create_params":{"input":"hi","top_p":1},"id":7,"x":[1]}"#);
        let key = task.rollout(2);
        let origin = Origin { key: &key, agent: "solver", environment: "weather", attempt: 1 };
        let line = origin.record(&task, &rollout());
        assert_eq!(line.matches("\"id\":9").count(), 1);
        let fields = Fields::parse(&line).unwrap();
        assert!(!fields.contains("error"));
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["responses_create_params"]["input"][0]["content"], "hi");
        assert_eq!(value["x"][0], 1);
        assert_eq!(value["id"], 9, "the verifier's extra wins over the row's key");
        assert_eq!(value["reward"], 1.0);
        assert_eq!(value["response"]["output"][0]["content"][0]["text"], "hello");
        assert_eq!(value["rehearsal"]["task"], "solver/example/1");
        assert_eq!(value["rehearsal"]["outcome"], "scored");
    }

    #[test]
    fn a_prompt_that_the_agent_wrote_is_recorded_in_place_of_the_rows() {
        let task = task(r#"{"responses_create_params":{"input":[],"top_p":0.5}}"#);
        let key = task.rollout(0);
        let origin = Origin { key: &key, agent: "solver", environment: "weather", attempt: 1 };
        let asked = task.params.with_input(vec![Item::message(Role::User, "fix it")]);
        let rollout = Rollout { params: Some(Arc::new(asked)), ..rollout() };
        let value: Value = serde_json::from_str(&origin.record(&task, &rollout)).unwrap();
        assert_eq!(value["responses_create_params"]["input"][0]["content"], "fix it");
        assert_eq!(value["responses_create_params"]["top_p"], 0.5);
    }

    #[test]
    fn a_record_is_one_line_however_the_endpoint_writes() {
        let task = task(r#"{"responses_create_params":{"input":"hi"}}"#);
        let key = task.rollout(0);
        let origin = Origin { key: &key, agent: "solver", environment: "weather", attempt: 1 };
        let content =
            serde_json::json!([{ "type": "output_text", "text": "a\n  b", "annotations": [] }]);
        let item = serde_json::json!({ "type": "message", "id": "m", "role": "assistant", "content": content,
            "prompt_token_ids": [1], "generation_token_ids": [2, 3], "generation_log_probs": [-0.5, 0.0] });
        let response = serde_json::json!({ "id": "r", "output": [item], "extra": { "a": [1] } });
        for line_end in ["\n", "\r\n"] {
            let text = serde_json::to_string_pretty(&response).unwrap().replace('\n', line_end);
            let response = Arc::new(Response::parse(&text).unwrap());
            let line = origin.record(&task, &Rollout { response, ..rollout() });
            assert!(!line.contains(['\n', '\r']), "{line}");
            let value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["response"]["output"][0]["content"], content);
            assert_eq!(value["response"]["output"][0]["generation_token_ids"][1], 3);
            assert_eq!(value["response"]["extra"]["a"][0], 1);
        }
    }

    #[test]
    fn a_failure_record_has_no_reward() {
        let task = task(r#"{"responses_create_params":{"input":"hi"}}"#);
        let key = task.rollout(0);
        let origin = Origin { key: &key, agent: "solver", environment: "weather", attempt: 3 };
        let failure = Failure::retryable(Culprit::Model, "endpoint is down");
        let value: Value = serde_json::from_str(&origin.failure_record(&task, &failure)).unwrap();
        assert!(value.get("reward").is_none() && value.get("response").is_none());
        assert_eq!(value["rehearsal"]["failure"]["culprit"], "model");
    }

    #[test]
    fn a_failure_record_has_what_could_not_be_verified_and_the_failures_extras() {
        let task = task(r#"{"responses_create_params":{"input":"hi"},"asked":"row","reward":1}"#);
        let key = task.rollout(0);
        let origin = Origin { key: &key, agent: "solver", environment: "weather", attempt: 3 };
        let error = EnvironmentError::temporary("the judge is down").with("asked", &["me"]);
        let failure = error.blamed_on(Culprit::Verifier);
        let failure = Failure { response: Some(rollout().response), ..failure };
        let line = origin.failure_record(&task, &failure);
        assert_eq!(line.matches("\"asked\"").count(), 1);
        let value: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["asked"][0], "me");
        assert_eq!(value["response"]["output"][0]["content"][0]["text"], "hello");
        assert_eq!(value["rehearsal"]["failure"]["error"], "the judge is down");
        assert!(value.get("reward").is_none() && value.get("error").is_none());
    }
}
