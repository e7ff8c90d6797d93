//! Scores recorded rollouts again, without a model: streams tasks and rollouts side by side, replays
//! tool calls where the verifier looks at the session, and writes rows in input order.
//!
//! Rows go through in portions. Reading them, and writing their records, takes most of the time, so it
//! is done on the CPU pool, a few portions for each of its threads; verifiers run on the shards. What is
//! in memory are these portions and a bounded index of the tasks file, whatever the size of the files.
//!
//! Rollouts that could not be verified go to a file beside the output, with their response and what the
//! verifier says about it: that file can be scored again.

mod output;
mod rows;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::collection::ReadTarget;
use crate::cpu::CpuPool;
use crate::environment::Verdict;
use crate::responses::Response;
use crate::rollout::{Failure, Limit, Origin, Rollout, TimingSeconds, Timings};
use crate::runtime::{Runtime, SubmitError};
use crate::task::{RolloutKey, Task, TaskId};
use output::Output;
use rows::{Portion, Rollouts, Row, Tasks, key_line};

/// What to score again.
#[derive(Clone, Debug)]
pub struct Rescore {
    /// Dataset rows.
    pub tasks: PathBuf,
    /// Rows with a `response`.
    pub rollouts: PathBuf,
    /// Where scored rows go.
    pub output: PathBuf,
    /// Whose verifier scores; by default each rollout's own environment, or the only one.
    pub environment: Option<String>,
    /// Whether an output that exists is replaced.
    pub overwrite: bool,
}

/// What rescoring came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct RescoreSummary {
    /// Rows written.
    pub scored: u64,
    /// Rows that could not be scored and are not in the output.
    pub left_out: u64,
    /// Those of them whose verification failed; they are in the file of failures.
    pub failed: u64,
    /// Mean reward.
    pub mean: f64,
    /// Rows whose reward is not the one that was recorded.
    pub changed: u64,
}

/// Why rescoring ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RescoreError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The output cannot be written.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that is read is also to be written, or removed.
    #[error("`{}` is read, and would be written", path.display())]
    ReadAndWritten {
        /// The file.
        path: PathBuf,
    },
    /// The environment that is to score does not exist.
    #[error("there is no environment `{name}`; there are `{}`", known.join("`, `"))]
    UnknownEnvironment {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// Nobody said which environment scores.
    #[error("the configuration has {count} environments, and rollouts do not say whose they are")]
    WhichEnvironment {
        /// How many there are.
        count: usize,
    },
}

impl RescoreError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("check the path; it is relative to the working directory"),
            Self::Write { source, .. } if source.kind() == io::ErrorKind::AlreadyExists => {
                Some("replace it with `--overwrite`, or name another `--output`")
            }
            Self::Write { .. } => None,
            Self::ReadAndWritten { .. } => Some(
                "name another `--output`; failed verifications go to `<output>_failures.jsonl`",
            ),
            Self::UnknownEnvironment { .. } => {
                Some("`--environment` takes a name of `environments`")
            }
            Self::WhichEnvironment { .. } => Some("name it with `--environment`"),
        }
    }
}

/// How far rescoring has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RescoreProgress {
    /// Rows that have been through, scored or left out.
    pub rows: u64,
    /// Bytes of the rollouts file that have been through.
    pub bytes: u64,
    /// Bytes that the file had at the start.
    pub bytes_total: u64,
}

/// Portions under way for each thread of the CPU pool.
const PORTIONS_PER_THREAD: usize = 2;
/// How long scoring one row may take.
const TIMEOUT: Duration = Duration::from_secs(600);

/// A recorded rollout, as far as scoring needs it.
#[derive(Deserialize)]
struct Recorded {
    response: Box<RawValue>,
    reward: Option<f64>,
    rehearsal: Option<Provenance>,
    responses_create_params: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
struct Provenance {
    task: TaskId,
    #[serde(default)]
    repeat: u32,
    environment: Option<String>,
    agent: Option<String>,
    attempt: Option<u32>,
    limit: Option<Limit>,
    steps: Option<u32>,
    timings: Option<TimingSeconds>,
}

/// What is needed to read rows, on whichever thread.
struct Reader {
    /// Whose verifier scores: the named environment, else the rollout's own, else the only one.
    named: Option<String>,
    only: Option<String>,
    targets: BTreeMap<String, ReadTarget>,
    tasks: Mutex<Tasks>,
}

/// A rollout and its task, ready to be scored.
struct Prepared {
    environment: String,
    task: Arc<Task>,
    response: Arc<Response>,
    reward: Option<f64>,
    provenance: Option<Provenance>,
}

/// What became of a row, or why it cannot be read.
type Outcome<T> = (u64, Result<T, String>);

/// A row as it is written.
enum Written {
    Scored(Scored),
    Failed { record: String, reason: String },
}

/// A rollout, and what its verifier says.
type Verified = (Prepared, Result<Verdict, Failure>);

struct Scored {
    record: String,
    reward: f64,
    is_changed: bool,
}

impl Runtime {
    /// Scores recorded rollouts again; `done` hears how far it has come.
    ///
    /// Rows that cannot be scored are reported with their line and left out.
    ///
    /// # Errors
    /// See [`RescoreError`].
    pub async fn rescore(
        &self,
        rescore: &Rescore,
        mut done: impl FnMut(RescoreProgress),
    ) -> Result<RescoreSummary, RescoreError> {
        let mut rollouts = Rollouts::open(&rescore.rollouts)?;
        let reader = Arc::new(self.reader(rescore)?);
        let inputs = [&rescore.tasks, &rescore.rollouts];
        let mut output = Output::create(&rescore.output, rescore.overwrite, inputs)?;
        let cpu = self.cpu("rescore");
        let bytes_total = std::fs::metadata(&rescore.rollouts).map_or(0, |file| file.len());
        let mut progress = RescoreProgress { bytes_total, ..RescoreProgress::default() };
        let portions = stream::iter(std::iter::from_fn(|| rollouts.next_portion()));
        let scored = portions.map(|portion| async {
            let end = portion.end;
            (end, self.score(portion, &reader, &cpu).await)
        });
        let mut scored = scored.buffered(PORTIONS_PER_THREAD * cpu.threads());
        let mut summary = RescoreSummary::default();
        while let Some((end, rows)) = scored.next().await {
            progress.rows += rows.len() as u64;
            progress.bytes = end;
            for (line, row) in rows {
                let reason = match row {
                    Ok(Written::Scored(scored)) => {
                        output.scored(&scored.record)?;
                        summary.count(&scored);
                        continue;
                    }
                    Ok(Written::Failed { record, reason }) => {
                        output.failed(&record)?;
                        summary.failed += 1;
                        reason
                    }
                    Err(reason) => reason,
                };
                summary.left_out += 1;
                let path = rescore.rollouts.display();
                tracing::warn!("`{path}` line {line}: {reason}; the row is left out");
            }
            done(progress);
        }
        output.flush()?;
        Ok(summary)
    }

    fn reader(&self, rescore: &Rescore) -> Result<Reader, RescoreError> {
        let environments = &self.config().environments;
        let named = rescore.environment.clone();
        if let Some(name) = named.clone().filter(|name| !environments.contains_key(name)) {
            let known = environments.keys().cloned().collect();
            return Err(RescoreError::UnknownEnvironment { name, known });
        }
        let only = environments.keys().next().filter(|_| environments.len() == 1).cloned();
        let tasks = Mutex::new(Tasks::open(&rescore.tasks)?);
        Ok(Reader { named, only, targets: self.targets(), tasks })
    }

    /// Scores a portion: read and written on the CPU pool, verified on the shards.
    async fn score(
        &self,
        portion: Portion,
        reader: &Arc<Reader>,
        cpu: &CpuPool,
    ) -> Vec<Outcome<Written>> {
        let reader = reader.clone();
        let read =
            move |row: Row| (row.line, row.text.and_then(|text| reader.read(row.line, &text)));
        let prepared =
            cpu.run(move || portion.rows.into_iter().map(read).collect::<Vec<_>>()).await;
        let verified = prepared.into_iter().map(|(line, prepared)| async move {
            let verified = match prepared {
                Ok(prepared) => self.verify_prepared(prepared).await,
                Err(reason) => Err(reason),
            };
            (line, verified)
        });
        let verified = join_all(verified).await;
        let write = |(line, verified): Outcome<Verified>| {
            (line, verified.map(|(prepared, verdict)| prepared.written(verdict)))
        };
        cpu.run(move || verified.into_iter().map(write).collect()).await
    }

    async fn verify_prepared(&self, prepared: Prepared) -> Result<Verified, String> {
        let Prepared { environment, task, response, .. } = &prepared;
        let deadline = Instant::now() + TIMEOUT;
        match self.verify(environment, task, response, deadline).await {
            Ok(verdict) => Ok((prepared, Ok(verdict))),
            Err(SubmitError::Failed(failure)) => Ok((prepared, Err(failure))),
            Err(error) => Err(error.to_string()),
        }
    }
}

impl RescoreSummary {
    fn count(&mut self, scored: &Scored) {
        self.scored += 1;
        self.changed += u64::from(scored.is_changed);
        self.mean += (scored.reward - self.mean) / self.scored as f64;
    }
}

impl Reader {
    fn read(&self, line: u64, rollout: &str) -> Result<Prepared, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let recorded: Recorded = serde_json::from_str(rollout).map_err(|error| text(&error))?;
        let response = Response::parse(recorded.response.get()).map_err(|error| text(&error))?;
        let environment = self.environment(recorded.rehearsal.as_ref())?;
        let task = self.task(line, recorded.rehearsal.as_ref(), environment)?;
        warn_if_prompts_differ(line, &recorded, &task);
        Ok(Prepared {
            environment: environment.to_owned(),
            task: Arc::new(task),
            response: Arc::new(response),
            reward: recorded.reward,
            provenance: recorded.rehearsal,
        })
    }

    fn environment<'a>(&'a self, known: Option<&'a Provenance>) -> Result<&'a str, String> {
        let own = known.and_then(|known| known.environment.as_deref());
        self.named
            .as_deref()
            .or(own)
            .or(self.only.as_deref())
            .ok_or_else(|| RescoreError::WhichEnvironment { count: self.targets.len() }.to_string())
    }

    /// The task of a rollout: by its own key, or the one of the same line.
    fn task(
        &self,
        line: u64,
        known: Option<&Provenance>,
        environment: &str,
    ) -> Result<Task, String> {
        let line = known.and_then(key_line).unwrap_or(line);
        let row = self.tasks.lock().unwrap_or_else(PoisonError::into_inner).read(line);
        let row = row.map_err(|error| error.to_string())?;
        let row = row.ok_or_else(|| format!("the tasks file has no line {line}"))?;
        let row = crate::task::Row::parse(&row).map_err(|error| error.to_string())?;
        let target = self.targets.get(environment);
        let target = target.ok_or_else(|| format!("there is no environment `{environment}`"))?;
        let target = target(&row).map_err(|error| error.to_string())?;
        let id = known.map(|known| known.task.clone());
        Ok(Task::new(id.unwrap_or_else(|| TaskId::of_row("rescored", "tasks", line)), row, target))
    }
}

impl Prepared {
    fn written(self, verdict: Result<Verdict, Failure>) -> Written {
        let Self { environment, task, response, reward, provenance } = self;
        let known = provenance.as_ref();
        let repeat = known.map_or(0, |known| known.repeat);
        let key = RolloutKey { task: task.id.clone(), repeat };
        let origin = Origin {
            key: &key,
            agent: known.and_then(|known| known.agent.as_deref()).unwrap_or("rescored"),
            environment: &environment,
            attempt: known.and_then(|known| known.attempt).unwrap_or(1),
        };
        let verdict = match verdict {
            Ok(verdict) => verdict,
            Err(failure) => {
                let reason = failure.to_string();
                let failure = Failure { response: Some(response), ..failure };
                let record = origin.failure_record(&task, &failure);
                return Written::Failed { record, reason };
            }
        };
        let scored = verdict.reward.get();
        let timings = known.and_then(|known| known.timings);
        let rollout = Rollout {
            response,
            verdict,
            truncated: known.and_then(|known| known.limit),
            steps: known.and_then(|known| known.steps).unwrap_or(0),
            timings: timings.map_or_else(Timings::default, Timings::from),
        };
        let record = origin.record(&task, &rollout);
        let is_changed = reward.is_some_and(|recorded| recorded != scored);
        Written::Scored(Scored { record, reward: scored, is_changed })
    }
}

/// Says so when a rollout stands beside a task with another prompt. It is no error: NeMo Gym
/// normalises the prompts that it records.
fn warn_if_prompts_differ(line: u64, recorded: &Recorded, task: &Task) {
    let Some(params) = recorded.responses_create_params.as_ref() else { return };
    let Ok(params) = crate::responses::CreateParams::parse(params.get()) else { return };
    let last = |items: &[crate::responses::Item]| items.last().map(crate::responses::Item::text);
    if last(params.input()) != last(task.params.input()) {
        tracing::warn!("line {line}: the rollout's prompt is not the prompt of its task");
    }
}
