//! What there is of the rollouts that there should be.

use std::collections::HashMap;

use serde::Serialize;

use super::reading::Failures;
use super::table::Table;

/// What there is of what there should be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Completion {
    /// Rollouts that there should be.
    pub expected: u64,
    /// Rollouts that there are.
    pub completed: u64,
    /// The difference.
    pub missing: u64,
    /// Tasks that there should be.
    pub tasks: u64,
    /// Tasks with all of their rollouts.
    pub complete_tasks: u64,
    /// Tasks with some of their rollouts.
    pub partial_tasks: u64,
    /// Tasks with none.
    pub missing_tasks: u64,
}

impl Completion {
    /// The share that there is, in percent.
    pub fn percent(&self) -> f64 {
        if self.expected == 0 {
            100.0
        } else {
            self.completed as f64 / self.expected as f64 * 100.0
        }
    }
}

/// Which rollouts there should be.
#[derive(Debug)]
pub(super) enum Expected {
    /// So many of each task.
    Repeats(u32),
    /// So many, by task.
    Inputs(HashMap<String, u32>),
}

impl Default for Expected {
    fn default() -> Self {
        Self::Repeats(0)
    }
}

/// How many rollouts each task should have: as many as any has, given up or not.
pub(super) fn repeats_of(table: &Table, failures: &Failures) -> u32 {
    let made = table.samples.iter().map(|sample| sample.repeat + 1).max();
    made.unwrap_or(0).max(failures.repeats)
}

pub(super) fn completion(table: &Table, expected: &Expected) -> Completion {
    let mut completion = Completion::default();
    for (task, _, _, samples) in table.groups() {
        let (has, wants) = (samples.len() as u64, expected.of(task));
        completion.expected += wants;
        completion.completed += has;
        completion.tasks += 1;
        completion.complete_tasks += u64::from(has >= wants);
        completion.partial_tasks += u64::from(has < wants);
    }
    if let Expected::Inputs(by_task) = expected {
        let absent = by_task.iter().filter(|(task, _)| !table.tasks.contains_key(*task));
        for (_, wants) in absent {
            completion.expected += u64::from(*wants);
            completion.tasks += 1;
            completion.missing_tasks += 1;
        }
    }
    completion.missing = completion.expected.saturating_sub(completion.completed);
    completion
}

impl Expected {
    pub(super) fn of(&self, task: &str) -> u64 {
        u64::from(match self {
            Self::Repeats(repeats) => *repeats,
            Self::Inputs(by_task) => by_task.get(task).copied().unwrap_or(0),
        })
    }
}
