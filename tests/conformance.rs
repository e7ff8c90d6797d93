//! NeMo Gym's own recorded rollouts, replayed: every reward, every extra of a verifier and every tool
//! output comes out as it was recorded.
//!
//! The recordings are not part of the repository; without them the tests say so in one line. They
//! are not the answers to the tasks that stand beside them, so targets are derived from the prompts.

mod judge;
mod mathematics;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::command::Folder;

/// The recorded rollouts of a kind of environment.
fn recording(kind: &str) -> Option<PathBuf> {
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

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn prompt(record: &Value) -> &str {
    let input = &record["responses_create_params"]["input"];
    input.as_array().unwrap().last().unwrap()["content"].as_str().unwrap()
}

/// What the row of a record says beside its prompt.
fn target(kind: &str, record: &Value) -> Value {
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
    let yaml = format!(
        "models: {{ policy: {{ kind: replay, settings: {{ path: '{}' }} }} }}
environments: {{ world: {{ kind: {kind} }} }}
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
fn recorded_rewards_are_verified_again() {
    for kind in [
        "simple_weather",
        "stateful_counter",
        "multineedle",
        "multiverse_math_hard",
        "mcqa",
        "instruction_following",
        "structured_outputs",
    ] {
        verifies_as_recorded(kind);
    }
}
