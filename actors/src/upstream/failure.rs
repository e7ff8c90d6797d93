//! What an endpoint's refusals and silences mean.
//!
//! Endpoints agree on status codes more than on the shape of their errors, so the code decides and
//! the body is searched for the few things that the code does not tell: a conversation that is too
//! long, an unknown model, an exhausted quota.

use std::error::Error;
use std::time::{Duration, SystemTime};

use framework::config::{ByteSize, Secret};
use framework::model::ModelError;
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::backoff::parse_retry_after;

/// No more of an endpoint's words goes into an error.
const MESSAGE_CHARS_MAX: usize = 500;

/// Words by which endpoints say that the conversation is too long.
const TOO_LONG: [&str; 9] = [
    "context length",
    "context window",
    "context_length_exceeded",
    "maximum context",
    "prompt is too long",
    // llama.cpp.
    "context size",
    // Anthropic, of the conversation and what it may be answered with.
    "context limit",
    // vLLM, of a prompt with pictures.
    "maximum model length",
    // Gemini.
    "input token count",
];

/// Words by which endpoints say in a 400 that they lack the model.
const NO_MODEL: [&str; 2] = ["model_not_found", "model does not exist"];

/// Turns what an endpoint does into errors.
#[derive(Debug)]
pub(crate) struct Failures {
    endpoint: String,
    model: String,
    /// Keys and the like, which an endpoint may repeat.
    secrets: Vec<Secret>,
}

impl Failures {
    pub(crate) fn new(endpoint: &str, model: &str, secrets: Vec<Secret>) -> Self {
        Self { endpoint: endpoint.to_owned(), model: model.to_owned(), secrets }
    }

    /// It could not be reached, or hung up.
    pub(super) fn connection(&self, error: &reqwest::Error) -> ModelError {
        ModelError::Connection { endpoint: self.endpoint.clone(), reason: chain(error) }
    }

    /// It hung up before it was done.
    pub(super) fn hung_up(&self, reason: &str) -> ModelError {
        ModelError::Connection { endpoint: self.endpoint.clone(), reason: reason.to_owned() }
    }

    /// It has failed too often and was not asked.
    pub(super) fn breaker_open(&self, retry_after: Duration) -> ModelError {
        ModelError::BreakerOpen { endpoint: self.endpoint.clone(), retry_after }
    }

    /// Its answer makes no sense.
    pub(crate) fn malformed(&self, reason: impl std::fmt::Display) -> ModelError {
        let reason = self.shorten(&reason.to_string());
        ModelError::Malformed { endpoint: self.endpoint.clone(), reason }
    }

    /// Its answer is longer than allowed.
    pub(super) fn too_long(&self, max: ByteSize) -> ModelError {
        self.malformed(format_args!("it is longer than `settings.http.body_max` ({max})"))
    }

    /// It answers with a status other than success.
    pub(super) fn refusal(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &str,
    ) -> ModelError {
        if status.is_redirection() {
            let to = text_of(headers, LOCATION).unwrap_or("nowhere");
            return self.of(status, None, &format!("it redirects to {to}"), "");
        }
        let retry_after = text_of(headers, RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| parse_retry_after(value, SystemTime::now()));
        let message = message(body);
        let searched = body.to_lowercase();
        self.of(status, retry_after, &message, &searched)
    }

    /// It answers with success, but what it made is an error object.
    pub(crate) fn inner(&self, error: &str) -> ModelError {
        let searched = error.to_lowercase();
        let status = match code(error) {
            Some(status) => status,
            None if searched.contains("rate_limit") => StatusCode::TOO_MANY_REQUESTS,
            None if searched.contains("invalid_") => StatusCode::BAD_REQUEST,
            None if contains_any(&searched, &TOO_LONG) => StatusCode::BAD_REQUEST,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        };
        self.of(status, None, &message(error), &searched)
    }

    fn of(
        &self,
        code: StatusCode,
        retry_after: Option<Duration>,
        message: &str,
        searched: &str,
    ) -> ModelError {
        let (endpoint, message, status) =
            (self.endpoint.clone(), self.shorten(message), code.as_u16());
        let may_be_too_long = matches!(status, 400 | 413 | 422);
        match status {
            401 | 403 => ModelError::Authentication { endpoint, status, message },
            429 if searched.contains("insufficient_quota") => {
                ModelError::Authentication { endpoint, status, message }
            }
            429 => ModelError::RateLimited { endpoint, message, retry_after },
            404 => ModelError::UnknownModel { endpoint, model: self.model.clone(), message },
            408 | 500.. => ModelError::Unavailable { endpoint, status, message, retry_after },
            _ if may_be_too_long && contains_any(searched, &TOO_LONG) => {
                ModelError::ContextLength { message }
            }
            400 if contains_any(searched, &NO_MODEL) => {
                ModelError::UnknownModel { endpoint, model: self.model.clone(), message }
            }
            _ => ModelError::BadRequest { endpoint, status, message },
        }
    }

    /// The endpoint's words, without secrets and not too many.
    fn shorten(&self, message: &str) -> String {
        let hide = |text: String, secret: &Secret| text.replace(secret.expose(), "***");
        let message = self.secrets.iter().fold(message.to_owned(), hide);
        match message.char_indices().nth(MESSAGE_CHARS_MAX) {
            Some((end, _)) => format!("{}…", &message[..end]),
            None => message,
        }
    }
}

/// Whether an endpoint that fails like this is down, for the circuit breaker. One that refuses a
/// request, even for its rate, is up.
pub(super) fn is_outage(error: &ModelError) -> bool {
    matches!(
        error,
        ModelError::Timeout { .. }
            | ModelError::Connection { .. }
            | ModelError::Unavailable { .. }
            | ModelError::Malformed { .. }
    )
}

/// How long the endpoint asked to wait.
pub(super) fn retry_after(error: &ModelError) -> Option<Duration> {
    match error {
        ModelError::RateLimited { retry_after, .. }
        | ModelError::Unavailable { retry_after, .. } => *retry_after,
        _ => None,
    }
}

/// An error and its causes. The URL, which reqwest repeats, stands in ours already.
pub(super) fn chain(error: &reqwest::Error) -> String {
    let mut causes: Vec<String> = vec![];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    if causes.is_empty() { error.to_string() } else { causes.join(": ") }
}

fn contains_any(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.contains(word))
}

fn text_of(headers: &HeaderMap, name: reqwest::header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The status that an error object names: in streams the answer's own has long been sent.
fn code(error: &str) -> Option<StatusCode> {
    let json: Value = serde_json::from_str(error).ok()?;
    let code = [&json["error"]["code"], &json["code"]].into_iter().find_map(Value::as_u64)?;
    let status = StatusCode::from_u16(u16::try_from(code).ok()?).ok()?;
    (status.is_client_error() || status.is_server_error()).then_some(status)
}

/// What an error's body says: `error.message`, `error`, `message` or `detail` if it is JSON, else
/// its text.
fn message(body: &str) -> String {
    let Ok(json) = serde_json::from_str::<Value>(body) else {
        return body.trim().to_owned();
    };
    let candidates = [&json["error"]["message"], &json["error"], &json["message"], &json["detail"]];
    let said = candidates.into_iter().find(|value| !value.is_null()).unwrap_or(&json);
    said.as_str().map_or_else(|| said.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failures() -> Failures {
        Failures::new("http://a/v1/responses", "m", vec![Secret::new("sk-1")])
    }

    fn refusal(status: u16, body: &str) -> ModelError {
        let status = StatusCode::from_u16(status).unwrap();
        failures().refusal(status, &HeaderMap::new(), body)
    }

    #[test]
    fn every_refusal_has_its_cause() {
        let too_long = r#"{"object":"error","message":"This model's maximum context length is 9"}"#;
        for (status, body, expected) in [
            (401, "", "authentication"),
            (403, "", "authentication"),
            (404, "", "unknown_model"),
            (408, "", "unavailable"),
            (429, "", "rate_limited"),
            (429, r#"{"error":{"code":"insufficient_quota"}}"#, "authentication"),
            (400, "", "bad_request"),
            (400, too_long, "context_length"),
            (413, "Prompt is too long", "context_length"),
            (
                400,
                "the request exceeds the available context size, try increasing it",
                "context_length",
            ),
            (
                400,
                "input length and `max_tokens` exceed context limit: 9 + 1 > 9",
                "context_length",
            ),
            (
                400,
                "The decoder prompt (length 9) is longer than the maximum model length of 8.",
                "context_length",
            ),
            (
                400,
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
                "context_length",
            ),
            (400, "max_tokens is above the maximum number of tokens allowed", "bad_request"),
            (400, r#"{"error":{"code":"model_not_found","message":"x"}}"#, "unknown_model"),
            (422, r#"{"detail":[]}"#, "bad_request"),
            (307, "", "bad_request"),
            (500, too_long, "unavailable"),
            (502, "<html>", "unavailable"),
            (520, "", "unavailable"),
        ] {
            assert_eq!(refusal(status, body).status(), expected, "{status} {body}");
        }
    }

    #[test]
    fn an_error_object_in_a_success_has_its_cause_as_well() {
        for (error, expected) in [
            (r#"{"code":"server_error","message":"oops"}"#, "unavailable"),
            (r#"{"code":"rate_limit_exceeded","message":"oops"}"#, "rate_limited"),
            (r#"{"code":"invalid_prompt","message":"oops"}"#, "bad_request"),
            (r#"{"message":"exceeds the context window"}"#, "context_length"),
            (r#"{"type":"BadRequestError","message":"oops","code":400}"#, "bad_request"),
            (r#"{"error":{"message":"Provider returned error","code":429}}"#, "rate_limited"),
            (r#"{"message":"no credits","code":401}"#, "authentication"),
            (r#"{"message":"oops","code":400,"type":"invalid_context window"}"#, "context_length"),
            (r#"{"message":"oops","code":7}"#, "unavailable"),
        ] {
            let error = failures().inner(error);
            assert_eq!(error.status(), expected, "{error}");
        }
    }

    #[test]
    fn the_endpoints_words_are_found_shortened_and_free_of_the_key() {
        for (body, expected) in [
            (r#"{"error":{"message":"bad key sk-1!"}}"#, "(400): bad key ***!"),
            (r#"{"error":"plain"}"#, "(400): plain"),
            (r#"{"message":"old vLLM"}"#, "(400): old vLLM"),
            (r#"{"detail":[{"loc":["body"]}]}"#, r#"(400): [{"loc":["body"]}]"#),
            (" text ", "(400): text"),
        ] {
            let error = refusal(400, body).to_string();
            assert!(error.ends_with(expected), "{error}");
        }
        let long = refusal(400, &"é".repeat(2000)).to_string();
        assert!(long.ends_with("é…") && long.chars().count() < 600);
    }
}
