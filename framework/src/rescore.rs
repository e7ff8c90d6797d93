//! Scores recorded rollouts again, without a model: streams rollouts, pairs each with its task and its
//! environment, replays tool calls where the verifier looks at the session, and writes rows in input
//! order.
//!
//! Rows go through in portions. Reading them, and writing their records, takes most of the time, so it
//! is done on the CPU pool, a few portions for each of its threads; verifiers run on the shards. What is
//! in memory are these portions and bounded indices of the task files, whatever the size of the files;
//! and, where an output is added to, a hash of 16 bytes for each key that it holds.
//!
//! Records go to a [`Recorder`], as those of a collection do: a rollout that could not be verified is
//! recorded as failed, with its response and what the verifier says about it, and can be scored again.

mod reader;
mod rows;
mod scoring;
mod tasks;

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tokio::time::Instant;

use crate::collection::{EnvironmentSummary, Rewards};
use crate::cpu::CpuPool;
use crate::recorder::{Kept, Record, RecordWriter, Recorder, RecorderError, failures_path};
use crate::rollout::Outcome;
use crate::runtime::Runtime;
use reader::{Held, Reader};
use rows::Rollouts;
use scoring::{Row, Scored};

/// What to score again.
#[derive(Clone, Debug, Default)]
pub struct Rescore {
    /// Rows with a `response`.
    pub rollouts: PathBuf,
    /// Dataset rows, those of all rollouts; by default the datasets that the configuration names, each
    /// rollout's by its key.
    pub tasks: Option<PathBuf>,
    /// Whose verifier scores; by default each rollout's own environment, or the only one.
    pub environment: Option<String>,
    /// Whether only failed verifications are scored: those in the file of failures beside `rollouts`.
    pub failures_only: bool,
    /// Whether environments score that cannot do so from a record alone
    /// ([`Environment::unreproducible`](crate::environment::Environment::unreproducible)). Their
    /// verdicts say so in an extra, `unreproducible`.
    pub allow_unreproducible: bool,
    /// Whether rewards are summarised for each environment, which keeps those of every task in memory.
    pub aggregate: bool,
}

impl Rescore {
    /// The file that rollouts are read from.
    pub fn read_path(&self) -> PathBuf {
        let is_of_failures =
            self.rollouts.to_str().is_some_and(|path| path.ends_with("_failures.jsonl"));
        if self.failures_only && !is_of_failures {
            failures_path(&self.rollouts)
        } else {
            self.rollouts.clone()
        }
    }
}

/// What rescoring came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RescoreSummary {
    /// The rewards in the output per environment, by name, if they were to be summarised.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub environments: BTreeMap<String, EnvironmentSummary>,
    /// Rows that this run scored.
    pub scored: u64,
    /// Their mean reward.
    pub mean: f64,
    /// Rows whose reward is not the one that was recorded.
    pub changed: u64,
    /// Rows that could not be scored and are not in the output.
    pub left_out: u64,
    /// Those of them whose verification failed; they are recorded as failures.
    pub failed: u64,
    /// Rows whose key the output held already.
    pub kept: u64,
    /// Rows that are no failed verification, where only such are scored.
    pub passed_over: u64,
    /// Whether it was ended early.
    pub cancelled: bool,
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
    /// There is no file of failures.
    #[error("there are no failures of `{}`: cannot read `{}`: {source}", rollouts.display(), path.display())]
    NoFailures {
        /// The rollouts.
        rollouts: PathBuf,
        /// Where their failures would be.
        path: PathBuf,
        /// Why they cannot be read.
        source: io::Error,
    },
    /// The output cannot be opened or written.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
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
    /// There is nowhere to look for tasks.
    #[error("no tasks are given, and the configuration names no dataset")]
    NoTasks,
    /// The environment cannot score from a record alone.
    #[error("environment `{environment}` cannot score recorded rollouts as they were: {reason}")]
    Unreproducible {
        /// Its name.
        environment: String,
        /// What it looks at that is not recorded.
        reason: &'static str,
    },
}

impl RescoreError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => Some("check the path; it is relative to the working directory"),
            Self::NoFailures { .. } => Some(
                "name the rollouts that have failures beside them, in `<rollouts>_failures.jsonl`; without that file none failed",
            ),
            Self::Recorder(RecorderError::Exists { .. }) => Some(
                "add to it with `--append`, replace it with `--overwrite`, or name another `--output`",
            ),
            Self::Recorder(RecorderError::Write { .. }) => {
                Some("make room, then run the same command with `--append`")
            }
            Self::Recorder(RecorderError::InUse { .. }) => {
                Some("wait for it to end, or name another `--output`")
            }
            Self::Recorder(RecorderError::NotARecord { .. }) => {
                Some("`--append` adds to a file that `rehearsal verify` or `collect` wrote")
            }
            Self::Recorder(error) => error.hint(),
            Self::ReadAndWritten { .. } => Some(
                "name another `--output`; failed verifications go to `<output>_failures.jsonl`",
            ),
            Self::UnknownEnvironment { .. } => {
                Some("`--environment` takes a name of `environments`")
            }
            Self::NoTasks => Some("name the dataset with `--tasks`"),
            Self::Unreproducible { .. } => Some(
                "change that setting, or score all the same with `--allow-unreproducible`, which marks the rows",
            ),
        }
    }
}

/// How far rescoring has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RescoreProgress {
    /// Rows that have been through, scored or not.
    pub rows: u64,
    /// Bytes of the rollouts file that have been through.
    pub bytes: u64,
    /// Bytes that the file had at the start.
    pub bytes_total: u64,
}

/// Portions under way for each thread of the CPU pool.
const PORTIONS_PER_THREAD: usize = 2;
/// How often what is written is made durable.
const SYNC_INTERVAL: Duration = Duration::from_secs(1);

/// Rescoring that is ready to run: its inputs are there, and its environments can do it.
pub struct Rescoring<'a> {
    runtime: &'a Runtime,
    rollouts: Rollouts,
    reader: Reader,
    path: PathBuf,
    bytes_total: u64,
    aggregate: bool,
}

impl Runtime {
    /// Prepares to score recorded rollouts again. Nothing is written yet.
    ///
    /// # Errors
    /// Fails if a file cannot be read, or the environment that is to score does not exist or cannot.
    pub fn rescoring(&self, rescore: &Rescore) -> Result<Rescoring<'_>, RescoreError> {
        let path = rescore.read_path();
        let unread = |source| match &path {
            path if *path == rescore.rollouts => RescoreError::Read { path: path.clone(), source },
            path => RescoreError::NoFailures {
                rollouts: rescore.rollouts.clone(),
                path: path.clone(),
                source,
            },
        };
        let rollouts = Rollouts::open(&path).map_err(unread)?;
        let reader = Reader::new(self, rescore, &path)?;
        let bytes_total = std::fs::metadata(&path).map_or(0, |file| file.len());
        let aggregate = rescore.aggregate;
        Ok(Rescoring { runtime: self, rollouts, reader, path, bytes_total, aggregate })
    }
}

impl Rescoring<'_> {
    /// Checks that an output, and the failures beside it, are none of the files that are read.
    ///
    /// # Errors
    /// Fails with [`RescoreError::ReadAndWritten`] if one is.
    pub fn check_output(&self, output: &Path) -> Result<(), RescoreError> {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let outputs = [real(output), real(&failures_path(output))];
        let inputs = std::iter::once(self.path.as_path()).chain(self.reader.tasks.paths());
        let mut inputs = inputs.filter(|path| real(path).is_some());
        match inputs.find(|path| outputs.contains(&real(path))) {
            Some(path) => Err(RescoreError::ReadAndWritten { path: path.to_owned() }),
            None => Ok(()),
        }
    }

    /// Scores the rollouts that the recorder does not hold yet, until all are through or `cancelled`
    /// is over; `done` hears how far it has come.
    ///
    /// Rows that cannot be scored are reported with their line and left out.
    ///
    /// # Errors
    /// See [`RescoreError`].
    pub async fn run(
        mut self,
        recorder: Arc<dyn Recorder>,
        cancelled: impl Future<Output = ()>,
        mut done: impl FnMut(RescoreProgress),
    ) -> Result<RescoreSummary, RescoreError> {
        let cpu = self.runtime.cpu("rescore");
        let (held, rewards) = self.read_kept(recorder.clone(), &cpu).await?;
        self.reader.hold(held);
        let reader = Arc::new(self.reader);
        let runtime = self.runtime;
        let portions = std::iter::from_fn(|| self.rollouts.next_portion().transpose());
        let scored = stream::iter(portions).map(|portion| async {
            let portion = portion?;
            let end = portion.end;
            Ok((end, runtime.score(portion, &reader, &cpu).await))
        });
        let scored = scored.buffered(PORTIONS_PER_THREAD * cpu.threads());
        let tally = Tally {
            path: &self.path,
            reader: &reader,
            writer: recorder.open()?,
            synced: Instant::now(),
            rewards: self.aggregate.then_some(rewards),
            summary: RescoreSummary::default(),
        };
        let mut progress =
            RescoreProgress { bytes_total: self.bytes_total, ..RescoreProgress::default() };
        let (scored, cancelled) = (pin!(scored), pin!(cancelled));
        let hear = |rows: &[Row], end| {
            progress.rows += rows.len() as u64;
            progress.bytes = end;
            done(progress);
        };
        tally.take_all(scored, cancelled, hear).await
    }

    /// Learns what the recorder holds already.
    async fn read_kept(
        &self,
        recorder: Arc<dyn Recorder>,
        cpu: &CpuPool,
    ) -> Result<(Held, Rewards), RecorderError> {
        let aggregate = self.aggregate;
        let read = move || {
            let (mut held, mut rewards) = (Held::default(), Rewards::default());
            let visited = recorder.kept(&mut |Kept { key, environment, reward }| {
                held.insert(&key);
                if aggregate {
                    rewards.add(&environment, &key, reward, u32::MAX);
                }
            });
            visited.map(|()| (held, rewards))
        };
        cpu.run(read).await
    }
}

/// Takes scored rows in their order: writes and counts them.
struct Tally<'a> {
    path: &'a Path,
    reader: &'a Reader,
    writer: Box<dyn RecordWriter>,
    synced: Instant,
    rewards: Option<Rewards>,
    summary: RescoreSummary,
}

impl Tally<'_> {
    async fn take_all(
        mut self,
        mut scored: Pin<&mut impl Stream<Item = io::Result<(u64, Vec<Row>)>>>,
        mut cancelled: Pin<&mut impl Future<Output = ()>>,
        mut hear: impl FnMut(&[Row], u64),
    ) -> Result<RescoreSummary, RescoreError> {
        loop {
            let next = tokio::select! {
                biased;
                () = &mut cancelled => ControlFlow::Break(true),
                next = scored.next() => next.map_or(ControlFlow::Break(false), ControlFlow::Continue),
            };
            let (end, rows) = match next {
                ControlFlow::Continue(Ok(portion)) => portion,
                ControlFlow::Continue(Err(source)) => {
                    self.writer.sync()?;
                    return Err(RescoreError::Read { path: self.path.to_owned(), source });
                }
                ControlFlow::Break(is_cancelled) => {
                    self.summary.cancelled = is_cancelled;
                    break;
                }
            };
            hear(&rows, end);
            rows.into_iter().try_for_each(|row| self.take(row))?;
            if self.synced.elapsed() > SYNC_INTERVAL {
                self.writer.sync()?;
                self.synced = Instant::now();
            }
        }
        self.writer.sync()?;
        let environments = self.rewards.map(Rewards::summarise).unwrap_or_default();
        Ok(RescoreSummary { environments, ..self.summary })
    }

    fn take(&mut self, row: Row) -> Result<(), RescoreError> {
        let (line, reason) = match row {
            Row::Held => {
                self.summary.kept += 1;
                return Ok(());
            }
            Row::PassedOver => {
                self.summary.passed_over += 1;
                return Ok(());
            }
            Row::Scored(scored) => return self.scored(scored),
            Row::Failed { line, key, record, reason } => {
                self.writer.write(Record { key, outcome: Outcome::Failed, line: record })?;
                self.summary.failed += 1;
                (line, reason)
            }
            Row::LeftOut { line, reason } => (line, reason),
        };
        self.summary.left_out += 1;
        let path = self.path.display();
        tracing::warn!("`{path}` line {line}: {reason}; the row is left out");
        Ok(())
    }

    fn scored(&mut self, scored: Scored) -> Result<(), RescoreError> {
        let Scored { key, environment, outcome, record, reward, is_changed } = scored;
        if !self.reader.claim(&key) {
            self.summary.kept += 1;
            return Ok(());
        }
        if let Some(rewards) = &mut self.rewards {
            rewards.add(&environment, &key, reward, u32::MAX);
        }
        self.writer.write(Record { key, outcome, line: record })?;
        let summary = &mut self.summary;
        summary.scored += 1;
        summary.changed += u64::from(is_changed);
        summary.mean += (reward - summary.mean) / summary.scored as f64;
        Ok(())
    }
}
