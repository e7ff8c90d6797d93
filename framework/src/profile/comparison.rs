//! Whether two runs over the same tasks differ by more than noise, and where.
//!
//! Tasks are paired, since what makes a task hard is hard in both runs: the test is on the tasks'
//! differences of mean reward. Its p-value is that of the paired sign-flip test (Fisher, "The Design
//! of Experiments", 1935): how often differences as large come about if each could as well have had
//! the other sign. Up to 13 tasks it is exact, up to 1,000 it is sampled, beyond it is the normal
//! distribution's.

use std::collections::{BTreeMap, HashMap};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;

use super::spread::{Interval, Moments};
use super::{AgentProfile, RunProfile};

/// Tasks whose signs are flipped in all ways: 8,192 of them.
const EXACT_MAX: usize = 13;
/// Tasks whose signs are flipped at random.
const SAMPLED_MAX: usize = 1_000;
/// How often.
const FLIPS: u32 = 10_000;
/// Rounding makes equal sums differ by no more.
const ROUNDING: f64 = 1e-12;

/// Two runs beside each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// By the agent's name in the later run.
    pub agents: BTreeMap<String, AgentComparison>,
    /// Agents that only one run has.
    pub unpaired: Vec<String>,
}

/// What changed for one agent, from the earlier run to the later one.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AgentComparison {
    /// Tasks that both runs have.
    pub tasks: u64,
    /// Tasks that only the earlier run has.
    pub only_before: u64,
    /// Tasks that only the later run has.
    pub only_after: u64,
    /// Mean reward of these tasks in the earlier run, each task counting the same.
    pub before: f64,
    /// The same in the later run.
    pub after: f64,
    /// The difference.
    pub difference: f64,
    /// Its 95 % confidence interval, with more than one task.
    pub interval: Option<Interval>,
    /// How often chance alone does as much; without a task, 1.
    pub p_value: f64,
    /// Tasks that got better.
    pub better: u64,
    /// Tasks that got worse.
    pub worse: u64,
    /// The tasks that changed, those that changed most first.
    pub changes: Vec<TaskChange>,
}

/// A task whose mean reward changed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskChange {
    /// The task.
    pub task: String,
    /// Its mean reward in the earlier run, and of how many rollouts.
    pub before: (f64, usize),
    /// The same in the later run.
    pub after: (f64, usize),
}

impl Comparison {
    /// Pairs agents by name (or, if each run has one only, these), and their tasks by dataset and line.
    pub fn of(before: &RunProfile, after: &RunProfile) -> Self {
        let mut comparison = Self::default();
        if let (1, 1, Some((old_name, old)), Some((new_name, new))) = (
            before.agents.len(),
            after.agents.len(),
            before.agents.iter().next(),
            after.agents.iter().next(),
        ) {
            let compared = AgentComparison::of((old_name, old), (new_name, new));
            comparison.agents.insert(new_name.clone(), compared);
            return comparison;
        }
        for (name, new) in &after.agents {
            match before.agents.get(name) {
                Some(old) => {
                    let compared = AgentComparison::of((name, old), (name, new));
                    comparison.agents.insert(name.clone(), compared);
                }
                None => comparison.unpaired.push(name.clone()),
            }
        }
        let gone = before.agents.keys().filter(|name| !after.agents.contains_key(*name));
        comparison.unpaired.extend(gone.cloned());
        comparison
    }
}

impl AgentComparison {
    fn of((old_name, old): (&str, &AgentProfile), (new_name, new): (&str, &AgentProfile)) -> Self {
        let mut earlier: HashMap<&str, (f64, usize)> = HashMap::new();
        for (task, mean, count) in old.task_means() {
            earlier.insert(without_agent(task, old_name), (mean, count));
        }
        let mut pairs = Vec::new();
        let mut only_after = 0;
        for (task, mean, count) in new.task_means() {
            let task = without_agent(task, new_name);
            match earlier.remove(task) {
                Some(before) => {
                    pairs.push(TaskChange { task: task.to_owned(), before, after: (mean, count) });
                }
                None => only_after += 1,
            }
        }
        Self { only_before: earlier.len() as u64, only_after, ..Self::of_pairs(pairs) }
    }

    fn of_pairs(pairs: Vec<TaskChange>) -> Self {
        let differences: Vec<f64> = pairs.iter().map(TaskChange::difference).collect();
        let moments = Moments::of(&differences);
        let mean = |value: fn(&TaskChange) -> f64| {
            Moments::over(pairs.iter().map(value)).mean().unwrap_or(0.0)
        };
        let count = |is: fn(f64) -> bool| differences.iter().filter(|d| is(**d)).count() as u64;
        Self {
            tasks: moments.count(),
            only_before: 0,
            only_after: 0,
            before: mean(|pair| pair.before.0),
            after: mean(|pair| pair.after.0),
            difference: moments.mean().unwrap_or(0.0),
            interval: moments.interval(),
            p_value: p_value(&differences),
            better: count(|difference| difference > ROUNDING),
            worse: count(|difference| difference < -ROUNDING),
            changes: changed(pairs),
        }
    }

    /// Whether chance alone does as much in less than one of twenty cases.
    pub fn is_significant(&self) -> bool {
        self.p_value < 0.05
    }
}

impl TaskChange {
    /// By how much the mean reward grew.
    pub fn difference(&self) -> f64 {
        self.after.0 - self.before.0
    }
}

fn changed(mut pairs: Vec<TaskChange>) -> Vec<TaskChange> {
    pairs.retain(|pair| pair.difference().abs() > ROUNDING);
    pairs.sort_by(|a, b| {
        let by_size = b.difference().abs().total_cmp(&a.difference().abs());
        by_size.then_with(|| a.task.cmp(&b.task))
    });
    pairs
}

/// `solver/example/3` is line 3 of `example`, whoever solves it.
fn without_agent<'a>(task: &'a str, agent: &str) -> &'a str {
    task.strip_prefix(agent).and_then(|rest| rest.strip_prefix('/')).unwrap_or(task)
}

/// Two-sided.
fn p_value(differences: &[f64]) -> f64 {
    let observed = differences.iter().sum::<f64>().abs();
    let spread = differences.iter().map(|d| d * d).sum::<f64>().sqrt();
    if spread == 0.0 {
        return 1.0;
    }
    let reaches = |sum: f64| sum.abs() >= observed - ROUNDING;
    let count = differences.len();
    if count <= EXACT_MAX {
        let flipped = |signs: u32| -> f64 {
            let signed = differences.iter().enumerate();
            signed.map(|(i, d)| if signs >> i & 1 == 1 { -d } else { *d }).sum()
        };
        let ways = 1_u32 << count;
        let as_large = (0..ways).filter(|signs| reaches(flipped(*signs))).count();
        return as_large as f64 / f64::from(ways);
    }
    if count <= SAMPLED_MAX {
        let mut random = StdRng::seed_from_u64(0);
        let mut flipped =
            || differences.iter().map(|d| if random.random() { *d } else { -d }).sum::<f64>();
        let as_large = (0..FLIPS).filter(|_| reaches(flipped())).count();
        return (as_large + 1) as f64 / f64::from(FLIPS + 1);
    }
    libm::erfc(observed / spread / 2_f64.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(task: &str, before: f64, after: f64) -> TaskChange {
        TaskChange { task: task.to_owned(), before: (before, 4), after: (after, 4) }
    }

    #[test]
    fn tasks_that_all_get_better_are_more_than_noise() {
        let pairs = (0..8).map(|i| pair(&i.to_string(), 0.0, 0.5 + f64::from(i) / 100.0));
        let compared = AgentComparison::of_pairs(pairs.collect());
        assert_eq!((compared.better, compared.worse), (8, 0));
        assert!((compared.p_value - 2.0 / 256.0).abs() < 1e-12);
        assert!(compared.is_significant());
        assert_eq!(compared.changes[0].task, "7");
    }

    #[test]
    fn as_many_better_as_worse_is_noise() {
        let pairs = (0..10).map(|i| pair(&i.to_string(), 0.5, f64::from(i % 2)));
        let compared = AgentComparison::of_pairs(pairs.collect());
        assert_eq!((compared.better, compared.worse), (5, 5));
        assert!(compared.difference.abs() < 1e-12);
        assert!((compared.p_value - 1.0).abs() < 1e-12);
    }

    #[test]
    fn runs_that_are_equal_do_not_differ() {
        for count in [0, 1, 5, 100, 2000] {
            let pairs = (0..count).map(|i| pair(&i.to_string(), 0.3, 0.3)).collect();
            let compared = AgentComparison::of_pairs(pairs);
            assert_eq!((compared.p_value, compared.changes.len()), (1.0, 0), "{count}");
        }
    }

    #[test]
    fn a_task_is_the_same_under_another_agent() {
        assert_eq!(without_agent("solver/example/3", "solver"), "example/3");
        assert_eq!(without_agent("solver2/example/3", "solver"), "solver2/example/3");
        assert_eq!(without_agent("17", "solver"), "17");
    }

    #[test]
    fn the_ways_to_a_p_value_agree() {
        let mut random = StdRng::seed_from_u64(7);
        for _ in 0..5 {
            let exact: Vec<f64> = (0..EXACT_MAX).map(|_| random.random_range(-1.0..1.2)).collect();
            let sampled: Vec<f64> = exact.iter().copied().chain([0.0]).collect();
            assert!((p_value(&exact) - p_value(&sampled)).abs() < 0.03);
        }
        let many: Vec<f64> = (0..SAMPLED_MAX).map(|_| random.random_range(-1.0..1.05)).collect();
        let more: Vec<f64> = many.iter().copied().chain([0.0]).collect();
        assert!((p_value(&many) - p_value(&more)).abs() < 0.03);
    }
}
