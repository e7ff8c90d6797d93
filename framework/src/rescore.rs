//! Scores recorded rollouts again, without a model: streams tasks and rollouts side by side, replays
//! tool calls where the verifier looks at the session, and writes rows in input order.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::Instant;

use crate::responses::Response;
use crate::rollout::{Limit, Origin, Rollout, TimingSeconds, Timings};
use crate::runtime::Runtime;
use crate::task::{RolloutKey, Task, TaskId};

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
            Self::UnknownEnvironment { .. } => {
                Some("`--environment` takes a name of `environments`")
            }
            Self::WhichEnvironment { .. } => Some("name it with `--environment`"),
        }
    }
}

/// Rows scored at the same time.
const IN_FLIGHT: usize = 64;
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

/// Whose verifier scores: the named environment, else the rollout's own, else the only one.
#[derive(Clone, Copy)]
struct Scorers<'a> {
    named: Option<&'a str>,
    only: Option<&'a str>,
}

/// A row with its task, before scoring.
struct Row {
    line: u64,
    text: Result<(String, String), String>,
}

struct Scored {
    record: String,
    reward: f64,
    changed: bool,
}

impl Runtime {
    /// Scores recorded rollouts again; `done` hears how many rows have been through.
    ///
    /// Rows that cannot be scored are reported with their line and left out.
    ///
    /// # Errors
    /// See [`RescoreError`].
    pub async fn rescore(
        &self,
        rescore: &Rescore,
        mut done: impl FnMut(u64),
    ) -> Result<RescoreSummary, RescoreError> {
        let scorers = self.scorers(rescore.environment.as_deref())?;
        let mut pairs = Pairs::open(&rescore.tasks, &rescore.rollouts)?;
        let mut output = create(&rescore.output, rescore.overwrite)?;
        let rows = stream::iter(std::iter::from_fn(|| pairs.next_row()));
        let mut scored = rows.map(|row| self.score_row(row, scorers)).buffered(IN_FLIGHT);
        let mut summary = RescoreSummary::default();
        let write_error = |source| RescoreError::Write { path: rescore.output.clone(), source };
        while let Some((line, result)) = scored.next().await {
            match result {
                Ok(scored) => {
                    output.write_all(scored.record.as_bytes()).map_err(write_error)?;
                    output.write_all(b"\n").map_err(write_error)?;
                    summary.scored += 1;
                    summary.changed += u64::from(scored.changed);
                    summary.mean += (scored.reward - summary.mean) / summary.scored as f64;
                }
                Err(reason) => {
                    summary.left_out += 1;
                    let path = rescore.rollouts.display();
                    tracing::warn!("`{path}` line {line}: {reason}; the row is left out");
                }
            }
            done(summary.scored + summary.left_out);
        }
        output.flush().map_err(write_error)?;
        Ok(summary)
    }

    fn scorers<'a>(&'a self, named: Option<&'a str>) -> Result<Scorers<'a>, RescoreError> {
        let environments = &self.config().environments;
        if let Some(name) = named.filter(|name| !environments.contains_key(*name)) {
            let known = environments.keys().cloned().collect();
            return Err(RescoreError::UnknownEnvironment { name: name.to_owned(), known });
        }
        let only = environments.keys().next().filter(|_| environments.len() == 1);
        Ok(Scorers { named, only: only.map(String::as_str) })
    }

    async fn score_row(&self, row: Row, scorers: Scorers<'_>) -> (u64, Result<Scored, String>) {
        let line = row.line;
        let scored = match row.text {
            Ok((task, rollout)) => self.score(line, &task, &rollout, scorers).await,
            Err(reason) => Err(reason),
        };
        (line, scored)
    }

    async fn score(
        &self,
        line: u64,
        task: &str,
        rollout: &str,
        scorers: Scorers<'_>,
    ) -> Result<Scored, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let recorded: Recorded = serde_json::from_str(rollout).map_err(|error| text(&error))?;
        let response = Response::parse(recorded.response.get()).map_err(|error| text(&error))?;
        let response = Arc::new(response);
        let provenance = recorded.rehearsal.as_ref();
        let own = provenance.and_then(|known| known.environment.as_deref());
        let environment = scorers.named.or(own).or(scorers.only).ok_or_else(|| {
            let count = self.config().environments.len();
            text(&RescoreError::WhichEnvironment { count })
        })?;
        let id = provenance
            .map_or_else(|| TaskId::of_row("rescored", "tasks", line), |known| known.task.clone());
        let task = self.environment_task(environment, id, task).map_err(|error| text(&error))?;
        warn_if_prompts_differ(line, &recorded, &task);
        let deadline = Instant::now() + TIMEOUT;
        let verdict = self.verify(environment, &task, &response, deadline).await;
        let verdict = verdict.map_err(|error| text(&error))?;
        let reward = verdict.reward.get();
        let rollout = Rollout {
            response,
            verdict,
            truncated: provenance.and_then(|known| known.limit),
            steps: provenance.and_then(|known| known.steps).unwrap_or(0),
            timings: provenance
                .and_then(|known| known.timings)
                .map_or_else(Timings::default, Timings::from),
        };
        let key = RolloutKey {
            task: task.id.clone(),
            repeat: provenance.map_or(0, |known| known.repeat),
        };
        let origin = Origin {
            key: &key,
            agent: provenance.and_then(|known| known.agent.as_deref()).unwrap_or("rescored"),
            environment,
            attempt: provenance.and_then(|known| known.attempt).unwrap_or(1),
        };
        let record = origin.record(&task, &rollout);
        let changed = recorded.reward.is_some_and(|recorded| recorded != reward);
        Ok(Scored { record, reward, changed })
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

fn create(path: &Path, overwrite: bool) -> Result<BufWriter<File>, RescoreError> {
    let write_error = |source| RescoreError::Write { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(write_error)?;
    }
    let mut options = File::options();
    options.write(true);
    if overwrite {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    options.open(path).map(BufWriter::new).map_err(write_error)
}

/// Rollouts in order, each with the text of its task.
struct Pairs {
    tasks: TaskLines,
    rollouts: BufReader<File>,
    line: u64,
}

impl Pairs {
    fn open(tasks: &Path, rollouts: &Path) -> Result<Self, RescoreError> {
        let read_error = |path: &Path, source| RescoreError::Read { path: path.to_owned(), source };
        let file = File::open(rollouts).map_err(|error| read_error(rollouts, error))?;
        let tasks = TaskLines::open(tasks).map_err(|error| read_error(tasks, error))?;
        Ok(Self { tasks, rollouts: BufReader::with_capacity(256 << 10, file), line: 0 })
    }

    /// The next rollout that is not a blank line.
    fn next_row(&mut self) -> Option<Row> {
        loop {
            let mut bytes = Vec::new();
            self.line += 1;
            let line = self.line;
            match self.rollouts.read_until(b'\n', &mut bytes) {
                Ok(0) => return None,
                Ok(_) if bytes.trim_ascii().is_empty() => {}
                Ok(_) => return Some(Row { line, text: self.pair(line, bytes) }),
                Err(error) => {
                    tracing::error!("line {line}: cannot read any further: {error}");
                    return None;
                }
            }
        }
    }

    fn pair(&mut self, line: u64, bytes: Vec<u8>) -> Result<(String, String), String> {
        let rollout = String::from_utf8(bytes).map_err(|error| error.to_string())?;
        let task_line = key_line(&rollout).unwrap_or(line);
        let task = self.tasks.read(task_line).map_err(|error| error.to_string())?;
        let missing = || format!("the tasks file has no line {task_line}");
        Ok((task.ok_or_else(missing)?, rollout))
    }
}

/// The dataset line in a record's own key.
fn key_line(rollout: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Keyed {
        rehearsal: Option<Provenance>,
    }
    if !rollout.contains("\"rehearsal\"") {
        return None;
    }
    let keyed: Keyed = serde_json::from_str(rollout).ok()?;
    let task = keyed.rehearsal?.task;
    task.as_str().rsplit_once('/')?.1.parse().ok()
}

/// A file whose lines are read in any order: eight bytes of memory a line.
struct TaskLines {
    file: BufReader<File>,
    offsets: Vec<u64>,
}

impl TaskLines {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = BufReader::with_capacity(256 << 10, File::open(path)?);
        let mut offsets = Vec::new();
        let mut offset = 0;
        loop {
            let length = file.skip_until(b'\n')?;
            if length == 0 {
                return Ok(Self { file, offsets });
            }
            offsets.push(offset);
            offset += length as u64;
        }
    }

    /// The text of a line, counted from 1.
    fn read(&mut self, line: u64) -> io::Result<Option<String>> {
        let index = usize::try_from(line).ok().and_then(|line| line.checked_sub(1));
        let Some(offset) = index.and_then(|index| self.offsets.get(index)) else { return Ok(None) };
        self.file.seek(SeekFrom::Start(*offset))?;
        let mut text = String::new();
        self.file.read_line(&mut text)?;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_in_any_order() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"a\n\nb\nlast").unwrap();
        let mut lines = TaskLines::open(file.path()).unwrap();
        let read: Vec<_> =
            [3, 1, 4, 2, 0, 5].map(|line| lines.read(line).unwrap()).into_iter().collect();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(read, [text("b\n"), text("a\n"), text("last"), text("\n"), None, None]);
    }

    #[test]
    fn our_own_records_name_the_line_of_their_task() {
        let line = r#"{"rehearsal":{"task":"solver/example/17","repeat":3}}"#;
        assert_eq!(key_line(line), Some(17));
        assert_eq!(key_line(r#"{"response":{}}"#), None);
    }
}
