//! Creation parameters as the fields of a chat request.
//!
//! | Field | In the chat |
//! |---|---|
//! | `max_output_tokens` | `max_tokens` |
//! | `tools` | each below `function`, without `type` and `strict`; left out with `tool_choice` and `parallel_tool_calls` if there is none |
//! | `tool_choice` | a function's name below `function`, as chats want it |
//! | `reasoning.effort` | `reasoning_effort` |
//! | `text.format`, `text.verbosity` | `response_format`, `verbosity` |
//! | `metadata.extra_body`, `metadata.chat_template_kwargs` | JSON for the endpoint, taken out of `metadata` |
//! | `metadata.audio_data`, `audio_path`, `audio_paths` | sound, taken out of `metadata` (`audio.rs`) |
//! | `instructions` | the leading system message |
//! | `include`, `truncation`, `max_tool_calls`, `background: false`, `stream: false` | left out: they say nothing to a chat |
//! | `previous_response_id`, `conversation`, `prompt`, `background: true` | an error: the model would not see what they stand for |
//! | all others | as they are |

use framework::responses::{CreateParams, Fields};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::audio::{self, Sound};
use super::messages::Unsupported;

/// A JSON object.
pub(crate) type Extras = Map<String, Value>;

/// What a task asks for, besides its messages.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// Fields of the chat request.
    pub(crate) fields: Fields,
    /// Said before everything else.
    pub(crate) instructions: Option<String>,
    /// The task's own fields for the endpoint, which lie under all others.
    pub(crate) extra_body: Extras,
    /// What the task wants of the endpoint's chat template.
    pub(crate) chat_template_kwargs: Extras,
    /// What the model is to listen to.
    pub(super) sounds: Vec<Sound>,
}

/// Fields without a word for a chat, and without weight.
const LEFT_OUT: [&str; 5] = ["include", "max_tool_calls", "stream", "stream_options", "truncation"];
/// Fields that stand for messages which the endpoint would not see.
const HIDDEN: [&str; 3] = ["conversation", "previous_response_id", "prompt"];

impl Parameters {
    /// The parameters of a task.
    ///
    /// # Errors
    /// Fails on what a chat has no words for.
    pub(crate) fn new(params: &CreateParams) -> Result<Self, Unsupported> {
        let mut parameters = Self::default();
        let set = params.fields().iter().filter(|(_, value)| value.get() != "null");
        for (name, value) in set {
            parameters.take(name, value)?;
        }
        parameters.check_tools()?;
        Ok(parameters)
    }

    fn take(&mut self, name: &str, value: &RawValue) -> Result<(), Unsupported> {
        match name {
            "instructions" => self.instructions = Some(read(name, value)?),
            "max_output_tokens" => self.fields.set_raw("max_tokens", number(value)),
            "temperature" | "top_p" => self.fields.set_raw(name, number(value)),
            "top_logprobs" => {
                self.fields.set_raw(name, number(value));
                self.fields.set("logprobs", &true);
            }
            "tools" => self.fields.set(name, &tools(read(name, value)?)?),
            "tool_choice" => self.fields.set(name, &tool_choice(read(name, value)?)),
            "reasoning" => self.reasoning(&read(name, value)?),
            "text" => self.text(&read(name, value)?),
            "metadata" => self.metadata(read(name, value)?)?,
            "background" if value.get() == "true" => {
                return Err(Unsupported("`background`: an answer is waited for".to_owned()));
            }
            "background" => {}
            _ if LEFT_OUT.contains(&name) => {}
            _ if HIDDEN.contains(&name) => {
                let reason = "the endpoint does not keep what it stands for; write it into `input`";
                return Err(Unsupported(format!("`{name}`: {reason}")));
            }
            _ => self.fields.set_raw(name, value.to_owned()),
        }
        Ok(())
    }

    fn reasoning(&mut self, reasoning: &Extras) {
        if let Some(effort) = reasoning.get("effort").filter(|effort| !effort.is_null()) {
            self.fields.set("reasoning_effort", effort);
        }
    }

    fn text(&mut self, text: &Extras) {
        if let Some(verbosity) = text.get("verbosity").filter(|verbosity| !verbosity.is_null()) {
            self.fields.set("verbosity", verbosity);
        }
        let Some(Value::Object(format)) = text.get("format") else { return };
        match format.get("type").and_then(Value::as_str) {
            Some("text") => {}
            Some(tag @ "json_schema") => {
                let schema = without(format.clone(), &["type"]);
                self.fields.set("response_format", &json!({ "type": tag, "json_schema": schema }));
            }
            Some(_) | None => self.fields.set("response_format", format),
        }
    }

    fn metadata(&mut self, metadata: Extras) -> Result<(), Unsupported> {
        let take = |name: &str| match metadata.get(name) {
            None => Ok(Map::new()),
            Some(text) => {
                let object = serde_json::from_str(text.as_str().unwrap_or_default());
                object.map_err(|error| {
                    Unsupported(format!("`metadata.{name}` is no object: {error}"))
                })
            }
        };
        self.extra_body = take("extra_body")?;
        self.chat_template_kwargs = take("chat_template_kwargs")?;
        self.sounds = audio::named(&metadata)?;
        let others = without(metadata, &["extra_body", "chat_template_kwargs"]);
        let others = without(others, &audio::KEYS);
        if !others.is_empty() {
            self.fields.set("metadata", &others);
        }
        Ok(())
    }

    /// Without tools there is nothing to choose.
    fn check_tools(&mut self) -> Result<(), Unsupported> {
        let has_tools = self.fields.get("tools").is_some_and(|tools| tools.get() != "[]");
        if has_tools {
            return Ok(());
        }
        if self.fields.get("tool_choice").is_some_and(|choice| choice.get() == "\"required\"") {
            return Err(Unsupported("`tool_choice: required` without `tools`".to_owned()));
        }
        for name in ["tools", "tool_choice", "parallel_tool_calls"] {
            self.fields.remove(name);
        }
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(name: &str, value: &RawValue) -> Result<T, Unsupported> {
    serde_json::from_str(value.get()).map_err(|error| Unsupported(format!("`{name}`: {error}")))
}

/// A number; tasks may have it in quotes.
fn number(value: &RawValue) -> Box<RawValue> {
    let text = value.get().trim_matches('"').to_owned();
    RawValue::from_string(text).unwrap_or_else(|_| value.to_owned())
}

fn tools(tools: Vec<Extras>) -> Result<Vec<Value>, Unsupported> {
    let function = |tool: Extras| {
        let tag = tool.get("type").cloned().unwrap_or_default();
        if tag != "function" {
            return Err(Unsupported(format!("a tool of type {tag}, which a chat does not have")));
        }
        Ok(json!({ "type": tag, "function": without(tool, &["type", "strict"]) }))
    };
    tools.into_iter().map(function).collect()
}

/// An object without some fields, the others in their order: a chat template may show them.
fn without(object: Extras, names: &[&str]) -> Extras {
    object.into_iter().filter(|(name, _)| !names.contains(&name.as_str())).collect()
}

fn tool_choice(choice: Value) -> Value {
    match choice["type"].as_str() {
        Some("function") if choice["name"].is_string() => {
            json!({ "type": "function", "function": { "name": choice["name"] } })
        }
        Some("allowed_tools") if choice["tools"].is_array() => {
            let tools = choice["tools"].as_array().into_iter().flatten();
            let tools: Vec<_> = tools.cloned().map(tool_choice).collect();
            let allowed = json!({ "mode": choice["mode"], "tools": tools });
            json!({ "type": "allowed_tools", "allowed_tools": allowed })
        }
        _ => choice,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(params: Value) -> Result<Parameters, Unsupported> {
        let mut params = params;
        params["input"] = json!("hi");
        Parameters::new(&CreateParams::parse(&params.to_string()).unwrap())
    }

    fn tool(name: &str) -> Value {
        json!({ "type": "function", "name": name, "parameters": { "type": "object" }, "strict": true })
    }

    #[test]
    fn every_field_has_its_place_in_a_chat() {
        let wrapped = json!({ "type": "function", "function": { "name": "f", "parameters": { "type": "object" } } });
        for (params, expected) in [
            (json!({}), json!({})),
            (json!({ "max_output_tokens": 5 }), json!({ "max_tokens": 5 })),
            (
                json!({ "max_output_tokens": "5", "temperature": "0.5" }),
                json!({ "max_tokens": 5, "temperature": 0.5 }),
            ),
            (
                json!({ "temperature": null, "top_p": 1.0, "user": "u" }),
                json!({ "top_p": 1.0, "user": "u" }),
            ),
            (json!({ "top_logprobs": 2 }), json!({ "top_logprobs": 2, "logprobs": true })),
            (
                json!({ "store": false, "service_tier": "flex" }),
                json!({ "store": false, "service_tier": "flex" }),
            ),
            (
                json!({ "tools": [tool("f")], "tool_choice": "required", "parallel_tool_calls": false }),
                json!({ "tools": [wrapped], "tool_choice": "required", "parallel_tool_calls": false }),
            ),
            (
                json!({ "tools": [tool("f")], "tool_choice": { "type": "function", "name": "f" } }),
                json!({ "tools": [wrapped], "tool_choice": { "type": "function", "function": { "name": "f" } } }),
            ),
            (
                json!({ "tools": [tool("f")], "tool_choice": { "type": "allowed_tools", "mode": "auto", "tools": [{ "type": "function", "name": "f" }] } }),
                json!({ "tools": [wrapped], "tool_choice": { "type": "allowed_tools", "allowed_tools": { "mode": "auto", "tools": [{ "type": "function", "function": { "name": "f" } }] } } }),
            ),
            (json!({ "tools": [], "tool_choice": "auto", "parallel_tool_calls": true }), json!({})),
            (json!({ "tool_choice": "none", "parallel_tool_calls": true }), json!({})),
            (
                json!({ "reasoning": { "effort": "low", "summary": "auto" } }),
                json!({ "reasoning_effort": "low" }),
            ),
            (json!({ "reasoning": { "effort": null } }), json!({})),
            (
                json!({ "text": { "format": { "type": "text" }, "verbosity": "low" } }),
                json!({ "verbosity": "low" }),
            ),
            (
                json!({ "text": { "format": { "type": "json_object" } } }),
                json!({ "response_format": { "type": "json_object" } }),
            ),
            (
                json!({ "text": { "format": { "type": "json_schema", "name": "n", "schema": {}, "strict": true } } }),
                json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "n", "schema": {}, "strict": true } } }),
            ),
            (
                json!({ "metadata": { "a": "b", "extra_body": "{}" } }),
                json!({ "metadata": { "a": "b" } }),
            ),
            (json!({ "metadata": { "extra_body": "{}" } }), json!({})),
            (
                json!({ "include": [], "truncation": "auto", "background": false, "stream": false, "max_tool_calls": 1 }),
                json!({}),
            ),
        ] {
            let fields = parameters(params.clone()).unwrap().fields;
            assert_eq!(serde_json::to_value(&fields).unwrap(), expected, "{params}");
        }
    }

    #[test]
    fn the_keys_of_a_tool_keep_their_order() {
        let function = r#"{"name":"f","description":"d","parameters":{"type":"object","properties":{"z":{},"a":{},"m":{}},"required":[]}}"#;
        let tool = function
            .replace("{\"name\"", "{\"type\":\"function\",\"name\"")
            .replace("required\":[]}", "required\":[]},\"strict\":true");
        let params = format!(r#"{{"input":[],"tools":[{tool}]}}"#);
        let fields = Parameters::new(&CreateParams::parse(&params).unwrap()).unwrap().fields;
        let expected = format!(r#"[{{"type":"function","function":{function}}}]"#);
        assert_eq!(fields.get("tools").unwrap().get(), expected);
    }

    #[test]
    fn what_a_chat_cannot_say_is_refused() {
        for (params, expected) in [
            (json!({ "tool_choice": "required" }), "`tool_choice: required` without `tools`"),
            (json!({ "tool_choice": "required", "tools": [] }), "without `tools`"),
            (json!({ "tools": [{ "type": "web_search" }] }), "a tool of type \"web_search\""),
            (json!({ "previous_response_id": "r" }), "`previous_response_id`"),
            (json!({ "prompt": { "id": "p" } }), "`prompt`"),
            (json!({ "conversation": "c" }), "`conversation`"),
            (json!({ "background": true }), "`background`"),
            (json!({ "metadata": { "extra_body": "[1]" } }), "`metadata.extra_body` is no object"),
        ] {
            let error = parameters(params).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn the_tasks_own_extras_are_taken_out_of_its_metadata() {
        let metadata =
            json!({ "extra_body": r#"{"top_k":5}"#, "chat_template_kwargs": r#"{"x":true}"# });
        let parameters =
            parameters(json!({ "metadata": metadata, "instructions": "Be brief." })).unwrap();
        assert_eq!(Value::Object(parameters.extra_body), json!({ "top_k": 5 }));
        assert_eq!(Value::Object(parameters.chat_template_kwargs), json!({ "x": true }));
        assert_eq!(parameters.instructions.as_deref(), Some("Be brief."));
    }
}
