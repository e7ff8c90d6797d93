//! Actors that are killed in the middle of a collection, and shards that end under them: rollouts
//! are made again, rewards are those of a run in which nothing happened.

use std::collections::BTreeSet;

use rehearsal::framework::collection::{CollectError, RolloutPolicy};
use rehearsal::framework::supervision::{ChildError, ChildState, Exit};
use rehearsal::prelude::*;

use crate::support::command::Folder;
use crate::support::scene::{Fault, Mishap, Place, Scene};
use crate::support::scrape::Scrape;
use crate::support::{ledger, records, until};

const ROWS: u32 = 3000;

/// A ledger of [`ROWS`] tasks; all its components are named after the scene.
async fn ledger_runtime(folder: &Folder, scene: &str, collect: &str) -> Runtime {
    folder.write("tasks.jsonl", &ledger::dataset(ROWS));
    let yaml = format!(
        "models: {{ {scene}: {{ kind: clerk, settings: {{ scene: {scene} }} }} }}
environments: {{ {scene}: {{ kind: ledger, settings: {{ scene: {scene} }} }} }}
agents:
  {scene}:
    kind: bookkeeper
    model: {scene}
    environment: {scene}
    settings: {{ scene: {scene} }}
    datasets: [{{ name: tasks, type: example, path: '{}' }}]
collect: {{ output: unused, max_in_flight: 64, {collect} }}
runtime: {{ shards: 2, hang_after: 2s, shutdown_timeout: 500ms }}
telemetry: {{ prometheus: '127.0.0.1:0' }}
",
        folder.path("tasks.jsonl").display()
    );
    let config = Loader::new().text("actors", &yaml).load().unwrap();
    Runtime::start(config, &ledger::kinds()).await.unwrap()
}

fn mishap(place: Place, fault: Fault, rows: impl IntoIterator<Item = u32>) -> Mishap {
    Mishap { place, fault, rows: BTreeSet::from_iter(rows), visits: 1 }
}

/// Asserts that every row was recorded once, with the reward of a run in which nothing goes wrong.
#[track_caller]
fn assert_complete(records: &MemoryRecorder) {
    let records = records.records();
    let lines = records::by_key(records.iter().map(|record| record.line.as_str()));
    assert_eq!(lines.len(), ROWS as usize);
    for line in lines.values() {
        let failure = line.rehearsal.failure.as_ref();
        assert_eq!(line.reward, Some(ledger::reward(line.row())), "{failure:?}");
    }
}

/// How often an actor has been started, if it is up.
fn generation(runtime: &Runtime, path: &str) -> Option<u64> {
    let tree = runtime.tree();
    tree.find(path).filter(|node| node.state == ChildState::Up).map(|node| node.generation)
}

/// Kills the actors one after the other while rollouts go on, and waits for each to be up again.
async fn kill_in_turn(runtime: &Runtime, progress: &Progress, paths: &[String]) {
    for (turn, path) in paths.iter().enumerate() {
        let share = u64::from(ROWS) * (turn as u64 + 1) / (paths.len() as u64 + 2);
        until("more rollouts have ended", || progress.snapshot().ended() >= share).await;
        let before = generation(runtime, path);
        runtime.kill(path).unwrap();
        until("it is up again", || generation(runtime, path) > before).await;
    }
}

#[tokio::test]
async fn agents_models_and_environments_are_killed_again_and_again_and_nothing_is_lost() {
    const SCENE: &str = "killed";
    let folder = Folder::new();
    Scene::set(SCENE, Vec::new());
    let runtime = ledger_runtime(&folder, SCENE, "max_attempts: 20").await;
    let (records, progress) = (MemoryRecorder::new(), Arc::new(Progress::default()));
    let collection = runtime.collection().unwrap();
    let collecting = runtime.collect(collection, Arc::new(records.clone()), progress.clone());
    let once = ["agents", "models", "environments"]
        .map(|section| [0, 1].map(|shard| format!("{section}/{SCENE}/{shard}")));
    let paths = [once.as_flattened(), once.as_flattened()].concat();
    let (summary, ()) = tokio::join!(collecting, kill_in_turn(&runtime, &progress, &paths));
    assert_eq!(summary.unwrap().scored, u64::from(ROWS));
    assert_complete(&records);
    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    for path in once.as_flattened() {
        let labels = [format!("actor=\"{path}\""), "reason=\"killed\"".to_owned()];
        let labels = labels.each_ref().map(String::as_str);
        assert_eq!(scrape.sum("rehearsal_actor_restarts_total", &labels), 2.0, "{path}");
    }
    let (agent, scored) = (format!("agent=\"{SCENE}\""), "outcome=\"scored\"");
    let ended = scrape.sum("rehearsal_rollouts_total", &[&agent, scored]);
    assert_eq!(ended, f64::from(ROWS));
    assert_eq!(scrape.sum("rehearsal_rollouts_total", &[&agent, "outcome=\"failed\""]), 0.0);
    runtime.stop().await;
}

#[tokio::test]
async fn the_recorder_and_the_collector_are_killed_and_no_rollout_is_recorded_twice() {
    const SCENE: &str = "collection_killed";
    let folder = Folder::new();
    Scene::set(SCENE, Vec::new());
    for path in ["collection/recorder", "collection/collector"] {
        let runtime = ledger_runtime(&folder, SCENE, "repeats: 1").await;
        let (records, progress) = (MemoryRecorder::new(), Arc::new(Progress::default()));
        let collection = runtime.collection().unwrap();
        let collecting = runtime.collect(collection, Arc::new(records.clone()), progress.clone());
        let killing = async {
            until("some have ended", || progress.snapshot().ended() >= 500).await;
            runtime.kill(path).unwrap();
        };
        let (summary, ()) = tokio::join!(collecting, killing);
        let summary = summary.unwrap();
        assert!(summary.kept > 0, "{path} was not killed in the middle");
        assert_eq!(summary.kept + summary.scored, u64::from(ROWS), "{path}");
        assert_complete(&records);
        runtime.stop().await;
    }
}

#[tokio::test]
async fn a_model_that_is_slow_holds_up_the_dataset() {
    const SCENE: &str = "model_slow";
    let folder = Folder::new();
    let scene = Scene::set(SCENE, vec![mishap(Place::Model, Fault::Slow, 1..=ROWS)]);
    let runtime = ledger_runtime(&folder, SCENE, "repeats: 1").await;
    let (records, progress) = (MemoryRecorder::new(), Arc::new(Progress::default()));
    let collection = runtime.collection().unwrap();
    let collecting = runtime.collect(collection, Arc::new(records.clone()), progress.clone());
    let looking = async {
        let visits = |place| (1..=ROWS).map(|row| scene.visits(place, row)).sum::<u32>();
        until("all that may wait for the model do", || visits(Place::Model) >= 64).await;
        assert_eq!((visits(Place::Open), progress.snapshot().in_flight), (64, 64));
        scene.release();
    };
    let (summary, ()) = tokio::join!(collecting, looking);
    assert_eq!(summary.unwrap().scored, u64::from(ROWS));
    assert_complete(&records);
    runtime.stop().await;
}

#[tokio::test]
async fn a_session_that_crashes_takes_no_other_along() {
    const SCENE: &str = "sessions_crash";
    let folder = Folder::new();
    Scene::set(SCENE, vec![mishap(Place::Tool, Fault::Panic, (1..=ROWS).step_by(3))]);
    let runtime = ledger_runtime(&folder, SCENE, "repeats: 1").await;
    let records = MemoryRecorder::new();
    let collection = runtime.collection().unwrap();
    runtime.collect(collection, Arc::new(records.clone()), Arc::default()).await.unwrap();
    assert_complete(&records);
    let lines = records.records();
    for line in records::by_key(lines.iter().map(|record| record.line.as_str())).values() {
        let attempts = if line.row() % 3 == 1 { 2 } else { 1 };
        assert_eq!(line.rehearsal.attempt, attempts, "{}", line.rehearsal.task);
    }
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_shard_whose_thread_ends_is_replaced_and_its_rollouts_are_made_again() {
    for place in [Place::Model, Place::Tool, Place::Verifier, Place::Agent, Place::Open] {
        let scene = format!("shard_gone_{place:?}").to_lowercase();
        let folder = Folder::new();
        Scene::set(&scene, vec![mishap(place, Fault::Gone, [ROWS / 2])]);
        let runtime = ledger_runtime(&folder, &scene, "max_attempts: 10").await;
        let records = MemoryRecorder::new();
        let collection = runtime.collection().unwrap();
        let summary = runtime.collect(collection, Arc::new(records.clone()), Arc::default()).await;
        assert_eq!(summary.unwrap().scored, u64::from(ROWS), "{place:?}");
        assert_complete(&records);
        let lines = records.records();
        let lines = records::by_key(lines.iter().map(|record| record.line.as_str()));
        let unlucky = lines.values().find(|line| line.row() == ROWS / 2).unwrap();
        assert!(unlucky.rehearsal.attempt > 1, "{place:?} was not on the thread that ended");
        let scrape = Scrape::of(runtime.metrics_address().unwrap());
        for section in ["models", "environments", "agents"] {
            let actor = format!("actor=\"{section}/{scene}/");
            let restarts = scrape.sum("rehearsal_actor_restarts_total", &[&actor]);
            assert!(
                restarts >= 1.0,
                "{section} were not moved after the end of {place:?}'s thread"
            );
        }
        runtime.stop().await;
    }
}

#[tokio::test]
async fn a_shard_that_a_tool_blocks_is_replaced_and_its_rollouts_are_made_again() {
    for place in [Place::Model, Place::Tool, Place::Verifier, Place::Agent, Place::Open] {
        let name = format!("shard_blocked_{place:?}").to_lowercase();
        let folder = Folder::new();
        let scene = Scene::set(&name, vec![mishap(place, Fault::Block, [ROWS / 2])]);
        let runtime = ledger_runtime(&folder, &name, "max_attempts: 10").await;
        let records = MemoryRecorder::new();
        let collection = runtime.collection().unwrap();
        let summary = runtime.collect(collection, Arc::new(records.clone()), Arc::default()).await;
        assert_eq!(summary.unwrap().scored, u64::from(ROWS), "{place:?}");
        assert_complete(&records);
        scene.release();
        runtime.stop().await;
    }
}

#[tokio::test]
async fn a_runtime_with_a_blocked_thread_stops_all_the_same() {
    const SCENE: &str = "stops_blocked";
    let folder = Folder::new();
    let scene = Scene::set(SCENE, vec![mishap(Place::Tool, Fault::Block, [1])]);
    let runtime = ledger_runtime(&folder, SCENE, "limit: 1").await;
    let recorder = Arc::new(MemoryRecorder::new());
    tokio::select! {
        _ = runtime.collect(runtime.collection().unwrap(), recorder, Arc::default()) => {
            panic!("the only rollout is blocked")
        }
        () = until("it is blocked", || scene.visits(Place::Tool, 1) == 1) => {}
    }
    runtime.stop().await;
    scene.release();
}

#[tokio::test]
pub(super) async fn rollouts_that_hang_outside_of_models_and_tools_end_with_their_own_deadline() {
    const SCENE: &str = "rollouts_hang";
    let folder = Folder::new();
    let hangs = [(Place::Open, [5, 6]), (Place::Agent, [7, 8])];
    let mishaps = hangs.map(|(place, rows)| mishap(place, Fault::Hang, rows)).to_vec();
    Scene::set(SCENE, mishaps);
    let runtime = ledger_runtime(&folder, SCENE, "rollout_timeout: 4s, limit: 20").await;
    let records = MemoryRecorder::new();
    let collection = runtime.collection().unwrap();
    runtime.collect(collection, Arc::new(records.clone()), Arc::default()).await.unwrap();
    let lines = records.records();
    let lines = records::by_key(lines.iter().map(|record| record.line.as_str()));
    assert_eq!(lines.len(), 20);
    for line in lines.values() {
        assert_eq!(line.reward, Some(ledger::reward(line.row())));
        let hung = hangs.iter().any(|(_, rows)| rows.contains(&line.row()));
        assert_eq!(line.rehearsal.attempt > 1, hung, "{}", line.rehearsal.task);
    }
    runtime.stop().await;
}

#[tokio::test]
async fn an_agents_own_rollout_timeout_holds_for_its_rollouts() {
    const SCENE: &str = "own_timeout";
    let folder = Folder::new();
    Scene::set(SCENE, vec![mishap(Place::Agent, Fault::Hang, [7])]);
    folder.write("tasks.jsonl", &ledger::dataset(20));
    let tasks = folder.path("tasks.jsonl");
    let own = format!("settings: {{ scene: {SCENE} }}");
    let data = format!("datasets: [{{ name: tasks, type: example, path: '{}' }}]", tasks.display());
    let yaml = format!(
        "models: {{ m: {{ kind: clerk, {own} }} }}
environments: {{ e: {{ kind: ledger, {own} }} }}
agents: {{ a: {{ kind: bookkeeper, model: m, environment: e, rollout_timeout: 2s, {data}, {own} }} }}
collect: {{ output: unused }}
"
    );
    let config = Loader::new().text("own_timeout", &yaml).load().unwrap();
    let runtime = Runtime::start(config, &ledger::kinds()).await.unwrap();
    let collection = runtime.collection().unwrap();
    let summary = runtime.collect(collection, Arc::new(MemoryRecorder::new()), Arc::default());
    // With the collection's 30 minutes this would not end.
    assert_eq!(summary.await.unwrap().scored, 20);
    runtime.stop().await;
}

#[tokio::test]
async fn nobody_can_kill_what_is_not_there() {
    const SCENE: &str = "nobody";
    let folder = Folder::new();
    Scene::set(SCENE, Vec::new());
    let runtime = ledger_runtime(&folder, SCENE, "repeats: 1").await;
    let refused = runtime.kill("models/nobody/7").unwrap_err();
    assert!(matches!(refused, ChildError::NotFound { .. }));
    assert!(refused.to_string().contains("models/nobody/7"));
    runtime.stop().await;
}

#[tokio::test]
async fn a_component_that_never_stays_up_ends_the_collection_instead_of_hanging_it() {
    const SCENE: &str = "never_up";
    let folder = Folder::new();
    let everything = mishap(Place::Model, Fault::Slow, 1..=ROWS);
    let scene = Scene::set(SCENE, vec![everything]);
    let runtime = ledger_runtime(&folder, SCENE, "max_attempts: 1000000").await;
    let path = format!("models/{SCENE}/0");
    let is_over = || runtime.tree().state == ChildState::Stopped;
    let killing = async {
        until("the tree gives up", || {
            // Not there while its section starts anew.
            let _ = runtime.kill(&path);
            is_over()
        })
        .await;
        scene.release();
    };
    let collecting = runtime.collect(
        runtime.collection().unwrap(),
        Arc::new(MemoryRecorder::new()),
        Arc::default(),
    );
    let (result, ()) = tokio::join!(collecting, killing);
    let error = result.unwrap_err();
    assert!(matches!(error, CollectError::GaveUp { .. }), "{error}");
    assert_eq!(runtime.exited().await, Exit::RestartsExceeded);
    let task = runtime.task(SCENE, "a/b/1".into(), ledger::dataset(1).trim()).unwrap();
    let refused = runtime.submit(SCENE, &task, 0, RolloutPolicy::default()).await.unwrap_err();
    assert!(refused.to_string().contains("is not available"), "{refused}");
    runtime.stop().await;
}
