//! Reads a recorded rollout: whose it is, whether it is to be scored, by which environment, and with
//! which task.
//!
//! | A rollout has | It is paired with | Its environment is |
//! |---|---|---|
//! | `rehearsal`, as Rehearsal writes | the task of its key, `agent/dataset/line` | `rehearsal.environment` |
//! | `_ng_task_index`, as NeMo Gym does | the task of that line, counted from 0 | that of the agent in `agent_ref` |
//! | neither | the task of its own line | that of the agent in `agent_ref`, or the only one |

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::rows::Rollouts;
use super::scoring::Prepared;
use super::tasks::{Place, TaskFiles};
use super::{Rescore, RescoreError};
use crate::collection::ReadTarget;
use crate::responses::{CreateParams, Response};
use crate::rollout::{Limit, TimingSeconds};
use crate::runtime::Runtime;
use crate::task::{RolloutKey, Task, TaskId};

/// What stands for the agent and the dataset in the key of a rollout that names neither.
const NO_AGENT: &str = "rescored";
const NO_DATASET: &str = "tasks";
/// How NeMo Gym marks a rollout whose judge failed.
const JUDGE_FAILED: &str = "judge_failed";

/// A recorded rollout, as far as scoring needs it.
#[derive(Deserialize)]
struct Recorded<'a> {
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    reward: Option<f64>,
    rehearsal: Option<Provenance>,
    #[serde(borrow)]
    responses_create_params: Option<&'a RawValue>,
    #[serde(borrow)]
    agent_ref: Option<&'a RawValue>,
    #[serde(rename = "_ng_task_index")]
    task_index: Option<u64>,
    #[serde(rename = "_ng_rollout_index")]
    rollout_index: Option<u32>,
    #[serde(rename = "_ng_failure_class")]
    failure_class: Option<String>,
}

/// What stands under `rehearsal`.
#[derive(Deserialize)]
pub(super) struct Provenance {
    task: TaskId,
    #[serde(default)]
    repeat: u32,
    environment: Option<String>,
    agent: Option<String>,
    pub(super) attempt: Option<u32>,
    pub(super) limit: Option<Limit>,
    pub(super) steps: Option<u32>,
    pub(super) timings: Option<TimingSeconds>,
    failure: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct AgentRef {
    name: String,
}

/// What is needed to read rows, on whichever thread.
pub(super) struct Reader {
    /// Whose verifier scores: the named environment, else the rollout's own, else the only one.
    named: Option<String>,
    only: Option<String>,
    /// The environment of each agent.
    of_agents: BTreeMap<String, String>,
    targets: BTreeMap<String, ReadTarget>,
    /// Environments that cannot score from a record alone, and why.
    unreproducible: BTreeMap<String, &'static str>,
    /// Whether they score all the same.
    allow_unreproducible: bool,
    failures_only: bool,
    pub(super) tasks: TaskFiles,
    /// What the output holds, where that matters.
    held: Option<Mutex<Held>>,
}

/// Keys, as their hashes.
#[derive(Default)]
pub(super) struct Held(HashSet<u128>);

impl Held {
    /// Adds a key; whether it is new.
    pub(super) fn insert(&mut self, key: &RolloutKey) -> bool {
        self.0.insert(hash(key))
    }
}

/// 128 bits, so that among billions of keys no two are taken for one.
fn hash(key: &RolloutKey) -> u128 {
    let half = |salt: u64| {
        let mut hasher = DefaultHasher::new();
        (salt, key).hash(&mut hasher);
        u128::from(hasher.finish())
    };
    (half(0) << 64) | half(1)
}

/// What a row says about what is to be done with it.
pub(super) enum Read {
    Due(Box<Prepared>),
    /// The output holds its key.
    Held,
    /// It is no failed verification, and only such are wanted.
    PassedOver,
}

impl Reader {
    pub(super) fn new(
        runtime: &Runtime,
        rescore: &Rescore,
        rollouts: &Path,
    ) -> Result<Self, RescoreError> {
        let config = runtime.config();
        let environments = &config.environments;
        let named = rescore.environment.clone();
        if let Some(name) = named.clone().filter(|name| !environments.contains_key(name)) {
            let known = environments.keys().cloned().collect();
            return Err(RescoreError::UnknownEnvironment { name, known });
        }
        let only = environments.keys().next().filter(|_| environments.len() == 1).cloned();
        let allow_unreproducible = rescore.allow_unreproducible;
        let unreproducible = runtime.unreproducible();
        let scores_all = named.as_ref().or(only.as_ref()).filter(|_| !allow_unreproducible);
        let refused = scores_all.and_then(|name| unreproducible.get_key_value(name));
        if let Some((name, reason)) = refused {
            return Err(RescoreError::Unreproducible { environment: name.clone(), reason });
        }
        let of_agents = config.agents.iter();
        let of_agents = of_agents.map(|(name, spec)| (name.clone(), spec.environment.clone()));
        let first = first_dataset(rollouts);
        Ok(Self {
            named,
            only,
            of_agents: of_agents.collect(),
            targets: runtime.targets(),
            unreproducible,
            allow_unreproducible,
            failures_only: rescore.failures_only,
            tasks: TaskFiles::new(config, rescore.tasks.as_deref(), first.as_deref())?,
            held: None,
        })
    }

    /// Has rows passed over whose keys the output holds. Of rows with the same key, which a file of
    /// failures may have, one is taken.
    pub(super) fn hold(&mut self, held: Held) {
        let is_needed = self.failures_only || !held.0.is_empty();
        self.held = is_needed.then(|| Mutex::new(held));
    }

    /// Takes a key for the output; whether it was free.
    pub(super) fn claim(&self, key: &RolloutKey) -> bool {
        let held = self.held.as_ref();
        held.is_none_or(|held| held.lock().unwrap_or_else(PoisonError::into_inner).insert(key))
    }

    fn holds(&self, key: &RolloutKey) -> bool {
        let hash = hash(key);
        let held = self.held.as_ref();
        held.is_some_and(|held| {
            held.lock().unwrap_or_else(PoisonError::into_inner).0.contains(&hash)
        })
    }

    /// Reads a row.
    ///
    /// # Errors
    /// Says why it cannot be scored.
    pub(super) fn read(&self, line: u64, rollout: &str) -> Result<Read, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let recorded: Recorded<'_> = serde_json::from_str(rollout).map_err(|error| text(&error))?;
        if self.failures_only && !recorded.is_failed_verification() {
            return Ok(Read::PassedOver);
        }
        let origin = Origin::of(&recorded, line);
        let key = origin.key();
        if self.holds(&key) {
            return Ok(Read::Held);
        }
        if self.failures_only && !origin.is_keyed {
            return Err("it does not say which task it is of".into());
        }
        let response = recorded.response.ok_or("it has no `response`")?;
        let response = Response::parse(response.get()).map_err(|error| text(&error))?;
        let environment = self.environment(&origin)?.to_owned();
        let unreproducible = self.unreproducible.get(&environment).copied();
        if let Some(reason) = unreproducible.filter(|_| !self.allow_unreproducible) {
            return Err(format!(
                "environment `{environment}` cannot score it as it was: {reason}; `--allow-unreproducible` scores it all the same"
            ));
        }
        let task = self.task(&origin, &environment)?;
        let asked = recorded.responses_create_params;
        let asked = asked.and_then(|params| CreateParams::parse(params.get()).ok());
        let has_prompt = !task.params.input().is_empty();
        if let Some(asked) = asked.as_ref().filter(|_| has_prompt) {
            warn_if_prompts_differ(line, asked, &task);
        }
        Ok(Read::Due(Box::new(Prepared {
            environment,
            unreproducible,
            agent: origin.agent.as_deref().unwrap_or(NO_AGENT).to_owned(),
            key,
            task: Arc::new(task),
            response: Arc::new(response),
            params: asked.filter(|_| !has_prompt).map(Arc::new),
            reward: recorded.reward,
            provenance: recorded.rehearsal,
        })))
    }

    /// The environment that scores a rollout.
    fn environment<'a>(&'a self, origin: &'a Origin) -> Result<&'a str, String> {
        let agents_own = origin.agent.as_ref().and_then(|agent| self.of_agents.get(agent));
        let own = origin.environment.as_ref().or(agents_own);
        let name = self.named.as_ref().or(own).or(self.only.as_ref());
        name.map(String::as_str).ok_or_else(|| {
            let count = self.targets.len();
            match &origin.agent {
                Some(agent) => format!(
                    "its agent `{agent}` is none of the configuration's, which has {count} environments; choose with `--environment`"
                ),
                None => format!(
                    "the configuration has {count} environments, and it does not say whose it is; choose with `--environment`"
                ),
            }
        })
    }

    fn task(&self, origin: &Origin, environment: &str) -> Result<Task, String> {
        let target = self.targets.get(environment);
        let target = target.ok_or_else(|| format!("there is no environment `{environment}`"))?;
        let row = self.tasks.row(origin.place())?;
        let row = crate::task::Row::parse(&row).map_err(|error| error.to_string())?;
        let target = target(&row).map_err(|error| error.to_string())?;
        Ok(Task::new(origin.task.clone(), row, target))
    }
}

/// The dataset in the key of a file's first rollout.
fn first_dataset(rollouts: &Path) -> Option<String> {
    let first = Rollouts::open(rollouts).ok()?.next_portion().ok()??.rows.into_iter().next()?;
    let text = first.text.ok()?;
    let recorded: Recorded<'_> = serde_json::from_str(&text).ok()?;
    Origin::of(&recorded, first.line).dataset
}

impl Recorded<'_> {
    /// Whether it was given up because it could not be verified.
    fn is_failed_verification(&self) -> bool {
        let is_failure = self.rehearsal.as_ref().is_some_and(|known| known.failure.is_some());
        let is_judge_failure = self.failure_class.as_deref() == Some(JUDGE_FAILED);
        self.response.is_some() && (is_failure || is_judge_failure)
    }
}

/// Whose rollout it is.
struct Origin {
    agent: Option<String>,
    environment: Option<String>,
    task: TaskId,
    repeat: u32,
    /// The dataset in its key.
    dataset: Option<String>,
    /// The line of its task.
    line: u64,
    /// Whether it says so itself.
    is_keyed: bool,
}

impl Origin {
    /// The origin of the rollout in a line.
    fn of(recorded: &Recorded<'_>, line: u64) -> Self {
        let reference =
            recorded.agent_ref.and_then(|agent| serde_json::from_str::<AgentRef>(agent.get()).ok());
        let reference = reference.map(|agent| agent.name);
        if let Some(known) = &recorded.rehearsal {
            let place = known.task.as_str().rsplit_once('/');
            let place = place.and_then(|(name, line)| Some((name, line.parse().ok()?)));
            return Self {
                agent: known.agent.clone().or(reference),
                environment: known.environment.clone(),
                task: known.task.clone(),
                repeat: known.repeat,
                dataset: place.map(|(name, _)| name.to_owned()),
                line: place.map_or(line, |(_, line)| line),
                is_keyed: place.is_some(),
            };
        }
        let line = recorded.task_index.map_or(line, |index| index.saturating_add(1));
        let agent = reference.as_deref().unwrap_or(NO_AGENT);
        Self {
            task: TaskId::of_row(agent, NO_DATASET, line),
            environment: None,
            repeat: recorded.rollout_index.unwrap_or(0),
            dataset: None,
            line,
            is_keyed: recorded.task_index.is_some(),
            agent: reference,
        }
    }

    fn key(&self) -> RolloutKey {
        RolloutKey { task: self.task.clone(), repeat: self.repeat }
    }

    fn place(&self) -> Place<'_> {
        let (dataset, agent) = (self.dataset.as_deref(), self.agent.as_deref());
        Place { dataset, agent, line: self.line }
    }
}

/// Says so when a rollout stands beside a task with another prompt. It is no error: NeMo Gym
/// normalises the prompts that it records.
fn warn_if_prompts_differ(line: u64, asked: &CreateParams, task: &Task) {
    let last = |items: &[crate::responses::Item]| items.last().map(crate::responses::Item::text);
    if last(asked.input()) != last(task.params.input()) {
        tracing::warn!("line {line}: the rollout's prompt is not the prompt of its task");
    }
}
