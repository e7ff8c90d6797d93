//! All rollouts of an agent, as compact as they can be: a number takes eight bytes, a name stands once.

use std::collections::HashMap;

use indexmap::{IndexMap, IndexSet};

use super::record::Record;
use super::spread::{Interval, Moments, Z_95, median};

/// Where a line stands, to be read again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// One rollout.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) task: u32,
    pub(super) repeat: u32,
    pub(super) reward: f64,
    /// By field; NaN where it has none, and the end left out.
    values: Box<[f64]>,
    pub(super) answer: Option<u32>,
    pub(super) length: u64,
    pub(super) created_at: Option<f64>,
}

/// The rollouts of an agent.
#[derive(Debug, Default)]
pub(super) struct Table {
    fields: IndexSet<String>,
    /// Names of tasks, and of the subset each belongs to.
    pub(super) tasks: IndexMap<String, Option<String>>,
    places: Vec<Place>,
    answers: HashMap<String, u32>,
    pub(super) samples: Vec<Sample>,
    /// How many rollouts without a repeat of their own each task has had.
    counted: HashMap<u32, u32>,
}

/// The rollout of that task and repeat was there before.
#[derive(Debug)]
pub(super) struct Twice {
    pub(super) task: String,
    pub(super) repeat: u32,
}

impl Table {
    pub(super) fn add(&mut self, record: Record, place: Place) {
        let entry = self.tasks.entry(record.task);
        let task = u32::try_from(entry.index()).expect("fewer tasks than would fit into memory");
        let subset = entry.or_insert(None);
        if self.places.len() == task as usize {
            *subset = record.subset;
            self.places.push(place);
        }
        let mut values = Vec::with_capacity(record.numbers.len());
        for (name, number) in record.numbers {
            let index = self.fields.get_index_of(&name);
            let index = index.unwrap_or_else(|| self.fields.insert_full(name).0);
            if values.len() <= index {
                values.resize(index + 1, f64::NAN);
            }
            values[index] = number;
        }
        let repeat = record.repeat.unwrap_or_else(|| self.next_repeat(task));
        let known = self.answers.len();
        let answer = record.answer.map(|answer| {
            let next = u32::try_from(known).expect("fewer answers than would fit into memory");
            *self.answers.entry(answer).or_insert(next)
        });
        self.samples.push(Sample {
            task,
            repeat,
            reward: record.reward,
            values: values.into(),
            answer,
            length: record.length,
            created_at: record.created_at,
        });
    }

    fn next_repeat(&mut self, task: u32) -> u32 {
        let counted = self.counted.entry(task).or_default();
        *counted += 1;
        *counted - 1
    }

    /// Puts repeats of a task beside each other, in order.
    ///
    /// # Errors
    /// Fails if a rollout stands twice.
    pub(super) fn sort(&mut self) -> Result<(), Twice> {
        self.samples.sort_unstable_by_key(|sample| (sample.task, sample.repeat));
        let key = |sample: &Sample| (sample.task, sample.repeat);
        let twice = self.samples.windows(2).find(|pair| key(&pair[0]) == key(&pair[1]));
        match twice {
            Some(pair) => {
                let (task, _) = self.tasks.get_index(pair[0].task as usize).expect("it was named");
                Err(Twice { task: task.clone(), repeat: pair[0].repeat })
            }
            None => Ok(()),
        }
    }

    /// The rollouts of each task, once sorted: its name, its subset, where its first rollout stands.
    pub(super) fn groups(&self) -> impl Iterator<Item = (&str, Option<&str>, Place, &[Sample])> {
        self.samples.chunk_by(|a, b| a.task == b.task).map(|group| {
            let index = group[0].task as usize;
            let (task, subset) = self.tasks.get_index(index).expect("it was named");
            (task.as_str(), subset.as_deref(), self.places[index], group)
        })
    }

    /// The fields of a rollout that it has.
    pub(super) fn values<'a>(
        &'a self,
        sample: &'a Sample,
    ) -> impl Iterator<Item = (&'a str, f64)> + 'a {
        let values = self.fields.iter().zip(&sample.values);
        values.filter(|(_, value)| !value.is_nan()).map(|(name, value)| (name.as_str(), *value))
    }

    /// A rollout's value of a field.
    pub(super) fn value(&self, sample: &Sample, field: &str) -> Option<f64> {
        let index = self.fields.get_index_of(field)?;
        sample.values.get(index).copied().filter(|value| !value.is_nan())
    }

    /// Mean, maximum, minimum, median and standard deviation of each field: `mean/reward` and so on.
    ///
    /// As NeMo Gym has it: what a rollout lacks is left out; the standard deviation of a single value
    /// is left out too, unless no field has one: then it is 0 for those that no rollout lacks.
    pub(super) fn baseline(&self, samples: &[Sample]) -> IndexMap<String, f64> {
        let mut columns: Vec<(&str, Vec<f64>)> = Vec::with_capacity(self.fields.len());
        for (index, name) in self.fields.iter().enumerate() {
            let values = samples.iter().filter_map(|sample| sample.values.get(index).copied());
            let mut values: Vec<_> = values.filter(|value| !value.is_nan()).collect();
            values.sort_unstable_by(f64::total_cmp);
            if !values.is_empty() {
                columns.push((name, values));
            }
        }
        let deviations: Vec<_> =
            columns.iter().map(|(_, values)| Moments::of(values).deviation()).collect();
        let none_varies = deviations.iter().all(Option::is_none);
        let mut metrics = IndexMap::new();
        let mut put = |kind: &str, value: &dyn Fn(&[f64]) -> Option<f64>| {
            for (name, values) in &columns {
                if let Some(value) = value(values) {
                    metrics.insert(format!("{kind}/{name}"), value);
                }
            }
        };
        put("mean", &|values| Moments::of(values).mean());
        put("max", &|values| values.last().copied());
        put("min", &|values| values.first().copied());
        put("median", &median);
        for ((name, values), deviation) in columns.iter().zip(deviations) {
            let is_complete = values.len() == samples.len();
            let value = deviation.or((none_varies && is_complete).then_some(0.0));
            if let Some(value) = value {
                metrics.insert(format!("std/{name}"), value);
            }
        }
        metrics
    }

    /// Intervals of the mean of each field. Repeats of a task move together: the error of the mean is that
    /// of the tasks' sums of deviations.
    pub(super) fn intervals(&self) -> IndexMap<String, Interval> {
        let mut means: IndexMap<&str, Moments> = IndexMap::new();
        for sample in &self.samples {
            for (field, value) in self.values(sample) {
                means.entry(field).or_default().add(value);
            }
        }
        let mut squares: IndexMap<&str, (f64, u64)> = IndexMap::new();
        for (_, _, _, samples) in self.groups() {
            let mut sums: IndexMap<&str, f64> = IndexMap::new();
            for sample in samples {
                for (field, value) in self.values(sample) {
                    *sums.entry(field).or_default() += value - means[field].mean().unwrap_or(0.0);
                }
            }
            for (field, sum) in sums {
                let (squares, tasks) = squares.entry(field).or_default();
                *squares += sum * sum;
                *tasks += 1;
            }
        }
        let mut intervals = IndexMap::new();
        for (field, moments) in means {
            let (squares, tasks) = squares[field];
            let Some(mean) = moments.mean().filter(|_| tasks > 1) else { continue };
            let correction = tasks as f64 / (tasks - 1) as f64;
            let error = (squares * correction).sqrt() / moments.count() as f64;
            let interval = Interval { low: mean - Z_95 * error, high: mean + Z_95 * error };
            intervals.insert(format!("mean/{field}"), interval);
        }
        intervals
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Wanted;
    use super::*;

    const PLACE: Place = Place { file: 0, offset: 0, length: 0 };

    fn table(lines: &[&str]) -> Table {
        let mut table = Table::default();
        for line in lines {
            table.add(Record::parse(line.as_bytes(), &Wanted::default()).unwrap(), PLACE);
        }
        table
    }

    fn assert_metrics(metrics: &IndexMap<String, f64>, expected: &[(&str, f64)]) {
        let names: Vec<_> = expected.iter().map(|(name, _)| *name).collect();
        assert_eq!(metrics.keys().collect::<Vec<_>>(), names);
        for (name, value) in expected {
            assert!((metrics[*name] - value).abs() < 1e-6, "{name}: {}", metrics[*name]);
        }
    }

    fn three() -> Table {
        let mut table = table(&[
            r#"{"_ng_task_index":0,"_ng_rollout_index":0,"reward":1.0,"ok":true,
                "response":{"usage":{"input_tokens":3}}}"#,
            r#"{"_ng_task_index":0,"_ng_rollout_index":1,"reward":0.0,"ok":false,"response":{}}"#,
            r#"{"_ng_task_index":1,"_ng_rollout_index":0,"reward":1.0,"ok":true,"response":{}}"#,
        ]);
        table.sort().unwrap();
        table
    }

    #[test]
    fn the_baseline_of_an_agent_gets_the_known_values() {
        let table = three();
        let (mean, deviation) = (0.666_666_7, 0.577_350_3);
        assert_metrics(
            &table.baseline(&table.samples),
            &[
                ("mean/reward", mean),
                ("mean/ok", mean),
                ("mean/input_tokens", 3.0),
                ("max/reward", 1.0),
                ("max/ok", 1.0),
                ("max/input_tokens", 3.0),
                ("min/reward", 0.0),
                ("min/ok", 0.0),
                ("min/input_tokens", 3.0),
                ("median/reward", 1.0),
                ("median/ok", 1.0),
                ("median/input_tokens", 3.0),
                ("std/reward", deviation),
                ("std/ok", deviation),
            ],
        );
    }

    #[test]
    fn the_baseline_of_a_single_rollout_has_deviations_of_nothing() {
        let table = three();
        let (_, _, _, group) = table.groups().nth(1).unwrap();
        let metrics = table.baseline(group);
        assert_eq!((metrics["std/reward"], metrics["std/ok"]), (0.0, 0.0));
        assert!(!metrics.keys().any(|name| name.ends_with("input_tokens")));
    }

    #[test]
    fn a_rollout_that_stands_twice_is_an_error() {
        let line = r#"{"_ng_task_index":4,"_ng_rollout_index":2,"reward":1,"response":{}}"#;
        let twice = table(&[line, line]).sort().unwrap_err();
        assert_eq!((twice.task.as_str(), twice.repeat), ("4", 2));
    }

    #[test]
    fn rollouts_without_a_repeat_are_counted_as_they_come() {
        let line = |input: u8| {
            format!(
                r#"{{"responses_create_params":{{"input":{input}}},"reward":{input},"response":{{}}}}"#
            )
        };
        let (a, b) = (line(1), line(2));
        let mut table = table(&[&a, &b, &a]);
        table.sort().unwrap();
        let groups: Vec<_> = table.groups().map(|(_, _, _, group)| group).collect();
        let repeats = |group: &[Sample]| group.iter().map(|s| s.repeat).collect::<Vec<_>>();
        assert_eq!((repeats(groups[0]), repeats(groups[1])), (vec![0, 1], vec![0]));
    }
}
