//! Several endpoints behind one model.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::prelude::*;
use serde_json::json;

use super::faulty::{Fault, Latency, Rate};
use super::{Mock, collect, comparable, kinds, mock, plain, with};
use crate::support::scrape::Scrape;

#[test]
fn replicas_share_the_rollouts_which_are_the_same_as_through_one() {
    let expected = plain(8);
    for index in 0..kinds(&[]).len() {
        let mocks: Vec<Arc<Mock>> = (0..3).map(|_| Arc::default()).collect();
        let urls: Vec<_> = mocks.iter().map(|endpoint| mock(endpoint.clone())).collect();
        let (kind, settings) = kinds(&urls).swap_remove(index);
        let records: Vec<_> = collect(kind, &settings, 8).iter().map(comparable).collect();
        assert_eq!(records, expected, "{kind}");
        let requests: Vec<_> = mocks.iter().map(|it| it.requests.load(Relaxed)).collect();
        // Rollouts of two requests each, spread evenly enough.
        let total: u64 = requests.iter().sum();
        assert_eq!(total, 2 * records.len() as u64, "{kind}");
        let fair = total / 3;
        assert!(requests.iter().all(|one| one.abs_diff(fair) <= fair / 2), "{kind}: {requests:?}");
    }
}

#[test]
fn with_a_dead_replica_every_rollout_is_made_all_the_same() {
    let expected = plain(8);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let broken =
        |fault| mock(Arc::new(Mock { fail: vec![Rate { fault, share: 1.0 }], ..Mock::default() }));
    let dead = [format!("http://{gone}/v1"), broken(Fault::Status(500)), broken(Fault::Garbage)];
    for dead in dead {
        let alive: Vec<Arc<Mock>> = (0..2).map(|_| Arc::default()).collect();
        let mut urls: Vec<_> = alive.iter().map(|endpoint| mock(endpoint.clone())).collect();
        urls.insert(1, dead);
        let (kind, settings) = kinds(&urls).swap_remove(1);
        let settings = with(&settings, &json!({ "http": { "backoff": "1ms" } }));
        let records: Vec<_> = collect(kind, &settings, 8).iter().map(comparable).collect();
        assert_eq!(records, expected);
    }
}

fn config(urls: &[String], http: &str) -> String {
    format!(
        "
models:
  limited:
    kind: openai
    settings: {{ base_url: [{}], model: mock, http: {http} }}
environments: {{ weather: {{ kind: simple_weather }} }}
agents:
  many: {{ kind: tool_loop, environment: weather, model: limited }}
  few: {{ kind: tool_loop, environment: weather, model: limited }}
runtime: {{ shards: 2 }}
telemetry: {{ prometheus: '127.0.0.1:0' }}
",
        urls.join(", ")
    )
}

#[tokio::test]
async fn limits_hold_for_all_shards_and_an_agent_with_little_to_ask_is_not_kept_waiting() {
    let latency = Latency::Fixed(std::time::Duration::from_millis(10));
    let urls: Vec<_> =
        (0..2).map(|_| mock(Arc::new(Mock { latency, ..Mock::default() }))).collect();
    let http = "{ stream: true, limits: { in_flight: 3 }, replica_limits: { in_flight: 2 } }";
    let config = Loader::new().text("limits", &config(&urls, http)).load().unwrap();
    let runtime = Arc::new(Runtime::start(config, &rehearsal::kinds()).await.unwrap());
    let row = std::fs::read_to_string("environments/data/simple_weather/example.jsonl").unwrap();
    let row = row.lines().next().unwrap();
    let submit = |agent: &'static str, rollouts: u32| -> Vec<_> {
        let task = runtime.task(agent, format!("{agent}/x/1").as_str().into(), row).unwrap();
        (0..rollouts)
            .map(|repeat| {
                let (runtime, task) = (runtime.clone(), task.clone());
                tokio::spawn(async move {
                    runtime.submit(agent, &task, repeat, RolloutPolicy::default()).await.unwrap();
                    tokio::time::Instant::now()
                })
            })
            .collect()
    };
    let many = submit("many", 120);
    let few = submit("few", 6);
    let (mut last_of_few, mut ends_of_many) = (None, Vec::new());
    for rollout in few {
        last_of_few = last_of_few.max(Some(rollout.await.unwrap()));
    }
    for rollout in many {
        ends_of_many.push(rollout.await.unwrap());
    }
    // Half of the turns are theirs while they have anything to ask: 12 requests of some 24.
    let before = ends_of_many.iter().filter(|end| Some(**end) < last_of_few).count();
    assert!(before <= 60, "{before} of 120 rollouts were served before the last of the six");

    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    for caller in ["caller=\"agents/many\"", "caller=\"agents/few\""] {
        assert!(scrape.sum("rehearsal_model_wait_seconds_count", &[caller]) > 0.0);
        assert_eq!(scrape.sum("rehearsal_model_waiting", &[caller]), 0.0);
    }
    // Other tests of this process have models, too.
    let of_model = "model=\"limited\"";
    let requests = "rehearsal_model_replica_requests_total";
    assert_eq!(scrape.sum(requests, &[of_model, "status=\"ok\""]), 2.0 * 126.0);
    assert_eq!(scrape.sum("rehearsal_model_first_token_seconds_count", &[of_model]), 2.0 * 126.0);
    assert_eq!(scrape.sum("rehearsal_model_replica_in_flight", &[of_model]), 0.0);
    for url in &urls {
        let host = url.trim_start_matches("http://").trim_end_matches("/v1");
        let replica = format!("replica=\"{host}\"");
        assert!(scrape.sum("rehearsal_model_replica_requests_total", &[&replica]) > 0.0);
        let tree = runtime.tree().to_string();
        assert!(tree.contains(&format!("limited at {host} breaker closed")), "{tree}");
    }
}
