//! Statistics of recorded rollouts: what each field came to, pass@k and its relatives, how sure they
//! are, what is missing, and whether two runs differ by more than noise.
//!
//! Definitions and names are those of NeMo Gym's reward profile, so numbers can be laid beside each
//! other; confidence intervals, the comparison and the counts of failures are ours. An interval takes
//! the tasks for independent and the repeats of a task for not (Miller, "Adding Error Bars to Evals",
//! 2024). Files are read once, from front to back; of a rollout only its numbers stay in memory.

mod comparison;
mod record;
pub mod repeats;
pub mod spread;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use indexmap::IndexMap;
use serde::Serialize;

use crate::lines::{LINE_MAX, LineError, Lines};
use crate::recorder::failures_path;
use crate::responses::Fields;

pub use comparison::{AgentComparison, Comparison, TaskChange};
use record::{Key, Record, Wanted};
use repeats::{Group, REWARD_SCORE, RepeatMetrics};
use spread::{Interval, Moments, Z_95};
use table::{Place, Sample, Table};

/// Rollouts without an input that an error names, at most.
const NAMED_MAX: usize = 10;

/// What to read, and what of it counts.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Files of recorded rollouts; together they are one run.
    pub rollouts: Vec<PathBuf>,
    /// A file with a line for each rollout that was to be made, as NeMo Gym writes beside its output.
    pub inputs: Option<PathBuf>,
    /// Whether rollouts that `inputs` names may be missing.
    pub allow_partial: bool,
    /// The field with a rollout's answer, for majority votes.
    pub answer: Option<String>,
    /// Fields that get pass@k of their own, beside the reward.
    pub scores: Vec<String>,
    /// The field by whose value tasks are told apart for metrics of subsets.
    pub subset: Option<String>,
}

/// How far reading is.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProfileProgress {
    /// Bytes read.
    pub bytes: u64,
    /// Bytes there are.
    pub bytes_total: u64,
    /// Rollouts read.
    pub rollouts: u64,
}

/// Why there are no statistics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No line of the files is a rollout.
    #[error("there are no rollouts in `{}`", path.display())]
    Empty {
        /// The first file.
        path: PathBuf,
    },
    /// A rollout stands twice.
    #[error("repeat {repeat} of task `{task}` stands twice")]
    Twice {
        /// Its task.
        task: String,
        /// Which repeat.
        repeat: u32,
    },
    /// Rollouts that were not to be made.
    #[error("{count} rollouts have no line in `{}`: {}", path.display(), named.join(", "))]
    WithoutInput {
        /// The inputs.
        path: PathBuf,
        /// How many.
        count: u64,
        /// The first of them.
        named: Vec<String>,
    },
    /// Rollouts that are not there.
    #[error("{missing} of {expected} rollouts are missing")]
    Missing {
        /// How many.
        missing: u64,
        /// How many there should be.
        expected: u64,
    },
    /// The field that was asked for is in no rollout.
    #[error("no rollout has the field `{name}`")]
    NoField {
        /// Its name.
        name: String,
    },
}

impl ProfileError {
    /// What the reader can do.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Twice { .. } => Some("give the files of one run; compare two with `--against`"),
            Self::WithoutInput { .. } => Some("give the inputs that the rollouts were made from"),
            Self::Missing { .. } => {
                Some("finish the run with `collect --resume`, or allow it with `--allow-partial`")
            }
            Self::Empty { .. } => Some("give a file that `rehearsal collect` wrote"),
            Self::Read { .. } | Self::NoField { .. } => None,
        }
    }
}

/// The statistics of one run.
#[derive(Debug, Default)]
pub struct RunProfile {
    /// By the agent's name.
    pub agents: BTreeMap<String, AgentProfile>,
    /// Malformed lines, which were left out.
    pub left_out: u64,
    files: Vec<PathBuf>,
}

/// The statistics of one agent.
#[derive(Debug, Default)]
pub struct AgentProfile {
    /// `mean/reward`, `max/reward` and so on, for each field.
    pub metrics: IndexMap<String, f64>,
    /// pass@k and its relatives.
    pub repeats: RepeatMetrics,
    /// The same for the tasks of each subset.
    pub subsets: BTreeMap<String, RepeatMetrics>,
    /// 95 % confidence intervals, by the name of the metric.
    pub intervals: IndexMap<String, Interval>,
    /// What there is of what there should be.
    pub completion: Completion,
    /// Rollouts that were given up, by culprit.
    pub failed: BTreeMap<String, u64>,
    table: Table,
    expected: Expected,
}

/// What there is of what there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Completion {
    /// Rollouts that there should be.
    pub expected: u64,
    /// Rollouts that there are.
    pub completed: u64,
    /// The difference.
    pub missing: u64,
    /// Tasks that there should be.
    pub tasks: u64,
    /// Tasks with all of their rollouts.
    pub complete_tasks: u64,
    /// Tasks with some of their rollouts.
    pub partial_tasks: u64,
    /// Tasks with none.
    pub missing_tasks: u64,
}

impl Completion {
    /// The share that there is, in percent.
    pub fn percent(&self) -> f64 {
        if self.expected == 0 {
            100.0
        } else {
            self.completed as f64 / self.expected as f64 * 100.0
        }
    }
}

/// The statistics of one task.
#[derive(Clone, Debug, Serialize)]
pub struct GroupProfile {
    /// The task's name.
    pub task: String,
    /// Its dataset row, as its first record has it.
    pub sample: Fields,
    /// Rollouts that there are.
    pub num_rollouts: u64,
    /// Rollouts that there should be.
    pub expected_num_rollouts: u64,
    /// The difference.
    pub missing_num_rollouts: u64,
    /// The share that there is, in percent.
    pub reward_profile_completion_pct: f64,
    /// `mean/reward` and so on.
    #[serde(flatten)]
    pub metrics: IndexMap<String, f64>,
    /// Its rollouts, in order.
    pub rollout_infos: Vec<RolloutInfo>,
}

/// One rollout in the statistics of its task.
#[derive(Clone, Debug, Serialize)]
pub struct RolloutInfo {
    /// Task and repeat, `weather/example/1:0`.
    pub rollout_id: String,
    /// Which repeat, from 0.
    pub repeat: u32,
    /// Its numbers.
    #[serde(flatten)]
    pub numbers: IndexMap<String, f64>,
}

/// One rollout in a plot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Its reward.
    pub reward: f64,
    /// Tokens that the model wrote; bytes of its output where nobody counted.
    pub length: u64,
    /// When its last response was made, in Unix seconds.
    pub created_at: Option<f64>,
}

/// Which rollouts there should be.
#[derive(Debug)]
enum Expected {
    /// So many of each task.
    Repeats(u32),
    /// So many, by task.
    Inputs(HashMap<String, u32>),
}

impl Default for Expected {
    fn default() -> Self {
        Self::Repeats(0)
    }
}

impl Profile {
    /// Reads the files and makes the statistics. `progress` is told of every few thousand rollouts.
    ///
    /// # Errors
    /// See [`ProfileError`]. Malformed lines are reported and left out.
    pub fn run(
        &self,
        mut progress: impl FnMut(ProfileProgress),
    ) -> Result<RunProfile, ProfileError> {
        let mut reading = Reading::new(self)?;
        for index in 0..self.rollouts.len() {
            reading.read(index, &mut progress)?;
        }
        let Reading { mut tables, left_out, .. } = reading;
        if tables.is_empty() {
            return Err(ProfileError::Empty { path: self.rollouts[0].clone() });
        }
        let mut failures = self.failures()?;
        let mut inputs = self.inputs.as_deref().map(read_inputs).transpose()?;
        let mut agents = BTreeMap::new();
        for (name, table) in &mut tables {
            let Twiceless(table) = sorted(std::mem::take(table))?;
            let failures = failures.remove(name).unwrap_or_default();
            let inputs = inputs.as_mut().map(|inputs| inputs.remove(name).unwrap_or_default());
            agents.insert(name.clone(), self.profile(table, &failures, inputs)?);
        }
        self.check_fields(&agents)?;
        Ok(RunProfile { agents, left_out, files: self.rollouts.clone() })
    }

    fn profile(
        &self,
        table: Table,
        failures: &Failures,
        inputs: Option<BTreeSet<(String, u32)>>,
    ) -> Result<AgentProfile, ProfileError> {
        let expected = match inputs {
            Some(inputs) => self.expected_by(&table, &inputs)?,
            None => Expected::Repeats(repeats_of(&table, failures)),
        };
        let completion = completion(&table, &expected);
        if completion.missing > 0 && self.inputs.is_some() && !self.allow_partial {
            let Completion { missing, expected, .. } = completion;
            return Err(ProfileError::Missing { missing, expected });
        }
        let groups = self.groups(&table);
        let mut subsets: BTreeMap<String, Vec<Group>> = BTreeMap::new();
        for (subset, group) in &groups {
            if let Some(subset) = subset {
                subsets.entry(subset.clone()).or_default().push(group.clone());
            }
        }
        let all: Vec<Group> = groups.into_iter().map(|(_, group)| group).collect();
        let of_subset = |(name, groups): (String, Vec<Group>)| {
            let mut metrics = RepeatMetrics::of(&groups);
            metrics.per_sample_aggregate.clear();
            (name, metrics)
        };
        let repeats = RepeatMetrics::of(&all);
        let mut intervals = field_intervals(&table);
        intervals.extend(repeats.intervals.clone());
        Ok(AgentProfile {
            metrics: table.baseline(&table.samples),
            repeats,
            subsets: subsets.into_iter().map(of_subset).collect(),
            intervals,
            completion,
            failed: failures.by_culprit.clone(),
            table,
            expected,
        })
    }

    /// Each task's scores and answers, and the subset that it belongs to.
    fn groups(&self, table: &Table) -> Vec<(Option<String>, Group)> {
        let group = |(_, subset, _, samples): (&str, Option<&str>, Place, &[Sample])| {
            let rewards = samples.iter().map(|sample| Some(sample.reward)).collect();
            let mut scores = BTreeMap::from([(REWARD_SCORE.to_owned(), rewards)]);
            for field in &self.scores {
                let values = samples.iter().map(|sample| table.value(sample, field)).collect();
                scores.insert(field.clone(), values);
            }
            let answers = self.answer.as_ref();
            let answers =
                answers.map(|_| samples.iter().map(|sample| sample.answer).collect::<Vec<_>>());
            let subset = subset.filter(|subset| !is_falsy(subset)).map(str::to_owned);
            (subset, Group { scores, answers })
        };
        table.groups().map(group).collect()
    }

    fn expected_by(
        &self,
        table: &Table,
        inputs: &BTreeSet<(String, u32)>,
    ) -> Result<Expected, ProfileError> {
        let (mut count, mut named) = (0, Vec::new());
        for (task, _, _, samples) in table.groups() {
            for sample in samples {
                if !inputs.contains(&(task.to_owned(), sample.repeat)) {
                    count += 1;
                    if named.len() < NAMED_MAX {
                        named.push(format!("{task}:{}", sample.repeat));
                    }
                }
            }
        }
        if count > 0 {
            let path = self.inputs.clone().unwrap_or_default();
            return Err(ProfileError::WithoutInput { path, count, named });
        }
        let mut by_task: HashMap<String, u32> = HashMap::new();
        for (task, _) in inputs {
            *by_task.entry(task.clone()).or_default() += 1;
        }
        Ok(Expected::Inputs(by_task))
    }

    fn check_fields(&self, agents: &BTreeMap<String, AgentProfile>) -> Result<(), ProfileError> {
        let known = |name: &str| {
            agents.values().any(|agent| agent.metrics.contains_key(&format!("mean/{name}")))
        };
        let answered =
            |agent: &AgentProfile| agent.table.samples.iter().any(|s| s.answer.is_some());
        let has_subsets = |agent: &AgentProfile| agent.table.tasks.values().any(Option::is_some);
        let missing = self
            .scores
            .iter()
            .find(|name| !known(name))
            .or(self.answer.as_ref().filter(|_| !agents.values().any(answered)))
            .or(self.subset.as_ref().filter(|_| !agents.values().any(has_subsets)));
        match missing {
            Some(name) => Err(ProfileError::NoField { name: name.clone() }),
            None => Ok(()),
        }
    }

    /// What was given up, from the files beside the rollouts.
    fn failures(&self) -> Result<BTreeMap<String, Failures>, ProfileError> {
        let mut failures: BTreeMap<String, Failures> = BTreeMap::new();
        for path in &self.rollouts {
            let path = failures_path(path);
            if !path.exists() {
                continue;
            }
            each_line(&path, |_, line, _| {
                let (key, culprit) = Key::of_failure(line)?;
                let failures = failures.entry(key.agent).or_default();
                failures.repeats = failures.repeats.max(key.repeat.map_or(0, |repeat| repeat + 1));
                *failures.by_culprit.entry(culprit).or_default() += 1;
                Ok(())
            })?;
        }
        Ok(failures)
    }
}

/// What an agent gave up.
#[derive(Debug, Default)]
struct Failures {
    by_culprit: BTreeMap<String, u64>,
    /// One more than the largest repeat.
    repeats: u32,
}

/// A table in which every rollout stands once.
struct Twiceless(Table);

fn sorted(mut table: Table) -> Result<Twiceless, ProfileError> {
    let twice = |table::Twice { task, repeat }| ProfileError::Twice { task, repeat };
    table.sort().map_err(twice)?;
    Ok(Twiceless(table))
}

/// NeMo Gym leaves tasks out of the subsets whose field is empty, null, 0 or false.
fn is_falsy(value: &str) -> bool {
    matches!(value, "" | "0" | "false")
}

/// How many rollouts each task should have: as many as any has, given up or not.
fn repeats_of(table: &Table, failures: &Failures) -> u32 {
    let made = table.samples.iter().map(|sample| sample.repeat + 1).max();
    made.unwrap_or(0).max(failures.repeats)
}

fn completion(table: &Table, expected: &Expected) -> Completion {
    let mut completion = Completion::default();
    for (task, _, _, samples) in table.groups() {
        let (has, wants) = (samples.len() as u64, expected.of(task));
        completion.expected += wants;
        completion.completed += has;
        completion.tasks += 1;
        completion.complete_tasks += u64::from(has >= wants);
        completion.partial_tasks += u64::from(has < wants);
    }
    if let Expected::Inputs(by_task) = expected {
        let absent = by_task.iter().filter(|(task, _)| !table.tasks.contains_key(*task));
        for (_, wants) in absent {
            completion.expected += u64::from(*wants);
            completion.tasks += 1;
            completion.missing_tasks += 1;
        }
    }
    completion.missing = completion.expected.saturating_sub(completion.completed);
    completion
}

impl Expected {
    fn of(&self, task: &str) -> u64 {
        u64::from(match self {
            Self::Repeats(repeats) => *repeats,
            Self::Inputs(by_task) => by_task.get(task).copied().unwrap_or(0),
        })
    }
}

/// Intervals of the mean of each field. Repeats of a task move together: the error of the mean is that
/// of the tasks' sums of deviations.
fn field_intervals(table: &Table) -> IndexMap<String, Interval> {
    let mut means: IndexMap<&str, Moments> = IndexMap::new();
    for sample in &table.samples {
        for (field, value) in table.values(sample) {
            means.entry(field).or_default().add(value);
        }
    }
    let mut squares: IndexMap<&str, (f64, u64)> = IndexMap::new();
    for (_, _, _, samples) in table.groups() {
        let mut sums: IndexMap<&str, f64> = IndexMap::new();
        for sample in samples {
            for (field, value) in table.values(sample) {
                *sums.entry(field).or_default() += value - means[field].mean().unwrap_or(0.0);
            }
        }
        for (field, sum) in sums {
            let (squares, tasks) = squares.entry(field).or_default();
            *squares += sum * sum;
            *tasks += 1;
        }
    }
    let mut intervals = IndexMap::new();
    for (field, moments) in means {
        let (squares, tasks) = squares[field];
        let Some(mean) = moments.mean().filter(|_| tasks > 1) else { continue };
        let correction = tasks as f64 / (tasks - 1) as f64;
        let error = (squares * correction).sqrt() / moments.count() as f64;
        let interval = Interval { low: mean - Z_95 * error, high: mean + Z_95 * error };
        intervals.insert(format!("mean/{field}"), interval);
    }
    intervals
}

/// The state of reading rollouts.
struct Reading<'a> {
    profile: &'a Profile,
    wanted: Wanted<'a>,
    tables: BTreeMap<String, Table>,
    left_out: u64,
    progress: ProfileProgress,
}

/// Rollouts between two reports of progress.
const REPORT_EVERY: u64 = 4096;

impl<'a> Reading<'a> {
    fn new(profile: &'a Profile) -> Result<Self, ProfileError> {
        let mut progress = ProfileProgress::default();
        for path in &profile.rollouts {
            let metadata = std::fs::metadata(path);
            let metadata =
                metadata.map_err(|source| ProfileError::Read { path: path.clone(), source })?;
            progress.bytes_total += metadata.len();
        }
        let wanted =
            Wanted { answer: profile.answer.as_deref(), subset: profile.subset.as_deref() };
        Ok(Self { profile, wanted, tables: BTreeMap::new(), left_out: 0, progress })
    }

    fn read(
        &mut self,
        index: usize,
        report: &mut impl FnMut(ProfileProgress),
    ) -> Result<(), ProfileError> {
        let Self { profile, wanted, tables, progress, .. } = self;
        let path = &profile.rollouts[index];
        let file = u32::try_from(index).expect("fewer files than a command line holds");
        let before = progress.bytes;
        self.left_out += each_line(path, |end, line, length| {
            let record = Record::parse(line, wanted)?;
            let place = Place { file, offset: end - length, length: length as u32 };
            if !tables.contains_key(&record.agent) {
                tables.insert(record.agent.clone(), Table::default());
            }
            let table = tables.get_mut(&record.agent).expect("inserted above");
            table.add(record, place);
            progress.rollouts += 1;
            progress.bytes = before + end;
            if progress.rollouts.is_multiple_of(REPORT_EVERY) {
                report(*progress);
            }
            Ok(())
        })?;
        report(*progress);
        Ok(())
    }
}

/// Passes each line of a file on: where it ends, its text, its length to that end. Returns how many
/// were malformed, each of which has been reported.
fn each_line(
    path: &Path,
    mut read: impl FnMut(u64, &[u8], u64) -> Result<(), record::RecordError>,
) -> Result<u64, ProfileError> {
    let read_error = |source| ProfileError::Read { path: path.to_owned(), source };
    let mut lines = Lines::open(path).map_err(read_error)?;
    let mut left_out = 0;
    loop {
        let before = lines.offset();
        let reason = match lines.advance() {
            Ok(false) => return Ok(left_out),
            Ok(true) => {
                let end = lines.offset();
                match read(end, lines.text(), end - before) {
                    Ok(()) => continue,
                    Err(error) => error.to_string(),
                }
            }
            Err(LineError::TooLong) => format!("longer than {LINE_MAX} bytes"),
            Err(LineError::Read(source)) => return Err(read_error(source)),
        };
        left_out += 1;
        let number = lines.number();
        tracing::warn!("`{}` line {number}: {reason}; it is left out", path.display());
    }
}

/// The rollouts that were to be made, by agent.
fn read_inputs(path: &Path) -> Result<BTreeMap<String, BTreeSet<(String, u32)>>, ProfileError> {
    let mut inputs: BTreeMap<String, BTreeSet<(String, u32)>> = BTreeMap::new();
    let mut twice = None;
    each_line(path, |_, line, _| {
        let Key { agent, task, repeat } = Key::parse(line)?;
        let of_agent = inputs.entry(agent).or_default();
        let repeat = repeat.unwrap_or_else(|| {
            let same = (task.clone(), 0)..=(task.clone(), u32::MAX);
            of_agent.range(same).next_back().map_or(0, |(_, last)| last + 1)
        });
        if !of_agent.insert((task.clone(), repeat)) {
            twice = Some((task, repeat));
        }
        Ok(())
    })?;
    match twice {
        Some((task, repeat)) => Err(ProfileError::Twice { task, repeat }),
        None => Ok(inputs),
    }
}

impl RunProfile {
    /// The statistics of each task of an agent, one after the other.
    ///
    /// # Errors
    /// An item fails if its file can no longer be read.
    pub fn groups<'a>(
        &'a self,
        agent: &'a AgentProfile,
    ) -> impl Iterator<Item = Result<GroupProfile, ProfileError>> + 'a {
        agent.table.groups().map(move |(task, _, place, samples)| {
            let (has, wants) = (samples.len() as u64, agent.expected.of(task));
            let completion =
                Completion { expected: wants, completed: has, ..Completion::default() };
            Ok(GroupProfile {
                task: task.to_owned(),
                sample: self.sample(place)?,
                num_rollouts: has,
                expected_num_rollouts: wants,
                missing_num_rollouts: wants.saturating_sub(has),
                reward_profile_completion_pct: completion.percent(),
                metrics: agent.table.baseline(samples),
                rollout_infos: samples.iter().map(|s| agent.info(task, s)).collect(),
            })
        })
    }

    /// A record without what the rollout added to its row.
    fn sample(&self, place: Place) -> Result<Fields, ProfileError> {
        let path = &self.files[place.file as usize];
        let read_error = |source| ProfileError::Read { path: path.clone(), source };
        let mut line = vec![0; place.length as usize];
        let mut file = File::open(path).map_err(read_error)?;
        file.seek(SeekFrom::Start(place.offset)).map_err(read_error)?;
        file.read_exact(&mut line).map_err(read_error)?;
        let changed = || read_error(io::Error::other("the file has changed"));
        let text = std::str::from_utf8(&line).map_err(|_| changed())?;
        let mut row = Fields::parse(text.trim()).map_err(|_| changed())?;
        for added in ["response", "reward", "rehearsal", "_ng_task_index", "_ng_rollout_index"] {
            row.remove(added);
        }
        Ok(row)
    }
}

impl AgentProfile {
    /// The metrics that are looked at first: the means.
    pub fn key_metrics(&self) -> impl Iterator<Item = (&str, f64)> {
        let named = self.metrics.iter().map(|(name, value)| (name.as_str(), *value));
        named.filter(|(name, _)| name.starts_with("mean/"))
    }

    /// Each rollout, for plots.
    pub fn points(&self) -> impl Iterator<Item = Point> {
        let samples = self.table.samples.iter();
        samples.map(|&Sample { reward, length, created_at, .. }| Point {
            reward,
            length,
            created_at,
        })
    }

    /// The mean reward of each task, by its name.
    pub fn task_means(&self) -> impl Iterator<Item = (&str, f64, usize)> {
        self.table.groups().map(|(task, _, _, samples)| {
            let mean = Moments::over(samples.iter().map(|sample| sample.reward)).mean();
            (task, mean.unwrap_or(0.0), samples.len())
        })
    }

    fn info(&self, task: &str, sample: &Sample) -> RolloutInfo {
        let numbers = self.table.values(sample).map(|(name, value)| (name.to_owned(), value));
        RolloutInfo {
            rollout_id: format!("{task}:{}", sample.repeat),
            repeat: sample.repeat,
            numbers: numbers.collect(),
        }
    }
}

/// What [`AgentProfile`] is as JSON.
impl Serialize for AgentProfile {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shape<'a> {
            agent_metrics: IndexMap<&'a str, f64>,
            key_metrics: IndexMap<&'a str, f64>,
            per_sample_aggregate: &'a BTreeMap<String, Vec<f64>>,
            #[serde(skip_serializing_if = "BTreeMap::is_empty")]
            subsets: &'a BTreeMap<String, RepeatMetrics>,
            confidence_intervals: &'a IndexMap<String, Interval>,
            completion: Completion,
            failed: &'a BTreeMap<String, u64>,
        }
        let own = self.metrics.iter().chain(&self.repeats.metrics);
        Shape {
            agent_metrics: own.map(|(name, value)| (name.as_str(), *value)).collect(),
            key_metrics: self.key_metrics().collect(),
            per_sample_aggregate: &self.repeats.per_sample_aggregate,
            subsets: &self.subsets,
            confidence_intervals: &self.intervals,
            completion: self.completion,
            failed: &self.failed,
        }
        .serialize(serializer)
    }
}
