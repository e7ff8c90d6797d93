//! The recorder contract: keeps finished rollouts, and knows which it has kept.
//!
//! A recorder runs on an arbiter of its own, so it may block. It is opened anew after a crash, and
//! what it says it has kept is what a resumed collection skips.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Handler, Message};

use crate::metrics::CollectionMetrics;
use crate::rollout::Outcome;
use crate::supervision::{StartError, Supervised};
use crate::task::RolloutKey;

/// One finished rollout, ready to be kept.
#[derive(Clone, Debug)]
pub struct Record {
    /// Whose rollout it is.
    pub key: RolloutKey,
    /// How it ended. Failed ones have no reward and are kept apart.
    pub outcome: Outcome,
    /// Its JSON: one line, without the line's end.
    pub line: String,
}

/// Where failed rollouts go that do not belong into an output: `out/weather.jsonl` has
/// `out/weather_failures.jsonl` beside it.
pub fn failures_path(output: &Path) -> PathBuf {
    let mut name = output.file_stem().unwrap_or_default().to_owned();
    name.push("_failures.jsonl");
    output.with_file_name(name)
}

/// A rollout that a recorder holds already.
#[derive(Clone, Debug)]
pub struct Kept {
    /// Whose rollout it is.
    pub key: RolloutKey,
    /// Its environment's name.
    pub environment: String,
    /// Its reward.
    pub reward: f64,
}

/// A place where records are kept.
pub trait Recorder: Send + Sync + 'static {
    /// Opens the place for appending, after what is there.
    ///
    /// # Errors
    /// Fails if it cannot be opened.
    fn open(&self) -> Result<Box<dyn RecordWriter>, RecorderError>;

    /// Visits every scored record that is there.
    ///
    /// # Errors
    /// Fails if the place cannot be read, or holds what is no record.
    fn kept(&self, visit: &mut dyn FnMut(Kept)) -> Result<(), RecorderError>;
}

/// An open recorder.
pub trait RecordWriter: Send + 'static {
    /// Keeps one record. It may stay buffered until the next [`sync`](Self::sync).
    ///
    /// # Errors
    /// Fails if it cannot be kept. The place then ends with the last whole record.
    fn write(&mut self, record: Record) -> Result<(), RecorderError>;

    /// Makes everything kept so far durable.
    ///
    /// # Errors
    /// Fails if it cannot be.
    fn sync(&mut self) -> Result<(), RecorderError>;
}

/// Why records cannot be kept or read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecorderError {
    /// The file system refuses to open, read or create.
    #[error("cannot open `{}`: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The file system refuses to write: a full disk, for one.
    #[error("cannot write `{}`: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The output exists, and nobody said what is to become of it.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Another collection writes it.
    #[error("`{}` is being written by another collection", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line that is no record of a collection.
    #[error("`{}` line {line}: not a record of a collection: {reason}", path.display())]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
}

impl RecorderError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Open { .. } => Some("name a file in a folder that can be written"),
            Self::Write { .. } => Some("make room, then run the same command with `--resume`"),
            Self::Exists { .. } => Some(
                "continue it with `--resume`, replace it with `--overwrite`, or name another `collect.output`",
            ),
            Self::InUse { .. } => Some("wait for it to end, or name another `collect.output`"),
            Self::NotARecord { .. } => {
                Some("`collect.output` must name a file that `rehearsal collect` wrote")
            }
        }
    }
}

/// Keeps records. The answer says whether they were taken; a later sync can still fail.
#[derive(Message)]
#[rtype(result = "Result<(), RecorderError>")]
pub(crate) struct Append(pub(crate) Vec<Record>);

/// Makes everything durable.
#[derive(Message)]
#[rtype(result = "Result<(), RecorderError>")]
pub(crate) struct MakeDurable;

/// The recorder as an actor: syncs at intervals, and refuses everything after a failure, so that
/// nothing is written after a hole.
pub(crate) struct RecorderActor {
    writer: Box<dyn RecordWriter>,
    sync_interval: Duration,
    dirty: bool,
    failed: Option<RecorderError>,
    metrics: CollectionMetrics,
}

impl RecorderActor {
    pub(crate) fn open(
        recorder: &Arc<dyn Recorder>,
        sync_interval: Duration,
    ) -> Result<Self, StartError> {
        let writer = recorder.open().map_err(|error| StartError::failed(error.to_string()))?;
        let metrics = CollectionMetrics::new();
        Ok(Self { writer, sync_interval, dirty: false, failed: None, metrics })
    }

    fn sync(&mut self) -> Result<(), RecorderError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        if std::mem::take(&mut self.dirty) {
            let synced = self.writer.sync();
            self.failed = synced.as_ref().err().cloned();
            return synced;
        }
        Ok(())
    }
}

impl Actor for RecorderActor {
    type Context = Supervised<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        context.run_interval(self.sync_interval, |actor, _| {
            if let Err(error) = actor.sync() {
                tracing::error!(%error, "records cannot be made durable");
            }
        });
    }
}

impl Handler<Append> for RecorderActor {
    type Result = Result<(), RecorderError>;

    fn handle(&mut self, Append(records): Append, _: &mut Self::Context) -> Self::Result {
        for record in records {
            if let Some(error) = &self.failed {
                return Err(error.clone());
            }
            self.dirty = true;
            self.failed = self.writer.write(record).err();
            self.metrics.records_written(u64::from(self.failed.is_none()));
        }
        self.failed.clone().map_or(Ok(()), Err)
    }
}

impl Handler<MakeDurable> for RecorderActor {
    type Result = Result<(), RecorderError>;

    fn handle(&mut self, _: MakeDurable, _: &mut Self::Context) -> Self::Result {
        self.sync()
    }
}
