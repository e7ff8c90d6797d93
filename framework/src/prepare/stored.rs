//! Metrics in a file, and whether the file agreed before.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::comparison::{OURS, conflicts};
use super::{Conflict, PrepareError};
use crate::rows::RowsError;

/// Differences of a file that are reported, at most.
const DIFFERENCES_MAX: usize = 20;

/// New metrics beside what their file held.
pub(super) struct Stored {
    path: PathBuf,
    content: Map<String, Value>,
    is_unchanged: bool,
    differences: Vec<String>,
}

impl Stored {
    /// Compares new metrics with those of the file, if there is one.
    pub(super) fn compare(
        path: PathBuf,
        config: Map<String, Value>,
        metrics: Map<String, Value>,
    ) -> Result<Self, PrepareError> {
        let mut content = config;
        content.extend(metrics);
        content.entry(OURS).or_insert_with(|| json!({ "medians": "exact" }));
        let stored = match std::fs::read(&path) {
            Ok(stored) => Some(stored),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(RowsError::Read { path, source }.into()),
        };
        let stored = stored.map(|stored| serde_json::from_slice::<Map<String, Value>>(&stored));
        let differences = match &stored {
            Some(Ok(stored)) => conflicts(stored, &content),
            Some(Err(error)) => vec![format!("it holds no metrics: {error}")],
            None => Vec::new(),
        };
        let is_unchanged = matches!(&stored, Some(Ok(stored)) if *stored == content);
        Ok(Self { path, content, is_unchanged, differences })
    }

    /// The metrics.
    pub(super) fn content(&self) -> &Map<String, Value> {
        &self.content
    }

    pub(super) fn is_conflict(&self) -> bool {
        !self.differences.is_empty()
    }

    /// Writes the metrics into their file.
    pub(super) fn store(&self) -> Result<(), PrepareError> {
        if !self.is_unchanged {
            write(&self.path, &self.content)?;
        }
        let conflict = conflict_path(&self.path);
        match std::fs::remove_file(&conflict) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(RowsError::Write { path: conflict, source }.into())
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes the metrics beside those that they contradict.
    pub(super) fn store_conflict(self) -> Result<Conflict, PrepareError> {
        let path = conflict_path(&self.path);
        write(&path, &self.content)?;
        let Self { path: stored, mut differences, .. } = self;
        let all = differences.len();
        differences.truncate(DIFFERENCES_MAX);
        if all > DIFFERENCES_MAX {
            differences.push(format!("and {} more", all - DIFFERENCES_MAX));
        }
        Ok(Conflict { stored, new: path, differences })
    }
}

/// `train_metrics.json` has `train_metrics_conflict.json` beside it.
fn conflict_path(metrics: &Path) -> PathBuf {
    let mut name = metrics.file_stem().unwrap_or_default().to_owned();
    name.push("_conflict.json");
    metrics.with_file_name(name)
}

/// Writes a file that appears when it is whole.
fn write(path: &Path, content: &Map<String, Value>) -> Result<(), PrepareError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let written = || {
        let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
        serde_json::to_writer_pretty(&mut file, content)?;
        file.write_all(b"\n")?;
        file.as_file().sync_all()?;
        readable(file.as_file())?;
        file.persist(path).map(|_| ()).map_err(|error| error.error)
    };
    written().map_err(|source| RowsError::Write { path: path.to_owned(), source }.into())
}

/// Temporary files are for their owner alone until they are none.
fn readable(file: &std::fs::File) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    }
    Ok(())
}
