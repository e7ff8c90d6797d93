//! JSONL, compressed JSONL and Parquet, in and out, and trainers' files as tasks.

use serde_json::{Value, json};

use super::{folder, lines, prepare, task, values};
use crate::support::command::Folder;
use rehearsal::framework::rows::RowReader;

/// The rows of a file of any format.
fn rows(folder: &Folder, name: &str) -> Vec<Value> {
    let mut reader = RowReader::open(&folder.path(name)).unwrap();
    let mut rows = Vec::new();
    while reader.advance().unwrap() {
        rows.push(serde_json::from_slice(reader.text()).unwrap());
    }
    rows
}

/// Tasks with everything that a table has to keep.
fn rich(row: u64) -> Value {
    let mut rich = task(row);
    rich["responses_create_params"]["tools"] = json!([{ "type": "function", "name": "f",
        "parameters": { "type": "object", "properties": { "a": { "type": "integer" } } }, "strict": true }]);
    rich["ratio"] = json!(row as f64 / 4.0);
    rich["tags"] = json!(["a", row]);
    rich["meta"] = json!({ "deep": { "x": [1, null, "é\n"] } });
    rich["ok"] = json!(row.is_multiple_of(2));
    rich["mixed"] = if row == 0 { json!("text") } else { json!(row) };
    if row == 1 {
        rich["rare"] = json!("only here");
    }
    rich
}

#[test]
fn rows_survive_every_format_on_the_way_out_and_in() {
    let folder = folder();
    folder.write("data/first.jsonl", &lines((0..4).map(rich)));
    prepare(&folder, &[]).exits_with(0);
    let expected = values(&folder, "out/train.jsonl");
    for format in ["jsonl.zst", "parquet"] {
        prepare(&folder, &["--format", format])
            .exits_with(0)
            .says(&[&format!("out/train.{format}: 10 rows")]);
        assert_eq!(rows(&folder, &format!("out/train.{format}")), expected);
        let once = format!(
            "agents.solver.datasets=[{{ name: again, type: train, path: out/train.{format} }}]"
        );
        let again = folder.run(&[
            "prepare",
            "--config",
            "config.yaml",
            "--output",
            "again",
            "--set",
            &once,
            "--overwrite-metrics",
        ]);
        again.exits_with(0);
        assert_eq!(values(&folder, "again/train.jsonl"), expected, "{format}");
    }
}

#[test]
fn collect_reads_every_format() {
    let folder = folder();
    for format in ["jsonl.zst", "parquet"] {
        prepare(&folder, &["--format", format]).exits_with(0);
        let set = format!(
            "agents.solver.datasets=[{{ name: data, type: train, path: out/train.{format} }}]"
        );
        let ended = folder.run(&[
            "collect",
            "--config",
            "config.yaml",
            "--set",
            &set,
            "--set",
            "collect={ output: rollouts.jsonl }",
            "--overwrite",
        ]);
        ended.exits_with(0);
        let mut found: Vec<_> = values(&folder, "rollouts.jsonl")
            .iter()
            .map(|record| record["expected_count"].as_u64().unwrap())
            .collect();
        found.sort_unstable();
        assert_eq!(found, [0, 0, 1, 1, 2, 2, 3, 3, 10, 11], "{format}");
    }
}

#[test]
fn examples_of_trainers_are_tasks() {
    let folder = folder();
    let chat =
        json!([{ "role": "system", "content": "Count." }, { "role": "user", "content": "Add 1." }]);
    let whole =
        json!([{ "role": "user", "content": "Add 2." }, { "role": "assistant", "content": "3" }]);
    let examples = [
        json!({ "messages": whole, "initial_count": 0, "expected_count": 2 }),
        json!({ "prompt": chat, "chosen": [], "rejected": [], "initial_count": 0, "expected_count": 1 }),
        json!({ "messages": [{ "role": "chef", "content": "" }] }),
    ];
    folder.write("data/second.jsonl", &lines(examples));
    prepare(&folder, &[])
        .exits_with(3)
        .says(&["`data/second.jsonl` line 3: `messages`: `messages[0]`: unknown role `chef`"]);
    let rows = values(&folder, "out/train.jsonl");
    let expected = json!([{ "role": "user", "content": "Add 2.", "type": "message" }]);
    assert_eq!(rows[8]["responses_create_params"]["input"], expected);
    assert_eq!(rows[9]["responses_create_params"]["input"][0]["content"], "Count.");
    assert!(rows[9].get("prompt").is_none() && rows[9].get("chosen").is_none());
}

/// A table that pyarrow made; `nested.py` beside it says how.
#[test]
fn nested_columns_of_other_programs_are_json_without_the_fields_of_other_rows() {
    let folder = folder();
    std::fs::write(folder.path("data/nested.parquet"), include_bytes!("nested.parquet")).unwrap();
    let set = "agents.solver.datasets=[{ name: nested, type: train, path: data/nested.parquet }]";
    prepare(&folder, &["--set", set]).exits_with(0);
    let agent = json!({ "type": "responses_api_agents", "name": "solver" });
    let properties = json!({ "a": { "type": "integer" } });
    let tool = json!({ "type": "function", "name": "f", "strict": true,
        "parameters": { "type": "object", "properties": properties } });
    let input =
        json!([{ "role": "system", "content": "Count." }, { "role": "user", "content": "Add 1." }]);
    let first = json!({
        "responses_create_params": { "input": input, "temperature": 0.5, "tools": [tool] },
        "initial_count": 0, "expected_count": 1, "tags": ["x", null, "y"], "score": 0.25, "small": 0.1,
        "day": "2026-11-27", "at": "2026-11-27 12:30:00.000000 +00:00", "price": "1.50",
        "raw": "text", "bytes": "/wA=", "map": { "a": 1, "b": null }, "agent_ref": agent,
    });
    let input = json!([{ "role": "user", "content": "Add 2." }]);
    let second = json!({
        "responses_create_params": { "input": input, "max_output_tokens": 7 },
        "initial_count": 0, "expected_count": 2, "tags": [], "agent_ref": agent,
    });
    assert_eq!(values(&folder, "out/train.jsonl"), [first, second]);
}
