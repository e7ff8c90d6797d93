//! Records by key: what a collection has left behind, and whether it is exactly what it should be.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

/// What the tests read from one line of a collection's output or of its failures.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Line {
    pub(crate) reward: Option<f64>,
    pub(crate) rehearsal: Provenance,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Provenance {
    pub(crate) task: String,
    pub(crate) repeat: u32,
    pub(crate) attempt: u32,
    pub(crate) outcome: String,
    pub(crate) failure: Option<FailureText>,
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct FailureText {
    pub(crate) culprit: String,
    pub(crate) error: String,
}

impl Line {
    pub(crate) fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|error| panic!("no record: {error}: {text}"))
    }

    /// The dataset line of the task.
    pub(crate) fn row(&self) -> u32 {
        self.rehearsal.task.rsplit('/').next().unwrap().parse().unwrap()
    }
}

/// Lines by key: `task#repeat`.
pub(crate) type ByKey = BTreeMap<String, Line>;

/// Sorts lines by key.
///
/// # Panics
/// Panics if a key is there twice.
#[track_caller]
pub(crate) fn by_key<'a>(lines: impl IntoIterator<Item = &'a str>) -> ByKey {
    let mut sorted = ByKey::new();
    for text in lines {
        let line = Line::parse(text);
        let key = format!("{}#{}", line.rehearsal.task, line.rehearsal.repeat);
        assert!(sorted.insert(key.clone(), line).is_none(), "`{key}` is there twice");
    }
    sorted
}

/// Reads a file of whole lines, each a record with a key of its own.
#[track_caller]
pub(crate) fn read(path: &Path) -> ByKey {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "`{}` ends in a torn line", path.display());
    by_key(text.lines())
}
