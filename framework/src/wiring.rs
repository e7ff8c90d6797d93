//! How components find each other: by name, through handles that exist before anybody has started.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::agent::{EnvironmentPort, Ports};
use crate::model::ModelPort;
use crate::supervision::StartError;

/// Why a component cannot be built from its settings.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    message: String,
}

impl BuildError {
    /// An error that says which setting is wrong and what to do.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string() }
    }
}

impl From<BuildError> for StartError {
    fn from(error: BuildError) -> Self {
        Self::failed(error.message)
    }
}

/// The handles of every component, per shard.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) models: BTreeMap<String, Vec<ModelPort>>,
    pub(crate) environments: BTreeMap<String, Vec<EnvironmentPort>>,
}

/// What a component being built may ask for.
#[derive(Clone, Debug)]
pub struct Wiring {
    name: Arc<str>,
    shard: usize,
    directory: Arc<OnceLock<Directory>>,
}

impl Wiring {
    pub(crate) fn new(name: &str, shard: usize, directory: &Arc<OnceLock<Directory>>) -> Self {
        Self { name: name.into(), shard, directory: directory.clone() }
    }

    /// Wiring with no components to find, for tests of a component on its own.
    pub fn detached(name: &str) -> Self {
        Self::new(name, 0, &Arc::new(OnceLock::from(Directory::default())))
    }

    /// The component's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shard that it is built for.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// The model of that name, on the same shard; a judge, for example.
    ///
    /// # Errors
    /// Fails if the configuration has no such model.
    pub fn model(&self, name: &str) -> Result<ModelPort, BuildError> {
        let ports = self.directory().models.get(name);
        let port = ports.and_then(|ports| ports.get(self.shard));
        port.cloned().ok_or_else(|| {
            let known: Vec<_> = self.directory().models.keys().map(String::as_str).collect();
            let known = known.join("`, `");
            BuildError::new(format_args!("there is no model `{name}`; there are `{known}`"))
        })
    }

    /// What an agent is wired to.
    pub(crate) fn ports(&self, model: &str, environment: &str) -> Result<Ports, BuildError> {
        let ports = self.directory().environments.get(environment);
        let port = ports.and_then(|ports| ports.get(self.shard)).cloned();
        let unknown = || BuildError::new(format_args!("there is no environment `{environment}`"));
        Ok(Ports { model: self.model(model)?, environment: port.ok_or_else(unknown)? })
    }

    fn directory(&self) -> &Directory {
        self.directory.get().expect("the directory is filled before any component is built")
    }
}
