//! A message of Anthropic's as a response.

use framework::model::ModelError;
use framework::responses::{CreateParams, IncompleteReason, Item, Response, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::chat_completions::reply::{echo, unique};
use crate::upstream::Failures;

/// A message, as far as it is looked at.
#[derive(Deserialize)]
struct Message<'a> {
    model: Option<String>,
    #[serde(borrow)]
    content: Vec<Block<'a>>,
    stop_reason: Option<String>,
    usage: Option<Counts>,
}

/// A block, with the fields of all its types.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    r#type: String,
    text: String,
    thinking: String,
    signature: Option<String>,
    data: String,
    id: String,
    name: String,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Counts {
    input_tokens: u64,
    output_tokens: u64,
    cache_creation_input_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
}

impl From<Counts> for Usage {
    fn from(counts: Counts) -> Self {
        let Counts { input_tokens, output_tokens, .. } = counts;
        let written = counts.cache_creation_input_tokens.unwrap_or_default();
        let read = counts.cache_read_input_tokens.unwrap_or_default();
        let input_tokens = input_tokens.saturating_add(written).saturating_add(read);
        Self {
            input_tokens,
            cached_tokens: counts.cache_read_input_tokens,
            output_tokens,
            reasoning_tokens: None,
            total_tokens: input_tokens.saturating_add(output_tokens),
        }
    }
}

/// Reads a message's text.
///
/// # Errors
/// Fails if it is none, or ended in a way that rollouts have no use for.
pub(super) fn read(
    text: &str,
    params: &CreateParams,
    failures: &Failures,
) -> Result<Response, ModelError> {
    #[derive(Deserialize)]
    struct Error<'a> {
        #[serde(borrow)]
        error: Option<&'a RawValue>,
    }
    let error = serde_json::from_str::<Error<'_>>(text).ok().and_then(|found| found.error);
    if let Some(error) = error {
        return Err(failures.inner(error.get()));
    }
    let malformed = |error: &dyn std::fmt::Display| {
        failures.malformed(format_args!("{error}; it says: {text}"))
    };
    let message: Message<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    let incomplete = match message.stop_reason.as_deref() {
        None | Some("end_turn" | "tool_use" | "stop_sequence") => None,
        Some("max_tokens" | "model_context_window_exceeded") => {
            Some(IncompleteReason::MaxOutputTokens)
        }
        Some("refusal") => Some(IncompleteReason::ContentFilter),
        Some(reason) => return Err(malformed(&format_args!("unknown `stop_reason: {reason}`"))),
    };
    let items = items(message.content).map_err(|error| malformed(&error))?;
    let model = message.model.unwrap_or_default();
    let mut response = Response::new(format!("resp_{}", unique()), model.into(), items);
    response.usage = message.usage.map(Usage::from);
    response.incomplete = incomplete;
    Ok(response.with_fields(echo(params, std::iter::empty())))
}

/// The items of a message's blocks, in their order; texts that follow each other are one message.
fn items(blocks: Vec<Block<'_>>) -> Result<Vec<Item>, String> {
    let mut items: Vec<Value> = Vec::new();
    for block in blocks {
        match block.r#type.as_str() {
            "text" => {
                let last = items.last_mut().filter(|last| last["type"] == "message");
                match last.and_then(|last| last["content"].as_array_mut()) {
                    Some(parts) => parts.push(part(&block.text)),
                    None => items.push(message(vec![part(&block.text)])),
                }
            }
            "thinking" => {
                let summary = [json!({ "text": block.thinking, "type": "summary_text" })];
                items.push(reasoning(&summary, block.signature));
            }
            "redacted_thinking" => items.push(reasoning(&[], Some(block.data))),
            "tool_use" => items.push(json!({
                "arguments": block.input.map_or("{}", RawValue::get), "call_id": block.id,
                "name": block.name, "type": "function_call", "id": block.id, "status": "completed",
            })),
            other => return Err(format!("a block of type `{other}`")),
        }
    }
    if items.is_empty() {
        items.push(message(vec![part("")]));
    }
    let items = items.iter().map(|item| Item::parse(&item.to_string()));
    items.collect::<Result<_, _>>().map_err(|error| error.to_string())
}

fn part(text: &str) -> Value {
    json!({ "annotations": [], "text": text, "type": "output_text" })
}

fn message(parts: Vec<Value>) -> Value {
    json!({ "id": format!("msg_{}", unique()), "content": parts, "role": "assistant",
        "status": "completed", "type": "message" })
}

fn reasoning(summary: &[Value], signature: Option<String>) -> Value {
    json!({ "id": format!("rs_{}", unique()), "summary": summary, "type": "reasoning",
        "encrypted_content": signature })
}
