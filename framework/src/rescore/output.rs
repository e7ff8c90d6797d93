//! What rescoring writes: scored rows, and beside them those whose verification failed.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::RescoreError;
use crate::recorder::failures_path;

/// The output, and the file of failures once there is one.
pub(super) struct Output {
    scored: Lines,
    failures: Option<Lines>,
    failures_path: PathBuf,
}

impl Output {
    /// Creates the output; failures of an earlier run are removed with it.
    ///
    /// # Errors
    /// Fails if either file exists and is not to be replaced, or is one of the inputs, or if the
    /// output cannot be created.
    pub(super) fn create(
        path: &Path,
        overwrite: bool,
        inputs: [&PathBuf; 2],
    ) -> Result<Self, RescoreError> {
        let failures_path = failures_path(path);
        let real = |path: &Path| std::fs::canonicalize(path).ok();
        let outputs = [real(path), real(&failures_path)];
        let read = inputs.into_iter().filter(|path| real(path).is_some());
        if let Some(path) = read.into_iter().find(|path| outputs.contains(&real(path))) {
            return Err(RescoreError::ReadAndWritten { path: path.clone() });
        }
        let failures_error = |source| write_error(&failures_path, source);
        if overwrite {
            match std::fs::remove_file(&failures_path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failures_error(error));
                }
                Ok(()) | Err(_) => {}
            }
        } else if failures_path.exists() {
            return Err(failures_error(io::ErrorKind::AlreadyExists.into()));
        }
        let scored = Lines::create(path, overwrite)?;
        Ok(Self { scored, failures: None, failures_path })
    }

    /// Writes the record of a scored rollout.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub(super) fn scored(&mut self, record: &str) -> Result<(), RescoreError> {
        self.scored.write(record)
    }

    /// Writes the record of a rollout that could not be verified.
    ///
    /// # Errors
    /// Fails if it cannot be written.
    pub(super) fn failed(&mut self, record: &str) -> Result<(), RescoreError> {
        let failures = match self.failures.take() {
            Some(failures) => failures,
            None => Lines::create(&self.failures_path, false)?,
        };
        self.failures.insert(failures).write(record)
    }

    /// Hands everything to the operating system.
    ///
    /// # Errors
    /// Fails if it does not take it.
    pub(super) fn flush(&mut self) -> Result<(), RescoreError> {
        self.scored.flush()?;
        self.failures.as_mut().map_or(Ok(()), Lines::flush)
    }
}

/// A file of lines.
struct Lines {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Lines {
    fn create(path: &Path, overwrite: bool) -> Result<Self, RescoreError> {
        let error = |source| write_error(path, source);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(error)?;
        }
        let mut options = File::options();
        options.write(true);
        if overwrite {
            options.create(true).truncate(true);
        } else {
            options.create_new(true);
        }
        let file = options.open(path).map(BufWriter::new).map_err(error)?;
        Ok(Self { file, path: path.to_owned() })
    }

    fn write(&mut self, line: &str) -> Result<(), RescoreError> {
        let written =
            self.file.write_all(line.as_bytes()).and_then(|()| self.file.write_all(b"\n"));
        written.map_err(|source| write_error(&self.path, source))
    }

    fn flush(&mut self) -> Result<(), RescoreError> {
        self.file.flush().map_err(|source| write_error(&self.path, source))
    }
}

fn write_error(path: &Path, source: io::Error) -> RescoreError {
    RescoreError::Write { path: path.to_owned(), source }
}
