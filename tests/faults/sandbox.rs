//! Worker processes that are killed while foreign code runs in them: rollouts are made again, and
//! nothing is left behind.

use std::fmt::Write;

use rehearsal::prelude::*;

use crate::support::command::Folder;
use crate::support::scrape::Scrape;
use crate::support::{records, until};

const ROWS: u32 = 120;

/// Row `n` asks for the sum of the numbers below `n`, slowly, in two calls of one interpreter.
fn dataset() -> String {
    let mut text = String::new();
    for row in 1..=ROWS {
        let sum = (0..row).sum::<u32>();
        let code = format!("import time; time.sleep(0.01); numbers = range({row})");
        writeln!(
            text,
            r#"{{"responses_create_params":{{"input":"`{code}`"}},"expected_result":"{sum}"}}"#
        )
        .unwrap();
    }
    text
}

const CONFIG: &str = r#"
models:
  policy:
    kind: scripted
    settings:
      rules:
        - when: { step: 0 }
          calls: [{ name: execute_python, arguments: { code: "{{ each.code }}" }, each: { user: '`(?<code>.*)`' } }]
        - when: { step: 1 }
          calls: [{ name: execute_python, arguments: { code: sum(numbers) } }]
        - say: '\boxed{ {{ output.result }} }'
environments: { python: { kind: python_math_exec, settings: { sandbox: { workers: 2 } } } }
agents:
  solver:
    kind: tool_loop
    model: policy
    environment: python
    datasets: [{ name: tasks, type: example, path: tasks.jsonl }]
collect: { output: unused, max_in_flight: 8, max_attempts: 50 }
runtime: { shards: 2, shutdown_timeout: 1s }
telemetry: { prometheus: '127.0.0.1:0' }
"#;

/// Tests that look at the worker processes of this one, and kill them, run one by one.
pub(super) static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// The worker processes of this one.
pub(super) fn workers() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let children =
        tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children = children.collect::<String>();
    let is_worker = |pid: &&str| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).contains("class Zygote")
    };
    children.split_ascii_whitespace().filter(is_worker).map(str::to_owned).collect()
}

pub(super) fn kill(pid: &str) {
    let killed = std::process::Command::new("kill").args(["-9", pid]).status();
    assert!(killed.is_ok());
}

#[tokio::test]
async fn workers_are_killed_again_and_again_and_no_rollout_is_lost() {
    let _alone = ALONE.lock().await;
    let folder = Folder::new();
    folder.write("tasks.jsonl", &dataset());
    let config = CONFIG.replace("tasks.jsonl", folder.path("tasks.jsonl").to_str().unwrap());
    let config = Loader::new().text("sandbox", &config).load().unwrap();
    let runtime = Runtime::start(config, &rehearsal::kinds()).await.unwrap();
    assert_eq!(workers().len(), 2);
    let (records, progress) = (MemoryRecorder::new(), Arc::new(Progress::default()));
    let collection = runtime.collection().unwrap();
    let collecting = runtime.collect(collection, Arc::new(records.clone()), progress.clone());
    let killing = async {
        for turn in 1..=6 {
            let enough = u64::from(ROWS) * turn / 8;
            until("more rollouts have ended", || progress.snapshot().ended() >= enough).await;
            if turn % 2 == 0 {
                runtime.kill("workers/python/0").unwrap();
            } else {
                workers().iter().for_each(|pid| kill(pid));
            }
        }
    };
    let (summary, ()) = tokio::join!(collecting, killing);
    let records = records.records();
    let failed = records.iter().filter(|record| !record.line.contains("\"reward\":1.0"));
    let failed: Vec<_> = failed.map(|record| record.line.as_str()).collect();
    assert_eq!(summary.unwrap().scored, u64::from(ROWS), "{failed:?}");
    let lines = records::by_key(records.iter().map(|record| record.line.as_str()));
    assert_eq!(lines.len(), ROWS as usize);
    for (key, line) in &lines {
        assert_eq!(line.reward, Some(1.0), "{key}");
    }
    until("the workers are back", || workers().len() == 2).await;
    let scrape = Scrape::of(runtime.metrics_address().unwrap());
    assert!(scrape.sum("rehearsal_actor_restarts_total", &["actor=\"workers/python/0\""]) >= 2.0);
    let executions = scrape.sum("rehearsal_worker_executions_total", &["pool=\"python/python\""]);
    assert!(executions >= f64::from(ROWS));
    let lost = ["pool=\"python/python\"", "exit=\"worker_lost\""];
    assert!(scrape.sum("rehearsal_worker_executions_total", &lost) >= 1.0);
    let running = || {
        Scrape::of(runtime.metrics_address().unwrap())
            .sum("rehearsal_worker_executions_running", &[])
    };
    until("every execution has ended", || running() == 0.0).await;
    runtime.stop().await;
    until("the workers are gone", || workers().is_empty()).await;
}
