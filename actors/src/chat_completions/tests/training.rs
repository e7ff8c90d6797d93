//! Token ids: where they come from, where they go, and when they are not believed.

use super::*;

fn training(more: Value) -> Value {
    let mut settings = json!({ "return_token_id_information": true });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

fn entries(tokens: &[&str]) -> Value {
    let entries = tokens
        .iter()
        .map(|token| json!({ "token": token, "logprob": -0.5, "bytes": [], "top_logprobs": [] }));
    json!({ "content": entries.collect::<Vec<_>>() })
}

fn with_tokens(mut item: Value, [prompt, generated, log_probs]: [Value; 3]) -> Value {
    item["prompt_token_ids"] = prompt;
    item["generation_token_ids"] = generated;
    item["generation_log_probs"] = log_probs;
    item
}

fn triple(item: &Value) -> [Value; 3] {
    ["prompt_token_ids", "generation_token_ids", "generation_log_probs"]
        .map(|name| item[name].clone())
}

#[test]
fn training_asks_for_ids_whatever_the_task_says() {
    let params = json!({ "input": [], "top_logprobs": null, "metadata": { "extra_body": r#"{"logprobs":false}"# } });
    let body = sent(&training(json!({})), &params).unwrap();
    let expected = json!({ "logprobs": true, "top_logprobs": 0, "return_tokens_as_token_ids": true,
        "return_token_ids": true, "model": "m", "messages": [] });
    assert_eq!(body, expected);
    let asked = json!({ "request_prompt_and_generation_token_ids": false });
    assert!(sent(&training(asked), &params).unwrap().get("return_token_ids").is_none());
    let outside = sent(&json!({}), &json!({ "input": [], "top_logprobs": null })).unwrap();
    assert_eq!(outside, json!({ "model": "m", "messages": [] }));
}

/// What the endpoint sends beside the text "hi", and what is wrong with it.
#[rustfmt::skip]
fn sources() -> Vec<(Value, Result<[Value; 3], &'static str>)> {
    let all = || Ok([json!([1, 2]), json!([3, 4]), json!([-0.5, -0.5])]);
    let two = || entries(&["token_id:3", "token_id:4"]);
    let text = || entries(&["h", "i"]);
    let message = |ids: Value| json!({ "prompt_token_ids": [1, 2], "generation_token_ids": ids, "generation_log_probs": [-0.5, -0.5] });
    vec![
        (json!({ "message": message(json!([3, 4])) }), all()),
        (json!({ "message": message(json!(["3", "token_id:4"])) }), all()),
        (json!({ "prompt": [1, 2], "ids": [3, 4], "logprobs": two() }), all()),
        (json!({ "prompt": [1, 2], "ids": [3, 4], "logprobs": text() }), all()),
        (json!({ "prompt": ["1", "2"], "ids": [3, 4], "logprobs": two() }), all()),
        (json!({ "logprobs": two() }), all()),
        (json!({ "message": message(json!([3, 4])), "prompt": [1, 2], "ids": [3, 4] }), all()),
        (json!({ "prompt": [1], "ids": [], "logprobs": null }), Ok([json!([1]), json!([]), json!([])])),
        (json!({ "message": message(json!([3, 4])), "prompt": [1, 2], "ids": [3, 5] }), Err("are not those of the completion")),
        (json!({ "message": { "prompt_token_ids": [1] } }), Err("not all three")),
        (json!({ "message": message(json!([3])) }), Err("1 generated token ids, but 2 log-probabilities")),
        (json!({ "prompt": [1, 2], "logprobs": two() }), Err("`token_ids` are not")),
        (json!({ "ids": [3, 4], "logprobs": two() }), Err("`prompt_token_ids` are not")),
        (json!({ "prompt": [1, 2], "ids": [3, 4] }), Err("`logprobs.content` is missing")),
        (json!({ "prompt": [1, 2], "ids": [3], "logprobs": two() }), Err("1 generated token ids, but 2")),
        (json!({ "prompt": [1, 2], "ids": [3, 5], "logprobs": two() }), Err("`token_id:4` in `logprobs` is token 5")),
        (json!({}), Err("`logprobs.content` is missing")),
        (json!({ "logprobs": { "content": null } }), Err("`logprobs.content` is missing")),
        (json!({ "logprobs": text() }), Err("`h` in `logprobs` is no `token_id:…`")),
        (json!({ "logprobs": { "content": [{ "token": "token_id:3", "logprob": null }] } }), Err("`logprobs`: invalid type: null")),
        (json!({ "prompt": [-1], "ids": [3, 4], "logprobs": two() }), Err("expected a token id")),
        (json!({ "prompt": [4294967296_u64], "ids": [3, 4], "logprobs": two() }), Err("too large")),
    ]
}

#[tokio::test]
async fn ids_are_taken_from_where_they_are_and_checked() {
    for (source, expected) in sources() {
        let mut said = completion(json!({ "content": "hi" }));
        if let Some(message) = source["message"].as_object() {
            said["choices"][0]["message"].as_object_mut().unwrap().extend(message.clone());
        }
        for (from, to) in [
            ("prompt", "/prompt_token_ids"),
            ("ids", "/choices/0/token_ids"),
            ("logprobs", "/choices/0/logprobs"),
        ] {
            if let Some(value) = source.get(from) {
                let (parent, key) = to.rsplit_once('/').unwrap();
                said.pointer_mut(parent).unwrap()[key] = value.clone();
            }
        }
        let tokenized = Answer::http(200, "", r#"{"tokens":[1,2],"count":2}"#);
        let endpoint =
            Endpoint::start(vec![Answer::http(200, "", &said.to_string()), tokenized]).await;
        let model = model_at(endpoint.url(), &training(json!({}))).unwrap();
        let answer = model.generate(generate(&json!({ "input": "hi" }), &json!([]))).await;
        match expected {
            Ok(expected) => {
                let response =
                    serde_json::to_value(answer.unwrap_or_else(|e| panic!("{source}: {e}")))
                        .unwrap();
                assert_eq!(triple(&response["output"][0]), expected, "{source}");
            }
            Err(expected) => {
                let error = answer.map(|_| ()).unwrap_err();
                assert_eq!(error.status(), "malformed", "{source}: {error}");
                assert!(error.to_string().contains(expected), "{source}: {error}");
            }
        }
    }
}

#[tokio::test]
async fn the_tokenizer_is_asked_about_all_that_makes_the_prompt() {
    let mut said = completion(json!({ "content": "hi" }));
    said["choices"][0]["logprobs"] = entries(&["token_id:3"]);
    let answers = [said.to_string(), r#"{"tokens":[1,2]}"#.to_owned()];
    let answers = answers.iter().map(|body| Answer::http(200, "", body)).collect();
    let endpoint = Endpoint::start(answers).await;
    let kwargs = json!({ "chat_template_kwargs": { "thinking": true }, "extra_body": { "mm_processor_kwargs": {}, "top_k": 1 } });
    let model = model_at(endpoint.url(), &training(kwargs)).unwrap();
    let tool = json!({ "type": "function", "name": "f", "parameters": {}, "strict": null });
    let params = json!({ "input": "hi", "tools": [tool], "temperature": 1.0 });
    model.generate(generate(&params, &json!([]))).await.unwrap();
    let request = endpoint.requests().remove(1);
    assert!(request.starts_with("POST /tokenize HTTP/1.1\r\n"), "{request}");
    let body: Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    let expected = json!({
        "model": "m", "messages": [{ "role": "user", "content": "hi" }],
        "tools": [{ "type": "function", "function": { "name": "f", "parameters": {} } }],
        "chat_template_kwargs": { "thinking": true }, "mm_processor_kwargs": {},
    });
    assert_eq!(body, expected);
}

#[test]
fn ids_go_back_with_the_turn_that_they_belong_to_and_no_other() {
    let ids = |first: i64| [json!([first]), json!([first + 1]), json!([-0.5])];
    let history = json!([
        with_id(reasoning(&["r"])), call("1", "f", "{}"), call("2", "f", "{}"),
        with_tokens(call("3", "f", "{}"), ids(1)), output("1", "x"), output("2", "x"), output("3", "x"),
        with_tokens(with_id(reasoning(&["q"])), ids(5)), { "role": "user", "content": "?" }, with_id(message("none")),
    ]);
    let messages = messages_of(&training(json!({})), &history);
    assert_eq!(triple(&messages[0]), ids(1));
    assert_eq!(messages[0]["tool_calls"].as_array().unwrap().len(), 3);
    assert_eq!(triple(&messages[4]), ids(5));
    for index in [1, 2, 3, 5, 6] {
        assert!(messages[index].get("prompt_token_ids").is_none(), "{index}");
    }
    let outside = messages_of(&json!({}), &history);
    assert!(
        outside.as_array().unwrap().iter().all(|message| message.get("prompt_token_ids").is_none())
    );
}

#[test]
fn empty_ids_are_ids() {
    let none = || [json!([]), json!([]), json!([])];
    let silent = json!({ "role": "assistant", "content": "" });
    let messages = messages_of(&training(json!({})), &json!([with_tokens(silent, none())]));
    assert_eq!((&messages[0]["content"], triple(&messages[0])), (&Value::Null, none()));
}

#[tokio::test]
async fn a_prompt_goes_on_from_where_the_conversation_stood() {
    let before = with_tokens(with_id(message("a")), [json!([1, 2]), json!([3]), json!([-0.5])]);
    for (prompt, breaks_at) in [
        (json!([1, 2, 3, 9]), None),
        (json!([1, 2, 3]), None),
        (json!([1, 2, 4, 9]), Some(2)),
        (json!([1, 2]), Some(2)),
        (json!([]), Some(0)),
    ] {
        let mut said = completion(json!({ "content": "hi" }));
        said["prompt_token_ids"] = prompt.clone();
        said["choices"][0]["token_ids"] = json!([7]);
        said["choices"][0]["logprobs"] = entries(&["token_id:7"]);
        let endpoint = Endpoint::start(vec![Answer::http(200, "", &said.to_string())]).await;
        for on_break in ["report", "fail"] {
            let settings = training(json!({ "on_token_prefix_break": on_break }));
            let model = model_at(endpoint.url(), &settings).unwrap();
            let answer =
                model.generate(generate(&json!({ "input": "hi" }), &json!([before]))).await;
            match (breaks_at, on_break) {
                (Some(at), "fail") => {
                    let error = answer.unwrap_err().to_string();
                    let expected = format!(
                        "do not begin with the 3 of the conversation so far; they part at {at}"
                    );
                    assert!(error.contains(&expected), "{error}");
                }
                _ => assert_eq!(
                    json!(answer.unwrap().output[0].tokens().unwrap().prompt_token_ids.to_vec()),
                    prompt
                ),
            }
        }
    }
}

#[tokio::test]
async fn the_experts_of_each_token_stay_with_its_ids() {
    for experts in [json!("nrlre1:int8:1x2x3:AAAA"), json!([[[1, 2]], [[3, 4]]])] {
        let mut said =
            completion(json!({ "content": "hi", "tool_calls": [chat_call("1", "f", "{}")] }));
        said["choices"][0]["message"]["routed_experts"] = experts.clone();
        let response = answer(&json!({}), &said).await.unwrap();
        assert_eq!(response["output"][1]["routed_experts"], experts);
        assert!(response["output"][0].get("routed_experts").is_none());
    }
}
