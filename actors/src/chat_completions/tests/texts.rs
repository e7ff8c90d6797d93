//! Conversations as text, for endpoints that complete text.

use super::*;

fn raw(more: Value) -> Value {
    let mut settings = json!({ "use_completions_api": true, "uses_reasoning_parser": false });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

fn user(text: &str) -> Value {
    json!({ "role": "user", "content": text })
}

#[test]
fn a_users_message_after_a_systems_is_a_text() {
    let parts = json!([{ "type": "input_text", "text": "q" }]);
    for (input, expected) in [
        (json!("q"), "q"),
        (json!([user("q")]), "q"),
        (json!([{ "role": "user", "content": parts }]), "q"),
        (json!([{ "role": "system", "content": "s" }, user("q")]), "s\n\nq"),
    ] {
        let body = sent(&raw(json!({})), &json!({ "input": input })).unwrap();
        assert_eq!(body, json!({ "model": "m", "prompt": expected }), "{input}");
    }
    let instructions = json!({ "input": "q", "instructions": "i" });
    assert_eq!(sent(&raw(json!({})), &instructions).unwrap()["prompt"], "i\n\nq");
}

#[test]
fn what_a_text_cannot_say_is_an_error() {
    let tool = json!({ "type": "function", "name": "f", "parameters": {}, "strict": null });
    let image = json!([{ "type": "input_image", "image_url": "data:x", "detail": "auto" }]);
    for (params, expected) in [
        (json!({ "input": [user("a"), user("b")] }), "one user's message"),
        (json!({ "input": [user("a"), { "role": "assistant", "content": "b" }] }), "one user's"),
        (json!({ "input": [] }), "one user's message"),
        (json!({ "input": [{ "role": "user", "content": image }] }), "one user's message"),
        (json!({ "input": "q", "tools": [tool] }), "tools, which text"),
    ] {
        let error = sent(&raw(json!({})), &params).unwrap_err();
        assert_eq!(error.status(), "unsupported");
        assert!(error.to_string().contains(expected), "{params}: {error}");
    }
}

#[test]
fn parameters_are_those_of_texts() {
    let settings = raw(
        json!({ "extra_body": { "top_k": 5, "seed": 1 }, "sampling_overrides": { "top_p": 0.9 } }),
    );
    let params = json!({ "input": "q", "max_output_tokens": 7, "temperature": 0.5, "top_logprobs": 2,
        "user": "u", "metadata": { "a": "b", "extra_body": "{\"min_p\":0.1}" }, "store": true });
    let expected = json!({ "model": "m", "prompt": "q", "max_tokens": 7, "temperature": 0.5, "logprobs": 2,
        "user": "u", "top_k": 5, "seed": 1, "min_p": 0.1, "top_p": 0.9 });
    assert_eq!(sent(&settings, &params).unwrap(), expected);
    let training = raw(json!({ "return_token_id_information": true }));
    let expected = json!({ "model": "m", "prompt": "q", "logprobs": 0, "return_token_ids": true,
        "return_tokens_as_token_ids": true });
    assert_eq!(sent(&training, &json!({ "input": "q" })).unwrap(), expected);
}

/// A template in the manner of those that are shipped with models.
const TEMPLATE: &str = "{{ bos_token }}
{%- if tools %}
    {{- '[TOOLS] ' + (tools | tojson) + '\\n' }}
{%- endif %}
{%- for message in messages %}
    {%- if message['role'] == 'joker' %}{{ raise_exception('no jokers') }}{%- endif %}
    {%- if message.content is string %}
    {{- '<|' + message['role'] + '|>' + message['content'].strip() + eos_token }}
    {%- endif %}
    {%- for call in message.tool_calls or [] %}
        {{- '<call>' + call.function.name + call.function.arguments + '</call>' }}
    {%- endfor %}
    {%- if loop.last and thinking is defined and not thinking %}{{ '<no_think>' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>' }}
{%- endif %}";

fn tokenizer() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let config = json!({ "bos_token": { "content": "<s>" }, "eos_token": "</s>", "chat_template": TEMPLATE });
    std::fs::write(folder.path().join("tokenizer_config.json"), config.to_string()).unwrap();
    folder
}

#[test]
fn a_template_makes_a_text_of_any_chat() {
    let folder = tokenizer();
    let settings = raw(json!({ "render_chat_template": true, "tokenizer": folder.path(),
        "chat_template_kwargs": { "thinking": false } }));
    let tool = json!({ "type": "function", "name": "f", "parameters": { "type": "object" }, "strict": true });
    let input = json!([
        { "role": "system", "content": "s" }, user(" it's <b> \n"), call("1", "f", "{\"a\": 1}"), output("1", "x"),
    ]);
    let body = sent(&settings, &json!({ "input": input, "tools": [tool] })).unwrap();
    let expected = "<s>[TOOLS] [{\"type\": \"function\", \"function\": {\"name\": \"f\", \"parameters\": {\"type\": \"object\"}}}]\n\
        <|system|>s</s><|user|>it's <b></s><call>f{\"a\": 1}</call><|tool|>x</s><no_think><|assistant|>";
    assert_eq!(body["prompt"], expected);
    assert_eq!(body["add_special_tokens"], false);
    assert!(body.get("tools").is_none() && body.get("chat_template_kwargs").is_none(), "{body}");
}

#[test]
fn a_template_can_be_a_file_of_its_own_and_has_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let named = json!({ "chat_template": [{ "name": "default", "template": "d" }] }).to_string();
    for (path, expected) in [
        (at("a.jinja", "{% generation %}{{ messages[0].content }}{% endgeneration %}"), Ok("q")),
        (at("b.json", &named), Ok("d")),
        (at("c.json", "{}"), Err("it has no chat template")),
        (at("d.jinja", "{% if %}"), Err("syntax error")),
        (folder.path().join("none.jinja"), Err("cannot read")),
        (folder.path().to_owned(), Err("it has no chat template")),
    ] {
        let settings = raw(json!({ "render_chat_template": true, "tokenizer": path }));
        match expected {
            Ok(text) => {
                assert_eq!(sent(&settings, &json!({ "input": "q" })).unwrap()["prompt"], text);
            }
            Err(reason) => {
                let error = model_at("http://a/v1", &settings).unwrap_err().to_string();
                assert!(
                    error.contains(reason) && error.contains("`settings.tokenizer`"),
                    "{error}"
                );
            }
        }
    }
    for settings in [
        json!({ "use_completions_api": true, "render_chat_template": true }),
        json!({ "use_completions_api": true, "tokenizer": "x" }),
        json!({ "render_chat_template": true }),
    ] {
        assert!(model_at("http://a/v1", &settings).is_err(), "{settings}");
    }
}

#[test]
fn a_template_that_refuses_a_chat_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.jinja");
    std::fs::write(&path, "{{ raise_exception('roles must alternate') }}").unwrap();
    let settings = raw(json!({ "render_chat_template": true, "tokenizer": path }));
    let error = sent(&settings, &json!({ "input": "q" })).unwrap_err();
    assert_eq!(error.status(), "unsupported");
    assert!(error.to_string().contains("roles must alternate"), "{error}");
}

/// What an endpoint says to a text, and where the ids come from.
#[tokio::test]
async fn completions_of_a_text_are_messages_with_their_ids() {
    let choice = |more: Value| {
        let mut choice = json!({ "index": 0, "text": " hi", "finish_reason": "stop" });
        choice.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": [choice],
            "usage": { "prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3 } })
    };
    let logprobs = json!({ "tokens": ["token_id:7"], "token_logprobs": [-0.5], "top_logprobs": [null], "text_offset": [0] });
    let ids = Ok(json!([[1, 2], [7], [-0.5]]));
    for (more, expected) in [
        (
            json!({ "prompt_token_ids": [1, 2], "token_ids": [7], "logprobs": logprobs }),
            ids.clone(),
        ),
        (json!({ "token_ids": [7], "logprobs": logprobs }), ids.clone()),
        (json!({ "prompt_token_ids": [1, 2], "logprobs": logprobs }), ids.clone()),
        (json!({ "logprobs": logprobs }), ids),
        (json!({ "token_ids": [7] }), Err("is missing")),
        (json!({}), Err("is missing")),
        (json!({ "token_ids": [7, 8], "logprobs": logprobs }), Err("2 generated token ids, but 1")),
        (
            json!({ "logprobs": { "tokens": ["hi"], "token_logprobs": [-0.5] } }),
            Err("is no `token_id:…`"),
        ),
        (
            json!({ "logprobs": { "tokens": ["token_id:7"], "token_logprobs": [null] } }),
            Err("`logprobs`"),
        ),
    ] {
        let answers = [choice(more.clone()).to_string(), r#"{"tokens":[1,2]}"#.to_owned()];
        let answers = answers.iter().map(|body| Answer::http(200, "", body)).collect();
        let endpoint = Endpoint::start(answers).await;
        let settings = raw(json!({ "return_token_id_information": true }));
        let model = model_at(endpoint.url(), &settings).unwrap();
        let answer = model.generate(generate(&json!({ "input": "q" }), &json!([]))).await;
        match expected {
            Ok(ids) => {
                let response = serde_json::to_value(answer.unwrap()).unwrap();
                let item = &response["output"][0];
                let found = json!([
                    item["prompt_token_ids"],
                    item["generation_token_ids"],
                    item["generation_log_probs"]
                ]);
                assert_eq!((found, &item["content"][0]["text"]), (ids, &json!(" hi")), "{more}");
                assert_eq!(response["usage"]["total_tokens"], 3);
            }
            Err(reason) => {
                let error = answer.unwrap_err().to_string();
                assert!(error.contains(reason), "{more}: {error}");
            }
        }
        let requests = endpoint.requests();
        assert!(requests[0].starts_with("POST /v1/completions HTTP/1.1\r\n"), "{}", requests[0]);
        if let Some(tokenizer) = requests.get(1) {
            assert!(tokenizer.ends_with(r#"{"model":"m","prompt":"q"}"#), "{tokenizer}");
        }
    }
}
