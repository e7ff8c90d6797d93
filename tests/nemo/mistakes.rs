//! What NeMo Gym refuses, and what it says nothing about: everything wrong is said at once.

use super::{MODEL, load, loader, problems, repository, warnings};
use crate::support::command::Folder;

#[test]
fn references_to_nothing_come_with_the_nearest_server_of_their_type() {
    let folder = repository();
    folder.write(
        "more.yaml",
        "
simple_weather_simple_agent:
  responses_api_agents:
    simple_agent:
      resources_server: { name: simple_wether }
      model_server:
        name: simple_weather
",
    );
    let found = problems(&folder, &["weather.yaml", "model.yaml", "more.yaml"], &[]);
    let path = "simple_weather_simple_agent.responses_api_agents.simple_agent";
    assert_eq!(
        found,
        [
            format!(
                "more.yaml:7: `{path}.model_server.name`: no model server is named `simple_weather`"
            ),
            format!(
                "more.yaml:5: `{path}.resources_server.name`: no resources server is named `simple_wether`; did you mean `simple_weather`?"
            ),
        ]
    );
}

#[test]
fn all_values_that_have_to_be_given_are_named_at_once() {
    let folder = repository();
    let judged = "
math:
  resources_servers:
    library_judge_math:
      entrypoint: app.py
      domain: math
      judge_model_server: { type: responses_api_models, name: ??? }
      judge_responses_create_params: { input: [], temperature: ??? }
";
    folder.write("judged.yaml", judged);
    folder.write("env.yaml", "policy_base_url: ???\npolicy_api_key: k\npolicy_model_name: m\n");
    let files = ["weather.yaml", "model.yaml", "judged.yaml"];
    let found = problems(&folder, &files, &[]);
    let path = "math.resources_servers.library_judge_math";
    let told = "`???` stands for a value that has to be given";
    assert_eq!(
        found,
        [
            format!("judged.yaml:7: `{path}.judge_model_server.name`: {told}"),
            format!("judged.yaml:8: `{path}.judge_responses_create_params.temperature`: {told}"),
            format!("env.yaml:1: `policy_base_url`: {told}"),
        ]
    );
    let given = [
        "+math.resources_servers.library_judge_math.judge_model_server.name=policy_model",
        "++math.resources_servers.library_judge_math.judge_responses_create_params.temperature=0.0",
        "policy_base_url=http://h/v1",
    ];
    let config = load(&folder, &files, &given);
    assert_eq!(config.environments["math"].settings.to_json()["judge_model"], "policy_model");
}

#[test]
fn interpolations_that_lead_nowhere_are_named() {
    let folder = repository();
    let more = "
a: ${b}
b: ${a}
c: ${policy_model.responses_api_models.vllm_model.base_ulr}
d: ${unknown:1}
e: ${....x}
";
    folder.write("more.yaml", more);
    let found = problems(&folder, &["weather.yaml", "model.yaml", "more.yaml"], &[]);
    assert_eq!(
        found,
        [
            "more.yaml:2: `a`: interpolation cycle: `a` -> `b` -> `a`",
            "more.yaml:4: `c`: `${policy_model.responses_api_models.vllm_model.base_ulr}` refers to nothing; \
             did you mean `policy_model.responses_api_models.vllm_model.base_url`?",
            "more.yaml:5: `d`: unknown resolver `unknown`",
            "more.yaml:6: `e`: `${....x}` refers to nothing",
        ]
    );
    // What is to come from the secrets file is said with what to do about it.
    let bare = Folder::new();
    bare.write("model.yaml", MODEL);
    let problems = loader(&bare, &["model.yaml"], &[]).load().unwrap_err();
    assert!(problems.to_string().contains("`${policy_api_key}` refers to nothing"), "{problems}");
    assert!(problems.hint().unwrap().contains("`env.yaml`"));
}

/// An entry for each rule that it breaks.
const ALMOST: &str = "
domainless: { resources_servers: { mcqa: { entrypoint: app.py } } }
mistaken: { resources_servers: { mcqa: { entrypoint: 5, domain: maths, host: [], port: high } } }
several: { resources_servers: { mcqa: { entrypoint: app.py, domain: math }, workbench: {} }, responses_api_agents: {} }
data:
  responses_api_agents:
    simple_agent:
      entrypoint: app.py
      datasets:
        - { name: a, type: train, jsonl_fpath: a.jsonl }
        - { name: b, type: trian, jsonl_fpath: b.jsonl, license: Apache 3.0, num_repeats: 0 }
        - { type: example, jsonl_fpath: 5, gitlab_identifier: { dataset_name: x }, source: { type: gitlub } }
        - nothing
      resources_server: { type: resources_servers, name: domainless }
      model_server: { type: responses_api_models, name: policy }
policy: { responses_api_models: { openai_model: { entrypoint: app.py, openai_base_url: http://h/v1, openai_model: m } } }
";

#[test]
fn almost_servers_are_refused_with_every_rule_that_they_break() {
    let folder = Folder::new();
    folder.write("config.yaml", ALMOST);
    let found = problems(&folder, &["config.yaml"], &[]);
    let starts = "config.yaml:";
    assert!(
        found.iter().all(|line| line.starts_with(starts) && line.contains("almost a server: "))
    );
    let short: Vec<String> = found
        .iter()
        .map(|line| line.replace("almost a server: ", "").replace("config.yaml:", ""))
        .map(|line| {
            line.replace("responses_api_agents.simple_agent.", "")
                .replace("resources_servers.mcqa.", "")
        })
        .collect();
    assert_eq!(
        short,
        [
            "10: `data.datasets.0.license`: missing key",
            "11: `data.datasets.1.type`: unknown value `trian`; did you mean `train`?",
            "11: `data.datasets.1.num_repeats`: expected an integer of at least 1, found number `0`",
            "11: `data.datasets.1.license`: unknown value `Apache 3.0`; did you mean `Apache 2.0`?",
            "12: `data.datasets.2.name`: missing key",
            "12: `data.datasets.2.jsonl_fpath`: expected a string, found number `5`",
            "12: `data.datasets.2.gitlab_identifier.version`: missing key",
            "12: `data.datasets.2.gitlab_identifier.artifact_fpath`: missing key",
            "12: `data.datasets.2.source`: it cannot stand beside another identifier",
            "12: `data.datasets.2.source.type`: unknown value `gitlub`; did you mean `gitlab`?",
            "13: `data.datasets.3`: expected a map, found text `nothing`",
            "2: `domainless.domain`: missing key",
            "3: `mistaken.entrypoint`: expected a string, found number `5`",
            "3: `mistaken.host`: expected a string, found a list",
            "3: `mistaken.port`: expected an integer, found text `high`",
            "3: `mistaken.domain`: unknown value `maths`; did you mean `math`?",
            "4: `several.responses_api_agents`: it is a resources server already",
            "4: `several.resources_servers.workbench`: it is implemented by `mcqa` already",
        ]
    );
}

#[test]
fn almost_servers_are_warned_about_if_one_goes_on_with_them() {
    let folder = Folder::new();
    folder.write("config.yaml", ALMOST);
    let config = load(&folder, &["config.yaml"], &["+error_on_almost_servers=false"]);
    let said = warnings(&config);
    assert_eq!(
        said.iter().filter(|line| line.contains("almost a server: ")).count(),
        18,
        "{said:#?}"
    );
    assert_eq!(config.agents["data"].datasets.len(), 1);
}

#[test]
fn a_configuration_of_nemo_gyms_needs_kinds_to_be_translated_to() {
    let folder = repository();
    let loader = rehearsal::prelude::Loader::new().working_directory(folder.path(""));
    let problems = loader.file("weather.yaml").load().unwrap_err();
    assert!(problems.to_string().starts_with("weather.yaml: this is a configuration of NeMo Gym"));
    assert!(problems.hint().unwrap().contains("Loader::kinds"));
}

#[test]
fn included_files_that_cannot_be_read_are_all_named() {
    let folder = Folder::new();
    folder.write("top.yaml", "config_paths: [sub/a.yaml, nowhere.yaml, 5]\n");
    folder.write("sub/a.yaml", "a: [");
    let found = problems(&folder, &["top.yaml"], &[]);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains("`config_paths`: expected a list of paths, found number `5`"));
    assert!(found[1].starts_with("sub/a.yaml:2: not valid YAML"), "{found:#?}");
    assert!(found[2].starts_with("top.yaml:1: `config_paths`: `nowhere.yaml` is not there"));
    folder.write("top.yaml", "config_paths: a.yaml\n");
    assert_eq!(
        problems(&folder, &["top.yaml"], &[]),
        ["top.yaml:1: `config_paths`: expected a list of paths, found text `a.yaml`"]
    );
}
