//! How rows are put together: order, repeats, and what a run that ends early leaves behind.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Output};

use serde_json::{Value, json};

use super::{CONFIG, folder, lines, names, prepare, task, tasks, values};
use crate::support::command::Folder;
use crate::support::wait_until;

#[test]
fn rows_stand_in_the_order_of_the_configuration_each_as_often_as_it_says() {
    let folder = folder();
    let ended = prepare(&folder, &["--json"]);
    ended
        .exits_with(0)
        .says(&["out/train.jsonl: 10 rows of 6 tasks", "out/validation.jsonl: 2 rows of 2 tasks"]);
    let rows = values(&folder, "out/train.jsonl");
    assert_eq!(tasks(&rows), [0, 0, 1, 1, 2, 2, 3, 3, 10, 11]);
    let mut expected = task(0);
    expected["agent_ref"] = json!({ "type": "responses_api_agents", "name": "solver" });
    assert_eq!(rows[0], expected);
    assert_eq!(
        names(&folder, "out"),
        ["train.jsonl", "train_metrics.json", "validation.jsonl", "validation_metrics.json"]
    );
    let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
    let train = &summary["types"][0];
    assert_eq!(
        (&train["type"], &train["rows"], &train["tasks"]),
        (&json!("train"), &json!(10), &json!(6))
    );
    assert_eq!(train["metrics"]["Number of examples"], 10);
    assert_eq!(summary["datasets"][1]["dataset"], "second");

    prepare(&folder, &["--repeats", "2", "--overwrite-metrics"]).exits_with(0);
    let rows = values(&folder, "out/train.jsonl");
    assert_eq!(tasks(&rows)[..6], [0, 0, 0, 0, 1, 1]);
    assert_eq!((rows.len(), tasks(&rows)[18]), (20, 11));
    prepare(&folder, &["--repeats", "0"]).exits_with(2);
    prepare(&folder, &["--set", "agents.solver.datasets.0.repeats=0"])
        .exits_with(1)
        .says(&["repeats"]);
}

#[test]
fn an_example_dataset_is_a_mode_of_its_own() {
    let folder = folder();
    prepare(&folder, &["--mode", "example"]).exits_with(0);
    assert_eq!(tasks(&values(&folder, "out/example.jsonl")), [30, 31, 32]);
    assert_eq!(names(&folder, "out"), ["example.jsonl", "example_metrics.json"]);
}

#[test]
fn of_several_agents_each_row_names_its_own() {
    let folder = folder();
    let weather = r#"
  forecaster:
    kind: tool_loop
    environment: weather
    model: policy
    datasets: [{ name: sky, type: train, path: data/sky.jsonl }]
"#;
    let config = CONFIG.replace("agents:\n", &format!("agents:{weather}"));
    let config =
        config.replace("environments: {", "environments: { weather: { kind: simple_weather },");
    folder.write("config.yaml", &config);
    folder.write(
        "data/sky.jsonl",
        &lines([json!({ "responses_create_params": { "input": "Rain?" } })]),
    );
    prepare(&folder, &[]).exits_with(0);
    let agents = |rows: Vec<Value>| -> BTreeMap<String, usize> {
        rows.iter().fold(BTreeMap::new(), |mut counts, row| {
            *counts.entry(row["agent_ref"]["name"].as_str().unwrap().to_owned()).or_default() += 1;
            counts
        })
    };
    let expected = [("forecaster".to_owned(), 1), ("solver".to_owned(), 10)];
    assert_eq!(agents(values(&folder, "out/train.jsonl")), BTreeMap::from(expected));
    prepare(&folder, &["--agent", "solver", "--overwrite-metrics"]).exits_with(0);
    assert_eq!(values(&folder, "out/train.jsonl").len(), 10);
}

#[test]
fn a_shuffled_order_is_that_of_its_seed_whatever_the_threads() {
    let folder = folder();
    folder.write("data/first.jsonl", &lines((0..3_000).map(task)));
    folder.write("data/second.jsonl", &lines((3_000..4_000).map(task)));
    let order = |more: &[&str]| {
        prepare(&folder, &[&["--shuffle", "--overwrite-metrics"], more].concat()).exits_with(0);
        tasks(&values(&folder, "out/train.jsonl"))
    };
    let first = order(&["--seed", "7"]);
    assert_eq!(first, order(&["--seed", "7", "--set", "runtime.cpu_threads=1"]));
    assert_ne!(first, order(&["--seed", "8"]));
    let mut sorted = first.clone();
    sorted.sort_unstable();
    let expected: Vec<u64> = (0..3_000).flat_map(|row| [row, row]).chain(3_000..4_000).collect();
    assert_eq!(sorted, expected);
    let apart = first.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(apart > 6_900, "repeats are scattered, too: {apart}");
    prepare(&folder, &["--seed", "7"]).exits_with(2).says(&["--shuffle"]);
}

/// Starts a run that has only begun when its file is seen, and lets `end` end it.
fn begun(folder: &Folder, end: impl FnOnce(&mut Child)) -> Output {
    folder.write("data/second.jsonl", &lines((0..50_000).map(task)));
    let arguments =
        ["prepare", "--config", "config.yaml", "--output", "out", "--overwrite-metrics"];
    let mut child = folder.rehearsal(&arguments).spawn().unwrap();
    wait_until("it is at work", || folder.path("out/.train.jsonl.partial").exists());
    end(&mut child);
    child.wait_with_output().unwrap()
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_says_so_and_leaves_no_trace() {
    let folder = folder();
    prepare(&folder, &[]).exits_with(0);
    let before = folder.read("out/train.jsonl");
    let ended = begun(&folder, |child| {
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    });
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("interrupted; nothing was written"), "{said}");
    assert_eq!(folder.read("out/train.jsonl"), before);
    assert_eq!(names(&folder, "out").iter().filter(|name| name.starts_with('.')).count(), 0);
}

#[test]
fn a_run_that_is_killed_leaves_what_was_there_and_the_next_one_starts_over() {
    let folder = folder();
    prepare(&folder, &[]).exits_with(0);
    let (before, few) = (folder.read("out/train.jsonl"), folder.read("data/second.jsonl"));
    begun(&folder, |child| child.kill().unwrap());
    assert!(folder.path("out/.train.jsonl.partial").exists(), "it was killed in the middle");
    assert_eq!(folder.read("out/train.jsonl"), before);
    folder.write("data/second.jsonl", &few);
    prepare(&folder, &[]).exits_with(0);
    assert_eq!(folder.read("out/train.jsonl"), before);
    assert_eq!(names(&folder, "out").iter().filter(|name| name.starts_with('.')).count(), 0);
}

#[test]
fn two_runs_do_not_write_one_output() {
    let folder = folder();
    std::fs::create_dir(folder.path("out")).unwrap();
    let mut held = std::fs::File::create(folder.path("out/.train.jsonl.partial")).unwrap();
    held.write_all(b"rows of another process").unwrap();
    held.lock().unwrap();
    prepare(&folder, &[]).exits_with(1).says(&[
        "`out/train.jsonl` is being written by another process",
        "hint: wait for it to end",
    ]);
    drop(held);
    prepare(&folder, &[]).exits_with(0);
}

#[test]
fn an_output_that_cannot_be_completed_is_not_there() {
    let folder: Folder = folder();
    folder.write("out/train_metrics.json/in_the_way", "");
    prepare(&folder, &[]).exits_with(1).says(&["cannot read `out/train_metrics.json`"]);
    assert!(!folder.path("out/train.jsonl").exists());
}
