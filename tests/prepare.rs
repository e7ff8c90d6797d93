//! `rehearsal prepare`: what it keeps, measures and writes, and what it leaves alone.

mod collation;
mod formats;
mod metrics;
mod progress;
mod rows;

use serde_json::{Value, json};

use crate::support::command::{Ended, Folder};

/// An agent with datasets of each type.
const CONFIG: &str = r#"
models: { policy: { kind: scripted, settings: { rules: [{ say: Done. }] } } }
environments: { counter: { kind: stateful_counter } }
agents:
  solver:
    kind: tool_loop
    environment: counter
    model: policy
    datasets:
      - { name: first, type: train, path: data/first.jsonl, repeats: 2 }
      - { name: second, type: train, path: data/second.jsonl }
      - { name: check, type: validation, path: data/check.jsonl }
      - { name: example, type: example, path: data/example.jsonl }
runtime: { cpu_threads: 2 }
"#;

/// A task of the counter.
fn task(row: u64) -> Value {
    json!({ "responses_create_params": { "input": format!("Add {row}.") }, "initial_count": 0,
        "expected_count": row, "level": if row.is_multiple_of(2) { "even" } else { "odd" } })
}

fn lines(rows: impl IntoIterator<Item = Value>) -> String {
    rows.into_iter().map(|row| format!("{row}\n")).collect()
}

/// A folder with good datasets: six tasks to learn from, two to check with, three examples.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("config.yaml", CONFIG);
    folder.write("data/first.jsonl", &lines((0..4).map(task)));
    folder.write("data/second.jsonl", &lines((10..12).map(task)));
    folder.write("data/check.jsonl", &lines((20..22).map(task)));
    folder.write("data/example.jsonl", &lines((30..33).map(task)));
    folder
}

fn prepare(folder: &Folder, more: &[&str]) -> Ended {
    let arguments = ["prepare", "--config", "config.yaml", "--output", "out"];
    folder.run(&[&arguments[..], more].concat())
}

fn values(folder: &Folder, name: &str) -> Vec<Value> {
    folder.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn value(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&folder.read(name)).unwrap()
}

/// Which tasks rows are of, in their order.
fn tasks(rows: &[Value]) -> Vec<u64> {
    rows.iter().map(|row| row["expected_count"].as_u64().unwrap()).collect()
}

/// The names of the files in a folder, hidden ones too.
fn names(folder: &Folder, name: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path(name)).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
