//! Files, includes, variables, datasets, directives.

use serde_json::json;

use super::{ENV, MODEL, WEATHER, load, model, problems, repository, translate, warnings};
use crate::support::command::Folder;

#[test]
fn three_levels_become_components_and_references_become_names() {
    let config = load(&repository(), &["weather.yaml", "model.yaml"], &[]);
    assert_eq!(config.models["policy_model"].kind, "chat_completions");
    assert_eq!(
        model(&config, "policy_model"),
        json!({
            "base_url": "http://localhost:8000/v1", "api_key": "sk-of-the-policy", "model": "my-model",
            "return_token_id_information": false, "uses_reasoning_parser": true,
        })
    );
    assert_eq!(config.environments["simple_weather"].kind, "simple_weather");
    let agent = &config.agents["simple_weather_simple_agent"];
    assert_eq!(
        (agent.kind.as_str(), agent.environment.as_str(), agent.model.as_str()),
        ("tool_loop", "simple_weather", "policy_model")
    );
    let dataset = &agent.datasets[0];
    assert_eq!(
        (dataset.name.as_str(), dataset.path.to_str().unwrap(), dataset.repeats.get()),
        ("example", "resources_servers/simple_weather/data/example.jsonl", 1)
    );
}

#[test]
fn entries_at_the_top_that_are_no_servers_are_variables() {
    let folder = repository();
    let more = "
steps: 5
sampling: { temperature: 0.5 }
simple_weather_simple_agent:
  responses_api_agents:
    simple_agent:
      max_steps: ${steps}
policy_model:
  responses_api_models:
    vllm_model:
      extra_body: ${sampling}
";
    folder.write("more.yaml", more);
    let files = ["weather.yaml", "model.yaml", "more.yaml"];
    let config = load(&folder, &files, &[]);
    let settings = config.agents["simple_weather_simple_agent"].settings.to_json();
    assert_eq!(settings, json!({ "max_steps": 5 }));
    assert_eq!(model(&config, "policy_model")["extra_body"], json!({ "temperature": 0.5 }));
    let yaml = translate(&folder, &files, &[]).yaml;
    assert!(yaml.contains("steps: 5") && yaml.contains("max_steps: \"${steps}\""), "{yaml}");
    assert!(yaml.contains("`sampling`: not needed here: its values stand where"), "{yaml}");
}

/// What is set under `n` of the model, by files that include each other.
fn included(files: &[(&str, &str)], named: &[&str]) -> (serde_json::Value, Vec<String>) {
    let folder = repository();
    for (name, text) in files {
        folder.write(name, text);
    }
    let config = load(&folder, &[&["weather.yaml", "model.yaml"], named].concat(), &[]);
    (model(&config, "policy_model")["extra_body"]["n"].clone(), warnings(&config))
}

fn with_n(n: u32, config_paths: &str) -> String {
    let body = format!("{{ extra_body: {{ n: {n} }} }}");
    format!(
        "config_paths: [{config_paths}]\npolicy_model: {{ responses_api_models: {{ vllm_model: {body} }} }}\n"
    )
}

#[test]
fn what_includes_lies_over_what_it_includes_and_later_over_earlier() {
    let (first, second) = (with_n(1, ""), with_n(2, ""));
    let files = [("a.yaml", first.as_str()), ("b.yaml", second.as_str())];
    assert_eq!(included(&files, &["a.yaml", "b.yaml"]).0, 2);
    assert_eq!(included(&files, &["b.yaml", "a.yaml"]).0, 1);

    let both = "config_paths: [b.yaml, a.yaml]\n";
    let (n, said) = included(&[files[0], files[1], ("both.yaml", both)], &["both.yaml"]);
    assert_eq!((n, said), (json!(1), vec![]));

    let parent = with_n(3, "a.yaml");
    let (n, said) = included(&[files[0], ("parent.yaml", &parent)], &["parent.yaml"]);
    assert_eq!(n, 3);
    assert_eq!(
        said,
        ["`policy_model.responses_api_models.vllm_model.extra_body.n`: `parent.yaml:2` wins over \
             `a.yaml:2`; in NeMo Gym's first version, in which an included file wins over the one that \
             includes it, it was the other way round"]
    );
}

#[test]
fn a_file_is_read_once_however_often_it_is_included() {
    let (a, b, c) = (with_n(1, "b.yaml"), with_n(2, "a.yaml"), with_n(3, "a.yaml, b.yaml"));
    let files = [("a.yaml", a.as_str()), ("b.yaml", b.as_str()), ("c.yaml", c.as_str())];
    let (n, said) = included(&files, &["c.yaml"]);
    assert_eq!(n, 3);
    let twice = said.iter().filter(|line| line.contains("is included more than once")).count();
    assert_eq!(twice, 2, "{said:#?}");
}

#[test]
fn maps_are_merged_and_lists_and_scalars_replaced() {
    let folder = repository();
    let more = "
policy_model:
  responses_api_models:
    vllm_model: { model: other, extra_body: { b: 2 } }
simple_weather_simple_agent:
  responses_api_agents:
    simple_agent:
      datasets: [ { name: mine, type: example, jsonl_fpath: mine.jsonl, num_repeats: 4 } ]
";
    folder.write("more.yaml", more);
    folder.write(
        "less.yaml",
        "policy_model: { responses_api_models: { vllm_model: { extra_body: { a: 1 } } } }",
    );
    let config = load(&folder, &["weather.yaml", "model.yaml", "less.yaml", "more.yaml"], &[]);
    let settings = model(&config, "policy_model");
    assert_eq!(settings["model"], "other");
    assert_eq!(settings["extra_body"], json!({ "a": 1, "b": 2 }));
    let datasets = &config.agents["simple_weather_simple_agent"].datasets;
    assert_eq!(datasets.len(), 1);
    assert_eq!((datasets[0].name.as_str(), datasets[0].repeats.get()), ("mine", 4));
}

#[test]
fn paths_are_found_from_the_root_of_the_repository_wherever_one_stands() {
    let folder = Folder::new();
    let data = "resources_servers/simple_weather/data/example.jsonl";
    folder.write(&format!("gym/{data}"), "");
    folder.write("gym/resources_servers/simple_weather/configs/simple_weather.yaml", WEATHER);
    folder.write("gym/responses_api_models/vllm_model/configs/vllm_model.yaml", MODEL);
    let both = "config_paths:
  - resources_servers/simple_weather/configs/simple_weather.yaml
  - responses_api_models/vllm_model/configs/vllm_model.yaml
";
    folder.write("gym/both.yaml", both);
    folder.write("env.yaml", ENV);
    let path = |config: &super::Config| {
        config.agents["simple_weather_simple_agent"].datasets[0].path.display().to_string()
    };
    assert_eq!(path(&load(&folder, &["gym/both.yaml"], &[])), format!("gym/{data}"));
    let by_list = "+config_paths=[resources_servers/simple_weather/configs/simple_weather.yaml, responses_api_models/vllm_model/configs/vllm_model.yaml]";
    let extra = folder.path("gym").display().to_string();
    let config = super::loader(&folder, &[], &[by_list])
        .environment([("NEMO_GYM_EXTRA_ROOTS".to_owned(), extra.clone())].into_iter())
        .load()
        .unwrap();
    assert_eq!(path(&config), format!("{extra}/{data}"));
    let found = problems(&folder, &["gym/both.yaml"], &["+config_paths=[nowhere.yaml]"]);
    assert_eq!(
        found,
        ["override `config_paths`: `config_paths`: `nowhere.yaml` is not there; looked in `.`"]
    );
}

#[test]
fn the_list_of_files_may_stand_in_the_secrets_file_or_refer_to_it() {
    let folder = repository();
    folder.write("env.yaml", &format!("{ENV}my_paths: [weather.yaml, model.yaml]\n"));
    let config = load(&folder, &[], &["+config_paths=${my_paths}"]);
    assert_eq!(config.agents.len(), 1);
    folder.write("env.yaml", &format!("{ENV}config_paths: [weather.yaml, model.yaml]\n"));
    assert_eq!(load(&folder, &[], &[]).agents.len(), 1);
    // Files that are named one by one win over that list.
    folder.write("other.yaml", MODEL);
    assert_eq!(load(&folder, &["other.yaml"], &[]).agents.len(), 0);
}

#[test]
fn interpolation_knows_the_forms_of_omegaconf() {
    let folder = repository();
    let more = "
host: h
which: host
port: ${oc.env:PORT,9000}
nested: { list: [a, b], deep: { this: '${.other}', other: '${..list[1]}' } }
judge:
  responses_api_models:
    openai_model:
      entrypoint: app.py
      openai_base_url: http://${${which}}:${port}/v1
      openai_api_key: ${policy_model.responses_api_models.vllm_model.api_key}
      openai_model: ${oc.env:JUDGE_MODEL,${policy_model_name}}
      extra_body:
        relative: ${..openai_base_url}
        selected: ${oc.select:nested.nothing,7}
        absent: ${oc.select:nested.nothing}
        decoded: \"${oc.decode:'[1, {a: b}]'}\"
        created: ${oc.create:[1,2]}
        names: ${oc.dict.keys:nested}
        values: ${oc.dict.values:nested.deep}
        renamed: ${oc.deprecated:nested.list}
        quoted: ${oc.env:NOTHING,\"a, b\"}
        literal: \\${not}
        element: ${nested.list.0}
        maybe: ${oc.env:NOTHING,null}
";
    folder.write("more.yaml", more);
    let variables = [("PORT", "8123"), ("JUDGE_MODEL", "judge-1.10")];
    let variables = variables.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let config = super::loader(&folder, &["weather.yaml", "model.yaml", "more.yaml"], &[])
        .environment(variables.into_iter())
        .load()
        .unwrap();
    assert_eq!(
        model(&config, "judge"),
        json!({
            "base_url": "http://h:8123/v1", "api_key": "sk-of-the-policy", "model": "judge-1.10",
            "extra_body": {
                "relative": "http://h:8123/v1", "selected": 7, "absent": null, "decoded": [1, { "a": "b" }],
                "created": [1, 2], "names": ["deep", "list"], "values": ["b", "b"],
                "renamed": ["a", "b"], "quoted": "a, b", "literal": "${not}", "element": "a",
                "maybe": null,
            },
        })
    );
}

#[test]
fn words_that_are_booleans_to_nemo_gym_are_booleans() {
    let folder = repository();
    folder.write("more.yaml", "policy_model: { responses_api_models: { vllm_model: { replace_developer_role_with_system: yes, extra_body: { a: [Off, 'on'] } } } }");
    let config = load(&folder, &["weather.yaml", "model.yaml", "more.yaml"], &[]);
    let settings = model(&config, "policy_model");
    assert_eq!(settings["replace_developer_role_with_system"], true);
    assert_eq!(settings["extra_body"]["a"], json!([false, "on"]));
    assert_eq!(warnings(&config), [""; 0]);
}

#[test]
fn datasets_keep_what_means_something_and_say_where_the_rest_can_be_had() {
    let folder = repository();
    let more = "
simple_weather_simple_agent:
  responses_api_agents:
    simple_agent:
      datasets:
        - name: train
          type: train
          jsonl_fpath: data/train.jsonl
          num_repeats: 8
          license: Apache 2.0
          gitlab_identifier: { dataset_name: weather, version: 0.0.1, artifact_fpath: train.jsonl }
        - name: validation
          type: validation
          jsonl_fpath: data/validation.jsonl
          license: NVIDIA Internal Use Only, Do Not Distribute
          source: { type: huggingface, repo_id: someone/weather, artifact_fpath: validation.jsonl }
        - name: bench
          type: benchmark
          jsonl_fpath: data/bench.jsonl
          prepare_script: prepare.py
          prompt_config: prompts/bench.yaml
        - { name: here, type: example, jsonl_fpath: data/here.jsonl, huggingface_identifier: { repo_id: x/y } }
";
    folder.write("more.yaml", more);
    folder.write("data/here.jsonl", "");
    let files = ["weather.yaml", "model.yaml", "more.yaml"];
    let config = load(&folder, &files, &[]);
    let datasets = &config.agents["simple_weather_simple_agent"].datasets;
    let shown: Vec<_> = datasets
        .iter()
        .map(|it| format!("{} {:?} {} {}", it.name, it.r#type, it.path.display(), it.repeats))
        .collect();
    assert_eq!(
        shown,
        [
            "train Train data/train.jsonl 8",
            "validation Validation data/validation.jsonl 1",
            "bench Validation data/bench.jsonl 1",
            "here Example data/here.jsonl 1",
        ]
    );
    let said = warnings(&config);
    assert_eq!(said.len(), 2, "{said:#?}");
    assert!(
        said[0].contains("datasets.2.prepare_script`: left out, it has no counterpart"),
        "{said:#?}"
    );
    assert!(
        said[1].contains("datasets.2.prompt_config`: left out, it has no counterpart"),
        "{said:#?}"
    );
    let yaml = translate(&folder, &files, &[]).yaml;
    for note in [
        "`data/train.jsonl` does not exist, and nothing is downloaded; put `train.jsonl` of the GitLab \
         dataset `weather`, version 0.0.1, there",
        "`data/validation.jsonl` does not exist, and nothing is downloaded; put `validation.jsonl` of the \
         Hugging Face dataset `someone/weather` there",
        "# Not needed here: domain (1), entrypoint (3), huggingface_identifier (1), license (2).",
    ] {
        assert!(yaml.contains(note), "{note}\n{yaml}");
    }
}

#[test]
fn inherited_servers_move_and_copied_ones_stay() {
    let folder = repository();
    let more = "
my_weather:
  _inherit_from: simple_weather
my_agent:
  _inherit_from: simple_weather_simple_agent
  responses_api_agents:
    simple_agent:
      _delete_key: datasets
      resources_server: { name: my_weather }
      max_steps: 3
my_judge:
  _copy: policy_model
  responses_api_models: { vllm_model: { model: judge } }
other_judge: ${copy:my_judge}
";
    folder.write("more.yaml", more);
    let config = load(&folder, &["weather.yaml", "model.yaml", "more.yaml"], &[]);
    assert_eq!(config.environments.keys().collect::<Vec<_>>(), ["my_weather"]);
    assert_eq!(config.agents.keys().collect::<Vec<_>>(), ["my_agent"]);
    let agent = &config.agents["my_agent"];
    assert_eq!((agent.environment.as_str(), agent.datasets.len()), ("my_weather", 0));
    assert_eq!(agent.settings.to_json(), json!({ "max_steps": 3 }));
    assert_eq!(
        config.models.keys().collect::<Vec<_>>(),
        ["my_judge", "other_judge", "policy_model"]
    );
    assert_eq!(model(&config, "other_judge")["model"], "judge");
    assert_eq!(model(&config, "policy_model")["model"], "my-model");
}

#[test]
fn the_keys_of_the_collector_become_a_collection() {
    let folder = repository();
    folder.write("rows.jsonl", "");
    let collector = [
        "+agent_name=simple_weather_simple_agent",
        "+input_jsonl_fpath=rows.jsonl",
        "+output_jsonl_fpath=out/rollouts.jsonl",
        "+limit=0",
        "+num_repeats=4",
        "+num_samples_in_parallel=32",
    ];
    let config = load(&folder, &["weather.yaml", "model.yaml"], &collector);
    let collect = config.collect.as_ref().unwrap();
    assert_eq!(collect.agent.as_deref(), Some("simple_weather_simple_agent"));
    assert_eq!(collect.output.to_str(), Some("out/rollouts.jsonl"));
    assert_eq!((collect.limit, collect.repeats.get(), collect.max_in_flight.get()), (None, 4, 32));
    assert_eq!(collect.dataset.as_deref(), Some("input"));
    let datasets = &config.agents["simple_weather_simple_agent"].datasets;
    assert_eq!(datasets[1].path.to_str(), Some("rows.jsonl"));
    assert_eq!(config.check(&rehearsal::kinds().names()).unwrap().len(), 1);

    let unknown = [
        "+agent_name=simple_weather_agent",
        "+input_jsonl_fpath=rows.jsonl",
        "+output_jsonl_fpath=o",
    ];
    let config = load(&folder, &["weather.yaml", "model.yaml"], &unknown);
    let problems = config.check(&rehearsal::kinds().names()).unwrap_err().to_string();
    assert_eq!(
        problems,
        "override `agent_name`: `collect.agent`: no agent is named `simple_weather_agent`; did you mean `simple_weather_simple_agent`?"
    );
}

#[test]
fn our_own_sections_lie_over_a_translation() {
    let folder = repository();
    let ours = "
models:
  policy_model: { timeout: 1m, settings: { model: ours } }
agents:
  simple_weather_simple_agent: { settings: { max_steps: 2 } }
collect: { output: out.jsonl }
";
    folder.write("ours.yaml", ours);
    let config = super::loader(&folder, &["weather.yaml", "model.yaml", "ours.yaml"], &[])
        .set("collect.repeats=3")
        .set("policy_base_url=http://elsewhere/v1")
        .set("policy_model.responses_api_models.vllm_model.uses_reasoning_parser=false")
        .load()
        .unwrap();
    let settings = model(&config, "policy_model");
    assert_eq!(
        (&settings["model"], &settings["base_url"]),
        (&json!("ours"), &json!("http://elsewhere/v1"))
    );
    assert_eq!(settings["uses_reasoning_parser"], false);
    assert_eq!(
        config.agents["simple_weather_simple_agent"].settings.to_json(),
        json!({ "max_steps": 2 })
    );
    assert_eq!(config.collect.unwrap().repeats.get(), 3);
}

#[test]
fn the_secrets_file_lies_over_the_files_and_reaches_into_servers() {
    let folder = repository();
    let search = "
google_search:
  resources_servers:
    google_search: { entrypoint: app.py, domain: agent }
";
    folder.write("search.yaml", search);
    let keys = "google_search: { resources_servers: { google_search: { google_api_key: sk-search, google_cx: my-engine } } }\n";
    folder.write("env.yaml", &format!("{ENV}{keys}"));
    let config = load(&folder, &["search.yaml", "model.yaml"], &[]);
    let settings = config.environments["google_search"].settings.to_json();
    assert_eq!(settings, json!({ "google_api_key": "sk-search", "google_cx": "my-engine" }));
    assert!(!config.to_masked_yaml().contains("sk-search"));
    assert_eq!(warnings(&config), [""; 0]);
    // To a configuration of ours it says nothing.
    folder.write(
        "ours.yaml",
        "models: { m: { kind: openai, settings: { model: '${policy_model_name}' } } }\n",
    );
    let config = load(&folder, &["ours.yaml"], &[]);
    assert_eq!(
        warnings(&config),
        ["env.yaml:4: `google_search`: not needed here: no configuration of NeMo Gym's is read"]
    );
}
