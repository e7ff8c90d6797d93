//! NeMo Gym's configurations, read as they are: every form that they have, with what it translates to.
//!
//! The trees are written for these tests; no file of NeMo Gym's is among them.

mod forms;
mod mistakes;
mod overrides;
mod printing;
mod running;
mod servers;

use rehearsal::framework::config::{Config, Problems, Translation};
use rehearsal::prelude::*;
use serde_json::Value;

use crate::support::command::Folder;

/// A model of the policy, as NeMo Gym's model configurations have it.
const MODEL: &str = "\
policy_model:
  responses_api_models:
    vllm_model:
      entrypoint: app.py
      base_url: ${policy_base_url}
      api_key: ${policy_api_key}
      model: ${policy_model_name}
      return_token_id_information: false
      uses_reasoning_parser: true
";

/// A resources server and its agent, as NeMo Gym's environment configurations have them.
const WEATHER: &str = "\
simple_weather:
  resources_servers:
    simple_weather:
      entrypoint: app.py
      domain: agent
simple_weather_simple_agent:
  responses_api_agents:
    simple_agent:
      entrypoint: app.py
      resources_server: { type: resources_servers, name: simple_weather }
      model_server: { type: responses_api_models, name: policy_model }
      datasets:
        - { name: example, type: example, jsonl_fpath: resources_servers/simple_weather/data/example.jsonl }
";

/// What is in `env.yaml`.
const ENV: &str = "\
policy_base_url: http://localhost:8000/v1
policy_api_key: sk-of-the-policy
policy_model_name: my-model
";

/// A folder with the two configurations, where NeMo Gym has them, and `env.yaml`.
fn repository() -> Folder {
    let folder = Folder::new();
    folder.write("model.yaml", MODEL);
    folder.write("weather.yaml", WEATHER);
    folder.write("env.yaml", ENV);
    folder
}

/// Loads files of a folder as the command would.
fn loader(folder: &Folder, files: &[&str], overrides: &[&str]) -> Loader {
    let loader = Loader::new().kinds(&rehearsal::kinds()).working_directory(folder.path(""));
    let loader = files.iter().fold(loader, |loader, file| loader.file(file));
    overrides.iter().fold(loader, |loader, argument| loader.overriding(*argument))
}

#[track_caller]
fn load(folder: &Folder, files: &[&str], overrides: &[&str]) -> Config {
    loader(folder, files, overrides).load().unwrap_or_else(|problems| panic!("{problems}"))
}

#[track_caller]
fn translate(folder: &Folder, files: &[&str], overrides: &[&str]) -> Translation {
    loader(folder, files, overrides).translate().unwrap_or_else(|problems| panic!("{problems}"))
}

/// The problems of a configuration, one a line.
#[track_caller]
fn problems(folder: &Folder, files: &[&str], overrides: &[&str]) -> Vec<String> {
    let loaded: Result<Config, Problems> = loader(folder, files, overrides).load();
    loaded.unwrap_err().to_string().lines().map(str::to_owned).collect()
}

/// What a model comes to: its settings, secrets in clear.
fn model(config: &Config, name: &str) -> Value {
    config.models[name].settings.to_json()
}

fn warnings(config: &Config) -> Vec<String> {
    config.warnings().iter().map(ToString::to_string).collect()
}
