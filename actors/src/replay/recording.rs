//! A rollouts file, read once per process and shared by all shards.

use std::collections::HashMap;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::SystemTime;

use framework::responses::{CreateParams, Fields, Item, Response};
use framework::task::{RolloutKey, TaskId};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::prompt::Prompt;
use crate::turn;

/// No more malformed lines are named.
const PROBLEMS_MAX: usize = 20;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Recording {
    path: PathBuf,
    records: Vec<Recorded>,
    by_key: HashMap<RolloutKey, usize>,
    /// Records of the same prompt, by repeat where they have one, else as they stand in the file.
    by_prompt: HashMap<Prompt, Vec<usize>>,
}

/// One recorded rollout.
#[derive(Debug)]
pub(super) struct Recorded {
    /// Its line in the file, from 1.
    pub(super) line: usize,
    /// Its prompt.
    pub(super) prompt: Prompt,
    key: Option<RolloutKey>,
    calls: Vec<Box<[Item]>>,
    /// The rollout's response, whose output has been cut into calls.
    response: Response,
}

/// Why a file cannot be replayed.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum RecordingError {
    #[error("cannot read `{path}`: {reason}", path = path.display())]
    Read { path: PathBuf, reason: String },
    #[error("`{path}` has lines that are no recorded rollouts: {problems}", path = path.display())]
    Lines { path: PathBuf, problems: Problems },
    #[error("`{path}` holds no rollouts", path = path.display())]
    Empty { path: PathBuf },
}

/// The malformed lines of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Problems {
    named: Vec<String>,
    count: usize,
}

impl Problems {
    fn add(&mut self, line: usize, problem: &str) {
        self.count += 1;
        if self.named.len() < PROBLEMS_MAX {
            self.named.push(format!("line {line}: {problem}"));
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.named.join("; "))?;
        match self.count - self.named.len() {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// A file as it was at some time.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Version {
    path: PathBuf,
    modified: Option<SystemTime>,
    bytes: u64,
}

/// What is held by some model of this process.
static SHARED: LazyLock<Mutex<HashMap<Version, Weak<Recording>>>> = LazyLock::new(Mutex::default);

impl Recording {
    /// Reads a file, unless it is held already. The lock is kept meanwhile: the other shards want the
    /// same file, and wait instead of reading it as well.
    pub(super) fn shared(path: &Path) -> Result<Arc<Self>, RecordingError> {
        let file = File::open(path).map_err(|error| unreadable(path, &error))?;
        let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
        let modified = metadata.modified().ok();
        let version = Version { path: path.to_owned(), modified, bytes: metadata.len() };
        let mut held = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, recording| recording.strong_count() > 0);
        if let Some(recording) = held.get(&version).and_then(Weak::upgrade) {
            return Ok(recording);
        }
        let recording = Arc::new(Self::read(path, BufReader::new(file))?);
        held.insert(version, Arc::downgrade(&recording));
        Ok(recording)
    }

    fn read(path: &Path, mut file: impl BufRead) -> Result<Self, RecordingError> {
        let mut records = vec![];
        let mut problems = Problems::default();
        let mut text = String::new();
        for line in 1.. {
            text.clear();
            if file.read_line(&mut text).map_err(|error| unreadable(path, &error))? == 0 {
                break;
            }
            if text.trim().is_empty() {
                continue;
            }
            match Recorded::parse(line, &text) {
                Ok(recorded) => records.push(recorded),
                Err(problem) => problems.add(line, &problem),
            }
        }
        let path = path.to_owned();
        if problems.count > 0 {
            return Err(RecordingError::Lines { path, problems });
        }
        if records.is_empty() {
            return Err(RecordingError::Empty { path });
        }
        Ok(Self::index(path, records))
    }

    fn index(path: PathBuf, records: Vec<Recorded>) -> Self {
        let mut by_key = HashMap::new();
        let mut by_prompt: HashMap<Prompt, Vec<usize>> = HashMap::new();
        for (index, recorded) in records.iter().enumerate() {
            by_prompt.entry(recorded.prompt).or_default().push(index);
            if let Some(key) = &recorded.key {
                by_key.insert(key.clone(), index);
            }
        }
        for indices in by_prompt.values_mut() {
            indices.sort_by_key(|index| records[*index].key.as_ref().map(|key| key.repeat));
        }
        Self { path, records, by_key, by_prompt }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn by_key(&self, key: &RolloutKey) -> Option<&Recorded> {
        self.by_key.get(key).map(|index| &self.records[*index])
    }

    pub(super) fn by_prompt(&self, prompt: Prompt) -> Vec<&Recorded> {
        let indices = self.by_prompt.get(&prompt);
        indices.into_iter().flatten().map(|index| &self.records[*index]).collect()
    }

    /// The record at a place, from 0.
    pub(super) fn by_order(&self, index: usize) -> Option<&Recorded> {
        self.records.get(index)
    }
}

fn unreadable(path: &Path, error: &io::Error) -> RecordingError {
    RecordingError::Read { path: path.to_owned(), reason: error.to_string() }
}

/// What a record of ours says about where it comes from.
#[derive(Deserialize)]
struct Provenance {
    task: TaskId,
    repeat: u32,
}

impl Recorded {
    fn parse(line: usize, text: &str) -> Result<Self, String> {
        let record = Fields::parse(text).map_err(|error| format!("not a JSON object: {error}"))?;
        if let Some(turns) = record.get_set("turns") {
            return Self::of_turns(line, turns.get());
        }
        let response = record.get_set("response").ok_or("`response` is missing")?;
        let mut response =
            Response::parse(response.get()).map_err(|error| format!("`response`: {error}"))?;
        let output = std::mem::take(&mut response.output);
        let provenance = record.get_set("rehearsal");
        let provenance = provenance.map(|value| serde_json::from_str::<Provenance>(value.get()));
        let provenance = provenance.transpose().map_err(|error| format!("`rehearsal`: {error}"))?;
        let key = provenance.map(|Provenance { task, repeat }| RolloutKey { task, repeat });
        let calls = turn::calls(&output).map(Box::from).collect();
        Ok(Self { line, prompt: prompt(&record)?, key, calls, response })
    }

    /// A gold answer: the items of each model call, without a prompt.
    fn of_turns(line: usize, turns: &str) -> Result<Self, String> {
        let wrong = |error: &dyn fmt::Display| format!("`turns`: {error}");
        let turns: Vec<Vec<&RawValue>> =
            serde_json::from_str(turns).map_err(|error| wrong(&error))?;
        let items = |turn: Vec<&RawValue>| {
            turn.into_iter().map(|item| Item::parse(item.get())).collect::<Result<Box<_>, _>>()
        };
        let calls = turns.into_iter().map(items).collect::<Result<_, _>>();
        let calls = calls.map_err(|error| wrong(&error))?;
        let response = Response::new("resp_gold", "gold".into(), Vec::new());
        Ok(Self { line, prompt: Prompt::of_items(&[]), key: None, calls, response })
    }

    /// How many model calls it holds.
    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// What the model answered to its n-th call, from 0. Usage and the reason of an incomplete
    /// response are those of the whole rollout, and stand on the last call.
    pub(super) fn call(&self, step: usize) -> Option<Response> {
        let output = self.calls.get(step)?.to_vec();
        let mut response = self.response.clone();
        if step + 1 < self.calls.len() {
            response.usage = None;
            response.incomplete = None;
        }
        response.output = output;
        Some(response)
    }
}

/// The prompt alone: other parameters may have been written by a stranger's rules.
fn prompt(record: &Fields) -> Result<Prompt, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("`responses_create_params`: {error}");
    let params =
        record.get_set("responses_create_params").ok_or_else(|| wrong(&"it is missing"))?;
    let params = Fields::parse(params.get()).map_err(|error| wrong(&error))?;
    let mut input = Fields::default();
    if let Some(value) = params.get("input") {
        input.set_raw("input", value.to_owned());
    }
    let input = serde_json::to_string(&input).expect("an object of JSON text is JSON");
    let input = CreateParams::parse(&input).map_err(|error| wrong(&error))?;
    Ok(Prompt::of_items(input.input()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recording, RecordingError> {
        Recording::read(Path::new("rollouts.jsonl"), text.as_bytes())
    }

    #[test]
    fn every_malformed_line_is_named_up_to_a_limit() {
        let good = r#"{"responses_create_params":{"input":"a"},"response":{"id":"r","output":[]}}"#;
        let text = format!("{good}\n\noops\n{{\"response\":null}}\n{good}\n");
        let error = read(&text).unwrap_err().to_string();
        for expected in ["line 3: not a JSON object", "line 4: `response` is missing"] {
            assert!(error.contains(expected), "{error}");
        }
        let error = read(&"oops\n".repeat(25)).unwrap_err().to_string();
        assert!(error.ends_with("; and 5 more"), "{error}");
        assert!(matches!(read("\n"), Err(RecordingError::Empty { .. })));
    }

    #[test]
    fn malformed_parts_are_named() {
        for (line, expected) in [
            (r#"{"response":{"id":"r","output":[]}}"#, "`responses_create_params`: it is missing"),
            (
                r#"{"responses_create_params":{},"response":{"id":"r","output":[]}}"#,
                "`responses_create_params`: `input` is missing",
            ),
            (r#"{"response":{"id":"r","output":[{}]}}"#, "`response`: response `output[0]`"),
            (r#"{"turns":[{}]}"#, "`turns`: invalid type"),
            (r#"{"turns":[[{}]]}"#, "`turns`: "),
            (r#"{"response":{"id":"r","output":[]},"rehearsal":{}}"#, "`rehearsal`: missing field"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn shards_share_one_file_until_it_changes() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rollouts.jsonl");
        let line = r#"{"responses_create_params":{"input":"a"},"response":{"id":"r","output":[]}}"#;
        std::fs::write(&path, line).unwrap();
        let first = Recording::shared(&path).unwrap();
        assert!(Arc::ptr_eq(&first, &Recording::shared(&path).unwrap()));
        std::fs::write(&path, format!("{line}\n{line}")).unwrap();
        assert_eq!(Recording::shared(&path).unwrap().len(), 2);
    }
}
