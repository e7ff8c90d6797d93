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
    schema::{AgentSpec, CollectSpec, DatasetSpec, EnvironmentSpec, ModelSpec, PromptSpec},
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
        if let Some(timeout) = agent.rollout_timeout {
            self.time(path.child("rollout_timeout"), timeout);
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
        let from = self.config.notes.iter().find_map(|note| {
            let Oddity::NotDownloaded { path: missing, from } = &note.oddity else { return None };
            (*missing == path).then(|| from.clone())
        });
        if is_read {
            self.report(key, Fault::MissingFile { path, from });
        } else {
            let origin = self.config.tree.origin_of(&key);
            let oddity = Oddity::MissingFile { path, from };
            self.warnings.push(Warning { origin, path: key, oddity });
        }
    }

    fn collect(&mut self, collect: &CollectSpec) {
        let path = section("collect");
        self.time(path.child("rollout_timeout"), collect.rollout_timeout);
        self.time(path.child("sync_interval"), collect.sync_interval);
        self.time(path.child("record_timeout"), collect.record_timeout);
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
        self.time(path.child("start_timeout"), runtime.start_timeout);
        self.time(path.child("hang_after"), runtime.hang_after);
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
        match (&collect.agent, collect.agents.as_slice()) {
            (Some(agent), _) => vec![agent],
            (None, []) if self.agents.len() == 1 => {
                self.agents.keys().map(String::as_str).collect()
            }
            (None, agents) => agents.iter().map(String::as_str).collect(),
        }
    }

    /// Returns a path of the configuration as it is to be opened: relative ones start at the working directory.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        match &self.directory {
            Some(directory) if directory != Path::new(".") => directory.join(path),
            Some(_) | None => path.to_owned(),
        }
    }

    /// The same for the file that a prompt's template may stand in.
    pub(crate) fn resolve_prompt(&self, prompt: &PromptSpec) -> PromptSpec {
        PromptSpec { file: prompt.file.as_ref().map(|file| self.resolve(file)), ..prompt.clone() }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::Loader;

    fn kinds() -> KindNames {
        let set = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        KindNames {
            models: set(&["openai", "scripted"]),
            environments: set(&["simple_weather"]),
            agents: set(&["tool_loop"]),
        }
    }

    /// Checks a configuration in a directory with the dataset `a.jsonl` and the file `out/file`.
    fn check(yaml: &str) -> Result<Vec<String>, Problems> {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("a.jsonl"), "").unwrap();
        fs::create_dir(directory.path().join("out")).unwrap();
        fs::write(directory.path().join("out/file"), "").unwrap();
        fs::write(directory.path().join("env.yaml"), "api_key: sk-verysecret").unwrap();
        let loader = Loader::new().text("a.yaml", yaml).working_directory(directory.path());
        let warnings = loader.load().unwrap().check(&kinds())?;
        Ok(warnings.iter().map(Warning::to_string).collect())
    }

    fn problems(yaml: &str) -> Vec<String> {
        check(yaml).unwrap_err().to_string().lines().map(str::to_owned).collect()
    }

    const COMPONENTS: &str = "\
models: { policy: { kind: openai } }
environments: { weather: { kind: simple_weather } }
agents: { solver: { kind: tool_loop, environment: weather, model: policy, datasets: [{ name: a, type: example, path: a.jsonl }] } }
";

    fn collecting(collect: &str) -> String {
        format!("{COMPONENTS}collect: {{ {collect} }}\n")
    }

    #[test]
    fn a_meaningful_configuration_passes() {
        assert_eq!(check(&collecting("output: new/folder/out.jsonl")).unwrap(), [""; 0]);
        assert_eq!(
            check(&collecting("output: out/file, agents: [solver], dataset: a")).unwrap(),
            [""; 0]
        );
    }

    #[test]
    fn all_that_means_nothing_is_reported_at_once() {
        let yaml = "\
models:
  policy: { kind: opnai, timeout: 0s }
  judge: { kind: azure }
environments:
  weather: { kind: simple_wether, tool_timeout: 0, verify_timeout: 0ms, session_idle_timeout: 0s }
agents:
  solver:
    kind: tool_lop
    environment: wether
    model: polcy
    models: { judge: jugde }
    rollout_timeout: 0
    datasets:
      - { name: a, type: example, path: a.jsonl }
      - { name: a, type: train, path: b.jsonl }
collect:
  { agent: solvr, agents: [x], output: out, sync_interval: 0, record_timeout: 0, rollout_timeout: 0 }
runtime: { heartbeat: 0, session_idle_timeout: 0, start_timeout: 0, hang_after: 0s }
";
        let expected = [
            "a.yaml:3: `models.judge.kind`: unknown kind `azure`",
            "a.yaml:2: `models.policy.kind`: unknown kind `opnai`; did you mean `openai`?",
            "a.yaml:2: `models.policy.timeout`: must be longer than 0",
            "a.yaml:5: `environments.weather.kind`: unknown kind `simple_wether`; did you mean `simple_weather`?",
            "a.yaml:5: `environments.weather.tool_timeout`: must be longer than 0",
            "a.yaml:5: `environments.weather.verify_timeout`: must be longer than 0",
            "a.yaml:5: `environments.weather.session_idle_timeout`: must be longer than 0",
            "a.yaml:8: `agents.solver.kind`: unknown kind `tool_lop`; did you mean `tool_loop`?",
            "a.yaml:9: `agents.solver.environment`: no environment is named `wether`; did you mean `weather`?",
            "a.yaml:10: `agents.solver.model`: no model is named `polcy`; did you mean `policy`?",
            "a.yaml:11: `agents.solver.models.judge`: no model is named `jugde`; did you mean `judge`?",
            "a.yaml:12: `agents.solver.rollout_timeout`: must be longer than 0",
            "a.yaml:15: `agents.solver.datasets.1.name`: another dataset of this agent is named `a` too",
            "a.yaml:17: `collect.rollout_timeout`: must be longer than 0",
            "a.yaml:17: `collect.sync_interval`: must be longer than 0",
            "a.yaml:17: `collect.record_timeout`: must be longer than 0",
            "a.yaml:17: `collect.agent`: no agent is named `solvr`; did you mean `solver`?",
            "a.yaml:17: `collect.agents.0`: no agent is named `x`",
            "a.yaml:17: `collect.agents`: cannot stand beside `agent`",
            "a.yaml:18: `runtime.start_timeout`: must be longer than 0",
            "a.yaml:18: `runtime.hang_after`: must be longer than 0",
            "a.yaml:18: `runtime.session_idle_timeout`: must be longer than 0",
            "a.yaml:18: `runtime.heartbeat`: must be longer than 0",
        ];
        let found = problems(yaml);
        let (output, others): (Vec<String>, Vec<String>) =
            found.into_iter().partition(|line| line.contains("`collect.output`"));
        assert_eq!(others, expected);
        assert!(output[0].starts_with("a.yaml:17: `collect.output`: cannot write to `out`: `"));
        assert!(output[0].ends_with("out` is a directory"));
    }

    #[test]
    fn an_unknown_kind_comes_with_the_known_ones() {
        let problems = check("models: { m: { kind: x } }").unwrap_err();
        assert_eq!(problems.hint().unwrap(), "known kinds: `openai`, `scripted`");
    }

    #[test]
    fn only_datasets_that_the_run_reads_must_exist() {
        let more = "datasets: [{ name: a, type: example, path: a.jsonl }, { name: b, type: train, path: b.jsonl }]";
        let with = |collect: &str| {
            let at = COMPONENTS.find("datasets").unwrap();
            format!("{}{more} }} }}\n{collect}", &COMPONENTS[..at])
        };
        let warning = "a.yaml:3: `agents.solver.datasets.1.path`: there is no file `b.jsonl`; this run does not read it";
        assert_eq!(check(&with("")).unwrap(), [warning]);
        assert_eq!(check(&with("collect: { output: o, dataset: a }")).unwrap(), [warning]);
        let problem = ["a.yaml:3: `agents.solver.datasets.1.path`: there is no file `b.jsonl`"];
        assert_eq!(problems(&with("collect: { output: o }")), problem);
        assert_eq!(problems(&with("collect: { output: o, dataset: b }")), problem);
    }

    #[test]
    fn a_collection_knows_its_agents_and_datasets() {
        let unknown = problems(&collecting("output: o, dataset: c"));
        assert_eq!(unknown, ["a.yaml:4: `collect.dataset`: no dataset is named `c`"]);
        let blocked = problems(&collecting("output: out/file/x"));
        assert_eq!(blocked.len(), 1);
        assert!(blocked[0].ends_with("out/file` is a file"), "{blocked:?}");
        let none = "collect: { output: o }";
        assert_eq!(problems(none), ["a.yaml:1: `collect.agent`: missing key; there are no agents"]);
        let two = "
models: { policy: { kind: openai } }
environments: { weather: { kind: simple_weather } }
agents:
  one: { kind: tool_loop, environment: weather, model: policy }
  two: { kind: tool_loop, environment: weather, model: policy }
collect: { output: o }";
        assert_eq!(
            problems(two),
            ["a.yaml:7: `collect.agent`: missing key; there are 2 agents: `one`, `two`"]
        );
        let empty = two.replace("output: o", "output: o, agent: two");
        assert_eq!(
            problems(&empty),
            ["a.yaml:6: `agents.two.datasets`: agent `two` has no datasets"]
        );
    }

    #[test]
    fn no_problem_of_meaning_shows_a_secret() {
        let yaml = "models: { m: { kind: '${api_key}' } }\n";
        assert_eq!(problems(yaml), ["a.yaml:1: `models.m.kind`: unknown kind `***`"]);
    }

    #[test]
    fn warnings_of_the_layers_come_with_those_of_the_meaning() {
        let warnings = check("models: { m: { kind: openai, settings: { a: yes } } }").unwrap();
        assert!(warnings[0].starts_with("a.yaml:1: `models.m.settings.a`: `yes` is a string here"));
    }
}
