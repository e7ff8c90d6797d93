//! Which lines are tasks, and what is said about those that are none.

use serde_json::{Value, json};

use super::{folder, lines, prepare, task, tasks, value, values};
use crate::support::command::Folder;

/// Lines of which the second, fourth and last three are no tasks of the counter.
fn write_malformed(folder: &Folder) {
    let mut lacks_target = task(3);
    lacks_target.as_object_mut().unwrap().remove("expected_count");
    let mut wrong_target = task(5);
    wrong_target["expected_count"] = json!([5]);
    let mut unknown_field = task(6);
    unknown_field["responses_create_params"]["temprature"] = json!(1);
    let text = [
        task(0).to_string(),
        "some non json str".to_owned(),
        task(2).to_string(),
        lacks_target.to_string(),
        String::new(),
        wrong_target.to_string(),
        unknown_field.to_string(),
        r#"{"some irrelevant key": 2}"#.to_owned(),
    ];
    folder.write("data/first.jsonl", &text.join("\n"));
}

#[test]
fn every_line_that_is_no_task_is_reported_listed_and_left_out() {
    let folder = folder();
    write_malformed(&folder);
    let ended = prepare(&folder, &[]);
    ended.exits_with(3).says(&[
        "`data/first.jsonl` line 2: not a JSON object",
        "`data/first.jsonl` line 4: ",
        "`data/first.jsonl` line 6: ",
        "line 7: `responses_create_params`: unknown field `temprature`; did you mean `temperature`?",
        "line 8: `responses_create_params` is missing",
        "out/train.jsonl: 6 rows of 4 tasks",
        "out/train_rejected.jsonl: 5 lines were left out",
    ]);
    assert_eq!(tasks(&values(&folder, "out/train.jsonl")), [0, 0, 2, 2, 10, 11]);
    let listed = values(&folder, "out/train_rejected.jsonl");
    let places: Vec<_> = listed.iter().map(|it| it["line"].as_u64().unwrap()).collect();
    assert_eq!(places, [2, 4, 6, 7, 8]);
    assert!(listed[1]["reason"].as_str().unwrap().contains("expected_count"), "{}", listed[1]);
    assert!(listed[2]["reason"].as_str().unwrap().contains("expected_count"), "{}", listed[2]);
    assert_eq!(
        (&listed[0]["text"], &listed[0]["row"]),
        (&json!("some non json str"), &Value::Null)
    );
    assert_eq!(listed[4]["row"], json!({ "some irrelevant key": 2 }));
    assert_eq!(
        (&listed[0]["file"], &listed[0]["agent"], &listed[0]["dataset"]),
        (&json!("data/first.jsonl"), &json!("solver"), &json!("first"))
    );

    folder.write("data/first.jsonl", &lines((0..4).map(task)));
    prepare(&folder, &["--overwrite-metrics"]).exits_with(0);
    assert!(!folder.path("out/train_rejected.jsonl").exists(), "an old list is no list of now");
}

#[test]
fn strict_fails_and_writes_nothing_but_the_list() {
    let folder = folder();
    prepare(&folder, &["--strict"]).exits_with(0);
    let before = folder.read("out/train.jsonl");
    write_malformed(&folder);
    prepare(&folder, &["--strict"]).exits_with(1).says(&[
        "error: 5 of 11 rows are malformed; they are listed in `out/train_rejected.jsonl`",
        "hint: mend them",
    ]);
    assert_eq!(folder.read("out/train.jsonl"), before);
    assert_eq!(values(&folder, "out/train_rejected.jsonl").len(), 5);
    assert_eq!(value(&folder, "data/first_metrics.json")["Number of examples"], 8);
}

#[test]
fn of_many_malformed_lines_the_first_are_reported_and_all_are_listed() {
    let folder = folder();
    folder.write("data/first.jsonl", &format!("{}{}", "oops\n".repeat(3_000), task(1)));
    let ended = prepare(&folder, &[]);
    ended.exits_with(3).says(&["line 20: ", "further lines that are left out are only listed"]);
    assert_eq!(ended.stderr.matches("not a JSON object").count(), 20);
    let listed = values(&folder, "out/train_rejected.jsonl");
    assert_eq!((listed.len(), &listed[2_999]["line"]), (3_000, &json!(3_000)));
}

#[test]
fn rows_that_nemo_gym_would_refuse_are_noted_or_left_out() {
    let folder = folder();
    let mut row = task(1);
    row["responses_create_params"]["tools"] =
        json!([{ "type": "function", "name": "increment_counter", "parameters": {} }]);
    folder.write("data/second.jsonl", &lines([task(0), row]));
    let note = "NeMo Gym would refuse 1 of them, such as `data/second.jsonl` line 2: `tools[0]`: `strict` is missing";
    prepare(&folder, &[]).exits_with(0).says(&[note]);
    let ended = prepare(&folder, &["--nemo-gym", "--overwrite-metrics"]);
    ended.exits_with(3).says(&["line 2: NeMo Gym refuses it: `tools[0]`: `strict` is missing"]);
    assert_eq!(tasks(&values(&folder, "out/train.jsonl")), [0, 0, 1, 1, 2, 2, 3, 3, 0]);
}

#[test]
fn prompts_are_rendered_from_fields_and_what_a_row_lacks_is_named() {
    let folder = folder();
    let question = |text: &str, level: u32| {
        json!({ "question": text, "level": level, "initial_count": 0,
        "expected_count": level, "responses_create_params": { "temperature": 0.5 } })
    };
    let mut lacks = question("?", 2);
    lacks.as_object_mut().unwrap().remove("question");
    folder.write("data/first.jsonl", &lines([question("Add \"1\".", 1), lacks, task(3)]));
    folder.write("prompt.jinja", "Task {{ level }}: {{ question }}\n");
    let prompt =
        r#"agents.solver.datasets.0.prompt={ system: "Level {{ level }}", file: prompt.jinja }"#;
    let ended = prepare(&folder, &["--set", prompt]);
    ended.exits_with(3).says(&[
        "line 2: the prompt template needs `question`, which the row lacks; it has `level`, `initial_count`",
        "line 3: `responses_create_params.input` is there already",
    ]);
    let first = &values(&folder, "out/train.jsonl")[0];
    let input = json!([{ "content": "Level 1", "role": "system" },
        { "content": "Task 1: Add \"1\".", "role": "user" }]);
    assert_eq!(first["responses_create_params"], json!({ "temperature": 0.5, "input": input }));

    let collect = ["--set", prompt, "--set", "collect={ dataset: first, output: rollouts.jsonl }"];
    let ended = folder.run(&[&["collect", "--config", "config.yaml"], &collect[..]].concat());
    ended.exits_with(3).says(&["`data/first.jsonl` line 2: the prompt template needs `question`"]);
    let rollouts = values(&folder, "rollouts.jsonl");
    assert_eq!(rollouts.len(), 2);
    assert_eq!(rollouts[0]["responses_create_params"]["input"], input);

    let broken = "agents.solver.datasets.0.prompt={ user: '{{ question' }";
    let ended = prepare(&folder, &["--set", broken]);
    ended
        .exits_with(1)
        .says(&["dataset `first` of agent `solver`: the prompt template is malformed"]);
}

#[test]
fn recorded_rollouts_serve_as_tasks_without_what_was_recorded() {
    let folder = folder();
    let mut rollout = task(1);
    rollout["response"] = json!({ "id": "r", "output": [] });
    rollout["reward"] = json!(1.0);
    rollout["rehearsal"] = json!({ "task": "x" });
    rollout["agent_ref"] = json!({ "type": "responses_api_agents", "name": "somebody_else" });
    folder.write("data/second.jsonl", &lines([rollout]));
    prepare(&folder, &[]).exits_with(0);
    let mut expected = task(1);
    expected["agent_ref"] = json!({ "type": "responses_api_agents", "name": "solver" });
    assert_eq!(values(&folder, "out/train.jsonl")[8], expected);
}

#[test]
fn what_cannot_be_prepared_is_named_with_what_to_do() {
    let folder = folder();
    let fails = |more: &[&str], texts: &[&str]| {
        prepare(&folder, more).exits_with(1).says(texts);
    };
    fails(
        &["--agent", "solvr"],
        &["there is no agent `solvr`; there are `solver`", "hint: `--agent`"],
    );
    let nothing = "agents.solver.datasets=[]";
    fails(
        &["--set", nothing],
        &["no agent has a dataset of type `train` or `validation`", "--mode example"],
    );
    fails(
        &["--set", "environments.counter.kind=conter"],
        &["environment `counter`, of unknown kind `conter`", "hint: `rehearsal kinds`"],
    );
    fails(&["--set", "agents.solver.environment=none"], &["`none`, which does not exist"]);
    let missing = "agents.solver.datasets.1.path=data/none.jsonl";
    fails(&["--set", missing], &["datasets are missing: `data/none.jsonl`", "hint: check each"]);
    let inside = "agents.solver.datasets.1.path=out/train.jsonl";
    prepare(&folder, &[]).exits_with(0);
    fails(&["--set", inside], &["`out/train.jsonl` is read, and would be replaced", "hint: name"]);
    folder.write("data/torn.parquet", "PAR1 and nothing more");
    let torn = "agents.solver.datasets.1.path=data/torn.parquet";
    fails(
        &["--set", torn],
        &[
            "cannot read `data/torn.parquet`: ",
            "hint: it may be damaged, or not what its ending says",
        ],
    );
    folder.write("data/torn.jsonl.zst", "no frame");
    let torn = "agents.solver.datasets.1.path=data/torn.jsonl.zst";
    fails(&["--set", torn], &["cannot read `data/torn.jsonl.zst`: "]);
    folder.write("blocked", "a file");
    let ended = folder.run(&["prepare", "--config", "config.yaml", "--output", "blocked/out"]);
    ended.exits_with(1).says(&["cannot write `blocked/out/train.jsonl`", "hint: "]);
}
