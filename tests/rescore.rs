//! `rehearsal verify`: recorded rollouts scored again, each with the task that it belongs to.

mod scale;

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use rehearsal::framework::rescore::{Rescore, RescoreProgress};
use rehearsal::framework::responses::Response;
use rehearsal::framework::task::{Row, Target, TargetError};
use rehearsal::prelude::*;
use serde_json::{Value, json};

use crate::support::command::{Ended, Folder};

const COUNTER: &str = r#"models:
  policy:
    kind: scripted
    settings:
      rules:
        - when: { step: 0, user: 'Add (?<count>\d+)' }
          calls: [{ name: increment_counter, arguments: { count: "{{ captures.count }}" } }]
        - say: Done.
environments: { counter: { kind: stateful_counter } }
agents:
  solver:
    kind: tool_loop
    environment: counter
    model: policy
    datasets: [{ name: tasks, type: example, path: tasks.jsonl }]
collect: { output: out.jsonl, repeats: 3 }
runtime: { shards: 2 }
"#;

/// Tasks of which every third expects something else than it asks for.
fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    let task = |row: u32| {
        let expected = if row.is_multiple_of(3) { 0 } else { row };
        let params = json!({ "input": format!("Add {row}.") });
        json!({ "responses_create_params": params, "initial_count": 0, "expected_count": expected })
    };
    let tasks: String = (1..=20).map(|row| format!("{}\n", task(row))).collect();
    folder.write("tasks.jsonl", &tasks);
    folder
}

fn earned(row: u64) -> f64 {
    if row.is_multiple_of(3) { 0.0 } else { 1.0 }
}

fn verify(folder: &Folder, more: &[&str]) -> Ended {
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let files = ["--rollouts", "rollouts.jsonl", "--output", "scored.jsonl"];
    folder.run(&[&arguments[..], &files, more].concat())
}

fn values(folder: &Folder, name: &str) -> Vec<Value> {
    folder.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn row_of(record: &Value) -> u64 {
    record["rehearsal"]["task"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap()
}

/// Collects, and returns the records in an order that is neither the tasks' nor the run's.
fn shuffled(folder: &Folder) -> Vec<Value> {
    folder.run(&["collect", "--config", "config.yaml"]).exits_with(0);
    let mut records = values(folder, "out.jsonl");
    records.sort_by_key(|record| {
        let repeat = record["rehearsal"]["repeat"].as_u64().unwrap();
        (row_of(record) * 7919 + repeat * 104_729) % 997
    });
    records
}

fn write(folder: &Folder, records: &[Value]) {
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    folder.write("rollouts.jsonl", &lines);
}

#[test]
fn our_own_records_are_paired_by_key_however_they_are_shuffled() {
    let folder = folder();
    let mut records = shuffled(&folder);
    for record in &mut records {
        record["reward"] = json!(0.25);
    }
    write(&folder, &records);
    verify(&folder, &[]).exits_with(0).says(&["60 rollouts scored", "60 differ", "0 left out"]);
    let scored = values(&folder, "scored.jsonl");
    assert_eq!(scored.len(), 60);
    for (scored, record) in scored.iter().zip(&records) {
        assert_eq!(scored["rehearsal"]["task"], record["rehearsal"]["task"]);
        assert_eq!(scored["rehearsal"]["repeat"], record["rehearsal"]["repeat"]);
        assert_eq!(scored["response"]["output"], record["response"]["output"]);
        assert_eq!(scored["reward"], earned(row_of(record)), "{}", record["rehearsal"]["task"]);
    }
}

#[test]
fn rollouts_of_others_are_paired_by_line() {
    let folder = folder();
    let mut records = shuffled(&folder);
    records.retain(|record| record["rehearsal"]["repeat"] == 0);
    records.sort_by_key(row_of);
    for record in &mut records {
        let record = record.as_object_mut().unwrap();
        record.retain(|key, _| key == "response" || key == "responses_create_params");
    }
    write(&folder, &records);
    verify(&folder, &[]).exits_with(0).says(&["20 rollouts scored"]);
    let rewards: Vec<_> =
        values(&folder, "scored.jsonl").iter().map(|row| row["reward"].clone()).collect();
    let expected: Vec<_> = (1..=20).map(|row| json!(earned(row))).collect();
    assert_eq!(rewards, expected);
}

#[test]
fn a_recorded_output_is_not_believed_where_the_session_counts() {
    let folder = folder();
    let mut records = shuffled(&folder);
    for record in &mut records {
        for item in record["response"]["output"].as_array_mut().unwrap() {
            if item["type"] == "function_call" {
                item["arguments"] = json!("{\"count\": 1000}");
            }
        }
    }
    write(&folder, &records);
    verify(&folder, &[]).exits_with(0);
    assert!(values(&folder, "scored.jsonl").iter().all(|scored| scored["reward"] == 0.0));
}

#[test]
fn lines_that_are_no_rollouts_are_named_and_left_out() {
    let folder = folder();
    let records = shuffled(&folder);
    let stray = json!({ "response": records[0]["response"] });
    let far = json!({ "response": records[0]["response"],
        "rehearsal": { "task": "solver/tasks/99", "repeat": 0, "environment": "counter" } });
    let lines = [
        records[0].to_string(),
        "oops".into(),
        json!({ "reward": 1.0 }).to_string(),
        json!({ "response": { "id": "r" } }).to_string(),
        String::new(),
        far.to_string(),
        records[1].to_string(),
        stray.to_string(),
    ];
    folder.write("rollouts.jsonl", &lines.join("\n"));
    let ended = verify(&folder, &[]);
    ended.exits_with(3).says(&["3 rollouts scored", "4 left out"]);
    for (line, reason) in
        [(2, "expected value"), (3, "response"), (4, "output"), (6, "`tasks.jsonl` has no line 99")]
    {
        let place = format!("`rollouts.jsonl` line {line}: ");
        let said = ended.stderr.lines().find(|said| said.contains(&place));
        let said = said.unwrap_or_else(|| panic!("line {line} is not named in:\n{}", ended.stderr));
        assert!(said.contains(reason), "`{reason}` is not in: {said}");
    }
    assert_eq!(values(&folder, "scored.jsonl").len(), 3);
}

#[test]
fn an_output_that_exists_is_replaced_only_if_told_so() {
    let folder = folder();
    write(&folder, &shuffled(&folder));
    folder.write("scored.jsonl", "precious");
    verify(&folder, &[]).exits_with(1).says(&["scored.jsonl`", "hint: ", "--overwrite"]);
    assert_eq!(folder.read("scored.jsonl"), "precious");
    verify(&folder, &["--overwrite"]).exits_with(0);
    assert_eq!(values(&folder, "scored.jsonl").len(), 60);
}

#[test]
fn a_file_that_is_not_there_and_an_environment_that_nobody_has_are_named() {
    let folder = folder();
    verify(&folder, &[]).exits_with(1).says(&["cannot read `rollouts.jsonl`", "hint: "]);
    assert!(!folder.path("scored.jsonl").exists(), "nothing is left behind");
    write(&folder, &shuffled(&folder));
    verify(&folder, &["--environment", "conter"]).exits_with(1).says(&["`conter`"]);
}

/// A place where readers of rows meet.
struct Meeting {
    arrived: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    /// Waits until as many have come as are expected.
    fn meet(&self, expected: usize) {
        const PATIENCE: Duration = Duration::from_secs(60);
        let mut arrived = self.arrived.lock().unwrap();
        *arrived += 1;
        self.changed.notify_all();
        let is_alone = |arrived: &mut usize| *arrived < expected;
        let waited = self.changed.wait_timeout_while(arrived, PATIENCE, is_alone).unwrap();
        assert!(!waited.1.timed_out(), "rows are not read side by side");
    }
}

/// What an embedder can spawn on any tokio runtime.
fn is_send<F: Future + Send>(future: F) -> F {
    future
}

static MEETING: Meeting = Meeting { arrived: Mutex::new(0), changed: Condvar::new() };

/// An environment whose first rows can only be read side by side.
struct Sociable;

impl Environment for Sociable {
    const KIND: &'static str = "sociable";
    type Config = serde::de::IgnoredAny;
    type Target = ();
    type Session = ();

    fn new(_: Self::Config, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self)
    }

    fn target(_: &Row) -> Result<Target, TargetError> {
        MEETING.meet(2);
        Ok(Target::new(()))
    }

    async fn open(&self, (): &()) -> Result<(), EnvironmentError> {
        Ok(())
    }

    async fn verify(&self, (): (), (): &(), _: &Response) -> Result<Verdict, EnvironmentError> {
        Ok(Verdict::new(Reward::ONE))
    }
}

#[tokio::test]
async fn rows_are_read_on_all_cores_and_progress_counts_rows_and_bytes() {
    const ROWS: usize = 100;
    let folder = Folder::new();
    let task = "{\"responses_create_params\":{\"input\":\"?\"}}\n";
    folder.write("tasks.jsonl", &task.repeat(ROWS));
    let rollout = "{\"response\":{\"id\":\"r\",\"output\":[]}}\n";
    folder.write("rollouts.jsonl", &rollout.repeat(ROWS));
    folder.write(
        "config.yaml",
        "environments: { world: { kind: sociable } }\nruntime: { cpu_threads: 2 }\n",
    );
    let config = Loader::new().file(folder.path("config.yaml")).load().unwrap();
    let kinds = rehearsal::kinds().environment::<Sociable>();
    let runtime = Runtime::start(config, &kinds).await.unwrap();
    let rescore = Rescore {
        tasks: Some(folder.path("tasks.jsonl")),
        rollouts: folder.path("rollouts.jsonl"),
        ..Rescore::default()
    };
    let (mut heard, records) = (Vec::new(), MemoryRecorder::new());
    let rescoring = runtime.rescoring(&rescore).unwrap();
    let hear = |progress| heard.push(progress);
    let running = rescoring.run(Arc::new(records.clone()), std::future::pending(), hear);
    let summary = is_send(running).await.unwrap();
    runtime.stop().await;
    assert_eq!((summary.scored, summary.left_out), (ROWS as u64, 0));
    assert_eq!(records.take().len(), ROWS);
    let bytes_total = folder.length("rollouts.jsonl");
    assert!(heard.len() > 2 && heard.is_sorted_by(|a, b| a.rows < b.rows && a.bytes < b.bytes));
    let all = RescoreProgress { rows: ROWS as u64, bytes: bytes_total, bytes_total };
    assert_eq!(heard.last(), Some(&all));
}

#[test]
fn rows_larger_than_a_portion_and_files_without_a_last_newline_go_through() {
    let folder = folder();
    let mut records = shuffled(&folder);
    records.truncate(7);
    for (index, record) in records.iter_mut().enumerate() {
        record["padding"] = json!("x".repeat(index * 100_000));
    }
    let text = records.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n");
    folder.write("rollouts.jsonl", &text);
    verify(&folder, &[]).exits_with(0).says(&["7 rollouts scored", "0 left out"]);
    let rows: Vec<_> = values(&folder, "scored.jsonl").iter().map(row_of).collect();
    assert_eq!(rows, records.iter().map(row_of).collect::<Vec<_>>());
}
