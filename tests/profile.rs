//! `rehearsal profile`: numbers, comparison, exports and report, as users ask for them.

use serde_json::{Value, json};

use crate::support::command::Folder;

/// A recorded rollout.
fn line(task: u32, repeat: u32, reward: f64, answer: Option<&str>) -> String {
    let record = json!({
        "responses_create_params": { "input": format!("question {task}") },
        "level": if task.is_multiple_of(2) { "easy" } else { "hard" },
        "extracted_answer": answer,
        "response": { "id": "r", "created_at": f64::from(1_000 + task * 10 + repeat), "output": [],
            "usage": { "output_tokens": 10 * (task + 1) } },
        "reward": reward,
        "rehearsal": { "task": format!("solver/data/{task}"), "repeat": repeat, "agent": "solver",
            "environment": "math", "outcome": "scored" },
    });
    format!("{record}\n")
}

/// Three tasks with four rollouts each: the example of the statistics' own tests.
fn folder() -> Folder {
    let folder = Folder::new();
    let tasks = [([1.0, 0.0, 0.0, 1.0], "xyyx"), ([0.0; 4], "-zww"), ([1.0; 4], "qqq-")];
    let mut text = String::new();
    for (task, (rewards, answers)) in (0..).zip(tasks) {
        for (repeat, (reward, answer)) in (0..).zip(rewards.iter().zip(answers.chars())) {
            let answer = answer.to_string();
            let answer = (answer != "-").then_some(answer.as_str());
            text.push_str(&line(task, repeat, *reward, answer));
        }
    }
    folder.write("run.jsonl", &text);
    folder
}

fn statistics(folder: &Folder, more: &[&str]) -> Value {
    let arguments = [&["profile", "run.jsonl", "--format", "json"], more].concat();
    let ended = folder.run(&arguments);
    serde_json::from_str(&ended.exits_with(0).stdout).unwrap()
}

#[test]
fn a_profile_says_what_rollouts_come_to_and_how_sure_that_is() {
    let folder = folder();
    let statistics = statistics(
        &folder,
        &["--answer", "extracted_answer", "--by", "level", "--score", "reward"],
    );
    let agent = &statistics["agents"]["solver"];
    let metric = |name: &str| agent["agent_metrics"][name].as_f64().unwrap();
    assert!((metric("mean/reward") - 0.5).abs() < 1e-9);
    assert!((metric("mean/output_tokens") - 20.0).abs() < 1e-9);
    assert!((metric("pass@2/accuracy") - 61.1111).abs() < 1e-4);
    assert!((metric("pass@2/reward") - 61.1111).abs() < 1e-4);
    assert!((metric("majority@3/accuracy") - 33.3333).abs() < 1e-4);
    assert!((metric("pass@4/no_answer") - 66.6667).abs() < 1e-4);
    let interval = &agent["confidence_intervals"]["mean/reward"];
    let (low, high) = (interval["low"].as_f64().unwrap(), interval["high"].as_f64().unwrap());
    assert!(low < 0.0 && 1.0 < high, "three tasks say little: {low} to {high}");
    let hard = &agent["subsets"]["hard"];
    assert_eq!(
        (&hard["pass@4/accuracy"], &hard["per_sample_aggregate"]),
        (&json!(0.0), &Value::Null)
    );
    assert_eq!(agent["completion"]["missing"], 0);
}

#[test]
fn tables_are_for_people_and_exports_for_machines() {
    let folder = folder();
    let printed = |format: &str| {
        folder.run(&["profile", "run.jsonl", "--format", format]).exits_with(0).stdout.clone()
    };
    let text = printed("text");
    assert!(text.starts_with("solver: 12 rollouts of 3 tasks\n"), "{text}");
    assert!(text.contains("pass@k, in percent"), "{text}");
    let markdown = printed("markdown");
    assert!(markdown.contains("| reward ") && markdown.contains("|--------"), "{markdown}");
    let csv = printed("csv");
    assert!(csv.starts_with("agent,metric,value,low,high\nsolver,mean/reward,0.5,"), "{csv}");
    let metrics: Value = serde_json::from_str(printed("metrics").trim()).unwrap();
    assert_eq!(metrics["solver/mean/reward"], 0.5);
    assert_eq!(metrics["key_metrics/solver/mean/reward"], 0.5);
}

#[test]
fn missing_rollouts_are_counted_and_failures_named() {
    let folder = folder();
    let text = folder.read("run.jsonl");
    let without_last: String = text.lines().take(11).map(|line| format!("{line}\n")).collect();
    folder.write("run.jsonl", &without_last);
    let failure = json!({ "rehearsal": { "task": "solver/data/2", "repeat": 3, "agent": "solver",
        "outcome": "failed", "failure": { "culprit": "model", "error": "down" } } });
    folder.write("run_failures.jsonl", &format!("{failure}\n"));
    let statistics = statistics(&folder, &["--output", "stats/run"]);
    let agent = &statistics["agents"]["solver"];
    assert_eq!(agent["failed"]["model"], 1);
    let expected = json!({ "expected": 12, "completed": 11, "missing": 1, "tasks": 3,
        "complete_tasks": 2, "partial_tasks": 1, "missing_tasks": 0 });
    assert_eq!(agent["completion"], expected);
    let groups = folder.read("stats/run_reward_profiling.jsonl");
    let groups: Vec<Value> =
        groups.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = &groups[2];
    assert_eq!((&last["num_rollouts"], &last["expected_num_rollouts"]), (&json!(3), &json!(4)));
    assert_eq!(last["reward_profile_completion_pct"], 75.0);
    assert_eq!(last["rollout_infos"][2]["rollout_id"], "solver/data/2:2");
    assert_eq!(last["sample"]["responses_create_params"]["input"], "question 2");
    assert!(last["sample"].get("response").is_none());
    let agents: Value = serde_json::from_str(&folder.read("stats/run_agent_metrics.json")).unwrap();
    assert_eq!(agents[0]["agent_ref"]["name"], "solver");
    assert!(agents[0]["key_metrics"].get("mean/reward").is_some());
}

/// Rows and results of NeMo Gym's own shape, of which one rollout is missing.
#[test]
fn inputs_tell_what_is_missing_and_what_does_not_belong() {
    let folder = Folder::new();
    let key =
        |task: u32, rollout: u32| json!({ "_ng_task_index": task, "_ng_rollout_index": rollout });
    let lines = |values: &[Value]| values.iter().map(|v| format!("{v}\n")).collect::<String>();
    let inputs = [key(0, 0), key(0, 1), key(1, 0), key(1, 1)];
    folder.write("inputs.jsonl", &lines(&inputs));
    let result = |task: u32, rollout: u32, reward: f64, tokens: u32| {
        let mut value = key(task, rollout);
        value["reward"] = reward.into();
        value["flag"] = true.into();
        value["response"] = json!({ "usage": { "input_tokens": tokens, "output_tokens": 2 } });
        value
    };
    let results = [result(0, 0, 1.0, 5), result(0, 1, 0.0, 7), result(1, 0, 1.0, 9)];
    folder.write("run.jsonl", &lines(&results));
    let strict = folder.run(&["profile", "run.jsonl", "--inputs", "inputs.jsonl"]);
    strict.exits_with(1).says(&["1 of 4 rollouts are missing", "hint: finish the run"]);
    let statistics = statistics(&folder, &["--inputs", "inputs.jsonl", "--allow-partial"]);
    let agent = &statistics["agents"]["agent"];
    let metrics = &agent["agent_metrics"];
    assert_eq!(
        (&metrics["mean/input_tokens"], &metrics["std/input_tokens"]),
        (&json!(7.0), &json!(2.0))
    );
    assert_eq!(metrics["std/flag"], 0.0);
    let completion = &agent["completion"];
    assert_eq!((&completion["missing"], &completion["partial_tasks"]), (&json!(1), &json!(1)));

    folder.write("run.jsonl", &lines(&[result(0, 0, 1.0, 5), result(7, 0, 1.0, 5)]));
    let foreign = folder.run(&["profile", "run.jsonl", "--inputs", "inputs.jsonl"]);
    foreign.exits_with(1).says(&["1 rollouts have no line in `inputs.jsonl`: 7:0"]);
}

#[test]
fn two_runs_differ_by_more_than_noise_or_do_not() {
    let folder = Folder::new();
    let run = |reward: &dyn Fn(u32) -> f64| -> String {
        (0..12)
            .flat_map(|task| (0..2).map(move |repeat| (task, repeat)))
            .map(|(task, repeat)| line(task, repeat, reward(task), None))
            .collect()
    };
    folder.write("before.jsonl", &run(&|task| f64::from(task % 2)));
    folder.write("run.jsonl", &run(&|_| 1.0));
    folder.write("other.jsonl", &run(&|task| f64::from((task + task / 6) % 2)));
    let better = statistics(&folder, &["--against", "before.jsonl"]);
    let compared = &better["comparison"]["agents"]["solver"];
    assert_eq!((&compared["better"], &compared["worse"]), (&json!(6), &json!(0)));
    assert!(compared["p_value"].as_f64().unwrap() < 0.05);
    assert_eq!(compared["changes"].as_array().unwrap().len(), 6);
    let text = folder.run(&["profile", "run.jsonl", "--against", "before.jsonl"]);
    assert!(text.exits_with(0).stdout.contains("the difference is more than noise"));
    let noise = folder.run(&["profile", "other.jsonl", "--against", "before.jsonl"]);
    assert!(noise.exits_with(0).stdout.contains("the difference is not more than noise"));
}

#[test]
fn a_report_is_one_file_that_needs_no_other() {
    let folder = folder();
    folder.write("before.jsonl", &folder.read("run.jsonl"));
    folder
        .run(&["profile", "run.jsonl", "--against", "before.jsonl", "--report", "out/report.html"])
        .exits_with(0);
    let page = folder.read("out/report.html");
    for part in
        ["Rewards", "Pass rates", "Length against reward", "Rate over time", "<svg", "Compared"]
    {
        assert!(page.contains(part), "no `{part}`");
    }
    assert_eq!(page.matches("<svg").count(), 4);
    let outside = ["http://", "https://", "src=", "@import", "<script"];
    let namespace = "http://www.w3.org/2000/svg";
    let page = page.replace(namespace, "");
    assert!(!outside.iter().any(|part| page.contains(part)));
}

#[test]
fn bad_input_is_named_and_no_reward() {
    let folder = folder();
    let text = folder.read("run.jsonl");
    folder.write("run.jsonl", &format!("{text}nonsense\n{{\"reward\":1}}\n"));
    let ended = folder.run(&["profile", "run.jsonl"]);
    ended.exits_with(3).says(&[
        "`run.jsonl` line 13: not a JSON object",
        "`run.jsonl` line 14: it has no `response`; it is left out",
    ]);
    assert!(ended.stdout.starts_with("solver: 12 rollouts"));
    folder.write("twice.jsonl", &format!("{text}{text}"));
    folder
        .run(&["profile", "twice.jsonl"])
        .exits_with(1)
        .says(&["repeat 0 of task `solver/data/0` stands twice", "compare two with `--against`"]);
    folder.run(&["profile", "run.jsonl", "--by", "colour"]).exits_with(1).says(&["`colour`"]);
    folder.run(&["profile", "none.jsonl"]).exits_with(1).says(&["cannot read `none.jsonl`"]);
    folder.write("empty.jsonl", "\n");
    folder.run(&["profile", "empty.jsonl"]).exits_with(1).says(&["no rollouts in `empty.jsonl`"]);
}
