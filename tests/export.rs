//! `rehearsal export`: what trainers get of recorded rollouts, and that it can be read again.

use serde_json::{Value, json};

use crate::support::command::{Ended, Folder};

/// A rollout with a tool call, reasoning and tokens.
fn rollout(task: u32, repeat: u32, reward: f64) -> Value {
    let call = json!({ "type": "function_call", "id": "c1", "call_id": "c1", "name": "increment_counter",
        "arguments": "{\"count\": 1}" });
    let said = json!({ "type": "message", "id": "m1", "role": "assistant", "status": "completed",
        "content": [{ "type": "output_text", "text": format!("It is {repeat}."), "annotations": [] }],
        "prompt_token_ids": [1, 2, 3], "generation_token_ids": [4, 5], "generation_log_probs": [-0.5, -0.25] });
    json!({
        "responses_create_params": {
            "input": [{ "role": "developer", "content": "Count." }, { "role": "user", "content": format!("Add {task}.") }],
            "tools": [{ "type": "function", "name": "increment_counter", "parameters": { "type": "object" }, "strict": true }],
        },
        "initial_count": 0,
        "expected_count": task,
        "response": { "id": "r", "output": [
            { "type": "reasoning", "id": "r1", "summary": [{ "type": "summary_text", "text": "One more." }] },
            call,
            { "type": "function_call_output", "call_id": "c1", "output": "{\"success\":true}" },
            said,
        ] },
        "reward": reward,
        "rehearsal": { "task": format!("solver/tasks/{task}"), "repeat": repeat, "agent": "solver",
            "environment": "counter", "outcome": "scored" },
    })
}

/// Three tasks with four rollouts each, a round of all tasks after the other: of the first all are right,
/// of the second half, of the third one is half right.
fn folder() -> Folder {
    let folder = Folder::new();
    let rewards = [[1.0; 4], [0.0, 1.0, 0.0, 1.0], [0.0, 0.0, 0.5, 0.0]];
    let rounds = (0..4).flat_map(|repeat| (0..3).map(move |task| (task, repeat)));
    let lines = rounds.map(|(task, repeat)| {
        format!("{}\n", rollout(task, repeat, rewards[task as usize][repeat as usize]))
    });
    folder.write("rollouts.jsonl", &lines.collect::<String>());
    folder
}

fn export(folder: &Folder, what: &str, more: &[&str]) -> Ended {
    let arguments =
        ["export", what, "rollouts.jsonl", "--output", "out/examples.jsonl", "--overwrite"];
    folder.run(&[&arguments[..], more].concat())
}

fn values(folder: &Folder, name: &str) -> Vec<Value> {
    folder.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn successful_rollouts_are_chats_with_their_calls_tools_and_tokens() {
    let folder = folder();
    let ended = export(&folder, "sft", &["--json"]);
    ended
        .exits_with(0)
        .says(&["out/examples.jsonl: 6 examples from 12 rollouts; 6 passed over, 0 left out"]);
    let summary: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(summary["examples"], 6);
    let examples = values(&folder, "out/examples.jsonl");
    let expected = json!({
        "messages": [
            { "role": "developer", "content": "Count." },
            { "role": "user", "content": "Add 0." },
            { "role": "assistant", "content": "", "reasoning_content": "One more.", "tool_calls": [
                { "id": "c1", "type": "function",
                    "function": { "name": "increment_counter", "arguments": "{\"count\": 1}" } } ] },
            { "role": "tool", "tool_call_id": "c1", "content": "{\"success\":true}" },
            { "role": "assistant", "content": "It is 0.", "prompt_token_ids": [1, 2, 3],
                "generation_token_ids": [4, 5], "generation_log_probs": [-0.5, -0.25] },
        ],
        "tools": [{ "type": "function", "function": { "name": "increment_counter", "parameters": { "type": "object" } } }],
        "reward": 1.0, "task": "solver/tasks/0", "agent": "solver", "repeat": 0,
    });
    assert_eq!(examples[0], expected);
    let tasks: Vec<_> = examples.iter().map(|example| example["task"].as_str().unwrap()).collect();
    let [zero, one] = ["solver/tasks/0", "solver/tasks/1"];
    assert_eq!(tasks, [zero, zero, one, zero, zero, one], "in the order of the rollouts");
}

#[test]
fn what_counts_as_success_and_what_is_kept_can_be_said() {
    let folder = folder();
    export(&folder, "sft", &["--min-reward", "0.5", "--reasoning", "think", "--no-tokens"])
        .exits_with(0);
    let examples = values(&folder, "out/examples.jsonl");
    assert_eq!(examples.len(), 7);
    let messages = &examples[0]["messages"];
    assert_eq!(messages[2]["content"], "<think>One more.</think>");
    assert!(messages[4].get("generation_token_ids").is_none());
    export(&folder, "sft", &["--reasoning", "drop", "--shape", "prompt-completion", "--with-task"])
        .exits_with(0);
    let example = &values(&folder, "out/examples.jsonl")[0];
    assert_eq!(
        (
            example["prompt"].as_array().unwrap().len(),
            example["completion"].as_array().unwrap().len()
        ),
        (2, 3)
    );
    assert!(example["completion"][0].get("reasoning_content").is_none());
    assert_eq!((&example["expected_count"], example.get("response")), (&json!(0), None));
    export(&folder, "sft", &["--min-reward", "-1"]).exits_with(0);
    assert_eq!(values(&folder, "out/examples.jsonl").len(), 12);
    export(&folder, "sft", &["--min-reward", "NaN"])
        .exits_with(1)
        .says(&["`--min-reward` must be a number"]);
}

#[test]
fn pairs_are_of_one_task_with_a_gap_and_always_the_same() {
    let folder = folder();
    export(&folder, "dpo", &[]).exits_with(0).says(&["2 examples from 12 rollouts of 3 tasks"]);
    let pairs = values(&folder, "out/examples.jsonl");
    assert_eq!(
        (&pairs[0]["task"], &pairs[1]["task"]),
        (&json!("solver/tasks/1"), &json!("solver/tasks/2"))
    );
    let first = &pairs[0];
    assert_eq!((&first["chosen_reward"], &first["rejected_reward"]), (&json!(1.0), &json!(0.0)));
    assert_eq!(first["prompt"][1], json!({ "role": "user", "content": "Add 1." }));
    assert_eq!(first["chosen"][2]["content"], "It is 1.");
    assert_eq!(first["chosen"][2]["generation_token_ids"], json!([4, 5]));
    assert_eq!(first["rejected"].as_array().unwrap().len(), 3);
    assert_eq!(first["tools"][0]["function"]["name"], "increment_counter");
    let before = folder.read("out/examples.jsonl");
    export(&folder, "dpo", &[]).exits_with(0);
    assert_eq!(folder.read("out/examples.jsonl"), before);

    export(&folder, "dpo", &["--gap", "0.75", "--pairs-per-task", "4"]).exits_with(0);
    let pairs = values(&folder, "out/examples.jsonl");
    assert_eq!(pairs.len(), 4, "two right ones and two wrong ones");
    let halves = |pair: &Value| {
        (pair["chosen"][2]["content"].to_string(), pair["rejected"][2]["content"].to_string())
    };
    let all: std::collections::BTreeSet<_> = pairs.iter().map(halves).collect();
    assert_eq!(all.len(), 4, "each pair once");
    let (first, second) = (halves(&pairs[0]), halves(&pairs[1]));
    assert!(first.0 != second.0 && first.1 != second.1, "each rollout once before any twice");
    export(&folder, "dpo", &["--gap", "0"]).exits_with(1).says(&["`--gap` must be above 0"]);
    folder
        .run(&["export", "dpo", "rollouts.jsonl", "--output", "x.jsonl", "--pairs-per-task", "0"])
        .exits_with(2);
}

#[test]
fn rollouts_that_say_the_same_or_were_asked_something_else_are_no_pair() {
    let folder = Folder::new();
    let mut same = rollout(1, 0, 1.0);
    let wrong = rollout(1, 0, 0.0);
    same["rehearsal"]["repeat"] = json!(1);
    let mut other = rollout(2, 2, 0.0);
    other["rehearsal"]["task"] = json!("solver/tasks/1");
    let rollouts = [same, wrong, other];
    folder.write("rollouts.jsonl", &rollouts.map(|rollout| format!("{rollout}\n")).concat());
    export(&folder, "dpo", &["--pairs-per-task", "9"])
        .exits_with(0)
        .says(&["0 examples from 3 rollouts"]);
}

#[test]
fn rollouts_of_nemo_gym_are_told_apart_by_their_index_or_their_question() {
    let folder = folder();
    let rollouts = values(&folder, "rollouts.jsonl").into_iter().map(|mut rollout| {
        rollout.as_object_mut().unwrap().remove("rehearsal");
        rollout
    });
    let plain: Vec<Value> = rollouts.collect();
    folder.write("rollouts.jsonl", &plain.iter().map(|it| format!("{it}\n")).collect::<String>());
    export(&folder, "dpo", &[]).exits_with(0).says(&["2 examples from 12 rollouts of 3 tasks"]);
    assert!(values(&folder, "out/examples.jsonl")[0].get("task").is_none());
    let indexed = plain.into_iter().map(|mut rollout| {
        rollout["_ng_task_index"] = rollout["expected_count"].clone();
        rollout["agent_ref"] = json!({ "name": "theirs" });
        format!("{rollout}\n")
    });
    folder.write("rollouts.jsonl", &indexed.collect::<String>());
    export(&folder, "dpo", &[]).exits_with(0);
    let first = &values(&folder, "out/examples.jsonl")[0];
    assert_eq!((&first["task"], &first["agent"]), (&json!("1"), &json!("theirs")));
}

#[test]
fn bad_lines_are_named_and_truncated_rollouts_wait_to_be_asked_for() {
    let folder = folder();
    let mut truncated = rollout(7, 0, 1.0);
    truncated["rehearsal"]["outcome"] = json!("truncated");
    let mut hosted = rollout(8, 0, 1.0);
    hosted["response"]["output"] = json!([{ "type": "web_search_call", "id": "w" }]);
    let lines = format!("{truncated}\noops\n{{\"reward\":1}}\n{hosted}\n");
    folder.write("rollouts.jsonl", &lines);
    export(&folder, "sft", &[]).exits_with(3).says(&[
        "`rollouts.jsonl` line 2: ",
        "`rollouts.jsonl` line 3: it has no `response`",
        "`rollouts.jsonl` line 4: ",
        "`web_search_call`",
        "0 examples from 1 rollouts; 1 passed over, 3 left out",
    ]);
    export(&folder, "sft", &["--truncated"]).exits_with(3);
    assert_eq!(values(&folder, "out/examples.jsonl").len(), 1);
}

#[test]
fn outputs_are_kept_unless_told_and_inputs_always() {
    let folder = folder();
    folder.write("out/examples.jsonl", "precious");
    let plain = ["export", "sft", "rollouts.jsonl", "--output", "out/examples.jsonl"];
    folder.run(&plain).exits_with(1).says(&["`out/examples.jsonl` exists already", "--overwrite"]);
    assert_eq!(folder.read("out/examples.jsonl"), "precious");
    let onto = ["export", "sft", "rollouts.jsonl", "--output", "rollouts.jsonl", "--overwrite"];
    folder.run(&onto).exits_with(1).says(&["`rollouts.jsonl` is read, and would be replaced"]);
    let none = ["export", "dpo", "none.jsonl", "--output", "x.jsonl"];
    folder.run(&none).exits_with(1).says(&["cannot read `none.jsonl`", "hint: "]);
    assert!(!folder.path("x.jsonl").exists() && !folder.path(".x.jsonl.partial").exists());
}

#[test]
fn exports_are_written_in_every_format_and_read_as_tasks_again() {
    let folder = folder();
    folder.write(
        "config.yaml",
        r#"
models: { policy: { kind: scripted, settings: { rules: [{ say: Done. }] } } }
environments: { counter: { kind: stateful_counter } }
agents:
  solver: { kind: tool_loop, environment: counter, model: policy }
"#,
    );
    let tool = json!([{ "type": "function", "name": "increment_counter", "parameters": { "type": "object" }, "strict": false }]);
    for (what, ending) in
        [("sft", "jsonl"), ("sft", "jsonl.zst"), ("sft", "parquet"), ("dpo", "parquet")]
    {
        let output = format!("out/{what}.{ending}");
        folder
            .run(&["export", what, "rollouts.jsonl", "--output", &output, "--with-task"])
            .exits_with(0);
        let set = format!("agents.solver.datasets=[{{ name: d, type: train, path: {output} }}]");
        let ended = folder.run(&[
            "prepare",
            "--config",
            "config.yaml",
            "--output",
            "tasks",
            "--set",
            &set,
            "--no-dataset-metrics",
            "--overwrite-metrics",
        ]);
        ended.exits_with(0);
        let row = &values(&folder, "tasks/train.jsonl")[0];
        let params = &row["responses_create_params"];
        let asked = if what == "sft" { "Add 0." } else { "Add 1." };
        assert_eq!(params["input"][1]["content"], asked, "{what} {ending}");
        assert_eq!((&params["tools"], &row["initial_count"]), (&tool, &json!(0)));
        for answer in ["messages", "chosen", "rejected", "reward"] {
            assert!(row.get(answer).is_none(), "{answer} is no part of a task");
        }
    }
    let compressed = ["export", "dpo", "out/sft.jsonl.zst", "--output", "x.jsonl"];
    folder.run(&compressed).exits_with(1).says(&["is compressed", "hint: give the JSONL file"]);
}
