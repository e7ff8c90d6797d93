//! The `openai` model: any endpoint that speaks the Responses API natively (OpenAI, and servers such
//! as vLLM that offer `/v1/responses`).
//!
//! A request goes out with the fields that its task set, as the text they came in; only `model` is
//! always this model's own. The answer's items are kept as text too, so what an endpoint adds to
//! them survives into the next request and the record. A conversation that is too long for the model
//! ends as an incomplete response with one empty message, as with the other kinds.

mod events;

use std::collections::BTreeMap;

use framework::config::Secret;
use framework::model::{Generate, Model, ModelError};
use framework::responses::{Fields, IncompleteReason, Item, ItemKind, Request, Response};
use framework::wiring::{BuildError, Wiring};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::chat_completions::reply::silence;
use crate::upstream::{Address, BaseUrls, Failures, HttpConfig, KeyIn, Reading, Upstream};
use events::Events;

/// The model's `settings:`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The API's root, such as `https://api.openai.com/v1`; `/responses` is added. Several are
    /// replicas that serve the same model.
    pub base_url: BaseUrls,
    /// Sent as `Authorization: Bearer …`. Default: no such header.
    #[serde(default)]
    pub api_key: Secret,
    /// The model to ask for, whatever the task says.
    pub model: String,
    /// Fields of the request that a task does not set itself.
    #[serde(default)]
    pub extra_body: serde_json::Map<String, serde_json::Value>,
    /// Fields of the request whatever the task says.
    #[serde(default)]
    pub sampling_overrides: serde_json::Map<String, serde_json::Value>,
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

/// Fields that settings cannot set.
const RESERVED: [&str; 3] = ["input", "model", "stream"];

/// A model behind an endpoint of the Responses API.
#[derive(Debug)]
pub struct Openai {
    upstream: Upstream,
    name: Box<str>,
    /// Laid over what the task sets.
    overrides: Fields,
    /// Laid under it.
    extra_body: Fields,
    drop_reasoning: bool,
}

impl Model for Openai {
    const KIND: &'static str = "openai";
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
        let address = Address {
            base_urls: &config.base_url,
            path: "responses",
            api_key: &config.api_key,
            key_in: KeyIn::Bearer,
            headers: &config.default_headers,
            model: &config.model,
        };
        let mut overrides = Fields::default();
        for (name, value) in &config.sampling_overrides {
            overrides.set(name, value);
        }
        overrides.set("model", &config.model);
        if config.http.stream {
            overrides.set("stream", &true);
        }
        let mut extra_body = Fields::default();
        for (name, value) in &config.extra_body {
            extra_body.set(name, value);
        }
        let upstream = Upstream::new(&address, config.http, wiring)?;
        let (name, drop_reasoning) = (config.model.into(), config.drop_input_reasoning_items);
        Ok(Self { upstream, name, overrides, extra_body, drop_reasoning })
    }

    async fn generate(&self, message: Generate) -> Result<Response, ModelError> {
        let body = self.body(&message.request);
        let reading = Reading { whole: read, pieces: Some(|| Box::new(Events::default())) };
        match self.upstream.ask(body, &message, reading).await {
            Err(ModelError::ContextLength { .. }) => {
                let (params, reason) = (&message.request.params, IncompleteReason::MaxOutputTokens);
                Ok(silence(params, &self.name, reason))
            }
            answer => answer,
        }
    }
}

impl Openai {
    /// The request's JSON: `extra_body` under the task's fields, those under the overrides.
    fn body(&self, request: &Request) -> String {
        let mut overrides = self.overrides.clone();
        for (name, value) in self.extra_body.iter() {
            if !request.params.fields().contains(name) && !self.overrides.contains(name) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use framework::config::{ByteSize, TimeSpan};
    use framework::responses::CreateParams;
    use framework::task::{RolloutKey, TaskId};
    use serde_json::{Value, json};
    use tokio::time::Instant;

    use super::*;
    use crate::upstream::endpoint::{Answer, Endpoint};

    const RESPONSE: &str = r#"{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"completed","error":null,"output":[{"type":"message","id":"msg","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"zzz":1}"#;
    const KEY: &str = "sk-secret";

    fn config(base_url: &str) -> Config {
        let config = json!({"base_url": base_url, "api_key": KEY, "model": "m",
            "http": {"retries": 2, "backoff": "1ms"}});
        serde_json::from_value(config).unwrap()
    }

    fn message(params: &str, history: Vec<Item>, patience: Duration) -> Generate {
        let params = Arc::new(CreateParams::parse(params).unwrap());
        let request = Request { params, history };
        let key = RolloutKey { task: TaskId::from("a/b/1"), repeat: 0 };
        let caller = Arc::from("agents/solver");
        Generate { request, key, caller, deadline: Instant::now() + patience }
    }

    async fn ask(config: Config, patience: Duration) -> Result<Response, ModelError> {
        let model = Openai::new(config, &Wiring::detached("policy")).unwrap();
        model.generate(message(r#"{"input":"hi"}"#, vec![], patience)).await
    }

    const PATIENCE: Duration = Duration::from_secs(30);

    /// The body that a request with these settings and parameters has.
    fn body(settings: Value, params: &str, history: Vec<Item>) -> Value {
        let mut config = serde_json::to_value(config("http://localhost/v1")).unwrap();
        config.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        let config = serde_json::from_value(config).unwrap();
        let model = Openai::new(config, &Wiring::detached("policy")).unwrap();
        let request = message(params, history, PATIENCE).request;
        serde_json::from_str(&model.body(&request)).unwrap()
    }

    #[tokio::test]
    async fn an_answer_comes_back_with_all_its_fields() {
        let endpoint = Endpoint::start(vec![Answer::http(200, "", RESPONSE)]).await;
        let mut config = config(endpoint.url());
        config.default_headers.insert("x-team".to_owned(), Secret::new("a"));
        let response = ask(config, PATIENCE).await.unwrap();
        assert_eq!(response.last_assistant_text().as_deref(), Some("hi"));
        assert_eq!(serde_json::to_value(&response).unwrap()["zzz"], 1);
        let request = endpoint.requests().remove(0);
        for expected in [
            "POST /v1/responses HTTP/1.1\r\n",
            "content-type: application/json\r\n",
            "authorization: Bearer sk-secret\r\n",
            "x-team: a\r\n",
            r#"{"model":"m","input":[{"content":"hi","role":"user","type":"message"}]}"#,
        ] {
            assert!(request.contains(expected), "{expected} is not in {request}");
        }
    }

    #[tokio::test]
    async fn every_fault_has_its_cause_and_its_number_of_requests() {
        let ok = || Answer::http(200, "", RESPONSE);
        let error = |status| Answer::http(status, "", &format!("no, {KEY}"));
        let cut = format!("HTTP/1.1 200 X\r\ncontent-length: 999\r\n\r\n{RESPONSE}");
        let failed = RESPONSE.replace("completed\",\"error\":null", "failed\",\"error\":{}");
        let queued = RESPONSE.replace("completed\",\"error", "queued\",\"error");
        let too_long = r#"{"error":{"message":"maximum context length is 9","code":null}}"#;
        for (answers, expected, requests) in [
            (vec![Answer::http(429, "retry-after: 0\r\n", "slow down"), ok()], "ok", 2),
            (vec![error(503), error(520), ok()], "ok", 3),
            (vec![Answer::HangUp(String::new()), ok()], "ok", 2),
            (vec![Answer::HangUp(cut), ok()], "ok", 2),
            (vec![error(500)], "unavailable", 3),
            (vec![error(429)], "rate_limited", 3),
            (vec![error(400)], "bad_request", 1),
            (vec![Answer::http(400, "", too_long)], "ok", 1),
            (vec![error(401)], "authentication", 1),
            (vec![error(404)], "unknown_model", 1),
            (vec![Answer::http(307, "location: http://other/\r\n", "")], "bad_request", 1),
            (vec![Answer::http(200, "", "<html>")], "malformed", 1),
            (vec![Answer::http(200, "", r#"{"object":"list"}"#)], "malformed", 1),
            (vec![Answer::http(200, "", &queued)], "malformed", 1),
            (vec![Answer::http(200, "", &failed)], "unavailable", 3),
        ] {
            let endpoint = Endpoint::start(answers.clone()).await;
            let result = ask(config(endpoint.url()), PATIENCE).await;
            let status = result.as_ref().map_or_else(ModelError::status, |_| "ok");
            assert_eq!(status, expected, "{answers:?}: {result:?}");
            assert_eq!(endpoint.requests().len(), requests, "{answers:?}");
            assert!(!format!("{result:?}").contains(KEY), "{result:?}");
        }
    }

    #[tokio::test]
    async fn a_conversation_that_is_too_long_is_an_incomplete_response() {
        let body = r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#;
        let endpoint = Endpoint::start(vec![Answer::http(400, "", body)]).await;
        let response = ask(config(endpoint.url()), PATIENCE).await.unwrap();
        assert_eq!(response.incomplete, Some(IncompleteReason::MaxOutputTokens));
        assert_eq!((response.last_assistant_text().as_deref(), &*response.model), (Some(""), "m"));
    }

    #[tokio::test]
    async fn an_answer_longer_than_allowed_is_refused() {
        let with_length = Answer::http(200, "", RESPONSE);
        let chunk = format!("{:x}\r\n{RESPONSE}\r\n", RESPONSE.len());
        let chunked =
            format!("HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{chunk}0\r\n\r\n");
        for answer in [with_length, Answer::Send(chunked)] {
            let endpoint = Endpoint::start(vec![answer]).await;
            let mut config = config(endpoint.url());
            config.http.body_max = ByteSize::from_bytes(100);
            let error = ask(config, PATIENCE).await.unwrap_err().to_string();
            assert!(error.contains("longer than `settings.http.body_max` (100B)"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_silent_endpoint_is_given_up_at_the_deadline() {
        let endpoint = Endpoint::start(vec![Answer::Silence]).await;
        let error = ask(config(endpoint.url()), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.status(), "timeout");
        assert_eq!(endpoint.requests().len(), 1);
    }

    #[tokio::test]
    async fn a_silent_try_is_followed_by_another() {
        let answers = vec![Answer::Silence, Answer::http(200, "", RESPONSE)];
        let endpoint = Endpoint::start(answers).await;
        let mut config = config(endpoint.url());
        config.http.attempt_timeout = Some(TimeSpan::from_millis(50));
        ask(config, PATIENCE).await.unwrap();
        assert_eq!(endpoint.requests().len(), 2);
    }

    #[tokio::test]
    async fn a_wait_beyond_the_deadline_is_not_begun() {
        let answer = Answer::http(429, "retry-after: 60\r\n", "slow down");
        let endpoint = Endpoint::start(vec![answer]).await;
        let started = Instant::now();
        let error = ask(config(endpoint.url()), PATIENCE).await.unwrap_err();
        assert_eq!(error.status(), "rate_limited");
        assert!(started.elapsed() < PATIENCE / 2);
    }

    #[tokio::test]
    async fn an_endpoint_that_keeps_failing_is_left_alone_until_it_is_tried_again() {
        let failing = Answer::http(503, "", "restarting");
        let answers = vec![failing; 3].into_iter().chain([Answer::http(200, "", RESPONSE)]);
        let endpoint = Endpoint::start(answers.collect()).await;
        let mut config = config(endpoint.url());
        config.http.retries = 0;
        config.http.breaker.requests_min = 3;
        let model = Openai::new(config, &Wiring::detached("policy")).unwrap();
        let ask = || model.generate(message(r#"{"input":"hi"}"#, vec![], PATIENCE));
        for _ in 0..3 {
            assert_eq!(ask().await.unwrap_err().status(), "unavailable");
        }
        let refused = ask().await.unwrap_err();
        let ModelError::BreakerOpen { retry_after, .. } = &refused else { panic!("{refused}") };
        assert!(refused.is_retryable() && *retry_after <= Duration::from_secs(5));
        assert_eq!(endpoint.requests().len(), 3);
        tokio::time::pause();
        tokio::time::advance(*retry_after).await;
        tokio::time::resume();
        ask().await.unwrap();
        ask().await.unwrap();
    }

    #[tokio::test]
    async fn when_everything_fails_retries_stay_within_their_budget() {
        let endpoint = Endpoint::start(vec![Answer::http(503, "", "busy")]).await;
        let mut config = config(endpoint.url());
        config.http.retries = 4;
        config.http.breaker.requests_min = 10_000;
        config.http.retry_budget.retries_min = 5;
        let model = Openai::new(config, &Wiring::detached("policy")).unwrap();
        for _ in 0..50 {
            let asked = model.generate(message(r#"{"input":"hi"}"#, vec![], PATIENCE)).await;
            assert_eq!(asked.unwrap_err().status(), "unavailable");
        }
        assert_eq!(endpoint.requests().len(), 50 + 50 / 5);
    }

    #[tokio::test]
    async fn an_endpoint_that_is_not_there_is_a_connection_error() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = ask(config(&format!("http://{free}/v1")), PATIENCE).await.unwrap_err();
        assert!(error.to_string().contains("refused"), "{error}");
        assert_eq!(error.status(), "connection");
    }

    #[test]
    fn extra_body_lies_under_the_task_and_the_model_over_it() {
        let settings = json!({"extra_body": {"top_p": 0.5, "temperature": 0.5, "x": {"y": 1}}});
        let body = body(settings, r#"{"input":[],"model":"other","temperature":1.0}"#, vec![]);
        let expected =
            json!({"model": "m", "temperature": 1.0, "top_p": 0.5, "x": {"y": 1}, "input": []});
        assert_eq!(body, expected);
    }

    #[test]
    fn reasoning_can_be_kept_from_the_endpoint() {
        let reasoning = Item::parse(r#"{"type":"reasoning","id":"r","summary":[]}"#).unwrap();
        let prompt = r#"{"input":[{"type":"reasoning","id":"q","summary":[]}],"model":"other"}"#;
        let history = vec![reasoning, Item::output_message("msg", "hi")];
        let with = body(json!({}), prompt, history.clone());
        assert_eq!(with["input"].as_array().unwrap().len(), 3);
        let without = body(json!({"drop_input_reasoning_items": true}), prompt, history);
        assert_eq!(without["input"].as_array().unwrap().len(), 1);
        assert_eq!(without["model"], "m");
    }

    #[test]
    fn settings_that_cannot_work_are_refused_and_the_key_is_not_shown() {
        let extra_body = json!({"input": []});
        for (change, expected) in [
            (json!({"extra_body": extra_body}), "`settings.extra_body.input`"),
            (json!({"default_headers": {"a b": "c"}}), "`settings.default_headers.a b`"),
            (json!({"api_key": "a\nb"}), "`settings.api_key`"),
            (json!({"base_url": "ftp://a"}), "`settings.base_url`"),
        ] {
            let mut config = json!({"base_url": "http://a/v1", "api_key": KEY, "model": "m"});
            config.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let config = serde_json::from_value(config).unwrap();
            let error = Openai::new(config, &Wiring::detached("policy")).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        assert!(!format!("{:?}", config("http://a/v1")).contains(KEY));
    }
}
