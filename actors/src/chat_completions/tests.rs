//! The conversion both ways, case by case, and what an endpoint may do.
//!
//! NeMo Gym pins its converter and server by tests; each of their cases is one here:
//!
//! | Case | Test |
//! |---|---|
//! | a user's parts, text, a message with a status; a lone call; an output of a tool; an output message; roles that are typed or not; a refusal; chat-shaped calls and tool turns; structured output of a tool; no `tool_calls` without calls | `items::people_say_what_they_said` |
//! | input that is plain text | `items::a_prompt_that_is_text_is_a_message_of_text` (differs: sent as text) |
//! | several turns of several steps, merged | `items::what_the_model_made_between_others_is_one_message` |
//! | one thought, several thoughts, a thought alone or empty, with and without a parser, interleaved, preserved | `items::reasoning_is_text_or_a_field_or_nothing`, `items::without_a_reasoning_parser_thoughts_are_text` |
//! | completions of text, calls, thoughts, nothing, duplicate ids, leading space, think tags kept inline | `items::what_the_model_says_becomes_items` |
//! | extraction of thoughts | `thought::tests` |
//! | replies to earlier replies | `round_trip` (a property, with and without ids) |
//! | recorded data with ids; ids only in training; none leaks into a later turn | `training::ids_go_back_with_the_turn_that_they_belong_to_and_no_other` |
//! | empty ids; an empty assistant with ids | `training::empty_ids_are_ids` |
//! | white space | `items::whitespace_stays_as_it_is` |
//! | tools unwrapped; no tools, no `tool_choice`; `required` without tools; effort | `parameters::tests` |
//! | instructions alone, with system and developer, none | `items::instructions_and_the_operator_speak_first_and_as_one` |
//! | images, videos, an empty URL, unknown parts and items, images from tools | `items::pictures_videos_sounds_and_files_are_parts`, `items::what_a_chat_does_not_have_is_an_error_that_names_it` |
//! | an assistant's content of a wrong type; token fields in part or malformed | `framework::responses::item::tests`, `items::what_is_no_item_does_not_get_as_far_as_a_chat` |
//! | messages of all roles as items, null content, unknown roles | `chats::every_message_of_a_chat_has_its_items`, `chats::what_is_no_chat_is_refused_with_its_place` |
//! | where input ends and output begins | `chats::a_conversation_is_split_where_the_model_speaks_first` |
//! | `finish_reason`, `abort` | `calls::how_a_generation_ended_decides_what_it_is` |
//! | usage, unknown details, aliases | `calls::usage_is_found_under_all_its_names` |
//! | a conversation that is too long | `calls::a_conversation_that_is_refused_for_what_it_is_makes_an_incomplete_response` |
//! | sessions on two upstreams; the same route by two servers | `framework::endpoint::replicas::tests` (differs: by load) |
//! | `top_logprobs` 0 in training, null outside; ids on request; `n` of 2 | `training::training_asks_for_ids_whatever_the_task_says`, `items::layers_lie_in_their_order` |
//! | sources of ids: message, response, tokenizer; disagreement, partial, lengths, missing, no ids | `training::ids_are_taken_from_where_they_are_and_checked` |
//! | what the tokenizer is asked | `training::the_tokenizer_is_asked_about_all_that_makes_the_prompt` |
//! | `routed_experts`, text and lists | `training::the_experts_of_each_token_stay_with_its_ids` |
//! | `metadata` overrides, `extra_body`, overrides of sampling | `items::layers_lie_in_their_order`, `texts::parameters_are_those_of_texts`, `openai::tests` |
//! | history kept to the byte | `items::reasoning_is_text_or_a_field_or_nothing`, `round_trip` |
//! | `sequential_reasoning_allowed: false` | `calls::a_turn_of_nothing_but_reasoning_can_be_the_last` |
//! | sound | `sounds` |
//! | `/completions`, raw and by template | `texts`, `streams::chunks_of_a_text_are_its_completion` |

mod calls;
mod chats;
mod items;
mod logprobs;
mod round_trip;
mod sounds;
mod streams;
mod texts;
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
    let (request, caller) = (request(params, history), Arc::from("agents/solver"));
    Generate { request, key, caller, deadline: Instant::now() + PATIENCE }
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
