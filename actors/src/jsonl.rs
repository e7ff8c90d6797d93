//! `jsonl`: one line per rollout in a file that is its own journal.
//!
//! Scored rollouts go to the output, failed ones to `<output>_failures.jsonl` beside it. A line is
//! whole or not there: a torn last line, left by a crash, is cut off when the file is opened again,
//! and after a failed write the file ends with the last whole record. So the keys in the output are
//! exactly what is done, and no second journal can disagree with it.
//!
//! Whoever opens the file tries all that failed again, so the failures of the time before are dropped
//! then: a rollout stands in one of the two files, never in both. The files are locked while they are
//! open, since two collections that write one output would make every rollout twice.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use framework::recorder::{Kept, Record, RecordWriter, Recorder, RecorderError, failures_path};
use framework::rollout::Outcome;
use framework::task::{RolloutKey, TaskId};
use serde::Deserialize;

/// What becomes of an output that exists already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It is an error.
    Refuse,
    /// It is continued: what it holds is not made again.
    Resume,
    /// It is replaced.
    Overwrite,
}

/// A JSONL file of rollouts.
#[derive(Clone, Debug)]
pub struct JsonlRecorder {
    output: PathBuf,
    failures: PathBuf,
}

impl JsonlRecorder {
    /// Prepares an output file, with the folders above it.
    ///
    /// # Errors
    /// Fails if the file exists and is neither to be resumed nor replaced, or cannot be written.
    pub fn new(output: &Path, existing: Existing) -> Result<Self, RecorderError> {
        if output.is_dir() {
            return Err(open_error(output, io::ErrorKind::IsADirectory.into()));
        }
        let recorder = Self { output: output.to_owned(), failures: failures_path(output) };
        if let Some(folder) = output.parent() {
            std::fs::create_dir_all(folder).map_err(|error| open_error(folder, error))?;
        }
        let lengths = [&recorder.output, &recorder.failures].map(|path| length(path));
        match existing {
            Existing::Refuse if lengths != [0, 0] => {
                let path = if lengths[0] > 0 { recorder.output } else { recorder.failures };
                return Err(RecorderError::Exists { path });
            }
            Existing::Overwrite => {
                open_whole(&recorder.output)?;
                remove(&recorder.output)?;
                remove(&recorder.failures)?;
            }
            Existing::Refuse | Existing::Resume => {}
        }
        open_whole(&recorder.output)?;
        Ok(recorder)
    }

    /// Where scored rollouts go.
    pub fn output(&self) -> &Path {
        &self.output
    }

    /// Where failed rollouts go.
    pub fn failures(&self) -> &Path {
        &self.failures
    }
}

fn remove(path: &Path) -> Result<(), RecorderError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(open_error(path, error)),
    }
}

fn length(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |metadata| metadata.len())
}

fn open_error(path: &Path, error: io::Error) -> RecorderError {
    RecorderError::Open { path: path.to_owned(), source: Arc::new(error) }
}

/// Opens a file for appending, locks it and cuts off a torn last line. Returns the file and its length.
fn open_whole(path: &Path) -> Result<(File, u64), RecorderError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    let mut file = options.open(path).map_err(|error| open_error(path, error))?;
    lock(&file, path)?;
    let mut cut = || -> io::Result<u64> {
        let whole = end_of_last_line(&mut file)?;
        if whole < file.metadata()?.len() {
            tracing::warn!(path = %path.display(), "cut off a torn last line");
            file.set_len(whole)?;
        }
        file.seek(SeekFrom::End(0))?;
        Ok(whole)
    };
    let whole = cut().map_err(|error| open_error(path, error))?;
    Ok((file, whole))
}

/// Locks a file against other writers until it is closed, however its process ends.
fn lock(file: &File, path: &Path) -> Result<(), RecorderError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(RecorderError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => {
            tracing::debug!(%error, path = %path.display(), "this file system has no locks");
            Ok(())
        }
    }
}

/// The offset after the last line's end, searched from the back.
fn end_of_last_line(file: &mut File) -> io::Result<u64> {
    const CHUNK: u64 = 64 << 10;
    let mut end = file.metadata()?.len();
    let mut buffer = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(CHUNK);
        file.seek(SeekFrom::Start(start))?;
        buffer.clear();
        Read::by_ref(file).take(end - start).read_to_end(&mut buffer)?;
        if let Some(newline) = buffer.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + newline as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Recorder for JsonlRecorder {
    fn open(&self) -> Result<Box<dyn RecordWriter>, RecorderError> {
        let output = Lines::open(&self.output)?;
        remove(&self.failures)?;
        Ok(Box::new(Writer { output, failures: None, failures_path: self.failures.clone() }))
    }

    fn kept(&self, visit: &mut dyn FnMut(Kept)) -> Result<(), RecorderError> {
        let file = File::open(&self.output).map_err(|error| open_error(&self.output, error))?;
        let mut lines = BufReader::with_capacity(1 << 20, file);
        let mut buffer = Vec::new();
        for line in 1.. {
            buffer.clear();
            let read = lines.read_until(b'\n', &mut buffer);
            if read.map_err(|error| open_error(&self.output, error))? == 0 {
                break;
            }
            let kept = std::str::from_utf8(&buffer).map_err(|error| error.to_string());
            let kept = kept.and_then(|text| parse_kept(text).map_err(|error| error.to_string()));
            visit(kept.map_err(|reason| {
                let path = self.output.clone();
                RecorderError::NotARecord { path, line, reason }
            })?);
        }
        Ok(())
    }
}

/// Reads from a record what a resumed collection has to know.
pub(crate) fn parse_kept(line: &str) -> Result<Kept, serde_json::Error> {
    #[derive(Deserialize)]
    struct Line {
        reward: f64,
        rehearsal: Provenance,
    }
    #[derive(Deserialize)]
    struct Provenance {
        task: TaskId,
        repeat: u32,
        environment: String,
    }
    let Line { reward, rehearsal } = serde_json::from_str(line)?;
    let Provenance { task, repeat, environment } = rehearsal;
    Ok(Kept { key: RolloutKey { task, repeat }, environment, reward })
}

/// The open files.
struct Writer {
    output: Lines,
    /// Opened with the first failure.
    failures: Option<Lines>,
    failures_path: PathBuf,
}

impl RecordWriter for Writer {
    fn write(&mut self, record: Record) -> Result<(), RecorderError> {
        match record.outcome {
            Outcome::Scored | Outcome::Truncated => self.output.append(&record.line),
            Outcome::Failed => {
                let mut failures = match self.failures.take() {
                    Some(failures) => failures,
                    None => Lines::open(&self.failures_path)?,
                };
                let appended = failures.append(&record.line);
                self.failures = Some(failures);
                appended
            }
        }
    }

    fn sync(&mut self) -> Result<(), RecorderError> {
        self.output.sync()?;
        self.failures.as_mut().map_or(Ok(()), Lines::sync)
    }
}

/// Bytes collected before they are written: a few hundred records.
const BUFFER: usize = 1 << 20;

/// A file to which whole lines are appended.
struct Lines {
    path: PathBuf,
    file: File,
    /// The file's length up to the last line that was written whole.
    length: u64,
    buffer: Vec<u8>,
}

impl Lines {
    fn open(path: &Path) -> Result<Self, RecorderError> {
        let (file, length) = open_whole(path)?;
        Ok(Self { path: path.to_owned(), file, length, buffer: Vec::with_capacity(BUFFER) })
    }

    fn append(&mut self, line: &str) -> Result<(), RecorderError> {
        self.buffer.extend_from_slice(line.as_bytes());
        self.buffer.push(b'\n');
        if self.buffer.len() >= BUFFER { self.flush() } else { Ok(()) }
    }

    /// Writes the buffer. If the file system refuses, the lines that did fit stay, and the file ends
    /// after the last of them.
    fn flush(&mut self) -> Result<(), RecorderError> {
        let mut written = 0;
        while written < self.buffer.len() {
            match self.file.write(&self.buffer[written..]) {
                Ok(0) => return Err(self.torn(written, io::ErrorKind::WriteZero.into())),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.torn(written, error)),
            }
        }
        self.length += written as u64;
        self.buffer.clear();
        Ok(())
    }

    fn torn(&mut self, written: usize, source: io::Error) -> RecorderError {
        let whole = self.buffer[..written].iter().rposition(|byte| *byte == b'\n');
        self.length += whole.map_or(0, |newline| newline as u64 + 1);
        self.buffer.clear();
        if let Err(error) = self.file.set_len(self.length) {
            tracing::warn!(%error, path = %self.path.display(), "a torn last line stays until the next start");
        }
        RecorderError::Write { path: self.path.clone(), source: Arc::new(source) }
    }

    fn sync(&mut self) -> Result<(), RecorderError> {
        self.flush()?;
        self.file.sync_data().map_err(|error| RecorderError::Write {
            path: self.path.clone(),
            source: Arc::new(error),
        })
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // A recorder that is dropped without a last sync has lost nothing that it promised to keep;
        // what can still be written is.
        let _ = self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(task: &str, reward: f64) -> Record {
        let key = RolloutKey { task: task.into(), repeat: 0 };
        let line = format!(
            r#"{{"reward":{reward},"x":"…","rehearsal":{{"task":"{task}","repeat":0,"environment":"e"}}}}"#
        );
        Record { key, outcome: Outcome::Scored, line }
    }

    fn kept(recorder: &JsonlRecorder) -> Vec<String> {
        let mut keys = Vec::new();
        recorder.kept(&mut |kept| keys.push(kept.key.to_string())).unwrap();
        keys
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_rest_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/out.jsonl");
        let recorder = JsonlRecorder::new(&path, Existing::Refuse).unwrap();
        let mut writer = recorder.open().unwrap();
        writer.write(record("a", 1.0)).unwrap();
        writer.write(record("b", 0.0)).unwrap();
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        for cut in 1..whole.len() / 2 {
            std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            let recorder = JsonlRecorder::new(&path, Existing::Resume).unwrap();
            assert_eq!(kept(&recorder), ["a#0"], "cut by {cut}");
        }
    }

    #[test]
    fn an_existing_output_is_refused_resumed_or_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        let recorder = JsonlRecorder::new(&path, Existing::Refuse).unwrap();
        recorder.open().unwrap().write(record("a", 1.0)).unwrap();
        let refused = JsonlRecorder::new(&path, Existing::Refuse).unwrap_err();
        assert!(matches!(refused, RecorderError::Exists { .. }));
        assert_eq!(kept(&JsonlRecorder::new(&path, Existing::Resume).unwrap()), ["a#0"]);
        assert!(kept(&JsonlRecorder::new(&path, Existing::Overwrite).unwrap()).is_empty());
    }

    #[test]
    fn failed_rollouts_go_beside_the_output() {
        let folder = tempfile::tempdir().unwrap();
        let recorder =
            JsonlRecorder::new(&folder.path().join("out.jsonl"), Existing::Refuse).unwrap();
        let mut writer = recorder.open().unwrap();
        writer.write(Record { outcome: Outcome::Failed, ..record("a", 1.0) }).unwrap();
        writer.sync().unwrap();
        assert!(kept(&recorder).is_empty());
        assert_eq!(length(&folder.path().join("out.jsonl")), 0);
        assert!(length(&folder.path().join("out_failures.jsonl")) > 0);
    }

    #[test]
    fn a_file_that_is_no_journal_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.jsonl");
        std::fs::write(&path, "{\"reward\":1}\n").unwrap();
        let recorder = JsonlRecorder::new(&path, Existing::Resume).unwrap();
        let error = recorder.kept(&mut |_| {}).unwrap_err().to_string();
        assert!(error.contains("out.jsonl` line 1: not a record of a collection"), "{error}");
    }
}
