//! Chats that come from elsewhere, as conversations.

use super::*;
use crate::chat_completions::{items, split};

fn of_chat(messages: &Value) -> Value {
    let items = items(&messages.to_string()).unwrap();
    plain(&Value::Array(items.iter().map(|item| serde_json::to_value(item).unwrap()).collect()))
}

#[test]
fn every_message_of_a_chat_has_its_items() {
    let call_item = call("1", "f", "{}");
    for (message, expected) in [
        (
            json!({ "role": "user", "content": "q" }),
            json!([{ "role": "user", "content": "q", "type": "message" }]),
        ),
        (
            json!({ "role": "user", "content": null }),
            json!([{ "role": "user", "content": "", "type": "message" }]),
        ),
        (json!({ "role": "user" }), json!([{ "role": "user", "content": "", "type": "message" }])),
        (
            json!({ "role": "system", "content": "s" }),
            json!([{ "role": "system", "content": "s", "type": "message" }]),
        ),
        (
            json!({ "role": "developer", "content": "d", "name": "n" }),
            json!([{ "role": "developer", "content": "d", "name": "n", "type": "message" }]),
        ),
        (
            json!({ "role": "user", "content": [
                { "type": "text", "text": "a" }, { "type": "image_url", "image_url": { "url": "data:x" } },
                { "type": "video_url", "video_url": { "url": "http://v" } }, { "type": "file", "file": { "file_id": "f" } },
                { "type": "input_audio", "input_audio": { "data": "x", "format": "wav" } },
            ] }),
            json!([{ "role": "user", "type": "message", "content": [
                { "type": "input_text", "text": "a" }, { "type": "input_image", "image_url": "data:x", "detail": "auto" },
                { "type": "input_video", "video_url": "http://v" }, { "type": "input_file", "file_id": "f" },
                { "type": "input_audio", "input_audio": { "data": "x", "format": "wav" } },
            ] }]),
        ),
        (
            json!({ "role": "tool", "tool_call_id": "1", "content": "x" }),
            json!([{ "type": "function_call_output", "call_id": "1", "output": "x" }]),
        ),
        (json!({ "role": "assistant", "content": "a" }), json!([message("a")])),
        (
            json!({ "role": "assistant", "content": "<think>r</think>a", "tool_calls": [chat_call("1", "f", "{}")] }),
            json!([reasoning(&["r"]), message("a"), call_item]),
        ),
        (
            json!({ "role": "assistant", "content": null, "reasoning_content": "r" }),
            json!([reasoning(&["r"])]),
        ),
    ] {
        assert_eq!(of_chat(&json!([message])), expected, "{message}");
    }
}

#[test]
fn what_is_no_chat_is_refused_with_its_place() {
    for (messages, expected) in [
        (
            json!([{ "role": "user", "content": "q" }, { "role": "joker", "content": "" }]),
            "`messages[1]`: unknown role `joker`",
        ),
        (json!([{ "content": "" }]), "`role` is missing"),
        (json!([{ "role": "tool", "content": "" }]), "`tool_call_id` is missing"),
        (json!([{ "role": "user", "content": 5 }]), "neither text nor a list"),
        (json!([{ "role": "user", "content": [{ "type": "smell" }] }]), "a part of type `smell`"),
        (json!([{ "role": "assistant", "content": 5 }]), "neither text nor parts"),
        (json!({}), "not a list of messages"),
    ] {
        let error = items(&messages.to_string()).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_conversation_is_split_where_the_model_speaks_first() {
    let user = || json!({ "role": "user", "content": "q" });
    let hosted = json!({ "type": "web_search_call", "id": "w" });
    for (items, expected) in [
        (vec![user(), with_id(message("a")), user()], 1),
        (vec![user(), call("1", "f", "{}"), output("1", "x")], 1),
        (vec![with_id(reasoning(&["r"])), user()], 0),
        (vec![user(), hosted], 1),
        (vec![user(), output("1", "x"), user()], 3),
        (vec![], 0),
    ] {
        let items: Vec<_> =
            items.iter().map(|item| Item::parse(&item.to_string()).unwrap()).collect();
        let (input, output) = split(&items);
        assert_eq!((input.len(), output.len()), (expected, items.len() - expected), "{items:?}");
    }
    let unknown = Item::parse(r#"{"type":"smell"}"#).unwrap_err().to_string();
    assert!(unknown.contains("unknown item type `smell`"), "{unknown}");
}
