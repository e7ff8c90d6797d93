//! Rehearsal inside other programs: any tokio runtime, many rollouts at once, and nothing left
//! behind.

use std::collections::BTreeSet;
use std::sync::Arc;

use rehearsal::framework::collection::RolloutPolicy;
use rehearsal::framework::config::Config;
use rehearsal::framework::runtime::SubmitError;
use rehearsal::prelude::*;

use crate::support::command::Folder;
use crate::support::scene::{Fault, Mishap, Place, Scene};
use crate::support::scrape::Scrape;
use crate::support::{ledger, until, wait_until};

/// A counter world, with metrics served.
const COUNTER: &str = r#"
models:
  policy:
    kind: scripted
    settings:
      rules:
        - when: { step: 0 }
          calls: [{ name: increment_counter, arguments: { count: 2 } }]
        - say: Done.
environments: { counter: { kind: stateful_counter } }
agents: { solver: { kind: tool_loop, environment: counter, model: policy } }
runtime: { shards: 2 }
telemetry: { prometheus: "127.0.0.1:0" }
"#;

const ROW: &str =
    r#"{"responses_create_params":{"input":"Add 2."},"initial_count":3,"expected_count":5}"#;

fn config() -> Config {
    Loader::new().text("embedding", COUNTER).load().unwrap()
}

/// The same, collecting the tasks of a folder.
fn config_of(folder: &Folder) -> Config {
    let tasks = folder.path("tasks.jsonl");
    let datasets = format!(
        "agents.solver.datasets=[{{ name: tasks, type: example, path: '{}' }}]",
        tasks.display()
    );
    let loader = Loader::new().text("embedding", COUNTER).set(datasets);
    loader.set("collect.output=unused").load().unwrap()
}

async fn roll_out_once() {
    let runtime = Runtime::start(config(), &rehearsal::kinds()).await.unwrap();
    let task = runtime.task("solver", "a/b/1".into(), ROW).unwrap();
    let rollout = runtime.submit("solver", &task, 0, RolloutPolicy::default()).await.unwrap();
    assert_eq!(rollout.verdict.reward.get(), 1.0);
    runtime.stop().await;
}

#[tokio::test(flavor = "current_thread")]
async fn it_runs_in_a_single_threaded_program() {
    roll_out_once().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_runs_in_a_multi_threaded_program() {
    roll_out_once().await;
}

#[test]
fn it_runs_in_one_program_after_the_other() {
    for _ in 0..2 {
        let program = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        program.block_on(roll_out_once());
    }
}

#[tokio::test]
async fn two_runtimes_run_side_by_side() {
    tokio::join!(roll_out_once(), roll_out_once());
}

#[test]
fn everything_that_an_embedder_holds_is_send() {
    fn is_send<T: Send>(_: &T) {}
    fn is_send_and_sync<T: Send + Sync>() {}
    is_send_and_sync::<Runtime>();
    is_send_and_sync::<Arc<Task>>();
    is_send_and_sync::<Rollout>();
    is_send_and_sync::<Progress>();
    is_send_and_sync::<MemoryRecorder>();
    is_send(&Runtime::start(config(), &rehearsal::kinds()));
    #[expect(dead_code, reason = "only its type matters")]
    fn futures(runtime: &Runtime, task: &Arc<Task>, collection: Collection) {
        is_send(&runtime.submit("solver", task, 0, RolloutPolicy::default()));
        let recorder = Arc::new(MemoryRecorder::new());
        is_send(&runtime.collect(collection, recorder, Arc::default()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_rollouts_offered_at_once_all_come_back() {
    let runtime = Arc::new(Runtime::start(config(), &rehearsal::kinds()).await.unwrap());
    let task = runtime.task("solver", "a/b/1".into(), ROW).unwrap();
    let mut rollouts = tokio::task::JoinSet::new();
    for repeat in 0..2000 {
        let (runtime, task) = (runtime.clone(), task.clone());
        rollouts.spawn(async move {
            runtime.submit("solver", &task, repeat, RolloutPolicy::default()).await
        });
    }
    let rollouts = rollouts.join_all().await;
    assert_eq!(rollouts.len(), 2000);
    for rollout in rollouts {
        assert_eq!(rollout.unwrap().verdict.reward.get(), 1.0);
    }
}

/// An agent that opens a session and has it scored.
struct Hasty(Ports);

impl Agent for Hasty {
    const KIND: &'static str = "hasty";
    type Config = serde::de::IgnoredAny;

    fn new(_: Self::Config, ports: Ports, _: &Wiring) -> Result<Self, BuildError> {
        Ok(Self(ports))
    }

    async fn attempt(&self, attempt: Attempt) -> Result<Rollout, Failure> {
        let Attempt { task, deadline, .. } = attempt;
        let session = self.0.environment.open(task, deadline).await?;
        let response = Arc::new(Response::new("r", Arc::from("nobody"), Vec::new()));
        let verdict = session.verify(response.clone(), deadline).await?;
        let timings = rehearsal::framework::rollout::Timings::default();
        Ok(Rollout { response, params: None, verdict, truncated: None, steps: 0, timings })
    }
}

/// The memory of this process that is in use.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// Those that hold a session, and those that wait for one, in the measure of what a rollout weighs.
const OFFERED: u32 = 65_536;
const SESSIONS: u32 = 256;
const QUEUED_BYTES_MAX: u64 = 8 << 10;

#[test]
fn sixty_five_thousand_rollouts_offered_at_once_queue_cheaply_and_none_is_refused() {
    if std::env::var_os(ALONE).is_none() {
        let said = alone(
            "embedding::sixty_five_thousand_rollouts_offered_at_once_queue_cheaply_and_none_is_refused",
        );
        let figure = said.lines().find(|line| line.ends_with("bytes for each that waits"));
        println!("{}", figure.unwrap());
        return;
    }
    const SCENE: &str = "offered_at_once";
    let held = Mishap {
        place: Place::Open,
        fault: Fault::Slow,
        rows: BTreeSet::from([0]),
        visits: u32::MAX,
    };
    let scene = Scene::set(SCENE, vec![held]);
    let own = format!("settings: {{ scene: {SCENE} }}");
    let yaml = format!(
        "models: {{ m: {{ kind: clerk, {own} }} }}
environments: {{ e: {{ kind: ledger, max_sessions: {SESSIONS}, {own} }} }}
agents: {{ a: {{ kind: hasty, environment: e, model: m }} }}
runtime: {{ shards: 2 }}
telemetry: {{ prometheus: '127.0.0.1:0' }}
"
    );
    let config = Loader::new().text("offered", &yaml).load().unwrap();
    let program = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    program.block_on(async {
        let kinds = ledger::kinds().agent::<Hasty>();
        let runtime = Arc::new(Runtime::start(config, &kinds).await.unwrap());
        let row = r#"{"responses_create_params":{"input":"Book 0."},"amount":0}"#;
        let task = runtime.task("a", "a/b/0".into(), row).unwrap();
        let before = resident_bytes();
        let mut rollouts = tokio::task::JoinSet::new();
        for repeat in 0..OFFERED {
            let (runtime, task) = (runtime.clone(), task.clone());
            rollouts.spawn(async move {
                runtime.submit("a", &task, repeat, RolloutPolicy::default()).await
            });
        }
        let scrape = || Scrape::of(runtime.metrics_address().unwrap());
        let messages = |section| {
            let actor = format!("actor=\"{section}/");
            scrape().sum("rehearsal_actor_messages_total", &[&actor])
        };
        until("all of them wait for a session", || messages("environments") >= f64::from(OFFERED))
            .await;
        assert_eq!(scene.visits(Place::Open, 0), SESSIONS);
        let each = resident_bytes().saturating_sub(before) / u64::from(OFFERED);
        println!("{each} bytes for each that waits");
        assert!(each <= QUEUED_BYTES_MAX, "{each} bytes for each");
        scene.release();
        let mut ended = 0;
        while let Some(rollout) = rollouts.join_next().await {
            assert_eq!(rollout.unwrap().unwrap().verdict.reward.get(), 0.0);
            ended += 1;
        }
        assert_eq!(ended, OFFERED);
        for name in ["rehearsal_mailbox_rejected_total", "rehearsal_ask_failures_total"] {
            assert_eq!(scrape().sum(name, &[]), 0.0, "{name}");
        }
    });
}

#[tokio::test]
async fn a_name_that_nobody_has_and_a_row_that_is_no_task_are_refused() {
    let runtime = Runtime::start(config(), &rehearsal::kinds()).await.unwrap();
    let unknown = runtime.task("slover", "a/b/1".into(), ROW).unwrap_err();
    assert_eq!(unknown.to_string(), "there is no agent `slover`");
    let malformed = runtime.task("solver", "a/b/1".into(), "{}").unwrap_err();
    assert!(matches!(malformed, SubmitError::Row(_)), "{malformed}");
    runtime.stop().await;
}

#[tokio::test]
async fn a_collection_that_nobody_waits_for_any_more_ends_and_can_be_resumed() {
    const ROWS: usize = 3000;
    let folder = Folder::new();
    folder.write("tasks.jsonl", &[ROW; ROWS].join("\n"));
    let runtime = Runtime::start(config_of(&folder), &rehearsal::kinds()).await.unwrap();
    let records = MemoryRecorder::new();
    let collect = || {
        let recorder = Arc::new(records.clone());
        runtime.collect(runtime.collection().unwrap(), recorder, Arc::default())
    };
    tokio::select! {
        _ = collect() => panic!("it was not dropped in the middle"),
        () = until("some are recorded", || records.records().len() > 100) => {}
    }
    until("it has ended", || runtime.tree().find("collection").is_none()).await;
    let summary = collect().await.unwrap();
    assert!(summary.kept > 100);
    assert_eq!(summary.kept + summary.scored, ROWS as u64);
    runtime.stop().await;
}

/// Threads and file descriptors of a process of its own.
fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

/// Set in the process that counts, as tests run side by side in this one.
const ALONE: &str = "REHEARSAL_TEST_ALONE";

/// Runs a test of this binary in a process of its own, and returns what it has printed.
fn alone(test: &str) -> String {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    let arguments = ["--exact", "--show-output", test];
    let output = command.args(arguments).env(ALONE, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    said
}

#[test]
fn stopping_ends_every_thread_and_closes_every_file() {
    if std::env::var_os(ALONE).is_none() {
        alone("embedding::stopping_ends_every_thread_and_closes_every_file");
        return;
    }
    let program = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // What is made once per process is made here.
    program.block_on(roll_out_once());
    wait_until("the first runtime has gone", || count("task") <= 2);
    let before = (count("task"), count("fd"));
    for _ in 0..3 {
        program.block_on(roll_out_once());
        wait_until("threads and files are as before", || (count("task"), count("fd")) == before);
    }
}

#[test]
fn a_runtime_that_is_dropped_without_a_stop_goes_too() {
    if std::env::var_os(ALONE).is_none() {
        alone("embedding::a_runtime_that_is_dropped_without_a_stop_goes_too");
        return;
    }
    let program = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    program.block_on(roll_out_once());
    wait_until("the first runtime has gone", || count("task") <= 2);
    let before = (count("task"), count("fd"));
    program.block_on(async {
        let runtime = Runtime::start(config(), &rehearsal::kinds()).await.unwrap();
        let task = runtime.task("solver", "a/b/1".into(), ROW).unwrap();
        runtime.submit("solver", &task, 0, RolloutPolicy::default()).await.unwrap();
    });
    wait_until("threads and files are as before", || (count("task"), count("fd")) == before);
}

#[test]
fn a_runtime_collects_again_and_again_without_growing() {
    if std::env::var_os(ALONE).is_none() {
        alone("embedding::a_runtime_collects_again_and_again_without_growing");
        return;
    }
    let folder = Folder::new();
    folder.write("tasks.jsonl", &[ROW; 10].join("\n"));
    let config = config_of(&folder);
    let program = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    program.block_on(async {
        let runtime = Runtime::start(config, &rehearsal::kinds()).await.unwrap();
        let mut grown = (0, 0);
        for round in 0..10 {
            let records = MemoryRecorder::new();
            let collection = runtime.collection().unwrap();
            let collected = runtime.collect(collection, Arc::new(records.clone()), Arc::default());
            assert_eq!(collected.await.unwrap().scored, 10);
            match round {
                0..=1 => grown = (count("task").max(grown.0), count("fd").max(grown.1)),
                _ => wait_until("nothing has grown", || {
                    count("task") <= grown.0 && count("fd") <= grown.1
                }),
            }
        }
        runtime.stop().await;
    });
}
