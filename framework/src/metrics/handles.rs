//! The handles that agents, models, environments and the collector record with.
//!
//! Each is made once per component and cloned freely: a clone shares its series. Values of labels
//! that vary from call to call are `&'static str`, so that no text from data can become a label.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::{
    CPU_JOBS, CPU_QUEUE, DATASET_ROWS_REJECTED, MODEL_BREAKER_OPENS, MODEL_BREAKER_STATE,
    MODEL_FIRST_TOKEN, MODEL_IN_FLIGHT, MODEL_REPLICA_IN_FLIGHT, MODEL_REPLICA_REQUESTS,
    MODEL_REQUEST_DURATION, MODEL_REQUESTS, MODEL_RETRIES, MODEL_RETRIES_REFUSED,
    MODEL_SESSIONS_MOVED, MODEL_TOKEN_PREFIX_BREAKS, MODEL_TOKENS, MODEL_WAIT, MODEL_WAITING,
    RECORDS_WRITTEN, REWARD, ROLLOUT_ATTEMPTS, ROLLOUT_DURATION, ROLLOUTS, ROLLOUTS_IN_FLIGHT,
    SERVICE_BREAKER_OPENS, SERVICE_BREAKER_STATE, SERVICE_RETRIES_REFUSED, SESSIONS_EXPIRED,
    SESSIONS_OPEN, TOOL_CALLS, TOOL_DURATION, VERIFY_DURATION, WEB_CACHE_SIZE, WEB_LOOKUPS,
    WEB_REFUSALS, WEB_REQUEST_DURATION, WEB_REQUESTS, family::CounterSet,
};

const SCORED: &str = "scored";
const TRUNCATED: &str = "truncated";
const FAILED: &str = "failed";
const NO_CULPRIT: &str = "none";
const CULPRITS: [&str; 7] =
    [NO_CULPRIT, "model", "environment", "tool", "agent", "verifier", "runtime"];
const CPU_STATUSES: [&str; 3] = ["ok", "crashed", "cancelled"];
const LOOKUP_RESULTS: [&str; 4] = ["hit", "joined", "miss", "late"];
const REFUSAL_REASONS: [&str; 4] = ["scheme", "private", "denied", "not_listed"];
const TOOL_STATUSES: [&str; 4] = ["ok", "error", "crashed", "timeout"];

/// The `tool` label of every call whose name no registered tool has.
///
/// Such names are the model's inventions, without limit to their number.
pub const UNKNOWN_TOOL: &str = "<unknown>";

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

/// What is recorded about the requests to one model.
#[derive(Clone, Debug)]
pub struct ModelMetrics {
    requests: CounterSet,
    retries: CounterSet,
    token_prefix_breaks: Counter,
    duration: Histogram,
    first_token: Histogram,
    tokens_input: Counter,
    tokens_output: Counter,
    in_flight: Gauge,
}

impl ModelMetrics {
    /// Registers the series of this model, named as in the configuration.
    #[must_use]
    pub fn new(model: &str) -> Self {
        let (requested, retried) = (model.to_owned(), model.to_owned());
        Self {
            requests: CounterSet::new(&["ok"], move |status| {
                MODEL_REQUESTS.with([&requested, status])
            }),
            retries: CounterSet::new(&[], move |reason| MODEL_RETRIES.with([&retried, reason])),
            token_prefix_breaks: MODEL_TOKEN_PREFIX_BREAKS.with([model]),
            duration: MODEL_REQUEST_DURATION.with([model]),
            first_token: MODEL_FIRST_TOKEN.with([model]),
            tokens_input: MODEL_TOKENS.with([model, "input"]),
            tokens_output: MODEL_TOKENS.with([model, "output"]),
            in_flight: MODEL_IN_FLIGHT.with([model]),
        }
    }

    /// Counts a request as in flight until the returned guard is dropped.
    pub fn started(&self) -> InFlight {
        InFlight::enter(&self.in_flight)
    }

    /// Records a request that ended: `ok`, or the kind of its failure, and the time it took.
    pub fn request(&self, status: &'static str, duration: Duration) {
        self.requests.increment(status);
        self.duration.record(duration);
    }

    /// Records how long the model took to say the first thing of an answer that is streamed.
    pub fn first_token(&self, after: Duration) {
        self.first_token.record(after);
    }

    /// Adds the tokens of one answer, as the model counted them.
    pub fn tokens(&self, input: u64, output: u64) {
        self.tokens_input.increment(input);
        self.tokens_output.increment(output);
    }

    /// Counts a request that is sent again, and why.
    pub fn retry(&self, reason: &'static str) {
        self.retries.increment(reason);
    }

    /// Counts an answer whose prompt's token ids do not begin with those of the conversation so far.
    pub fn token_prefix_broken(&self) {
        self.token_prefix_breaks.increment(1);
    }
}

/// What is recorded about those who wait for room within a model's limits.
#[derive(Clone, Debug)]
pub(crate) struct WaitMetrics {
    waiting: Gauge,
    waited: Histogram,
}

impl WaitMetrics {
    /// Registers the series of a component that asks this model, both named as in the configuration.
    pub(crate) fn new(model: &str, caller: &str) -> Self {
        let labels = [model, caller];
        Self { waiting: MODEL_WAITING.with(labels), waited: MODEL_WAIT.with(labels) }
    }

    /// Counts a request as waiting until the returned guard is dropped.
    pub(crate) fn enter(&self) -> InFlight {
        InFlight::enter(&self.waiting)
    }

    /// Records how long a request waited, which may be no time at all.
    pub(crate) fn waited(&self, duration: Duration) {
        self.waited.record(duration);
    }
}

/// What is recorded about one replica of a model.
#[derive(Clone, Debug)]
pub(crate) struct ReplicaMetrics {
    requests: CounterSet,
    in_flight: Gauge,
    sessions_moved: Counter,
}

impl ReplicaMetrics {
    /// Registers the series of this replica, named by its address in the configuration.
    pub(crate) fn new(model: &str, replica: &str) -> Self {
        let names = (model.to_owned(), replica.to_owned());
        Self {
            requests: CounterSet::new(&["ok"], move |status| {
                MODEL_REPLICA_REQUESTS.with([&names.0, &names.1, status])
            }),
            in_flight: MODEL_REPLICA_IN_FLIGHT.with([model, replica]),
            sessions_moved: MODEL_SESSIONS_MOVED.with([model, replica]),
        }
    }

    /// Counts a request as sent until the returned guard is dropped.
    pub(crate) fn started(&self) -> InFlight {
        InFlight::enter(&self.in_flight)
    }

    /// Counts a request that ended: `ok`, or the kind of its failure.
    pub(crate) fn request(&self, status: &'static str) {
        self.requests.increment(status);
    }

    /// Counts a session that went elsewhere.
    pub(crate) fn session_moved(&self) {
        self.sessions_moved.increment(1);
    }
}

/// What is recorded about one replica of a model, or about a service that a component asks.
#[derive(Clone, Debug)]
pub(crate) struct EndpointMetrics {
    breaker_state: Gauge,
    breaker_opens: Counter,
    retries_refused: Counter,
}

impl EndpointMetrics {
    /// Registers the series of this replica of a model, named by its address in the configuration.
    pub(crate) fn of_model(model: &str, replica: &str) -> Self {
        let labels = [model, replica];
        Self {
            breaker_state: MODEL_BREAKER_STATE.with(labels),
            breaker_opens: MODEL_BREAKER_OPENS.with(labels),
            retries_refused: MODEL_RETRIES_REFUSED.with(labels),
        }
    }

    /// Registers the series of this service, which the component of this name asks.
    pub(crate) fn of_service(component: &str, service: &str) -> Self {
        Self {
            breaker_state: SERVICE_BREAKER_STATE.with([component, service]),
            breaker_opens: SERVICE_BREAKER_OPENS.with([component, service]),
            retries_refused: SERVICE_RETRIES_REFUSED.with([component, service]),
        }
    }

    /// Sets the state of the breaker: 0 closed, 1 half open, 2 open.
    pub(crate) fn breaker_state(&self, code: u8) {
        self.breaker_state.set(f64::from(code));
    }

    /// Counts that the breaker opened.
    pub(crate) fn breaker_opened(&self) {
        self.breaker_opens.increment(1);
    }

    /// Counts a retry that the budget did not allow.
    pub(crate) fn retry_refused(&self) {
        self.retries_refused.increment(1);
    }
}

/// What is recorded about the calls of one tool.
#[derive(Clone, Debug)]
pub struct ToolMetrics {
    calls: CounterSet,
    duration: Histogram,
}

impl ToolMetrics {
    /// Registers the series of a tool that its environment has registered.
    ///
    /// Never pass a name that came from a model; such calls belong to
    /// [`EnvironmentMetrics::unknown_tool`].
    #[must_use]
    pub fn new(environment: &str, tool: &str) -> Self {
        let names = (environment.to_owned(), tool.to_owned());
        Self {
            calls: CounterSet::new(&TOOL_STATUSES, move |status| {
                TOOL_CALLS.with([&names.0, &names.1, status])
            }),
            duration: TOOL_DURATION.with([environment, tool]),
        }
    }

    /// Records a call: `ok`, `error` (text for the model), `crashed` or `timeout`, and its time.
    pub fn called(&self, status: &'static str, duration: Duration) {
        self.calls.increment(status);
        self.duration.record(duration);
    }
}

/// What is recorded about the sessions of one environment.
#[derive(Clone, Debug)]
pub struct EnvironmentMetrics {
    sessions_open: Gauge,
    sessions_expired: Counter,
    verify_duration: Histogram,
    unknown_tool: ToolMetrics,
}

impl EnvironmentMetrics {
    /// Registers the series of this environment, named as in the configuration.
    #[must_use]
    pub fn new(environment: &str) -> Self {
        Self {
            sessions_open: SESSIONS_OPEN.with([environment]),
            sessions_expired: SESSIONS_EXPIRED.with([environment]),
            verify_duration: VERIFY_DURATION.with([environment]),
            unknown_tool: ToolMetrics::new(environment, UNKNOWN_TOOL),
        }
    }

    /// Counts a session as open until the returned guard, which it keeps, is dropped with it.
    pub fn session_opened(&self) -> InFlight {
        InFlight::enter(&self.sessions_open)
    }

    /// Counts a session that nobody used for too long.
    pub fn session_expired(&self) {
        self.sessions_expired.increment(1);
    }

    /// Records the time that a verification took.
    pub fn verified(&self, duration: Duration) {
        self.verify_duration.record(duration);
    }

    /// The tool that calls of unregistered names are recorded under.
    #[must_use]
    pub fn unknown_tool(&self) -> &ToolMetrics {
        &self.unknown_tool
    }
}

/// What is recorded about the CPU work of one environment.
#[derive(Clone, Debug)]
pub struct CpuMetrics {
    jobs: CounterSet,
    queued: Histogram,
}

impl CpuMetrics {
    /// Registers the series of this environment, named as in the configuration.
    #[must_use]
    pub fn new(environment: &str) -> Self {
        let name = environment.to_owned();
        Self {
            jobs: CounterSet::new(&CPU_STATUSES, move |status| CPU_JOBS.with([&name, status])),
            queued: CPU_QUEUE.with([environment]),
        }
    }

    /// Records how long a job waited for its thread.
    pub fn started(&self, queued: Duration) {
        self.queued.record(queued);
    }

    /// Counts a job that ended: `ok`, `crashed` or `cancelled`.
    pub fn ended(&self, status: &'static str) {
        self.jobs.increment(status);
    }
}

/// What is recorded about what an environment asks of the web.
#[derive(Clone, Debug)]
pub struct WebMetrics {
    requests: CounterSet,
    duration: Histogram,
    lookups: CounterSet,
    cached: Gauge,
    refusals: CounterSet,
}

impl WebMetrics {
    /// Registers the series of this environment, named as in the configuration, and of one of its
    /// services: `search` or `page`.
    #[must_use]
    pub fn new(environment: &str, service: &'static str) -> Self {
        let name = || environment.to_owned();
        let (requested, looked_up, refused) = (name(), name(), name());
        Self {
            requests: CounterSet::new(&["ok"], move |status| {
                WEB_REQUESTS.with([&requested, service, status])
            }),
            duration: WEB_REQUEST_DURATION.with([environment, service]),
            lookups: CounterSet::new(&LOOKUP_RESULTS, move |result| {
                WEB_LOOKUPS.with([&looked_up, service, result])
            }),
            cached: WEB_CACHE_SIZE.with([environment, service]),
            refusals: CounterSet::new(&REFUSAL_REASONS, move |reason| {
                WEB_REFUSALS.with([&refused, reason])
            }),
        }
    }

    /// Records a request that ended: `ok`, or the kind of its failure, and the time it took.
    pub fn request(&self, status: &'static str, duration: Duration) {
        self.requests.increment(status);
        self.duration.record(duration);
    }

    /// Counts what somebody asked for: `hit`, `joined`, `miss` or `late`.
    pub fn lookup(&self, result: &'static str) {
        self.lookups.increment(result);
    }

    /// Sets how many bytes of answers are cached.
    pub fn cached(&self, bytes: u64) {
        self.cached.set(bytes as f64);
    }

    /// Counts a page that was not fetched: `scheme`, `private`, `denied` or `not_listed`.
    pub fn refused(&self, reason: &'static str) {
        self.refusals.increment(reason);
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
