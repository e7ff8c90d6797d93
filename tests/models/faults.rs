//! Every kind of model against every fault of an endpoint.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use rehearsal::actors::anthropic::Anthropic;
use rehearsal::actors::azure_openai::AzureOpenai;
use rehearsal::actors::chat_completions::ChatCompletions;
use rehearsal::actors::openai::Openai;
use rehearsal::framework::model::{Generate, Model, ModelError};
use rehearsal::framework::responses::{CreateParams, Request};
use rehearsal::framework::task::{RolloutKey, TaskId};
use rehearsal::prelude::*;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::faulty::{Fault, Rate};
use super::{Mock, collect, comparable, kinds, mock, plain, with};

/// A mock of which a share of the answers fail.
fn failing(faults: &[(Fault, f64)]) -> Arc<Mock> {
    let fail = faults.iter().map(|(fault, share)| Rate { fault: *fault, share: *share });
    Arc::new(Mock { fail: fail.collect(), ..Mock::default() })
}

async fn ask_once<M: Model>(settings: Value, patience: Duration) -> Result<Response, ModelError> {
    let config: M::Config = serde_json::from_value(settings).unwrap();
    let model = M::new(config, &Wiring::detached("policy")).unwrap();
    let request = Request { params: Arc::new(CreateParams::user("hi")), history: Vec::new() };
    let key = RolloutKey { task: TaskId::from("solver/example/1"), repeat: 0 };
    let deadline = Instant::now() + patience;
    model.generate(Generate { request, key, caller: Arc::from("agents/solver"), deadline }).await
}

pub(super) async fn ask(
    kind: &str,
    settings: Value,
    patience: Duration,
) -> Result<Response, ModelError> {
    match kind {
        "openai" => ask_once::<Openai>(settings, patience).await,
        "chat_completions" => ask_once::<ChatCompletions>(settings, patience).await,
        "azure_openai" => ask_once::<AzureOpenai>(settings, patience).await,
        "anthropic" => ask_once::<Anthropic>(settings, patience).await,
        _ => panic!("{kind} is no kind that asks an endpoint"),
    }
}

#[tokio::test]
async fn every_fault_has_its_cause_in_every_kind_whole_and_streamed() {
    for (fault, expected, is_retryable, requests) in [
        (Fault::Status(429), "rate_limited", true, 2),
        (Fault::Status(500), "unavailable", true, 2),
        (Fault::Status(503), "unavailable", true, 2),
        (Fault::Status(400), "bad_request", false, 1),
        (Fault::Status(401), "authentication", false, 1),
        (Fault::Status(404), "unknown_model", false, 1),
        (Fault::Hang, "timeout", true, 1),
        (Fault::HangUp, "connection", true, 2),
        (Fault::Truncate, "connection", true, 2),
        (Fault::Garbage, "malformed", true, 1),
    ] {
        let endpoint = failing(&[(fault, 1.0)]);
        let url = mock(endpoint.clone());
        for (kind, settings) in kinds(std::slice::from_ref(&url)) {
            for stream in [false, true] {
                let http = json!({ "stream": stream, "retries": 1, "backoff": "1ms" });
                let settings = with(&settings, &json!({ "http": http }));
                let hangs = fault == Fault::Hang;
                let patience = Duration::from_millis(if hangs { 200 } else { 30_000 });
                let before = endpoint.requests.load(Relaxed);
                let error = ask(kind, settings, patience).await.unwrap_err();
                let case = format!("{fault:?}, {kind}, stream {stream}: {error}");
                assert_eq!(error.status(), expected, "{case}");
                assert_eq!(error.is_retryable(), is_retryable, "{case}");
                assert_eq!(endpoint.requests.load(Relaxed) - before, requests, "{case}");
            }
        }
    }
}

#[test]
fn rollouts_through_an_endpoint_that_often_fails_are_the_same_rollouts() {
    let expected = plain(8);
    for (kind, settings) in kinds(&[mock(failing(&[
        (Fault::Status(429), 0.07),
        (Fault::Status(500), 0.06),
        (Fault::HangUp, 0.05),
        (Fault::Truncate, 0.05),
        (Fault::Garbage, 0.04),
    ]))]) {
        for stream in [false, true] {
            let http = json!({ "stream": stream, "backoff": "1ms",
                "breaker": { "failures": 1.0 }, "retry_budget": { "share": 1.0 } });
            let settings = with(&settings, &json!({ "http": http }));
            let records: Vec<_> = collect(kind, &settings, 8).iter().map(comparable).collect();
            assert_eq!(records.len(), expected.len(), "{kind} {settings}");
            assert_eq!(records, expected, "{kind} {settings}");
        }
    }
}
