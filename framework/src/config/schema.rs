//! The shape of a configuration: every key of the framework with its type and its default.
//!
//! Every component is a name, then its `kind`, the framework's keys, and `settings`, which belong to the kind.
//! `reference.yaml` beside this file says the same for users; a test keeps the two together.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroUsize},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

use super::{quantity::TimeSpan, settings::Settings};

/// One model: what answers `Generate`.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Which implementation answers, such as `openai`.
    pub kind: String,
    /// One call may take this long; 10 minutes by default.
    #[serde(default = "model_timeout")]
    pub timeout: TimeSpan,
    /// So many calls are under way at once, over all shards; 65,536 by default.
    #[serde(default = "model_max_in_flight")]
    pub max_in_flight: NonZeroUsize,
    /// So many messages wait for the actor on each shard; 65,536 by default.
    #[serde(default = "mailbox")]
    pub mailbox: NonZeroUsize,
    /// What the kind itself reads.
    #[serde(default)]
    pub settings: Settings,
}

/// One environment: a task world with its tools and its verifier.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentSpec {
    /// Which implementation it is, such as `simple_weather`.
    pub kind: String,
    /// One tool call may take this long; a minute by default.
    #[serde(default = "tool_timeout")]
    pub tool_timeout: TimeSpan,
    /// One verification may take this long; 2 minutes by default.
    #[serde(default = "verify_timeout")]
    pub verify_timeout: TimeSpan,
    /// So many sessions are open at once, over all shards; 100,000 by default.
    #[serde(default = "max_sessions")]
    pub max_sessions: NonZeroUsize,
    /// A session that nobody used for this long is closed; `runtime.session_idle_timeout` if absent.
    #[serde(default)]
    pub session_idle_timeout: Option<TimeSpan>,
    /// What the kind itself reads.
    #[serde(default)]
    pub settings: Settings,
}

/// One agent: the loop that turns a task into a rollout.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AgentSpec {
    /// Which implementation it is, such as `tool_loop`.
    pub kind: String,
    /// The name of the environment that it works in.
    pub environment: String,
    /// The name of the model that it asks.
    pub model: String,
    /// The names of further models, by the role that they play for the agent.
    #[serde(default)]
    pub models: BTreeMap<String, String>,
    /// One attempt of its rollouts in a collection may take this long; `collect.rollout_timeout` if
    /// absent.
    #[serde(default)]
    pub rollout_timeout: Option<TimeSpan>,
    /// The tasks that it can be given.
    #[serde(default)]
    pub datasets: Vec<DatasetSpec>,
    /// What the kind itself reads.
    #[serde(default)]
    pub settings: Settings,
}

/// One file of tasks.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetSpec {
    /// The name by which `collect.dataset` chooses it; unique within its agent.
    pub name: String,
    /// What the tasks are for.
    pub r#type: DatasetType,
    /// The file, from the working directory: JSONL, or by its ending `.jsonl.zst` or `.parquet`.
    pub path: PathBuf,
    /// So many rollouts of each task, times `collect.repeats`; 1 by default.
    #[serde(default = "one")]
    pub repeats: NonZeroU32,
    /// How prompts are made, if rows have none; see [`PromptSpec`].
    #[serde(default)]
    pub prompt: Option<PromptSpec>,
}

/// Templates (minijinja) that make a prompt from a row's fields: `{{ question }}`. A field that a row
/// lacks makes the row malformed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptSpec {
    /// The system message; none if absent.
    pub system: Option<String>,
    /// The user's message.
    pub user: Option<String>,
    /// A file with the template of the user's message, in place of `user`; from the working directory.
    pub file: Option<PathBuf>,
}

/// What the tasks of a dataset are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetType {
    /// To learn from.
    Train,
    /// To measure progress with.
    Validation,
    /// To see that everything works.
    Example,
}

/// One collection: an execution over a dataset.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CollectSpec {
    /// The agent that is given the tasks; not needed if there is only one.
    #[serde(default)]
    pub agent: Option<String>,
    /// Several agents, in place of one.
    #[serde(default)]
    pub agents: Vec<String>,
    /// The name of the datasets to read; all if absent.
    #[serde(default)]
    pub dataset: Option<String>,
    /// The JSONL file that the rollouts are written to, from the working directory.
    pub output: PathBuf,
    /// So many rollouts of each task; 1 by default.
    #[serde(default = "one")]
    pub repeats: NonZeroU32,
    /// So many tasks of each dataset are read; all if absent.
    #[serde(default)]
    pub limit: Option<NonZeroUsize>,
    /// So many rollouts are under way at once; 256 by default.
    #[serde(default = "rollouts_in_flight")]
    pub max_in_flight: NonZeroUsize,
    /// A rollout that fails is tried so often in all; 3 by default.
    #[serde(default = "max_attempts")]
    pub max_attempts: NonZeroU32,
    /// One attempt may take this long; 30 minutes by default.
    #[serde(default = "rollout_timeout")]
    pub rollout_timeout: TimeSpan,
    /// Written rollouts reach the disk at least this often; every second by default.
    #[serde(default = "sync_interval")]
    pub sync_interval: TimeSpan,
    /// The recorder may take this long over what it is handed at a time; 5 minutes by default.
    #[serde(default = "record_timeout")]
    pub record_timeout: TimeSpan,
    /// The collection ends after so many failed rollouts; never if absent.
    #[serde(default)]
    pub failure_limit: Option<NonZeroUsize>,
}

/// The runtime under all components.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RuntimeSpec {
    /// So many shards; one per core if absent.
    pub shards: Option<NonZeroUsize>,
    /// An actor has this long to start; 30 seconds by default.
    pub start_timeout: TimeSpan,
    /// An actor that makes no progress for this long, or whose thread does not, is rebuilt elsewhere; a
    /// minute by default.
    pub hang_after: TimeSpan,
    /// The actors have this long to stop, then they are stopped; 10 seconds by default.
    pub shutdown_timeout: TimeSpan,
    /// A session that nobody used for this long is closed; 10 minutes by default.
    pub session_idle_timeout: TimeSpan,
    /// The lag of each shard is measured this often; every 100 milliseconds by default.
    pub heartbeat: TimeSpan,
    /// So many threads for CPU work; one per core if absent. An environment of which nothing runs
    /// gets one more when all are busy.
    pub cpu_threads: Option<NonZeroUsize>,
    /// So much CPU work of each environment is queued; 1,024 by default.
    pub cpu_queue: NonZeroUsize,
}

impl Default for RuntimeSpec {
    fn default() -> Self {
        Self {
            shards: None,
            start_timeout: TimeSpan::from_secs(30),
            hang_after: TimeSpan::from_secs(MINUTE),
            shutdown_timeout: TimeSpan::from_secs(10),
            session_idle_timeout: TimeSpan::from_secs(10 * MINUTE),
            heartbeat: TimeSpan::from_millis(100),
            cpu_threads: None,
            cpu_queue: count(1024),
        }
    }
}

/// What is told to the outside while a collection runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetrySpec {
    /// The address that serves the metrics to Prometheus; not served if absent.
    pub prometheus: Option<SocketAddr>,
}

/// The whole shape: the top-level keys that are not variables.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sections {
    #[serde(default)]
    pub models: BTreeMap<String, ModelSpec>,
    #[serde(default)]
    pub environments: BTreeMap<String, EnvironmentSpec>,
    #[serde(default)]
    pub agents: BTreeMap<String, AgentSpec>,
    #[serde(default)]
    pub collect: Option<CollectSpec>,
    #[serde(default)]
    pub runtime: RuntimeSpec,
    #[serde(default)]
    pub telemetry: TelemetrySpec,
}

/// The names of the sections; any other key at the top is a variable.
pub(super) const SECTIONS: [&str; 6] =
    ["models", "environments", "agents", "collect", "runtime", "telemetry"];

const MINUTE: u64 = 60;

const fn count(number: usize) -> NonZeroUsize {
    NonZeroUsize::new(number).expect("defaults are not 0")
}

const fn model_timeout() -> TimeSpan {
    TimeSpan::from_secs(10 * MINUTE)
}

const fn model_max_in_flight() -> NonZeroUsize {
    count(65_536)
}

const fn mailbox() -> NonZeroUsize {
    count(65_536)
}

const fn tool_timeout() -> TimeSpan {
    TimeSpan::from_secs(MINUTE)
}

pub(crate) const fn verify_timeout() -> TimeSpan {
    TimeSpan::from_secs(2 * MINUTE)
}

const fn max_sessions() -> NonZeroUsize {
    count(100_000)
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

const fn rollouts_in_flight() -> NonZeroUsize {
    count(256)
}

const fn max_attempts() -> NonZeroU32 {
    NonZeroU32::new(3).expect("defaults are not 0")
}

const fn rollout_timeout() -> TimeSpan {
    TimeSpan::from_secs(30 * MINUTE)
}

const fn sync_interval() -> TimeSpan {
    TimeSpan::from_secs(1)
}

const fn record_timeout() -> TimeSpan {
    TimeSpan::from_secs(5 * MINUTE)
}

#[cfg(test)]
mod tests {
    use serde_json::Value as Json;

    use crate::config::{Config, Loader, reference_yaml};

    /// What the reference says, without all keys that have a default.
    const REQUIRED: &str = "
policy_model_name: my-model
models: { policy: { kind: chat_completions, settings: { model: '${policy_model_name}' } } }
environments: { weather: { kind: simple_weather } }
agents:
  solver:
    kind: tool_loop
    environment: weather
    model: policy
    datasets: [{ name: example, type: example, path: environments/data/simple_weather/example.jsonl }]
collect: { output: out/weather.jsonl }
";

    fn load(yaml: &str) -> Config {
        Loader::new().text("reference.yaml", yaml).load().unwrap()
    }

    #[test]
    fn the_reference_says_what_the_defaults_are() {
        assert_eq!(load(reference_yaml()).to_masked_yaml(), load(REQUIRED).to_masked_yaml());
    }

    #[test]
    fn the_reference_mentions_every_key() {
        let config = load(REQUIRED);
        let sections = serde_json::json!({
            "models": config.models, "environments": config.environments, "agents": config.agents,
            "collect": config.collect, "runtime": config.runtime, "telemetry": config.telemetry,
        });
        let written =
            super::super::yaml::parse("reference.yaml", reference_yaml()).unwrap().root.to_json();
        let mut missing = Vec::new();
        missing_keys(&sections, &written, "", &mut missing);
        assert_eq!(missing, [""; 0]);
    }

    fn missing_keys(known: &Json, written: &Json, path: &str, missing: &mut Vec<String>) {
        let children: Vec<(String, &Json)> = match known {
            Json::Object(entries) => {
                entries.iter().map(|(key, child)| (key.clone(), child)).collect()
            }
            Json::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect()
            }
            _ => Vec::new(),
        };
        for (key, child) in children {
            let pointer = format!("{path}/{key}");
            match written.pointer(&format!("/{key}")) {
                Some(found) => missing_keys(child, found, &pointer, missing),
                None => missing.push(pointer),
            }
        }
    }
}
