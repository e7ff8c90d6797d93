//! Recorded rollouts of `library_judge_math`, with its judge's replies replayed: rewards, extras and
//! every question to the judge come out as recorded.
//!
//! The recorded prompts are NeMo Gym's, which are not ours to ship, so its system message to the judge is
//! read off them.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{lines, prompt};
use crate::support::command::Folder;

fn evaluations(record: &Value) -> impl Iterator<Item = &Value> {
    record["judge_evaluations"].as_array().into_iter().flatten()
}

fn settings(records: &[Value]) -> Value {
    let first = records.iter().flat_map(evaluations).next();
    let Some(first) = first else { return json!({ "should_use_judge": false }) };
    let system = &first["responses_create_params"]["input"][0]["content"];
    json!({ "judge_model": "judge", "judge_system_message": system })
}

/// The dataset row of a record: the problem stands behind the instruction.
pub(crate) fn row(record: &Value) -> Value {
    let asked = prompt(record);
    let question = asked.split_once("\n\n").map_or(asked, |(_, question)| question);
    json!({
        "responses_create_params": record["responses_create_params"],
        "question": question,
        "expected_answer": record["expected_answer"],
    })
}

fn jsonl(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| format!("{row}\n")).collect()
}

fn folder(path: &Path, records: &[Value]) -> Folder {
    let folder = Folder::new();
    folder.write("tasks.jsonl", &jsonl(records.iter().map(row)));
    let judged = records.iter().flat_map(evaluations).cloned();
    folder.write("judge.jsonl", &jsonl(judged));
    let replay = |path: &Path, by: &str| json!({ "kind": "replay", "settings": { "path": path, "match": by } });
    let dataset = json!({ "name": "recorded", "type": "example", "path": "tasks.jsonl" });
    let config = json!({
        "models": {
            "policy": replay(path, "order"),
            "judge": replay(&folder.path("judge.jsonl"), "prompt"),
        },
        "environments": {
            "world": { "kind": "library_judge_math", "settings": settings(records) },
        },
        "agents": {
            "solver": {
                "kind": "tool_loop", "environment": "world", "model": "policy", "datasets": [dataset],
            },
        },
        "collect": { "output": "out.jsonl", "max_in_flight": 1 },
    });
    folder.write("config.yaml", &config.to_string());
    folder
}

/// A verdict without fields that say nothing, and without a response's own status.
fn comparable(record: &Value) -> Value {
    let mut judged: Vec<Value> = evaluations(record).cloned().collect();
    for evaluation in &mut judged {
        evaluation["response"].as_object_mut().unwrap().remove("status");
    }
    let keys =
        ["reward", "expected_answer", "extracted_answer", "library_reward", "library_undecided"];
    let mut verdict: Vec<Value> = keys.iter().map(|key| record[key].clone()).collect();
    verdict.push(record["judge_evaluations"].is_null().into());
    verdict.extend(judged.iter().map(without_nulls));
    Value::Array(verdict)
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let fields = fields.map(|(key, value)| (key.clone(), without_nulls(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(values) => values.iter().map(without_nulls).collect(),
        _ => value.clone(),
    }
}

#[test]
fn mathematical_answers_come_out_as_recorded() {
    let Some(path) = super::recording("library_judge_math") else { return };
    let records = lines(&path);
    let folder = folder(&path, &records);
    folder.run(&["collect", "--config", "config.yaml"]).exits_with(0);
    let mut replayed = lines(&folder.path("out.jsonl"));
    let line = |record: &Value| {
        let task = record["rehearsal"]["task"].as_str().unwrap();
        task.rsplit('/').next().unwrap().parse::<usize>().unwrap()
    };
    replayed.sort_by_key(line);
    assert_eq!(replayed.len(), records.len());
    for (ours, theirs) in replayed.iter().zip(&records) {
        assert_eq!(comparable(ours), comparable(theirs));
    }
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let files = ["--rollouts", path.to_str().unwrap(), "--output", "scored.jsonl"];
    let ended = folder.run(&[&arguments[..], &files].concat());
    ended.exits_with(0).says(&["0 differ from their recorded reward", "0 left out"]);
}
