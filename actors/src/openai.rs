//! The `openai` model: any endpoint that speaks the Responses API natively (OpenAI, and servers such
//! as vLLM that offer `/v1/responses`).
//!
//! A request goes out with the fields that its task set, as the text they came in; only `model` is
//! always this model's own. The answer's items are kept as text too, so what an endpoint adds to
//! them survives into the next request and the record.

use std::collections::BTreeMap;

use framework::config::Secret;
use framework::model::{Generate, Model, ModelError};
use framework::responses::{Fields, Item, ItemKind, Request, Response};
use framework::wiring::{BuildError, Wiring};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::upstream::{Address, Failures, HttpConfig, Upstream};

/// The model's `settings:`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API's root, such as `https://api.openai.com/v1`; `/responses` is added.
    pub base_url: String,
    /// Sent as `Authorization: Bearer …`. Default: no such header.
    #[serde(default)]
    pub api_key: Secret,
    /// The model to ask for, whatever the task says.
    pub model: String,
    /// Fields of the request that a task does not set itself.
    #[serde(default)]
    pub extra_body: serde_json::Map<String, serde_json::Value>,
    /// Headers of every request; their values are treated as secrets.
    #[serde(default)]
    pub default_headers: BTreeMap<String, Secret>,
    /// Leaves reasoning out of what the endpoint is sent, for those that refuse to see it again.
    /// Default: no.
    #[serde(default)]
    pub drop_input_reasoning_items: bool,
    /// Timeouts, retries and limits.
    #[serde(default)]
    pub http: HttpConfig,
}

/// Fields that `extra_body` cannot set.
const RESERVED: [&str; 3] = ["input", "model", "stream"];

/// A model behind an endpoint of the Responses API.
#[derive(Debug)]
pub struct Openai {
    upstream: Upstream,
    model: Fields,
    extra_body: Fields,
    drop_reasoning: bool,
}

impl Model for Openai {
    const KIND: &'static str = "openai";
    type Config = Config;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        if let Some(name) = RESERVED.iter().find(|name| config.extra_body.contains_key(**name)) {
            let message = format!("`settings.extra_body.{name}`: rollouts need this field");
            return Err(BuildError::new(message));
        }
        let address = Address {
            base_url: &config.base_url,
            path: "responses",
            api_key: &config.api_key,
            headers: &config.default_headers,
            model: &config.model,
        };
        let mut model = Fields::default();
        model.set("model", &config.model);
        let mut extra_body = Fields::default();
        for (name, value) in &config.extra_body {
            extra_body.set(name, value);
        }
        let upstream = Upstream::new(&address, config.http, wiring)?;
        let drop_reasoning = config.drop_input_reasoning_items;
        Ok(Self { upstream, model, extra_body, drop_reasoning })
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let body = self.body(&message.request);
        self.upstream.ask(body, message.deadline, read).await
    }
}

impl Openai {
    /// The request's JSON: `extra_body` under the task's fields, under `model`.
    fn body(&self, request: &Request) -> String {
        let mut overrides = self.model.clone();
        for (name, value) in self.extra_body.iter() {
            if !request.params.fields().contains(name) {
                overrides.set_raw(name, value.to_owned());
            }
        }
        if self.drop_reasoning {
            return without_reasoning(request, &overrides);
        }
        request.to_body(&overrides)
    }
}

fn without_reasoning(request: &Request, overrides: &Fields) -> String {
    let mut fields = request.params.fields().clone();
    for (name, value) in overrides.iter() {
        fields.set_raw(name, value.to_owned());
    }
    let input: Vec<&Item> =
        request.input().filter(|item| *item.kind() != ItemKind::Reasoning).collect();
    fields.set("input", &input);
    serde_json::to_string(&fields).expect("an object of JSON text is JSON")
}

/// What decides whether an answer is a response.
#[derive(Deserialize)]
struct Verdict<'a> {
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    status: Option<Status>,
}

/// How far a response has got.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Completed,
    Incomplete,
    Failed,
    InProgress,
    Queued,
    Cancelled,
}

fn read(text: &str, failures: &Failures) -> Result<Response, ModelError> {
    let malformed = |error: &dyn std::fmt::Display| {
        failures.malformed(format_args!("{error}; it says: {text}"))
    };
    let verdict: Verdict<'_> = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    if let Some(error) = verdict.error {
        return Err(failures.inner(error.get()));
    }
    match verdict.status {
        None | Some(Status::Completed | Status::Incomplete) => {
            Response::parse(text).map_err(|error| malformed(&error))
        }
        Some(Status::Failed) => Err(failures.inner("the response has status `failed`")),
        Some(status @ (Status::InProgress | Status::Queued | Status::Cancelled)) => {
            Err(malformed(&format_args!("a response that is {status:?}")))
        }
    }
}
