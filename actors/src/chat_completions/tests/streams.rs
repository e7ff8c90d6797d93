//! Completions that come in chunks: the same items as at once, or the right error.

use super::*;
use crate::chat_completions::chunks::Chunks;
use crate::upstream::{Assembly, Event};

fn sse(events: &[&str]) -> String {
    events.iter().map(|data| format!("data: {data}\n\n")).collect()
}

/// An endpoint's stream, cut into chunks of HTTP of so many bytes.
fn streamed(text: &str, size: usize) -> Answer {
    let head = "HTTP/1.1 200 X\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n";
    let mut answer = head.to_owned();
    let mut rest = text;
    while !rest.is_empty() {
        let mut end = size.min(rest.len());
        while !rest.is_char_boundary(end) {
            end += 1;
        }
        let (chunk, after) = rest.split_at(end);
        answer.push_str(&format!("{:x}\r\n{chunk}\r\n", chunk.len()));
        rest = after;
    }
    Answer::Send(format!("{answer}0\r\n\r\n"))
}

async fn ask(answers: Vec<Answer>, settings: &Value) -> Result<Value, ModelError> {
    let endpoint = Endpoint::start(answers).await;
    let mut all = json!({ "http": { "stream": true, "retries": 0 } });
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let model = model_at(endpoint.url(), &all).unwrap();
    let answer = model.generate(generate(&json!({ "input": "hi" }), &json!([]))).await;
    let request = endpoint.requests().remove(0);
    assert!(request.contains(r#""stream":true"#), "{request}");
    answer.map(|response| serde_json::to_value(&response).unwrap())
}

const CHUNKS: [&str; 11] = [
    r#"{"id":"c","object":"chat.completion.chunk","created":7,"model":"served","prompt_token_ids":[1,2],"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
    r#"{"choices":[{"index":0,"delta":{"reasoning_content":"th"},"token_ids":[3],"logprobs":{"content":[{"token":"token_id:3","logprob":-0.5}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"reasoning_content":"ink","reasoning_details":[{"type":"t","index":0,"text":"a"}]},"token_ids":[4],"logprobs":{"content":[{"token":"token_id:4","logprob":-1e-05}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"Ü ","reasoning_details":[{"type":"t","index":0,"text":"b"}]},"token_ids":[],"logprobs":{"content":[]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"content":"x\n"}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"1","type":"function","function":{"name":"f","arguments":""}}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\""}}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":": 1}"}},{"index":1,"id":"2","function":{"name":"g","arguments":"{}"}}]}}]}"#,
    r#"{"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls","stop_reason":17}]}"#,
    r#"{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":2,"total_tokens":4},"system_fingerprint":"fp"}"#,
    "[DONE]",
];

#[tokio::test]
async fn chunks_make_what_would_have_come_at_once() {
    let mut at_once =
        completion(json!({ "role": "assistant", "content": "Ü x\n", "reasoning_content": "think",
        "reasoning_details": [{ "type": "t", "index": 0, "text": "ab" }],
        "tool_calls": [chat_call("1", "f", "{\"a\": 1}"), chat_call("2", "g", "{}")] }));
    at_once["usage"] = json!({ "prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4 });
    at_once["system_fingerprint"] = json!("fp");
    at_once["prompt_token_ids"] = json!([1, 2]);
    let choice = &mut at_once["choices"][0];
    (choice["finish_reason"], choice["stop_reason"]) = (json!("tool_calls"), json!(17));
    choice["token_ids"] = json!([3, 4]);
    choice["logprobs"] = json!({ "content": [{ "token": "token_id:3", "logprob": -0.5 }, { "token": "token_id:4", "logprob": -1e-05 }] });
    for tokens in [false, true] {
        let settings = json!({ "return_token_id_information": tokens });
        let mut expected = answer(&settings, &at_once).await.unwrap();
        for size in [1, 7, 64, 100_000] {
            for line_end in ["\n", "\r\n"] {
                let text = sse(&CHUNKS).replace('\n', line_end);
                let mut response = ask(vec![streamed(&text, size)], &settings).await.unwrap();
                for response in [&mut response, &mut expected] {
                    response["id"] = Value::Null;
                    response["output"] = plain(&response["output"]);
                }
                assert_eq!(response, expected, "chunks of {size}");
            }
        }
    }
}

#[tokio::test]
async fn chunks_of_a_text_are_its_completion() {
    let settings = json!({ "use_completions_api": true, "return_token_id_information": true });
    let chunks = [
        r#"{"object":"text_completion","choices":[{"index":0,"text":"a ","prompt_token_ids":[1],"token_ids":[2],"logprobs":{"tokens":["token_id:2"],"token_logprobs":[-0.5]},"finish_reason":null}]}"#,
        r#"{"object":"text_completion","choices":[{"index":0,"text":"b","token_ids":[3],"logprobs":{"tokens":["token_id:3"],"token_logprobs":[-0.25]},"finish_reason":"stop"}]}"#,
        "[DONE]",
    ];
    let response = ask(vec![streamed(&sse(&chunks), 50)], &settings).await.unwrap();
    let item = &response["output"][0];
    assert_eq!(item["content"][0]["text"], "a b");
    assert_eq!(
        json!([
            item["prompt_token_ids"],
            item["generation_token_ids"],
            item["generation_log_probs"]
        ]),
        json!([[1], [2, 3], [-0.5, -0.25]])
    );
}

#[tokio::test]
async fn an_endpoint_that_answers_at_once_all_the_same_is_understood() {
    let said = completion(json!({ "content": "hi" })).to_string();
    let answer = Answer::http(200, "content-type: application/json\r\n", &said);
    let response = ask(vec![answer], &json!({})).await.unwrap();
    assert_eq!(plain(&response["output"]), json!([message("hi")]));
}

#[tokio::test]
async fn a_stream_that_is_none_or_breaks_off_has_its_cause() {
    let whole = sse(&CHUNKS);
    let head =
        "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let half = sse(&CHUNKS[..5]);
    let half_chunk = format!("{head}{:x}\r\n{half}\r\n", half.len());
    let rate = r#"{"error":{"code":429,"message":"rate_limit"}}"#;
    let vllm = r#"{"object":"error","message":"invalid_request","code":400}"#;
    for (answer, expected) in [
        (Answer::HangUp(half_chunk.clone()), "connection"),
        (Answer::HangUp(format!("{head}{:x}\r\n{half}", half.len() + 9)), "connection"),
        (streamed(&half, 100), "connection"),
        (streamed(&sse(&[CHUNKS[0], "[DONE]"]), 100), "connection"),
        (streamed("", 1), "connection"),
        (streamed(&sse(&["<html>"]), 100), "malformed"),
        (streamed(&sse(&[CHUNKS[0], "[1]"]), 100), "malformed"),
        (streamed(&sse(&[r#"{"choices":[{"delta":{"tool_calls":5}}]}"#]), 100), "malformed"),
        (streamed(&sse(&[r#"{"choices":5}"#]), 100), "malformed"),
        (streamed(&sse(&[CHUNKS[0], rate]), 100), "rate_limited"),
        (streamed(&sse(&[CHUNKS[0], vllm]), 100), "bad_request"),
        (streamed(&whole.replace("tool_calls\",\"stop", "abort\",\"stop"), 100), "unavailable"),
        (streamed(&whole.replace(r#"{\"a\""#, &"x".repeat(2000)), 100), "malformed"),
    ] {
        let settings = json!({ "http": { "stream": true, "retries": 0, "body_max": "2KiB" } });
        let error = ask(vec![answer.clone()], &settings).await.unwrap_err();
        assert_eq!(error.status(), expected, "{answer:?}: {error}");
    }
}

#[tokio::test]
async fn a_stream_that_stalls_is_given_up_and_asked_for_again() {
    let half = sse(&CHUNKS[..5]);
    let head =
        "HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    let stalls = Answer::Send(format!("{head}{:x}\r\n{half}\r\n", half.len()));
    for (answers, retries, expected) in [
        (vec![stalls.clone()], 0, "timeout"),
        (vec![stalls, streamed(&sse(&CHUNKS), 100)], 1, "ok"),
    ] {
        let http = json!({ "stream": true, "retries": retries, "backoff": "1ms", "attempt_timeout": "200ms" });
        let result = ask(answers, &json!({ "http": http })).await;
        let status = result.as_ref().map_or_else(ModelError::status, |_| "ok");
        assert_eq!(status, expected, "{result:?}");
    }
}

#[test]
fn the_first_thing_that_is_said_is_known() {
    let mut chunks = Chunks::default();
    let events: Vec<_> = CHUNKS.iter().map(|data| chunks.take(data).unwrap()).collect();
    let said = events.iter().position(|event| *event == Event::Said);
    assert_eq!((said, events[10]), (Some(1), Event::Last));
}

#[test]
fn pieces_of_lists_make_the_lists() {
    let pieces = ["[]", "[ ]", "[1]", "[ 2 , 3 ]", "[]", "[4]"];
    let mut chunks = Chunks::default();
    for piece in pieces {
        let entries = piece.replace(['1', '2', '3', '4'], "{}");
        let delta = format!(r#"{{"generation_token_ids":{piece}}}"#);
        let choice = format!(
            r#"{{"delta":{delta},"token_ids":{piece},"logprobs":{{"content":{entries}}}}}"#
        );
        chunks.take(&format!(r#"{{"prompt_token_ids":{piece},"choices":[{choice}]}}"#)).unwrap();
    }
    chunks.take(r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#).unwrap();
    let whole: Value = serde_json::from_str(&Box::new(chunks).whole().unwrap()).unwrap();
    let choice = &whole["choices"][0];
    for list in [
        &whole["prompt_token_ids"],
        &choice["token_ids"],
        &choice["message"]["generation_token_ids"],
    ] {
        assert_eq!(*list, json!([1, 2, 3, 4]));
    }
    assert_eq!(choice["logprobs"]["content"], json!([{}, {}, {}, {}]));
}
