//! Recorded rollouts that a judge has scored, with the judge's replies replayed: every question to the
//! judge comes out to the byte, and with it the reward and the evaluations.
//!
//! The recorded prompts are NeMo Gym's, which are not ours to ship, so the template is read off them.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{lines, prompt};
use crate::support::command::Folder;

/// The last heading of the recorded prompts; the inputs follow.
const INPUTS: &str = "===== Inputs =====";

/// Where an answer is to be found, by what the prompt says of its form.
const FORMS: [(&str, &str); 5] = [
    ("<final_answer>", r"<final_answer>\s*(.+?)\s*</final_answer>"),
    ("double parentheses", r"\(\((.*?)\)\)"),
    ("((", r"\(\((.*?)\)\)"),
    ("\\boxed{", r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"),
    ("**", r"\*\*(.*?)\*\*"),
];

fn evaluations(record: &Value) -> &Vec<Value> {
    record["judge_evaluations"].as_array().unwrap()
}

fn question(evaluation: &Value) -> &str {
    prompt(evaluation)
}

/// The template that a recorded question was made from.
fn template(question: &str) -> String {
    let inputs = question.find(INPUTS).expect("recorded questions end in their inputs");
    let head = &question[..inputs + question[inputs..].find("QUESTION:").unwrap()];
    let head = head.replace('{', "{{").replace('}', "}}");
    let places =
        "QUESTION:\n{question}\n\nGOLD:\n{expected_answer}\n\nCANDIDATE:\n{generated_answer}";
    format!("{head}{places}")
}

/// What the judge was asked with, besides the question.
fn judge_params(evaluation: &Value) -> Value {
    let params = evaluation["responses_create_params"].as_object().unwrap().iter();
    let is_set = |key: &str, value: &Value| {
        !value.is_null() && !["input", "tools", "tool_choice", "parallel_tool_calls"].contains(&key)
    };
    let set = params.filter(|(key, value)| is_set(key, value));
    Value::Object(set.map(|(key, value)| (key.clone(), value.clone())).collect())
}

/// The environment's settings, as far as the recording shows them.
fn settings(records: &[Value]) -> Value {
    let first = &evaluations(&records[0])[0];
    let is_swapped = |record: &Value| {
        let evaluations = evaluations(record);
        evaluations[0]["verdict_label"] == "[[A=B]]" && evaluations.len() == 2
    };
    json!({
        "judge_model": "judge",
        "judge_prompt_template": template(question(first)),
        "judge_responses_create_params": judge_params(first),
        "check_twice_swap": records.iter().any(is_swapped),
        "msg_extraction_failure": "",
    })
}

/// The dataset row of a record. Only rows of the open questions bring a regular expression.
fn row(record: &Value, tasks: &[Value], has_regex: bool) -> Value {
    let params = record["responses_create_params"].clone();
    let mut row =
        json!({ "responses_create_params": params, "expected_answer": record["expected_answer"] });
    if has_regex {
        let asked = prompt(record);
        let own = tasks.iter().find(|task| prompt(task) == asked);
        let form = || FORMS.iter().find(|(sign, _)| asked.contains(sign)).map(|(_, regex)| *regex);
        row["template_metadata"] = match own {
            Some(task) => task["template_metadata"].clone(),
            None => json!({ "output_regex": form() }),
        };
    }
    row
}

fn jsonl(rows: impl Iterator<Item = Value>) -> String {
    rows.map(|row| format!("{row}\n")).collect()
}

/// A folder in which both the policy and the judge say what they said.
fn folder(path: &Path, records: &[Value], has_regex: bool) -> Folder {
    let folder = Folder::new();
    let tasks = path.with_file_name("tasks_openqa.jsonl");
    let tasks = if has_regex { lines(&tasks) } else { Vec::new() };
    let rows = records.iter().map(|record| row(record, &tasks, has_regex));
    folder.write("tasks.jsonl", &jsonl(rows));
    folder.write("judge.jsonl", &jsonl(records.iter().flat_map(evaluations).cloned()));
    let replay = |path: &Path, by: &str| json!({ "kind": "replay", "settings": { "path": path, "match": by } });
    let dataset = json!({ "name": "recorded", "type": "example", "path": "tasks.jsonl" });
    let config = json!({
        "models": {
            "policy": replay(path, "order"),
            "judge": replay(&folder.path("judge.jsonl"), "prompt"),
        },
        "environments": {
            "world": { "kind": "equivalence_llm_judge", "settings": settings(records) },
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

/// A verdict without what is filled in: fields that say nothing, and a response's own status.
fn comparable(record: &Value) -> Value {
    let mut evaluations = record["judge_evaluations"].clone();
    for evaluation in evaluations.as_array_mut().unwrap() {
        evaluation["response"].as_object_mut().unwrap().remove("status");
    }
    let verdict = json!([record["reward"], record["expected_answer"], evaluations]);
    without_nulls(&verdict)
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

fn comes_out_as_recorded(file: &str, has_regex: bool) {
    let Some(folder_of_kind) = super::recording("equivalence_llm_judge") else { return };
    let path = folder_of_kind.with_file_name(file);
    let records = lines(&path);
    let folder = folder(&path, &records, has_regex);
    folder.run(&["collect", "--config", "config.yaml"]).exits_with(0);
    let mut replayed = lines(&folder.path("out.jsonl"));
    let line = |record: &Value| {
        let task = record["rehearsal"]["task"].as_str().unwrap();
        task.rsplit('/').next().unwrap().parse::<usize>().unwrap()
    };
    replayed.sort_by_key(line);
    assert_eq!(replayed.len(), records.len());
    for (ours, theirs) in replayed.iter().zip(&records) {
        let asked = |record: &Value| -> Vec<String> {
            evaluations(record).iter().map(|evaluation| question(evaluation).to_owned()).collect()
        };
        assert_eq!(asked(ours), asked(theirs), "{file}");
        assert_eq!(comparable(ours), comparable(theirs), "{file}");
    }
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let files = ["--rollouts", path.to_str().unwrap(), "--output", "scored.jsonl"];
    let ended = folder.run(&[&arguments[..], &files].concat());
    ended.exits_with(0).says(&["0 differ from their recorded reward", "0 left out"]);
}

#[test]
fn short_answers_come_out_as_recorded() {
    comes_out_as_recorded("rollouts.jsonl", false);
}

#[test]
fn open_questions_come_out_as_recorded() {
    comes_out_as_recorded("rollouts_openqa.jsonl", true);
}
