//! Reads tasks from a file, a row at a time: a dataset is never in memory as a whole.
//!
//! A malformed line is reported with its place and left out; it ends nothing.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::lines::LINE_MAX;
use crate::prompt::Prompt;
use crate::rows::{RowFault, RowReader};
use crate::task::{Row, RowError, Target, TargetError, Task, TaskId};

/// Reads from a row what its environment needs.
pub type ReadTarget = fn(&Row) -> Result<Target, TargetError>;

/// A dataset being read.
pub struct Dataset {
    path: PathBuf,
    /// `agent/name`, the first parts of its tasks' ids.
    agent: String,
    name: String,
    rows: RowReader,
    target: ReadTarget,
    prompt: Option<Arc<Prompt>>,
}

/// Why a dataset's line, or all of it, cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// The file cannot be opened or read.
    #[error("cannot read dataset `{}`: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is no task.
    #[error("`{}` line {line}: {source}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// What is wrong with it.
        source: RowError,
    },
    /// A line is longer than any task should be.
    #[error("`{}` line {line}: longer than {LINE_MAX} bytes", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
    },
}

impl Dataset {
    /// Opens a dataset.
    ///
    /// # Errors
    /// Fails if the file cannot be opened.
    pub fn open(
        path: &Path,
        agent: &str,
        name: &str,
        target: ReadTarget,
    ) -> Result<Self, DatasetError> {
        let read_error = |source| DatasetError::Read { path: path.to_owned(), source };
        Ok(Self {
            path: path.to_owned(),
            agent: agent.to_owned(),
            name: name.to_owned(),
            rows: RowReader::open(path).map_err(read_error)?,
            target,
            prompt: None,
        })
    }

    /// The same dataset, whose rows have no prompt until this template has made it.
    pub(crate) fn with_prompt(self, prompt: Option<Arc<Prompt>>) -> Self {
        Self { prompt, ..self }
    }

    /// The next task; `None` at the end. A line's error does not end the dataset, a file's does.
    pub fn next_task(&mut self) -> Option<Result<Arc<Task>, DatasetError>> {
        match self.rows.advance() {
            Ok(true) => Some(self.parse()),
            Ok(false) => None,
            Err(RowFault::TooLong) => {
                let line = self.rows.number();
                Some(Err(DatasetError::TooLong { path: self.path.clone(), line }))
            }
            Err(RowFault::File(source)) => {
                Some(Err(DatasetError::Read { path: self.path.clone(), source }))
            }
        }
    }

    fn parse(&self) -> Result<Arc<Task>, DatasetError> {
        let line = self.rows.number();
        let parsed = std::str::from_utf8(self.rows.text())
            .map_err(|error| RowError::from(<serde_json::Error as serde::de::Error>::custom(error)))
            .and_then(|text| Row::read_with(text, self.prompt.as_deref()))
            .and_then(|row| Ok(((self.target)(&row)?, row)));
        match parsed {
            Ok((target, row)) => {
                let id = TaskId::of_row(&self.agent, &self.name, line);
                Ok(Arc::new(Task::new(id, row, target)))
            }
            Err(source) => Err(DatasetError::Row { path: self.path.clone(), line, source }),
        }
    }
}

impl DatasetError {
    /// Whether only one line is lost, not the whole file.
    pub fn is_about_a_row(&self) -> bool {
        match self {
            Self::Read { .. } => false,
            Self::Row { .. } | Self::TooLong { .. } => true,
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Read { .. } => {
                Some("check the dataset's `path`; it is relative to the working directory")
            }
            Self::Row { .. } | Self::TooLong { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        file
    }

    const GOOD: &str = r#"{"responses_create_params":{"input":"hi"}}"#;

    #[test]
    fn malformed_lines_are_reported_with_their_line_and_the_rest_is_read() {
        let text = format!("{GOOD}\n\n  \r\noops\n\u{e9}{GOOD}\n{GOOD}");
        let file = file(text.as_bytes());
        let mut dataset =
            Dataset::open(file.path(), "solver", "example", |_| Ok(Target::new(()))).unwrap();
        let mut results = Vec::new();
        while let Some(result) = dataset.next_task() {
            results.push(match result {
                Ok(task) => task.id.to_string(),
                Err(error) => error.to_string().split(": ").next().unwrap_or_default().to_owned(),
            });
        }
        let path = file.path().display();
        let expected = [
            "solver/example/1".to_owned(),
            format!("`{path}` line 4"),
            format!("`{path}` line 5"),
            "solver/example/6".to_owned(),
        ];
        assert_eq!(results, expected);
    }

    #[test]
    fn a_missing_file_is_named() {
        let opened = Dataset::open(Path::new("no/such.jsonl"), "a", "d", |_| Ok(Target::new(())));
        let Err(error) = opened else { panic!("opened a file that does not exist") };
        assert!(error.to_string().contains("no/such.jsonl"));
        assert!(!error.is_about_a_row());
    }

    #[test]
    fn text_that_is_not_utf8_is_a_malformed_row() {
        let file = file(b"{\"a\":\"\xff\"}\n");
        let mut dataset = Dataset::open(file.path(), "a", "d", |_| Ok(Target::new(()))).unwrap();
        let error = dataset.next_task().unwrap().unwrap_err();
        assert!(error.is_about_a_row());
        assert!(dataset.next_task().is_none());
    }
}
