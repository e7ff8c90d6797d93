//! Configuration: layers of YAML, environment and command line, made into typed sections or a list of problems.
//!
//! 1. [`Loader`] merges the layers by the `config` crate, interpolates `${…}`, and reads the *shape*: every key
//!    known, every type exact.
//! 2. [`Config::check`] looks at the *meaning*: kinds, names, files.
//!
//! Each phase reports all problems with file, line, key path and, where it can, the nearest right name.
//! What belongs to a kind stays unread in [`Settings`], until the kind reads it by the same machinery.
//!
//! A key at the top that is a scalar and no section is a *variable*, there to be interpolated:
//! `policy_base_url: http://…` in `env.yaml`. A map or list there is a misspelt section.
//!
//! Text from outside of YAML (environment variables, `--set`, `${env:…}`) is read as a YAML scalar, and as the
//! text itself where a string is needed: `REHEARSAL__MODELS__POLICY__SETTINGS__MODEL=123` is a fine name.
//!
//! A configuration of NeMo Gym's is translated before anything else happens: see [`nemo`].
//!
//! Secrets are never printed, by rule rather than by care: see [`Config::to_masked_yaml`]. They come from the
//! environment or from `env.yaml`; one that is written out elsewhere is a problem: see [`Fault::LiteralSecret`].

use std::{collections::BTreeMap, path::PathBuf};

mod assignment;
mod check;
mod exposure;
mod interpolation;
mod key_path;
mod layers;
mod loader;
mod masked;
pub mod nemo;
mod outside;
mod placeholder;
mod problem;
mod quantity;
mod read_error;
mod scalar;
mod schema;
mod secret;
mod settings;
mod strict;
mod tree;
mod yaml;

pub use check::KindNames;
pub use key_path::KeyPath;
pub use loader::{Loader, Translation};
pub(crate) use problem::nearest;
pub use problem::{Fault, Oddity, Origin, Problem, Problems, Warning};
pub use quantity::{ByteSize, TimeSpan};
pub(crate) use schema::verify_timeout;
pub use schema::{
    AgentSpec, CollectSpec, DatasetSpec, DatasetType, EnvironmentSpec, ModelSpec, PromptSpec,
    RuntimeSpec, TelemetrySpec,
};
pub use secret::{Secret, holds_url_credentials};
pub use settings::Settings;

use tree::Node;

/// A configuration of the right shape. Made by [`Loader::load`].
#[derive(Clone, Debug)]
pub struct Config {
    /// The models by name.
    pub models: BTreeMap<String, ModelSpec>,
    /// The environments by name.
    pub environments: BTreeMap<String, EnvironmentSpec>,
    /// The agents by name.
    pub agents: BTreeMap<String, AgentSpec>,
    /// The collection, if there is to be one.
    pub collect: Option<CollectSpec>,
    /// The runtime under all components.
    pub runtime: RuntimeSpec,
    /// What is told to the outside.
    pub telemetry: TelemetrySpec,
    /// What was written in the sections, for the origins and secrecy of values.
    tree: Node,
    /// The top-level scalars that are no sections.
    variables: BTreeMap<String, Node>,
    /// What was odd about the layers.
    warnings: Vec<Warning>,
    /// What was left out of a configuration of NeMo Gym's without a loss.
    notes: Vec<Warning>,
    directory: Option<PathBuf>,
}

impl Config {
    /// Puts the sections together with what is known about their values.
    fn new(
        sections: schema::Sections,
        tree: Node,
        variables: BTreeMap<String, Node>,
        (warnings, notes): (Vec<Warning>, Vec<Warning>),
        directory: Option<PathBuf>,
    ) -> Self {
        let schema::Sections { models, environments, agents, collect, runtime, telemetry } =
            sections;
        let mut config = Self {
            models,
            environments,
            agents,
            collect,
            runtime,
            telemetry,
            tree,
            variables,
            warnings,
            notes,
            directory,
        };
        config.attach_settings();
        config
    }

    /// Gives all settings the tree that they came from, with its lines and secrets.
    fn attach_settings(&mut self) {
        let tree = &self.tree;
        let attach = |section: &str, name: &str, settings: &mut Settings| {
            let path = KeyPath::root().child(section).child(name).child("settings");
            let written = tree.at(&path).filter(|node| node.value != tree::Value::Null);
            let empty = || Node { origin: tree.origin_of(&path), ..Node::empty() };
            *settings = Settings::new(written.cloned().unwrap_or_else(empty), path);
        };
        self.models.iter_mut().for_each(|(name, spec)| attach("models", name, &mut spec.settings));
        self.environments
            .iter_mut()
            .for_each(|(name, spec)| attach("environments", name, &mut spec.settings));
        self.agents.iter_mut().for_each(|(name, spec)| attach("agents", name, &mut spec.settings));
    }

    /// Checks that the configuration means something, given the kinds that are registered.
    ///
    /// Returns what is odd about it, here and in its layers.
    ///
    /// # Errors
    /// Everything that is wrong: unknown kinds, names that refer to nothing, missing files, limits of no time.
    pub fn check(&self, kinds: &KindNames) -> Result<Vec<Warning>, Problems> {
        check::check(self, kinds)
    }

    /// What was odd about the layers: in a configuration of NeMo Gym's also what has no counterpart.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Prints the configuration with all defaults and interpolations resolved and all secrets as `***`.
    ///
    /// A value is secret if the last word of its key, or of a key above it, is one like `key`, `token` or
    /// `password` (`api_key`, not `max_output_tokens`), if a secret was interpolated into it, or if it contains
    /// the text of a secret. The result can be loaded again.
    pub fn to_masked_yaml(&self) -> String {
        masked::to_masked_yaml(self)
    }
}

/// Returns the reference: a configuration with every key, its default and what it is for.
pub fn reference_yaml() -> &'static str {
    include_str!("config/reference.yaml")
}
