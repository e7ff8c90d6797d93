//! The `anthropic` model: Anthropic's Messages API, and servers that offer it.
//!
//! A conversation alternates between `user` and `assistant`; each turn is a list of blocks:
//!
//! | Item | Block |
//! |---|---|
//! | the operator's messages that lead, and `instructions` | `system`, joined by blank lines |
//! | a user's text, image, file | `text`, `image`, `document` |
//! | the model's text | `text` |
//! | `reasoning` with `encrypted_content` | `thinking` with its signature, or `redacted_thinking` without a summary |
//! | `reasoning` without | none: Anthropic takes back only what it has signed |
//! | `function_call` | `tool_use` |
//! | `function_call_output` | `tool_result`, in the user's turn |
//!
//! | Parameter | In the request |
//! |---|---|
//! | `max_output_tokens` | `max_tokens`, which has to be there: else `settings.max_output_tokens` |
//! | `tools` | `name`, `description` and `input_schema` |
//! | `tool_choice`, `parallel_tool_calls` | `tool_choice` |
//! | `temperature`, `top_p` | as they are |
//! | `user` | `metadata.user_id` |
//! | `text.format` other than text | an error |
//! | `reasoning`, `metadata` and others | left out; `thinking` is a setting |
//!
//! | `stop_reason` | The response is |
//! |---|---|
//! | `end_turn`, `tool_use`, `stop_sequence` | complete |
//! | `max_tokens`, `model_context_window_exceeded`, a prompt that is too long (400) | incomplete, `max_output_tokens` |
//! | `refusal` | incomplete, `content_filter` |
//!
//! Usage counts what was read from the cache and written to it among the input tokens, as the
//! Responses API does.

mod events;
mod reply;
#[cfg(test)]
mod tests;
mod turns;

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use framework::config::Secret;
use framework::model::{Generate, Model, ModelError};
use framework::responses::{Fields, IncompleteReason, Request, Response};
use framework::wiring::{BuildError, Wiring};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::chat_completions::messages::Unsupported;
use crate::chat_completions::parameters::Parameters;
use crate::chat_completions::reply::silence;
use crate::object;
use crate::upstream::{Address, BaseUrls, Failures, HttpConfig, KeyIn, Reading, Upstream};
use events::Events;
use turns::Conversation;

/// The model's `settings:`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API's root; `/messages` is added. Several are replicas that serve the same model.
    /// Default: `https://api.anthropic.com/v1`.
    #[serde(default = "base_url")]
    pub base_url: BaseUrls,
    /// Sent as `x-api-key`.
    #[serde(default)]
    pub api_key: Secret,
    /// The model to ask for, whatever the task says.
    pub model: String,
    /// The limit of output tokens for tasks without one. Default: 8192.
    #[serde(default = "max_output_tokens")]
    pub max_output_tokens: NonZeroU32,
    /// The version of the API. Default: `2023-06-01`.
    #[serde(default = "version")]
    pub anthropic_version: String,
    /// The request's `thinking`, such as `{ type: enabled, budget_tokens: 4096 }`. Default: none.
    #[serde(default)]
    pub thinking: Option<Map<String, Value>>,
    /// Fields of the request that a task does not set itself.
    #[serde(default)]
    pub extra_body: Map<String, Value>,
    /// Fields of the request whatever the task says.
    #[serde(default)]
    pub sampling_overrides: Map<String, Value>,
    /// Headers of every request; their values are treated as secrets.
    #[serde(default)]
    pub default_headers: BTreeMap<String, Secret>,
    /// Timeouts, retries and limits.
    #[serde(default)]
    pub http: HttpConfig,
}

fn base_url() -> BaseUrls {
    "https://api.anthropic.com/v1".into()
}

fn max_output_tokens() -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(8191)
}

fn version() -> String {
    "2023-06-01".to_owned()
}

/// Fields that settings cannot set.
const RESERVED: [&str; 4] = ["messages", "model", "stream", "system"];

/// A model behind the Messages API.
#[derive(Debug)]
pub struct Anthropic {
    upstream: Upstream,
    config: Config,
}

impl Model for Anthropic {
    const KIND: &'static str = "anthropic";
    type Config = Config;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let maps = [
            (&config.extra_body, "extra_body"),
            (&config.sampling_overrides, "sampling_overrides"),
        ];
        for (map, name) in maps {
            if let Some(field) = RESERVED.iter().find(|field| map.contains_key(**field)) {
                let message = format!("`settings.{name}.{field}`: rollouts need this field");
                return Err(BuildError::new(message));
            }
        }
        let mut headers = config.default_headers.clone();
        let version = Secret::new(config.anthropic_version.as_str());
        headers.entry("anthropic-version".to_owned()).or_insert(version);
        let address = Address {
            base_urls: &config.base_url,
            path: "messages",
            api_key: &config.api_key,
            key_in: KeyIn::Header("x-api-key"),
            headers: &headers,
            model: &config.model,
        };
        let upstream = Upstream::new(&address, config.http.clone(), wiring)?;
        Ok(Self { upstream, config })
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let request = &message.request;
        let body = self.body(request);
        let body = body.map_err(|Unsupported(reason)| ModelError::Unsupported { reason })?;
        let params = &request.params;
        let read = |text: &str, failures: &Failures| reply::read(text, params, failures);
        let reading = Reading { whole: read, pieces: Some(|| Box::new(Events::default())) };
        match self.upstream.ask(body, &message, reading).await {
            Err(ModelError::ContextLength { .. }) => {
                Ok(silence(params, &self.config.model, IncompleteReason::MaxOutputTokens))
            }
            answer => answer,
        }
    }
}

impl Anthropic {
    fn body(&self, request: &Request) -> Result<String, Unsupported> {
        let Config { extra_body, sampling_overrides, thinking, model, .. } = &self.config;
        let parameters = Parameters::new(&request.params)?;
        let conversation = Conversation::new(parameters.instructions.as_deref(), request.input())?;
        let mut fields = Fields::default();
        for (name, value) in extra_body.iter().chain(&parameters.extra_body) {
            fields.set(name, value);
        }
        if fields.get("max_tokens").is_none() {
            fields.set("max_tokens", &self.config.max_output_tokens);
        }
        if let Some(thinking) = thinking {
            fields.set("thinking", thinking);
        }
        translate(&parameters.fields, &mut fields)?;
        for (name, value) in sampling_overrides {
            fields.set(name, value);
        }
        fields.set("model", model);
        if self.config.http.stream {
            fields.set("stream", &true);
        }
        if !conversation.system.is_empty() {
            fields.set("system", &conversation.system);
        }
        let mut body = String::from("{");
        fields.write_into(&mut body);
        object::push_key(&mut body, "messages");
        conversation.write(&mut body);
        body.push('}');
        Ok(body)
    }
}

/// A chat's fields as Anthropic has them.
fn translate(chat: &Fields, fields: &mut Fields) -> Result<(), Unsupported> {
    for name in ["max_tokens", "temperature", "top_p"] {
        if let Some(value) = chat.get(name) {
            fields.set_raw(name, value.to_owned());
        }
    }
    let read = |name: &str| chat.get(name).and_then(|value| serde_json::from_str(value.get()).ok());
    if let Some(user) = read("user") {
        let user: Value = user;
        fields.set("metadata", &json!({ "user_id": user }));
    }
    if chat.contains("response_format") {
        return Err(Unsupported("`text.format`: only text can be asked for".to_owned()));
    }
    let Some(Value::Array(tools)) = read("tools") else { return Ok(()) };
    fields.set("tools", &tools.into_iter().map(tool).collect::<Vec<_>>());
    if let Some(choice) = tool_choice(read("tool_choice"), read("parallel_tool_calls"))? {
        fields.set("tool_choice", &choice);
    }
    Ok(())
}

fn tool(mut tool: Value) -> Value {
    let mut function = tool["function"].take();
    let schema = match function["parameters"].take() {
        Value::Null => json!({ "type": "object", "properties": {} }),
        schema => schema,
    };
    let mut ours = json!({ "name": function["name"].take(), "input_schema": schema });
    if let description @ Value::String(_) = function["description"].take() {
        ours["description"] = description;
    }
    ours
}

fn tool_choice(
    choice: Option<Value>,
    parallel: Option<Value>,
) -> Result<Option<Value>, Unsupported> {
    let is_serial = parallel == Some(Value::Bool(false));
    let mut ours = match choice {
        None if !is_serial => return Ok(None),
        None => json!({ "type": "auto" }),
        Some(Value::String(word)) => match word.as_str() {
            "required" => json!({ "type": "any" }),
            _ => json!({ "type": word }),
        },
        Some(choice) => match choice["function"]["name"].as_str() {
            Some(name) => json!({ "type": "tool", "name": name }),
            None => return Err(Unsupported(format!("`tool_choice`: {choice}"))),
        },
    };
    if is_serial && ours["type"] != "none" {
        ours["disable_parallel_tool_use"] = Value::Bool(true);
    }
    Ok(Some(ours))
}
