//! Rows that are no tasks, and datasets that are no files.

use super::{COLLECT, COUNTER, GOOD_ROW};
use crate::support::command::Folder;
use crate::support::records;

#[test]
fn malformed_rows_are_named_with_file_and_line_and_the_good_rows_run() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    let rows = [
        GOOD_ROW,
        "oops",
        r#"{"responses_create_params":{"input":"Add 2."},"initial_count":0"#,
        "[1, 2]",
        r#"{"initial_count":0,"expected_count":2}"#,
        r#"{"responses_create_params":{},"initial_count":0,"expected_count":2}"#,
        r#"{"responses_create_params":{"input":[{"type":"nonsense"}]},"initial_count":0,"expected_count":2}"#,
        r#"{"responses_create_params":{"input":"Add 2."},"initial_count":0}"#,
        r#"{"responses_create_params":{"input":"Add 2."},"initial_count":0,"expected_count":"many"}"#,
        "",
        GOOD_ROW,
    ];
    folder.write("tasks.jsonl", &rows.join("\n"));
    let ended = folder.run(&COLLECT);
    ended.exits_with(3);
    let named = |line: usize| -> &str {
        let place = format!("`tasks.jsonl` line {line}: ");
        let warning = ended.stderr.lines().find(|said| said.contains(&place));
        warning.unwrap_or_else(|| panic!("line {line} is not named in:\n{}", ended.stderr))
    };
    for (line, reason) in [
        (2, "not a JSON object"),
        (3, "not a JSON object"),
        (4, "not a JSON object"),
        (5, "`responses_create_params` is missing"),
        (6, "`input` is missing"),
        (7, "`responses_create_params`"),
        (8, "expected_count"),
        (9, "expected_count"),
    ] {
        assert!(named(line).contains(reason), "`{reason}` is not in: {}", named(line));
    }
    ended.says(&["8 malformed rows were left out"]);
    let lines = records::read(&folder.path("out.jsonl"));
    let rewards: Vec<_> = lines.iter().map(|(key, line)| (key.as_str(), line.reward)).collect();
    assert_eq!(rewards, [("solver/tasks/1#0", Some(1.0)), ("solver/tasks/11#0", Some(1.0))]);
}

#[test]
fn rows_that_are_not_utf8_are_malformed_and_windows_line_ends_are_not() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    let rows = [GOOD_ROW.as_bytes(), b"\r\n{\"x\":\"\xff\"}\r\n", GOOD_ROW.as_bytes(), b"\r\n"];
    std::fs::write(folder.path("tasks.jsonl"), rows.concat()).unwrap();
    folder.run(&COLLECT).exits_with(3).says(&["`tasks.jsonl` line 2: "]);
    assert_eq!(records::read(&folder.path("out.jsonl")).len(), 2);
}

#[test]
fn a_row_cannot_smuggle_the_key_in_that_trainers_take_for_a_failed_request() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    let row = GOOD_ROW.replacen('{', r#"{"error":"old","reward":7,"response":{},"#, 1);
    folder.write("tasks.jsonl", &row);
    folder.run(&COLLECT).exits_with(0);
    let record: serde_json::Value = serde_json::from_str(folder.read("out.jsonl").trim()).unwrap();
    assert_eq!(record.get("error"), None);
    assert_eq!(record["reward"], 1.0);
}

#[test]
fn a_dataset_that_does_not_exist_is_named_before_anything_starts() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    let ended = folder.run(&COLLECT);
    ended.exits_with(1).says(&["agents.solver.datasets", "there is no file `tasks.jsonl`"]);
    assert_eq!(folder.length("out.jsonl"), 0);
}

#[test]
fn an_empty_dataset_is_collected_to_an_empty_output() {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    folder.write("tasks.jsonl", "\n");
    folder.run(&COLLECT).exits_with(0).says(&["0 rollouts"]);
    assert_eq!(folder.length("out.jsonl"), 0);
}

#[test]
fn the_limit_counts_the_tasks_of_each_dataset() {
    let folder = Folder::new();
    let datasets = "datasets: [{ name: tasks, type: example, path: tasks.jsonl },
      { name: more, type: example, path: more.jsonl }]";
    let one = "datasets: [{ name: tasks, type: example, path: tasks.jsonl }]";
    folder.write("config.yaml", &COUNTER.replace(one, datasets));
    folder.write("tasks.jsonl", &[GOOD_ROW; 5].join("\n"));
    folder.write("more.jsonl", &[GOOD_ROW; 5].join("\n"));
    folder.run(&[&COLLECT[..], &["--limit", "2"]].concat()).exits_with(0);
    let lines = records::read(&folder.path("out.jsonl"));
    let keys: Vec<_> = lines.keys().map(String::as_str).collect();
    let expected = ["solver/more/1#0", "solver/more/2#0", "solver/tasks/1#0", "solver/tasks/2#0"];
    assert_eq!(keys, expected);
}

#[test]
fn a_collection_ends_at_its_failure_limit_and_says_why() {
    let folder = Folder::new();
    folder.write("config.yaml", &COUNTER.replace("say: Done.", "fail: bad_request"));
    folder.write("tasks.jsonl", &[GOOD_ROW; 500].join("\n"));
    let limit = ["--set", "collect.failure_limit=20", "--max-in-flight", "4"];
    let ended = folder.run(&[&COLLECT[..], &limit].concat());
    ended.exits_with(1).says(&["rollouts failed, and `collect.failure_limit` is 20", "hint: "]);
    let failed = records::read(&folder.path("out_failures.jsonl")).len();
    assert!((20..500).contains(&failed), "{failed}");
}

#[test]
fn more_rollouts_than_sessions_wait_for_their_turn() {
    let folder = Folder::new();
    let few = COUNTER.replace("kind: stateful_counter", "kind: stateful_counter, max_sessions: 2");
    folder.write("config.yaml", &few);
    folder.write("tasks.jsonl", &[GOOD_ROW; 200].join("\n"));
    let slow = "models.policy.settings.latency=1ms";
    let ended = folder.run(&[&COLLECT[..], &["--max-in-flight", "64", "--set", slow]].concat());
    ended.exits_with(0);
    let lines = records::read(&folder.path("out.jsonl"));
    assert_eq!(lines.len(), 200);
    assert!(lines.values().all(|line| line.rehearsal.attempt == 1), "nobody is refused");
}
