//! A recorded rollout, as far as an export needs it.

use framework::responses::{CreateParams, Fields, Response};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Skip;

/// Keys of records that exports write themselves, or that say nothing about the task.
const OWN: [&str; 4] = ["responses_create_params", "response", "reward", "rehearsal"];

/// A rollout that was scored.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) params: CreateParams,
    pub(super) response: Response,
    pub(super) head: Head,
    /// What else stands in the record.
    pub(super) extras: Fields,
}

/// What a record says about its rollout without the rollout itself.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) agent: String,
    pub(super) task: String,
    pub(super) repeat: Option<u32>,
    pub(super) reward: f64,
    pub(super) is_truncated: bool,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    responses_create_params: Option<&'a RawValue>,
    #[serde(borrow)]
    response: Option<ResponseHead<'a>>,
    reward: Option<f64>,
    #[serde(default)]
    rehearsal: Provenance,
    #[serde(default)]
    agent_ref: AgentRef,
    #[serde(rename = "_ng_task_index")]
    task_index: Option<u64>,
    #[serde(rename = "_ng_rollout_index")]
    rollout_index: Option<u32>,
}

#[derive(Deserialize)]
struct ResponseHead<'a> {
    #[serde(borrow)]
    incomplete_details: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Provenance {
    task: Option<String>,
    repeat: Option<u32>,
    agent: Option<String>,
    outcome: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct AgentRef {
    name: Option<String>,
}

impl Head {
    /// Reads what is needed to choose among rollouts.
    pub(super) fn parse(text: &[u8]) -> Result<Self, Skip> {
        let line: Line<'_> = serde_json::from_slice(text).map_err(malformed)?;
        let response = line.response.ok_or_else(|| malformed("it has no `response`"))?;
        let reward = line.reward.ok_or_else(|| malformed("it has no `reward`"))?;
        let is_incomplete = response.incomplete_details.is_some_and(|it| it.get() != "null");
        let Provenance { task, repeat, agent, outcome } = line.rehearsal;
        let index = line.task_index.map(|index| index.to_string());
        // Rollouts without a name are of one task if they were asked the same.
        let asked =
            || line.responses_create_params.map(RawValue::get).unwrap_or_default().to_owned();
        Ok(Self {
            agent: agent.or(line.agent_ref.name).unwrap_or_default(),
            task: task.or(index).unwrap_or_else(asked),
            repeat: repeat.or(line.rollout_index),
            reward,
            is_truncated: is_incomplete || outcome.as_deref() == Some("truncated"),
        })
    }
}

impl Record {
    pub(super) fn parse(text: &[u8], head: Head) -> Result<Self, Skip> {
        let text = std::str::from_utf8(text).map_err(malformed)?;
        let mut extras = Fields::parse(text).map_err(malformed)?;
        let params = extras.get("responses_create_params");
        let params = params.ok_or_else(|| malformed("`responses_create_params` is missing"))?;
        let params = CreateParams::parse(params.get()).map_err(malformed)?;
        let response = extras.get("response").ok_or_else(|| malformed("it has no `response`"))?;
        let response = Response::parse(response.get()).map_err(malformed)?;
        for key in OWN {
            extras.remove(key);
        }
        Ok(Self { params, response, head, extras })
    }
}

impl Head {
    /// Adds whose rollout it is to an example.
    pub(super) fn write(&self, example: &mut Fields) {
        let is_named = self.task.len() <= NAME_MAX && !self.task.starts_with('{');
        if is_named {
            example.set("task", &self.task);
        }
        if !self.agent.is_empty() {
            example.set("agent", &self.agent);
        }
    }
}

/// A task's name is not longer than this; what is longer is its parameters, in place of a name.
const NAME_MAX: usize = 512;

pub(super) fn malformed(reason: impl std::fmt::Display) -> Skip {
    Skip::Malformed(reason.to_string())
}
