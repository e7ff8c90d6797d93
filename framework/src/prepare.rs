//! Data preparation: datasets of a configuration, checked row by row against their environments, measured,
//! and put together into one file for each type.
//!
//! Rows stream through: they are read on one thread, checked and measured on all cores, and written in
//! order by this one. What does not fit into memory waits on the disk: rows that are shuffled, and values
//! whose median is wanted. Nothing appears under its name before everything is done, so a run that is
//! killed leaves what was there.
//!
//! # Differs from NeMo Gym
//!
//! | There | Here | Why |
//! |---|---|---|
//! | a row is checked by itself | it is checked against its environment as well | what is missing would show in the middle of a run |
//! | malformed rows are counted and stay in the output | they are left out, reported, and listed in a file | |
//! | metrics are compared with those in the file, with the configuration in it | the metrics alone are | a dataset that has moved is the same |
//! | what a rollout adds to its row (`response`, `reward`) is kept | it is dropped | it is no part of a task |

mod collation;
mod comparison;
mod metrics;
mod nemo_gym;
mod observation;
mod plan;
mod portions;
mod row;
mod shuffle;
mod stored;
mod tally;

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::ControlFlow;
use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::config::{Config, DatasetType};
use crate::kinds::Kinds;
use crate::prompt::TemplateError;
use crate::responses::Fields;
use crate::rows::{Format, RowReader, RowsError};
use collation::{Collated, Collation, check_inputs};
use plan::Source;
use row::{Made, Maker, next_lines};
use stored::Stored;

/// Gives a row its `responses_create_params` that has its prompt in another shape, such as a chat's; a row
/// that it knows nothing about stays as it is.
pub type Convert = fn(&mut Fields) -> Result<(), String>;

/// Which datasets are prepared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Those of the types `train` and `validation`.
    #[default]
    Train,
    /// Those of the type `example`.
    Example,
}

/// What to prepare, and how.
#[derive(Clone, Debug)]
pub struct Prepare {
    /// Which datasets.
    pub mode: Mode,
    /// Whose; of all agents, if it is empty.
    pub agents: Vec<String>,
    /// The folder that the files go to: `train.jsonl`, `validation.jsonl` or `example.jsonl`.
    pub output: PathBuf,
    /// Their format.
    pub format: Format,
    /// So often each row is written, times the repeats of its dataset.
    pub repeats: NonZeroU32,
    /// Shuffles the rows of each type by this seed.
    pub shuffle: Option<u64>,
    /// Fails if any row is malformed.
    pub strict: bool,
    /// Leaves out the rows that NeMo Gym would refuse, too.
    pub nemo_gym: bool,
    /// Writes each dataset's metrics beside its file, and compares them with those that are there.
    pub dataset_metrics: bool,
    /// Replaces stored metrics that say something else.
    pub overwrite_metrics: bool,
    /// What makes tasks of rows of other shapes.
    pub convert: Option<Convert>,
}

impl Prepare {
    /// Prepares training data into a folder, without shuffling.
    pub fn new(output: impl Into<PathBuf>) -> Self {
        Self {
            mode: Mode::Train,
            agents: Vec::new(),
            output: output.into(),
            format: Format::Jsonl,
            repeats: NonZeroU32::MIN,
            shuffle: None,
            strict: false,
            nemo_gym: false,
            dataset_metrics: true,
            overwrite_metrics: false,
            convert: None,
        }
    }
}

/// How far preparing has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrepareProgress {
    /// What is being done.
    pub phase: PreparePhase,
    /// Lines that have been through.
    pub lines: u64,
    /// Of those, malformed ones.
    pub rejected: u64,
    /// Bytes of the datasets that have been through.
    pub bytes: u64,
    /// Bytes that they have.
    pub bytes_total: u64,
}

/// What preparing is about; with several types of datasets, each goes through all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PreparePhase {
    /// Lines are read, checked, and written or scattered.
    #[default]
    Reading,
    /// Scattered rows are written in their new order.
    Shuffling {
        /// Rows of this type that are written.
        rows: u64,
        /// Rows that it has.
        rows_total: u64,
    },
    /// Metrics are made of what was counted.
    Measuring,
}

/// What was prepared.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PrepareSummary {
    /// By type.
    pub types: Vec<TypeSummary>,
    /// By dataset.
    pub datasets: Vec<DatasetSummary>,
    /// Rows that were written although NeMo Gym would refuse them.
    pub refused_by_nemo_gym: u64,
    /// The first of them: file, line and reason.
    pub first_refused: Option<String>,
}

/// What was prepared of one type of datasets.
#[derive(Clone, Debug, Serialize)]
pub struct TypeSummary {
    /// The type.
    #[serde(rename = "type")]
    pub kind: DatasetType,
    /// The file with its rows.
    pub path: PathBuf,
    /// Rows in it.
    pub rows: u64,
    /// Tasks in it: rows without their repeats.
    pub tasks: u64,
    /// Lines that were left out.
    pub rejected: u64,
    /// The list of them.
    pub rejected_path: Option<PathBuf>,
    /// Metrics, by NeMo Gym's names.
    pub metrics: Map<String, Value>,
}

/// What was prepared of one dataset.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetSummary {
    /// Whose it is.
    pub agent: String,
    /// Its name.
    pub dataset: String,
    /// Its file.
    pub path: PathBuf,
    /// Tasks in it.
    pub tasks: u64,
    /// Malformed lines in it.
    pub rejected: u64,
}

/// Stored metrics that new ones contradict.
#[derive(Clone, Debug)]
pub struct Conflict {
    /// The file that is contradicted.
    pub stored: PathBuf,
    /// The new metrics.
    pub new: PathBuf,
    /// What differs, the first of it.
    pub differences: Vec<String>,
}

/// Why nothing was prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// No dataset is of a type that is wanted.
    #[error("no agent has a dataset of type {}", mode.wanted())]
    Nothing {
        /// Which were wanted.
        mode: Mode,
    },
    /// An agent that the configuration does not have.
    #[error("there is no agent `{name}`; there are `{}`", known.join("`, `"))]
    UnknownAgent {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// An environment that the configuration or the program does not have.
    #[error("agent `{agent}` works in environment `{environment}`, {}", kind.as_ref().map_or_else(|| "which does not exist".to_owned(), |kind| format!("of unknown kind `{kind}`")))]
    UnknownEnvironment {
        /// The agent.
        agent: String,
        /// Its environment.
        environment: String,
        /// The kind of the environment, if there is one.
        kind: Option<String>,
    },
    /// Datasets that are not there.
    #[error("datasets are missing: `{}`", paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("`, `"))]
    Missing {
        /// Their files.
        paths: Vec<PathBuf>,
    },
    /// A dataset's template cannot be used.
    #[error("dataset `{dataset}` of agent `{agent}`: {source}")]
    Template {
        /// The agent.
        agent: String,
        /// The dataset.
        dataset: String,
        /// Why.
        source: TemplateError,
    },
    /// A file cannot be read or written.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// A dataset is where the output would be.
    #[error("`{}` is read, and would be replaced", path.display())]
    ReadAndWritten {
        /// The file.
        path: PathBuf,
    },
    /// Rows are malformed, and none may be.
    #[error("{rejected} of {lines} rows are malformed; they are listed in `{}`", lists.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join("`, `"))]
    Malformed {
        /// How many.
        rejected: u64,
        /// Of how many.
        lines: u64,
        /// Where they are listed.
        lists: Vec<PathBuf>,
    },
    /// Stored metrics say something else.
    #[error("datasets are not what their stored metrics say:{}", conflicts.iter().map(shown).collect::<String>())]
    Conflicts {
        /// Each file that is contradicted.
        conflicts: Vec<Conflict>,
    },
    /// Whoever watches wanted no more.
    #[error("interrupted; nothing was written")]
    Cancelled,
}

fn shown(conflict: &Conflict) -> String {
    let Conflict { stored, new, differences } = conflict;
    let head = format!("\n  `{}` (now `{}`)", stored.display(), new.display());
    differences.iter().fold(head, |text, difference| format!("{text}\n    {difference}"))
}

impl PrepareError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Nothing { mode: Mode::Train } => {
                Some("`--mode example` prepares example datasets")
            }
            Self::Nothing { mode: Mode::Example } => {
                Some("`--mode train` prepares the other types")
            }
            Self::UnknownAgent { .. } => Some("`--agent` takes a name of `agents`"),
            Self::UnknownEnvironment { .. } => Some("`rehearsal kinds` lists the kinds"),
            Self::Missing { .. } => {
                Some("check each dataset's `path`; it is relative to the working directory")
            }
            Self::Template { source, .. } => source.hint(),
            Self::Rows(error) => error.hint(),
            Self::ReadAndWritten { .. } => Some("name another `--output`"),
            Self::Malformed { .. } => Some("mend them, or leave them out by not saying `--strict`"),
            Self::Conflicts { .. } => Some(
                "if the data was meant to change, replace the metrics with `--overwrite-metrics`",
            ),
            Self::Cancelled => None,
        }
    }
}

impl Mode {
    fn wanted(self) -> &'static str {
        match self {
            Self::Train => "`train` or `validation`",
            Self::Example => "`example`",
        }
    }
}

impl TypeSummary {
    fn new(kind: DatasetType, path: PathBuf) -> Self {
        let metrics = Map::new();
        Self { kind, path, rows: 0, tasks: 0, rejected: 0, rejected_path: None, metrics }
    }
}

impl Prepare {
    /// Prepares the datasets of a configuration. `watch` hears of every portion and phase, and can end it all.
    ///
    /// Malformed lines are reported and left out.
    ///
    /// # Errors
    /// See [`PrepareError`]. Whatever the error, files that were there are still what they were.
    pub fn run(
        &self,
        config: &Config,
        kinds: &Kinds,
        watch: impl FnMut(PrepareProgress) -> ControlFlow<()>,
    ) -> Result<PrepareSummary, PrepareError> {
        let sources = plan::sources(self, config, kinds)?;
        check_inputs(self, &sources)?;
        let threads = config.runtime.cpu_threads.or(std::thread::available_parallelism().ok());
        let mut run = Run {
            prepare: self,
            threads: threads.unwrap_or(NonZeroUsize::MIN),
            watch,
            progress: PrepareProgress::default(),
            summary: PrepareSummary::default(),
            reported: 0,
        };
        for source in &sources {
            let metadata =
                std::fs::metadata(&source.path).map_err(|error| unreadable(source, error))?;
            run.progress.bytes_total += metadata.len();
        }
        let (mut collated, mut measured) = (Vec::new(), Vec::new());
        for kind in self.mode.types() {
            let of_type: Vec<&Source> = sources.iter().filter(|it| it.kind == *kind).collect();
            if !of_type.is_empty() {
                let mut collation = Collation::new(self, *kind)?;
                for source in of_type {
                    measured.extend(run.read(source, &mut collation)?);
                }
                collated.push(collation.finish(&mut |phase| run.enter(phase))?);
            }
        }
        run.publish(collated, measured)
    }
}

fn unreadable(source: &Source, error: std::io::Error) -> PrepareError {
    RowsError::Read { path: source.written.clone(), source: error }.into()
}

/// The state of preparing.
struct Run<'a, W> {
    prepare: &'a Prepare,
    threads: NonZeroUsize,
    watch: W,
    progress: PrepareProgress,
    summary: PrepareSummary,
    /// Malformed lines that have been reported.
    reported: u64,
}

impl<W: FnMut(PrepareProgress) -> ControlFlow<()>> Run<'_, W> {
    /// Reads a dataset into its type's collation; returns its metrics, if they are to be stored.
    fn read(
        &mut self,
        source: &Source,
        collation: &mut Collation,
    ) -> Result<Option<Stored>, PrepareError> {
        let mut rows = RowReader::open(&source.path).map_err(|error| unreadable(source, error))?;
        let bytes_before = self.progress.bytes;
        let bytes_total = rows.bytes_total();
        let mut counting = collation.counting(source);
        let maker = Maker::new(self.prepare, source);
        let mut of_dataset = DatasetSummary {
            agent: source.agent.clone(),
            dataset: source.dataset.clone(),
            path: source.written.clone(),
            tasks: 0,
            rejected: 0,
        };
        portions::in_order(
            self.threads,
            || next_lines(&mut rows),
            |lines| maker.make(lines),
            |made: Made| {
                collation.add(&mut counting, &made, &mut self.reported)?;
                self.count(source, &made, bytes_before, &mut of_dataset);
                if let Some(error) = made.broken {
                    return Err(unreadable(source, error));
                }
                self.enter(PreparePhase::Reading)
            },
        )?;
        self.progress.bytes = bytes_before + bytes_total;
        self.summary.datasets.push(of_dataset);
        if !self.prepare.dataset_metrics {
            return Ok(None);
        }
        self.enter(PreparePhase::Measuring)?;
        counting.finish().map(Some)
    }

    /// Says what is being done, unless nobody wants it any more.
    fn enter(&mut self, phase: PreparePhase) -> Result<(), PrepareError> {
        self.progress.phase = phase;
        match (self.watch)(self.progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(PrepareError::Cancelled),
        }
    }

    fn count(&mut self, source: &Source, made: &Made, before: u64, dataset: &mut DatasetSummary) {
        let rejected = made.malformed.len() as u64;
        dataset.tasks += made.rows.len() as u64;
        dataset.rejected += rejected;
        self.progress.lines += made.rows.len() as u64 + rejected;
        self.progress.rejected += rejected;
        self.progress.bytes = before + made.bytes;
        self.summary.refused_by_nemo_gym += made.refused;
        if let (None, Some((line, reason))) = (&self.summary.first_refused, &made.refusal) {
            let file = source.written.display();
            self.summary.first_refused = Some(format!("`{file}` line {line}: {reason}"));
        }
    }

    /// Gives everything its name, if all is as it should be.
    fn publish(
        self,
        collated: Vec<Collated>,
        measured: Vec<Stored>,
    ) -> Result<PrepareSummary, PrepareError> {
        let Self { prepare, progress, mut summary, .. } = self;
        let PrepareProgress { lines, rejected, .. } = progress;
        if prepare.strict && rejected > 0 {
            let lists = collated.iter().filter_map(|it| it.summary.rejected_path.clone()).collect();
            collated.into_iter().try_for_each(|collated| collated.rejected.publish())?;
            return Err(PrepareError::Malformed { rejected, lines, lists });
        }
        let is_contradicted = measured.iter().any(Stored::is_conflict)
            || collated.iter().any(|collated| collated.metrics.is_conflict());
        if is_contradicted && !prepare.overwrite_metrics {
            let all = measured.into_iter().chain(collated.into_iter().map(|it| it.metrics));
            let conflicts = all.filter(Stored::is_conflict).map(Stored::store_conflict);
            return Err(PrepareError::Conflicts {
                conflicts: conflicts.collect::<Result<_, _>>()?,
            });
        }
        measured.iter().try_for_each(Stored::store)?;
        for collated in collated {
            let metrics = collated.metrics.content().clone();
            summary.types.push(TypeSummary { metrics, ..collated.publish()? });
        }
        Ok(summary)
    }
}
