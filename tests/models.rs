//! The same rollouts through every kind of model that asks an endpoint: records differ in nothing but
//! ids, usage and what the endpoint adds.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::command::Folder;

#[path = "../examples/mock_endpoint/service.rs"]
mod service;

/// The `base_url` of a mock, which serves until the program ends.
fn mock() -> String {
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let program = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        program.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            sender.send(format!("http://{}/v1", listener.local_addr().unwrap())).unwrap();
            let mock = Arc::new(service::Mock::new(Duration::ZERO, 0.0));
            service::serve(mock, listener).await.unwrap();
        });
    });
    receiver.recv().unwrap()
}

/// The records of `simple_weather`'s example tasks through a kind of model.
fn collect(kind: &str, settings: &Value) -> Vec<Value> {
    let folder = Folder::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    std::os::unix::fs::symlink(root.join("environments"), folder.path("environments")).unwrap();
    let weather = std::fs::read_to_string(root.join("configs/simple_weather.yaml")).unwrap();
    folder.write("config.yaml", &weather);
    let mut all = json!({ "base_url": mock(), "model": "mock" });
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let overlay = json!({
        "models": { "endpoint": { "kind": kind, "settings": all } },
        "agents": { "solver": { "model": "endpoint" } },
        "collect": { "output": "out.jsonl", "repeats": 1 },
    });
    folder.write("model.yaml", &overlay.to_string());
    folder.run(&["collect", "--config", "config.yaml", "--config", "model.yaml"]).exits_with(0);
    let mut records: Vec<Value> =
        folder.read("out.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    records.sort_by_key(|record| record["rehearsal"]["task"].to_string());
    records
}

/// What any kind of model has to record alike.
fn comparable(record: &Value) -> Value {
    let mut record = record.clone();
    record["rehearsal"].as_object_mut().unwrap().remove("timings");
    let response = record["response"].take();
    let items = response["output"].as_array().unwrap().iter().map(|item| {
        let mut item = item.clone();
        item.as_object_mut().unwrap().retain(|name, _| {
            name != "id" && !name.contains("_token_ids") && name != "generation_log_probs"
        });
        item
    });
    record["response"] = json!([response["status"], response["model"], items.collect::<Vec<_>>()]);
    record
}

#[test]
fn every_kind_of_model_records_the_same_rollouts() {
    let responses = collect("openai", &json!({}));
    assert!(responses.len() >= 5);
    for (kind, settings) in [
        ("chat_completions", json!({})),
        ("chat_completions", json!({ "return_token_id_information": true })),
        ("anthropic", json!({})),
    ] {
        let records = collect(kind, &settings);
        let records: Vec<_> = records.iter().map(comparable).collect();
        let responses: Vec<_> = responses.iter().map(comparable).collect();
        assert_eq!(records, responses, "{kind} {settings}");
    }
}

#[test]
fn records_for_training_hold_the_token_ids_of_every_call() {
    for inline in [true, false] {
        let settings = json!({
            "return_token_id_information": true,
            "request_prompt_and_generation_token_ids": inline,
            "on_token_prefix_break": "fail",
        });
        for record in collect("chat_completions", &settings) {
            let output = &record["response"]["output"];
            let ids = |index: usize| {
                let item: &Value = &output[index];
                json!([
                    item["prompt_token_ids"],
                    item["generation_token_ids"],
                    item["generation_log_probs"]
                ])
            };
            assert_eq!(ids(0), json!([[1, 2, 3, 4], [5, 6], [-0.5, -0.5]]));
            assert_eq!(output[1]["type"], "function_call_output");
            assert_eq!(ids(2), json!([[1, 2, 3, 4, 5, 6, 7, 8], [9], [-0.5]]));
        }
    }
}

#[test]
fn every_overlay_is_a_configuration() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = Folder::new();
    std::os::unix::fs::symlink(root.join("environments"), folder.path("environments")).unwrap();
    std::os::unix::fs::symlink(root.join("configs"), folder.path("configs")).unwrap();
    let overlays = std::fs::read_dir(root.join("configs/models")).unwrap();
    let overlays: Vec<_> = overlays.map(|entry| entry.unwrap().file_name()).collect();
    assert!(overlays.len() >= 6);
    for overlay in overlays {
        let overlay = format!("configs/models/{}", overlay.to_str().unwrap());
        let arguments = ["check", "--config", "configs/simple_weather.yaml", "--config", &overlay];
        folder.run(&arguments).exits_with(0);
    }
}
