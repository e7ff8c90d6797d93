//! `config --from-nemo`: the translation as a file, with comments, without secrets.

use rehearsal::framework::config::Config;

use super::{load, repository, translate};
use crate::support::command::Folder;

/// The translation of the two files of the repository.
const PRINTED: &str = "\
# `env.yaml` has to hold: policy_api_key, policy_base_url, policy_model_name.
# Not needed here: domain (1), entrypoint (3).

models:
  policy_model:
    kind: chat_completions
    settings:
      api_key: \"${policy_api_key}\"
      base_url: \"${policy_base_url}\"
      model: \"${policy_model_name}\"
      return_token_id_information: false
      uses_reasoning_parser: true

environments:
  simple_weather:
    kind: simple_weather

agents:
  simple_weather_simple_agent:
    kind: tool_loop
    environment: simple_weather
    model: policy_model
    datasets:
      - name: example
        type: example
        path: resources_servers/simple_weather/data/example.jsonl
";

#[test]
fn a_translation_is_printed_as_a_file_of_our_own_form() {
    let folder = repository();
    let printed = folder.run(&["config", "--from-nemo", "weather.yaml", "model.yaml"]);
    printed.exits_with(0);
    assert_eq!(printed.stdout, PRINTED);
    assert_eq!(printed.stderr, "");
    let more = folder.run(&[
        "config",
        "--from-nemo",
        "weather.yaml",
        "model.yaml",
        "+policy_model_name=other",
    ]);
    assert!(more.stdout.contains("policy_model_name: other"), "{}", more.stdout);
    std::fs::remove_file(folder.path("env.yaml")).unwrap();
    assert_eq!(
        folder.run(&["config", "--from-nemo", "weather.yaml", "model.yaml"]).stdout,
        PRINTED
    );
}

#[test]
fn a_printed_translation_comes_to_the_same_as_what_it_was_made_of() {
    let folder = repository();
    let more = "
steps: 4
prefix: http://h
other: { x: \"\\\\${not} [1]\", y: yes, z: 1.5 }
simple_weather_simple_agent: { responses_api_agents: { simple_agent: { max_steps: '${steps}' } } }
policy_model:
  responses_api_models:
    vllm_model:
      base_url: [ '${prefix}:${oc.env:PORT,1}/v1', 'http://b/${policy_model_name}' ]
      extra_body: ${other}
agent_name: simple_weather_simple_agent
output_jsonl_fpath: out/x.jsonl
";
    folder.write("more.yaml", more);
    let files = ["weather.yaml", "model.yaml", "more.yaml"];
    let directly = load(&folder, &files, &[]);
    let printed = translate(&folder, &files, &[]).yaml;
    folder.write("printed.yaml", &printed);
    let by_print = load(&folder, &["printed.yaml"], &[]);
    assert_eq!(directly.to_masked_yaml(), by_print.to_masked_yaml(), "{printed}");
    assert_eq!(super::model(&directly, "policy_model"), super::model(&by_print, "policy_model"));
    let base_urls = &super::model(&directly, "policy_model")["base_url"];
    assert_eq!(*base_urls, serde_json::json!(["http://h:1/v1", "http://b/my-model"]));
}

/// Prints a translation, reads it back, and compares what the two come to.
#[track_caller]
fn read_back(folder: &Folder, files: &[&str], overrides: &[&str]) -> String {
    let printed = translate(folder, files, overrides).yaml;
    folder.write("printed.yaml", &printed);
    let (directly, by_print) =
        (load(folder, files, overrides), load(folder, &["printed.yaml"], &[]));
    let sections = |config: &Config| {
        let yaml = config.to_masked_yaml();
        yaml[yaml.find("models:").unwrap()..].to_owned()
    };
    assert_eq!(sections(&directly), sections(&by_print), "{printed}");
    rehearsal::framework::runtime::check(&by_print, &rehearsal::kinds())
        .unwrap_or_else(|problems| panic!("{problems}\n{printed}"));
    // What `config` prints without `--from-nemo` is read back too.
    folder.write("whole.yaml", &directly.to_masked_yaml());
    let whole = load(folder, &["whole.yaml"], &[]);
    rehearsal::framework::runtime::check(&whole, &rehearsal::kinds()).unwrap();
    assert_eq!(sections(&directly), sections(&whole));
    printed
}

#[test]
fn an_override_that_looks_like_a_number_is_printed_as_what_it_is_needed_as() {
    let folder = repository();
    folder.write("resources_servers/simple_weather/data/example.jsonl", "");
    let more = "
simple_weather_simple_agent: { responses_api_agents: { simple_agent: { max_steps: '${steps}' } } }
policy_model: { responses_api_models: { vllm_model: { extra_body: { a: '${both}', b: 'x-${both}' } } } }
";
    folder.write("more.yaml", more);
    let files = ["weather.yaml", "model.yaml", "more.yaml"];
    // Over what the secrets file says; and then without it.
    let over = read_back(&folder, &files, &["+policy_model_name=1.10", "+steps=8", "+both=1"]);
    assert!(over.contains("model: \"1.10\""), "{over}");
    folder.write("env.yaml", "policy_base_url: http://h/v1\npolicy_api_key: sk-1\n");
    let numbers = ["+steps=8", "+both=1", "+collect.output=5", "+collect.limit=3"];
    let of_model = "++policy_model.responses_api_models.vllm_model.model";
    for (value, printed) in [
        ("123", "model: \"123\""),
        ("1.10", "model: \"1.10\""),
        ("1e3", "model: \"1e3\""),
        ("007", "model: \"007\""),
        ("true", "model: \"true\""),
        ("'5'", "model: \"5\""),
        ("name", "model: name"),
        ("a/b-1.5", "model: a/b-1.5"),
    ] {
        let directly = format!("{of_model}={value}");
        let yaml = read_back(&folder, &files, &[&numbers[..], &[&directly]].concat());
        assert!(yaml.contains(printed), "{yaml}");
        let variable = format!("+policy_model_name={value}");
        let yaml = read_back(&folder, &files, &[&numbers[..], &[&variable]].concat());
        assert!(yaml.contains(&printed.replace("model:", "policy_model_name:")), "{yaml}");
        for printed in ["steps: 8\n", "both: 1\n", "output: \"5\"\n", "limit: 3\n"] {
            assert!(yaml.contains(printed), "{yaml}");
        }
    }
    // What is needed as a number here and as a text there.
    let yaml =
        read_back(&folder, &files, &["+steps=8", "+both=1.10", &format!("{of_model}=${{both}}")]);
    assert!(yaml.contains("both: \"${oc.decode:'1.10'}\""), "{yaml}");
    assert_eq!(
        super::model(&load(&folder, &["printed.yaml"], &[]), "policy_model")["model"],
        "1.10"
    );
}

#[test]
fn what_stands_for_no_key_stays_where_it_is() {
    let folder = repository();
    folder.write("env.yaml", "policy_base_url: http://h/v1\npolicy_model_name: m\n");
    folder.write("resources_servers/simple_weather/data/example.jsonl", "");
    let yaml = read_back(&folder, &["weather.yaml", "model.yaml"], &["+policy_api_key=dummy_key"]);
    assert!(yaml.contains("policy_api_key: dummy_key"), "{yaml}");
}

#[test]
fn what_is_lost_is_in_the_comments_on_stderr_and_in_the_exit_code() {
    let folder = repository();
    folder.write("more.yaml", "simple_weather_simple_agent: { responses_api_agents: { simple_agent: { skip_verification: true } } }");
    let arguments = ["weather.yaml", "model.yaml", "more.yaml"];
    let printed = folder.run(&[&["config", "--from-nemo"][..], &arguments].concat());
    let line = "more.yaml:1: `simple_weather_simple_agent.responses_api_agents.simple_agent.skip_verification`: \
                left out, it has no counterpart: every rollout is verified";
    printed.exits_with(3).says(&[&format!("warning: {line}")]);
    assert!(printed.stdout.contains(&format!("# {line}\n")), "{}", printed.stdout);
    folder.write("resources_servers/simple_weather/data/example.jsonl", "");
    let arguments = ["-c", "weather.yaml", "-c", "model.yaml", "-c", "more.yaml"];
    folder
        .run(&[&["check"][..], &arguments].concat())
        .exits_with(3)
        .says(&[line, "the configuration is good, but for what is left out"]);
    folder
        .run(&["check", "-c", "weather.yaml", "-c", "model.yaml"])
        .exits_with(0)
        .says(&["the configuration is good"]);
}

#[test]
fn a_translation_holds_no_secret() {
    let folder = repository();
    let more = "
policy_api_key: sk-in-a-file
judge:
  responses_api_models:
    openai_model:
      entrypoint: app.py
      openai_base_url: http://h/v1
      openai_api_key: sk-literal
      openai_model: m
      openai_default_headers: { Authorization: Bearer sk-header, x-key: 'is ${policy_api_key}' }
";
    folder.write("more.yaml", more);
    let printed = folder.run(&["config", "--from-nemo", "weather.yaml", "model.yaml", "more.yaml"]);
    printed.exits_with(0);
    for secret in ["sk-literal", "sk-header", "sk-in-a-file", "sk-of-the-policy"] {
        assert!(
            !printed.stdout.contains(secret) && !printed.stderr.contains(secret),
            "{}",
            printed.stdout
        );
    }
    for text in [
        "# `env.yaml` has to hold: judge_api_key, judge_default_headers_Authorization, policy_api_key, ",
        "api_key: \"${judge_api_key}\"",
        "Authorization: \"${judge_default_headers_Authorization}\"",
        "x-key: \"is ${policy_api_key}\"",
    ] {
        assert!(printed.stdout.contains(text), "{text}\n{}", printed.stdout);
    }
    printed.says(&["more.yaml:2: `policy_api_key`: a secret is written out"]);
}

#[test]
fn what_ships_has_no_secret_written_into_it() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["configs", "configs/models"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "yaml") {
                let translation =
                    rehearsal::prelude::Loader::new().file(&path).translate().unwrap();
                let warnings: Vec<String> =
                    translation.warnings.iter().map(ToString::to_string).collect();
                assert_eq!(warnings, [""; 0], "{}", path.display());
            }
        }
    }
}

#[test]
fn help_shows_how_to_move_over() {
    let help = Folder::new().run(&["config", "--help"]);
    help.exits_with(0);
    assert_eq!(Folder::new().run(&["config", "+h=true"]).stdout, help.stdout);
    for text in ["--from-nemo", "Examples:", "+config_paths="] {
        assert!(help.stdout.contains(text), "{}", help.stdout);
    }
}
