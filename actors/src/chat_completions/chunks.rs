//! A completion, of a chat or a text, that comes in chunks.
//!
//! Texts and the arguments of calls are joined, lists of token ids and log-probabilities as the text
//! that they came in. What else a chunk adds to the message is kept: lists grow, and entries that have
//! an `index` in common (OpenRouter's `reasoning_details`) are one entry; of other values the last
//! counts.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::object::{Object, Text, first, push_key, push_text};
use crate::upstream::{Assembly, Event};

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// Fields of the completion, as JSON.
    fields: Vec<(String, String)>,
    /// Fields of the choice.
    choice: Vec<(String, String)>,
    /// Texts of the message.
    texts: Vec<(String, String)>,
    calls: Vec<Call>,
    others: Map<String, Value>,
    /// The lists in `logprobs`, without the brackets that end them.
    logprobs: Vec<(String, String)>,
    error: Option<String>,
    /// It has been said how the generation ended.
    is_finished: bool,
}

#[derive(Debug, Default)]
struct Call {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

/// Fields that are lists of which every chunk has a piece.
const LISTS: [&str; 4] =
    ["token_ids", "generation_token_ids", "generation_log_probs", "prompt_token_ids"];
/// Texts of which every chunk has a piece.
const TEXTS: [&str; 4] = ["content", "reasoning_content", "reasoning", "refusal"];

#[derive(Deserialize)]
struct CallDelta<'a> {
    index: Option<u64>,
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: Option<FunctionDelta<'a>>,
}

#[derive(Deserialize)]
struct FunctionDelta<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    arguments: Option<&'a RawValue>,
}

impl Assembly for Chunks {
    fn take(&mut self, data: &str) -> Result<Event, String> {
        if data == "[DONE]" {
            return Ok(Event::Last);
        }
        let chunk = Object::parse(data).map_err(|error| error.to_string())?;
        let is_error = chunk.text("object").is_some_and(|tag| tag == "error");
        if is_error || chunk.get("error").is_some() {
            self.error = Some(data.to_owned());
            return Ok(Event::Last);
        }
        let mut event = Event::Other;
        for (name, value) in chunk.0.into_iter().filter(|(_, value)| value.get() != "null") {
            match &*name {
                "choices" => {
                    // One choice is asked for; a chunk of usage has none.
                    let choices: Vec<Object<'_>> = read(value)?;
                    for choice in choices.into_iter().take(1) {
                        event = self.choice(choice)?;
                    }
                }
                "object" => {}
                _ => keep(&mut self.fields, name, value),
            }
        }
        Ok(event)
    }

    fn whole(self: Box<Self>) -> Option<String> {
        if self.error.is_some() {
            return self.error;
        }
        self.is_finished.then(|| self.written())
    }
}

impl Chunks {
    fn choice(&mut self, choice: Object<'_>) -> Result<Event, String> {
        let mut event = Event::Other;
        for (name, value) in choice.0.into_iter().filter(|(_, value)| value.get() != "null") {
            match &*name {
                "delta" | "message" => event = self.delta(read(value)?)?,
                "logprobs" => self.logprobs(read(value)?)?,
                // Of a text.
                "text" => {
                    let Text(piece) = read(value)?;
                    if !piece.is_empty() {
                        event = Event::Said;
                    }
                    self.say("content".into(), &piece);
                }
                "index" => {}
                _ => {
                    self.is_finished |= name == "finish_reason";
                    keep(&mut self.choice, name, value);
                }
            }
        }
        Ok(event)
    }

    fn delta(&mut self, delta: Object<'_>) -> Result<Event, String> {
        let mut event = Event::Other;
        for (name, value) in delta.0.into_iter().filter(|(_, value)| value.get() != "null") {
            match &*name {
                _ if TEXTS.contains(&&*name) && first(value) == b'"' => {
                    let Text(piece) = read(value)?;
                    if !piece.is_empty() {
                        event = Event::Said;
                    }
                    self.say(name, &piece);
                }
                "tool_calls" => {
                    event = Event::Said;
                    for call in read::<Vec<CallDelta<'_>>>(value)? {
                        self.call(call)?;
                    }
                }
                _ if LISTS.contains(&&*name) => {
                    // Lists of the message stand beside those of the choice until they are written.
                    keep(&mut self.choice, Cow::Owned(format!("message.{name}")), value);
                }
                _ => merge(&mut self.others, name.into_owned(), read(value)?),
            }
        }
        Ok(event)
    }

    fn call(&mut self, delta: CallDelta<'_>) -> Result<(), String> {
        let known = self.calls.iter().position(|call| {
            // Servers that do not count send whole calls.
            delta.index.is_some() && call.index == delta.index
        });
        let known = known.unwrap_or_else(|| {
            self.calls.push(Call { index: delta.index, ..Call::default() });
            self.calls.len() - 1
        });
        let call = &mut self.calls[known];
        if let Some(Text(id)) = delta.id.filter(|id| !id.0.is_empty()) {
            call.id = id.into_owned();
        }
        let Some(function) = delta.function else { return Ok(()) };
        if let Some(Text(name)) = function.name.filter(|name| !name.0.is_empty()) {
            call.name = name.into_owned();
        }
        match function.arguments {
            Some(text) if first(text) == b'"' => {
                call.arguments.push_str(&read::<Text<'_>>(text)?.0)
            }
            Some(null) if null.get() == "null" => {}
            Some(json) => call.arguments.push_str(json.get()),
            None => {}
        }
        Ok(())
    }

    fn say(&mut self, name: Cow<'_, str>, piece: &str) {
        match self.texts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, text)) => text.push_str(piece),
            None => self.texts.push((name.into_owned(), piece.to_owned())),
        }
    }

    fn logprobs(&mut self, lists: Object<'_>) -> Result<(), String> {
        for (name, list) in lists.0.into_iter().filter(|(_, list)| first(list) == b'[') {
            let known = self.logprobs.iter().position(|(other, _)| *other == name);
            let known = known.unwrap_or_else(|| {
                self.logprobs.push((name.into_owned(), String::from("[")));
                self.logprobs.len() - 1
            });
            extend(&mut self.logprobs[known].1, list)?;
        }
        Ok(())
    }

    /// The completion as it would have come at once.
    fn written(self) -> String {
        let mut out = String::from("{");
        for (name, value) in &self.fields {
            push_key(&mut out, name);
            out.push_str(value);
        }
        push_key(&mut out, "choices");
        out.push_str("[{\"index\":0");
        let (of_message, of_choice): (Vec<_>, Vec<_>) =
            self.choice.iter().partition(|(name, _)| name.starts_with("message."));
        for (name, value) in of_choice {
            push_key(&mut out, name);
            out.push_str(value);
        }
        if !self.logprobs.is_empty() {
            let mut lists = String::from("{");
            for (name, list) in &self.logprobs {
                push_key(&mut lists, name);
                lists.extend([list, "]"]);
            }
            out.extend([",\"logprobs\":", &lists, "}"]);
        }
        out.push_str(",\"message\":{");
        for (name, text) in &self.texts {
            push_key(&mut out, name);
            push_text(&mut out, text);
        }
        for (name, value) in &self.others {
            push_key(&mut out, name);
            out.push_str(&value.to_string());
        }
        for (name, value) in of_message {
            push_key(&mut out, name.trim_start_matches("message."));
            out.push_str(value);
        }
        if !self.calls.is_empty() {
            push_key(&mut out, "tool_calls");
            let calls: Vec<_> = self.calls.iter().map(Call::written).collect();
            out.extend(["[", &calls.join(","), "]"]);
        }
        out.push_str("}}]}");
        out
    }
}

impl Call {
    fn written(&self) -> String {
        let mut out = String::from("{\"id\":");
        push_text(&mut out, &self.id);
        out.push_str(",\"type\":\"function\",\"function\":{\"name\":");
        push_text(&mut out, &self.name);
        out.push_str(",\"arguments\":");
        push_text(&mut out, &self.arguments);
        out.push_str("}}");
        out
    }
}

fn read<'a, T: Deserialize<'a>>(value: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(value.get()).map_err(|error| error.to_string())
}

/// Sets a field, or adds to it if it is a list of which this is a piece.
fn keep(fields: &mut Vec<(String, String)>, name: Cow<'_, str>, value: &RawValue) {
    let known = fields.iter_mut().find(|(other, _)| *other == name);
    let Some((_, text)) = known else {
        fields.push((name.into_owned(), value.get().to_owned()));
        return;
    };
    let is_list = LISTS.contains(&name.trim_start_matches("message."));
    if is_list && text.ends_with(']') && first(value) == b'[' {
        text.pop();
        // Both are lists, as their brackets say.
        let _ = extend(text, value);
        text.push(']');
    } else {
        value.get().clone_into(text);
    }
}

/// Adds the inside of a list to another that is still open.
fn extend(open: &mut String, list: &RawValue) -> Result<(), String> {
    let added = list.get().strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let added = added.ok_or("a list was expected")?.trim();
    let is_empty = open.trim_end().ends_with('[');
    if !is_empty && !added.is_empty() {
        open.push(',');
    }
    open.push_str(added);
    Ok(())
}

/// Adds a piece of a field of the message that nobody knows.
fn merge(fields: &mut Map<String, Value>, name: String, piece: Value) {
    match (fields.get_mut(&name), piece) {
        (Some(Value::Array(entries)), Value::Array(pieces)) => {
            pieces.into_iter().for_each(|piece| merge_entry(entries, piece));
        }
        (_, piece) => {
            fields.insert(name, piece);
        }
    }
}

fn merge_entry(entries: &mut Vec<Value>, piece: Value) {
    let index = piece.get("index").filter(|index| index.is_number());
    let known = entries.iter_mut().find(|entry| index.is_some() && entry.get("index") == index);
    let (Some(Value::Object(entry)), Value::Object(piece)) = (known, &piece) else {
        entries.push(piece);
        return;
    };
    for (name, value) in piece.iter().filter(|(_, value)| !value.is_null()) {
        match (entry.get_mut(name), value) {
            (Some(Value::String(text)), Value::String(more)) if !is_tag(name) => {
                text.push_str(more)
            }
            _ => {
                entry.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Whether a field names something, instead of saying a piece of it.
fn is_tag(name: &str) -> bool {
    matches!(name, "type" | "format" | "id")
}
