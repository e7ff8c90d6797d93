//! A fast stand-in for a model behind the Responses API, to measure everything but the model.
//!
//! Run: cargo run --release --example mock_endpoint -- --latency 20ms --fail-rate 0.01
//! CI: --help
//!
//! Prints its `base_url`, then answers what `simple_weather` asks: a call of `get_weather` first, and
//! a message once there is a tool output. It runs until it is killed.
#![expect(clippy::print_stdout, reason = "whoever starts it reads the address there")]

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use clap::Parser;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::{Request, Response, StatusCode, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rehearsal::framework::config::TimeSpan;
use tokio::net::{TcpListener, TcpStream};

#[derive(Parser)]
struct Options {
    /// The port to listen on; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// How long each answer takes, such as 20ms.
    #[arg(long, default_value = "0ms", value_parser = time_span)]
    latency: TimeSpan,
    /// The share of requests that are answered 503, from 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    fail_rate: f64,
}

fn time_span(text: &str) -> Result<TimeSpan, serde_json::Error> {
    serde_json::from_value(text.into())
}

const CALL: &str = r#"{"id":"resp_1","object":"response","created_at":1,"model":"mock","status":"completed","error":null,"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"output":[{"type":"function_call","id":"fc_1","call_id":"call_1","name":"get_weather","arguments":"{\"city\":\"San Francisco\"}","status":"completed"}],"usage":{"input_tokens":80,"output_tokens":16,"total_tokens":96}}"#;
const MESSAGE: &str = r#"{"id":"resp_2","object":"response","created_at":1,"model":"mock","status":"completed","error":null,"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"output":[{"type":"message","id":"msg_1","role":"assistant","status":"completed","content":[{"type":"output_text","text":"It is cold in San Francisco.","annotations":[]}]}],"usage":{"input_tokens":120,"output_tokens":8,"total_tokens":128}}"#;
const FAILURE: &str = r#"{"error":{"message":"the mock is told to fail"}}"#;

/// What the connections share.
struct Mock {
    latency: Duration,
    fail_rate: f64,
    requests: AtomicU64,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let Options { port, latency, fail_rate } = Options::parse();
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/v1", listener.local_addr()?);
    let requests = AtomicU64::new(0);
    let mock = Arc::new(Mock { latency: latency.duration(), fail_rate, requests });
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(serve(mock.clone(), stream));
    }
}

async fn serve(mock: Arc<Mock>, stream: TcpStream) {
    // A connection that breaks is its client's business.
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| answer(&mock, request));
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    mock: &Mock,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.map(|body| body.to_bytes());
    if !mock.latency.is_zero() {
        tokio::time::sleep(mock.latency).await;
    }
    let number = mock.requests.fetch_add(1, Relaxed) as f64;
    let fails = ((number + 1.0) * mock.fail_rate).floor() > (number * mock.fail_rate).floor();
    let (status, text) = match body.as_deref().map(std::str::from_utf8) {
        _ if fails => (StatusCode::SERVICE_UNAVAILABLE, FAILURE),
        Ok(Ok(body)) if body.contains("\"function_call_output\"") => (StatusCode::OK, MESSAGE),
        Ok(Ok(_)) => (StatusCode::OK, CALL),
        Ok(Err(_)) | Err(_) => (StatusCode::BAD_REQUEST, FAILURE),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, "application/json".parse().expect("it is ASCII"));
    Ok(response)
}
