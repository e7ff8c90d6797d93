//! A message that comes as events: its beginning, its blocks in pieces, its end.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::object::push_key;
use crate::upstream::{Assembly, Event};

/// What has come so far.
#[derive(Debug, Default)]
pub(super) struct Events {
    message: Option<Map<String, Value>>,
    blocks: Vec<Block>,
    error: Option<String>,
    is_done: bool,
}

#[derive(Debug)]
struct Block {
    fields: Map<String, Value>,
    /// The pieces of a tool's input: JSON, once all are there.
    input: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Wire {
    MessageStart {
        message: Map<String, Value>,
    },
    ContentBlockStart {
        index: usize,
        content_block: Map<String, Value>,
    },
    ContentBlockDelta {
        index: usize,
        delta: Piece,
    },
    MessageDelta {
        delta: Map<String, Value>,
        usage: Option<Map<String, Value>>,
    },
    MessageStop,
    Error,
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Piece {
    TextDelta {
        text: String,
    },
    ThinkingDelta {
        thinking: String,
    },
    SignatureDelta {
        signature: String,
    },
    InputJsonDelta {
        partial_json: String,
    },
    #[serde(other)]
    Other,
}

impl Assembly for Events {
    fn take(&mut self, data: &str) -> Result<Event, String> {
        let wire: Wire = serde_json::from_str(data).map_err(|error| error.to_string())?;
        match wire {
            Wire::MessageStart { message } => {
                self.message = Some(message);
                Ok(Event::Other)
            }
            Wire::ContentBlockStart { index, content_block } => {
                if index != self.blocks.len() {
                    return Err(format!("block {index} comes after {} blocks", self.blocks.len()));
                }
                self.blocks.push(Block { fields: content_block, input: String::new() });
                Ok(Event::Other)
            }
            Wire::ContentBlockDelta { index, delta } => {
                let block = self.blocks.get_mut(index);
                block.ok_or_else(|| format!("block {index} has not begun"))?.take(delta);
                Ok(Event::Said)
            }
            Wire::MessageDelta { delta, usage } => {
                let message = self.message.as_mut().ok_or("the message has not begun")?;
                message.extend(delta);
                if let Some(usage) = usage {
                    let counts = message.entry("usage").or_insert_with(|| Map::new().into());
                    let known = usage.into_iter().filter(|(_, count)| !count.is_null());
                    counts.as_object_mut().ok_or("`usage` is no object")?.extend(known);
                }
                Ok(Event::Other)
            }
            Wire::MessageStop => {
                self.is_done = true;
                Ok(Event::Last)
            }
            Wire::Error => {
                self.error = Some(data.to_owned());
                Ok(Event::Last)
            }
            Wire::Other => Ok(Event::Other),
        }
    }

    fn whole(self: Box<Self>) -> Option<String> {
        if self.error.is_some() {
            return self.error;
        }
        let mut message = self.message.filter(|_| self.is_done)?;
        message.remove("content");
        let mut out = Value::Object(message).to_string();
        out.pop();
        push_key(&mut out, "content");
        let blocks: Vec<_> = self.blocks.into_iter().map(Block::written).collect();
        out.extend(["[", &blocks.join(","), "]}"]);
        Some(out)
    }
}

impl Block {
    fn take(&mut self, delta: Piece) {
        let (name, piece) = match delta {
            Piece::TextDelta { text } => ("text", text),
            Piece::ThinkingDelta { thinking } => ("thinking", thinking),
            Piece::SignatureDelta { signature } => ("signature", signature),
            Piece::InputJsonDelta { partial_json } => {
                self.input.push_str(&partial_json);
                return;
            }
            Piece::Other => return,
        };
        match self.fields.entry(name).or_insert_with(|| "".into()) {
            Value::String(text) => text.push_str(&piece),
            other => *other = piece.into(),
        }
    }

    fn written(mut self) -> String {
        let input: Option<&RawValue> = serde_json::from_str(&self.input).ok();
        let Some(input) = input else {
            // Nothing came in pieces, or not all did: whoever reads the block will say so.
            if !self.input.is_empty() {
                self.fields.insert("input".to_owned(), self.input.into());
            }
            return Value::Object(self.fields).to_string();
        };
        self.fields.remove("input");
        let mut out = Value::Object(self.fields).to_string();
        out.pop();
        push_key(&mut out, "input");
        out.push_str(input.get());
        out.push('}');
        out
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(events: &[Value]) -> Result<Option<Value>, String> {
        let mut assembly = Box::new(Events::default());
        for data in events {
            if assembly.take(&data.to_string())? == Event::Last {
                break;
            }
        }
        Ok(assembly.whole().map(|text| serde_json::from_str(&text).unwrap()))
    }

    fn start() -> Value {
        let usage = json!({ "input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 1 });
        let message = json!({ "id": "m", "type": "message", "role": "assistant", "model": "served",
            "content": [], "stop_reason": null, "usage": usage });
        json!({ "type": "message_start", "message": message })
    }

    fn block(index: usize, block: Value) -> Value {
        json!({ "type": "content_block_start", "index": index, "content_block": block })
    }

    fn delta(index: usize, delta: Value) -> Value {
        json!({ "type": "content_block_delta", "index": index, "delta": delta })
    }

    fn events() -> Vec<Value> {
        vec![
            start(),
            json!({ "type": "ping" }),
            block(0, json!({ "type": "thinking", "thinking": "", "signature": "" })),
            delta(0, json!({ "type": "thinking_delta", "thinking": "th" })),
            delta(0, json!({ "type": "thinking_delta", "thinking": "ink" })),
            delta(0, json!({ "type": "signature_delta", "signature": "sig" })),
            json!({ "type": "content_block_stop", "index": 0 }),
            block(1, json!({ "type": "text", "text": "" })),
            delta(1, json!({ "type": "text_delta", "text": "a " })),
            delta(1, json!({ "type": "text_delta", "text": "b" })),
            block(2, json!({ "type": "tool_use", "id": "1", "name": "f", "input": {} })),
            delta(2, json!({ "type": "input_json_delta", "partial_json": "" })),
            delta(2, json!({ "type": "input_json_delta", "partial_json": "{\"a\": 1" })),
            delta(2, json!({ "type": "input_json_delta", "partial_json": ".50}" })),
            block(3, json!({ "type": "tool_use", "id": "2", "name": "g", "input": {} })),
            json!({ "type": "something_new" }),
            json!({ "type": "message_delta", "delta": { "stop_reason": "tool_use", "stop_sequence": null }, "usage": { "output_tokens": 9, "input_tokens": null } }),
            json!({ "type": "message_stop" }),
        ]
    }

    #[test]
    fn blocks_come_together_as_they_would_have_come_at_once() {
        let answer = answer(&events()).unwrap().unwrap();
        let content = json!([
            { "type": "thinking", "thinking": "think", "signature": "sig" },
            { "type": "text", "text": "a b" },
            { "type": "tool_use", "id": "1", "name": "f", "input": { "a": 1.5 } },
            { "type": "tool_use", "id": "2", "name": "g", "input": {} },
        ]);
        assert_eq!((&answer["content"], &answer["stop_reason"]), (&content, &json!("tool_use")));
        let usage = json!({ "input_tokens": 3, "cache_read_input_tokens": 2, "output_tokens": 9 });
        assert_eq!((&answer["usage"], &answer["model"]), (&usage, &json!("served")));
    }

    #[test]
    fn the_input_of_a_tool_keeps_its_text() {
        let mut assembly = Box::new(Events::default());
        for data in events() {
            assembly.take(&data.to_string()).unwrap();
        }
        assert!(assembly.whole().unwrap().contains(r#""input":{"a": 1.50}"#));
    }

    #[test]
    fn a_message_without_an_end_is_none_and_an_error_is_one() {
        for length in 0..events().len() {
            assert_eq!(answer(&events()[..length]), Ok(None), "{length}");
        }
        let error =
            json!({ "type": "error", "error": { "type": "overloaded_error", "message": "busy" } });
        assert_eq!(answer(&[start(), error.clone()]), Ok(Some(error)));
        for garbage in [
            json!([]),
            json!({}),
            delta(7, json!({ "type": "text_delta", "text": "a" })),
            block(3, json!({ "type": "text", "text": "" })),
            json!({ "type": "content_block_start" }),
        ] {
            assert!(answer(&[start(), garbage.clone()]).is_err(), "{garbage}");
        }
    }
}
