//! A collection: tasks stream in from datasets, agents turn them into rollouts, records stream out.
//!
//! The collector is an actor beside the recorder, under a `rest_for_one` supervisor: when either
//! crashes, the collector starts over, asks the recorder what it has kept, and goes on from there. So
//! a crash here is the same thing as a resumed run, and has no path of its own.

mod collector;
mod dataset;
mod feed;
mod progress;
mod summary;

use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, PromptSpec};
use crate::dispatch::Dispatcher;
pub use crate::dispatch::RolloutPolicy;
use crate::prompt::{Prompt, TemplateError};
use crate::recorder::RecorderError;

pub(crate) use collector::{Collector, Plan, Report};
pub use dataset::{Dataset, DatasetError, ReadTarget};
pub use progress::{Progress, Snapshot};
pub(crate) use summary::Rewards;
pub use summary::{EnvironmentSummary, Summary};

/// What to collect.
#[derive(Clone, Debug)]
pub struct Collection {
    /// The datasets, in order.
    pub sources: Vec<Source>,
    /// Rollouts per task.
    pub repeats: u32,
    /// At most that many tasks of each dataset.
    pub limit: Option<NonZeroU64>,
    /// Failed rollouts after which it ends.
    pub failure_limit: Option<NonZeroU64>,
    /// Rollouts in flight at a time.
    pub in_flight_max: usize,
    /// How each is tried, unless its agent has a limit of its own.
    pub policy: RolloutPolicy,
    /// How often records are made durable.
    pub sync_interval: Duration,
    /// How long the recorder may take over what it is handed at a time.
    pub record_timeout: Duration,
}

/// A dataset and who works on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The agent's name.
    pub agent: String,
    /// The dataset's name.
    pub dataset: String,
    /// Its file.
    pub path: PathBuf,
    /// Its repeats, multiplied with the collection's.
    pub repeats: u32,
    /// What makes its prompts, if its rows have none.
    pub prompt: Option<PromptSpec>,
}

impl Collection {
    /// The collection that a configuration describes: its datasets, of one agent or of all.
    pub(crate) fn from_config(config: &Config) -> Result<Self, CollectError> {
        let Some(spec) = &config.collect else {
            return Err(CollectError::Nothing { reason: "there is no `collect` section".into() });
        };
        let agents = config.collected_agents().into_iter();
        let sources = agents.flat_map(|agent| {
            let datasets = config.agents.get(agent).into_iter().flat_map(|spec| &spec.datasets);
            let datasets =
                datasets.filter(|data| spec.dataset.as_ref().is_none_or(|one| *one == data.name));
            datasets.map(|data| Source {
                agent: agent.to_owned(),
                dataset: data.name.clone(),
                path: config.resolve(&data.path),
                repeats: data.repeats.get(),
                prompt: data.prompt.as_ref().map(|prompt| config.resolve_prompt(prompt)),
            })
        });
        let sources: Vec<_> = sources.collect();
        if sources.is_empty() {
            let reason = "no agent has a dataset that `collect` selects".to_owned();
            return Err(CollectError::Nothing { reason });
        }
        Ok(Self {
            sources,
            repeats: spec.repeats.get(),
            limit: spec.limit.and_then(in_64_bits),
            failure_limit: spec.failure_limit.and_then(in_64_bits),
            in_flight_max: spec.max_in_flight.get(),
            policy: RolloutPolicy {
                attempts_max: spec.max_attempts.get(),
                timeout: spec.rollout_timeout.duration(),
            },
            sync_interval: spec.sync_interval.duration(),
            record_timeout: spec.record_timeout.duration(),
        })
    }
}

fn in_64_bits(count: NonZeroUsize) -> Option<NonZeroU64> {
    NonZeroU64::new(count.get() as u64)
}

/// A source with the agent's dispatcher and its environment's reader.
#[derive(Clone)]
pub(crate) struct WiredSource {
    pub(crate) source: Source,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) read_target: ReadTarget,
    pub(crate) prompt: Option<Arc<Prompt>>,
    /// How each of its rollouts is tried.
    pub(crate) policy: RolloutPolicy,
}

/// Why a collection ended before its time.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CollectError {
    /// A dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A dataset's prompts cannot be made.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Records cannot be kept.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    /// No dataset is selected.
    #[error("nothing to collect: {reason}")]
    Nothing {
        /// What was looked for.
        reason: String,
    },
    /// As many rollouts failed as `collect.failure_limit` says.
    #[error("{failed} rollouts failed, and `collect.failure_limit` is {limit}")]
    FailureLimit {
        /// How many failed.
        failed: u64,
        /// How many may.
        limit: NonZeroU64,
    },
    /// The collector or its recorder crashed more often than its supervisor allows.
    #[error("the collection gave up: {reason}")]
    GaveUp {
        /// The last crash.
        reason: String,
    },
}

impl CollectError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Dataset(error) => error.hint(),
            Self::Template(error) => error.hint(),
            Self::Recorder(error) => error.hint(),
            Self::Nothing { .. } => {
                Some("name an agent with `datasets:`, or another `collect.dataset`")
            }
            Self::FailureLimit { .. } => {
                Some("<output>_failures.jsonl says why; what was scored is kept for `--resume`")
            }
            Self::GaveUp { .. } => Some("what was collected is safe; run again with `--resume`"),
        }
    }
}
