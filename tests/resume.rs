//! Collections that end early, in whatever way, and go on from there: every rollout exactly once.

use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;

use rehearsal::framework::config::Config;
use rehearsal::framework::recorder::Recorder as _;
use rehearsal::prelude::*;

use crate::support::command::Folder;
use crate::support::{records, until, wait_until};

/// A counter world on the scripted model; every third task is answered wrongly.
const COUNTER: &str = r#"
models:
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
collect: { output: out.jsonl, repeats: 10, sync_interval: 20ms }
runtime: { shards: 2 }
"#;

fn is_answered_rightly(row: u32) -> bool {
    !row.is_multiple_of(3)
}

fn tasks(rows: u32) -> String {
    let task = |row| {
        let expected = if is_answered_rightly(row) { row } else { row + 1 };
        format!(
            "{{\"responses_create_params\":{{\"input\":\"Add {row}.\"}},\
             \"initial_count\":0,\"expected_count\":{expected}}}\n"
        )
    };
    (1..=rows).map(task).collect()
}

fn counter_folder(rows: u32) -> Folder {
    let folder = Folder::new();
    folder.write("config.yaml", COUNTER);
    folder.write("tasks.jsonl", &tasks(rows));
    folder
}

/// Asserts that the output holds every rollout of `rows` tasks once, with the reward it earned.
#[track_caller]
fn assert_complete(folder: &Folder, rows: u32, repeats: u32) {
    let lines = records::read(&folder.path("out.jsonl"));
    let expected = (1..=rows).flat_map(|row| {
        (0..repeats).map(move |repeat| (format!("solver/tasks/{row}#{repeat}"), row))
    });
    let mut count = 0;
    for (key, row) in expected {
        let line = lines.get(&key).unwrap_or_else(|| panic!("`{key}` is lost"));
        let reward = if is_answered_rightly(row) { 1.0 } else { 0.0 };
        assert_eq!(line.reward, Some(reward), "`{key}`");
        count += 1;
    }
    assert_eq!(lines.len(), count, "there are rollouts that nobody asked for");
}

const COLLECT: [&str; 3] = ["collect", "--config", "config.yaml"];
const RESUME: [&str; 4] = ["collect", "--config", "config.yaml", "--resume"];

#[test]
fn a_collection_that_is_killed_three_times_ends_with_every_rollout_once() {
    const ROWS: u32 = 2000;
    let folder = counter_folder(ROWS);
    for (grown_to, arguments) in
        [(1 << 20, &COLLECT[..]), (5 << 20, &RESUME[..]), (12 << 20, &RESUME[..])]
    {
        let mut child = folder.rehearsal(arguments).spawn().unwrap();
        wait_until("the output has grown", || {
            assert!(child.try_wait().unwrap().is_none(), "it ended before it could be killed");
            folder.length("out.jsonl") >= grown_to
        });
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it ended before it was killed");
    }
    folder.run(&RESUME).exits_with(0).says(&["kept from before"]);
    assert_complete(&folder, ROWS, 10);
}

#[test]
fn a_full_disk_ends_the_collection_with_an_error_and_a_file_that_can_be_resumed() {
    const ROWS: u32 = 300;
    let folder = counter_folder(ROWS);
    let full_disk = "trap '' XFSZ; ulimit -f 1000";
    let ended = folder.run_after(full_disk, &COLLECT);
    ended.exits_with(1).says(&["error: cannot write `", "out.jsonl`", "File too large"]);
    ended.says(&["hint: make room, then run the same command with `--resume`"]);
    let kept = records::read(&folder.path("out.jsonl")).len();
    assert!(kept > 0, "what fits is kept");
    folder.run_after(full_disk, &RESUME).exits_with(1);
    assert!(records::read(&folder.path("out.jsonl")).len() >= kept, "nothing is lost again");
    folder.run(&RESUME).exits_with(0);
    assert_complete(&folder, ROWS, 10);
}

#[test]
fn an_interrupted_collection_keeps_what_is_finished_and_says_so_with_its_exit_code() {
    const ROWS: u32 = 400;
    let folder = counter_folder(ROWS);
    let child = folder.rehearsal(&COLLECT).spawn().unwrap();
    wait_until("the output has grown", || folder.length("out.jsonl") >= 200_000);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("`--resume` goes on"), "{said}");
    let kept = records::read(&folder.path("out.jsonl")).len();
    assert!((1..4000).contains(&kept), "{kept}");
    folder.run(&RESUME).exits_with(0);
    assert_complete(&folder, ROWS, 10);
}

#[test]
fn a_second_interrupt_ends_a_collection_whose_file_system_does_not_answer() {
    const ROWS: u32 = 400;
    /// Do not wait for the other end.
    const O_NONBLOCK: i32 = 0o4000;
    let folder = counter_folder(ROWS);
    folder.write("more.jsonl", &tasks(ROWS));
    let dataset = |name: &str| format!("{{ name: {name}, type: example, path: {name}.jsonl }}");
    let datasets = format!("agents.solver.datasets=[{}, {}]", dataset("tasks"), dataset("more"));
    let set = ["--set", &datasets, "--set", "runtime.shutdown_timeout=500ms"];
    let mut child = folder.rehearsal(&[&COLLECT[..], &set].concat()).spawn().unwrap();
    wait_until("the output has grown", || folder.length("out.jsonl") >= 200_000);
    // The second dataset becomes a pipe into which nobody writes.
    std::fs::remove_file(folder.path("more.jsonl")).unwrap();
    let pipe = folder.path("more.jsonl");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).custom_flags(O_NONBLOCK);
    let mut silent = None;
    wait_until("it reads the second dataset", || {
        silent = options.open(&pipe).ok();
        silent.is_some()
    });
    let pid = child.id().to_string();
    wait_until("it has ended", || {
        assert!(
            std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success()
        );
        child.try_wait().unwrap().is_some()
    });
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(130), "{said}");
    assert!(said.contains("interrupted again"), "{said}");
    drop(silent);
    std::fs::remove_file(&pipe).unwrap();
    folder.run(&RESUME).exits_with(0);
    assert_complete(&folder, ROWS, 10);
}

#[test]
fn an_output_that_exists_is_neither_continued_nor_replaced_unasked() {
    let folder = counter_folder(2);
    folder.run(&COLLECT).exits_with(0);
    let before = folder.read("out.jsonl");
    let refused = folder.run(&COLLECT);
    refused.exits_with(1).says(&["out.jsonl` exists already", "--resume", "--overwrite"]);
    assert_eq!(folder.read("out.jsonl"), before);
    folder.run(&[&COLLECT[..], &["--overwrite", "--repeats", "1"]].concat()).exits_with(0);
    assert_complete(&folder, 2, 1);
}

#[test]
fn more_repeats_add_only_the_rollouts_that_are_missing() {
    let folder = counter_folder(7);
    folder.run(&[&COLLECT[..], &["--repeats", "2"]].concat()).exits_with(0);
    let before = folder.read("out.jsonl");
    folder.run(&[&RESUME[..], &["--repeats", "5"]].concat()).exits_with(0);
    assert!(folder.read("out.jsonl").starts_with(&before), "what was there has not moved");
    assert_complete(&folder, 7, 5);
    folder.run(&[&RESUME[..], &["--repeats", "3"]].concat()).exits_with(0);
    assert_complete(&folder, 7, 5);
}

#[test]
fn a_torn_last_line_is_made_again() {
    let folder = counter_folder(20);
    folder.run(&COLLECT).exits_with(0);
    let whole = folder.read("out.jsonl");
    folder.write("out.jsonl", &whole[..whole.len() - 40]);
    folder.run(&RESUME).exits_with(0);
    assert_complete(&folder, 20, 10);
}

#[test]
fn a_rollout_that_failed_before_and_succeeds_now_is_in_the_output_alone() {
    let folder = counter_folder(3);
    let failing = "models.policy.settings.rules=[{ fail: bad_request }]";
    let ended = folder.run(&[&COLLECT[..], &["--repeats", "1", "--set", failing]].concat());
    ended.exits_with(3).says(&["3 rollouts failed: model"]);
    assert_eq!(records::read(&folder.path("out_failures.jsonl")).len(), 3);
    folder.run(&[&RESUME[..], &["--repeats", "1"]].concat()).exits_with(0);
    assert_complete(&folder, 3, 1);
    let failures = records::read(&folder.path("out_failures.jsonl"));
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn an_output_that_another_collection_writes_is_left_alone() {
    let folder = counter_folder(3);
    let output = folder.path("out.jsonl");
    let writer = JsonlRecorder::new(&output, Existing::Refuse).unwrap().open().unwrap();
    std::fs::write(&output, "half a li").unwrap();
    for how in ["--resume", "--overwrite"] {
        let ended = folder.run(&[&COLLECT[..], &[how]].concat());
        ended.exits_with(1).says(&["out.jsonl` is being written by another collection", "hint: "]);
    }
    assert_eq!(folder.read("out.jsonl"), "half a li");
    drop(writer);
    folder.run(&RESUME).exits_with(0);
    assert_complete(&folder, 3, 10);
}

#[test]
fn a_file_that_is_no_collection_is_not_resumed() {
    let folder = counter_folder(1);
    folder.write("out.jsonl", "{\"reward\":1}\n");
    let ended = folder.run(&RESUME);
    ended.exits_with(1).says(&["out.jsonl` line 1: not a record of a collection", "hint: "]);
    assert_eq!(folder.read("out.jsonl"), "{\"reward\":1}\n");
}

fn embedded(folder: &Folder) -> Config {
    let loader = Loader::new().text("config.yaml", COUNTER);
    let loader = loader.working_directory(folder.path("."));
    let path = folder.path("tasks.jsonl");
    let set = format!(
        "agents.solver.datasets=[{{ name: tasks, type: example, path: {} }}]",
        path.display()
    );
    loader.set(set).load().unwrap()
}

#[tokio::test]
async fn a_cancelled_collection_is_resumed_by_the_same_runtime() {
    const ROWS: u32 = 300;
    let folder = counter_folder(ROWS);
    let runtime = Runtime::start(embedded(&folder), &rehearsal::kinds()).await.unwrap();
    let output = folder.path("out.jsonl");
    for ended in [400, 900] {
        let recorder = Arc::new(JsonlRecorder::new(&output, Existing::Resume).unwrap());
        let progress = Arc::new(Progress::default());
        let collecting = runtime.collect(runtime.collection().unwrap(), recorder, progress.clone());
        let cancelling = async {
            until("some rollouts have ended", || progress.snapshot().ended() >= ended).await;
            progress.cancel();
        };
        let (summary, ()) = tokio::join!(collecting, cancelling);
        assert!(summary.unwrap().cancelled);
    }
    let kept = records::read(&output).len() as u64;
    assert!((1300..3000).contains(&kept), "{kept}");
    let recorder = Arc::new(JsonlRecorder::new(&output, Existing::Resume).unwrap());
    let collection = runtime.collection().unwrap();
    let summary = runtime.collect(collection, recorder, Arc::new(Progress::default())).await;
    let summary = summary.unwrap();
    assert_eq!((summary.kept, summary.kept + summary.scored), (kept, 3000));
    assert_eq!(summary.environments["counter"].rollouts, 3000);
    assert_complete(&folder, ROWS, 10);
    runtime.stop().await;
}
