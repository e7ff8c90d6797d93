//! What the mock answers, and how it is served.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};

const CALL: &str = r#"{"id":"resp_1","object":"response","created_at":1,"model":"mock","status":"completed","error":null,"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"output":[{"type":"function_call","id":"call_1","call_id":"call_1","name":"get_weather","arguments":"{\"city\":\"San Francisco\"}","status":"completed"}],"usage":{"input_tokens":80,"output_tokens":16,"total_tokens":96}}"#;
const MESSAGE: &str = r#"{"id":"resp_2","object":"response","created_at":1,"model":"mock","status":"completed","error":null,"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"It is cold in San Francisco.","annotations":[]}]}],"usage":{"input_tokens":120,"output_tokens":8,"total_tokens":128}}"#;
const CHAT_CALL: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"San Francisco\"}"}}]}}],"usage":{"prompt_tokens":80,"completion_tokens":16,"total_tokens":96}}"#;
const CHAT_MESSAGE: &str = r#"{"id":"chatcmpl-2","object":"chat.completion","created":1,"model":"mock","choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"It is cold in San Francisco."}}],"usage":{"prompt_tokens":120,"completion_tokens":8,"total_tokens":128}}"#;
const TURN_CALL: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"mock","content":[{"type":"tool_use","id":"call_1","name":"get_weather","input":{"city":"San Francisco"}}],"stop_reason":"tool_use","usage":{"input_tokens":80,"output_tokens":16}}"#;
const TURN_MESSAGE: &str = r#"{"id":"msg_2","type":"message","role":"assistant","model":"mock","content":[{"type":"text","text":"It is cold in San Francisco."}],"stop_reason":"end_turn","usage":{"input_tokens":120,"output_tokens":8}}"#;
const FAILURE: &str = r#"{"error":{"message":"the mock is told to fail"}}"#;

/// What stands in the place of the ids that nobody asked for.
const CHOICE: &str = r#""choices":[{"#;
/// Token ids of the first answer, then of the second, whose prompt goes on from the first.
const IDS: [(&str, &[u32]); 2] = [("1,2,3,4", &[5, 6]), ("1,2,3,4,5,6,7,8", &[9])];

/// What the connections share.
pub(crate) struct Mock {
    latency: Duration,
    fail_rate: f64,
    requests: AtomicU64,
}

impl Mock {
    /// A mock whose answers take that long; that share of them, from 0 to 1, is a 503.
    pub(crate) fn new(latency: Duration, fail_rate: f64) -> Self {
        Self { latency, fail_rate, requests: AtomicU64::new(0) }
    }

    async fn answer(
        &self,
        request: Request<Incoming>,
    ) -> Result<Response<Full<Bytes>>, Infallible> {
        let path = request.uri().path().to_owned();
        let body = request.into_body().collect().await.map(|body| body.to_bytes());
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        let number = self.requests.fetch_add(1, Relaxed) as f64;
        let fails = ((number + 1.0) * self.fail_rate).floor() > (number * self.fail_rate).floor();
        let (status, text) = match body.as_deref().map(std::str::from_utf8) {
            _ if fails => (StatusCode::SERVICE_UNAVAILABLE, FAILURE.into()),
            Ok(Ok(body)) => (StatusCode::OK, said(&path, body)),
            Ok(Err(_)) | Err(_) => (StatusCode::BAD_REQUEST, FAILURE.into()),
        };
        let mut response = Response::new(Full::new(text));
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, "application/json".parse().expect("it is ASCII"));
        Ok(response)
    }
}

/// The answer to a body, by what stands in it.
fn said(path: &str, body: &str) -> Bytes {
    let is_second = ["\"function_call_output\"", "\"role\":\"tool\"", "\"tool_result\""]
        .iter()
        .any(|sign| body.contains(sign));
    let (prompt, generated) = IDS[usize::from(is_second)];
    let (first, second) = match path {
        _ if path.ends_with("/tokenize") => return format!("{{\"tokens\":[{prompt}]}}").into(),
        _ if path.ends_with("/chat/completions") => (CHAT_CALL, CHAT_MESSAGE),
        _ if path.ends_with("/messages") => (TURN_CALL, TURN_MESSAGE),
        _ => (CALL, MESSAGE),
    };
    let text = if is_second { second } else { first };
    if !body.contains("\"return_tokens_as_token_ids\":true") {
        return text.into();
    }
    let entry = |id| format!(r#"{{"token":"token_id:{id}","logprob":-0.5,"top_logprobs":[]}}"#);
    let entries: Vec<_> = generated.iter().map(entry).collect();
    let logprobs = format!(r#""logprobs":{{"content":[{}]}},"#, entries.join(","));
    let choice = if body.contains("\"return_token_ids\":true") {
        format!(r#""prompt_token_ids":[{prompt}],{CHOICE}"token_ids":{generated:?},{logprobs}"#)
    } else {
        format!("{CHOICE}{logprobs}")
    };
    text.replacen(CHOICE, &choice, 1).into()
}

/// Serves until the listener fails.
///
/// # Errors
/// Fails if the listener does.
pub(crate) async fn serve(mock: Arc<Mock>, listener: TcpListener) -> io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(connection(mock.clone(), stream));
    }
}

async fn connection(mock: Arc<Mock>, stream: TcpStream) {
    // A connection that breaks is its client's business.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| mock.answer(request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
