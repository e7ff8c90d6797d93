//! Items as messages, and messages as items: NeMo Gym's pinned cases.

use super::*;

/// Without a reasoning parser, thoughts stand in the text.
fn inline() -> Value {
    json!({ "uses_reasoning_parser": false })
}

fn user(content: &Value) -> Value {
    json!({ "role": "user", "content": content })
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn input(text: &str) -> Value {
    json!({ "type": "input_text", "text": text })
}

#[test]
fn people_say_what_they_said() {
    for (item, expected) in [
        (user(&json!([input("hello")])), user(&json!([text("hello")]))),
        (user(&json!("hello")), user(&json!("hello"))),
        (
            json!({ "type": "message", "role": "user", "status": "completed", "content": [input("hello")] }),
            user(&json!([text("hello")])),
        ),
        (user(&json!([input("a"), input("b")])), user(&json!([text("a"), text("b")]))),
        (
            json!({ "role": "system", "content": [input("a")] }),
            json!({ "role": "system", "content": [text("a")] }),
        ),
        (
            json!({ "role": "developer", "content": [input("a")] }),
            json!({ "role": "developer", "content": [text("a")] }),
        ),
        (
            json!({ "role": "assistant", "content": [input("a"), input("b")] }),
            json!({ "role": "assistant", "content": "ab" }),
        ),
        (
            json!({ "role": "user", "content": "x", "name": "ann" }),
            json!({ "role": "user", "content": "x", "name": "ann" }),
        ),
        (output("c", "42"), json!({ "role": "tool", "content": "42", "tool_call_id": "c" })),
        (
            json!({ "type": "function_call_output", "call_id": "c", "output": [input("a")] }),
            json!({ "role": "tool", "content": [text("a")], "tool_call_id": "c" }),
        ),
        (
            json!({ "role": "tool", "tool_call_id": "c", "content": "42" }),
            json!({ "role": "tool", "content": "42", "tool_call_id": "c" }),
        ),
        (with_id(message("said")), json!({ "role": "assistant", "content": "said" })),
        (
            json!({ "type": "message", "role": "assistant", "id": "m", "content": [{ "type": "refusal", "refusal": "no" }] }),
            json!({ "role": "assistant", "content": null }),
        ),
        (
            call("call_123", "get_weather", "{}"),
            json!({ "role": "assistant", "content": null, "tool_calls": [chat_call("call_123", "get_weather", "{}")] }),
        ),
        (
            json!({ "role": "assistant", "tool_calls": [chat_call("c", "f", "{}")] }),
            json!({ "role": "assistant", "content": null, "tool_calls": [chat_call("c", "f", "{}")] }),
        ),
    ] {
        assert_eq!(messages_of(&inline(), &json!([item])), json!([expected]), "{item}");
    }
}

#[test]
fn pictures_videos_sounds_and_files_are_parts() {
    for (item, expected) in [
        (
            user(&json!([{ "type": "input_image", "image_url": "data:x", "detail": "low" }])),
            user(
                &json!([{ "type": "image_url", "image_url": { "url": "data:x", "detail": "low" } }]),
            ),
        ),
        (
            user(&json!([{ "type": "input_image", "image_url": { "url": "http://x" } }])),
            user(
                &json!([{ "type": "image_url", "image_url": { "url": "http://x", "detail": "auto" } }]),
            ),
        ),
        (
            user(&json!([{ "type": "input_video", "video_url": "http://x" }])),
            user(&json!([{ "type": "video_url", "video_url": { "url": "http://x" } }])),
        ),
        (
            user(&json!([{ "type": "input_video", "video": { "url": "http://x" } }])),
            user(&json!([{ "type": "video_url", "video_url": { "url": "http://x" } }])),
        ),
        (
            user(&json!([{ "type": "input_file", "filename": "a.pdf", "file_data": "data:x" }])),
            user(
                &json!([{ "type": "file", "file": { "filename": "a.pdf", "file_data": "data:x" } }]),
            ),
        ),
        (
            user(
                &json!([{ "type": "input_audio", "input_audio": { "data": "x", "format": "wav" } }]),
            ),
            user(
                &json!([{ "type": "input_audio", "input_audio": { "data": "x", "format": "wav" } }]),
            ),
        ),
    ] {
        assert_eq!(messages_of(&inline(), &json!([item])), json!([expected]), "{item}");
    }
}

#[test]
fn a_prompt_that_is_text_is_a_message_of_text() {
    assert_eq!(messages_of(&inline(), &json!("hello")), json!([user(&json!("hello"))]));
}

#[test]
fn what_a_chat_does_not_have_is_an_error_that_names_it() {
    for (item, expected) in [
        (user(&json!([{ "type": "input_image", "image_url": "" }])), "`input_image` without a URL"),
        (user(&json!([{ "type": "input_image", "file_id": "f" }])), "`input_image` without a URL"),
        (
            user(&json!([{ "type": "input_video", "video_url": " " }])),
            "`input_video` without a URL",
        ),
        (user(&json!([{ "type": "input_smell" }])), "`input_smell` in a message"),
        (
            user(&json!([{ "type": "input_file", "filename": "a" }])),
            "`input_file` without `file_data`",
        ),
        (
            json!({ "type": "function_call_output", "call_id": "c", "output": [{ "type": "input_image", "image_url": "x" }] }),
            "`input_image` in a tool's output",
        ),
        (json!({ "type": "web_search_call", "id": "w" }), "type `web_search_call`"),
    ] {
        let error = sent(&inline(), &json!({ "input": [item] })).unwrap_err();
        assert_eq!((error.status(), error.is_retryable()), ("unsupported", false));
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn what_is_no_item_does_not_get_as_far_as_a_chat() {
    let triple = |more: Value| {
        let mut item = with_id(message("a"));
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    for (item, expected) in [
        (
            json!({ "role": "assistant", "content": 5 }),
            "`content` is missing or not text or a list",
        ),
        (user(&json!(null)), "`content` is missing"),
        (json!({}), "no `type` and no shape"),
        (triple(json!({ "prompt_token_ids": [1] })), "`generation_token_ids` is missing"),
        (
            triple(
                json!({ "prompt_token_ids": ["x"], "generation_token_ids": [], "generation_log_probs": [] }),
            ),
            "`x` is not a token id",
        ),
        (
            triple(
                json!({ "prompt_token_ids": [], "generation_token_ids": [1], "generation_log_probs": [] }),
            ),
            "1 generated token ids, but 0 log-probabilities",
        ),
    ] {
        let error = Item::parse(&item.to_string()).unwrap_err().to_string();
        assert!(error.contains(expected), "{item}: {error}");
    }
}

#[test]
fn what_the_model_made_between_others_is_one_message() {
    let items = json!([
        user(&json!("q")),
        with_id(reasoning(&["r1", "r2"])),
        with_id(message("a")),
        with_id(message("b")),
        call("1", "f", "{}"),
        output("1", "x"),
        call("2", "g", "{}"),
        output("2", "y"),
        with_id(message("c")),
        user(&json!("q2")),
    ]);
    let expected = json!([
        user(&json!("q")),
        { "role": "assistant", "content": "<think>r1</think><think>r2</think>ab", "tool_calls": [chat_call("1", "f", "{}")] },
        { "role": "tool", "content": "x", "tool_call_id": "1" },
        { "role": "assistant", "content": null, "tool_calls": [chat_call("2", "g", "{}")] },
        { "role": "tool", "content": "y", "tool_call_id": "2" },
        { "role": "assistant", "content": "c" },
        user(&json!("q2")),
    ]);
    assert_eq!(messages_of(&inline(), &items), expected);
}

#[test]
fn reasoning_is_text_or_a_field_or_nothing() {
    let history = json!([with_id(reasoning(&["one", "two"])), with_id(message("said"))]);
    let plain = |content: &str| json!([{ "role": "assistant", "content": content }]);
    let field = json!([{ "role": "assistant", "content": "said", "reasoning_content": "one\ntwo", "reasoning": "one\ntwo" }]);
    for (settings, expected) in [
        (inline(), plain("<think>one</think><think>two</think>said")),
        (json!({}), field),
        (json!({ "uses_interleaved_reasoning": false }), plain("said")),
        (
            json!({ "preserve_reasoning_in_assistant_content": true }),
            plain("<think>one</think><think>two</think>said"),
        ),
    ] {
        assert_eq!(messages_of(&settings, &history), expected, "{settings}");
    }
    // A thought that is all leaves an empty text, and one that is none leaves nothing.
    let only = json!([with_id(reasoning(&["r"]))]);
    let expected =
        json!([{ "role": "assistant", "content": "", "reasoning_content": "r", "reasoning": "r" }]);
    assert_eq!(messages_of(&json!({}), &only), expected);
    let none = json!([with_id(reasoning(&[])), with_id(message("said"))]);
    assert_eq!(messages_of(&json!({}), &none), plain("said"));
    let silent = json!([with_id(reasoning(&[]))]);
    assert_eq!(messages_of(&json!({}), &silent), json!([{ "role": "assistant", "content": null }]));
}

#[test]
fn instructions_and_the_operator_speak_first_and_as_one() {
    let system = |text: &str| json!({ "role": "system", "content": text });
    for (instructions, input, expected) in [
        (json!("i"), json!([user(&json!("q"))]), json!([system("i"), user(&json!("q"))])),
        (
            json!("i"),
            json!([system("s"), { "role": "developer", "content": [input("d")] }, user(&json!("q")), system("later")]),
            json!([system("i\n\ns\n\nd"), user(&json!("q")), system("later")]),
        ),
        (json!(null), json!([system("s")]), json!([system("s")])),
        (json!("i"), json!([]), json!([system("i")])),
    ] {
        let params = json!({ "input": input, "instructions": instructions });
        assert_eq!(sent(&inline(), &params).unwrap()["messages"], expected, "{params}");
    }
    let developer = json!({ "role": "developer", "content": "d" });
    let settings = json!({ "replace_developer_role_with_system": true });
    assert_eq!(
        messages_of(&settings, &json!([user(&json!("q")), developer])),
        json!([user(&json!("q")), system("d")])
    );
}

#[test]
fn whitespace_stays_as_it_is() {
    let odd = " \n a\t\n\n  é\u{2028} ";
    let items = json!([
        user(&json!(odd)),
        user(&json!([input(odd)])),
        with_id(reasoning(&[odd])),
        with_id(message(odd)),
        call("c", "f", odd),
        output("c", odd),
    ]);
    let expected = json!([
        user(&json!(odd)), user(&json!([text(odd)])),
        { "role": "assistant", "content": odd, "reasoning_content": odd, "reasoning": odd, "tool_calls": [chat_call("c", "f", odd)] },
        { "role": "tool", "content": odd, "tool_call_id": "c" },
    ]);
    assert_eq!(messages_of(&json!({}), &items), expected);
}

#[test]
fn layers_lie_in_their_order() {
    let settings = json!({
        "extra_body": { "top_k": 1, "temperature": 0.1, "seed": 1 },
        "sampling_overrides": { "top_p": 0.9 },
        "chat_template_kwargs": { "a": 1, "b": 1 },
    });
    let metadata = json!({ "extra_body": r#"{"seed":2,"user":"x"}"#, "chat_template_kwargs": r#"{"b":2}"#, "k": "v" });
    let params = json!({ "input": [], "model": "other", "temperature": 0.5, "top_p": 0.2, "user": "u", "metadata": metadata });
    let expected = json!({
        "top_k": 1, "temperature": 0.5, "seed": 2, "user": "u", "top_p": 0.9, "metadata": { "k": "v" },
        "chat_template_kwargs": { "a": 1, "b": 2 }, "model": "m", "messages": [],
    });
    assert_eq!(sent(&settings, &params).unwrap(), expected);
    let newer = json!({ "uses_max_completion_tokens": true });
    let limit = sent(&newer, &json!({ "input": [], "max_output_tokens": 5 })).unwrap();
    assert_eq!(limit, json!({ "max_completion_tokens": 5, "model": "m", "messages": [] }));
    for extra_body in [r#"{"n":2}"#, r#"{"stream":true}"#, r#"{"messages":[]}"#] {
        let params = json!({ "input": [], "metadata": { "extra_body": extra_body } });
        assert_eq!(sent(&json!({}), &params).unwrap_err().status(), "unsupported", "{extra_body}");
    }
}

/// What the model's message says, and the items that it becomes.
#[rustfmt::skip]
fn replies() -> Vec<(Value, Value)> {
    let calls = || json!([chat_call("1", "f", "{}"), chat_call("2", "g", " {\"a\": 1} ")]);
    let items = || [call("1", "f", "{}"), call("2", "g", " {\"a\": 1} ")];
    let [first, second] = items();
    vec![
        (json!({ "role": "assistant", "content": "hi :) how are you?" }), json!([message("hi :) how are you?")])),
        (json!({ "content": "text", "tool_calls": [chat_call("call_123", "f", "{}")] }),
            json!([message("text"), call("call_123", "f", "{}")])),
        (json!({ "content": "<think>r</think>" }), json!([reasoning(&["r"])])),
        (json!({ "content": "<think>a</think><think>b</think>Hello!" }), json!([reasoning(&["a", "b"]), message("Hello!")])),
        (json!({ "content": "A<think>r</think>B" }), json!([reasoning(&["r"]), message("AB")])),
        (json!({ "content": "<think>r</think>", "tool_calls": calls() }), json!([reasoning(&["r"]), first, second])),
        (json!({ "content": "<think>open" }), json!([message("<think>open")])),
        (json!({ "content": "<think></think>" }), json!([reasoning(&[""])])),
        (json!({ "content": " hello hello", "reasoning_content": "r", "tool_calls": calls() }),
            json!([reasoning(&["r"]), message(" hello hello"), items()[0], items()[1]])),
        (json!({ "content": null, "reasoning_content": "r" }), json!([reasoning(&["r"])])),
        (json!({ "content": null, "reasoning": "r" }), json!([reasoning(&["r"])])),
        (json!({ "content": "x", "reasoning_content": null, "reasoning": null }), json!([message("x")])),
        (json!({ "content": "x", "reasoning_content": "" }), json!([message("x")])),
        (json!({ "content": "x", "reasoning_content": "r", "reasoning": "r" }), json!([reasoning(&["r"]), message("x")])),
        (json!({ "content": null, "tool_calls": null }), json!([message("")])),
        (json!({ "content": "", "tool_calls": [] }), json!([message("")])),
        (json!({ "content": " \n" }), json!([message(" \n")])),
        (json!({ "content": null, "tool_calls": [chat_call("1", "f", "{}"), chat_call("1", "f", "{}"), chat_call("1", "f", "{}")] }),
            json!([call("1", "f", "{}"), call("1", "f", "{}"), call("1", "f", "{}")])),
        (json!({ "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] }), json!([message("ab")])),
        // Some servers send the arguments as JSON.
        (json!({ "tool_calls": [{ "id": "1", "type": "function", "function": { "name": "f", "arguments": { "a": [1] } } }] }),
            json!([call("1", "f", "{\"a\":[1]}")])),
        // What is not known stays, and comes back.
        (json!({ "content": "x", "reasoning_details": [{ "data": 1 }], "audio": null, "function_call": null }), {
            let mut item = message("x");
            item["reasoning_details"] = json!([{ "data": 1 }]);
            json!([item])
        }),
        (json!({ "content": null, "refusal": "no" }), {
            let mut item = message("");
            item["content"] = json!([{ "refusal": "no", "type": "refusal" }]);
            json!([item])
        }),
    ]
}

#[tokio::test]
async fn what_the_model_says_becomes_items() {
    for (said, expected) in replies() {
        let response = answer(&json!({}), &completion(said.clone())).await.unwrap();
        assert_eq!(plain(&response["output"]), expected, "{said}");
    }
}

#[tokio::test]
async fn without_a_reasoning_parser_thoughts_are_text() {
    let said = json!({ "content": "<think>r</think>x" });
    let response = answer(&inline(), &completion(said)).await.unwrap();
    assert_eq!(plain(&response["output"]), json!([message("<think>r</think>x")]));
    let parsed = json!({ "content": "x", "reasoning_content": "r" });
    let error = answer(&inline(), &completion(parsed)).await.unwrap_err();
    assert!(error.to_string().contains("`settings.uses_reasoning_parser: true`"), "{error}");
}

#[test]
fn unknown_fields_come_back_with_the_turn_that_they_belong_to() {
    let mut thought = with_id(reasoning(&["r"]));
    thought["reasoning_details"] = json!([{ "data": 1 }]);
    let messages = messages_of(&json!({}), &json!([thought, with_id(message("x"))]));
    assert_eq!(messages[0]["reasoning_details"], json!([{ "data": 1 }]));
}
