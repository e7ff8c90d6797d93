//! Recorded rollouts as what trainers read: chats for supervised fine-tuning, pairs of chats for preference
//! optimisation; and such files as tasks again.
//!
//! | File | Keys |
//! |---|---|
//! | SFT | `messages`, or `prompt` and `completion`; `tools` |
//! | DPO | `prompt`, `chosen`, `rejected`; `tools` |
//!
//! Lists of messages are those of the Chat Completions API, made as the model `chat_completions` makes them,
//! with tool calls, tool answers, reasoning, and on the assistant's messages the token ids and
//! log-probabilities that were recorded. These are the conversational formats of TRL, which other trainers
//! read as well. `task`, `repeat`, `agent` and rewards stand beside them.

mod chat;
mod dpo;
mod record;
mod sft;
mod task;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use framework::rows::{RowFault, RowReader, RowWriter, RowsError};
use framework::wiring::BuildError;
use serde::Serialize;

use chat::Chats;

pub use dpo::Dpo;
pub use sft::{Sft, SftShape};
pub use task::to_task;

/// What to export, and how, whatever is made of it.
#[derive(Clone, Debug)]
pub struct Export {
    /// Files of recorded rollouts, Rehearsal's or NeMo Gym's.
    pub rollouts: Vec<PathBuf>,
    /// Where the examples go: JSONL, or by its ending `.jsonl.zst` or `.parquet`.
    pub output: PathBuf,
    /// Whether an output that exists is replaced.
    pub overwrite: bool,
    /// Where the model's reasoning goes.
    pub reasoning: Reasoning,
    /// Whether token ids and log-probabilities are kept.
    pub tokens: bool,
    /// Whether what else stands in a record is kept: what its verifier needs, and what it said.
    pub with_task: bool,
    /// Whether rollouts that ran into a limit count.
    pub truncated: bool,
}

impl Export {
    /// An export with the defaults of the command.
    pub fn new(rollouts: Vec<PathBuf>, output: impl Into<PathBuf>) -> Self {
        Self {
            rollouts,
            output: output.into(),
            overwrite: false,
            reasoning: Reasoning::Field,
            tokens: true,
            with_task: false,
            truncated: false,
        }
    }

    /// Begins the output.
    fn create(&self) -> Result<RowWriter, ExportError> {
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let output = real(&self.output);
        let is_output = |path: &&PathBuf| output.is_some() && real(path) == output;
        if let Some(path) = self.rollouts.iter().find(is_output) {
            return Err(ExportError::ReadAndWritten { path: path.clone() });
        }
        if self.output.exists() && !self.overwrite {
            return Err(ExportError::Exists { path: self.output.clone() });
        }
        Ok(RowWriter::create(&self.output)?)
    }

    fn chats(&self) -> Result<Chats, ExportError> {
        Ok(Chats::new(self.reasoning, self.tokens)?)
    }
}

/// Where the model's reasoning goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reasoning {
    /// Into the field `reasoning_content` of its message, as chat templates look for it.
    #[default]
    Field,
    /// Into the text, between `<think>` and `</think>`.
    Think,
    /// Nowhere.
    Drop,
}

/// How far an export has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExportProgress {
    /// Rollouts read.
    pub rollouts: u64,
    /// Examples written.
    pub examples: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes there are.
    pub bytes_total: u64,
}

/// What an export came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExportSummary {
    /// Rollouts read.
    pub rollouts: u64,
    /// Tasks that pairs were looked for in; of none for SFT.
    pub tasks: u64,
    /// Examples written.
    pub examples: u64,
    /// Rollouts that are no examples: rewards that are too low, limits that were hit.
    pub passed_over: u64,
    /// Lines that are no rollouts, or that no chat can be made of.
    pub left_out: u64,
}

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// A file cannot be read or written.
    #[error(transparent)]
    Rows(#[from] RowsError),
    /// The output exists, and nobody said what is to become of it.
    #[error("`{}` exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file is read that would be written.
    #[error("`{}` is read, and would be replaced", path.display())]
    ReadAndWritten {
        /// The file.
        path: PathBuf,
    },
    /// Pairs need rollouts from anywhere in a file, which this one does not give.
    #[error("`{}` is compressed, and pairs are made from anywhere in a file", path.display())]
    NoPlaces {
        /// The file.
        path: PathBuf,
    },
    /// A file changed while it was read.
    #[error("`{}` has changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A number that makes no sense.
    #[error("{0}")]
    Number(&'static str),
    /// The conversion cannot be set up.
    #[error(transparent)]
    Chats(#[from] BuildError),
    /// Whoever watches wanted no more.
    #[error("interrupted; nothing was written")]
    Cancelled,
}

impl ExportError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Rows(error) => error.hint(),
            Self::Exists { .. } => {
                Some("replace it with `--overwrite`, or name another `--output`")
            }
            Self::ReadAndWritten { .. } => Some("name another `--output`"),
            Self::NoPlaces { .. } => Some("give the JSONL file: `zstd -d rollouts.jsonl.zst`"),
            Self::Changed { .. } => Some("wait until the collection has ended"),
            Self::Number(_) | Self::Chats(_) | Self::Cancelled => None,
        }
    }
}

/// A line of the rollouts.
struct Line<'a> {
    file: usize,
    text: &'a [u8],
    /// Where the line begins and ends, in a plain file.
    place: Option<(u64, u64)>,
}

/// Why a line is no example.
enum Skip {
    /// It is a rollout that is not wanted.
    PassedOver,
    /// It is no rollout, or none that a chat can be made of.
    Malformed(String),
}

/// Passes each line of the rollouts on, and counts what becomes of them. Malformed lines are reported.
fn each_line(
    export: &Export,
    summary: &mut ExportSummary,
    watch: &mut dyn FnMut(ExportProgress) -> ControlFlow<()>,
    mut read: impl FnMut(Line<'_>, &mut ExportSummary) -> Result<Result<(), Skip>, ExportError>,
) -> Result<(), ExportError> {
    let mut progress = ExportProgress::default();
    for path in &export.rollouts {
        let metadata = std::fs::metadata(path).map_err(|error| unreadable(path, error))?;
        progress.bytes_total += metadata.len();
    }
    for (file, path) in export.rollouts.iter().enumerate() {
        let mut rows = RowReader::open(path).map_err(|error| unreadable(path, error))?;
        let before = progress.bytes;
        loop {
            let start = rows.offset();
            let outcome = match rows.advance() {
                Ok(false) => break,
                Ok(true) => {
                    let place = start.zip(rows.offset());
                    read(Line { file, text: rows.text(), place }, summary)?
                }
                Err(RowFault::File(error)) => return Err(unreadable(path, error)),
                Err(fault) => Err(Skip::Malformed(fault.to_string())),
            };
            match outcome {
                Ok(()) => summary.rollouts += 1,
                Err(Skip::PassedOver) => {
                    summary.rollouts += 1;
                    summary.passed_over += 1;
                }
                Err(Skip::Malformed(reason)) => {
                    summary.left_out += 1;
                    let line = rows.number();
                    tracing::warn!("`{}` line {line}: {reason}; it is left out", path.display());
                }
            }
            if (summary.rollouts + summary.left_out).is_multiple_of(WATCH_EVERY) {
                (progress.rollouts, progress.examples) = (summary.rollouts, summary.examples);
                progress.bytes = before + rows.bytes();
                if watch(progress).is_break() {
                    return Err(ExportError::Cancelled);
                }
            }
        }
        progress.bytes = before + rows.bytes_total();
    }
    Ok(())
}

/// Lines between two reports of progress.
const WATCH_EVERY: u64 = 256;

fn unreadable(path: &Path, source: std::io::Error) -> ExportError {
    RowsError::Read { path: path.to_owned(), source }.into()
}

fn open(path: &Path) -> Result<File, ExportError> {
    File::open(path).map_err(|error| unreadable(path, error))
}
