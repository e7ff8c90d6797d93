//! The `azure_openai` model: a deployment of Azure OpenAI, by its Chat Completions API.
//!
//! What differs from other endpoints is where a request goes and how it proves who asks; conversations
//! are converted as [`chat_completions`] does it.
//!
//! | `api_version` | Requests go to |
//! |---|---|
//! | set | `<endpoint>/openai/deployments/<deployment>/chat/completions?api-version=…` |
//! | not set | `<endpoint>/openai/v1/chat/completions`, Azure's API without versions |

use std::collections::BTreeMap;

use framework::config::Secret;
use framework::model::{Generate, Model, ModelError};
use framework::responses::Response;
use framework::wiring::{BuildError, Wiring};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat_completions::{self, ChatCompletions};
use crate::upstream::{BaseUrls, HttpConfig, KeyIn};

/// The model's `settings:`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The resource, such as `https://mine.openai.azure.com`. Several have the same deployment and
    /// take the same key: replicas, in different regions perhaps.
    pub endpoint: BaseUrls,
    /// The name of the model's deployment.
    pub deployment: String,
    /// The version of the API, such as `2024-10-21`. Default: the API without versions.
    #[serde(default)]
    pub api_version: Option<String>,
    /// A key of the resource, sent as `api-key`.
    #[serde(default)]
    pub api_key: Secret,
    /// A token of Microsoft Entra in place of the key, sent as `Authorization: Bearer …`.
    #[serde(default)]
    pub token: Secret,
    /// Whether the limit of output tokens is sent as `max_completion_tokens`. Default: yes.
    #[serde(default = "yes")]
    pub uses_max_completion_tokens: bool,
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

fn yes() -> bool {
    true
}

/// A deployment of Azure OpenAI.
#[derive(Debug)]
pub struct AzureOpenai(ChatCompletions);

impl Model for AzureOpenai {
    const KIND: &'static str = "azure_openai";
    type Config = Config;

    fn new(config: Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let base_url = base_urls(&config)?;
        let (key_in, key) = match (config.api_key.is_empty(), config.token.is_empty()) {
            (false, true) => (KeyIn::Header("api-key"), config.api_key),
            (true, false) => (KeyIn::Bearer, config.token),
            (true, true) | (false, false) => {
                let message = "set either `settings.api_key` or `settings.token`";
                return Err(BuildError::new(message));
            }
        };
        let chat = chat_completions::Config {
            api_key: key,
            uses_max_completion_tokens: config.uses_max_completion_tokens,
            extra_body: config.extra_body,
            sampling_overrides: config.sampling_overrides,
            default_headers: config.default_headers,
            http: config.http,
            base_url,
            ..chat_completions::Config::new("", &config.deployment)
        };
        ChatCompletions::at(key_in, chat, wiring).map(Self)
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        self.0.generate(message).await
    }
}

fn base_urls(config: &Config) -> Result<BaseUrls, BuildError> {
    let Config { endpoint, deployment, api_version, .. } = config;
    let is_plain = |text: &str| {
        let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
        !text.is_empty() && text.chars().all(fits)
    };
    for (name, value) in [("deployment", Some(deployment)), ("api_version", api_version.as_ref())] {
        if let Some(value) = value.filter(|value| !is_plain(value)) {
            let allowed = "letters, digits, `-`, `_` and `.` are allowed";
            return Err(BuildError::new(format_args!("`settings.{name}`: `{value}`; {allowed}")));
        }
    }
    Ok(endpoint.map(|endpoint| {
        let endpoint = endpoint.trim_end_matches('/');
        match api_version {
            Some(version) => {
                format!("{endpoint}/openai/deployments/{deployment}?api-version={version}")
            }
            None => format!("{endpoint}/openai/v1"),
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use framework::responses::{CreateParams, Request};
    use framework::task::{RolloutKey, TaskId};
    use serde_json::json;
    use tokio::time::Instant;

    use super::*;
    use crate::upstream::endpoint::{Answer, Endpoint};

    const ANSWER: &str = r#"{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}"#;

    fn model(settings: &Value) -> Result<AzureOpenai, BuildError> {
        let config = serde_json::from_value(settings.clone()).unwrap();
        AzureOpenai::new(config, &Wiring::detached("policy"))
    }

    #[tokio::test]
    async fn requests_go_to_the_deployment_with_the_key_or_the_token() {
        for (settings, expected) in [
            (
                json!({ "api_key": "k1", "api_version": "2024-10-21" }),
                [
                    "POST /openai/deployments/gpt/chat/completions?api-version=2024-10-21 HTTP/1.1\r\n",
                    "api-key: k1\r\n",
                ],
            ),
            (
                json!({ "token": "t1" }),
                ["POST /openai/v1/chat/completions HTTP/1.1\r\n", "authorization: Bearer t1\r\n"],
            ),
        ] {
            let endpoint = Endpoint::start(vec![Answer::http(200, "", ANSWER)]).await;
            let root = endpoint.url().strip_suffix("/v1").unwrap();
            let mut all = json!({ "endpoint": format!("{root}/"), "deployment": "gpt" });
            all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
            let params = r#"{"input":"hi","max_output_tokens":5}"#;
            let params = Arc::new(CreateParams::parse(params).unwrap());
            let request = Request { params, history: vec![] };
            let key = RolloutKey { task: TaskId::from("a/b/1"), repeat: 0 };
            let deadline = Instant::now() + Duration::from_secs(30);
            let caller = Arc::from("agents/solver");
            let message = Generate { request, key, caller, deadline };
            let asked = model(&all).unwrap().generate(message).await;
            assert_eq!(asked.unwrap().last_assistant_text().as_deref(), Some("hi"));
            let request = endpoint.requests().remove(0);
            let body = r#"{"max_completion_tokens":5,"model":"gpt","messages":[{"role":"user","content":"hi"}]}"#;
            for expected in expected.into_iter().chain([body]) {
                assert!(request.contains(expected), "{expected} is not in {request}");
            }
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        for (settings, expected) in [
            (json!({}), "either `settings.api_key` or `settings.token`"),
            (json!({ "api_key": "k", "token": "t" }), "either `settings.api_key`"),
            (json!({ "api_key": "k", "deployment": "a/b" }), "`settings.deployment`: `a/b`"),
            (json!({ "api_key": "k", "api_version": "1&x=2" }), "`settings.api_version`"),
            (
                json!({ "api_key": "k", "extra_body": { "model": "x" } }),
                "`settings.extra_body.model`",
            ),
        ] {
            let mut all = json!({ "endpoint": "http://a", "deployment": "gpt" });
            all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
            let error = model(&all).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
