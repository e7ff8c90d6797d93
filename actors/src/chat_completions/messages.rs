//! Items of a conversation as the messages of a chat.
//!
//! What the model made between two other items is one message: its reasoning, its words and its
//! calls. Values are copied as the text they came in, so whitespace and escapes stay as they are.

use std::borrow::Cow;

use framework::responses::{Item, ItemKind, Role};
use serde_json::value::RawValue;

use super::{parts, thought};
use crate::object::{Object, first, push_key, push_text, text};

/// What has to be known to write messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Reasoning goes into a field of its own instead of into the text.
    pub(super) separate_reasoning: bool,
    /// Earlier reasoning is sent at all, where it goes into a field.
    pub(super) send_reasoning: bool,
    /// The endpoint does not know the role `developer`.
    pub(super) developer_as_system: bool,
    /// Token ids are sent back.
    pub(super) tokens: bool,
}

/// What a message says.
#[derive(Clone, Debug)]
enum Content<'a> {
    Null,
    /// JSON as it came.
    Given(&'a RawValue),
    Text(String),
    /// A JSON list of parts.
    Parts(String),
}

/// One message.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    role: Role,
    content: Content<'a>,
    /// Each is a JSON object.
    calls: Vec<String>,
    call_id: Option<&'a RawValue>,
    reasoning: Option<String>,
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
    tokens: Option<&'a Item>,
}

/// Why a conversation cannot be put as a chat.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unsupported(pub(crate) String);

/// Fields of messages, and of what the model makes, that are written anew.
const KNOWN: [&str; 13] = [
    "type",
    "id",
    "role",
    "status",
    "content",
    "summary",
    "encrypted_content",
    "call_id",
    "name",
    "arguments",
    "tool_calls",
    "tool_call_id",
    "output",
];
/// The same for those who are not the model and may have a name.
const KNOWN_OF_PEOPLE: [&str; 5] = ["type", "id", "role", "status", "content"];

/// The same for the outputs of tools.
const KNOWN_OF_TOOLS: [&str; 8] =
    ["type", "id", "role", "status", "call_id", "output", "tool_call_id", "content"];

/// The messages of a conversation.
///
/// # Errors
/// Fails on items and parts that a chat has no words for.
pub(super) fn messages<'a>(
    instructions: Option<&str>,
    items: impl Iterator<Item = &'a Item>,
    rules: Rules,
) -> Result<Vec<Message<'a>>, Unsupported> {
    let mut chat = Chat { messages: Vec::new(), pending: None, rules };
    for item in items {
        chat.add(item)?;
    }
    chat.flush();
    let mut messages = chat.messages;
    if let Some(instructions) = instructions {
        fold(instructions, &mut messages);
    }
    if rules.developer_as_system {
        let developers = messages.iter_mut().filter(|message| message.role == Role::Developer);
        developers.for_each(|message| message.role = Role::System);
    }
    Ok(messages)
}

/// Writes messages as a JSON list.
pub(super) fn write(messages: &[Message<'_>]) -> String {
    let mut out = String::with_capacity(1024);
    out.push('[');
    for (index, message) in messages.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        message.write(&mut out);
    }
    out.push(']');
    out
}

/// Whether the model's last turn came to nothing, so that asking again would be a second turn in a row.
pub(super) fn ends_in_silence(messages: &[Message<'_>]) -> bool {
    messages.last().is_some_and(|last| {
        let is_empty = match &last.content {
            Content::Null => true,
            Content::Text(text) => text.is_empty(),
            Content::Given(_) | Content::Parts(_) => false,
        };
        last.role == Role::Assistant && is_empty && last.calls.is_empty()
    })
}

/// Puts the instructions and the operator's messages that lead the chat into one.
fn fold(instructions: &str, messages: &mut Vec<Message<'_>>) {
    let is_operator =
        |message: &&Message<'_>| matches!(message.role, Role::System | Role::Developer);
    let leading = messages.iter().take_while(is_operator).count();
    let texts = messages.drain(..leading).map(|message| message.text());
    let texts: Vec<_> = std::iter::once(instructions.to_owned()).chain(texts).collect();
    let content = Content::Text(texts.join("\n\n"));
    messages.insert(0, Message::new(Role::System, content));
}

/// Has the last of a user's messages begin with sounds, by their data URLs.
pub(super) fn begin_with_sounds(messages: &mut Vec<Message<'_>>, sounds: &[String]) {
    if sounds.is_empty() {
        return;
    }
    let blocks: Vec<_> = sounds
        .iter()
        .map(|url| {
            serde_json::json!({ "type": "audio_url", "audio_url": { "url": url } }).to_string()
        })
        .collect();
    let blocks = blocks.join(",");
    let of_user = messages.iter_mut().rev().find(|message| message.role == Role::User);
    match of_user {
        Some(message) => message.content = Content::Parts(message.parts_after(&blocks)),
        None => {
            messages.push(Message::new(Role::User, Content::Parts(format!("[{blocks}]"))));
        }
    }
}

struct Chat<'a> {
    messages: Vec<Message<'a>>,
    /// What the model made since the last item of somebody else.
    pending: Option<Turn<'a>>,
    rules: Rules,
}

#[derive(Default)]
struct Turn<'a> {
    text: String,
    calls: Vec<String>,
    others: Vec<(Cow<'a, str>, &'a RawValue)>,
    tokens: Option<&'a Item>,
}

impl<'a> Chat<'a> {
    fn add(&mut self, item: &'a Item) -> Result<(), Unsupported> {
        let fields = Object::parse(item.json().get()).map_err(unreadable)?;
        match item.kind() {
            ItemKind::Message(Role::Assistant) => self.said(item, fields),
            ItemKind::Message(Role::Tool) => self.answered(fields, ["tool_call_id", "content"]),
            ItemKind::Message(role) => self.heard(*role, fields),
            ItemKind::Reasoning => self.thought(item, fields),
            ItemKind::FunctionCall(_) => {
                self.called(item, fields);
                Ok(())
            }
            ItemKind::FunctionCallOutput => self.answered(fields, ["call_id", "output"]),
            ItemKind::Hosted => {
                let tag = fields.text("type").unwrap_or_default();
                Err(Unsupported(format!("an item of type `{tag}`, which a chat does not have")))
            }
        }
    }

    /// The turn that an item of the model's belongs to.
    fn turn(&mut self, item: &'a Item, fields: Object<'a>) -> &mut Turn<'a> {
        let turn = self.pending.get_or_insert_default();
        for (name, value) in fields.others(&KNOWN) {
            turn.others.retain(|(other, _)| *other != name);
            turn.others.push((name, value));
        }
        if self.rules.tokens && item.tokens().is_some() {
            turn.tokens = Some(item);
        }
        turn
    }

    fn said(&mut self, item: &'a Item, fields: Object<'a>) -> Result<(), Unsupported> {
        let content = fields.get("content").map(parts::said).transpose()?;
        let calls = match fields.get("tool_calls") {
            Some(calls) => {
                serde_json::from_str::<Vec<&RawValue>>(calls.get()).map_err(unreadable)?
            }
            None => Vec::new(),
        };
        let turn = self.turn(item, fields);
        turn.text.push_str(&content.unwrap_or_default());
        turn.calls.extend(calls.into_iter().map(|call| call.get().to_owned()));
        Ok(())
    }

    fn thought(&mut self, item: &'a Item, fields: Object<'a>) -> Result<(), Unsupported> {
        let summary = fields.get("summary");
        let summary: Vec<Object<'_>> = match summary {
            Some(summary) => serde_json::from_str(summary.get()).map_err(unreadable)?,
            None => Vec::new(),
        };
        let turn = self.turn(item, fields);
        for text in
            summary.iter().filter_map(|part| part.text("text")).filter(|text| !text.is_empty())
        {
            thought::push(&mut turn.text, &text);
        }
        Ok(())
    }

    fn called(&mut self, item: &'a Item, fields: Object<'a>) {
        let given = |name| fields.get(name).map_or("\"\"", RawValue::get);
        let (id, name, arguments) = (given("call_id"), given("name"), given("arguments"));
        let call = format!(
            r#"{{"id":{id},"type":"function","function":{{"name":{name},"arguments":{arguments}}}}}"#
        );
        self.turn(item, fields).calls.push(call);
    }

    fn heard(&mut self, role: Role, fields: Object<'a>) -> Result<(), Unsupported> {
        self.flush();
        let content = match fields.get("content") {
            Some(content) if first(content) == b'[' => Content::Parts(parts::heard(content)?),
            Some(content) => Content::Given(content),
            None => Content::Text(String::new()),
        };
        let others = fields.others(&KNOWN_OF_PEOPLE).collect();
        self.messages.push(Message { others, ..Message::new(role, content) });
        Ok(())
    }

    fn answered(&mut self, fields: Object<'a>, names: [&str; 2]) -> Result<(), Unsupported> {
        self.flush();
        let [call_id, output] = names.map(|name| fields.get(name));
        let content = match output {
            Some(output) if first(output) == b'[' => Content::Parts(parts::answered(output)?),
            Some(output) => Content::Given(output),
            None => Content::Text(String::new()),
        };
        let others = fields.others(&KNOWN_OF_TOOLS).collect();
        self.messages.push(Message { call_id, others, ..Message::new(Role::Tool, content) });
        Ok(())
    }

    fn flush(&mut self) {
        let Some(Turn { text, calls, others, tokens }) = self.pending.take() else { return };
        let mut message = Message::new(Role::Assistant, Content::Null);
        (message.calls, message.others, message.tokens) = (calls, others, tokens);
        if self.rules.separate_reasoning {
            let (thoughts, rest) = thought::extract(&text);
            if !thoughts.is_empty() {
                message.reasoning = self.rules.send_reasoning.then(|| thoughts.join("\n"));
                message.content = Content::Text(rest);
                self.messages.push(message);
                return;
            }
        }
        if !text.is_empty() {
            message.content = Content::Text(text);
        }
        self.messages.push(message);
    }
}

fn unreadable(error: impl std::fmt::Display) -> Unsupported {
    Unsupported(format!("an item that cannot be read: {error}"))
}

impl<'a> Message<'a> {
    fn new(role: Role, content: Content<'a>) -> Self {
        let (calls, others) = (Vec::new(), Vec::new());
        Self { role, content, calls, call_id: None, reasoning: None, others, tokens: None }
    }

    /// Who says it.
    pub(super) fn role(&self) -> Role {
        self.role
    }

    /// What it says, if that is text and nothing else.
    pub(super) fn plain_text(&self) -> Option<String> {
        (self.is_plain() && self.calls.is_empty()).then(|| self.text())
    }

    /// Whether it has no parts but text.
    pub(super) fn is_plain(&self) -> bool {
        match &self.content {
            Content::Null | Content::Given(_) | Content::Text(_) => true,
            Content::Parts(parts) => parts::are_text(parts),
        }
    }

    /// What it says as a list of parts, after these.
    fn parts_after(&self, blocks: &str) -> String {
        let text = |json: &str| format!("[{blocks},{{\"type\":\"text\",\"text\":{json}}}]");
        match &self.content {
            Content::Null => format!("[{blocks}]"),
            Content::Given(given) => text(given.get()),
            Content::Text(said) => {
                let mut json = String::new();
                push_text(&mut json, said);
                text(&json)
            }
            Content::Parts(parts) if parts == "[]" => format!("[{blocks}]"),
            Content::Parts(parts) => format!("[{blocks},{}", &parts[1..]),
        }
    }

    /// The text of an operator's message.
    fn text(&self) -> String {
        match &self.content {
            Content::Null => String::new(),
            Content::Given(given) => text(given).unwrap_or_default().into_owned(),
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => parts::text(parts),
        }
    }

    fn write(&self, out: &mut String) {
        let role = match self.role {
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
            Role::Developer => "developer",
            Role::Tool => "tool",
        };
        out.extend(["{\"role\":\"", role, "\",\"content\":"]);
        match &self.content {
            Content::Null => out.push_str("null"),
            Content::Given(given) => out.push_str(given.get()),
            Content::Text(text) => push_text(out, text),
            Content::Parts(parts) => out.push_str(parts),
        }
        if !self.calls.is_empty() {
            out.extend([",\"tool_calls\":[", &self.calls.join(","), "]"]);
        }
        if let Some(id) = self.call_id {
            out.extend([",\"tool_call_id\":", id.get()]);
        }
        if let Some(reasoning) = &self.reasoning {
            for name in ["reasoning_content", "reasoning"] {
                push_key(out, name);
                push_text(out, reasoning);
            }
        }
        for (name, value) in &self.others {
            push_key(out, name);
            out.push_str(value.get());
        }
        if let Some(item) = self.tokens {
            item.write_tokens(out);
        }
        out.push('}');
    }
}
