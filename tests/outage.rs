//! An endpoint that goes down and comes back: it is left alone meanwhile, and no rollout is lost.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::framework::endpoint::BreakerState;
use rehearsal::prelude::*;

use crate::support::scrape::Scrape;
use crate::support::until;

const ROLLOUTS: u32 = 40;
const RESPONSE: &str = r#"{"id":"r","object":"response","created_at":1,"model":"m","status":"completed","error":null,"output":[{"type":"message","id":"msg","role":"assistant","status":"completed","content":[{"type":"output_text","text":"hi","annotations":[]}]}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[]}"#;

/// An endpoint that answers 503 until it is up.
#[derive(Default)]
struct Patient {
    is_up: AtomicBool,
    requests: AtomicU32,
}

impl Patient {
    /// Listens on a free port; returns its URL.
    fn start(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let patient = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                patient.answer(stream.unwrap());
            }
        });
        url
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(&stream);
        let (mut line, mut length) = (String::new(), 0);
        while reader.read_line(&mut line).unwrap_or(0) > 2 {
            if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
            line.clear();
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        self.requests.fetch_add(1, Ordering::Relaxed);
        let is_up = self.is_up.load(Ordering::Relaxed);
        let (status, body) = if is_up { (200, RESPONSE) } else { (503, "loading weights") };
        let length = body.len();
        let head = format!("HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {length}");
        // The client may have given up.
        let _ = write!(stream, "{head}\r\n\r\n{body}");
    }
}

fn config(url: &str) -> String {
    format!(
        "
models:
  policy:
    kind: openai
    settings:
      base_url: {url}
      model: m
      http: {{ retries: 0, breaker: {{ requests_min: 5, open: 300ms }} }}
environments: {{ weather: {{ kind: simple_weather }} }}
agents: {{ solver: {{ kind: tool_loop, environment: weather, model: policy }} }}
runtime: {{ shards: 2 }}
telemetry: {{ prometheus: '127.0.0.1:0' }}
"
    )
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_left_alone_and_the_rollouts_wait_for_it() {
    let patient = Arc::new(Patient::default());
    let config = Loader::new().text("outage", &config(&patient.start())).load().unwrap();
    let runtime = Arc::new(Runtime::start(config, &rehearsal::kinds()).await.unwrap());
    let row = std::fs::read_to_string("environments/data/simple_weather/example.jsonl").unwrap();
    let row = row.lines().next().unwrap();
    let task = runtime.task("solver", "weather/1".into(), row).unwrap();
    let policy = RolloutPolicy { attempts_max: 10, timeout: Duration::from_secs(60) };
    let rollouts: Vec<_> = (0..ROLLOUTS)
        .map(|repeat| {
            let (runtime, task) = (runtime.clone(), task.clone());
            tokio::spawn(async move { runtime.submit("solver", &task, repeat, policy).await })
        })
        .collect();

    let breaker = || runtime.status().endpoints[0].breaker;
    until("the breaker opens", || breaker() == BreakerState::Open).await;
    // Those that were on their way, and a probe or a few on a slow machine.
    let tree = runtime.tree().to_string();
    assert!(tree.contains("policy/1 up") && tree.contains("policy breaker open"), "{tree}");
    let asked = patient.requests.load(Ordering::Relaxed);
    assert!(asked <= ROLLOUTS + 10, "{asked} requests to an endpoint that is down");
    patient.is_up.store(true, Ordering::Relaxed);

    for rollout in rollouts {
        rollout.await.unwrap().unwrap();
    }
    assert_eq!(breaker(), BreakerState::Closed);
    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    let model = ["model=\"policy\""];
    assert_eq!(scrape.sum("rehearsal_model_breaker_state", &model), 0.0);
    assert!(scrape.sum("rehearsal_model_breaker_opens_total", &model) >= 1.0);
}
