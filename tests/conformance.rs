//! NeMo Gym's own recorded rollouts, replayed: every reward, every extra of a verifier and every tool
//! output comes out as it was recorded.
//!
//! The recordings are not part of the repository; without them the tests say so in one line. They
//! are not the answers to the tasks that stand beside them, so targets are derived from the prompts.

mod coding;
mod judge;
pub(crate) mod mathematics;
mod search;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::command::Folder;

/// The recorded rollouts of a kind of environment.
pub(crate) fn recording(kind: &str) -> Option<PathBuf> {
    recording_file(kind, "rollouts.jsonl")
}

#[expect(clippy::print_stdout, reason = "who runs the tests is to read that one was skipped")]
fn recording_file(kind: &str, file: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/conformance");
    let path = folder.join(kind).join(file);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: there are no recorded rollouts of {kind}");
    None
}

pub(crate) fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn prompt(record: &Value) -> &str {
    let input = &record["responses_create_params"]["input"];
    if let Some(text) = input.as_str() {
        return text;
    }
    input.as_array().unwrap().last().unwrap()["content"].as_str().unwrap()
}

/// What the row of a record says beside its prompt.
pub(crate) fn target(kind: &str, record: &Value) -> Value {
    let prompt = prompt(record);
    match kind {
        // Its records repeat what the row said.
        "instruction_following" => {
            let keys = ["instruction_id_list", "kwargs", "prompt"];
            keys.into_iter().map(|key| (key.to_owned(), record[key].clone())).collect()
        }
        "mcqa" => questions::target(prompt, record),
        "stateful_counter" => {
            let numbers: Vec<i64> =
                prompt.split(' ').filter_map(|word| word.parse().ok()).collect();
            let initial = numbers[1] + 1;
            let expected = initial + numbers.iter().sum::<i64>();
            json!({ "initial_count": initial, "expected_count": expected })
        }
        "multineedle" => json!({
            "id": 0,
            "expected_synonyms": ["Blazing", "Warm"],
            "expected_synonym_values": [711, 407],
            "minefield_label": "Hot",
            "minefield_label_value": 299,
        }),
        "multiverse_math_hard" => {
            // In that universe sin is the cosine, a sum is 1.2 too large, an exponent 2.
            let truth = if prompt.contains("sin(4.0)") {
                4.0_f64.cos()
            } else if prompt.contains("8.0 ** 8.0") {
                8.0_f64.powf(10.0)
            } else {
                6.0 + 10.0 + 1.2
            };
            json!({ "id": 0, "ground_truth": format!("[{truth:?}]"), "depth": 1, "breadth": 1 })
        }
        "structured_outputs" => schemas::target(prompt),
        "workbench" => offices::target(prompt),
        _ => json!({}),
    }
}

/// What the rows of multiple-choice questions say, as far as prompt and record tell.
mod questions {
    use serde_json::{Value, json};

    pub(super) fn target(prompt: &str, record: &Value) -> Value {
        let options = prompt.lines().filter_map(|line| {
            let (letter, text) = line.split_once(": ")?;
            let is_letter = letter.len() == 1 && letter.chars().all(|c| c.is_ascii_uppercase());
            is_letter.then(|| json!({ letter: text }))
        });
        let options: Vec<_> = options.collect();
        let expected = &record["expected_answer"];
        let mut target = json!({ "options": options, "expected_answer": expected });
        let templates = [
            ("Final Choice: X", r"Final Choice:\s*([A-Za-z])\s*"),
            ("Answer: A/B/C/D", r"Answer\s*:\s*(?!Answer)\s*([A-Za-z])\s*"),
            (r"\boxed{{A/B", r"\\boxed\{\s*([A-Za-z])\s*\}"),
        ];
        if let Some((_, regex)) = templates.iter().find(|(text, _)| prompt.contains(text)) {
            target["template_metadata"] = json!({ "output_regex": regex });
        }
        target
    }
}

/// What the rows of the office ask for.
mod offices {
    use serde_json::{Value, json};

    pub(super) fn target(prompt: &str) -> Value {
        let call = |name: &str, arguments: Value| json!([{ "name": name, "arguments": arguments.to_string() }]);
        let truth = if prompt.starts_with("Create a bar chart of total visits since November 30") {
            let (day, value) = ("2023-11-30", "total_visits");
            let plot = json!({
                "time_min": day, "time_max": day, "value_to_plot": value, "plot_type": "bar"
            });
            call("analytics_create_plot", plot)
        } else if prompt.starts_with("Delete Casey Wilson") {
            let id = json!({ "customer_id": "00000014" });
            call("customer_relationship_manager_delete_customer", id)
        } else {
            json!([])
        };
        let name = "workbench";
        json!({ "id": 0, "ground_truth": truth, "category": "", "environment_name": name })
    }
}

/// The `settings:` with which a kind is like the one that was recorded.
fn settings(kind: &str, recording: &Path) -> Value {
    match kind {
        "workbench" => json!({ "data_dir": recording.parent().unwrap().join("tables") }),
        _ => json!({}),
    }
}

/// The schemas that rows show in their prompts: the properties of an object.
mod schemas {
    use serde_json::{Value, json};

    pub(super) fn target(prompt: &str) -> Value {
        let shown = &prompt[prompt.find("{\"").unwrap()..];
        let mut values = serde_json::Deserializer::from_str(shown).into_iter::<Value>();
        let properties = values.next().unwrap().unwrap();
        let schema = json!({ "type": "object", "properties": properties });
        json!({ "schema_str": schema.to_string(), "schema_type": "json" })
    }
}

/// A folder in which the recorded rollouts are both the dataset and what the model says.
fn folder(kind: &str, recording: &Path) -> Folder {
    let folder = Folder::new();
    let rows = lines(recording).into_iter().map(|record| {
        let mut row = target(kind, &record);
        row["responses_create_params"] = record["responses_create_params"].clone();
        format!("{row}\n")
    });
    folder.write("tasks.jsonl", &rows.collect::<String>());
    let settings = settings(kind, recording);
    let yaml = format!(
        "models: {{ policy: {{ kind: replay, settings: {{ path: '{}' }} }} }}
environments: {{ world: {{ kind: {kind}, settings: {settings} }} }}
agents:
  solver:
    kind: tool_loop
    environment: world
    model: policy
    datasets: [{{ name: recorded, type: example, path: tasks.jsonl }}]
collect: {{ output: out.jsonl, max_in_flight: 1 }}
",
        recording.display()
    );
    folder.write("config.yaml", &yaml);
    folder
}

/// Extras that NeMo Gym's present release has, and the one that recorded had not.
const NEWER: [&str; 2] = ["error_type", "error_message"];

/// A record without what is no part of the verdict, and with the output's values instead of texts.
fn comparable(record: &Value) -> Value {
    let mut record = record.clone();
    let output = record["response"]["output"].take();
    let fields = record.as_object_mut().unwrap();
    fields.retain(|key, _| {
        !["responses_create_params", "response", "rehearsal"].contains(&key.as_str())
    });
    let item = |item: &Value| match item["type"].as_str() {
        Some("function_call_output") => {
            let text = item["output"].as_str().unwrap();
            json!([item["call_id"], serde_json::from_str::<Value>(text).unwrap_or(text.into())])
        }
        _ => item.clone(),
    };
    record["output"] = output.as_array().unwrap().iter().map(item).collect();
    record
}

fn replays_as_recorded(kind: &str) {
    if let Some(recording) = recording(kind) {
        recording_replays(kind, &recording);
    }
}

fn recording_replays(kind: &str, recording: &Path) {
    let folder = folder(kind, recording);
    folder.run(&["collect", "--config", "config.yaml"]).exits_with(0);
    let mut replayed = lines(&folder.path("out.jsonl"));
    let recorded = lines(recording);
    assert_eq!(replayed.len(), recorded.len());
    replayed.sort_by_key(|record| record["rehearsal"]["task"].to_string());
    for (ours, theirs) in replayed.iter().zip(&recorded) {
        let row = target(kind, theirs);
        let (mut ours, theirs) = (comparable(ours), comparable(theirs));
        // The row's own keys travel along in our records, and an extra may be newer than a recording.
        ours.as_object_mut().unwrap().retain(|key, _| {
            let is_new = row.get(key).is_some() || NEWER.contains(&key.as_str());
            theirs.get(key).is_some() || !is_new
        });
        assert_eq!(ours, theirs, "{kind}");
    }
}

fn verifies_as_recorded(kind: &str) {
    let Some(recording) = recording(kind) else { return };
    let folder = folder(kind, &recording);
    let recorded = recording.to_str().unwrap();
    let arguments = ["verify", "--config", "config.yaml", "--tasks", "tasks.jsonl"];
    let files = ["--rollouts", recorded, "--output", "scored.jsonl"];
    let ended = folder.run(&[&arguments[..], &files].concat());
    ended.exits_with(0).says(&["0 differ from their recorded reward", "0 left out"]);
}

#[test]
fn simple_weather_replays_as_recorded() {
    replays_as_recorded("simple_weather");
}

#[test]
fn stateful_counter_replays_as_recorded() {
    replays_as_recorded("stateful_counter");
}

#[test]
fn multineedle_replays_as_recorded() {
    replays_as_recorded("multineedle");
}

#[test]
fn multiverse_math_hard_replays_as_recorded() {
    replays_as_recorded("multiverse_math_hard");
}

#[test]
fn instruction_following_replays_as_recorded() {
    replays_as_recorded("instruction_following");
}

#[test]
fn mcqa_replays_as_recorded() {
    for file in ["rollouts.jsonl", "rollouts_template.jsonl"] {
        if let Some(recording) = recording_file("mcqa", file) {
            recording_replays("mcqa", &recording);
        }
    }
}

#[test]
fn structured_outputs_replays_as_recorded() {
    replays_as_recorded("structured_outputs");
}

#[test]
fn workbench_replays_as_recorded() {
    replays_as_recorded("workbench");
}

/// The datasets of NeMo Gym run, and their own reference calls earn 1.
#[test]
fn workbench_solves_its_dataset_by_the_reference_calls() {
    let Some(tasks) = recording_file("workbench", "tasks.jsonl") else { return };
    let folder = Folder::new();
    let gold = lines(&tasks).into_iter().map(|row| {
        let call = |(index, call): (usize, &Value)| {
            let (name, arguments) = (&call["name"], &call["arguments"]);
            let id = format!("call_{index}");
            json!([{ "type": "function_call", "call_id": id, "name": name, "arguments": arguments }])
        };
        let truth = row["ground_truth"].as_array().unwrap();
        let mut turns: Vec<_> = truth.iter().enumerate().map(call).collect();
        let text = json!([{ "type": "output_text", "text": "Done.", "annotations": [] }]);
        turns.push(json!([{ "type": "message", "id": "m", "role": "assistant", "content": text }]));
        format!("{}\n", json!({ "turns": turns }))
    });
    folder.write("gold.jsonl", &gold.collect::<String>());
    let yaml = format!(
        "models: {{ policy: {{ kind: replay, settings: {{ path: gold.jsonl, match: order }} }} }}
environments: {{ world: {{ kind: workbench, settings: {} }} }}
agents:
  solver:
    kind: tool_loop
    environment: world
    model: policy
    datasets: [{{ name: recorded, type: example, path: '{}' }}]
collect: {{ output: out.jsonl }}
",
        settings("workbench", &tasks),
        tasks.display()
    );
    folder.write("config.yaml", &yaml);
    folder.run(&["collect", "--config", "config.yaml"]).exits_with(0);
    let records = lines(&folder.path("out.jsonl"));
    assert_eq!(records.len(), lines(&tasks).len());
    for record in records {
        assert_eq!(record["reward"], 1.0, "{record}");
    }
}

/// Our tools have the names and the arguments of those that NeMo Gym's datasets offer.
#[test]
fn workbench_has_the_tools_that_its_dataset_offers() {
    let Some(tasks) = recording_file("workbench", "tasks.jsonl") else { return };
    let shape = |tool: &Value| {
        let kind = |(name, schema): (&String, &Value)| (name.clone(), schema["type"].clone());
        let properties = tool["parameters"]["properties"].as_object().unwrap();
        let properties: Vec<_> = properties.iter().map(kind).collect();
        let (name, required) = (tool["name"].clone(), tool["parameters"]["required"].clone());
        (name, required, tool["strict"].clone(), properties)
    };
    let ours = rehearsal::kinds().tools("workbench").unwrap();
    let ours: Vec<Value> = serde_json::from_str(ours.get()).unwrap();
    for row in lines(&tasks) {
        let theirs = row["responses_create_params"]["tools"].as_array().unwrap();
        assert!(theirs.iter().map(shape).eq(ours.iter().map(shape)));
    }
}

#[test]
fn recorded_rewards_are_verified_again() {
    for kind in [
        "simple_weather",
        "stateful_counter",
        "multineedle",
        "multiverse_math_hard",
        "mcqa",
        "instruction_following",
        "structured_outputs",
        "workbench",
    ] {
        verifies_as_recorded(kind);
    }
}
