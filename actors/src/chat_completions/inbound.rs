//! A chat's messages as the items of a conversation: the way back of `messages.rs`, for chats that come
//! from elsewhere.

use framework::responses::{Item, ItemError};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::completion;
use super::reply::Written;
use crate::object::{Object, first};
use crate::turn;

/// Why a chat is no conversation.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChatError {
    /// Not a list of objects.
    #[error("not a list of messages: {0}")]
    Json(#[from] serde_json::Error),
    /// One of the messages.
    #[error("`messages[{index}]`: {reason}")]
    Message {
        /// Its place in the list.
        index: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The items of a chat, given as the JSON list of its messages. What the model said becomes the items
/// that it would have become as an answer.
///
/// # Errors
/// Fails on roles and parts that a conversation does not have.
pub fn items(messages: &str) -> Result<Vec<Item>, ChatError> {
    let messages: Vec<&RawValue> = serde_json::from_str(messages)?;
    let mut items = Vec::new();
    for (index, message) in messages.into_iter().enumerate() {
        let made = of_message(message).map_err(|reason| ChatError::Message { index, reason })?;
        items.extend(made);
    }
    Ok(items)
}

/// Where a conversation was handed to the model: what comes before its first item is the input, the
/// rest is the output, which includes what tools and users said since.
pub fn split(items: &[Item]) -> (&[Item], &[Item]) {
    let first = items.iter().position(turn::is_made_by_model);
    items.split_at(first.unwrap_or(items.len()))
}

fn of_message(message: &RawValue) -> Result<Vec<Item>, String> {
    let fields = Object::parse(message.get()).map_err(|error| error.to_string())?;
    let role = fields.text("role").ok_or("`role` is missing")?;
    match &*role {
        "assistant" => {
            let said: completion::Message<'_> =
                serde_json::from_str(message.get()).map_err(|error| error.to_string())?;
            Written::new(said, true, None)?.items()
        }
        "system" | "developer" | "user" => {
            let content = heard(fields.get("content"))?;
            let mut item = json!({ "role": &*role, "content": content, "type": "message" });
            if let Some(name) = fields.text("name") {
                item["name"] = name.into();
            }
            Ok(vec![parse(&item)?])
        }
        "tool" => {
            let id = fields.text("tool_call_id").ok_or("`tool_call_id` is missing")?;
            let output = heard(fields.get("content"))?;
            let item = json!({ "type": "function_call_output", "call_id": &*id, "output": output });
            Ok(vec![parse(&item)?])
        }
        other => Err(format!("unknown role `{other}`")),
    }
}

fn parse(item: &Value) -> Result<Item, String> {
    Item::parse(&item.to_string()).map_err(|error: ItemError| error.to_string())
}

/// What somebody else says; nothing is the empty text.
fn heard(content: Option<&RawValue>) -> Result<Value, String> {
    let Some(content) = content else { return Ok("".into()) };
    let value: Value = serde_json::from_str(content.get()).map_err(|error| error.to_string())?;
    match (first(content), value) {
        (b'[', Value::Array(parts)) => {
            parts.into_iter().map(part).collect::<Result<_, _>>().map(Value::Array)
        }
        (b'"', text) => Ok(text),
        _ => Err("`content` is neither text nor a list of parts".to_owned()),
    }
}

fn part(mut part: Value) -> Result<Value, String> {
    let tag = part["type"].as_str().unwrap_or_default().to_owned();
    match tag.as_str() {
        "text" => Ok(json!({ "type": "input_text", "text": part["text"].take() })),
        "image_url" => {
            let (url, detail) =
                (part["image_url"]["url"].take(), part["image_url"]["detail"].take());
            let detail = if detail.is_null() { "auto".into() } else { detail };
            Ok(json!({ "type": "input_image", "image_url": url, "detail": detail }))
        }
        "video_url" => {
            Ok(json!({ "type": "input_video", "video_url": part["video_url"]["url"].take() }))
        }
        "file" => {
            let mut file = part["file"].take();
            file["type"] = "input_file".into();
            Ok(file)
        }
        "input_audio" => Ok(part),
        _ => Err(format!("a part of type `{tag}`")),
    }
}
