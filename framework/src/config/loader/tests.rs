//! What layers come to, and what is said about those that come to nothing.

use serde_json::json;

use super::*;
use crate::config::TimeSpan;

const BASE: &str = "\
models:
  policy: { kind: openai, settings: { model: small, temperature: 1 } }
environments:
  weather: { kind: simple_weather }
agents:
  solver: { kind: tool_loop, environment: weather, model: policy }
collect: { output: out.jsonl }
";

fn base() -> Loader {
    Loader::new().text("base.yaml", BASE)
}

fn problems(loader: Loader) -> Vec<String> {
    loader.load().unwrap_err().to_string().lines().map(str::to_owned).collect()
}

fn variables<const N: usize>(pairs: [(&str, &str); N]) -> impl Iterator<Item = (String, String)> {
    pairs.map(|(name, text)| (name.to_owned(), text.to_owned())).into_iter()
}

fn settings(config: &Config) -> serde_json::Value {
    config.models["policy"].settings.to_json()
}

#[test]
fn without_layers_there_are_the_defaults() {
    let config = Loader::new().load().unwrap();
    assert!(config.models.is_empty() && config.collect.is_none());
    assert_eq!(config.runtime.heartbeat, TimeSpan::from_millis(100));
}

#[test]
fn every_layer_wins_over_those_below_it() {
    let directory = tempfile::tempdir().unwrap();
    let collect = |repeats: u32| format!("collect: {{ repeats: {repeats} }}\n");
    fs::write(directory.path().join("two.yaml"), collect(2)).unwrap();
    let repeats = |loader: Loader| loader.load().unwrap().collect.unwrap().repeats.get();

    let loader = base();
    assert_eq!(repeats(loader.clone()), 1);
    let loader = loader.file("two.yaml").working_directory(directory.path());
    assert_eq!(repeats(loader.clone()), 2);
    let loader = loader.text("three.yaml", &collect(3));
    assert_eq!(repeats(loader.clone()), 3);
    fs::write(directory.path().join("env.yaml"), collect(4)).unwrap();
    assert_eq!(repeats(loader.clone()), 4);
    let loader = loader.environment(variables([("REHEARSAL__COLLECT__REPEATS", "5")]));
    assert_eq!(repeats(loader.clone()), 5);
    let loader = loader.set("collect.repeats=6");
    assert_eq!(repeats(loader.clone()), 6);
    assert_eq!(repeats(loader.set("collect.repeats=7")), 7);
}

#[test]
fn flat_names_in_the_secrets_file_are_variables() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("env.yaml"), "policy_base_url: http://h:1/v1\n").unwrap();
    let model = "models: { policy: { settings: { url: '${policy_base_url}/chat' } } }";
    let config = base().text("a.yaml", model).working_directory(directory.path()).load().unwrap();
    assert_eq!(settings(&config)["url"], "http://h:1/v1/chat");
}

#[test]
fn environment_variables_find_existing_keys_whatever_their_case() {
    let config = base()
        .text("a.yaml", "models: { policy: { settings: { maxTurns: 1 } } }")
        .environment(variables([("REHEARSAL__MODELS__POLICY__SETTINGS__MAXTURNS", "9")]))
        .load()
        .unwrap();
    assert_eq!(settings(&config), json!({"model": "small", "temperature": 1, "maxTurns": 9}));
}

#[test]
fn text_from_outside_is_a_string_where_one_is_needed() {
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Model {
        model: String,
        temperature: f64,
    }
    let config = base()
        .environment(variables([("REHEARSAL__MODELS__POLICY__SETTINGS__MODEL", "1.10")]))
        .set("models.policy.settings.temperature=2")
        .load()
        .unwrap();
    let model: Model = config.models["policy"].settings.parse().unwrap();
    assert_eq!(model, Model { model: "1.10".to_owned(), temperature: 2.0 });
}

#[test]
fn text_from_outside_stays_a_string_through_interpolation() {
    let config = Loader::new()
        .text("a.yaml", "models: { m: { kind: '${name}', timeout: '${env:WAIT,5}' } }")
        .environment(variables([("REHEARSAL__NAME", "007")]))
        .load()
        .unwrap();
    assert_eq!(config.models["m"].kind, "007");
    assert_eq!(config.models["m"].timeout, TimeSpan::from_secs(5));
}

#[test]
fn an_assignment_reaches_into_lists_and_unsets_with_null() {
    let datasets =
        "agents: { solver: { datasets: [{ name: a, type: example, path: a.jsonl }] } }\n";
    let config = base()
        .text("a.yaml", datasets)
        .set("agents.solver.datasets.0.path=b.jsonl")
        .set("collect.limit=5")
        .set("collect.limit=null")
        .set("collect.agents=[solver]")
        .load()
        .unwrap();
    assert_eq!(config.agents["solver"].datasets[0].path, Path::new("b.jsonl"));
    let collect = config.collect.unwrap();
    assert_eq!((collect.limit, collect.agents), (None, vec!["solver".to_owned()]));
}

#[test]
fn names_with_dots_and_slashes_are_names() {
    let config = base()
        .text("a.yaml", "models: { org/model-7b.v1: { kind: openai } }")
        .set("models.\"org/model-7b.v1\".timeout=5s")
        .load()
        .unwrap();
    assert_eq!(config.models["org/model-7b.v1"].timeout, TimeSpan::from_secs(5));
}

#[test]
fn types_are_exact() {
    let cases = [
        ("collect.repeats", "2.7", "expected an integer of at least 1, found number `2.7`"),
        ("collect.repeats", "2.0", "expected an integer of at least 1, found number `2.0`"),
        ("collect.repeats", "true", "expected an integer of at least 1, found boolean `true`"),
        ("collect.repeats", "'3'", "expected an integer of at least 1, found text `3`"),
        ("collect.repeats", "0", "expected an integer of at least 1, found number `0`"),
        ("collect.repeats", "-1", "expected an integer of at least 1, found number `-1`"),
        ("collect.repeats", "1_000", "expected an integer of at least 1, found text `1_000`"),
        ("collect.repeats", "1e3", "expected an integer of at least 1, found number `1000.0`"),
        ("collect.repeats", "null", "expected an integer of at least 1, found null"),
        ("collect.output", "5", "expected path string, found number `5`"),
        ("collect.agent", "5", "expected a string, found number `5`"),
        ("collect.agents", "solver", "expected a list, found text `solver`"),
        ("models.policy", "[openai]", "expected a map, found a list"),
        ("models.policy.settings", "5", "expected a map, found number `5`"),
        (
            "collect.sync_interval",
            "-1s",
            "expected a time span such as `30s`, `10m`, `500ms` or a number of seconds, found text `-1s`",
        ),
        ("telemetry.prometheus", "localhost", "invalid socket address syntax"),
    ];
    for (path, value, message) in cases {
        let (section, key) = path.rsplit_once('.').unwrap();
        let nested = section
            .split('.')
            .rev()
            .fold(format!("{{ {key}: {value} }}"), |inner, name| format!("{{ {name}: {inner} }}"));
        let loader = base().text("a.yaml", &nested);
        assert_eq!(problems(loader), [format!("a.yaml:1: `{path}`: {message}")]);
    }
}

#[test]
fn all_problems_of_shape_and_interpolation_are_reported_at_once() {
    let text = "\
modells: { policy: {} }
models:
  policy: { kind: 5, timeot: 3s, settings: { url: '${polcy_url}' } }
environments:
  weather: { kind: simple_weather, max_sessions: many }
agents:
  solver:
    kind: tool_loop
    datasets: [ { name: a, type: exmple, path: a }, { name: b } ]
collect: { repeats: 2.5 }
policy_url: http://h
";
    let expected = [
        "a.yaml:3: `models.policy.settings.url`: `${polcy_url}` refers to nothing; did you mean `policy_url`?",
        "a.yaml:9: `agents.solver.datasets.0.type`: unknown value `exmple`; did you mean `example`?",
        "a.yaml:9: `agents.solver.datasets.1.path`: missing key",
        "a.yaml:9: `agents.solver.datasets.1.type`: missing key",
        "a.yaml:7: `agents.solver.environment`: missing key",
        "a.yaml:7: `agents.solver.model`: missing key",
        "a.yaml:10: `collect.output`: missing key",
        "a.yaml:10: `collect.repeats`: expected an integer of at least 1, found number `2.5`",
        "a.yaml:5: `environments.weather.max_sessions`: expected an integer of at least 1, found text `many`",
        "a.yaml:1: `modells`: unknown key; did you mean `models`?",
        "a.yaml:3: `models.policy.kind`: expected a string, found number `5`",
        "a.yaml:3: `models.policy.timeot`: unknown key; did you mean `timeout`?",
    ];
    assert_eq!(problems(Loader::new().text("a.yaml", text)), expected);
}

#[test]
fn each_problem_names_the_layer_that_the_value_came_from() {
    let loader = base()
        .environment(variables([("REHEARSAL__COLLECT__REPEATS", "many")]))
        .set("collect.limit=few")
        .text("b.yaml", "\n\ncollect:\n  max_attempts: x\n");
    let expected = [
        "--set collect.limit: `collect.limit`: expected an integer of at least 1, found text `few`",
        "b.yaml:4: `collect.max_attempts`: expected an integer of at least 1, found text `x`",
        "environment variable `REHEARSAL__COLLECT__REPEATS`: `collect.repeats`: expected an integer of at least 1, found text `many`",
    ];
    assert_eq!(problems(loader), expected);
}

#[test]
fn every_layer_that_cannot_be_read_is_reported() {
    let loader = base()
        .text("a.yaml", "a: 1\na: 2")
        .text("b.yaml", "a: [")
        .file("/nowhere/c.yaml")
        .environment(variables([
            ("REHEARSAL__A____B", "1"),
            ("REHEARSAL__COLLECT__OUTPUT__X", "1"),
        ]))
        .set("sk-123: x")
        .set("a..b=1")
        .set("agents.solver.kind.x=1");
    let found = problems(loader);
    let starts = [
        "a.yaml:2: `a`: duplicate key; it is first set on line 1",
        "b.yaml:",
        "/nowhere/c.yaml: cannot be read: No such file or directory",
        "environment variable `REHEARSAL__A____B`: `REHEARSAL__A____B` is not a key path",
        "`--set sk-123` assigns nothing",
        "--set a..b: `a..b` is not a key path",
        "environment variable `REHEARSAL__COLLECT__OUTPUT__X`: `COLLECT.OUTPUT.X`: cannot be set, since `collect.output` is text `out.jsonl`",
        "--set agents.solver.kind.x: `agents.solver.kind.x`: cannot be set, since `agents.solver.kind` is text `tool_loop`",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (line, start) in found.iter().zip(starts) {
        assert!(line.starts_with(start), "{line}");
    }
}

#[test]
fn no_translation_shows_what_a_secrets_file_says_wherever_it_is() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("run")).unwrap();
    fs::write(directory.path().join("run/env.yaml"), "mine: sk-1\n").unwrap();
    let yaml = "models: { m: { kind: k, settings: { api_key: '${mine}' } } }";
    let loader = Loader::new().text("a.yaml", yaml).working_directory(directory.path());
    let printed = loader.file("run/env.yaml").translate().unwrap().yaml;
    assert!(printed.contains("has to hold: mine.") && !printed.contains("sk-1"), "{printed}");
}

#[test]
fn no_problem_shows_a_secret() {
    let secret = "sk-verysecret";
    let text = "\
api_key: ${env:KEY}
collect: { output: o, agent: ['Bearer ${api_key}'], agents: '${api_key}', repeats: '${api_key}' }
runtime: { heartbeat: '${api_key}' }
telemetry: { prometheus: '${api_key}' }
agents: { a: { kind: k, environment: e, model: m, datasets: [{ name: x, path: p, type: '${api_key}' }] } }
";
    let loader = Loader::new().text("a.yaml", text).environment(variables([("KEY", secret)]));
    let found = problems(loader.set(format!("models.m.settings.api_key={secret}")));
    assert_eq!(found.len(), 8, "{found:#?}");
    assert!(found.iter().all(|line| !line.contains(secret)), "{found:#?}");
    assert!(found.contains(
        &"a.yaml:2: `collect.repeats`: expected an integer of at least 1, found a text".to_owned()
    ));
}
