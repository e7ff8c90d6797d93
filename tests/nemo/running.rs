//! Configurations in NeMo Gym's form, run on its recorded rows: the model is an endpoint that says what was
//! recorded, and every rollout earns what it earned.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::MODEL;
use crate::conformance::{lines, mathematics, recording, target};
use crate::support::command::Folder;

/// What the endpoint knows: the last words of a user, and what is said to them, step by step.
type Script = Vec<(String, Vec<Vec<Value>>)>;

/// An endpoint of Chat Completions; its `base_url`.
fn endpoint(script: Script) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let script = script.clone();
            std::thread::spawn(move || answer(stream, &script));
        }
    });
    url
}

fn answer(mut stream: TcpStream, script: &Script) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line).unwrap_or(0) > 2 {
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let (status, answer) = match completion(&request, script) {
        Some(answer) => (200, answer),
        None => (400, json!({ "error": { "message": "nothing was recorded for this" } })),
    };
    let text = answer.to_string();
    let head =
        format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-type: application/json\r\n");
    // The client may have given up.
    let _ = write!(stream, "{head}content-length: {}\r\n\r\n{text}", text.len());
}

fn text(content: &Value) -> String {
    let parts = content.as_array().into_iter().flatten().filter_map(|part| part["text"].as_str());
    content.as_str().map_or_else(|| parts.collect(), str::to_owned)
}

fn completion(request: &Value, script: &Script) -> Option<Value> {
    let messages = request["messages"].as_array()?;
    let is_of = |role: &'static str| move |message: &&Value| message["role"] == role;
    let asked = text(&messages.iter().rev().find(is_of("user"))?["content"]);
    let step = messages.iter().filter(is_of("assistant")).count();
    let (_, steps) = script.iter().find(|(prompt, _)| *prompt == asked)?;
    let items = steps.get(step)?;
    let is_type = |kind: &'static str| move |item: &&Value| item["type"] == kind;
    let said: String =
        items.iter().filter(is_type("message")).map(|it| text(&it["content"])).collect();
    let thought: String =
        items.iter().filter(is_type("reasoning")).map(|it| text(&it["summary"])).collect();
    let calls = items.iter().filter(is_type("function_call")).map(|call| {
        let function = json!({ "name": call["name"], "arguments": call["arguments"] });
        json!({ "id": call["call_id"], "type": "function", "function": function })
    });
    let calls: Vec<Value> = calls.collect();
    let mut message = json!({ "role": "assistant", "content": said });
    if !thought.is_empty() {
        message["reasoning_content"] = thought.into();
    }
    let reason = if calls.is_empty() { "stop" } else { "tool_calls" };
    if !calls.is_empty() {
        message["tool_calls"] = calls.into();
    }
    Some(json!({
        "id": "c", "object": "chat.completion", "created": 0, "model": "m",
        "choices": [{ "index": 0, "finish_reason": reason, "message": message }],
    }))
}

/// The items of each model call.
fn steps(output: &Value) -> Vec<Vec<Value>> {
    let mut steps = vec![Vec::new()];
    let mut is_answered = false;
    for item in output.as_array().unwrap() {
        if item["type"] == "function_call_output" {
            is_answered = true;
            continue;
        }
        if std::mem::take(&mut is_answered) {
            steps.push(Vec::new());
        }
        steps.last_mut().unwrap().push(item.clone());
    }
    steps
}

fn asked(params: &Value) -> String {
    text(&params["input"].as_array().unwrap().last().unwrap()["content"])
}

fn script(records: &[Value]) -> Script {
    let entry = |record: &Value| {
        (asked(&record["responses_create_params"]), steps(&record["response"]["output"]))
    };
    let judged = records.iter().flat_map(|record| record["judge_evaluations"].as_array());
    records.iter().chain(judged.flatten()).map(entry).collect()
}

/// A repository with an environment of an implementation, in NeMo Gym's layout.
fn repository(kind: &str, implementation: &str, records: &[Value], keys: &str) -> Folder {
    let folder = Folder::new();
    let rows = records.iter().map(|record| match kind {
        "library_judge_math" => mathematics::row(record),
        _ => {
            let mut row = target(kind, record);
            row["responses_create_params"] = record["responses_create_params"].clone();
            row
        }
    });
    let rows: String = rows.map(|row| format!("{row}\n")).collect();
    let home = format!("resources_servers/{implementation}");
    folder.write(&format!("{home}/data/example.jsonl"), &rows);
    let yaml = format!(
        "
{implementation}:
  resources_servers:
    {implementation}:
      entrypoint: app.py
      domain: other
{keys}
{implementation}_simple_agent:
  responses_api_agents:
    simple_agent:
      entrypoint: app.py
      resources_server:
        type: resources_servers
        name: {implementation}
      model_server:
        type: responses_api_models
        name: policy_model
      datasets:
      - name: example
        type: example
        jsonl_fpath: {home}/data/example.jsonl
        num_repeats: 2
"
    );
    folder.write(&format!("{home}/configs/{implementation}.yaml"), &yaml);
    folder.write("responses_api_models/vllm_model/configs/vllm_model.yaml", MODEL);
    let url = endpoint(script(records));
    folder.write(
        "env.yaml",
        &format!("policy_base_url: {url}\npolicy_api_key: dummy_key\npolicy_model_name: m\n"),
    );
    folder
}

/// Runs a kind under one of its names, by a command line as NeMo Gym's users write it.
fn earns_what_was_recorded(kind: &str, implementation: &str, keys: &dyn Fn(&[Value]) -> String) {
    let Some(path) = recording(kind) else { return };
    let records = lines(Path::new(&path));
    let folder = repository(kind, implementation, &records, &keys(&records));
    let paths = format!(
        "+config_paths=[resources_servers/{implementation}/configs/{implementation}.yaml,\
         responses_api_models/vllm_model/configs/vllm_model.yaml]"
    );
    let agent = format!("+agent_name={implementation}_simple_agent");
    let output = "+output_jsonl_fpath=results/rollouts.jsonl";
    let ended = folder.run(&["collect", &paths, &agent, output, "+num_samples_in_parallel=4"]);
    ended.exits_with(0);
    let tasks = format!("resources_servers/{implementation}/data/example.jsonl");
    let files =
        ["--tasks", &tasks, "--rollouts", "results/rollouts.jsonl", "--output", "again.jsonl"];
    let verified = folder.run(&[&["verify", &paths][..], &files].concat());
    verified.exits_with(0).says(&["0 differ from their recorded reward; 0 left out"]);
    folder.run(&["check", &paths]).exits_with(0);
    let made = lines(&folder.path("results/rollouts.jsonl"));
    assert_eq!(made.len(), 2 * records.len());
    for rollout in made {
        let prompt = asked(&rollout["responses_create_params"]);
        let record =
            records.iter().find(|it| asked(&it["responses_create_params"]) == prompt).unwrap();
        assert_eq!(rollout["reward"], record["reward"], "{implementation}: {prompt}");
        assert_eq!(
            steps(&rollout["response"]["output"]).len(),
            steps(&record["response"]["output"]).len()
        );
    }
}

fn no_keys(_: &[Value]) -> String {
    String::new()
}

#[test]
fn the_weather_earns_what_was_recorded() {
    earns_what_was_recorded("simple_weather", "simple_weather", &no_keys);
    earns_what_was_recorded("simple_weather", "example_single_tool_call", &no_keys);
}

#[test]
fn several_needles_earn_what_was_recorded() {
    earns_what_was_recorded("multineedle", "multineedle", &no_keys);
    earns_what_was_recorded("multineedle", "example_multi_step", &no_keys);
}

#[test]
fn choices_earn_what_was_recorded() {
    earns_what_was_recorded("mcqa", "mcqa", &no_keys);
}

/// The policy judges itself, and the judge's system message is the recorded one.
#[test]
fn judged_mathematics_earns_what_was_recorded() {
    let keys = |records: &[Value]| {
        let system = records.iter().flat_map(|record| record["judge_evaluations"].as_array());
        let system = system
            .flatten()
            .next()
            .map(|it| it["responses_create_params"]["input"][0]["content"].clone());
        format!(
            "      judge_model_server: {{ type: responses_api_models, name: policy_model }}
      judge_responses_create_params: {{ input: [] }}
      should_use_judge: {}
      judge_system_message: {}
",
            system.is_some(),
            system.unwrap_or_default()
        )
    };
    earns_what_was_recorded("library_judge_math", "library_judge_math", &keys);
}
