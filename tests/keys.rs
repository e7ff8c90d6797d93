//! Keys come from the environment or from a file of secrets, and from nowhere else: one that is written out
//! in a configuration, or on the command line, is refused by its place and never shown.

use rehearsal::framework::config::{Config, Problems, Settings};
use rehearsal::prelude::*;
use serde_json::json;

use crate::support::command::Folder;

const REFUSED: &str = "a secret is written out where others can read it";
const REFERS: &str = "a secret that refers to what is written out where others can read it";

/// One model, with settings of one line beside the two that it needs.
fn model(settings: &str) -> String {
    let needed = "base_url: 'http://127.0.0.1:1/v1', model: m";
    format!("models:\n  m:\n    kind: openai\n    settings: {{ {needed}, {settings} }}\n")
}

fn load(loader: Loader) -> Result<Config, Vec<String>> {
    let lines = |problems: Problems| problems.to_string().lines().map(str::to_owned).collect();
    loader.load().map_err(lines)
}

/// Loads a text with variables of the environment.
fn load_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    load(Loader::new().text("a.yaml", text).environment(variables))
}

fn api_key(config: &Config) -> serde_json::Value {
    config.models["m"].settings.to_json()["api_key"].clone()
}

#[test]
fn every_key_of_every_kind_is_refused_in_a_file_with_its_place_and_without_its_text() {
    let folder = Folder::new();
    let config = "
hf_token: sk-0
models:
  a:
    kind: openai
    settings:
      base_url: https://me:sk-1@h/v1
      model: m
      api_key: sk-2
      default_headers:
        X-Title: my tasks
        Authorization: Basic sk-3
        x-team: bearer sk-4
        cookie: session=sk-5
        api-key: sk-6
      extra_body: { provider: { secret: sk-7 } }
  b: { kind: chat_completions, settings: { base_url: ['http://h/v1?key=sk-8'], api_key: 1234 } }
  c: { kind: azure_openai, settings: { api_key: sk-9, token: sk-10 } }
  judge: { kind: anthropic, settings: { api_key: '${env:JUDGE_KEY,sk-11}' } }
environments:
  web: { kind: google_search, settings: { google_api_key: sk-12, google_cx: sk-13 } }
";
    folder.write("mine.yaml", config);
    // What wins over it makes it no better.
    folder.write("env.yaml", "models: { a: { settings: { api_key: sk-14 } } }\n");
    let expected = [
        "mine.yaml:2: `hf_token`",
        "mine.yaml:7: `models.a.settings.base_url`",
        "mine.yaml:9: `models.a.settings.api_key`",
        "mine.yaml:12: `models.a.settings.default_headers.Authorization`",
        "mine.yaml:13: `models.a.settings.default_headers.x-team`",
        "mine.yaml:14: `models.a.settings.default_headers.cookie`",
        "mine.yaml:15: `models.a.settings.default_headers.api-key`",
        "mine.yaml:16: `models.a.settings.extra_body.provider.secret`",
        "mine.yaml:17: `models.b.settings.base_url.0`",
        "mine.yaml:17: `models.b.settings.api_key`",
        "mine.yaml:18: `models.c.settings.api_key`",
        "mine.yaml:18: `models.c.settings.token`",
        "mine.yaml:19: `models.judge.settings.api_key`",
        "mine.yaml:21: `environments.web.settings.google_api_key`",
        "mine.yaml:21: `environments.web.settings.google_cx`",
    ];
    for arguments in [["check", "-c", "mine.yaml"], ["config", "-c", "mine.yaml"]] {
        let ended = folder.run(&arguments);
        ended.exits_with(1);
        for place in expected {
            ended.says(&[&format!("{place}: {REFUSED}")]);
        }
        assert_eq!(ended.stderr.matches(REFUSED).count(), expected.len(), "{}", ended.stderr);
        assert!(!ended.stderr.contains("sk-") && !ended.stderr.contains("1234"));
        assert_eq!(ended.stderr.matches("hint: ").count(), 1, "{}", ended.stderr);
        ended.says(&["hint: write `${env:NAME}`", "`name: …` into `env.yaml`", "`EMPTY`"]);
        assert_eq!(ended.stdout, "");
    }
}

#[test]
fn they_are_refused_together_with_all_else_that_is_wrong() {
    let text = model("api_key: sk-1") + "collect: { repeats: often }\nruntime: { shrads: 1 }\n";
    let found = load_with(&text, &[]).unwrap_err();
    assert_eq!(found[0], format!("a.yaml:4: `models.m.settings.api_key`: {REFUSED}"));
    assert!(found.iter().any(|line| line.contains("`collect.repeats`: expected")), "{found:?}");
    assert!(found.iter().any(|line| line.contains("did you mean `shards`")), "{found:?}");
}

#[test]
fn the_command_line_is_read_by_others_too() {
    let folder = Folder::new();
    folder.write("mine.yaml", &model("api_key: ''"));
    let path = "models.m.settings.api_key";
    let set = format!("{path}=sk-1");
    let whole = "models.m.settings={ base_url: http://h, model: m, api_key: sk-1 }";
    for (arguments, place) in [
        (["--set", set.as_str()].as_slice(), format!("--set {path}: `{path}`")),
        (&["--set", whole], format!("--set models.m.settings: `{path}`")),
        (&[set.as_str()], format!("override `{path}`: `{path}`")),
        (&["+policy_api_key=sk-1"], "override `policy_api_key`: `policy_api_key`".to_owned()),
    ] {
        let ended = folder.run(&[&["check", "-c", "mine.yaml"][..], arguments].concat());
        ended.exits_with(1).says(&[&format!("{place}: {REFUSED}"), "hint: write `${env:NAME}`"]);
        assert!(!ended.stderr.contains("sk-1"), "{}", ended.stderr);
    }
    // A reference is fine, and so is what says that there is no key.
    for value in ["${env:KEY}", "EMPTY"] {
        let set = format!("{path}={value}");
        let mut command = folder.rehearsal(&["config", "-c", "mine.yaml", "--set", &set]);
        assert!(command.env("KEY", "sk-1").status().unwrap().success());
    }
}

#[test]
fn a_reference_is_as_good_as_what_it_refers_to() {
    let refused = |text: &str, place: &str, fault: &str| {
        let found = load_with(text, &[("KEY", "sk-1")]).unwrap_err();
        assert_eq!(found, [format!("a.yaml:{place}: {fault}")], "{text}");
    };
    // The place where it is written out is named, and not who refers to it.
    let text = model("api_key: '${policy_api_key}'") + "policy_api_key: sk-1\n";
    refused(&text, "5: `policy_api_key`", REFUSED);
    // Under a name that tells of no secret, it is one by the use that is made of it.
    let text = model("api_key: '${mine}'") + "mine: '${other}'\nother: sk-1\n";
    refused(&text, "4: `models.m.settings.api_key`", REFERS);
    let headers = "default_headers: { authorization: 'Bearer ${mine}', x-title: '${mine}' }";
    let text = model(headers) + "mine: sk-1\n";
    refused(&text, "4: `models.m.settings.default_headers.authorization`", REFERS);
    let text = model("api_key: '${oc.select:nothing,sk-1}'");
    refused(&text, "4: `models.m.settings.api_key`", REFUSED);
    // A default counts, whether or not it is needed.
    for variable in ["KEY", "UNSET"] {
        let text = model(&format!("api_key: '${{env:{variable},sk-2}}'"));
        refused(&text, "4: `models.m.settings.api_key`", REFUSED);
    }
    let text = "models: { m: { kind: openai, settings: { base_url: '${place}' } } }\nplace: 'http://${env:KEY}:x1@h'";
    refused(text, "2: `place`", REFUSED);

    for settings in [
        "api_key: '${env:KEY}'",
        "api_key: '${oc.env:KEY}'",
        "api_key: '${env:KEY,none}'",
        "api_key: '${env:OTHER,${env:KEY}}'",
        "default_headers: { authorization: 'Bearer ${env:OTHER,}' }",
        "api_key: '${policy_api_key}'",
        "api_key: '${mine}'",
        "default_headers: { authorization: 'Bearer ${env:KEY}', api-key: '${mine}' }",
    ] {
        let text = model(settings) + "policy_api_key: '${env:KEY}'\nmine: '${policy_api_key}'\n";
        load_with(&text, &[("KEY", "sk-1")])
            .unwrap_or_else(|found| panic!("{settings}: {found:?}"));
    }
}

#[test]
fn the_secrets_file_may_say_everything_wherever_it_is() {
    let folder = Folder::new();
    folder.write("mine.yaml", &model("api_key: '${mine}'"));
    let loader = || Loader::new().working_directory(folder.path("")).file("mine.yaml");
    folder.write("secrets/env.yaml", "mine: sk-1\nhf_token: sk-2\n");
    assert_eq!(api_key(&load(loader().file("secrets/env.yaml")).unwrap()), "sk-1");
    folder.write("env.yaml", "models: { m: { settings: { api_key: sk-3 } } }\n");
    assert_eq!(api_key(&load(loader()).unwrap()), "sk-3");
    folder.write("other.yaml", "mine: sk-1\n");
    let place = "mine.yaml:4: `models.m.settings.api_key`";
    std::fs::remove_file(folder.path("env.yaml")).unwrap();
    assert_eq!(load(loader().file("other.yaml")).unwrap_err(), [format!("{place}: {REFERS}")]);
}

#[test]
fn what_stands_for_no_key_may_be_written() {
    for text in [
        "''",
        "null",
        "EMPTY",
        "empty",
        "none",
        "dummy",
        "Dummy_Key",
        "dummy-key",
        "no-key",
        "not-needed",
        "'***'",
        "'Bearer EMPTY'",
        "'${none}'",
    ] {
        let text = model(&format!("api_key: {text}")) + "none: none\n";
        load_with(&text, &[]).unwrap_or_else(|found| panic!("{text}: {found:?}"));
    }
    // Names of another trade, a scripted model's words, and prose.
    let others = "
models:
  m:
    kind: scripted
    settings:
      eos_token: <|end|>
      sort_key: name
      max_output_tokens: 5
      say: see http://me:you@h for more
      rules: [ { calls: [ { name: log_in, arguments: { password: hunter2 } } ] } ]
";
    load_with(others, &[]).unwrap();
}

#[test]
fn a_program_gives_what_it_fetched_as_a_variable_or_in_the_settings_themselves() {
    let fetched = "sk-of-the-vault";
    let by_name = load_with(&model("api_key: '${env:KEY}'"), &[("KEY", fetched)]).unwrap();
    let by_path = "REHEARSAL__MODELS__M__SETTINGS__API_KEY";
    let mut by_path = load_with(&model("temperature: 0"), &[(by_path, fetched)]).unwrap();
    for config in [&by_name, &by_path] {
        assert_eq!(api_key(config), fetched);
        assert!(!config.to_masked_yaml().contains(fetched));
    }
    let settings = json!({ "base_url": "http://127.0.0.1:1/v1", "model": "m", "api_key": fetched });
    by_path.models.get_mut("m").unwrap().settings = Settings::from(settings);
    rehearsal::framework::runtime::check(&by_path, &rehearsal::kinds()).unwrap();
    // A text in a program is a text that others read.
    let found = load(Loader::new().text("mine", &model("api_key: sk-1"))).unwrap_err();
    assert_eq!(found, [format!("mine:4: `models.m.settings.api_key`: {REFUSED}")]);
}

#[test]
fn in_configurations_of_nemo_gyms_too() {
    let folder = Folder::new();
    let server = |key: &str| {
        format!("
judge:
  responses_api_models:
    openai_model:
      {{ entrypoint: app.py, openai_base_url: http://h/v1, openai_api_key: '{key}', openai_model: m }}
")
    };
    let place = "`judge.responses_api_models.openai_model.openai_api_key`";
    folder.write("judge.yaml", &server("sk-1"));
    let check = |more: &[&str]| folder.run(&[&["check", "-c", "judge.yaml"][..], more].concat());
    check(&[]).exits_with(1).says(&[&format!("judge.yaml:5: {place}: {REFUSED}")]);
    folder.write("judge.yaml", &server("dummy_key"));
    check(&[]).exits_with(0);

    folder.write("judge.yaml", &server("${policy_api_key}"));
    let refused = format!("override `policy_api_key`: `policy_api_key`: {REFUSED}");
    let given = check(&["+policy_api_key=sk-1"]);
    given.exits_with(1).says(&[&refused, "hint: write `${env:NAME}`"]);
    assert_eq!(given.stderr.matches("a secret").count(), 1, "{}", given.stderr);
    check(&["+policy_api_key=dummy_key"]).exits_with(0);
    let reference = "+policy_api_key=${oc.env:KEY}";
    let mut command = folder.rehearsal(&["check", "-c", "judge.yaml", reference]);
    assert!(command.env("KEY", "sk-1").status().unwrap().success());
    folder.write("env.yaml", "policy_api_key: sk-1\n");
    check(&[]).exits_with(0);

    // Through a name that tells of no secret, from what is resolved on the way to our own form.
    folder.write("judge.yaml", &(server("${mine.place}") + "mine: { place: sk-1 }\n"));
    check(&[])
        .exits_with(1)
        .says(&[&format!("judge.yaml:5: `models.judge.settings.api_key`: {REFERS}")]);
}

#[test]
fn a_key_that_is_missing_is_asked_for_where_keys_may_come_from() {
    let folder = Folder::new();
    for (reference, hint) in [
        ("${policy_api_key}", "hint: set the variable in `env.yaml`, or as `REHEARSAL__NAME`"),
        ("${env:NO_SUCH_KEY}", "hint: set it, or write `${name}`, and `name: …` into `env.yaml`"),
    ] {
        folder.write("mine.yaml", &model(&format!("api_key: '{reference}'")));
        let ended = folder.run(&["check", "-c", "mine.yaml"]);
        ended.exits_with(1).says(&[hint]);
        assert!(!ended.stderr.contains("--set") && !ended.stderr.contains("default"));
    }
}
