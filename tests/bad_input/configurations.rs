//! Configurations that cannot run: everything wrong is said at once, with its place.

use super::{COLLECT, COUNTER, GOOD_ROW};
use crate::support::command::{Ended, Folder};

/// Checks a configuration that has one thing replaced.
fn check(find: &str, replacement: &str) -> Ended {
    assert!(COUNTER.contains(find), "`{find}` is not in the configuration");
    let folder = Folder::new();
    folder.write("config.yaml", &COUNTER.replacen(find, replacement, 1));
    folder.write("tasks.jsonl", GOOD_ROW);
    folder.run(&["check", "--config", "config.yaml"])
}

#[test]
fn a_good_configuration_is_said_to_be_good() {
    check("", "").exits_with(0).says(&["the configuration is good"]);
}

#[test]
fn an_unknown_kind_is_named_with_the_nearest() {
    check("kind: tool_loop", "kind: toolloop").exits_with(1).says(&[
        "config.yaml:13",
        "agents.solver.kind",
        "`toolloop`",
        "`tool_loop`",
    ]);
    check("kind: stateful_counter", "kind: statefull_counter")
        .exits_with(1)
        .says(&["environments.counter.kind", "`stateful_counter`"]);
    check("kind: scripted", "kind: scriptd").exits_with(1).says(&["`scripted`"]);
}

#[test]
fn a_dangling_reference_is_named_with_the_nearest() {
    check("model: policy", "model: polcy").exits_with(1).says(&[
        "config.yaml:15",
        "agents.solver.model",
        "`polcy`",
        "`policy`",
    ]);
    check("environment: counter", "environment: conter").exits_with(1).says(&[
        "agents.solver.environment",
        "`conter`",
        "`counter`",
    ]);
    check("collect: {", "collect: { agent: slover,").exits_with(1).says(&[
        "collect.agent",
        "`slover`",
        "`solver`",
    ]);
}

#[test]
fn a_cyclic_interpolation_is_shown_as_a_chain() {
    check("models:", "a: '${b}'\nb: '${c}'\nc: '${a}'\nmodels:").exits_with(1).says(&[
        "interpolation cycle",
        "a",
        "b",
        "c",
    ]);
}

#[test]
fn an_interpolation_of_nothing_and_an_unset_variable_are_named() {
    check("say: Done.", "say: '${polcy_name}'").exits_with(1).says(&["`${polcy_name}`"]);
    check("say: Done.", "say: '${env:REHEARSAL_TEST_UNSET}'")
        .exits_with(1)
        .says(&["`REHEARSAL_TEST_UNSET` is not set", "default"]);
}

#[test]
fn an_unknown_key_is_named_in_the_framework_and_in_a_kinds_settings() {
    check("runtime: { shards: 1 }", "runtime: { shard: 1 }").exits_with(1).says(&[
        "config.yaml:18",
        "runtime.shard",
        "unknown key",
        "`shards`",
    ]);
    check("rules:", "ruls:").exits_with(1).says(&[
        "config.yaml:5",
        "models.policy.settings.ruls",
        "unknown key",
        "`rules`",
    ]);
}

#[test]
fn a_fraction_is_no_integer_and_a_number_no_text() {
    check("shards: 1", "shards: 2.7").exits_with(1).says(&["runtime.shards", "2.7"]);
    check("shards: 1", "shards: 0").exits_with(1).says(&["runtime.shards", "0"]);
    check("{ output: out.jsonl }", "{ output: out.jsonl, repeats: -1 }")
        .exits_with(1)
        .says(&["collect.repeats"]);
}

#[test]
fn all_problems_are_said_at_once() {
    let folder = Folder::new();
    let wrong = COUNTER
        .replace("kind: scripted", "kind: scriptd")
        .replace("environment: counter", "environment: conter")
        .replace("output: out.jsonl", "output: out.jsonl, repeats: 0")
        .replace("shards: 1", "shards: 2.7");
    folder.write("config.yaml", &wrong);
    folder.write("tasks.jsonl", GOOD_ROW);
    let shape = folder.run(&["check", "--config", "config.yaml"]);
    shape.exits_with(1).says(&["collect.repeats", "runtime.shards"]);
    let shaped = wrong.replace(", repeats: 0", "").replace("2.7", "2");
    folder.write("config.yaml", &shaped);
    let meaning = folder.run(&["check", "--config", "config.yaml"]);
    meaning.exits_with(1).says(&["models.policy.kind", "agents.solver.environment"]);
}

#[test]
fn text_that_is_no_yaml_and_a_file_that_is_not_there_are_named() {
    check("models:", "models: [").exits_with(1).says(&["config.yaml", "not valid YAML"]);
    let missing = Folder::new().run(&["check", "--config", "nowhere.yaml"]);
    missing.exits_with(1).says(&["nowhere.yaml", "cannot be read"]);
}

#[test]
fn settings_that_make_no_sense_are_named_with_their_component() {
    check("say: Done.", "say: '{{ never closed'").exits_with(1).says(&["policy", "rules[1]"]);
    let folder = Folder::new();
    folder.write("config.yaml", &COUNTER.replace("say: Done.", "say: '{{ never closed'"));
    folder.write("tasks.jsonl", GOOD_ROW);
    folder.run(&COLLECT).exits_with(1).says(&["policy", "rules[1]"]);
    assert_eq!(folder.length("out.jsonl"), 0);
}

#[test]
fn a_metrics_port_in_use_is_named_with_its_key() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    folder.write("tasks.jsonl", GOOD_ROW);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let set = format!("telemetry.prometheus={address}");
    let ended = folder.run(&[&COLLECT[..], &["--set", &set]].concat());
    ended.exits_with(1).says(&[&address, "telemetry.prometheus", "in use", "hint: "]);
}

#[test]
fn an_output_that_cannot_be_written_is_named() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    folder.write("tasks.jsonl", GOOD_ROW);
    folder.write("file", "");
    let ended = folder.run(&[&COLLECT[..], &["--output", "file/out.jsonl"]].concat());
    ended.exits_with(1).says(&["collect.output", "file"]);
}

#[test]
fn a_component_that_cannot_be_built_is_named_once() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    folder.write("tasks.jsonl", GOOD_ROW);
    let model = "models.policy={ kind: openai, settings: { base_url: 'http://a b/v1', model: m } }";
    for command in [&["check", "--config", "config.yaml"][..], &COLLECT] {
        let ended = folder.run(&[command, &["--set", model]].concat());
        ended.exits_with(1).says(&["hint: the message names the component"]);
        let mut lines = ended.stderr.lines();
        let error = lines.find_map(|line| line.strip_prefix("error: ")).unwrap();
        assert!(error.contains("child `policy/0` did not start: `settings.base_url`"), "{error}");
        assert_eq!(error.matches("supervisor `root`").count(), 1, "{error}");
    }
}

#[test]
fn no_secret_is_ever_printed() {
    const SECRET: &str = "sk-1234567890abcdef";
    let folder = Folder::new();
    let model = "kind: openai
    settings: { base_url: 'http://127.0.0.1:1/v1', model: m, api_key: '${policy_api_key}',
      default_headers: { X-Key: '${header_key}' } }";
    let scripted =
        &COUNTER[COUNTER.find("kind: scripted").unwrap()..COUNTER.find("environments:").unwrap()];
    folder.write("config.yaml", &COUNTER.replace(scripted, &format!("{model}\n")));
    folder.write("env.yaml", &format!("policy_api_key: {SECRET}\nheader_key: {SECRET}\n"));
    folder.write("tasks.jsonl", GOOD_ROW);
    let printed = folder.run(&["config", "--config", "config.yaml"]);
    printed.exits_with(0);
    assert!(printed.stdout.contains("base_url"), "{}", printed.stdout);
    let once =
        ["--set", "collect.max_attempts=1", "--set", "models.policy.settings.http.retries=0"];
    let collected = folder.run(&[&COLLECT[..], &once].concat());
    collected.exits_with(3);
    let listed = folder.read("config.yaml").replace("'${policy_api_key}'", "['${policy_api_key}']");
    folder.write("config.yaml", &listed);
    let wrong = folder.run(&["check", "--config", "config.yaml"]);
    wrong.exits_with(1).says(&["models.policy.settings.api_key"]);
    for said in [printed, collected, wrong] {
        let said = said.stdout + &said.stderr;
        assert!(!said.contains(SECRET), "{said}");
    }
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    folder.write("tasks.jsonl", GOOD_ROW);
    for command in ["config --config config.yaml", "kinds", "completions bash"] {
        let mut shell = std::process::Command::new("sh");
        let line = format!("{{ \"$0\" {command}; echo code $? >&2; }} | true");
        shell.arg("-c").arg(line).arg(env!("CARGO_BIN_EXE_rehearsal"));
        let output = shell.current_dir(folder.path(".")).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panicked"), "{command}: {said}");
    }
}

#[test]
fn every_subcommand_has_help_and_a_wrong_command_line_exits_with_2() {
    let folder = Folder::new();
    let help = folder.run(&["--help"]);
    help.exits_with(0);
    for code in ["0 ", "1 ", "2 ", "3 ", "130 "] {
        assert!(help.stdout.contains(&format!("\n  {code}")), "exit code {code} is undocumented");
    }
    for command in
        ["collect", "check", "config", "kinds", "verify", "new", "tree", "completions", "man"]
    {
        assert!(help.stdout.contains(command), "{command} is not listed");
        let help = folder.run(&[command, "--help"]);
        help.exits_with(0);
        assert!(help.stdout.contains("Usage: rehearsal"), "{}", help.stdout);
    }
    folder.run(&["collect"]).exits_with(2);
    folder.run(&["colect"]).exits_with(2).says(&["collect"]);
    folder.run(&["collect", "--config", "x", "--resume", "--overwrite"]).exits_with(2);
    folder.run(&["collect", "--config", "x", "--repeats", "2.7"]).exits_with(2);
}

#[test]
fn completions_and_kinds_go_to_stdout() {
    let folder = Folder::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let printed = folder.run(&["completions", shell]);
        printed.exits_with(0);
        assert!(printed.stdout.contains("collect"), "{shell}");
    }
    let kinds = folder.run(&["kinds"]);
    kinds.exits_with(0);
    for line in ["agents\ttool_loop", "models\tscripted", "environments\tstateful_counter"] {
        assert!(kinds.stdout.lines().any(|printed| printed == line), "{line}");
    }
}
