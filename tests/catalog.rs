//! Every environment that ships: its YAML runs, its example tasks exist, gold answers earn what they
//! should, silence earns less, and a malformed target is an error, not a zero.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::command::Folder;
use crate::support::records;

/// Environments whose reward says nothing about the answer.
const REWARDLESS: [&str; 1] = ["simple_weather"];
/// Environments that need nothing of a row but its prompt.
const TARGETLESS: [&str; 1] = ["simple_weather"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn data(kind: &str, file: &str) -> PathBuf {
    repository().join("environments/data").join(kind).join(file)
}

fn kinds() -> BTreeSet<String> {
    let kinds = rehearsal::kinds().names().environments;
    assert!(kinds.len() >= 4);
    kinds
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A folder with an environment's configuration, seen from where its paths are right.
fn folder(kind: &str) -> Folder {
    let folder = Folder::new();
    let config = repository().join(format!("configs/{kind}.yaml"));
    let config = std::fs::read_to_string(config).unwrap();
    folder.write("config.yaml", &config);
    std::os::unix::fs::symlink(repository().join("environments"), folder.path("environments"))
        .unwrap();
    folder
}

/// Has a model give the gold answers to the example tasks.
fn play_gold(kind: &str) -> Vec<Option<f64>> {
    let folder = folder(kind);
    let path = data(kind, "gold.jsonl");
    let yaml = format!(
        "models: {{ gold: {{ kind: replay, settings: {{ path: '{}', match: order }} }} }}
agents: {{ solver: {{ model: gold }} }}
collect: {{ output: out.jsonl, repeats: 1 }}
",
        path.display()
    );
    folder.write("gold.yaml", &yaml);
    folder.run(&["collect", "--config", "config.yaml", "--config", "gold.yaml"]).exits_with(0);
    records::read(&folder.path("out.jsonl")).into_values().map(|line| line.reward).collect()
}

/// Scores answers to the example tasks, one a task.
fn score(kind: &str, answers: &[Value]) -> Vec<f64> {
    let folder = folder(kind);
    let rollout = |output: &Value| json!({ "response": { "id": "r", "output": output } });
    let rollouts: String = answers.iter().map(|answer| format!("{}\n", rollout(answer))).collect();
    folder.write("rollouts.jsonl", &rollouts);
    let tasks = data(kind, "example.jsonl");
    let arguments = ["verify", "--config", "config.yaml", "--tasks", tasks.to_str().unwrap()];
    let files = ["--rollouts", "rollouts.jsonl", "--output", "scored.jsonl"];
    // Nothing at all is what it is, whatever an environment cannot rebuild.
    let files = [&files[..], &["--allow-unreproducible"]].concat();
    folder.run(&[&arguments[..], &files].concat()).exits_with(0);
    let scored = lines(&folder.path("scored.jsonl"));
    scored.iter().map(|row| row["reward"].as_f64().unwrap()).collect()
}

#[test]
fn every_environments_yaml_runs_and_its_scripted_model_earns_everything() {
    for kind in kinds() {
        let folder = folder(&kind);
        let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
        folder.run(&[&arguments[..], &["--repeats", "2"]].concat()).exits_with(0);
        let tasks = lines(&data(&kind, "example.jsonl")).len();
        assert!(tasks >= 5, "{kind} has {tasks} example tasks");
        let records = records::read(&folder.path("out.jsonl"));
        assert_eq!(records.len(), 2 * tasks, "{kind}");
        for (key, line) in records {
            assert_eq!(line.reward, Some(1.0), "{kind}: {key}");
        }
    }
}

#[test]
fn gold_answers_earn_1_and_silence_earns_less() {
    for kind in kinds() {
        let tasks = lines(&data(&kind, "example.jsonl")).len();
        assert_eq!(play_gold(&kind), vec![Some(1.0); tasks], "{kind}");
        let silence = score(&kind, &vec![json!([]); tasks]);
        if !REWARDLESS.contains(&kind.as_str()) {
            assert!(silence.iter().all(|reward| *reward < 1.0), "{kind}: {silence:?}");
        }
    }
}

#[test]
fn a_row_without_its_target_is_an_error_not_a_zero() {
    for kind in kinds().iter().filter(|kind| !TARGETLESS.contains(&kind.as_str())) {
        let folder = folder(kind);
        let rows = std::fs::read_to_string(data(kind, "example.jsonl")).unwrap();
        let (first, rest) = rows.split_once('\n').unwrap();
        let first: Value = serde_json::from_str(first).unwrap();
        let bare = json!({ "responses_create_params": first["responses_create_params"] });
        folder.write("tasks.jsonl", &format!("{bare}\n{rest}"));
        let good = rest.lines().count();
        let agent = "agents.solver.datasets=[{ name: example, type: example, path: tasks.jsonl }]";
        let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
        let more = ["--repeats", "1", "--set", agent];
        let ended = folder.run(&[&arguments[..], &more].concat());
        ended.exits_with(3).says(&["`tasks.jsonl` line 1: ", "1 malformed rows were left out"]);
        assert_eq!(records::read(&folder.path("out.jsonl")).len(), good, "{kind}");
    }
}

#[test]
fn a_problem_without_a_test_is_left_out_by_its_line() {
    let folder = folder("comp_coding");
    let row = |tests: Value| {
        let params = json!({ "input": "q" });
        let metadata = json!({ "unit_tests": tests });
        json!({ "responses_create_params": params, "verifier_metadata": metadata })
    };
    let good = row(json!({ "inputs": ["1"], "outputs": ["1"] }));
    let empty = row(json!({ "inputs": [], "outputs": [] }));
    let uneven = row(json!({ "inputs": ["1"], "outputs": [] }));
    folder.write("tasks.jsonl", &format!("{good}\n{empty}\n{uneven}\n"));
    let agent = "agents.solver.datasets=[{ name: example, type: example, path: tasks.jsonl }]";
    let models = "models.policy.settings.rules=[{ say: nothing }]";
    let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
    let more = ["--repeats", "1", "--set", agent, "--set", models];
    let ended = folder.run(&[&arguments[..], &more].concat());
    ended.exits_with(3).says(&[
        "`tasks.jsonl` line 2: ",
        "without a test every program would pass",
        "`tasks.jsonl` line 3: ",
        "has 1 inputs but 0 outputs",
        "2 malformed rows were left out",
    ]);
    assert_eq!(records::read(&folder.path("out.jsonl")).len(), 1);
}

#[test]
fn shell_commands_are_judged_by_a_configuration_of_their_own() {
    let folder = folder("shell_equivalence");
    let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
    folder.run(&[&arguments[..], &["--repeats", "1"]].concat()).exits_with(0);
    let records = lines(&folder.path("out.jsonl"));
    let tasks = lines(&data("equivalence_llm_judge", "example_shell.jsonl"));
    assert_eq!(records.len(), tasks.len());
    for record in records {
        assert_eq!(record["reward"], 1.0, "{record}");
        let asked = record["judge_evaluations"][0]["responses_create_params"]["input"][0].clone();
        let asked = asked["content"].as_str().unwrap();
        let answer = record["expected_answer"].as_str().unwrap();
        for expected in ["two shell commands", &format!("<candidate>\n{answer}\n</candidate>")] {
            assert!(asked.contains(expected), "{asked}");
        }
        let prompt = record["responses_create_params"]["input"][0]["content"].as_str().unwrap();
        let question = prompt.lines().next().unwrap().strip_prefix("QUESTION: ").unwrap();
        assert!(asked.contains(&format!("<question>\n{question}\n</question>")), "{asked}");
    }
}

#[test]
fn answers_in_markdown_are_graded_by_a_configuration_of_their_own() {
    let folder = folder("mcqa_markdown");
    let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
    folder.run(&[&arguments[..], &["--repeats", "1"]].concat()).exits_with(0);
    let tasks = lines(&data("mcqa", "example_markdown.jsonl"));
    let records = lines(&folder.path("out.jsonl"));
    assert_eq!(records.len(), tasks.len());
    for record in records {
        assert_eq!(record["reward"], 1.0, "{record}");
        assert_eq!(record["extracted_answer"], record["expected_answer"], "{record}");
    }
}

#[test]
fn the_quickstart_runs_all_of_them() {
    let folder = folder("quickstart");
    let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
    let ended = folder.run(&[&arguments[..], &["--repeats", "1"]].concat());
    ended.exits_with(0).says(&["weather", "counter", "needles", "math"]);
}
