//! Items as turns of blocks.

use framework::responses::{FunctionCall, Item, ItemKind, Role};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::chat_completions::messages::Unsupported;
use crate::object::{Object, first, push_text};

/// A conversation as Anthropic has it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: String,
    turns: Vec<Turn>,
}

#[derive(Debug)]
struct Turn {
    role: &'static str,
    /// Each is a JSON object.
    blocks: Vec<String>,
}

impl Conversation {
    /// The conversation that items make.
    ///
    /// # Errors
    /// Fails on items and parts that the API does not have.
    pub(super) fn new<'a>(
        instructions: Option<&str>,
        items: impl Iterator<Item = &'a Item>,
    ) -> Result<Self, Unsupported> {
        let mut conversation = Self::default();
        conversation.said_by_operator(instructions.unwrap_or_default());
        for item in items {
            conversation.add(item)?;
        }
        Ok(conversation)
    }

    /// Appends the turns as a JSON list.
    pub(super) fn write(&self, out: &mut String) {
        out.push('[');
        for (index, Turn { role, blocks }) in self.turns.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let blocks = blocks.join(",");
            out.extend([comma, "{\"role\":\"", role, "\",\"content\":[", &blocks, "]}"]);
        }
        out.push(']');
    }

    fn said_by_operator(&mut self, text: &str) {
        if !self.system.is_empty() && !text.is_empty() {
            self.system.push_str("\n\n");
        }
        self.system.push_str(text);
    }

    fn add(&mut self, item: &Item) -> Result<(), Unsupported> {
        let fields = Object::parse(item.json().get());
        let fields = fields.map_err(|error| Unsupported(format!("an item: {error}")))?;
        match item.kind() {
            ItemKind::Message(Role::System | Role::Developer) if self.turns.is_empty() => {
                self.said_by_operator(&item.text());
            }
            ItemKind::Message(Role::System | Role::Developer) => {
                let reason = "a message of the operator's after the conversation has begun";
                return Err(Unsupported(reason.to_owned()));
            }
            ItemKind::Message(Role::User) => {
                let blocks = heard(fields.get("content"))?;
                self.take("user", blocks);
            }
            ItemKind::Message(Role::Assistant) => {
                if fields.get("tool_calls").is_some() {
                    return Err(Unsupported("calls of a chat in a message".to_owned()));
                }
                let texts = texts(fields.get("content"))?;
                self.take("assistant", texts.into_iter().filter(says_something).collect());
            }
            ItemKind::Reasoning => self.take("assistant", thought(&fields)),
            ItemKind::FunctionCall(call) => {
                let block = tool_use(call)?;
                self.turn("assistant").push(block);
            }
            ItemKind::FunctionCallOutput => {
                self.answered(fields.text("call_id"), fields.get("output"))?;
            }
            ItemKind::Message(Role::Tool) => {
                self.answered(fields.text("tool_call_id"), fields.get("content"))?;
            }
            ItemKind::Hosted => {
                let tag = fields.text("type").unwrap_or_default();
                return Err(Unsupported(format!("an item of type `{tag}`")));
            }
        }
        Ok(())
    }

    fn answered(
        &mut self,
        call_id: Option<impl AsRef<str>>,
        output: Option<&RawValue>,
    ) -> Result<(), Unsupported> {
        let id = call_id.as_ref().map_or("", AsRef::as_ref);
        let blocks = heard(output)?;
        let block = match blocks.as_slice() {
            [only] if only["type"] == "text" => {
                json!({ "type": "tool_result", "tool_use_id": id, "content": only["text"] })
            }
            _ => json!({ "type": "tool_result", "tool_use_id": id, "content": blocks }),
        };
        self.take("user", vec![block]);
        Ok(())
    }

    /// Adds blocks to the turn of that role.
    fn take(&mut self, role: &'static str, blocks: Vec<Value>) {
        if !blocks.is_empty() {
            self.turn(role).extend(blocks.iter().map(Value::to_string));
        }
    }

    /// The blocks of the turn of that role, which begins if it is another's.
    fn turn(&mut self, role: &'static str) -> &mut Vec<String> {
        if self.turns.last().is_none_or(|turn| turn.role != role) {
            self.turns.push(Turn { role, blocks: Vec::new() });
        }
        let last = self.turns.last_mut().expect("there is one now");
        &mut last.blocks
    }
}

/// A call with its arguments as the text they came in: numbers keep their digits.
fn tool_use(call: &FunctionCall) -> Result<String, Unsupported> {
    let FunctionCall { call_id, name, arguments } = call;
    let input: Result<&RawValue, _> = serde_json::from_str(arguments);
    let input = input
        .ok()
        .filter(|input| first(input) == b'{')
        .ok_or_else(|| Unsupported(format!("arguments of `{name}` that are no JSON object")))?;
    let mut block = String::from("{\"type\":\"tool_use\",\"id\":");
    push_text(&mut block, call_id);
    block.push_str(",\"name\":");
    push_text(&mut block, name);
    block.extend([",\"input\":", input.get(), "}"]);
    Ok(block)
}

fn says_something(block: &Value) -> bool {
    block["text"].as_str().is_some_and(|text| !text.trim().is_empty())
}

fn text_block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn parts<'a>(content: &'a RawValue) -> Result<Vec<Object<'a>>, Unsupported> {
    serde_json::from_str(content.get()).map_err(|error| Unsupported(format!("parts: {error}")))
}

/// The texts of what the model said, a block each.
fn texts(content: Option<&RawValue>) -> Result<Vec<Value>, Unsupported> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if first(content) == b'"' {
        let text = crate::object::text(content).unwrap_or_default();
        return Ok(vec![text_block(&text)]);
    }
    let parts = parts(content)?;
    Ok(parts.iter().filter_map(|part| part.text("text")).map(|text| text_block(&text)).collect())
}

/// What somebody else says.
fn heard(content: Option<&RawValue>) -> Result<Vec<Value>, Unsupported> {
    match content {
        Some(content) if first(content) == b'[' => parts(content)?.iter().map(block).collect(),
        content => texts(content),
    }
}

fn block(part: &Object<'_>) -> Result<Value, Unsupported> {
    let tag = part.text("type").unwrap_or_default();
    match &*tag {
        "input_text" | "output_text" | "text" => {
            Ok(text_block(&part.text("text").unwrap_or_default()))
        }
        "input_image" => {
            let url = part.text("image_url");
            let url = url.filter(|url| !url.is_empty());
            let url = url.ok_or_else(|| Unsupported("an image without a URL".to_owned()))?;
            Ok(json!({ "type": "image", "source": source(&url) }))
        }
        "input_file" => {
            let data = part.text("file_data").or_else(|| part.text("file_url"));
            let data = data.ok_or_else(|| Unsupported("a file without its data".to_owned()))?;
            Ok(json!({ "type": "document", "source": source(&data) }))
        }
        _ => Err(Unsupported(format!("a part of type `{tag}`"))),
    }
}

/// A data URL as what it holds, any other as it is.
fn source(url: &str) -> Value {
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    match data {
        Some((media_type, data)) => {
            json!({ "type": "base64", "media_type": media_type, "data": data })
        }
        None => json!({ "type": "url", "url": url }),
    }
}

/// A thought that Anthropic has signed.
fn thought(fields: &Object<'_>) -> Vec<Value> {
    let Some(signature) = fields.text("encrypted_content") else { return Vec::new() };
    let summary = fields.get("summary");
    let summary = summary.and_then(|summary| texts(Some(summary)).ok()).unwrap_or_default();
    let thought: String = summary.iter().filter_map(|part| part["text"].as_str()).collect();
    if summary.is_empty() {
        return vec![json!({ "type": "redacted_thinking", "data": signature })];
    }
    vec![json!({ "type": "thinking", "thinking": thought, "signature": signature })]
}
