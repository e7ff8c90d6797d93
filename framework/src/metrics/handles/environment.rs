//! What environments record: tool calls, sessions and verifiers, CPU work, and what they ask of the web.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};

use super::InFlight;
use crate::metrics::family::CounterSet;
use crate::metrics::{
    CPU_JOBS, CPU_QUEUE, SESSIONS_EXPIRED, SESSIONS_OPEN, TOOL_CALLS, TOOL_DURATION,
    VERIFY_DURATION, WEB_CACHE_SIZE, WEB_LOOKUPS, WEB_REFUSALS, WEB_REQUEST_DURATION, WEB_REQUESTS,
};

const CPU_STATUSES: [&str; 3] = ["ok", "crashed", "cancelled"];
const LOOKUP_RESULTS: [&str; 4] = ["hit", "joined", "miss", "late"];
const REFUSAL_REASONS: [&str; 4] = ["scheme", "private", "denied", "not_listed"];
const TOOL_STATUSES: [&str; 4] = ["ok", "error", "crashed", "timeout"];

/// The `tool` label of every call whose name no registered tool has.
///
/// Such names are the model's inventions, without limit to their number.
pub const UNKNOWN_TOOL: &str = "<unknown>";

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
