//! What is prepared of one type of datasets: rows and their metrics, and the lines that were left out.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::metrics::metrics;
use super::plan::Source;
use super::row::{Made, Malformed};
use super::shuffle::Shuffle;
use super::stored::Stored;
use super::tally::Tally;
use super::{Prepare, PrepareError, PreparePhase, TypeSummary};
use crate::config::DatasetType;
use crate::rows::{Format, RowWriter, RowsError, Sealed, stem};

/// Malformed lines of a run that are reported one by one; all are in the list of what was left out.
const REPORTED_MAX: u64 = 20;

/// So many shuffled rows are written before the next word of it.
const ROWS_UNSAID: u64 = 1024;

/// One type's rows on their way to their file.
pub(super) struct Collation {
    folder: PathBuf,
    path: PathBuf,
    writer: RowWriter,
    shuffle: Option<Shuffle>,
    repeats: u64,
    all: Tally,
    rejected: Option<RowWriter>,
    rejected_path: PathBuf,
    pub(super) summary: TypeSummary,
}

/// The counts of the dataset that is being read.
pub(super) struct Counting<'a> {
    pub(super) source: &'a Source,
    pub(super) tally: Tally,
}

/// One type's files, whole but not yet to be seen.
pub(super) struct Collated {
    rows: Sealed,
    pub(super) rejected: Rejected,
    pub(super) metrics: Stored,
    pub(super) summary: TypeSummary,
}

/// The list of lines that were left out; an old one is removed where there are none.
pub(super) struct Rejected {
    path: PathBuf,
    sealed: Option<Sealed>,
}

/// The name of a type in files.
pub(super) fn name(kind: DatasetType) -> &'static str {
    match kind {
        DatasetType::Train => "train",
        DatasetType::Validation => "validation",
        DatasetType::Example => "example",
    }
}

impl Collation {
    pub(super) fn new(prepare: &Prepare, kind: DatasetType) -> Result<Self, PrepareError> {
        let folder = prepare.output.clone();
        let path = folder.join(format!("{}.{}", name(kind), prepare.format));
        let writer = RowWriter::create(&path)?;
        Ok(Self {
            shuffle: prepare.shuffle.map(|seed| Shuffle::new(seed, &folder)),
            repeats: prepare.repeats.get().into(),
            all: Tally::new(&folder),
            rejected: None,
            rejected_path: folder.join(format!("{}_rejected.jsonl", name(kind))),
            summary: TypeSummary::new(kind, path.clone()),
            path,
            writer,
            folder,
        })
    }

    pub(super) fn counting<'a>(&self, source: &'a Source) -> Counting<'a> {
        Counting { source, tally: Tally::new(&self.folder) }
    }

    /// Takes what became of some lines; `reported` counts the malformed ones of the run.
    pub(super) fn add(
        &mut self,
        counting: &mut Counting<'_>,
        made: &Made,
        reported: &mut u64,
    ) -> Result<(), PrepareError> {
        let source = counting.source;
        let times = source.repeats * self.repeats;
        for row in &made.rows {
            for _ in 0..times {
                match &mut self.shuffle {
                    Some(shuffle) => shuffle.add(row).map_err(|source| self.error(source))?,
                    None => self.writer.write(row)?,
                }
            }
        }
        for malformed in &made.malformed {
            report(source, malformed, reported);
            self.reject(&malformed.record(source))?;
        }
        let counted = counting.tally.add(&made.counted, source.repeats);
        let counted = counted.and_then(|()| self.all.add(&made.counted, times));
        counted.map_err(|source| self.error(source))?;
        self.summary.tasks += made.rows.len() as u64;
        self.summary.rows += made.rows.len() as u64 * times;
        self.summary.rejected += made.malformed.len() as u64;
        Ok(())
    }

    fn reject(&mut self, record: &str) -> Result<(), PrepareError> {
        let rejected = match self.rejected.take() {
            Some(rejected) => rejected,
            None => RowWriter::create(&self.rejected_path)?,
        };
        Ok(self.rejected.insert(rejected).write(record)?)
    }

    /// Completes the files; `enter` hears of the phases and can end it.
    pub(super) fn finish(
        mut self,
        enter: &mut dyn FnMut(PreparePhase) -> Result<(), PrepareError>,
    ) -> Result<Collated, PrepareError> {
        if let Some(shuffle) = self.shuffle.take() {
            self.write_shuffled(shuffle, enter)?;
        }
        enter(PreparePhase::Measuring)?;
        let measured = metrics(&mut self.all).map_err(|source| self.error(source))?;
        if self.all.is_partial {
            tracing::warn!(
                "rows have more keys than metrics are made of; some are left out of them"
            );
        }
        let file = self.folder.join(format!("{}_metrics.json", name(self.summary.kind)));
        let mut summary = self.summary;
        summary.rejected_path = self.rejected.is_some().then(|| self.rejected_path.clone());
        Ok(Collated {
            rows: self.writer.seal()?,
            rejected: Rejected {
                path: self.rejected_path,
                sealed: self.rejected.map(RowWriter::seal).transpose()?,
            },
            metrics: Stored::compare(file, Map::new(), measured)?,
            summary,
        })
    }

    fn write_shuffled(
        &mut self,
        shuffle: Shuffle,
        enter: &mut dyn FnMut(PreparePhase) -> Result<(), PrepareError>,
    ) -> Result<(), PrepareError> {
        let (mut rows, rows_total) = (0, self.summary.rows);
        enter(PreparePhase::Shuffling { rows, rows_total })?;
        let written = shuffle.finish(|row| {
            self.writer.write(row).map_err(|error| Shuffled::Ended(error.into()))?;
            rows += 1;
            if rows % ROWS_UNSAID == 0 || rows == rows_total {
                enter(PreparePhase::Shuffling { rows, rows_total }).map_err(Shuffled::Ended)?;
            }
            Ok(())
        });
        written.map_err(|error| match error {
            Shuffled::Waiting(source) => self.error(source).into(),
            Shuffled::Ended(error) => error,
        })
    }

    fn error(&self, source: io::Error) -> RowsError {
        RowsError::Write { path: self.path.clone(), source }
    }
}

/// Why shuffled rows are not passed on.
enum Shuffled {
    Waiting(io::Error),
    Ended(PrepareError),
}

impl From<io::Error> for Shuffled {
    fn from(error: io::Error) -> Self {
        Self::Waiting(error)
    }
}

impl Counting<'_> {
    /// The dataset's metrics, beside its file.
    pub(super) fn finish(mut self) -> Result<Stored, PrepareError> {
        let Source { path, dataset, kind, written, repeats, .. } = self.source;
        let unreadable = |source| RowsError::Write { path: path.clone(), source };
        let measured = metrics(&mut self.tally).map_err(unreadable)?;
        let config = json!({ "name": dataset, "type": name(*kind),
            "jsonl_fpath": written.display().to_string(), "num_repeats": repeats });
        let Value::Object(config) = config else { unreachable!("it is an object") };
        Stored::compare(beside(path), config, measured)
    }
}

/// Where a dataset's metrics stand: `data/train.jsonl` has `data/train_metrics.json` beside it.
fn beside(dataset: &Path) -> PathBuf {
    let mut name = stem(dataset).into_os_string();
    name.push("_metrics.json");
    name.into()
}

fn report(source: &Source, malformed: &Malformed, reported: &mut u64) {
    *reported += 1;
    let Malformed { line, reason, .. } = malformed;
    if *reported <= REPORTED_MAX {
        tracing::warn!("`{}` line {line}: {reason}; it is left out", source.written.display());
    }
    if *reported == REPORTED_MAX {
        tracing::warn!("further lines that are left out are only listed, not reported");
    }
}

impl Collated {
    /// Gives all files their names, the rows last.
    pub(super) fn publish(self) -> Result<TypeSummary, PrepareError> {
        self.rejected.publish()?;
        self.metrics.store()?;
        self.rows.publish()?;
        Ok(self.summary)
    }
}

impl Rejected {
    pub(super) fn publish(self) -> Result<(), PrepareError> {
        match self.sealed {
            Some(sealed) => Ok(sealed.publish()?),
            None => match std::fs::remove_file(&self.path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    Err(RowsError::Write { path: self.path, source }.into())
                }
                Ok(()) | Err(_) => Ok(()),
            },
        }
    }
}

/// Refuses a file that is read and would be replaced.
pub(super) fn check_inputs(prepare: &Prepare, sources: &[Source]) -> Result<(), PrepareError> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let outputs = prepare.mode.types().iter().flat_map(|kind| {
        [Format::Jsonl, Format::JsonlZst, Format::Parquet]
            .map(|format| real(&prepare.output.join(format!("{}.{format}", name(*kind)))))
    });
    let outputs: Vec<PathBuf> = outputs.flatten().collect();
    let is_output =
        |source: &&Source| real(&source.path).is_some_and(|path| outputs.contains(&path));
    match sources.iter().find(is_output) {
        Some(source) => Err(PrepareError::ReadAndWritten { path: source.written.clone() }),
        None => Ok(()),
    }
}
