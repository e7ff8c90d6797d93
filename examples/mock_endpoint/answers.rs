//! What the mock says: a script of steps, each written once in the words of every API.

use std::fmt::Write;

use hyper::body::Bytes;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A step of a script.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    say: Option<String>,
    #[serde(default)]
    calls: Vec<Call>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    name: String,
    arguments: Map<String, Value>,
}

/// An API that the mock speaks.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Api {
    Responses,
    Chat,
    Messages,
    /// `/tokenize`, for chats.
    Tokenizer,
}

impl Api {
    pub(crate) fn of_path(path: &str) -> Self {
        match path {
            _ if path.ends_with("/tokenize") => Self::Tokenizer,
            _ if path.ends_with("/chat/completions") => Self::Chat,
            _ if path.ends_with("/messages") => Self::Messages,
            _ => Self::Responses,
        }
    }

    /// What stands in a request once for every output of a tool.
    fn output_sign(self) -> &'static str {
        match self {
            Self::Responses => "\"function_call_output\"",
            Self::Chat | Self::Tokenizer => "\"role\":\"tool\"",
            Self::Messages => "\"tool_result\"",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Wish {
    pub(crate) api: Api,
    pub(crate) step: usize,
    pub(crate) is_stream: bool,
    /// Token ids, and whether in fields of their own.
    pub(crate) tokens: Option<bool>,
}

/// An answer: one text, or events.
pub(crate) enum Said {
    Whole(Bytes),
    Events(Vec<Bytes>),
}

/// What is said in each step.
pub(crate) struct Script {
    steps: Vec<Written>,
    /// How many outputs there are before each step.
    outputs: Vec<usize>,
}

/// A step in the words of each API.
struct Written {
    responses: Bytes,
    responses_events: Vec<Bytes>,
    chat: Value,
    chat_text: Bytes,
    messages: Bytes,
    messages_events: Vec<Bytes>,
    /// What was read, and what was generated, in tokens.
    tokens: (Vec<u32>, Vec<u32>),
}

impl Default for Script {
    fn default() -> Self {
        Self::weather()
    }
}

impl Script {
    /// What `simple_weather` asks for.
    pub(crate) fn weather() -> Self {
        let steps = json!([
            { "calls": [{ "name": "get_weather", "arguments": { "city": "San Francisco" } }] },
            { "say": "It is cold in San Francisco." },
        ]);
        Self::parse(&steps.to_string()).expect("it is a script")
    }

    /// Reads a script.
    pub(crate) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let steps: Vec<Step> = serde_json::from_str(text)?;
        let (mut outputs, mut before) = (Vec::new(), 0);
        for step in &steps {
            outputs.push(before);
            before += step.calls.len();
        }
        let steps = steps.iter().enumerate().map(|(index, step)| step.written(index)).collect();
        Ok(Self { steps, outputs })
    }

    /// What a request asks for.
    pub(crate) fn wish(&self, path: &str, body: &str) -> Wish {
        let api = Api::of_path(path);
        let outputs = body.matches(api.output_sign()).count();
        let step = self.outputs.partition_point(|before| *before <= outputs).saturating_sub(1);
        let tokens = body.contains("\"return_tokens_as_token_ids\":true");
        let inline = body.contains("\"return_token_ids\":true");
        let is_stream = body.contains("\"stream\":true");
        Wish { api, step, is_stream, tokens: tokens.then_some(inline) }
    }

    /// The answer to that.
    pub(crate) fn say(&self, wish: Wish) -> Said {
        let Some(step) = self.steps.get(wish.step) else { return Said::Whole("{}".into()) };
        match (wish.api, wish.is_stream) {
            (Api::Tokenizer, _) => {
                Said::Whole(json!({ "tokens": step.tokens.0 }).to_string().into())
            }
            (Api::Responses, false) => Said::Whole(step.responses.clone()),
            (Api::Responses, true) => Said::Events(step.responses_events.clone()),
            (Api::Messages, false) => Said::Whole(step.messages.clone()),
            (Api::Messages, true) => Said::Events(step.messages_events.clone()),
            (Api::Chat, false) => match wish.tokens {
                None => Said::Whole(step.chat_text.clone()),
                Some(inline) => Said::Whole(step.chat_with(inline).to_string().into()),
            },
            (Api::Chat, true) => Said::Events(step.chat_chunks(wish.tokens)),
        }
    }
}

impl Step {
    fn written(&self, index: usize) -> Written {
        let read = 4 + 4 * u32::try_from(index).expect("scripts are short");
        let made = if self.calls.is_empty() { 1 } else { 2 };
        let chat = self.chat(index);
        let (response, message) = (self.response(index), self.message(index));
        Written {
            responses_events: response_events(&response),
            responses: response.to_string().into(),
            chat_text: chat.to_string().into(),
            chat,
            messages_events: message_events(&message),
            messages: message.to_string().into(),
            tokens: ((1..=read).collect(), (read + 1..=read + made).collect()),
        }
    }

    /// The calls with their ids and their arguments as text.
    fn calls(&self, index: usize) -> impl Iterator<Item = (String, &str, String)> {
        let first = index + 1;
        let id = move |place: usize| match place {
            0 => format!("call_{first}"),
            _ => format!("call_{first}_{place}"),
        };
        let calls = self.calls.iter().enumerate();
        calls.map(move |(place, call)| {
            (id(place), call.name.as_str(), Value::Object(call.arguments.clone()).to_string())
        })
    }

    fn response(&self, index: usize) -> Value {
        let text = |text: &String| json!({ "type": "message", "id": format!("msg_{index}"), "role": "assistant", "status": "completed", "content": [{ "type": "output_text", "text": text, "annotations": [] }] });
        let call = |(id, name, arguments)| json!({ "type": "function_call", "id": id, "call_id": id, "name": name, "arguments": arguments, "status": "completed" });
        let output: Vec<_> = self.say.iter().map(text).chain(self.calls(index).map(call)).collect();
        json!({ "id": format!("resp_{index}"), "object": "response", "created_at": 1, "model": "mock",
            "status": "completed", "error": null, "parallel_tool_calls": true, "tool_choice": "auto",
            "tools": [], "output": output,
            "usage": { "input_tokens": 80 + 40 * index, "output_tokens": 16, "total_tokens": 96 + 40 * index } })
    }

    fn chat(&self, index: usize) -> Value {
        let call = |(id, name, arguments)| json!({ "id": id, "type": "function", "function": { "name": name, "arguments": arguments } });
        let calls: Vec<_> = self.calls(index).map(call).collect();
        let mut message = json!({ "role": "assistant", "content": self.say });
        let mut reason = "stop";
        if !calls.is_empty() {
            message["tool_calls"] = calls.into();
            reason = "tool_calls";
        }
        json!({ "id": format!("chatcmpl-{index}"), "object": "chat.completion", "created": 1, "model": "mock",
            "choices": [{ "index": 0, "finish_reason": reason, "message": message }],
            "usage": { "prompt_tokens": 80 + 40 * index, "completion_tokens": 16, "total_tokens": 96 + 40 * index } })
    }

    fn message(&self, index: usize) -> Value {
        let text = |text: &String| json!({ "type": "text", "text": text });
        let calls = self.calls.iter().zip(self.calls(index));
        let call = |(call, (id, name, _)): (&Call, (String, &str, String))| json!({ "type": "tool_use", "id": id, "name": name, "input": call.arguments });
        let content: Vec<_> = self.say.iter().map(text).chain(calls.map(call)).collect();
        let reason = if self.calls.is_empty() { "end_turn" } else { "tool_use" };
        json!({ "id": format!("msg_{index}"), "type": "message", "role": "assistant", "model": "mock",
            "content": content, "stop_reason": reason, "stop_sequence": null,
            "usage": { "input_tokens": 80 + 40 * index, "output_tokens": 16 } })
    }
}

impl Written {
    /// The completion with its token ids: in fields of their own, or only among the log-probabilities.
    fn chat_with(&self, inline: bool) -> Value {
        let mut chat = self.chat.clone();
        let (read, made) = &self.tokens;
        chat["choices"][0]["logprobs"] = logprobs(made);
        if inline {
            chat["prompt_token_ids"] = json!(read);
            chat["choices"][0]["token_ids"] = json!(made);
        }
        chat
    }

    /// The completion as chunks.
    fn chat_chunks(&self, tokens: Option<bool>) -> Vec<Bytes> {
        let message = &self.chat["choices"][0]["message"];
        let chunk = |delta: Value| {
            json!({ "id": self.chat["id"], "object": "chat.completion.chunk", "created": 1, "model": "mock",
                "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] })
        };
        let mut chunks = vec![chunk(json!({ "role": "assistant", "content": null }))];
        let text = message["content"].as_str().unwrap_or_default();
        chunks.extend(pieces(text).map(|piece| chunk(json!({ "content": piece }))));
        for (index, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
            let (mut first, function) = (call.clone(), &call["function"]);
            first["index"] = index.into();
            first["function"] = json!({ "name": function["name"], "arguments": "" });
            chunks.push(chunk(json!({ "tool_calls": [first] })));
            let arguments = function["arguments"].as_str().unwrap_or_default();
            chunks.extend(pieces(arguments).map(|piece| {
                let delta = json!({ "index": index, "function": { "arguments": piece } });
                chunk(json!({ "tool_calls": [delta] }))
            }));
        }
        if let Some(inline) = tokens {
            let (read, made) = &self.tokens;
            for (chunk, id) in chunks[1..].iter_mut().zip(made) {
                chunk["choices"][0]["logprobs"] = logprobs(&[*id]);
                if inline {
                    chunk["choices"][0]["token_ids"] = json!([id]);
                }
            }
            if inline {
                chunks[0]["prompt_token_ids"] = json!(read);
            }
        }
        let mut last = chunk(json!({}));
        last["choices"][0]["finish_reason"] = self.chat["choices"][0]["finish_reason"].clone();
        let mut usage = chunk(json!({}));
        (usage["choices"], usage["usage"]) = (json!([]), self.chat["usage"].clone());
        let chunks = chunks.into_iter().chain([last, usage]);
        let events = chunks.map(|chunk| format!("data: {chunk}\n\n").into());
        events.chain(["data: [DONE]\n\n".into()]).collect()
    }
}

fn logprobs(ids: &[u32]) -> Value {
    let entry =
        |id| json!({ "token": format!("token_id:{id}"), "logprob": -0.5, "top_logprobs": [] });
    json!({ "content": ids.iter().map(entry).collect::<Vec<_>>() })
}

/// A text in pieces of a few letters.
fn pieces(text: &str) -> impl Iterator<Item = String> {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(8).map(|piece| piece.iter().collect()).collect::<Vec<_>>().into_iter()
}

fn event(data: &Value) -> Bytes {
    let mut text = String::new();
    let name = data["type"].as_str().unwrap_or_default();
    write!(text, "event: {name}\ndata: {data}\n\n").expect("text can be written to");
    text.into()
}

fn response_events(response: &Value) -> Vec<Bytes> {
    let mut begun = response.clone();
    (begun["status"], begun["output"]) = ("in_progress".into(), json!([]));
    let mut events = vec![json!({ "type": "response.created", "response": begun })];
    for (index, item) in response["output"].as_array().into_iter().flatten().enumerate() {
        let (text, name) = match item["arguments"].as_str() {
            Some(arguments) => (arguments, "response.function_call_arguments.delta"),
            None => (
                item["content"][0]["text"].as_str().unwrap_or_default(),
                "response.output_text.delta",
            ),
        };
        events.extend(
            pieces(text)
                .map(|piece| json!({ "type": name, "output_index": index, "delta": piece })),
        );
        events.push(
            json!({ "type": "response.output_item.done", "output_index": index, "item": item }),
        );
    }
    events.push(json!({ "type": "response.completed", "response": response }));
    events.iter().map(event).collect()
}

fn message_events(message: &Value) -> Vec<Bytes> {
    let mut begun = message.clone();
    (begun["content"], begun["stop_reason"]) = (json!([]), Value::Null);
    begun["usage"]["output_tokens"] = 1.into();
    let mut events =
        vec![json!({ "type": "message_start", "message": begun }), json!({ "type": "ping" })];
    for (index, block) in message["content"].as_array().into_iter().flatten().enumerate() {
        let mut empty = block.clone();
        let deltas: Vec<Value> = if block["type"] == "text" {
            empty["text"] = "".into();
            let text = block["text"].as_str().unwrap_or_default();
            pieces(text).map(|piece| json!({ "type": "text_delta", "text": piece })).collect()
        } else {
            empty["input"] = json!({});
            let input = block["input"].to_string();
            let delta = |piece| json!({ "type": "input_json_delta", "partial_json": piece });
            pieces(&input).map(delta).collect()
        };
        events
            .push(json!({ "type": "content_block_start", "index": index, "content_block": empty }));
        events.extend(
            deltas.into_iter().map(
                |delta| json!({ "type": "content_block_delta", "index": index, "delta": delta }),
            ),
        );
        events.push(json!({ "type": "content_block_stop", "index": index }));
    }
    let delta = json!({ "stop_reason": message["stop_reason"], "stop_sequence": null });
    let usage = json!({ "output_tokens": message["usage"]["output_tokens"] });
    events.push(json!({ "type": "message_delta", "delta": delta, "usage": usage }));
    events.push(json!({ "type": "message_stop" }));
    events.iter().map(event).collect()
}
