//! The handles that agents, models, environments and the collector record with.
//!
//! Each is made once per component and cloned freely: a clone shares its series. Values of labels
//! that vary from call to call are `&'static str`, so that no text from data can become a label.

mod environment;
mod model;

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

pub use environment::{CpuMetrics, EnvironmentMetrics, ToolMetrics, UNKNOWN_TOOL, WebMetrics};
pub use model::ModelMetrics;
pub(crate) use model::{EndpointMetrics, ReplicaMetrics, WaitMetrics};

use super::family::CounterSet;
use super::{
    DATASET_ROWS_REJECTED, RECORDS_WRITTEN, REWARD, ROLLOUT_ATTEMPTS, ROLLOUT_DURATION, ROLLOUTS,
    ROLLOUTS_IN_FLIGHT,
};

const SCORED: &str = "scored";
const TRUNCATED: &str = "truncated";
const FAILED: &str = "failed";
const NO_CULPRIT: &str = "none";
const CULPRITS: [&str; 7] =
    [NO_CULPRIT, "model", "environment", "tool", "agent", "verifier", "runtime"];

/// Counts one thing in flight for as long as it lives: one more when made, one less on drop.
///
/// A panic or a cancelled future drops it too, so the gauge cannot drift.
#[derive(Debug)]
#[must_use = "dropping it at once says that the work is over"]
pub struct InFlight {
    gauge: Gauge,
}

impl InFlight {
    pub(super) fn enter(gauge: &Gauge) -> Self {
        gauge.increment(1.0);
        Self { gauge: gauge.clone() }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.gauge.decrement(1.0);
    }
}

/// What is recorded about the rollouts of one agent in one environment.
#[derive(Clone, Debug)]
pub struct RolloutMetrics {
    ended: CounterSet,
    attempts: CounterSet,
    duration: Histogram,
    in_flight: Gauge,
    reward: Histogram,
}

impl RolloutMetrics {
    /// Registers the series of this agent and environment, both named as in the configuration.
    #[must_use]
    pub fn new(agent: &str, environment: &str) -> Self {
        let names = (agent.to_owned(), environment.to_owned());
        Self {
            ended: CounterSet::new(&[SCORED, TRUNCATED, FAILED], move |outcome| {
                ROLLOUTS.with([&names.0, &names.1, outcome])
            }),
            attempts: CounterSet::new(&CULPRITS, |culprit| ROLLOUT_ATTEMPTS.with([culprit])),
            duration: ROLLOUT_DURATION.with([agent, environment]),
            in_flight: ROLLOUTS_IN_FLIGHT.with([]),
            reward: REWARD.with([environment]),
        }
    }

    /// Counts a rollout as in flight until the returned guard is dropped.
    pub fn started(&self) -> InFlight {
        InFlight::enter(&self.in_flight)
    }

    /// Records the end of a rollout with its outcome (`scored`, `truncated` or `failed`), the
    /// time it took over all attempts and, if it has one, its reward.
    ///
    /// A rollout that did not fail ended in one good attempt, which this counts as well; failed
    /// attempts are the business of [`attempt_failed`](Self::attempt_failed). A reward that is
    /// not finite is left out: it would make the sum of the histogram useless for good.
    pub fn finished(&self, outcome: &'static str, duration: Duration, reward: Option<f64>) {
        self.ended.increment(outcome);
        self.duration.record(duration);
        if let Some(reward) = reward.filter(|reward| reward.is_finite()) {
            self.reward.record(reward);
        }
        if [SCORED, TRUNCATED].contains(&outcome) {
            self.attempts.increment(NO_CULPRIT);
        }
    }

    /// Counts a failed attempt, the last one of a failed rollout included, under its culprit.
    pub fn attempt_failed(&self, culprit: &'static str) {
        self.attempts.increment(culprit);
    }
}

/// What is recorded about reading tasks and writing records.
#[derive(Clone, Debug)]
pub struct CollectionMetrics {
    records_written: Counter,
    rows_rejected: Counter,
}

impl CollectionMetrics {
    /// Registers the series of the collection; there is one per process.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "`new` registers series, which has an effect")]
    pub fn new() -> Self {
        Self {
            records_written: RECORDS_WRITTEN.with([]),
            rows_rejected: DATASET_ROWS_REJECTED.with([]),
        }
    }

    /// Adds to the records written.
    pub fn records_written(&self, records: u64) {
        self.records_written.increment(records);
    }

    /// Adds to the dataset rows rejected.
    pub fn rows_rejected(&self, rows: u64) {
        self.rows_rejected.increment(rows);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use metrics_exporter_prometheus::PrometheusRecorder;

    use super::*;
    use crate::metrics::exporter;

    const SECOND: Duration = Duration::from_secs(1);

    /// Makes a handle that records into the recorder, which is not the global one.
    fn made<T>(make: impl FnOnce() -> T) -> (PrometheusRecorder, T) {
        let recorder = exporter::recorder();
        let handle = metrics::with_local_recorder(&recorder, make);
        (recorder, handle)
    }

    #[track_caller]
    fn assert_shows(recorder: &PrometheusRecorder, lines: &[&str]) {
        let text = recorder.handle().render();
        for line in lines {
            assert!(text.lines().any(|shown| shown == *line), "no `{line}` in:\n{text}");
        }
    }

    #[test]
    fn known_outcomes_and_culprits_start_at_zero() {
        let (recorder, _rollouts) = made(|| RolloutMetrics::new("solver", "weather"));
        assert_shows(
            &recorder,
            &[
                r#"rehearsal_rollouts_total{agent="solver",environment="weather",outcome="failed"} 0"#,
                r#"rehearsal_rollout_attempts_total{culprit="verifier"} 0"#,
                "rehearsal_rollouts_in_flight 0",
            ],
        );
    }

    #[test]
    fn a_good_rollout_counts_one_good_attempt() {
        let (recorder, rollouts) = made(|| RolloutMetrics::new("solver", "weather"));
        rollouts.attempt_failed("model");
        rollouts.finished("scored", SECOND, Some(1.0));
        rollouts.finished("truncated", SECOND, None);
        assert_shows(
            &recorder,
            &[
                r#"rehearsal_rollout_attempts_total{culprit="none"} 2"#,
                r#"rehearsal_rollout_attempts_total{culprit="model"} 1"#,
                r#"rehearsal_reward_count{environment="weather"} 1"#,
            ],
        );
    }

    #[test]
    fn a_failed_rollout_has_no_good_attempt_and_no_reward() {
        let (recorder, rollouts) = made(|| RolloutMetrics::new("solver", "weather"));
        rollouts.attempt_failed("environment");
        rollouts.finished("failed", SECOND, None);
        assert_shows(
            &recorder,
            &[
                r#"rehearsal_rollouts_total{agent="solver",environment="weather",outcome="failed"} 1"#,
                r#"rehearsal_rollout_attempts_total{culprit="none"} 0"#,
                r#"rehearsal_reward_count{environment="weather"} 0"#,
            ],
        );
    }

    #[test]
    fn rewards_fall_into_steps_of_a_tenth() {
        let (recorder, rollouts) = made(|| RolloutMetrics::new("solver", "weather"));
        for reward in [-1.0, 0.0, 0.25, f64::NAN] {
            rollouts.finished("scored", SECOND, Some(reward));
        }
        assert_shows(
            &recorder,
            &[
                r#"rehearsal_reward_bucket{environment="weather",le="-1"} 1"#,
                r#"rehearsal_reward_bucket{environment="weather",le="-0.1"} 1"#,
                r#"rehearsal_reward_bucket{environment="weather",le="0"} 2"#,
                r#"rehearsal_reward_bucket{environment="weather",le="0.2"} 2"#,
                r#"rehearsal_reward_bucket{environment="weather",le="0.3"} 3"#,
                r#"rehearsal_reward_sum{environment="weather"} -0.75"#,
            ],
        );
    }

    #[test]
    fn a_guard_counts_until_it_is_dropped() {
        let (recorder, model) = made(|| ModelMetrics::new("policy"));
        let first = model.started();
        let second = model.clone().started();
        assert_shows(&recorder, &[r#"rehearsal_model_in_flight{model="policy"} 2"#]);
        drop(first);
        assert_shows(&recorder, &[r#"rehearsal_model_in_flight{model="policy"} 1"#]);
        drop(second);
        assert_shows(&recorder, &[r#"rehearsal_model_in_flight{model="policy"} 0"#]);
    }

    #[test]
    fn a_panic_closes_its_session_in_the_gauge() {
        let (recorder, environment) = made(|| EnvironmentMetrics::new("weather"));
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            let _open = environment.session_opened();
            panic!("the session crashed");
        }));
        assert!(crashed.is_err());
        assert_shows(&recorder, &[r#"rehearsal_sessions_open{environment="weather"} 0"#]);
    }

    #[test]
    fn tokens_are_counted_by_direction() {
        let (recorder, model) = made(|| ModelMetrics::new("policy"));
        model.tokens(7, 2);
        model.tokens(1, 1);
        assert_shows(
            &recorder,
            &[
                r#"rehearsal_model_tokens_total{model="policy",direction="input"} 8"#,
                r#"rehearsal_model_tokens_total{model="policy",direction="output"} 3"#,
            ],
        );
    }

    #[test]
    fn a_status_that_was_not_foreseen_gets_its_own_series() {
        let recorder = exporter::recorder();
        metrics::with_local_recorder(&recorder, || {
            let model = ModelMetrics::new("policy");
            model.request("rate_limited", SECOND);
            model.request("rate_limited", SECOND);
        });
        let expected = r#"rehearsal_model_requests_total{model="policy",status="rate_limited"} 2"#;
        assert_shows(&recorder, &[expected]);
    }

    #[test]
    fn invented_tool_names_share_one_series() {
        let (recorder, environment) = made(|| EnvironmentMetrics::new("weather"));
        environment.unknown_tool().called("error", SECOND);
        environment.unknown_tool().called("error", SECOND);
        let expected = concat!(
            r#"rehearsal_tool_calls_total{environment="weather",tool="<unknown>","#,
            r#"status="error"} 2"#
        );
        assert_shows(&recorder, &[expected]);
    }

    #[test]
    fn a_handle_without_a_recorder_records_nowhere() {
        let noop = metrics::NoopRecorder;
        let tool = metrics::with_local_recorder(&noop, || ToolMetrics::new("weather", "forecast"));
        tool.called("ok", SECOND);
    }
}
