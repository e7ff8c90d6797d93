//! Which rows are shown, and in which order.

use std::cmp::Ordering;

use serde::de::IntoDeserializer;
use serde::de::value::Error as ValueError;
use serde::{Deserialize, Serialize};

use super::archive::{Place, State};
use super::entry::{Ending, Entry};

/// What rows must be like. What is not given does not matter.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Filter {
    file: Option<usize>,
    agent: Option<String>,
    environment: Option<String>,
    ending: Option<Ending>,
    reason: Option<String>,
    task: Option<String>,
    reward_min: Option<f32>,
    reward_max: Option<f32>,
}

/// The order of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Order {
    by: Column,
    is_descending: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Column {
    /// As they stand in the files.
    #[default]
    Line,
    Reward,
    Steps,
    Tokens,
    Seconds,
    Created,
}

impl Filter {
    /// Takes a parameter of a request, if it is one of a filter's; empty values count as not given.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let text = Some(value.to_owned()).filter(|value| !value.is_empty());
        match name {
            "file" => self.file = number(name, value)?,
            "agent" => self.agent = text,
            "environment" => self.environment = text,
            "outcome" => self.ending = text.map(|text| word(name, &text)).transpose()?,
            "reason" => self.reason = text,
            "task" => self.task = text,
            "reward_min" => self.reward_min = number(name, value)?,
            "reward_max" => self.reward_max = number(name, value)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The rows of a filter, as they stand in the files.
    pub(super) fn select(&self, state: &State) -> Vec<Place> {
        let Some(test) = self.test(state) else { return Vec::new() };
        let mut places = Vec::new();
        for (file, source) in (0..).zip(&state.sources) {
            if self.file.is_some_and(|wanted| wanted != usize::from(file)) {
                continue;
            }
            let rows = (0..).zip(&source.entries).filter(|(_, entry)| test.passes(entry));
            places.extend(rows.map(|(index, _)| Place { file, index }));
        }
        places
    }

    /// The filter with names as numbers; nothing if no row can pass.
    fn test(&self, state: &State) -> Option<Test<'_>> {
        let names = &state.names;
        let is_wanted = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == name)
        };
        let origins = names.origins.iter().map(|origin| {
            is_wanted(&self.agent, &origin.agent)
                && is_wanted(&self.environment, &origin.environment)
        });
        let task = match &self.task {
            Some(task) => Some(names.tasks.get_index_of(task.as_str())? as u32),
            None => None,
        };
        let reason = match &self.reason {
            Some(reason) => Some(names.reasons.get_index_of(reason.as_str())? as u8),
            None => None,
        };
        Some(Test { filter: self, origins: origins.collect(), task, reason })
    }
}

struct Test<'a> {
    filter: &'a Filter,
    /// By number of the origin, whether it is wanted.
    origins: Vec<bool>,
    task: Option<u32>,
    reason: Option<u8>,
}

impl Test<'_> {
    fn passes(&self, entry: &Entry) -> bool {
        let reward = entry.reward();
        self.origins[usize::from(entry.origin)]
            && self.filter.ending.is_none_or(|ending| entry.ending == ending)
            && self.task.is_none_or(|task| entry.task == task)
            && self.reason.is_none_or(|reason| entry.reason == reason)
            && self.filter.reward_min.is_none_or(|low| reward.is_some_and(|reward| reward >= low))
            && self.filter.reward_max.is_none_or(|high| reward.is_some_and(|reward| reward <= high))
    }
}

impl Order {
    /// Reads the name of a column, with `-` before it for the largest first.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (is_descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            None => (false, text),
        };
        Ok(Self { by: word("sort", name)?, is_descending })
    }

    /// Puts rows in order. Rows without the value come last.
    pub(super) fn sort(self, state: &State, places: &mut Vec<Place>) {
        let Self { by, is_descending } = self;
        if by == Column::Line {
            if is_descending {
                places.reverse();
            }
            return;
        }
        let key = |place: &Place| state.entry(*place).and_then(|entry| by.value(entry));
        let mut keyed: Vec<_> = places.iter().map(|place| (key(place), *place)).collect();
        keyed.sort_unstable_by(|(a, at), (b, bt)| compare(*a, *b, is_descending).then(at.cmp(bt)));
        *places = keyed.into_iter().map(|(_, place)| place).collect();
    }
}

fn compare(a: Option<f32>, b: Option<f32>, is_descending: bool) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if is_descending => b.total_cmp(&a),
        (Some(a), Some(b)) => a.total_cmp(&b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}

impl Column {
    fn value(self, entry: &Entry) -> Option<f32> {
        match self {
            Self::Line => None,
            Self::Reward => entry.reward(),
            Self::Steps => entry.steps().map(f32::from),
            Self::Tokens => entry.tokens().map(|tokens| tokens as f32),
            Self::Seconds => entry.seconds(),
            Self::Created => entry.created_at().map(|seconds| seconds as f32),
        }
    }
}

/// A task with the rows of a filter.
#[derive(Clone, Debug, Serialize)]
pub(super) struct TaskRows {
    pub(super) task: u32,
    pub(super) rows: u32,
    pub(super) scored: u32,
    pub(super) failed: u32,
    pub(super) mean: Option<f32>,
    pub(super) low: Option<f32>,
    pub(super) high: Option<f32>,
}

/// The tasks of these rows, in the order in which they first come.
pub(super) fn tasks(state: &State, places: &[Place]) -> Vec<TaskRows> {
    let mut number_of = vec![u32::MAX; state.names.tasks.len()];
    let mut tasks: Vec<(TaskRows, f64)> = Vec::new();
    for entry in places.iter().filter_map(|place| state.entry(*place)) {
        let number = &mut number_of[entry.task as usize];
        if *number == u32::MAX {
            *number = tasks.len() as u32;
            let (task, rows, scored, failed) = (entry.task, 0, 0, 0);
            let none = TaskRows { task, rows, scored, failed, mean: None, low: None, high: None };
            tasks.push((none, 0.0));
        }
        let (task, sum) = &mut tasks[*number as usize];
        task.rows += 1;
        task.failed += u32::from(entry.ending == Ending::Failed);
        if let Some(reward) = entry.reward() {
            task.scored += 1;
            *sum += f64::from(reward);
            task.low = Some(task.low.map_or(reward, |low| low.min(reward)));
            task.high = Some(task.high.map_or(reward, |high| high.max(reward)));
        }
    }
    let with_mean = |(task, sum): (TaskRows, f64)| {
        let mean = (task.scored > 0).then(|| (sum / f64::from(task.scored)) as f32);
        TaskRows { mean, ..task }
    };
    tasks.into_iter().map(with_mean).collect()
}

/// Puts tasks in the order of their mean reward, or of how far their rewards lie apart.
pub(super) fn sort_tasks(tasks: &mut [TaskRows], order: &str) -> Result<(), String> {
    let (is_descending, name) = match order.strip_prefix('-') {
        Some(name) => (true, name),
        None => (false, order),
    };
    let key: fn(&TaskRows) -> Option<f32> = match name {
        "line" => {
            if is_descending {
                tasks.reverse();
            }
            return Ok(());
        }
        "mean" => |task| task.mean,
        "spread" => |task| Some(task.high? - task.low?),
        "rows" => |task| Some(task.rows as f32),
        "failed" => |task| Some(task.failed as f32),
        _ => return Err(format!("`sort` cannot be `{order}`")),
    };
    tasks.sort_by(|a, b| compare(key(a), key(b), is_descending));
    Ok(())
}

fn number<T: std::str::FromStr>(name: &str, value: &str) -> Result<Option<T>, String> {
    if value.is_empty() {
        return Ok(None);
    }
    value.parse().map(Some).map_err(|_| format!("`{name}` must be a number, not `{value}`"))
}

/// One of the words of an enum.
fn word<'de, T: Deserialize<'de>>(name: &str, text: &'de str) -> Result<T, String> {
    let word = IntoDeserializer::<ValueError>::into_deserializer(text);
    T::deserialize(word).map_err(|error| format!("`{name}`: {error}"))
}
