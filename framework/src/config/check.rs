//! The second phase: whether a configuration of the right shape also means something.
//!
//! Kinds and names are looked up, files and addresses looked at; everything that is wrong is said at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use super::{
    Config,
    key_path::KeyPath,
    problem::{Fault, Oddity, Problem, Problems, Warning, nearest},
    quantity::TimeSpan,
    schema::{AgentSpec, CollectSpec, DatasetSpec, EnvironmentSpec, ModelSpec},
    secret::MASK,
    tree::{Node, Secrecy},
};

/// The kinds that are registered, by section.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindNames {
    /// The kinds of models.
    pub models: BTreeSet<String>,
    /// The kinds of environments.
    pub environments: BTreeSet<String>,
    /// The kinds of agents.
    pub agents: BTreeSet<String>,
}

/// Checks the meaning of a configuration.
pub(super) fn check(config: &Config, kinds: &KindNames) -> Result<Vec<Warning>, Problems> {
    let mut check =
        Check { config, kinds, problems: Vec::new(), warnings: config.warnings.clone() };
    for (name, model) in &config.models {
        check.model(&section("models").child(name), model);
    }
    for (name, environment) in &config.environments {
        check.environment(&section("environments").child(name), environment);
    }
    for (name, agent) in &config.agents {
        check.agent(name, agent);
    }
    if let Some(collect) = &config.collect {
        check.collect(collect);
    }
    check.runtime();
    if check.problems.is_empty() { Ok(check.warnings) } else { Err(Problems(check.problems)) }
}

fn section(name: &str) -> KeyPath {
    KeyPath::root().child(name)
}

struct Check<'a> {
    config: &'a Config,
    kinds: &'a KindNames,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl<'a> Check<'a> {
    fn model(&mut self, path: &KeyPath, model: &ModelSpec) {
        self.kind(path, &model.kind, &self.kinds.models);
        self.time(path.child("timeout"), model.timeout);
    }

    fn environment(&mut self, path: &KeyPath, environment: &EnvironmentSpec) {
        self.kind(path, &environment.kind, &self.kinds.environments);
        self.time(path.child("tool_timeout"), environment.tool_timeout);
        self.time(path.child("verify_timeout"), environment.verify_timeout);
        if let Some(timeout) = environment.session_idle_timeout {
            self.time(path.child("session_idle_timeout"), timeout);
        }
    }

    fn agent(&mut self, name: &str, agent: &AgentSpec) {
        let path = section("agents").child(name);
        self.kind(&path, &agent.kind, &self.kinds.agents);
        self.reference(
            path.child("environment"),
            "environment",
            &agent.environment,
            &self.config.environments,
        );
        self.reference(path.child("model"), "model", &agent.model, &self.config.models);
        for (role, model) in &agent.models {
            self.reference(path.child("models").child(role), "model", model, &self.config.models);
        }
        self.datasets(&path.child("datasets"), name, &agent.datasets);
    }

    fn datasets(&mut self, path: &KeyPath, agent: &str, datasets: &[DatasetSpec]) {
        let mut names = BTreeSet::new();
        for (index, dataset) in datasets.iter().enumerate() {
            let path = path.child(index);
            if !names.insert(&dataset.name) {
                let name = self.shown(&path.child("name"), &dataset.name);
                self.report(path.child("name"), Fault::DuplicateDataset { name });
            }
            if !self.config.resolve(&dataset.path).is_file() {
                self.missing_file(path.child("path"), agent, dataset);
            }
        }
    }

    /// A dataset that this run reads must exist; another may not have been downloaded yet.
    fn missing_file(&mut self, key: KeyPath, agent: &str, dataset: &DatasetSpec) {
        let path = self.shown(&key, &dataset.path.display().to_string());
        let is_read = self.config.collect.as_ref().is_some_and(|collect| {
            let is_chosen = collect.dataset.as_ref().is_none_or(|name| *name == dataset.name);
            is_chosen && self.config.collected_agents().contains(&agent)
        });
        if is_read {
            self.report(key, Fault::MissingFile { path });
        } else {
            let origin = self.config.tree.origin_of(&key);
            self.warnings.push(Warning { origin, path: key, oddity: Oddity::MissingFile { path } });
        }
    }

    fn collect(&mut self, collect: &CollectSpec) {
        let path = section("collect");
        self.time(path.child("rollout_timeout"), collect.rollout_timeout);
        self.time(path.child("sync_interval"), collect.sync_interval);
        self.collected_agents(&path, collect);
        if let Some(dataset) = &collect.dataset {
            self.collected_dataset(path.child("dataset"), dataset);
        }
        self.output(path.child("output"), &collect.output);
    }

    fn collected_agents(&mut self, path: &KeyPath, collect: &CollectSpec) {
        let agents = &self.config.agents;
        if let Some(agent) = &collect.agent {
            self.reference(path.child("agent"), "agent", agent, agents);
        }
        for (index, agent) in collect.agents.iter().enumerate() {
            self.reference(path.child("agents").child(index), "agent", agent, agents);
        }
        match (&collect.agent, collect.agents.as_slice()) {
            (Some(_), [_, ..]) => self.report(path.child("agents"), Fault::AgentChosenTwice),
            (None, []) if agents.len() != 1 => {
                let known = agents.keys().cloned().collect();
                self.report(path.child("agent"), Fault::AgentNotChosen { known });
            }
            (Some(_), []) | (None, _) => {}
        }
        for agent in self.config.collected_agents() {
            if agents.get(agent).is_some_and(|spec| spec.datasets.is_empty()) {
                let fault = Fault::NoDatasets { agent: agent.to_owned() };
                self.report(section("agents").child(agent).child("datasets"), fault);
            }
        }
    }

    fn collected_dataset(&mut self, path: KeyPath, name: &str) {
        let agents = self.config.collected_agents();
        let specs = agents.iter().filter_map(|agent| self.config.agents.get(*agent));
        let datasets = specs.flat_map(|agent| &agent.datasets);
        let known: BTreeMap<String, ()> =
            datasets.map(|dataset| (dataset.name.clone(), ())).collect();
        if !known.is_empty() {
            self.reference(path, "dataset", name, &known);
        }
    }

    /// The output must be a file, or become one; folders on the way are created when it is opened.
    fn output(&mut self, key: KeyPath, output: &Path) {
        let path = self.config.resolve(output);
        let blocked = |obstacle: &Path, found| {
            let path = self.shown(&key, &output.display().to_string());
            let obstacle = self.shown(&key, &obstacle.display().to_string());
            Fault::OutputBlocked { path, obstacle, found }
        };
        let existing = path.ancestors().skip(1).find(|ancestor| ancestor.exists());
        let fault = match existing {
            _ if path.is_dir() => Some(blocked(&path, "a directory")),
            Some(ancestor) if !ancestor.is_dir() => Some(blocked(ancestor, "a file")),
            Some(_) | None => None,
        };
        if let Some(fault) = fault {
            self.report(key, fault);
        }
    }

    fn runtime(&mut self) {
        let path = section("runtime");
        let runtime = &self.config.runtime;
        self.time(path.child("session_idle_timeout"), runtime.session_idle_timeout);
        self.time(path.child("heartbeat"), runtime.heartbeat);
    }

    fn kind(&mut self, component: &KeyPath, kind: &str, known: &BTreeSet<String>) {
        if known.contains(kind) {
            return;
        }
        let path = component.child("kind");
        let fault = Fault::UnknownKind {
            kind: self.shown(&path, kind),
            nearest: nearest(kind, known.iter().map(String::as_str)),
            known: known.iter().cloned().collect(),
        };
        self.report(path, fault);
    }

    fn reference<T>(
        &mut self,
        path: KeyPath,
        what: &'static str,
        name: &str,
        known: &BTreeMap<String, T>,
    ) {
        if known.contains_key(name) {
            return;
        }
        let fault = Fault::UnknownName {
            what,
            name: self.shown(&path, name),
            nearest: nearest(name, known.keys().map(String::as_str)),
            known: known.keys().cloned().collect(),
        };
        self.report(path, fault);
    }

    fn time(&mut self, path: KeyPath, span: TimeSpan) {
        if span.is_zero() {
            self.report(path, Fault::ZeroTime);
        }
    }

    /// The text of a value, unless it is made of a secret.
    fn shown(&self, path: &KeyPath, text: &str) -> String {
        let secrecy = self.config.tree.at(path).map_or(Secrecy::Open, |node: &Node| node.secrecy);
        match secrecy {
            Secrecy::Open => text.to_owned(),
            Secrecy::Secret => MASK.to_owned(),
        }
    }

    fn report(&mut self, path: KeyPath, fault: Fault) {
        let origin = self.config.tree.origin_of(&path);
        self.problems.push(Problem::new(origin, path, fault));
    }
}

impl Config {
    /// Returns the names of the agents that a collection runs; none if it does not say which.
    pub fn collected_agents(&self) -> Vec<&str> {
        let Some(collect) = &self.collect else { return Vec::new() };
        let only_agent = || {
            self.agents.keys().map(String::as_str).take(if self.agents.len() == 1 { 1 } else { 0 })
        };
        match (&collect.agent, collect.agents.as_slice()) {
            (Some(agent), _) => vec![agent],
            (None, []) => only_agent().collect(),
            (None, agents) => agents.iter().map(String::as_str).collect(),
        }
    }

    /// Returns a path of the configuration as it is to be opened: relative ones start at the working directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        match &self.directory {
            Some(directory) => directory.join(path),
            None => path.to_owned(),
        }
    }
}
