//! Requests to an endpoint, and everything that it may answer.

use super::*;

#[tokio::test]
async fn an_answer_has_all_that_a_response_has() {
    let mut said = completion(json!({ "content": "hi" }));
    said["usage"] = json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7,
        "prompt_tokens_details": { "cached_tokens": 2 }, "cached_input_tokens": 1 });
    said["system_fingerprint"] = json!("fp");
    said["choices"][0]["stop_reason"] = json!(17);
    let response = answer(&json!({}), &said).await.unwrap();
    assert_eq!((&response["created_at"], &response["model"]), (&json!(7.0), &json!("served")));
    assert_eq!(
        (&response["status"], &response["object"]),
        (&json!("completed"), &json!("response"))
    );
    assert_eq!(
        (&response["system_fingerprint"], &response["stop_reason"]),
        (&json!("fp"), &json!(17))
    );
    assert_eq!((&response["tools"], &response["tool_choice"]), (&json!([]), &json!("auto")));
    let expected = json!({ "input_tokens": 3, "input_tokens_details": { "cached_tokens": 2 }, "output_tokens": 4,
        "output_tokens_details": { "reasoning_tokens": null }, "total_tokens": 7 });
    assert_eq!(response["usage"], expected);
    assert!(response["id"].as_str().unwrap().starts_with("resp_"));
}

#[tokio::test]
async fn usage_is_found_under_all_its_names() {
    for (usage, expected) in [
        (json!(null), json!(null)),
        (json!({ "prompt_tokens": "x", "completion_tokens": 1 }), json!(null)),
        (json!({ "prompt_tokens": 1, "completion_tokens": 2 }), json!([null, null, 3])),
        (
            json!({ "prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 9, "cached_input_tokens": 5 }),
            json!([5, null, 9]),
        ),
        (
            json!({ "prompt_tokens": 1, "completion_tokens": 2, "cache_read_input_tokens": 6, "reasoning_output_tokens": 7 }),
            json!([6, 7, 3]),
        ),
        (
            json!({ "prompt_tokens": 1, "completion_tokens": 2, "completion_tokens_details": { "reasoning_tokens": 8 }, "prompt_tokens_details": null }),
            json!([null, 8, 3]),
        ),
        (
            json!({ "prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": { "cached_tokens": -1 } }),
            json!([null, null, 3]),
        ),
    ] {
        let mut said = completion(json!({ "content": "hi" }));
        said["usage"] = usage.clone();
        let found = answer(&json!({}), &said).await.unwrap()["usage"].take();
        let found = match &found {
            Value::Null => Value::Null,
            found => json!([
                found["input_tokens_details"]["cached_tokens"],
                found["output_tokens_details"]["reasoning_tokens"],
                found["total_tokens"]
            ]),
        };
        assert_eq!(found, expected, "{usage}");
    }
}

#[tokio::test]
async fn how_a_generation_ended_decides_what_it_is() {
    for (reason, expected) in [
        (json!("stop"), Ok(Value::Null)),
        (json!("tool_calls"), Ok(Value::Null)),
        (json!("function_call"), Ok(Value::Null)),
        (json!(null), Ok(Value::Null)),
        (json!("length"), Ok(json!({ "reason": "max_output_tokens" }))),
        (json!("content_filter"), Ok(json!({ "reason": "content_filter" }))),
        (json!("abort"), Err("unavailable")),
        (json!("error"), Err("unavailable")),
        (json!("bored"), Err("malformed")),
    ] {
        let mut said = completion(json!({ "content": "hi" }));
        said["choices"][0]["finish_reason"] = reason.clone();
        let answer = answer(&json!({}), &said).await;
        let found = answer.as_ref().map(|response| response["incomplete_details"].clone());
        let found = found.map_err(ModelError::status);
        assert_eq!(found, expected, "{reason}");
        if let Ok(response) = answer {
            let status =
                if response["incomplete_details"].is_null() { "completed" } else { "incomplete" };
            assert_eq!(response["status"], status, "{reason}");
        }
    }
}

#[tokio::test]
async fn a_conversation_that_is_refused_for_what_it_is_makes_an_incomplete_response() {
    const LENGTH: &str = "max_output_tokens";
    const FILTER: &str = "content_filter";
    for (status, body, expected) in [
        (400, "This model's maximum context length is 9 tokens", Ok(LENGTH)),
        (400, "'max_tokens' is too large: 5. This model's maximum context length is 9", Ok(LENGTH)),
        (400, "max_tokens must be at least 1, got -3.", Ok(LENGTH)),
        (
            400,
            "Unsupported parameter: 'max_tokens'; use 'max_completion_tokens'",
            Err("bad_request"),
        ),
        (422, "maximum context length", Ok(LENGTH)),
        (
            400,
            "The response was filtered due to Azure OpenAI's content management policy.",
            Ok(FILTER),
        ),
        (500, "maximum context length", Err("unavailable")),
    ] {
        let body = json!({ "error": { "message": body } }).to_string();
        let endpoint = Endpoint::start(vec![Answer::http(status, "", &body)]).await;
        let model = model_at(endpoint.url(), &json!({})).unwrap();
        let answer = model.generate(generate(&json!({ "input": "hi" }), &json!([]))).await;
        match expected {
            Ok(reason) => {
                let response = serde_json::to_value(answer.unwrap()).unwrap();
                assert_eq!(plain(&response["output"]), json!([message("")]), "{body}");
                assert_eq!(response["incomplete_details"], json!({ "reason": reason }));
            }
            Err(status) => assert_eq!(answer.unwrap_err().status(), status, "{body}"),
        }
    }
}

#[tokio::test]
async fn every_fault_has_its_cause_and_its_number_of_requests() {
    let ok = || Answer::http(200, "", &completion(json!({ "content": "hi" })).to_string());
    let error = |status| Answer::http(status, "", "no, sk-secret");
    let said = |text: &str| Answer::http(200, "", text);
    for (answers, expected, requests) in [
        (vec![error(503), ok()], "ok", 2),
        (vec![Answer::http(429, "retry-after: 0\r\n", "slow down"), ok()], "ok", 2),
        (vec![Answer::HangUp(String::new()), ok()], "ok", 2),
        (vec![error(500)], "unavailable", 2),
        (vec![error(429)], "rate_limited", 2),
        (vec![error(400)], "bad_request", 1),
        (vec![error(401)], "authentication", 1),
        (vec![error(404)], "unknown_model", 1),
        (vec![said("<html>")], "malformed", 1),
        (vec![said("{}")], "malformed", 1),
        (vec![said(r#"{"choices":[]}"#)], "malformed", 1),
        (vec![said(r#"{"choices":[{"message":{"content":5}}]}"#)], "malformed", 1),
        (vec![said(r#"{"choices":[{"message":{"tool_calls":[{}]}}]}"#)], "malformed", 1),
        (vec![said(r#"{"choices":[{"message":{"content":[{"type":"image"}]}}]}"#)], "malformed", 1),
        (vec![said(r#"{"error":{"code":429,"message":"rate_limit"}}"#)], "rate_limited", 2),
        (
            vec![said(r#"{"choices":[{"error":{"message":"overloaded"},"message":{}}]}"#), ok()],
            "ok",
            2,
        ),
        (vec![said(r#"{"object":"error","message":"invalid_request"}"#)], "bad_request", 1),
    ] {
        let endpoint = Endpoint::start(answers.clone()).await;
        let model = model_at(endpoint.url(), &json!({})).unwrap();
        let result = model.generate(generate(&json!({ "input": "hi" }), &json!([]))).await;
        let status = result.as_ref().map_or_else(ModelError::status, |_| "ok");
        assert_eq!(status, expected, "{answers:?}: {result:?}");
        assert_eq!(endpoint.requests().len(), requests, "{answers:?}");
        assert!(!format!("{result:?}").contains("sk-secret"), "{result:?}");
    }
}

#[tokio::test]
async fn the_request_goes_below_the_base_url_with_its_headers() {
    let said = completion(json!({ "content": "hi" })).to_string();
    let endpoint = Endpoint::start(vec![Answer::http(200, "", &said)]).await;
    let settings = json!({ "default_headers": { "x-team": "a" } });
    let model = model_at(endpoint.url(), &settings).unwrap();
    model.generate(generate(&json!({ "input": "hi" }), &json!([]))).await.unwrap();
    let request = endpoint.requests().remove(0);
    for expected in [
        "POST /v1/chat/completions HTTP/1.1\r\n",
        "authorization: Bearer sk-secret\r\n",
        "x-team: a\r\n",
        r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
    ] {
        assert!(request.contains(expected), "{expected} is not in {request}");
    }
}

#[tokio::test]
async fn a_turn_of_nothing_but_reasoning_can_be_the_last() {
    let said = completion(json!({ "content": "hi" })).to_string();
    let endpoint = Endpoint::start(vec![Answer::http(200, "", &said)]).await;
    let history = json!([with_id(reasoning(&["r"]))]);
    for (allowed, requests) in [(false, 0), (true, 1)] {
        let settings = json!({ "sequential_reasoning_allowed": allowed });
        let model = model_at(endpoint.url(), &settings).unwrap();
        let response = model.generate(generate(&json!({ "input": "hi" }), &history)).await.unwrap();
        let filtered = response.incomplete == Some(IncompleteReason::ContentFilter);
        assert_eq!((filtered, endpoint.requests().len()), (!allowed, requests));
    }
}

#[tokio::test]
async fn log_probabilities_that_a_task_asks_for_stand_with_the_text() {
    let mut said = completion(json!({ "content": "hi" }));
    let entry = json!({ "token": "hi", "logprob": -0.5, "bytes": null, "top_logprobs": [] });
    said["choices"][0]["logprobs"] = json!({ "content": [entry] });
    let response = answer(&json!({}), &said).await.unwrap();
    assert_eq!(response["output"][0]["content"][0]["logprobs"], json!([entry]));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    for (settings, expected) in [
        (json!({ "extra_body": { "messages": [] } }), "`settings.extra_body.messages`"),
        (
            json!({ "sampling_overrides": { "stream": true } }),
            "`settings.sampling_overrides.stream`",
        ),
        (json!({ "base_url": "ftp://a" }), "`settings.base_url`"),
    ] {
        let error = model_at("http://a/v1", &settings).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
