//! The conversion both ways, case by case, and what an endpoint may do.

mod calls;
mod items;
mod round_trip;
mod training;

use std::sync::Arc;
use std::time::Duration;

use framework::responses::{CreateParams, Item, Request};
use framework::task::{RolloutKey, TaskId};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::upstream::endpoint::{Answer, Endpoint};

const PATIENCE: Duration = Duration::from_secs(30);

fn model_at(base_url: &str, settings: &Value) -> Result<ChatCompletions, BuildError> {
    let mut config = json!({ "base_url": base_url, "api_key": "sk-secret", "model": "m",
        "http": { "retries": 1, "backoff": "1ms" } });
    config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let config = serde_json::from_value(config).unwrap();
    ChatCompletions::new(config, &Wiring::detached("policy"))
}

fn request(params: &Value, history: &Value) -> Request {
    let params = Arc::new(CreateParams::parse(&params.to_string()).unwrap());
    let history = history.as_array().unwrap().iter();
    let history = history.map(|item| Item::parse(&item.to_string()).unwrap()).collect();
    Request { params, history }
}

/// What is sent for a request.
fn sent(settings: &Value, params: &Value) -> Result<Value, ModelError> {
    let model = model_at("http://localhost/v1", settings).unwrap();
    let body = model.conversion.request(&request(params, &json!([])))?;
    Ok(serde_json::from_str(&body).unwrap())
}

/// The messages for some input.
fn messages_of(settings: &Value, input: &Value) -> Value {
    sent(settings, &json!({ "input": input })).unwrap()["messages"].take()
}

/// The answer to a completion.
async fn answer(settings: &Value, completion: &Value) -> Result<Value, ModelError> {
    let endpoint = Endpoint::start(vec![Answer::http(200, "", &completion.to_string())]).await;
    let model = model_at(endpoint.url(), settings).unwrap();
    let response = model.generate(generate(&json!({ "input": "hi" }), &json!([]))).await?;
    Ok(serde_json::to_value(&response).unwrap())
}

fn generate(params: &Value, history: &Value) -> Generate {
    let key = RolloutKey { task: TaskId::from("a/b/1"), repeat: 0 };
    Generate { request: request(params, history), key, deadline: Instant::now() + PATIENCE }
}

/// A completion with this message.
fn completion(message: Value) -> Value {
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "served",
        "choices": [choice] })
}

/// Items without the ids that are made up.
fn plain(output: &Value) -> Value {
    let mut items = output.clone();
    for item in items.as_array_mut().unwrap() {
        if item["type"] != "function_call" {
            item.as_object_mut().unwrap().remove("id");
        }
    }
    items
}

fn reasoning(thoughts: &[&str]) -> Value {
    let summary: Vec<_> =
        thoughts.iter().map(|text| json!({ "text": text, "type": "summary_text" })).collect();
    json!({ "summary": summary, "type": "reasoning" })
}

fn message(text: &str) -> Value {
    let part = json!({ "annotations": [], "text": text, "type": "output_text" });
    json!({ "content": [part], "role": "assistant", "status": "completed", "type": "message" })
}

fn call(id: &str, name: &str, arguments: &str) -> Value {
    json!({ "arguments": arguments, "call_id": id, "name": name, "type": "function_call", "id": id,
        "status": "completed" })
}

fn chat_call(id: &str, name: &str, arguments: &str) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } })
}

fn output(id: &str, text: &str) -> Value {
    json!({ "type": "function_call_output", "call_id": id, "output": text })
}

/// The item with an id, as items that are sent have one.
fn with_id(mut item: Value) -> Value {
    item["id"] = json!("id");
    item
}
