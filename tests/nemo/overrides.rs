//! Overrides of the command line, in the grammar of Hydra.

use serde_json::{Value, json};

use super::{load, model, problems, repository};
use crate::support::command::Folder;

const FILES: [&str; 2] = ["weather.yaml", "model.yaml"];
const VLLM: &str = "policy_model.responses_api_models.vllm_model";

/// The model's settings after overrides of its keys.
fn after(overrides: &[&str]) -> Value {
    let overrides: Vec<String> = overrides.iter().map(|text| text.replace('@', VLLM)).collect();
    let overrides: Vec<&str> = overrides.iter().map(String::as_str).collect();
    model(&load(&repository(), &FILES, &overrides), "policy_model")
}

#[test]
fn a_plus_sets_a_key_whether_or_not_a_file_has_it() {
    assert_eq!(after(&["+@.model=other"])["model"], "other");
    assert_eq!(after(&["+policy_model_name=other"])["model"], "other");
    assert_eq!(after(&["+@.extra_body.a.b=1"])["extra_body"], json!({ "a": { "b": 1 } }));
    assert_eq!(after(&["++@.model=a", "++@.model=b"])["model"], "b");
    assert_eq!(after(&["+@.model=a", "@.model=b"])["model"], "b");
}

#[test]
fn values_are_typed_and_may_be_lists_and_maps() {
    let value =
        |text: &str| after(&[&format!("+@.extra_body.x={text}")])["extra_body"]["x"].clone();
    assert_eq!(value("4"), 4);
    assert_eq!(value("1_000"), 1000);
    assert_eq!(value("0.5"), 0.5);
    assert_eq!(value("true"), true);
    assert_eq!(value("null"), json!(null));
    assert_eq!(value("'4'"), "4");
    assert_eq!(value(""), "");
    assert_eq!(value("a b"), "a b");
    assert_eq!(value("\"a, b: [c]\""), "a, b: [c]");
    assert_eq!(value("[1,two,'3']"), json!([1, "two", "3"]));
    assert_eq!(value("{a:1,b:{c:[x]}}"), json!({ "a": 1, "b": { "c": ["x"] } }));
    assert_eq!(value("http://h:1/v1?q=1"), "http://h:1/v1?q=1");
    assert_eq!(value("${policy_model_name}-2"), "my-model-2");
    assert_eq!(value("${oc.env:NOTHING,7}"), 7);
}

#[test]
fn a_map_is_merged_and_a_list_reached_into() {
    let both = after(&[
        "+@.extra_body={a:1,b:[1,2]}",
        "+@.extra_body.c=3",
        "@.extra_body.b.0=9",
        "@.extra_body.b[1]=8",
    ]);
    assert_eq!(both["extra_body"], json!({ "a": 1, "b": [9, 8], "c": 3 }));
    assert_eq!(
        after(&["+@.extra_body={a:1}", "++@.extra_body={b:2}"])["extra_body"],
        json!({ "a": 1, "b": 2 })
    );
}

#[test]
fn a_tilde_takes_a_key_out() {
    assert_eq!(after(&["~@.uses_reasoning_parser"]).get("uses_reasoning_parser"), None);
    assert_eq!(after(&["~@.uses_reasoning_parser=true"]).get("uses_reasoning_parser"), None);
    let config = load(&repository(), &FILES, &["~simple_weather_simple_agent", "~simple_weather"]);
    assert!(config.agents.is_empty() && config.environments.is_empty());
}

#[test]
fn overrides_that_cannot_be_are_all_said_with_what_to_write() {
    let overrides = [
        "policy_model_nam=x",
        "~nothing.at.all",
        "+a=1",
        "+a=2",
        "+b=1,2",
        "+c=[1",
        "+d..e=1",
        "~policy_model_name=other",
        "+policy_model_name.x=1",
    ];
    let found = problems(&repository(), &FILES, &overrides);
    assert_eq!(
        found,
        [
            "override `b`: not a value: several values stand side by side",
            "override `c`: not a value: a `[` is never closed",
            "override `d..e`: `d..e` is not a key path",
            "override `policy_model_nam`: `policy_model_nam`: cannot be overridden, since there is nothing there; did you mean `policy_model_name`?",
            "override `nothing.at.all`: `nothing.at.all`: cannot be overridden, since there is nothing there",
            "override `a`: `a`: added twice",
            "override `policy_model_name`: `policy_model_name`: cannot be overridden, since there is nothing there",
            "override `policy_model_name.x`: `policy_model_name.x`: cannot be set, since `policy_model_name` is text `my-model`",
        ]
    );
}

#[test]
fn the_command_takes_overrides_and_says_what_is_none() {
    let folder = repository();
    let shown = folder.run(&[
        "config",
        "--config",
        "weather.yaml",
        "-c",
        "model.yaml",
        "+policy_model_name=other",
    ]);
    shown.exits_with(0);
    assert!(shown.stdout.contains("model: other"), "{}", shown.stdout);
    let listed = folder.run(&["config", "+config_paths=[weather.yaml,model.yaml]"]);
    assert!(listed.exits_with(0).stdout.contains("model: my-model"), "{}", listed.stdout);
    folder
        .run(&["check", "--config", "weather.yaml", "model.yaml"])
        .exits_with(2)
        .says(&["overrides are"]);
    folder.run(&["check"]).exits_with(2).says(&["--config <FILE>"]);
    folder
        .run(&["check", "-c", "weather.yaml", "-c", "model.yaml", "polcy_model_name=x"])
        .exits_with(1)
        .says(&["did you mean `policy_model_name`?", "hint: `+key=value` adds a key"]);
}

#[test]
fn overrides_reach_our_own_sections_too() {
    let folder = Folder::new();
    folder.write(
        "ours.yaml",
        "models: { m: { kind: scripted, settings: { rules: [ { say: a }, { say: b } ] } } }\n",
    );
    let overrides =
        ["models.m.settings.rules.1.say=c", "++models.m.timeout=5s", "~models.m.settings.rules.0"];
    let config = load(&folder, &["ours.yaml"], &overrides);
    assert_eq!(model(&config, "m"), json!({ "rules": [{ "say": "c" }] }));
    assert_eq!(config.models["m"].timeout.duration().as_secs(), 5);
    let nemo = repository();
    let config =
        load(&nemo, &FILES, &["+models.policy_model.timeout=5s", "+collect={output: o.jsonl}"]);
    assert_eq!(config.models["policy_model"].timeout.duration().as_secs(), 5);
}

#[test]
fn a_word_of_nemo_gyms_in_an_override_is_translated_too() {
    let datasets = "++simple_weather_simple_agent.responses_api_agents.simple_agent.datasets=\
        [{name: b, type: benchmark, jsonl_fpath: b.jsonl, prompt_config: null}]";
    let config = load(&repository(), &FILES, &[datasets]);
    let dataset = &config.agents["simple_weather_simple_agent"].datasets[0];
    assert_eq!(serde_json::to_value(dataset).unwrap()["type"], "validation");
}
