//! What repeats of tasks say together: pass@k, its average form, majority votes, and how much they
//! vary from run to run.
//!
//! The definitions are NeMo Gym's (`compute_pass_majority_metrics`), and so are the names, so that
//! numbers can be laid beside each other. pass@k of scores that are all 0 or 1 is the unbiased
//! estimator of Chen et al., "Evaluating Large Language Models Trained on Code" (2021), equation 1;
//! of other scores it is the best of the first k.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use serde::Serialize;

use super::spread::{Interval, Moments};

/// The score that every group has: the reward.
pub const REWARD_SCORE: &str = "accuracy";
/// The score that says whether a rollout gave no answer.
pub const NO_ANSWER_SCORE: &str = "no_answer";

/// The rollouts of one task, in the order of their repeats.
#[derive(Clone, Debug, Default)]
pub struct Group {
    /// Per score, by its name: the value of each rollout, where it has one.
    pub scores: BTreeMap<String, Vec<Option<f64>>>,
    /// The answer of each rollout, if answers are known at all: equal numbers are equal answers.
    pub answers: Option<Vec<Option<u32>>>,
}

/// The metrics of many groups.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RepeatMetrics {
    /// By name, such as `pass@4/accuracy`; percentages, but for `…/avg_sample_std_dev`.
    #[serde(flatten)]
    pub metrics: IndexMap<String, f64>,
    /// Per score: the mean over tasks of the n-th rollout, in percent.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub per_sample_aggregate: BTreeMap<String, Vec<f64>>,
    /// 95 % confidence intervals of those that are means over tasks.
    #[serde(skip)]
    pub intervals: IndexMap<String, Interval>,
}

impl Group {
    /// Adds the score that says who gave no answer, if answers are known.
    fn with_no_answer(&self) -> BTreeMap<&str, Vec<Option<f64>>> {
        let scores = self.scores.iter().map(|(name, values)| (name.as_str(), values.clone()));
        let mut scores: BTreeMap<_, _> = scores.collect();
        if let Some(answers) = &self.answers {
            let missing = answers.iter().map(|answer| Some(f64::from(answer.is_none()))).collect();
            scores.insert(NO_ANSWER_SCORE, missing);
        }
        scores
    }
}

/// One task's values of one score.
struct Values<'a> {
    rollouts: Vec<Option<f64>>,
    answers: Option<&'a [Option<u32>]>,
}

impl RepeatMetrics {
    /// The metrics of these groups for each k up to the size of the largest.
    pub fn of(groups: &[Group]) -> Self {
        let mut by_score: BTreeMap<String, Vec<Values<'_>>> = BTreeMap::new();
        for group in groups {
            for (name, rollouts) in group.with_no_answer() {
                let values = Values { rollouts, answers: group.answers.as_deref() };
                by_score.entry(name.to_owned()).or_default().push(values);
            }
        }
        let mut metrics = Self::default();
        for (score, tasks) in &by_score {
            metrics.add_score(score, tasks);
        }
        metrics
    }

    fn add_score(&mut self, score: &str, tasks: &[Values<'_>]) {
        let k_max = tasks.iter().map(|task| task.rollouts.len()).max().unwrap_or(0);
        let per_sample: Vec<f64> = (0..k_max).filter_map(|i| nth_mean(tasks, i)).collect();
        for k in 1..=k_max {
            self.set_mean(format!("pass@{k}/{score}"), tasks, |task| task.pass_at(k));
            let average = format!("pass@1[avg-of-{k}]/{score}");
            self.set_mean(average.clone(), tasks, |task| task.average(k));
            if tasks.iter().any(|task| task.answers.is_some()) {
                self.set_mean(format!("majority@{k}/{score}"), tasks, |task| task.majority(k));
            }
            if k >= 2 && per_sample.len() >= k {
                let deviation = Moments::of(&per_sample[..k]).deviation();
                self.set(format!("{average}/std_dev_across_runs"), deviation);
                let error = deviation.map(|deviation| deviation / (k as f64).sqrt());
                self.set(format!("{average}/std_err_across_runs"), error);
                let within = mean_of(tasks, |task| task.deviation(k));
                self.set(format!("{average}/avg_sample_std_dev"), within);
            }
        }
        self.per_sample_aggregate.insert(score.to_owned(), per_sample);
    }

    /// Sets the mean over tasks, in percent, and how sure it is.
    fn set_mean(
        &mut self,
        name: String,
        tasks: &[Values<'_>],
        value: impl Fn(&Values<'_>) -> Option<f64>,
    ) {
        let moments = Moments::over(tasks.iter().filter_map(value).map(|share| share * 100.0));
        if let Some(interval) = moments.interval() {
            self.intervals.insert(name.clone(), interval);
        }
        self.set(name, moments.mean());
    }

    fn set(&mut self, name: String, value: Option<f64>) {
        if let Some(value) = value {
            self.metrics.insert(name, value);
        }
    }

    /// The names of the scores.
    pub fn scores(&self) -> impl Iterator<Item = &str> {
        self.metrics.keys().filter_map(|name| name.strip_prefix("pass@1/"))
    }

    /// The metrics at the largest k that there is, without those that say how they vary.
    pub fn at_highest_k(&self) -> impl Iterator<Item = (&str, f64)> {
        const SPREADS: [&str; 3] =
            ["/std_dev_across_runs", "/std_err_across_runs", "/avg_sample_std_dev"];
        let highest = self.metrics.keys().filter_map(|name| k_of(name)).max();
        let named = self.metrics.iter().map(|(name, value)| (name.as_str(), *value));
        named.filter(move |(name, _)| {
            k_of(name) == highest && !SPREADS.iter().any(|spread| name.ends_with(spread))
        })
    }
}

/// The k in a metric's name: 4 in `pass@4/accuracy` and in `pass@1[avg-of-4]/accuracy`.
fn k_of(name: &str) -> Option<u32> {
    let (kind, _) = name.split_once('/')?;
    let k = match kind.split_once("[avg-of-") {
        Some((_, k)) => k.strip_suffix(']')?,
        None => kind.split_once('@')?.1,
    };
    k.parse().ok()
}

impl Values<'_> {
    fn first(&self, k: usize) -> impl Iterator<Item = f64> {
        self.rollouts.iter().take(k).copied().flatten()
    }

    /// pass@k; `None` if there are fewer than k values.
    fn pass_at(&self, k: usize) -> Option<f64> {
        let values: Vec<f64> = self.rollouts.iter().copied().flatten().collect();
        (values.len() >= k).then(|| group_pass_at(&values, k))
    }

    fn average(&self, k: usize) -> Option<f64> {
        Moments::over(self.first(k)).mean()
    }

    fn deviation(&self, k: usize) -> Option<f64> {
        Moments::over(self.first(k)).deviation()
    }

    /// The mean score of the pairs of answer and score that come most often; 0 if nobody answers.
    fn majority(&self, k: usize) -> Option<f64> {
        let answers = self.answers?;
        let mut votes: Vec<((u32, f64), u32)> = Vec::new();
        for (answer, score) in answers.iter().zip(&self.rollouts).take(k) {
            let (Some(answer), Some(score)) = (answer, score) else { continue };
            match votes.iter_mut().find(|(pair, _)| *pair == (*answer, *score)) {
                Some((_, count)) => *count += 1,
                None => votes.push(((*answer, *score), 1)),
            }
        }
        let most = votes.iter().map(|(_, count)| *count).max().unwrap_or(0);
        let winners = votes.iter().filter(|(_, count)| *count == most);
        Some(Moments::over(winners.map(|((_, score), _)| *score)).mean().unwrap_or(0.0))
    }
}

fn mean_of(tasks: &[Values<'_>], value: impl Fn(&Values<'_>) -> Option<f64>) -> Option<f64> {
    Moments::over(tasks.iter().filter_map(value)).mean()
}

fn nth_mean(tasks: &[Values<'_>], index: usize) -> Option<f64> {
    let nth = mean_of(tasks, |task| task.rollouts.get(index).copied().flatten());
    nth.map(|mean| mean * 100.0)
}

/// pass@k of one task's values, of which there are at least k.
pub(crate) fn group_pass_at(values: &[f64], k: usize) -> f64 {
    let binary = values.iter().all(|value| *value == 0.0 || *value == 1.0);
    if !binary {
        return values[..k].iter().copied().fold(f64::NEG_INFINITY, f64::max);
    }
    let zeros = values.iter().filter(|value| **value == 0.0).count();
    if zeros < k {
        return 1.0;
    }
    // 1 − C(zeros, k) / C(n, k), factor by factor.
    let factors = (0..k).map(|i| (zeros - i) as f64 / (values.len() - i) as f64);
    1.0 - factors.product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(rewards: &[f64], answers: Option<&str>) -> Group {
        let scores = rewards.iter().copied().map(Some).collect();
        let answers = answers.map(|answers| {
            answers.chars().map(|c| (c != '-').then_some(u32::from(c))).collect::<Vec<_>>()
        });
        Group { scores: BTreeMap::from([(REWARD_SCORE.to_owned(), scores)]), answers }
    }

    fn assert_close(metrics: &RepeatMetrics, name: &str, expected: f64) {
        let actual = metrics.metrics.get(name);
        let actual = actual.unwrap_or_else(|| panic!("no `{name}` in {metrics:?}"));
        assert!((actual - expected).abs() < 5e-5, "{name}: {actual} is not {expected}");
    }

    fn answered() -> RepeatMetrics {
        RepeatMetrics::of(&[
            group(&[1.0, 0.0, 0.0, 1.0], Some("xyyx")),
            group(&[0.0; 4], Some("-zww")),
            group(&[1.0; 4], Some("qqq-")),
        ])
    }

    #[test]
    fn binary_rewards_with_answers_get_the_known_values() {
        let metrics = answered();
        let rows = [
            (1, [50.0, 66.6667, 66.6667, 16.6667, 33.3333]),
            (2, [61.1111, 50.0, 50.0, 33.3333, 16.6667]),
            (3, [66.6667, 44.4444, 33.3333, 50.0, 11.1111]),
            (4, [66.6667, 50.0, 50.0, 66.6667, 16.6667]),
        ];
        for (k, [pass, average, majority, no_answer, no_answer_average]) in rows {
            assert_close(&metrics, &format!("pass@{k}/accuracy"), pass);
            assert_close(&metrics, &format!("pass@1[avg-of-{k}]/accuracy"), average);
            assert_close(&metrics, &format!("majority@{k}/accuracy"), majority);
            assert_close(&metrics, &format!("majority@{k}/no_answer"), 0.0);
            assert_close(&metrics, &format!("pass@{k}/no_answer"), no_answer);
            assert_close(&metrics, &format!("pass@1[avg-of-{k}]/no_answer"), no_answer_average);
        }
    }

    #[test]
    fn the_spread_across_runs_gets_the_known_values() {
        let metrics = answered();
        let rows = [
            (2, [23.5702, 16.6667, 0.235_702]),
            (3, [19.2450, 11.1111, 0.192_450]),
            (4, [19.2450, 9.6225, 0.192_450]),
        ];
        for (k, [deviation, error, within]) in rows {
            let average = format!("pass@1[avg-of-{k}]/accuracy");
            assert_close(&metrics, &format!("{average}/std_dev_across_runs"), deviation);
            assert_close(&metrics, &format!("{average}/std_err_across_runs"), error);
            assert_close(&metrics, &format!("{average}/avg_sample_std_dev"), within);
        }
        assert_close(&metrics, "pass@1[avg-of-4]/no_answer/avg_sample_std_dev", 0.333_333);
        assert_close(&metrics, "pass@1[avg-of-2]/no_answer/avg_sample_std_dev", 0.235_702);
        assert!(!metrics.metrics.contains_key("pass@1[avg-of-1]/accuracy/std_dev_across_runs"));
        let samples: Vec<_> = metrics.per_sample_aggregate["accuracy"]
            .iter()
            .map(|mean| (mean * 1e4).round() / 1e4)
            .collect();
        assert_eq!(samples, [66.6667, 33.3333, 33.3333, 66.6667]);
    }

    #[test]
    fn ragged_rewards_that_are_not_binary_get_the_known_values() {
        let metrics = RepeatMetrics::of(&[group(&[0.2, 0.8, 0.5], None), group(&[0.1], None)]);
        for (name, expected) in [
            ("pass@1/accuracy", 15.0),
            ("pass@2/accuracy", 80.0),
            ("pass@3/accuracy", 80.0),
            ("pass@1[avg-of-1]/accuracy", 15.0),
            ("pass@1[avg-of-2]/accuracy", 30.0),
            ("pass@1[avg-of-3]/accuracy", 30.0),
            ("pass@1[avg-of-2]/accuracy/std_dev_across_runs", 45.961_941),
            ("pass@1[avg-of-3]/accuracy/std_dev_across_runs", 32.532_035),
            ("pass@1[avg-of-2]/accuracy/std_err_across_runs", 32.5),
            ("pass@1[avg-of-3]/accuracy/std_err_across_runs", 18.782_379),
        ] {
            assert_close(&metrics, name, expected);
        }
        let samples = &metrics.per_sample_aggregate["accuracy"];
        assert_eq!(samples.iter().map(|mean| mean.round()).collect::<Vec<_>>(), [15.0, 80.0, 50.0]);
        assert!(!metrics.metrics.keys().any(|name| name.starts_with("majority")));
    }

    #[test]
    fn the_highest_k_leaves_out_what_only_says_how_it_varies() {
        let metrics = RepeatMetrics::of(&[group(&[0.2, 0.8, 0.5], None), group(&[0.1], None)]);
        let highest: Vec<_> = metrics.at_highest_k().map(|(name, _)| name).collect();
        assert_eq!(highest, ["pass@3/accuracy", "pass@1[avg-of-3]/accuracy"]);
    }

    #[test]
    fn one_answer_with_two_scores_competes_with_itself() {
        let metrics = RepeatMetrics::of(&[group(&[1.0, 0.0, 0.5], Some("aab"))]);
        assert_close(&metrics, "majority@2/accuracy", 50.0);
        assert_close(&metrics, "majority@3/accuracy", 50.0);
    }

    #[test]
    fn nothing_comes_of_nothing() {
        assert_eq!(RepeatMetrics::of(&[]), RepeatMetrics::default());
        assert_eq!(RepeatMetrics::of(&[Group::default()]), RepeatMetrics::default());
    }
}
