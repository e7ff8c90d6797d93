//! The handles that agents, models, environments and the collector record with.
//!
//! Each is made once per component and cloned freely: a clone shares its series. Values of labels
//! that vary from call to call are `&'static str`, so that no text from data can become a label.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::{
    DATASET_ROWS_REJECTED, MODEL_IN_FLIGHT, MODEL_REQUEST_DURATION, MODEL_REQUESTS, MODEL_RETRIES,
    MODEL_TOKENS, RECORDS_WRITTEN, REWARD, ROLLOUT_ATTEMPTS, ROLLOUT_DURATION, ROLLOUTS,
    ROLLOUTS_IN_FLIGHT, SESSIONS_OPEN, TOOL_CALLS, TOOL_DURATION, VERIFY_DURATION, WORKER_KILLS,
    family::CounterSet,
};

const SCORED: &str = "scored";
const TRUNCATED: &str = "truncated";
const FAILED: &str = "failed";
const NO_CULPRIT: &str = "none";
const CULPRITS: [&str; 7] =
    [NO_CULPRIT, "model", "environment", "tool", "agent", "verifier", "runtime"];
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
    fn enter(gauge: &Gauge) -> Self {
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
    duration: Histogram,
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
            duration: MODEL_REQUEST_DURATION.with([model]),
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

    /// Adds the tokens of one answer, as the model counted them.
    pub fn tokens(&self, input: u64, output: u64) {
        self.tokens_input.increment(input);
        self.tokens_output.increment(output);
    }

    /// Counts a request that is sent again, and why.
    pub fn retry(&self, reason: &'static str) {
        self.retries.increment(reason);
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
    verify_duration: Histogram,
    unknown_tool: ToolMetrics,
}

impl EnvironmentMetrics {
    /// Registers the series of this environment, named as in the configuration.
    #[must_use]
    pub fn new(environment: &str) -> Self {
        Self {
            sessions_open: SESSIONS_OPEN.with([environment]),
            verify_duration: VERIFY_DURATION.with([environment]),
            unknown_tool: ToolMetrics::new(environment, UNKNOWN_TOOL),
        }
    }

    /// Counts a session as open until the returned guard, which it keeps, is dropped with it.
    pub fn session_opened(&self) -> InFlight {
        InFlight::enter(&self.sessions_open)
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

/// Counts a worker process of the pool that was killed, and why.
pub fn worker_killed(pool: &str, reason: &'static str) {
    WORKER_KILLS.with([pool, reason]).increment(1);
}
