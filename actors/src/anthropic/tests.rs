//! The conversion both ways, and what the endpoint may answer.

use std::sync::Arc;
use std::time::Duration;

use framework::responses::{CreateParams, IncompleteReason, Item};
use framework::task::{RolloutKey, TaskId};
use tokio::time::Instant;

use super::*;
use crate::upstream::endpoint::{Answer, Endpoint};

fn model_at(base_url: &str, settings: &Value) -> Result<Anthropic, BuildError> {
    let mut config = json!({ "base_url": base_url, "api_key": "sk-secret", "model": "m",
        "http": { "retries": 1, "backoff": "1ms" } });
    config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    Anthropic::new(serde_json::from_value(config).unwrap(), &Wiring::detached("policy"))
}

fn request(params: &Value, history: &Value) -> Request {
    let params = Arc::new(CreateParams::parse(&params.to_string()).unwrap());
    let history = history.as_array().unwrap().iter();
    let history = history.map(|item| Item::parse(&item.to_string()).unwrap()).collect();
    Request { params, history }
}

fn sent(settings: &Value, params: &Value) -> Result<Value, Unsupported> {
    let model = model_at("http://localhost/v1", settings).unwrap();
    Ok(serde_json::from_str(&model.body(&request(params, &json!([])))?).unwrap())
}

async fn ask(answers: Vec<Answer>) -> (Result<Response, ModelError>, Vec<String>) {
    let endpoint = Endpoint::start(answers).await;
    let model = model_at(endpoint.url(), &json!({})).unwrap();
    let key = RolloutKey { task: TaskId::from("a/b/1"), repeat: 0 };
    let deadline = Instant::now() + Duration::from_secs(30);
    let request = request(&json!({ "input": "hi" }), &json!([]));
    let answer = model
        .generate(Generate { request, key, caller: Arc::from("agents/solver"), deadline })
        .await;
    (answer, endpoint.requests())
}

fn said(content: Value, stop_reason: &str) -> String {
    json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "served",
        "content": content, "stop_reason": stop_reason, "stop_sequence": null,
        "usage": { "input_tokens": 1, "cache_creation_input_tokens": 2, "cache_read_input_tokens": 4,
            "output_tokens": 8 } })
    .to_string()
}

fn tool_use(id: &str) -> Value {
    json!({ "type": "tool_use", "id": id, "name": "f", "input": { "a": 1 } })
}

fn call(id: &str) -> Value {
    json!({ "type": "function_call", "call_id": id, "name": "f", "arguments": "{\"a\":1}" })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

#[test]
fn a_conversation_alternates_and_its_results_stand_together() {
    let image = "data:image/png;base64,AAAA";
    let input = json!([
        { "role": "system", "content": "s" }, { "role": "developer", "content": "d" },
        { "role": "user", "content": [{ "type": "input_text", "text": "q" }, { "type": "input_image", "detail": "auto", "image_url": image }] },
        { "type": "reasoning", "id": "r", "summary": [{ "type": "summary_text", "text": "t" }], "encrypted_content": "sig" },
        { "type": "reasoning", "id": "r", "summary": [], "encrypted_content": "dark" },
        { "type": "reasoning", "id": "r", "summary": [{ "type": "summary_text", "text": "unsigned" }] },
        { "role": "assistant", "content": " a \n" }, call("1"), call("2"),
        { "type": "function_call_output", "call_id": "1", "output": "x" },
        { "type": "function_call_output", "call_id": "2", "output": [{ "type": "input_text", "text": "y" }] },
        { "role": "user", "content": "go on" },
    ]);
    let body = sent(&json!({}), &json!({ "input": input, "instructions": "i" })).unwrap();
    assert_eq!(body["system"], "i\n\ns\n\nd");
    let image = json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "AAAA" } });
    let expected = json!([
        { "role": "user", "content": [text("q"), image] },
        { "role": "assistant", "content": [
            { "type": "thinking", "thinking": "t", "signature": "sig" },
            { "type": "redacted_thinking", "data": "dark" },
            text(" a \n"), tool_use("1"), tool_use("2"),
        ] },
        { "role": "user", "content": [
            { "type": "tool_result", "tool_use_id": "1", "content": "x" },
            { "type": "tool_result", "tool_use_id": "2", "content": "y" },
            text("go on"),
        ] },
    ]);
    assert_eq!(body["messages"], expected);
}

#[test]
fn parameters_have_their_places() {
    let tool = json!({ "type": "function", "name": "f", "description": "d", "strict": true, "parameters": null });
    let ours = json!({ "name": "f", "description": "d", "input_schema": { "type": "object", "properties": {} } });
    for (params, expected) in [
        (json!({}), json!({ "max_tokens": 8192 })),
        (
            json!({ "max_output_tokens": 5, "temperature": 0.5, "top_p": 1, "user": "u", "reasoning": { "effort": "low" } }),
            json!({ "max_tokens": 5, "temperature": 0.5, "top_p": 1, "metadata": { "user_id": "u" } }),
        ),
        (json!({ "tools": [tool] }), json!({ "max_tokens": 8192, "tools": [ours] })),
        (
            json!({ "tools": [tool], "tool_choice": "required" }),
            json!({ "max_tokens": 8192, "tools": [ours], "tool_choice": { "type": "any" } }),
        ),
        (
            json!({ "tools": [tool], "tool_choice": "none", "parallel_tool_calls": false }),
            json!({ "max_tokens": 8192, "tools": [ours], "tool_choice": { "type": "none" } }),
        ),
        (
            json!({ "tools": [tool], "parallel_tool_calls": false }),
            json!({ "max_tokens": 8192, "tools": [ours], "tool_choice": { "type": "auto", "disable_parallel_tool_use": true } }),
        ),
        (
            json!({ "tools": [tool], "tool_choice": { "type": "function", "name": "f" } }),
            json!({ "max_tokens": 8192, "tools": [ours], "tool_choice": { "type": "tool", "name": "f" } }),
        ),
    ] {
        let mut params = params;
        params["input"] = json!([]);
        let mut body = sent(&json!({}), &params).unwrap();
        body.as_object_mut().unwrap().retain(|name, _| name != "model" && name != "messages");
        assert_eq!(body, expected, "{params}");
    }
    let settings = json!({ "thinking": { "type": "enabled", "budget_tokens": 9 }, "max_output_tokens": 7,
        "extra_body": { "top_k": 1 }, "sampling_overrides": { "temperature": 1 } });
    let body = sent(&settings, &json!({ "input": [], "temperature": 0.1 })).unwrap();
    let expected = json!({ "thinking": { "type": "enabled", "budget_tokens": 9 }, "max_tokens": 7, "top_k": 1,
        "temperature": 1, "model": "m", "messages": [] });
    assert_eq!(body, expected);
}

#[test]
fn what_the_api_does_not_have_is_an_error() {
    for (params, expected) in [
        (
            json!({ "input": [{ "role": "user", "content": "q" }, { "role": "system", "content": "s" }] }),
            "after the conversation has begun",
        ),
        (json!({ "input": [{ "type": "web_search_call", "id": "w" }] }), "`web_search_call`"),
        (
            json!({ "input": [{ "type": "function_call", "call_id": "1", "name": "f", "arguments": "[" }] }),
            "arguments of `f`",
        ),
        (
            json!({ "input": [{ "role": "user", "content": [{ "type": "input_audio" }] }] }),
            "`input_audio`",
        ),
        (json!({ "input": [], "text": { "format": { "type": "json_object" } } }), "`text.format`"),
        (json!({ "input": [], "previous_response_id": "r" }), "`previous_response_id`"),
    ] {
        let error = sent(&json!({}), &params).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn blocks_become_items_in_their_order() {
    let content = json!([
        { "type": "thinking", "thinking": "t", "signature": "sig" },
        { "type": "redacted_thinking", "data": "dark" },
        text("a"), text("b"), tool_use("1"), text("c"),
    ]);
    let (answer, requests) = ask(vec![Answer::http(200, "", &said(content, "tool_use"))]).await;
    for expected in [
        "POST /v1/messages HTTP/1.1\r\n",
        "x-api-key: sk-secret\r\n",
        "anthropic-version: 2023-06-01\r\n",
    ] {
        assert!(requests[0].contains(expected), "{expected} is not in {}", requests[0]);
    }
    let response = serde_json::to_value(answer.unwrap()).unwrap();
    let output = response["output"].as_array().unwrap();
    let tags: Vec<_> = output.iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert_eq!(tags, ["reasoning", "reasoning", "message", "function_call", "message"]);
    assert_eq!(
        (&output[0]["summary"][0]["text"], &output[0]["encrypted_content"]),
        (&json!("t"), &json!("sig"))
    );
    assert_eq!(
        (&output[1]["summary"], &output[1]["encrypted_content"]),
        (&json!([]), &json!("dark"))
    );
    assert_eq!(output[2]["content"][1]["text"], "b");
    assert_eq!(
        (&output[3]["call_id"], &output[3]["arguments"]),
        (&json!("1"), &json!("{\"a\":1}"))
    );
    let expected = json!({ "input_tokens": 7, "input_tokens_details": { "cached_tokens": 4 }, "output_tokens": 8,
        "output_tokens_details": { "reasoning_tokens": null }, "total_tokens": 15 });
    assert_eq!((&response["usage"], &response["model"]), (&expected, &json!("served")));
}

#[tokio::test]
async fn a_turn_comes_back_as_it_was() {
    let content = json!([
        { "type": "thinking", "thinking": " t\n", "signature": "sig" },
        text(" a "), tool_use("1"), tool_use("2"),
    ]);
    let (answer, _) = ask(vec![Answer::http(200, "", &said(content.clone(), "tool_use"))]).await;
    let output = serde_json::to_value(answer.unwrap()).unwrap()["output"].take();
    let body = sent(&json!({}), &json!({ "input": output })).unwrap();
    assert_eq!(body["messages"], json!([{ "role": "assistant", "content": content }]));
}

#[test]
fn numbers_in_arguments_keep_their_digits() {
    let arguments = r#"{"a":100000000000000000001,"b":1.10}"#;
    let call =
        json!({ "type": "function_call", "call_id": "1", "name": "f", "arguments": arguments });
    let model = model_at("http://localhost/v1", &json!({})).unwrap();
    let body = model.body(&request(&json!({ "input": [call] }), &json!([]))).unwrap();
    assert!(body.contains(&format!("\"input\":{arguments}")), "{body}");
    let said = said(json!([tool_use("1")]), "tool_use").replace(r#"{"a":1}"#, arguments);
    let params = CreateParams::user("hi");
    let failures = Failures::new("http://a", "m", Vec::new());
    let response = reply::read(&said, &params, &failures).unwrap();
    assert_eq!(&*response.output[0].as_function_call().unwrap().arguments, arguments);
}

#[tokio::test]
async fn how_it_ended_decides_what_it_is() {
    use IncompleteReason::{ContentFilter, MaxOutputTokens};
    let http = |status, body: &str| Answer::http(status, "", body);
    let stopped = |reason: &str| http(200, &said(json!([text("a")]), reason));
    let error = |kind: &str, message: &str| {
        json!({ "type": "error", "error": { "type": kind, "message": message } }).to_string()
    };
    let too_long = error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum");
    for (answer, expected) in [
        (stopped("end_turn"), Ok(None)),
        (stopped("stop_sequence"), Ok(None)),
        (stopped("max_tokens"), Ok(Some(MaxOutputTokens))),
        (stopped("model_context_window_exceeded"), Ok(Some(MaxOutputTokens))),
        (stopped("refusal"), Ok(Some(ContentFilter))),
        (stopped("pause_turn"), Err("malformed")),
        (http(400, &too_long), Ok(Some(MaxOutputTokens))),
        (http(200, &said(json!([]), "end_turn")), Ok(None)),
        (http(200, &said(json!([{ "type": "server_tool_use" }]), "end_turn")), Err("malformed")),
        (http(200, "<html>"), Err("malformed")),
        (http(400, &error("invalid_request_error", "no")), Err("bad_request")),
        (http(401, &error("authentication_error", "no")), Err("authentication")),
        (http(404, &error("not_found_error", "no")), Err("unknown_model")),
        (http(429, &error("rate_limit_error", "no")), Err("rate_limited")),
        (http(529, &error("overloaded_error", "no")), Err("unavailable")),
        (http(200, &error("overloaded_error", "no")), Err("unavailable")),
    ] {
        let (found, _) = ask(vec![answer.clone()]).await;
        assert!(!format!("{found:?}").contains("sk-secret"));
        let found = found.as_ref().map(|response| {
            assert!(!response.output.is_empty());
            response.incomplete.clone()
        });
        assert_eq!(found.map_err(ModelError::status), expected, "{answer:?}");
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let error = model_at("http://a", &json!({ "extra_body": { "system": "x" } })).unwrap_err();
    assert!(error.to_string().contains("`settings.extra_body.system`"), "{error}");
}
