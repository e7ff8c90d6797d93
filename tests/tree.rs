//! The tree of a running process, through its control address and the command.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::framework::endpoint::{BreakerConfig, BudgetConfig, Endpoint};
use rehearsal::prelude::*;
use serde_json::Value;

use crate::support::command::Folder;
use crate::support::scrape::Scrape;

const CONFIG: &str = "
models:
  policy: { kind: scripted, settings: { rules: [{ say: hi }] } }
  remote: { kind: openai, settings: { base_url: 'http://127.0.0.1:9/v1', model: m } }
environments: { weather: { kind: simple_weather } }
agents: { solver: { kind: tool_loop, environment: weather, model: policy } }
runtime: { shards: 2 }
telemetry: { prometheus: '127.0.0.1:0' }
";

async fn runtime() -> (Runtime, SocketAddr) {
    let config = Loader::new().text("tree", CONFIG).load().unwrap();
    let runtime = Runtime::start(config, &rehearsal::kinds()).await.unwrap();
    let address = runtime.metrics_address().unwrap();
    (runtime, address)
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

#[tokio::test]
async fn the_command_shows_the_actors_of_a_running_process_and_its_endpoints() {
    let (runtime, address) = runtime().await;
    let ended = Folder::new().run(&["tree", "--address", &address.to_string()]);
    ended.exits_with(0);
    for line in [
        "root [one_for_one] up, 0 restarts",
        "      policy/1 up, generation 1, 0 queued",
        "        sessions 0 of 100000 sessions, 0 queued",
        "      remote/0 up, generation 1, 0 queued, remote breaker closed, 0 of 0 recent requests failed",
        "      remote/1 up, generation 1, 0 queued, remote breaker closed, 0 of 0 recent requests failed",
    ] {
        assert!(ended.stdout.contains(line.trim_start()), "`{line}` is not in:\n{}", ended.stdout);
    }
    runtime.stop().await;
}

#[tokio::test]
async fn the_tree_is_also_json_with_everything_in_it() {
    let (runtime, address) = runtime().await;
    let ended = Folder::new().run(&["tree", "--address", &address.to_string(), "--json"]);
    let shown: Value = serde_json::from_str(&ended.exits_with(0).stdout).unwrap();
    assert_eq!(shown["tree"]["id"], "root");
    let models = &shown["tree"]["children"][0];
    assert_eq!((&models["id"], &models["state"]), (&"models".into(), &"up".into()));
    let actor = &models["children"][0];
    assert_eq!((&actor["path"], &actor["generation"]), (&"models/policy/0".into(), &1.into()));
    assert_eq!(actor["kind"]["actor"]["queued"], 0);
    assert_eq!(actor["kind"]["actor"]["endpoints"], Value::Array(Vec::new()));
    let remote = &models["children"][2];
    assert_eq!(remote["path"], "models/remote/0");
    assert_eq!(remote["kind"]["actor"]["endpoints"][0]["breaker"], "closed");
    assert_eq!(remote["kind"]["actor"]["waits_for"], Value::Array(Vec::new()));
    assert_eq!(shown["endpoints"][0]["component"], "models/remote");
    assert_eq!(shown["endpoints"][0]["breaker"], "closed");
    assert_eq!(runtime.status().tree.children.len(), 3);
    runtime.stop().await;
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Anything {}

/// An environment that asks a service.
struct Seeker(Arc<Endpoint>);

impl Environment for Seeker {
    const KIND: &'static str = "seeker";
    type Config = serde::de::IgnoredAny;
    type Target = Anything;
    type Session = ();

    fn new(_: Self::Config, wiring: &Wiring) -> Result<Self, BuildError> {
        let breaker = BreakerConfig { requests_min: 2, ..BreakerConfig::default() };
        Ok(Self(wiring.service("search", breaker, BudgetConfig::default())))
    }

    async fn open(&self, _: &Self::Target) -> Result<(), EnvironmentError> {
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
        match self.0.admit(deadline) {
            Ok(admission) => admission.failed(&"503"),
            Err(refused) => return Err(EnvironmentError::temporary(format!("{refused:?}"))),
        }
        Err(EnvironmentError::temporary("503"))
    }

    async fn verify(
        &self,
        (): (),
        _: &Self::Target,
        _: &Response,
    ) -> Result<Verdict, EnvironmentError> {
        Ok(Verdict::new(Reward::earned(false)))
    }
}

#[tokio::test]
async fn the_breaker_of_a_service_shows_at_the_environments_that_ask_it_and_in_the_metrics() {
    let environments = "environments.weather={ kind: seeker }";
    let config = Loader::new().text("tree", CONFIG).set(environments).load().unwrap();
    let kinds = rehearsal::kinds().environment::<Seeker>();
    let runtime = Runtime::start(config, &kinds).await.unwrap();
    let row = r#"{"responses_create_params":{"input":"Seek."}}"#;
    let task = runtime.task("solver", "a/b/1".into(), row).unwrap();
    let failed = runtime.submit("solver", &task, 0, RolloutPolicy::default()).await.unwrap_err();
    assert!(failed.to_string().contains("Refused"), "the third attempt is: {failed}");
    let tree = runtime.tree().to_string();
    for shard in [0, 1] {
        let line = format!(
            "weather/{shard} up, generation 1, 0 queued, search breaker open, 2 of 2 recent requests failed"
        );
        assert!(tree.contains(&line), "`{line}` is not in:\n{tree}");
    }
    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    let labels = ["component=\"weather\"", "service=\"search\""];
    assert_eq!(scrape.sum("rehearsal_service_breaker_state", &labels), 2.0);
    assert_eq!(scrape.sum("rehearsal_service_breaker_opens_total", &labels), 1.0);
    runtime.stop().await;
}

#[tokio::test]
async fn a_restart_shows_in_the_tree() {
    let (runtime, _) = runtime().await;
    runtime.kill("models/policy/0").unwrap();
    crate::support::until("the model is rebuilt", || {
        let tree = runtime.status().tree;
        tree.find("models/policy/0").is_some_and(|node| node.generation == 2)
    })
    .await;
    assert!(runtime.status().to_string().contains("models [one_for_one] up, 1 restarts"));
    runtime.stop().await;
}

#[tokio::test]
async fn the_control_address_says_that_the_process_lives() {
    let (runtime, address) = runtime().await;
    assert!(get(address, "/healthz").ends_with("\r\n\r\nok\n"));
    runtime.stop().await;
}

#[test]
fn an_address_where_nobody_listens_is_an_error_with_a_hint() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = Folder::new().run(&["tree", "--address", &free.to_string()]);
    ended.exits_with(1).says(&["cannot reach a process at", "refused", "hint: ", "telemetry"]);
}

#[test]
fn something_else_that_answers_is_an_error_with_a_hint() {
    for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", "SSH-2.0-x\r\n", ""] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let _asked = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let ended = Folder::new().run(&["tree", "--address", &address]);
        ended.exits_with(1).says(&["is no running Rehearsal", "hint: "]);
        server.join().unwrap();
    }
}
