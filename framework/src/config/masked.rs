//! Prints a configuration as YAML, with everything resolved and no secret in it.
//!
//! A leaf is masked if its key names a secret, if it is made of one, or if a longer secret occurs in it.

use std::collections::BTreeMap;

use serde::Serialize;
use yaml_rust2::{Yaml, YamlEmitter, YamlLoader, yaml::Hash};

use super::{
    AgentSpec, CollectSpec, Config, EnvironmentSpec, ModelSpec, RuntimeSpec, TelemetrySpec,
    secret::MASK,
    tree::{Node, Secrecy},
};

/// Secrets at least this long are looked for in other values; shorter ones (`none`, `EMPTY`) are words.
const TELLING_LENGTH: usize = 8;

/// The sections in the order in which one reads them.
#[derive(Serialize)]
struct Sections<'a> {
    models: &'a BTreeMap<String, ModelSpec>,
    environments: &'a BTreeMap<String, EnvironmentSpec>,
    agents: &'a BTreeMap<String, AgentSpec>,
    collect: &'a Option<CollectSpec>,
    runtime: &'a RuntimeSpec,
    telemetry: &'a TelemetrySpec,
}

/// Prints the variables, then the sections with all defaults filled in.
pub(super) fn to_masked_yaml(config: &Config) -> String {
    let mask = Mask::new(config);
    let mut top = Hash::new();
    for (name, node) in &config.variables {
        let value = mask.value(yaml_of(&node.to_masked_json()), Some(node));
        top.insert(Yaml::String(name.clone()), value);
    }
    let sections = Sections {
        models: &config.models,
        environments: &config.environments,
        agents: &config.agents,
        collect: &config.collect,
        runtime: &config.runtime,
        telemetry: &config.telemetry,
    };
    if let Yaml::Hash(sections) = mask.value(yaml_of(&sections), Some(&config.tree)) {
        top.extend(sections);
    }
    emit(&Yaml::Hash(top))
}

/// Turns a value into YAML by way of JSON, which is YAML and keeps the order of the fields.
fn yaml_of(value: &impl Serialize) -> Yaml {
    let json = serde_json::to_string(value).unwrap_or_default();
    let documents = YamlLoader::load_from_str(&json).unwrap_or_default();
    documents.into_iter().next().unwrap_or(Yaml::Null)
}

fn emit(value: &Yaml) -> String {
    let mut text = String::new();
    let mut emitter = YamlEmitter::new(&mut text);
    match emitter.dump(value) {
        Ok(()) => format!("{}\n", text.trim_start_matches("---\n")),
        Err(error) => format!("# cannot be printed: {error:?}\n"),
    }
}

struct Mask {
    secrets: Vec<String>,
}

impl Mask {
    fn new(config: &Config) -> Self {
        let mut found = Vec::new();
        config.tree.secret_texts(&mut found);
        config.variables.values().for_each(|node| node.secret_texts(&mut found));
        found.retain(|secret| secret.len() >= TELLING_LENGTH);
        Self { secrets: found.into_iter().map(str::to_owned).collect() }
    }

    /// Masks a value; `node` is the tree's knowledge of it, where it was written and is no default.
    fn value(&self, value: Yaml, node: Option<&Node>) -> Yaml {
        let secrecy = node.map_or(Secrecy::Open, |node| node.secrecy);
        match (value, secrecy) {
            (Yaml::Hash(entries), _) => Yaml::Hash(self.entries(entries, node)),
            (Yaml::Array(items), _) => {
                let child_node = |index: usize| node.and_then(|node| node.get(&index.to_string()));
                let mask = |(index, item)| self.value(item, child_node(index));
                Yaml::Array(items.into_iter().enumerate().map(mask).collect())
            }
            (Yaml::Null, _) => Yaml::Null,
            (_, Secrecy::Secret) => Yaml::String(MASK.to_owned()),
            (Yaml::String(text), Secrecy::Open) => Yaml::String(self.text(text)),
            (scalar, Secrecy::Open) => scalar,
        }
    }

    fn entries(&self, entries: Hash, node: Option<&Node>) -> Hash {
        let mask = |(key, child): (Yaml, Yaml)| {
            let child_node = key.as_str().and_then(|key| node?.get(key));
            (key, self.value(child, child_node))
        };
        entries.into_iter().map(mask).collect()
    }

    /// Masks a text that tells a secret, and keeps any other from being interpolated again.
    fn text(&self, text: String) -> String {
        let is_telling = self.secrets.iter().any(|secret| text.contains(secret.as_str()));
        if is_telling { MASK.to_owned() } else { text.replace("${", "\\${") }
    }
}

#[cfg(test)]
mod tests {
    use crate::config::{Config, Loader};

    const YAML: &str = "\
policy_api_key: ${env:KEY}
policy_model_name: small
models:
  policy:
    kind: openai
    settings:
      api_key: ${policy_api_key}
      model: ${policy_model_name}
      labels: { X-Custom: 'Bearer ${policy_api_key}', X-Literal: '\\${not}' }
      max_output_tokens: 100
      tokenizer: t
      passwords: ['${env:KEY}', '${env:PIN}', null]
      note: contains sk-verysecret literally
      truth: 'yes'
environments:
  weather: { kind: simple_weather }
agents:
  solver: { kind: tool_loop, environment: weather, model: policy, settings: { max_steps: 8 } }
collect: { output: out.jsonl, rollout_timeout: 90s }
";

    const PRINTED: &str = "\
policy_api_key: \"***\"
policy_model_name: small
models:
  policy:
    kind: openai
    timeout: 10m
    max_in_flight: 65536
    mailbox: 65536
    settings:
      api_key: \"***\"
      labels:
        X-Custom: \"***\"
        X-Literal: \"\\\\${not}\"
      max_output_tokens: 100
      model: small
      note: \"***\"
      passwords:
        - \"***\"
        - \"***\"
        - ~
      tokenizer: t
      truth: \"yes\"
environments:
  weather:
    kind: simple_weather
    tool_timeout: 1m
    verify_timeout: 2m
    max_sessions: 100000
    session_idle_timeout: ~
    settings: {}
agents:
  solver:
    kind: tool_loop
    environment: weather
    model: policy
    models: {}
    rollout_timeout: ~
    datasets: []
    settings:
      max_steps: 8
collect:
  agent: ~
  agents: []
  dataset: ~
  output: out.jsonl
  repeats: 1
  limit: ~
  max_in_flight: 256
  max_attempts: 3
  rollout_timeout: 90s
  sync_interval: 1s
  record_timeout: 5m
  failure_limit: ~
runtime:
  shards: ~
  start_timeout: 30s
  hang_after: 1m
  shutdown_timeout: 10s
  session_idle_timeout: 10m
  heartbeat: 100ms
  cpu_threads: ~
  cpu_queue: 1024
telemetry:
  prometheus: ~
";

    fn load(yaml: &str) -> Config {
        let variables = [("KEY", "sk-verysecret"), ("PIN", "2718")];
        let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let loader = Loader::new().text("a.yaml", yaml).environment(variables.into_iter());
        loader.load().unwrap()
    }

    #[test]
    fn everything_is_printed_but_secrets() {
        let config = load(YAML);
        assert_eq!(config.to_masked_yaml(), PRINTED);
    }

    #[test]
    fn what_is_printed_can_be_loaded_and_prints_itself() {
        let config = Loader::new().text("printed.yaml", PRINTED).load().unwrap();
        assert_eq!(config.to_masked_yaml(), PRINTED);
    }

    #[test]
    fn a_secret_outside_of_the_settings_is_masked_too() {
        let yaml = "hf_token: ${env:KEY}\nmodels: { m: { kind: 'x${hf_token}' } }\n";
        let printed = load(yaml).to_masked_yaml();
        assert!(printed.contains("kind: \"***\"") && !printed.contains("sk-"), "{printed}");
    }

    #[test]
    fn a_url_with_credentials_is_masked_under_any_name() {
        let yaml = "place: 'https://me:${env:PIN}@h/v1'\nsite: 'https://h/?a=1&key=${env:PIN}'\n";
        let printed = load(yaml).to_masked_yaml();
        assert!(printed.starts_with("place: \"***\"\nsite: \"***\"\n"), "{printed}");
    }
}
