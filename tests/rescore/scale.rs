//! Rollouts of many environments, failed verifications alone, outputs that are added to, and summaries.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Child;

use serde_json::{Value, json};

use super::{folder, row_of, shuffled, values, write};
use crate::support::command::{Ended, Folder};
use crate::support::wait_until;

/// The quickstart, whose agents work in four environments.
fn quickstart() -> Folder {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    let config = std::fs::read_to_string(repository.join("configs/quickstart.yaml")).unwrap();
    folder.write("config.yaml", &config);
    let link = folder.path("environments");
    std::os::unix::fs::symlink(repository.join("environments"), link).unwrap();
    let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
    folder.run(&[&arguments[..], &["--repeats", "3"]].concat()).exits_with(0);
    folder
}

/// Scores without being told which tasks.
fn verify(folder: &Folder, more: &[&str]) -> Ended {
    let arguments = ["verify", "--config", "config.yaml", "--rollouts", "rollouts.jsonl"];
    folder.run(&[&arguments[..], &["--output", "scored.jsonl"], more].concat())
}

fn key(record: &Value) -> (String, u64) {
    let own = &record["rehearsal"];
    (own["task"].as_str().unwrap().to_owned(), own["repeat"].as_u64().unwrap())
}

#[test]
fn rollouts_of_all_environments_in_one_file_are_each_scored_by_their_own() {
    let folder = quickstart();
    let mut records = values(&folder, "out.jsonl");
    records.sort_by_key(|record| key(record).0.len() * 7919 % 97 + key(record).1 as usize);
    for record in &mut records {
        record["reward"] = json!(0.25);
    }
    write(&folder, &records);
    let count = records.len();
    let ended = verify(&folder, &[]);
    ended.exits_with(0).says(&[&format!("{count} rollouts scored, mean reward 1.000")]);
    let scored = values(&folder, "scored.jsonl");
    assert_eq!(scored.len(), count);
    for (scored, record) in scored.iter().zip(&records) {
        assert_eq!(scored["reward"], 1.0, "{scored}");
        assert_eq!(key(scored), key(record));
        assert_eq!(scored["rehearsal"]["environment"], record["rehearsal"]["environment"]);
    }
}

#[test]
fn rollouts_of_nemo_gym_are_routed_by_their_agent_and_paired_by_their_index() {
    let folder = quickstart();
    let mut records = values(&folder, "out.jsonl");
    records.reverse();
    for record in &mut records {
        let own = record.as_object_mut().unwrap().remove("rehearsal").unwrap();
        let line: u64 = own["task"].as_str().unwrap().rsplit('/').next().unwrap().parse().unwrap();
        record["agent_ref"] = json!({ "type": "responses_api_agents", "name": own["agent"] });
        record["_ng_task_index"] = json!(line - 1);
        record["_ng_rollout_index"] = own["repeat"].clone();
    }
    write(&folder, &records);
    let count = records.len();
    verify(&folder, &[]).exits_with(0).says(&[&format!("{count} rollouts scored, mean reward 1.")]);
    let mut keys: Vec<_> = values(&folder, "scored.jsonl").iter().map(key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "each has a key of its own");
}

#[test]
fn rollouts_that_belong_nowhere_are_left_out_by_their_lines() {
    let folder = quickstart();
    let records = values(&folder, "out.jsonl");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut record = records[0].clone();
        change(&mut record);
        record
    };
    let response = &records[0]["response"];
    write(
        &folder,
        &[
            records[0].clone(),
            json!({ "response": response }),
            json!({ "response": response, "agent_ref": { "name": "nobody" } }),
            with(&|record| record["rehearsal"]["environment"] = json!("gone")),
            with(&|record| record["rehearsal"]["task"] = json!("solver/gone/1")),
        ],
    );
    let ended = verify(&folder, &[]);
    ended.exits_with(3).says(&["1 rollouts scored", "4 left out"]).says(&[
        "`rollouts.jsonl` line 2: the configuration has 4 environments, and it does not say whose",
        "`rollouts.jsonl` line 3: its agent `nobody` is none of the configuration's",
        "`rollouts.jsonl` line 4: there is no environment `gone`",
        "`rollouts.jsonl` line 5: the configuration has no dataset `solver/gone`",
    ]);
    // Nor is the line of one dataset the task of a rollout over another.
    write(&folder, &records);
    let tasks = "environments/data/stateful_counter/example.jsonl";
    let ended = verify(&folder, &["--overwrite", "--tasks", tasks]);
    ended.exits_with(3).says(&["18 rollouts scored, mean reward 1.000"]);
    ended.says(&["its task is in `", "example.jsonl`, not in `--tasks`"]);
}

#[test]
fn only_failed_verifications_are_scored_if_that_is_wanted() {
    let folder = folder();
    let records = shuffled(&folder);
    folder.write("rollouts.jsonl", "not read\n");
    let failed = |index: usize, culprit: &str| {
        let mut record = records[index].clone();
        record.as_object_mut().unwrap().remove("reward");
        record["rehearsal"]["outcome"] = json!("failed");
        record["rehearsal"]["failure"] =
            json!({ "culprit": culprit, "error": "gone", "retryable": true });
        record
    };
    let mut without_response = failed(2, "model");
    without_response.as_object_mut().unwrap().remove("response");
    let mut judged = failed(3, "verifier");
    judged["_ng_task_index"] = json!(row_of(&judged) - 1);
    judged["_ng_failure_class"] = json!("judge_failed");
    judged.as_object_mut().unwrap().remove("rehearsal");
    let rows = [failed(0, "verifier"), failed(1, "verifier"), without_response, judged];
    let lines: String = rows.iter().chain([&rows[0]]).map(|row| format!("{row}\n")).collect();
    folder.write("rollouts_failures.jsonl", &lines);
    for rollouts in ["rollouts.jsonl", "rollouts_failures.jsonl"] {
        let more = ["--failures-only", "--overwrite", "--rollouts", rollouts];
        let arguments = ["verify", "--config", "config.yaml", "--output", "scored.jsonl"];
        folder.run(&[&arguments[..], &more].concat()).exits_with(0).says(&[
            "3 rollouts scored",
            "1 were in",
            "1 failed otherwise",
        ]);
        let scored = values(&folder, "scored.jsonl");
        assert_eq!(scored.len(), 3);
        for (scored, record) in scored.iter().zip([&records[0], &records[1], &records[3]]) {
            assert_eq!(scored["response"], record["response"]);
        }
        assert_eq!(scored[0]["reward"], records[0]["reward"]);
        assert_eq!(key(&scored[1]), key(&records[1]));
    }
    std::fs::remove_file(folder.path("rollouts_failures.jsonl")).unwrap();
    let ended = verify(&folder, &["--failures-only", "--overwrite"]);
    ended.exits_with(1).says(&[
        "no failures of `rollouts.jsonl`",
        "rollouts_failures.jsonl",
        "hint:",
    ]);
    assert_eq!(values(&folder, "scored.jsonl").len(), 3, "nothing is replaced in vain");
}

/// Rollouts for some seconds of work.
fn many(folder: &Folder) -> usize {
    let records = shuffled(folder);
    let mut rows = Vec::new();
    for repeat in 0..400 {
        for record in records.iter().filter(|record| record["rehearsal"]["repeat"] == 0) {
            let mut record = record.clone();
            record["rehearsal"]["repeat"] = json!(repeat);
            rows.push(record);
        }
    }
    write(folder, &rows);
    rows.len()
}

fn start(folder: &Folder, more: &[&str]) -> Child {
    let arguments = ["verify", "--config", "config.yaml", "--rollouts", "rollouts.jsonl"];
    let more = [&["--output", "scored.jsonl"], more].concat();
    folder.rehearsal(&[&arguments[..], &more].concat()).spawn().unwrap()
}

/// Waits until a share of the output is there, in percent of what it will have.
fn wait_for(child: &mut Child, folder: &Folder, whole: &str, percent: u64) {
    let wanted = whole.len() as u64 * percent / 100;
    wait_until("the output has grown", || {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it could be stopped");
        folder.length("scored.jsonl") >= wanted
    });
}

#[test]
fn a_verification_that_is_killed_goes_on_to_the_very_file_that_it_would_have_written() {
    let folder = folder();
    let count = many(&folder);
    verify(&folder, &[]).exits_with(0).says(&[&format!("{count} rollouts scored")]);
    let whole = folder.read("scored.jsonl");
    std::fs::remove_file(folder.path("scored.jsonl")).unwrap();
    for percent in [10, 50] {
        let mut child = start(&folder, &["--append"]);
        wait_for(&mut child, &folder, &whole, percent);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
    let torn = folder.read("scored.jsonl");
    assert!(whole.starts_with(&torn), "what is there is what would be");
    folder.write("scored.jsonl", &format!("{torn}{{\"torn"));
    let ended = verify(&folder, &["--append"]);
    ended.exits_with(0).says(&["were in `scored.jsonl` already"]);
    assert!(folder.read("scored.jsonl") == whole, "it is not the file of an uninterrupted run");
    let ended = verify(&folder, &["--append"]);
    ended.exits_with(0).says(&["0 rollouts scored", &format!("{count} were in `scored.jsonl`")]);
    assert!(folder.read("scored.jsonl") == whole);
}

#[test]
fn a_verification_that_is_interrupted_keeps_what_is_done() {
    let folder = folder();
    many(&folder);
    verify(&folder, &[]).exits_with(0);
    let whole = folder.read("scored.jsonl");
    let mut child = start(&folder, &["--overwrite", "--json"]);
    wait_until("it starts anew", || folder.length("scored.jsonl") < whole.len() as u64);
    wait_for(&mut child, &folder, &whole, 10);
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{said}");
    let summary: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(summary["cancelled"], true);
    let kept = folder.read("scored.jsonl");
    assert_eq!(summary["scored"], kept.lines().count());
    assert!(kept.len() < whole.len() && whole.starts_with(&kept));
    verify(&folder, &["--append"]).exits_with(0);
    assert!(folder.read("scored.jsonl") == whole);
}

#[test]
fn rollouts_of_another_file_are_added_and_the_summary_is_of_everything() {
    let folder = folder();
    let records = shuffled(&folder);
    let (first, second) = records.split_at(25);
    write(&folder, first);
    verify(&folder, &["--json"]).exits_with(0).says(&["25 rollouts scored"]);
    write(&folder, &[first, second].concat());
    let ended = verify(&folder, &["--append", "--aggregate", "--json"]);
    ended.exits_with(0).says(&["35 rollouts scored", "25 were in", "environment", "pass@k"]);
    assert_eq!(values(&folder, "scored.jsonl").len(), 60);

    let arguments = ["collect", "--config", "config.yaml", "--overwrite", "--json"];
    let collected = folder.run(&arguments);
    let of_collect: Value = serde_json::from_str(&collected.stdout).unwrap();
    let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
    let [ours, theirs] = [&summary, &of_collect].map(|it| it["environments"]["counter"].clone());
    for name in ["tasks", "rollouts", "pass_at"] {
        assert_eq!(ours[name], theirs[name], "{name}");
    }
    // What is added up in another order differs by what is rounded.
    for name in ["mean", "standard_deviation"] {
        let [ours, theirs] = [&ours, &theirs].map(|it| it[name].as_f64().unwrap());
        assert!((ours - theirs).abs() < 1e-9, "{name}: {ours} is not {theirs}");
    }
    assert_eq!(ours["rollouts"], 60);
    let table = |said: &str| {
        let lines = said
            .lines()
            .filter(|line| line.starts_with("environment ") || line.starts_with("counter "));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(table(&ended.stderr), table(&collected.stderr));
    assert_eq!(table(&ended.stderr).len(), 2);
}

#[test]
fn an_output_is_not_added_to_if_it_is_no_output_of_ours_or_an_input() {
    let folder = folder();
    write(&folder, &shuffled(&folder));
    folder.write("scored.jsonl", "{\"reward\":1}\n");
    let ended = verify(&folder, &["--append"]);
    ended.exits_with(1).says(&["`scored.jsonl` line 1: not a record", "hint: `--append` adds to"]);
    assert_eq!(folder.read("scored.jsonl"), "{\"reward\":1}\n");
    verify(&folder, &["--append", "--overwrite"]).exits_with(2);
    for input in ["rollouts.jsonl", "tasks.jsonl"] {
        let before = folder.read(input);
        let arguments = ["verify", "--config", "config.yaml", "--rollouts", "rollouts.jsonl"];
        let ended = folder.run(&[&arguments[..], &["--overwrite", "--output", input]].concat());
        ended.exits_with(1).says(&[&format!("{input}` is read, and would be written"), "hint:"]);
        assert_eq!(folder.read(input), before);
    }
}

/// A search that fails rollouts whose searches were not answered, and a counter.
fn with_search(folder: &Folder) {
    let config = folder.read("config.yaml");
    let search = "search: { kind: google_search, settings: { search: { on_outage: fail } } }";
    let environments =
        format!("environments: {{ counter: {{ kind: stateful_counter }}, {search} }}");
    let plain = "environments: { counter: { kind: stateful_counter } }";
    assert!(config.contains(plain));
    folder.write("config.yaml", &config.replace(plain, &environments));
}

#[test]
fn an_environment_whose_state_cannot_be_rebuilt_refuses_unless_it_is_told() {
    let folder = folder();
    let mut records = shuffled(&folder);
    with_search(&folder);
    let mut row = records[0].clone();
    row["expected_answer"] = json!("A");
    row["task_difficulty_qwen3_32b_avg_8"] = json!(0.5);
    folder.write("search.jsonl", &format!("{row}\n").repeat(20));
    let tasks = ["--tasks", "search.jsonl"];
    write(&folder, &records[..3]);
    let named = [&tasks[..], &["--environment", "search"]].concat();
    let ended = verify(&folder, &named);
    ended
        .exits_with(1)
        .says(&["`search` cannot score recorded rollouts as they were: ", "on_outage"]);
    ended.says(&["hint: ", "--allow-unreproducible"]);
    assert!(!folder.path("scored.jsonl").exists(), "nothing is begun");

    let told = [&named[..], &["--allow-unreproducible"]].concat();
    verify(&folder, &told).exits_with(0).says(&["3 rollouts scored"]);
    for scored in values(&folder, "scored.jsonl") {
        assert!(scored["unreproducible"].as_str().unwrap().contains("on_outage"), "{scored}");
    }
    // In a file of many environments its rows are left out, and the others are scored.
    records[1]["rehearsal"]["environment"] = json!("search");
    write(&folder, &records[..3]);
    let ended = verify(&folder, &["--overwrite"]);
    ended
        .exits_with(3)
        .says(&["2 rollouts scored", "line 2: environment `search` cannot score it"]);
    assert!(values(&folder, "scored.jsonl").iter().all(|row| row["unreproducible"].is_null()));
}

#[test]
fn a_tree_that_a_rollout_has_left_is_not_taken_for_recorded() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    let config = std::fs::read_to_string(repository.join("configs/mini_swe.yaml")).unwrap();
    folder.write("config.yaml", &config);
    let link = folder.path("environments");
    std::os::unix::fs::symlink(repository.join("environments"), link).unwrap();
    folder.write("rollouts.jsonl", "{\"response\":{\"id\":\"r\",\"output\":[]}}\n");
    let refused = verify(&folder, &[]);
    refused
        .exits_with(1)
        .says(&["cannot score recorded rollouts as they were", "grade_unsubmitted"]);
    let set = "environments.repositories.settings.grade_unsubmitted=false";
    verify(&folder, &["--set", set]).exits_with(0).says(&["1 rollouts scored, mean reward 0.000"]);
}
