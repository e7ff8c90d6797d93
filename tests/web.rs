//! The web, searched by rollouts: what many ask for is asked once, and a key is shown to nobody.

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::prelude::*;
use serde_json::json;

use crate::support::command::Folder;
use crate::support::scrape::Scrape;
use crate::support::site::Site;

const ROLLOUTS: u32 = 1000;
const KEY: &str = "AIza+very/secret=key";
const ENCODED: &str = "AIza%2Bvery%2Fsecret%3Dkey";

/// A model that searches for what the prompt says, reads a page, and chooses B.
fn config(site: &Site) -> String {
    let address = site.address;
    format!(
        r#"
models:
  policy:
    kind: scripted
    settings:
      rules:
        - {{ when: {{ step: 0 }}, calls: [ {{ name: search, arguments: {{ query: "{{{{ user }}}}" }} }} ] }}
        - {{ when: {{ step: 1 }}, calls: [ {{ name: browse, arguments: {{ url: "http://{address}/private" }} }} ] }}
        - {{ say: '\boxed{{B}} {{{{ outputs }}}}' }}
environments:
  web:
    kind: google_search
    settings:
      google_api_key: ${{google_api_key}}
      google_cx: ${{google_cx}}
      base_url: http://{address}/customsearch/v1
      search: {{ retries: 1, rate: null }}
agents: {{ solver: {{ kind: tool_loop, environment: web, model: policy }} }}
runtime: {{ shards: 4 }}
"#
    )
}

fn row(query: &str) -> String {
    let row = json!({ "responses_create_params": { "input": query }, "expected_answer": "B",
        "task_difficulty_qwen3_32b_avg_8": 0.5 });
    row.to_string()
}

#[tokio::test]
async fn a_thousand_rollouts_on_all_shards_that_search_the_same_cost_one_request() {
    let site = Site::start(|_| (200, r#"{"items":[]}"#.to_owned()));
    let config = config(&site) + "telemetry: { prometheus: '127.0.0.1:0' }\n";
    let secrets = [("REHEARSAL__GOOGLE_API_KEY", KEY), ("REHEARSAL__GOOGLE_CX", "engine")];
    let secrets = secrets.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let loader = Loader::new().text("web", &config).environment(secrets.into_iter());
    let config = loader.load().unwrap();
    let runtime = Arc::new(Runtime::start(config, &rehearsal::kinds()).await.unwrap());
    let task = runtime.task("solver", "web/1".into(), &row("terns")).unwrap();
    let rollouts: Vec<_> = (0..ROLLOUTS)
        .map(|repeat| {
            let (runtime, task, policy) = (runtime.clone(), task.clone(), RolloutPolicy::default());
            tokio::spawn(async move { runtime.submit("solver", &task, repeat, policy).await })
        })
        .collect();
    for rollout in rollouts {
        assert_eq!(rollout.await.unwrap().unwrap().verdict.reward.get(), 1.0);
    }
    assert_eq!(site.paths(), [format!("/customsearch/v1?key={ENCODED}&cx=engine&q=terns")]);

    let endpoints = runtime.status().endpoints;
    let names: Vec<_> = endpoints.iter().map(|it| (&*it.component, &*it.name)).collect();
    assert_eq!(names, [("environments/web", "search")]);
    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    let sum = |name, labels: &[&str]| scrape.sum(name, labels);
    let search = ["environment=\"web\"", "service=\"search\""];
    assert_eq!(sum("rehearsal_web_lookups_total", &search), f64::from(ROLLOUTS));
    assert_eq!(sum("rehearsal_web_lookups_total", &[search[1], "result=\"miss\""]), 1.0);
    assert_eq!(sum("rehearsal_web_requests_total", &[search[1], "status=\"ok\""]), 1.0);
    assert!(sum("rehearsal_web_cache_bytes", &search) > 0.0);
    let private = ["environment=\"web\"", "reason=\"private\""];
    assert!(sum("rehearsal_web_refusals_total", &private) >= 1.0);
    assert_eq!(sum("rehearsal_web_requests_total", &["service=\"page\""]), 0.0);
    assert!(!scrape.text().contains("AIza"));
}

#[test]
fn the_key_is_in_no_record_log_or_printed_configuration() {
    let site = Site::start(|path| match path.rsplit_once("q=").unwrap().1 {
        "echo" => (200, format!(r#"{{"url":"{KEY} {ENCODED}"}}"#)),
        "html" => (200, format!("<p>{KEY}</p>")),
        status => (status.parse().unwrap(), format!("{KEY} {ENCODED}")),
    });
    let folder = Folder::new();
    folder.write("config.yaml", &config(&site));
    folder.write("env.yaml", &format!("google_api_key: {KEY}\ngoogle_cx: engine\n"));
    let queries = ["echo", "html", "403", "429", "500"];
    let rows: String = queries.map(|query| row(query) + "\n").concat();
    folder.write("tasks.jsonl", &rows);
    let datasets = "agents.solver.datasets=[{ name: own, type: example, path: tasks.jsonl }]";
    let arguments = ["collect", "--config", "config.yaml", "--output", "out.jsonl"];
    let mut command = folder.rehearsal(&[&arguments[..], &["--set", datasets]].concat());
    let ended = command.env("RUST_LOG", "trace").output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (log, records) = (text(ended.stderr), folder.read("out.jsonl"));
    assert!(ended.status.success(), "{log}");
    assert!(log.contains("asking the search API again"), "it logs what it does");
    assert_eq!(records.lines().count(), queries.len());
    assert!(records.contains("429 Client Error"), "{records}");
    let printed = folder.run(&["config", "--config", "config.yaml"]);
    for shown in [log, records, text(ended.stdout), printed.exits_with(0).stdout.clone()] {
        let at = shown.find("AIza");
        assert_eq!(at, None, "{}", &shown[at.unwrap_or(0).saturating_sub(300)..]);
    }
    assert_eq!(site.paths().iter().filter(|path| path.contains(ENCODED)).count(), 7);
}
