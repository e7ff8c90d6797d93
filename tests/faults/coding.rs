//! A collection over all that runs foreign code, whose worker processes are killed while it runs: rollouts
//! are made again, none is lost, doubled or scored for what it could not help.

use rehearsal::prelude::*;
use serde_json::{Value, json};

use super::sandbox::{ALONE, kill, workers};
use crate::support::command::Folder;
use crate::support::{records, until};

const CONFIG: &str = r#"
models:
  programmer:
    kind: scripted
    settings: { rules: [{ when: { user: 'times (?<factor>\d+)' }, say: "```\nprint(int(input()) * {{ captures.factor }})\n```" }] }
  mathematician:
    kind: scripted
    settings:
      rules:
        - when: { step: 0 }
          calls: [{ name: execute_python, arguments: { code: "{{ each.code }}" }, each: { user: '`(?<code>.*)`' } }]
        - when: { step: 1 }
          calls: [{ name: execute_python, arguments: { code: sum(numbers) } }]
        - say: '\boxed{ {{ output.result }} }'
  engineer: { kind: replay, settings: { path: 'FOLDER/gold.jsonl', match: order } }
environments:
  interpreters: { kind: python_math_exec }
  programs: { kind: comp_coding }
  repositories:
    kind: mini_swe
    settings: { snapshots: 'DATA/repositories/{instance_id}', sandbox: { workers: 2 } }
agents:
  mathematician:
    kind: tool_loop
    model: mathematician
    environment: interpreters
    datasets: [{ name: tasks, type: example, path: 'FOLDER/sums.jsonl' }]
  programmer:
    kind: tool_loop
    model: programmer
    environment: programs
    datasets: [{ name: tasks, type: example, path: 'FOLDER/programs.jsonl' }]
  engineer:
    kind: mini_swe
    model: engineer
    environment: repositories
    datasets: [{ name: tasks, type: example, path: 'DATA/example.jsonl' }]
collect: { agents: [mathematician, programmer, engineer], output: unused, max_in_flight: 8, max_attempts: 50 }
runtime: { shards: 2, shutdown_timeout: 1s }
"#;

/// Row `n` asks for a program that multiplies by `n`, and has two tests.
fn programs(count: u32) -> String {
    let row = |number: u32| {
        let params = json!({ "input": format!("times {number}") });
        let outputs = [number, 7 * number].map(|product| product.to_string());
        let unit_tests = json!({ "inputs": ["1", "7"], "outputs": outputs });
        let metadata = json!({ "unit_tests": unit_tests });
        format!("{}\n", json!({ "responses_create_params": params, "verifier_metadata": metadata }))
    };
    (1..=count).map(row).collect()
}

/// Row `n` asks for the sum of the numbers below `n`, in two calls of one interpreter.
fn sums(count: u32) -> String {
    let row = |number: u32| {
        let code = format!("import time; time.sleep(0.01); numbers = range({number})");
        let params = json!({ "input": format!("`{code}`") });
        let sum = (0..number).sum::<u32>().to_string();
        format!("{}\n", json!({ "responses_create_params": params, "expected_result": sum }))
    };
    (1..=count).map(row).collect()
}

/// The solutions of the repositories, as recorded rollouts.
fn solutions(data: &str) -> String {
    let gold = std::fs::read_to_string(format!("{data}/gold.jsonl")).unwrap();
    let recorded = |line: &str| {
        let gold: Value = serde_json::from_str(line).unwrap();
        let turns = gold["turns"].as_array().unwrap().iter();
        let read = json!({ "role": "user", "content": "" });
        let output: Vec<Value> = turns.flat_map(|turn| [turn[0].clone(), read.clone()]).collect();
        let params = json!({ "input": "" });
        let response = json!({ "id": "r", "output": output });
        format!("{}\n", json!({ "responses_create_params": params, "response": response }))
    };
    gold.lines().map(recorded).collect()
}

#[tokio::test]
async fn all_that_runs_foreign_code_outlives_the_workers_that_run_it() {
    let _alone = ALONE.lock().await;
    let folder = Folder::new();
    let data = format!("{}/environments/data/mini_swe", env!("CARGO_MANIFEST_DIR"));
    folder.write("sums.jsonl", &sums(60));
    folder.write("programs.jsonl", &programs(60));
    folder.write("gold.jsonl", &solutions(&data));
    let config = CONFIG.replace("FOLDER", folder.path("").to_str().unwrap()).replace("DATA", &data);
    let config = Loader::new().text("coding", &config).load().unwrap();
    let runtime = Runtime::start(config, &rehearsal::kinds()).await.unwrap();
    let (records, progress) = (MemoryRecorder::new(), Arc::new(Progress::default()));
    let collection = runtime.collection().unwrap();
    let collecting = runtime.collect(collection, Arc::new(records.clone()), progress.clone());
    let killing = async {
        // Twice all of them, among sums and among repositories: more at a time would be too many restarts
        // for their supervisor.
        for enough in [30, 124] {
            until("more rollouts have ended", || progress.snapshot().ended() >= enough).await;
            workers().iter().for_each(|pid| kill(pid));
        }
    };
    let (summary, ()) = tokio::join!(collecting, killing);
    assert_eq!(summary.unwrap().scored, 132);
    let records = records.records();
    let lines = records::by_key(records.iter().map(|record| record.line.as_str()));
    assert_eq!(lines.len(), 132);
    for (key, line) in &lines {
        assert_eq!(line.reward, Some(1.0), "{key}");
    }
    assert!(lines.values().any(|line| line.rehearsal.attempt > 1), "some were made again");
    runtime.stop().await;
    until("the workers are gone", || workers().is_empty()).await;
}
