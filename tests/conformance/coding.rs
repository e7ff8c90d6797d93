//! NeMo Gym's recorded programs, run and graded again: rewards, codes and what is told about failures.

use serde_json::{Value, json};

use super::{lines, prompt, recording, recording_file};
use crate::support::command::Folder;

/// What a row of a recorded rollout said of its tests, as far as that can be told.
fn unit_tests(record: &Value, tasks: &[Value]) -> Option<Value> {
    let same = |task: &&Value| prompt(task) == prompt(record);
    if let Some(task) = tasks.iter().find(same) {
        return Some(task["verifier_metadata"]["unit_tests"].clone());
    }
    let results = record["result"].as_array()?;
    if results.len() == 1 && results[0] != true {
        // The test that failed is told about, in full if it is short.
        let text = |key: &str| record["metadata"][key].as_str().filter(|text| text.len() < 300);
        return Some(json!({ "inputs": [text("inputs")?], "outputs": [text("expected")?] }));
    }
    prompt(record).contains("pour water").then(|| barrels(results.len()))
}

/// Tests of a problem whose answer is the sum of the largest k + 1 of n numbers.
fn barrels(count: usize) -> Value {
    let (mut inputs, mut outputs, mut state) = (Vec::new(), Vec::new(), 7_u64);
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % below
    };
    for _ in 0..count {
        let size = 2 + random(5) as usize;
        let pours = 1 + random(size as u64 - 1) as usize;
        let mut water: Vec<u64> = (0..size).map(|_| random(1_000_000_000)).collect();
        let shown = water.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
        inputs.push(format!("1\n{size} {pours}\n{shown}\n"));
        water.sort_unstable_by(|a, b| b.cmp(a));
        outputs.push(format!("{}\n", water[..=pours].iter().sum::<u64>()));
    }
    json!({ "inputs": inputs, "outputs": outputs })
}

#[test]
fn comp_coding_grades_as_recorded() {
    let Some(rollouts) = recording("comp_coding") else { return };
    let tasks = recording_file("comp_coding", "tasks.jsonl").map(|path| lines(&path));
    let tasks = tasks.unwrap_or_default();
    let known = |record: Value| unit_tests(&record, &tasks).map(|tests| (record, tests));
    let records: Vec<(Value, Value)> = lines(&rollouts).into_iter().filter_map(known).collect();
    assert!(records.len() >= 3, "{} rollouts can be graded again", records.len());
    let folder = Folder::new();
    let text = |rows: Vec<Value>| rows.iter().map(|row| format!("{row}\n")).collect::<String>();
    let row = |(record, tests): &(Value, Value)| {
        let params = &record["responses_create_params"];
        json!({ "responses_create_params": params, "verifier_metadata": { "unit_tests": tests } })
    };
    folder.write("tasks.jsonl", &text(records.iter().map(row).collect()));
    folder
        .write("rollouts.jsonl", &text(records.iter().map(|(record, _)| record.clone()).collect()));
    folder.write("config.yaml", "environments: { programs: { kind: comp_coding } }\n");
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let files = ["--rollouts", "rollouts.jsonl", "--output", "scored.jsonl"];
    let ended = folder.run(&[&arguments[..], &files].concat());
    ended.exits_with(0).says(&["0 differ from their recorded reward", "0 left out"]);
    for (ours, (theirs, _)) in lines(&folder.path("scored.jsonl")).iter().zip(&records) {
        for key in ["reward", "result", "extracted_model_output", "extracted_model_code"] {
            assert_eq!(ours[key], theirs[key], "{key}");
        }
        if theirs["reward"] == 0.0 {
            assert_eq!(ours["metadata"], theirs["metadata"]);
        }
    }
}
