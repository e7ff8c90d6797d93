//! A collection of `simple_weather` over distinct tasks, and what it cost.

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use rehearsal::prelude::*;
use tempfile::TempDir;

use crate::Result;

/// What to collect, and with which model.
pub(crate) struct Workload {
    pub(crate) in_flight: usize,
    pub(crate) tasks: usize,
    /// Rollouts a task.
    pub(crate) repeats: usize,
    pub(crate) model: String,
}

/// A usual size of a group in reinforcement learning.
const GROUP: usize = 16;

/// What it cost.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) rate: f64,
    pub(crate) cpu_micros: f64,
}

impl Workload {
    pub(crate) fn scripted(in_flight: usize, rollouts: usize) -> Self {
        Self { tasks: rollouts.div_ceil(GROUP), repeats: GROUP, ..Self::slow(in_flight, "0s") }
    }

    /// One rollout for each of as many tasks as may be in flight, on a model that takes its time.
    pub(crate) fn slow(in_flight: usize, latency: &str) -> Self {
        let model = format!(
            "kind: scripted
    settings:
      latency: {latency}
      rules:
        - when: {{ step: 0, user: 'weather in (?<city>\\w+)' }}
          calls: [{{ name: get_weather, arguments: {{ city: '{{{{ captures.city }}}}' }} }}]
        - when: {{ after: get_weather }}
          say: '{{{{ output.weather_description }}}}'"
        );
        Self { in_flight, tasks: in_flight, repeats: 1, model }
    }

    pub(crate) fn http(in_flight: usize, rollouts: usize, base_url: &str) -> Self {
        let model = format!(
            "kind: openai
    settings: {{ base_url: '{base_url}', api_key: none, model: mock }}"
        );
        Self { in_flight, tasks: rollouts.div_ceil(GROUP), repeats: GROUP, model }
    }

    /// Writes the dataset and starts a runtime for it.
    pub(crate) async fn start(&self, folder: &TempDir) -> Result<Runtime> {
        let dataset = folder.path().join("tasks.jsonl");
        write_tasks(&dataset, self.tasks)?;
        let Self { in_flight, repeats, model, .. } = self;
        let config = format!(
            "models:
  policy:
    {model}
environments: {{ weather: {{ kind: simple_weather }} }}
agents:
  solver:
    kind: tool_loop
    environment: weather
    model: policy
    datasets: [{{ name: tasks, type: train, path: '{}' }}]
collect: {{ output: '{}', repeats: {repeats}, max_in_flight: {in_flight} }}",
            dataset.display(),
            folder.path().join("rollouts.jsonl").display(),
        );
        let config = Loader::new().text("workload", &config).load()?;
        Ok(Runtime::start(config, &rehearsal::kinds()).await?)
    }
}

/// Runs a workload into a JSONL file.
pub(crate) async fn collect(workload: &Workload) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    let runtime = workload.start(&folder).await?;
    let recorder = JsonlRecorder::new(&folder.path().join("rollouts.jsonl"), Existing::Refuse)?;
    let (started, cpu) = (Instant::now(), cpu_seconds()?);
    let collection = runtime.collection()?;
    let summary = runtime.collect(collection, Arc::new(recorder), Arc::default()).await?;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    runtime.stop().await;
    let rollouts = workload.tasks * workload.repeats;
    if summary.scored != rollouts as u64 {
        return Err(format!("{} of {rollouts} rollouts", summary.scored).into());
    }
    let rollouts = rollouts as f64;
    Ok(Cost { rate: rollouts / seconds, cpu_micros: cpu * 1e6 / rollouts })
}

fn write_tasks(path: &std::path::Path, tasks: usize) -> Result<()> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    for task in 0..tasks {
        writeln!(
            file,
            r#"{{"responses_create_params":{{"input":[{{"role":"developer","content":"Answer in one sentence."}},{{"role":"user","content":"What is the weather in town{task}?"}}],"tools":[{{"type":"function","name":"get_weather","description":"","strict":true,"parameters":{{"type":"object","properties":{{"city":{{"type":"string","description":""}}}},"required":["city"],"additionalProperties":false}}}}]}}}}"#
        )?;
    }
    Ok(file.flush()?)
}

/// User and system time of this process so far; ticks are 10 ms on Linux.
fn cpu_seconds() -> Result<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<f64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect::<std::result::Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / 100.0)
}
