//! Supervisors that cannot do what they are there for, or that die themselves: rollouts wait, and are
//! made again.

use std::collections::BTreeSet;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Arc;

use rehearsal::framework::collection::{CollectError, Source};
use rehearsal::framework::supervision::{ChildError, ChildSpec, ChildState, SupervisorSpec};
use rehearsal::prelude::*;

use crate::support::command::Folder;
use crate::support::scene::{Fault, Mishap, Place, Scene};
use crate::support::scrape::Scrape;
use crate::support::{ledger, records, until};

const ROWS: u32 = 1000;

/// A ledger of [`ROWS`] tasks on one shard; all its components are named after the scene.
async fn ledger_runtime(folder: &Folder, scene: &str) -> Runtime {
    folder.write("tasks.jsonl", &ledger::dataset(ROWS));
    let own = format!("settings: {{ scene: {scene} }}");
    let yaml = format!(
        "models: {{ {scene}: {{ kind: clerk, {own} }} }}
environments: {{ {scene}: {{ kind: ledger, {own} }} }}
agents:
  {scene}:
    kind: bookkeeper
    model: {scene}
    environment: {scene}
    {own}
    datasets: [{{ name: tasks, type: example, path: '{}' }}]
collect: {{ output: unused, max_in_flight: 64, max_attempts: 20 }}
runtime: {{ shards: 1, start_timeout: 2s, hang_after: 2s }}
telemetry: {{ prometheus: '127.0.0.1:0' }}
",
        folder.path("tasks.jsonl").display()
    );
    let config = Loader::new().text("supervisors", &yaml).load().unwrap();
    Runtime::start(config, &ledger::kinds()).await.unwrap()
}

/// Collects everything, and meanwhile does something once some rollouts have ended.
async fn collect_while<F: Future<Output = ()>>(
    runtime: &Runtime,
    meanwhile: impl FnOnce() -> F,
) -> Result<Summary, CollectError> {
    let (records, progress) = (MemoryRecorder::new(), Arc::new(Progress::default()));
    let collection = runtime.collection().unwrap();
    let collecting = runtime.collect(collection, Arc::new(records.clone()), progress.clone());
    let meanwhile = async {
        until("some have ended", || progress.snapshot().ended() >= 100).await;
        meanwhile().await;
    };
    let (summary, ()) = tokio::join!(collecting, meanwhile);
    let records = records.records();
    let lines = records::by_key(records.iter().map(|record| record.line.as_str()));
    assert_eq!(lines.len(), ROWS as usize);
    for line in lines.values() {
        let failure = line.rehearsal.failure.as_ref();
        assert_eq!(line.reward, Some(ledger::reward(line.row())), "{failure:?}");
    }
    summary
}

fn mishap(fault: Fault, builds: impl IntoIterator<Item = u32>) -> Mishap {
    let rows = BTreeSet::from_iter(builds);
    Mishap { place: Place::Build, fault, rows, visits: 1 }
}

/// Kills the model once, whose rebuilding goes wrong as the scene says, and asserts how often it was
/// built in all, and how often it has ended for which reasons.
async fn assert_rebuilt(name: &str, faults: Vec<Mishap>, builds: u32, exits: &[(&str, f64)]) {
    let folder = Folder::new();
    let scene = Scene::set(name, faults);
    let runtime = ledger_runtime(&folder, name).await;
    let kill = || async { runtime.kill(&format!("models/{name}/0")).unwrap() };
    let summary = collect_while(&runtime, kill).await;
    assert_eq!(summary.unwrap().scored, u64::from(ROWS));
    scene.release();
    assert_eq!(scene.builds(), builds);
    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    for (reason, count) in exits {
        let labels = [format!("actor=\"models/{name}/0\""), format!("reason=\"{reason}\"")];
        let labels = labels.each_ref().map(String::as_str);
        assert_eq!(scrape.sum("rehearsal_actor_exits_total", &labels), *count, "{reason}");
    }
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_component_that_cannot_be_rebuilt_is_tried_again_until_it_can() {
    let faults = vec![mishap(Fault::Temporary, 2..=4)];
    let exits = [("killed", 1.0), ("start_failed", 3.0)];
    assert_rebuilt("rebuild_fails", faults, 5, &exits).await;
}

#[tokio::test]
pub(super) async fn a_component_that_panics_while_it_is_rebuilt_is_tried_again_until_it_does_not() {
    let faults = vec![mishap(Fault::Panic, 2..=4)];
    let exits = [("killed", 1.0), ("start_failed", 3.0)];
    assert_rebuilt("rebuild_panics", faults, 5, &exits).await;
}

#[tokio::test]
pub(super) async fn a_component_that_hangs_while_it_is_rebuilt_is_built_on_another_thread() {
    let faults = vec![mishap(Fault::Hang, [2])];
    let exits = [("killed", 1.0), ("start_timeout", 1.0)];
    assert_rebuilt("rebuild_hangs", faults, 3, &exits).await;
}

#[tokio::test]
pub(super) async fn rollouts_wait_for_a_component_that_is_slow_to_be_rebuilt() {
    const SCENE: &str = "rebuild_slow";
    let folder = Folder::new();
    let scene = Scene::set(SCENE, vec![mishap(Fault::Slow, [2])]);
    let runtime = ledger_runtime(&folder, SCENE).await;
    let path = format!("models/{SCENE}/0");
    let kill = || async {
        runtime.kill(&path).unwrap();
        let state = || runtime.tree().find(&path).map(|node| (node.state, node.generation));
        until("it is being built", || state() == Some((ChildState::Starting, 2))).await;
        until("it says so", || scene.builds() == 2).await;
        scene.release();
    };
    let summary = collect_while(&runtime, kill).await;
    assert_eq!((summary.unwrap().scored, scene.builds()), (u64::from(ROWS), 2));
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn supervisors_that_are_killed_are_restarted_with_all_that_is_below_them() {
    const SCENE: &str = "supervisors_killed";
    let folder = Folder::new();
    Scene::set(SCENE, Vec::new());
    for section in ["models", "environments", "agents", "collection"] {
        let runtime = ledger_runtime(&folder, SCENE).await;
        let generation = || runtime.tree().find(section).map(|node| (node.state, node.generation));
        let before = generation();
        let kill = || async { runtime.kill(section).unwrap() };
        if section == "collection" {
            // Temporary: whoever waits for it hears of it, and can resume.
            let collection = runtime.collection().unwrap();
            let collecting =
                runtime.collect(collection, Arc::new(MemoryRecorder::new()), Arc::default());
            let killing = async {
                until("it is there", || generation().is_some()).await;
                kill().await;
            };
            let (result, ()) = tokio::join!(collecting, killing);
            assert!(matches!(result, Err(CollectError::GaveUp { .. })));
        } else {
            let summary = collect_while(&runtime, kill).await;
            assert_eq!(summary.unwrap().scored, u64::from(ROWS), "{section}");
            assert_eq!(
                (before, generation()),
                (Some((ChildState::Up, 1)), Some((ChildState::Up, 2)))
            );
        }
        runtime.stop().await;
    }
}

#[tokio::test]
async fn a_collection_that_leaves_its_collector_behind_on_a_blocked_thread_ends() {
    const SCENE: &str = "collector_blocked";
    /// Do not wait for the other end.
    const O_NONBLOCK: i32 = 0o4000;
    let folder = Folder::new();
    // As many as are in flight: the second dataset is not opened before they are done.
    let slow = Mishap { place: Place::Model, ..mishap(Fault::Slow, 1..=64) };
    let scene = Scene::set(SCENE, vec![slow]);
    let runtime = ledger_runtime(&folder, SCENE).await;
    let (pipe, progress) = (folder.path("pipe.jsonl"), Arc::new(Progress::default()));
    std::fs::write(&pipe, ledger::dataset(1)).unwrap();
    let mut collection = runtime.collection().unwrap();
    collection.sources.push(Source { path: pipe.clone(), ..collection.sources[0].clone() });
    let collecting = runtime.collect(collection, Arc::new(MemoryRecorder::new()), progress.clone());
    let mut options = std::fs::OpenOptions::new();
    options.write(true).custom_flags(O_NONBLOCK);
    let mut silent = None;
    let killing = async {
        until("its rows are counted", || progress.snapshot().total.is_some()).await;
        std::fs::remove_file(&pipe).unwrap();
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        scene.release();
        until("the collector reads from the pipe", || {
            silent = options.open(&pipe).ok();
            silent.is_some()
        })
        .await;
        runtime.kill("collection").unwrap();
    };
    let (result, ()) = tokio::join!(collecting, killing);
    assert!(matches!(result, Err(CollectError::GaveUp { .. })), "{result:?}");
    drop(silent);
    runtime.stop().await;
}

#[tokio::test]
pub(super) async fn a_service_that_makes_no_sense_is_refused_and_harms_nobody() {
    const SCENE: &str = "service_garbage";
    let folder = Folder::new();
    Scene::set(SCENE, Vec::new());
    let runtime = ledger_runtime(&folder, SCENE).await;
    let start = || async {
        let twins = || {
            let twin = || ChildSpec::supervisor("twin", || SupervisorSpec::new("twin"));
            SupervisorSpec::new("twins").child(twin()).child(twin())
        };
        let refused = runtime.start_service(ChildSpec::supervisor("twins", twins)).await;
        let error = refused.unwrap_err();
        assert!(matches!(error, ChildError::StartFailed { .. }), "{error}");
        assert!(error.to_string().contains("two children with the id `twin`"), "{error}");
        let broken = ChildSpec::supervisor("broken", || panic!("injected"));
        let error = runtime.start_service(broken).await.unwrap_err();
        assert!(error.to_string().contains("its spec panicked: injected"), "{error}");
        assert!(runtime.tree().find("services/twins").is_none());
    };
    let summary = collect_while(&runtime, start).await;
    assert_eq!(summary.unwrap().scored, u64::from(ROWS));
    runtime.stop().await;
}
