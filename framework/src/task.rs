//! A task: one dataset row, split into what the model sees, what only the environment sees, and the
//! rest that travels along into the record.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::environment::read_target;
use crate::prompt::{Prompt, PromptError};
use crate::responses::{CreateParams, Fields, ParamsError};

/// Names a task within a collection: `agent/dataset/line`, lines counted from 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskId(Arc<str>);

impl TaskId {
    /// The id of a row.
    pub fn of_row(agent: &str, dataset: &str, line: u64) -> Self {
        Self(format!("{agent}/{dataset}/{line}").into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for TaskId {
    fn from(id: &str) -> Self {
        Self(id.into())
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a rollout within a collection: the `repeat`-th (from 0) of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RolloutKey {
    /// The task.
    pub task: TaskId,
    /// Which of its rollouts, from 0.
    pub repeat: u32,
}

impl fmt::Display for RolloutKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.task, self.repeat)
    }
}

/// A dataset row: the creation parameters and whatever else stood beside them.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the model is asked.
    pub params: CreateParams,
    /// Every other key of the row. Keys that only a record has (`response`, `reward`, `rehearsal`)
    /// have been dropped, so that a recorded rollout can serve as a task.
    pub extras: Fields,
}

/// Why a line is not a task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowError {
    /// Not a JSON object.
    #[error("not a JSON object: {0}")]
    Json(#[from] serde_json::Error),
    /// The prompt is absent.
    #[error("`responses_create_params` is missing")]
    NoParams,
    /// The prompt is malformed.
    #[error("`responses_create_params`: {0}")]
    Params(#[from] ParamsError),
    /// The prompt cannot be made from the row.
    #[error("{0}")]
    Prompt(#[from] PromptError),
    /// The row lacks what its environment needs, or has it malformed.
    #[error("{0}")]
    Target(#[from] TargetError),
}

/// What is wrong with the part of a row that its environment reads.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct TargetError {
    message: String,
}

impl TargetError {
    /// An error that says what is wrong with which key.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

/// The key of the parameters.
pub(crate) const PARAMS: &str = "responses_create_params";
/// Keys of a record that are no part of its task.
const RECORD_KEYS: [&str; 3] = ["response", "reward", "rehearsal"];

impl Row {
    /// Parses one line of a dataset.
    ///
    /// # Errors
    /// See [`RowError`].
    pub fn parse(line: &str) -> Result<Self, RowError> {
        Self::read_with(line, None)
    }

    /// Parses one line of a dataset whose prompts a template makes.
    pub(crate) fn read_with(line: &str, prompt: Option<&Prompt>) -> Result<Self, RowError> {
        let mut extras = Fields::parse(line)?;
        if let Some(prompt) = prompt {
            prompt.apply(&mut extras)?;
        }
        Self::of(extras).map(|(row, _)| row)
    }

    /// A row from its fields, and the text of its parameters.
    pub(crate) fn of(mut extras: Fields) -> Result<(Self, Box<RawValue>), RowError> {
        let params = extras.remove(PARAMS).ok_or(RowError::NoParams)?;
        for key in RECORD_KEYS {
            extras.remove(key);
        }
        Ok((Self { params: CreateParams::parse(params.get())?, extras }, params))
    }

    /// Reads what stands beside the parameters as a type of the environment's own. Numbers in text,
    /// whole floats and the like are read as the type's schema wants them, as NeMo Gym does.
    ///
    /// # Errors
    /// Fails if a key is missing or malformed.
    pub fn read<T>(&self) -> Result<T, TargetError>
    where
        T: DeserializeOwned + JsonSchema + 'static,
    {
        let text = serde_json::to_string(&self.extras);
        let text = text.map_err(|error| TargetError::new(error.to_string()))?;
        read_target(&text)
    }
}

/// What the environment reads from a row; its type is known to the environment alone.
#[derive(Clone)]
pub struct Target(Arc<dyn Any + Send + Sync>);

impl Target {
    /// Wraps an environment's own target.
    pub fn new(target: impl Any + Send + Sync) -> Self {
        Self(Arc::new(target))
    }

    /// The target, if it is of that type.
    pub fn get<T: Any>(&self) -> Option<&T> {
        self.0.downcast_ref()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Target")
    }
}

/// One problem to solve.
#[derive(Debug)]
pub struct Task {
    /// Its name within the collection.
    pub id: TaskId,
    /// What the model is asked.
    pub params: Arc<CreateParams>,
    /// What only the environment may see.
    pub target: Target,
    /// Every other key of its row, for the record.
    pub extras: Fields,
}

impl Task {
    /// A task from its row and the target that the environment read from it.
    pub fn new(id: TaskId, row: Row, target: Target) -> Self {
        Self { id, params: Arc::new(row.params), target, extras: row.extras }
    }

    /// The key of one of its rollouts.
    pub fn rollout(&self, repeat: u32) -> RolloutKey {
        RolloutKey { task: self.id.clone(), repeat }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_rollout_can_serve_as_a_task() {
        let line =
            r#"{"responses_create_params":{"input":"hi"},"id":7,"response":{},"reward":1.0}"#;
        let row = Row::parse(line).unwrap();
        let names: Vec<_> = row.extras.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["id"]);
    }

    #[test]
    fn a_malformed_line_says_what_is_wrong() {
        for (line, expected) in [
            ("oops", "not a JSON object"),
            ("{}", "`responses_create_params` is missing"),
            (r#"{"responses_create_params":{}}"#, "`responses_create_params`: `input` is missing"),
        ] {
            let error = Row::parse(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
