//! Which datasets are prepared, with everything that is known about them before the first row is read.

use std::path::PathBuf;

use super::{Mode, Prepare, PrepareError};
use crate::collection::ReadTarget;
use crate::config::{AgentSpec, Config, DatasetSpec, DatasetType};
use crate::kinds::Kinds;
use crate::prompt::Prompt;

/// A dataset to be prepared.
pub(super) struct Source {
    pub(super) agent: String,
    pub(super) dataset: String,
    pub(super) kind: DatasetType,
    /// Its file as the configuration names it.
    pub(super) written: PathBuf,
    /// Its file as it is opened.
    pub(super) path: PathBuf,
    pub(super) repeats: u64,
    pub(super) prompt: Option<Prompt>,
    pub(super) target: ReadTarget,
}

impl Mode {
    /// The types of datasets that are prepared, in this order.
    pub(super) fn types(self) -> &'static [DatasetType] {
        match self {
            Self::Train => &[DatasetType::Train, DatasetType::Validation],
            Self::Example => &[DatasetType::Example],
        }
    }
}

/// The datasets in scope: by agent, in the order of the configuration.
pub(super) fn sources(
    prepare: &Prepare,
    config: &Config,
    kinds: &Kinds,
) -> Result<Vec<Source>, PrepareError> {
    if let Some(name) = prepare.agents.iter().find(|name| !config.agents.contains_key(*name)) {
        let known = config.agents.keys().cloned().collect();
        return Err(PrepareError::UnknownAgent { name: name.clone(), known });
    }
    let is_chosen =
        |name: &str| prepare.agents.is_empty() || prepare.agents.iter().any(|it| it == name);
    let mut sources = Vec::new();
    for (name, agent) in config.agents.iter().filter(|(name, _)| is_chosen(name)) {
        let datasets = agent.datasets.iter();
        for dataset in datasets.filter(|dataset| prepare.mode.types().contains(&dataset.r#type)) {
            sources.push(source(name, agent, dataset, config, kinds)?);
        }
    }
    if sources.is_empty() {
        return Err(PrepareError::Nothing { mode: prepare.mode });
    }
    let missing = sources.iter().map(|source| &source.path).filter(|path| !path.is_file());
    let missing: Vec<PathBuf> = missing.cloned().collect();
    if missing.is_empty() { Ok(sources) } else { Err(PrepareError::Missing { paths: missing }) }
}

fn source(
    name: &str,
    agent: &AgentSpec,
    dataset: &DatasetSpec,
    config: &Config,
    kinds: &Kinds,
) -> Result<Source, PrepareError> {
    let environment = config.environments.get(&agent.environment);
    let kind = environment.and_then(|environment| kinds.environment_kind(&environment.kind));
    let Some(kind) = kind else {
        let kind = environment.map(|environment| environment.kind.clone());
        let environment = agent.environment.clone();
        return Err(PrepareError::UnknownEnvironment { agent: name.to_owned(), environment, kind });
    };
    let prompt = dataset.prompt.as_ref().map(|prompt| Prompt::new(&config.resolve_prompt(prompt)));
    let prompt = prompt.transpose().map_err(|source| PrepareError::Template {
        agent: name.to_owned(),
        dataset: dataset.name.clone(),
        source,
    })?;
    Ok(Source {
        agent: name.to_owned(),
        dataset: dataset.name.clone(),
        kind: dataset.r#type,
        written: dataset.path.clone(),
        path: config.resolve(&dataset.path),
        repeats: dataset.repeats.get().into(),
        prompt,
        target: kind.target,
    })
}
