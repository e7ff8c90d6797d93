//! The closing summary: mean, standard deviation and pass@k of the rewards, per environment.
//!
//! pass@k is that of [`profile::repeats`](crate::profile::repeats), as a share; `rehearsal profile` says
//! more about the same rollouts.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::profile::repeats::group_pass_at;
use crate::profile::spread::Moments;
use crate::task::{RolloutKey, TaskId};

/// What a collection came to.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Summary {
    /// Rewards per environment, by name.
    pub environments: BTreeMap<String, EnvironmentSummary>,
    /// Rollouts with a reward that this run added.
    pub scored: u64,
    /// Of those, rollouts that a limit cut short.
    pub truncated: u64,
    /// Rollouts given up, by culprit.
    pub failed: BTreeMap<&'static str, u64>,
    /// Rollouts found in the output of an earlier run.
    pub kept: u64,
    /// Malformed rows left out.
    pub rejected: u64,
    /// Seconds from start to end.
    pub seconds: f64,
    /// Whether it was ended early.
    pub cancelled: bool,
}

impl Summary {
    /// Rollouts given up.
    pub fn failures(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// The rewards of one environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct EnvironmentSummary {
    /// Tasks with at least one reward.
    pub tasks: u64,
    /// Rewards.
    pub rollouts: u64,
    /// Their mean.
    pub mean: f64,
    /// Their sample standard deviation (n − 1); 0 for a single one.
    pub standard_deviation: f64,
    /// pass@k for k = 1, 2, …, as a share of the tasks that have at least k rewards.
    pub pass_at: Vec<f64>,
}

/// Collects rewards as they come and summarises them at the end. Only tasks with rollouts still to
/// come are in memory.
#[derive(Debug, Default)]
pub(crate) struct Rewards {
    environments: BTreeMap<String, Groups>,
}

#[derive(Debug, Default)]
struct Groups {
    open: HashMap<TaskId, Vec<(u32, f64)>>,
    closed: Accumulator,
}

impl Rewards {
    /// Adds a reward; a task's group is closed once it has `repeats` of them.
    pub(crate) fn add(&mut self, environment: &str, key: &RolloutKey, reward: f64, repeats: u32) {
        if !self.environments.contains_key(environment) {
            self.environments.insert(environment.to_owned(), Groups::default());
        }
        let groups = self.environments.get_mut(environment).expect("inserted above");
        let group = groups.open.entry(key.task.clone()).or_default();
        group.push((key.repeat, reward));
        if group.len() >= repeats as usize
            && let Some(group) = groups.open.remove(&key.task)
        {
            groups.closed.add(&in_order(group));
        }
    }

    pub(crate) fn summarise(self) -> BTreeMap<String, EnvironmentSummary> {
        let summarise = |(name, mut groups): (String, Groups)| {
            // In their order, so that the same rewards come to the same numbers to the last digit.
            let open: BTreeMap<_, _> = groups.open.into_iter().collect();
            for group in open.into_values() {
                groups.closed.add(&in_order(group));
            }
            (name, groups.closed.summarise())
        };
        self.environments.into_iter().map(summarise).collect()
    }
}

fn in_order(mut group: Vec<(u32, f64)>) -> Vec<f64> {
    group.sort_by_key(|(repeat, _)| *repeat);
    group.into_iter().map(|(_, reward)| reward).collect()
}

/// Running sums over the groups that are complete.
#[derive(Debug, Default)]
struct Accumulator {
    tasks: u64,
    rewards: Moments,
    /// Per k: the sum of pass@k, and over how many tasks.
    pass: Vec<(f64, u64)>,
}

impl Accumulator {
    /// Adds one task's rewards, in the order of their repeats.
    fn add(&mut self, rewards: &[f64]) {
        self.tasks += u64::from(!rewards.is_empty());
        rewards.iter().for_each(|reward| self.rewards.add(*reward));
        if self.pass.len() < rewards.len() {
            self.pass.resize(rewards.len(), (0.0, 0));
        }
        for (index, (sum, tasks)) in self.pass.iter_mut().enumerate().take(rewards.len()) {
            *sum += group_pass_at(rewards, index + 1);
            *tasks += 1;
        }
    }

    fn summarise(self) -> EnvironmentSummary {
        EnvironmentSummary {
            tasks: self.tasks,
            rollouts: self.rewards.count(),
            mean: self.rewards.mean().unwrap_or(0.0),
            standard_deviation: self.rewards.deviation().unwrap_or(0.0),
            pass_at: self.pass.into_iter().map(|(sum, tasks)| sum / tasks as f64).collect(),
        }
    }
}

impl EnvironmentSummary {
    /// Summarises groups of rewards, one group per task, each in the order of its repeats.
    pub fn of_groups(groups: &[Vec<f64>]) -> Self {
        let mut accumulator = Accumulator::default();
        for group in groups {
            accumulator.add(group);
        }
        accumulator.summarise()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_close(actual: &[f64], expected: &[f64]) {
        assert_eq!(actual.len(), expected.len());
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual * 100.0 - expected).abs() < 1e-4, "{actual} is not {expected} %");
        }
    }

    #[test]
    fn pass_at_k_of_binary_rewards_is_the_unbiased_estimate() {
        let groups = [vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 0.0, 0.0, 0.0], vec![1.0, 1.0, 1.0, 1.0]];
        let summary = EnvironmentSummary::of_groups(&groups);
        assert_close(&summary.pass_at, &[50.0, 61.1111, 66.6667, 66.6667]);
        assert_eq!((summary.tasks, summary.rollouts), (3, 12));
        assert!((summary.mean - 0.5).abs() < 1e-12);
    }

    #[test]
    fn pass_at_k_of_other_rewards_is_the_best_of_the_first_k() {
        let summary = EnvironmentSummary::of_groups(&[vec![0.2, 0.8, 0.5], vec![0.1]]);
        assert_close(&summary.pass_at, &[15.0, 80.0, 80.0]);
    }

    #[test]
    fn a_single_reward_has_no_deviation() {
        let summary = EnvironmentSummary::of_groups(&[vec![1.0]]);
        assert_eq!((summary.mean, summary.standard_deviation), (1.0, 0.0));
        assert_eq!(EnvironmentSummary::of_groups(&[]), EnvironmentSummary::default());
    }

    #[test]
    fn repeats_count_in_their_order_whenever_they_end() {
        let mut rewards = Rewards::default();
        for (repeat, reward) in [(2, 0.5), (0, 0.2), (1, 0.8)] {
            rewards.add("e", &RolloutKey { task: "t".into(), repeat }, reward, 3);
        }
        assert!(rewards.environments["e"].open.is_empty());
        let summary = rewards.summarise();
        assert_close(&summary["e"].pass_at, &[20.0, 80.0, 80.0]);
    }
}
