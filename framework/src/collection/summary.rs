//! The closing summary: mean, standard deviation and pass@k of the rewards, per environment.
//!
//! pass@k is the unbiased estimator of Chen et al., "Evaluating Large Language Models Trained on
//! Code" (2021), equation 1, for rewards that are all 0 or 1; for others it is the best of the first
//! k, as NeMo Gym defines it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::task::RolloutKey;

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

/// Collects rewards as they come and summarises them at the end.
#[derive(Debug, Default)]
pub(crate) struct Rewards {
    environments: BTreeMap<String, HashMap<crate::task::TaskId, Vec<(u32, f64)>>>,
}

impl Rewards {
    pub(crate) fn add(&mut self, environment: &str, key: &RolloutKey, reward: f64) {
        if !self.environments.contains_key(environment) {
            self.environments.insert(environment.to_owned(), HashMap::new());
        }
        let tasks = self.environments.get_mut(environment).expect("inserted above");
        tasks.entry(key.task.clone()).or_default().push((key.repeat, reward));
    }

    pub(crate) fn summarise(self) -> BTreeMap<String, EnvironmentSummary> {
        let summarise = |(name, tasks): (String, HashMap<_, Vec<(u32, f64)>>)| {
            let by_repeat = |mut rewards: Vec<(u32, f64)>| {
                rewards.sort_by_key(|(repeat, _)| *repeat);
                rewards.into_iter().map(|(_, reward)| reward).collect::<Vec<_>>()
            };
            let groups: Vec<_> = tasks.into_values().map(by_repeat).collect();
            (name, EnvironmentSummary::of_groups(&groups))
        };
        self.environments.into_iter().map(summarise).collect()
    }
}

impl EnvironmentSummary {
    /// Summarises groups of rewards, one group per task, each in the order of its repeats.
    pub fn of_groups(groups: &[Vec<f64>]) -> Self {
        let rewards: Vec<f64> = groups.iter().flatten().copied().collect();
        let count = rewards.len();
        let mean = if count == 0 { 0.0 } else { rewards.iter().sum::<f64>() / count as f64 };
        let squares: f64 = rewards.iter().map(|reward| (reward - mean).powi(2)).sum();
        let variance = if count > 1 { squares / (count - 1) as f64 } else { 0.0 };
        let longest = groups.iter().map(Vec::len).max().unwrap_or(0);
        Self {
            tasks: groups.iter().filter(|group| !group.is_empty()).count() as u64,
            rollouts: count as u64,
            mean,
            standard_deviation: variance.sqrt(),
            pass_at: (1..=longest).map(|k| pass_at(groups, k)).collect(),
        }
    }
}

/// Mean of pass@k over the tasks with at least k rewards.
fn pass_at(groups: &[Vec<f64>], k: usize) -> f64 {
    let enough = groups.iter().filter(|group| group.len() >= k);
    let (sum, tasks) =
        enough.fold((0.0, 0_u32), |(sum, tasks), group| (sum + group_pass_at(group, k), tasks + 1));
    if tasks == 0 { 0.0 } else { sum / f64::from(tasks) }
}

fn group_pass_at(rewards: &[f64], k: usize) -> f64 {
    let binary = rewards.iter().all(|reward| *reward == 0.0 || *reward == 1.0);
    if !binary {
        return rewards[..k].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    }
    let zeros = rewards.iter().filter(|reward| **reward == 0.0).count();
    if zeros < k {
        return 1.0;
    }
    // 1 − C(zeros, k) / C(n, k), factor by factor.
    let factors = (0..k).map(|i| (zeros - i) as f64 / (rewards.len() - i) as f64);
    1.0 - factors.product::<f64>()
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
        let groups =
            [vec![1.0, 0.0, 0.0, 1.0], vec![0.0, 0.0, 0.0, 0.0], vec![1.0, 1.0, 1.0, 1.0]];
        let summary = EnvironmentSummary::of_groups(&groups);
        assert_close(&summary.pass_at, &[50.0, 61.1111, 66.6667, 66.6667]);
        assert_eq!((summary.tasks, summary.rollouts, summary.mean), (3, 12, 0.5));
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
            rewards.add("e", &RolloutKey { task: "t".into(), repeat }, reward);
        }
        let summary = rewards.summarise();
        assert_close(&summary["e"].pass_at, &[20.0, 80.0, 80.0]);
    }
}
