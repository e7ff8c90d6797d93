//! Statistics of recorded rollouts: what each field came to, pass@k and its relatives, how sure they
//! are, what is missing, and whether two runs differ by more than noise.
//!
//! Definitions and names are those of NeMo Gym's reward profile, so numbers can be laid beside each
//! other; confidence intervals, the comparison and the counts of failures are ours. An interval takes
//! the tasks for independent and the repeats of a task for not (Miller, "Adding Error Bars to Evals",
//! 2024). Files are read once, from front to back; of a rollout only its numbers stay in memory.

mod comparison;
mod completion;
mod reading;
mod record;
pub mod repeats;
pub mod spread;
mod table;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

use indexmap::IndexMap;
use serde::Serialize;

use crate::responses::Fields;

pub use comparison::{AgentComparison, Comparison, TaskChange};
pub use completion::Completion;
use completion::{Expected, completion, repeats_of};
use reading::{Failures, Reading, read_failures, read_inputs};
use repeats::{Group, REWARD_SCORE, RepeatMetrics};
use spread::{Interval, Moments};
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
            Self::Read { .. } => Some("check the path; it is relative to the working directory"),
            Self::NoField { .. } => Some("name a field that stands at the top of the records"),
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
        let mut failures = read_failures(&self.rollouts)?;
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
        let mut intervals = table.intervals();
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
