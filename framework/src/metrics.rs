//! Every metric of Rehearsal: its name, labels, unit, buckets and meaning, behind typed handles.
//!
//! One file, because a name is an interface that dashboards and alerts depend on, and a list read
//! at one glance stays consistent. `docs/metrics.md` is its table for readers; tests keep the two
//! and `docs/grafana-dashboard.json` in agreement.
//!
//! A component makes its handle struct ([`RolloutMetrics`], [`ModelMetrics`], …) once and keeps
//! it; recording then costs an atomic operation per metric. A handle stays bound to the recorder
//! that was installed when it was made, so [`Exporter::start`] comes *before* the actors are
//! built; without a recorder a handle records nowhere. Tests make their handles inside
//! `metrics::with_local_recorder`.
//!
//! Labels come from the configuration, never from data: a tool name that the model invented is
//! counted as [`UNKNOWN_TOOL`]. Idle series are never dropped, since a kept handle would go on
//! counting into a series that nobody exports.

use metrics::{Counter, Gauge, Histogram, Unit};

use self::family::{Description, Family};

mod actor;
mod exporter;
mod family;
mod handles;
mod process;
mod worker;

pub(crate) use self::actor::{
    ActorMetrics, actor_exited, actor_restarted, ask_failed, dead_letter, supervisor_escalated,
    task_panicked,
};
#[cfg(test)]
pub(crate) use self::exporter::recorder;
pub(crate) use self::handles::{EndpointMetrics, ReplicaMetrics, WaitMetrics};
pub use self::{
    actor::ShardMetrics,
    exporter::{Exporter, ExporterError},
    handles::{
        CollectionMetrics, CpuMetrics, EnvironmentMetrics, InFlight, ModelMetrics, RolloutMetrics,
        ToolMetrics, UNKNOWN_TOOL, WebMetrics,
    },
    worker::{ExecutionMetrics, WorkerMetrics},
};
pub use crate::http::Page;

const ROLLOUT_SECONDS: &[f64] = &[
    0.001, 0.01, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0,
    3600.0, 10800.0,
];
const MODEL_SECONDS: &[f64] = &[
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0,
];
const WORK_SECONDS: &[f64] = &[
    0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    600.0,
];
const WEB_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0];
const LAG_SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
const REWARDS: &[f64] = &[
    -1.0, -0.9, -0.8, -0.7, -0.6, -0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6,
    0.7, 0.8, 0.9, 1.0,
];

static ROLLOUTS: Family<Counter, 3> = Family::counter(
    "rehearsal_rollouts_total",
    ["agent", "environment", "outcome"],
    "Rollouts that ended, by outcome: scored, truncated or failed.",
);
static ROLLOUT_DURATION: Family<Histogram, 2> = Family::histogram(
    "rehearsal_rollout_duration_seconds",
    ["agent", "environment"],
    ROLLOUT_SECONDS,
    "Time from the start of a rollout to its end, failed attempts included.",
)
.measured_in(Unit::Seconds);
static ROLLOUTS_IN_FLIGHT: Family<Gauge, 0> =
    Family::gauge("rehearsal_rollouts_in_flight", [], "Rollouts that have started and not ended.");
static ROLLOUT_ATTEMPTS: Family<Counter, 1> = Family::counter(
    "rehearsal_rollout_attempts_total",
    ["culprit"],
    "Attempts that ended: a failed one by its culprit, a scored or truncated one as none.",
);
static REWARD: Family<Histogram, 1> = Family::histogram(
    "rehearsal_reward",
    ["environment"],
    REWARDS,
    "Rewards of scored and of truncated rollouts; a failed rollout has none.",
);
static MODEL_REQUESTS: Family<Counter, 2> = Family::counter(
    "rehearsal_model_requests_total",
    ["model", "status"],
    "Calls of a model that ended, retries and waits included, by status: ok or the kind of failure.",
);
static MODEL_REQUEST_DURATION: Family<Histogram, 1> = Family::histogram(
    "rehearsal_model_request_duration_seconds",
    ["model"],
    MODEL_SECONDS,
    "Time from calling a model to having its whole answer or its failure, retries and waits included.",
)
.measured_in(Unit::Seconds);
static MODEL_FIRST_TOKEN: Family<Histogram, 1> = Family::histogram(
    "rehearsal_model_first_token_seconds",
    ["model"],
    MODEL_SECONDS,
    "Time from sending a request to the first thing that the model said, where answers are streamed.",
)
.measured_in(Unit::Seconds);
static MODEL_WAITING: Family<Gauge, 2> = Family::gauge(
    "rehearsal_model_waiting",
    ["model", "caller"],
    "Requests that wait for room within the limits of a model, by the component that asks.",
);
static MODEL_WAIT: Family<Histogram, 2> = Family::histogram(
    "rehearsal_model_wait_seconds",
    ["model", "caller"],
    WORK_SECONDS,
    "Time that requests waited for room within the limits of a model, by the component that asks.",
)
.measured_in(Unit::Seconds);
static MODEL_REPLICA_REQUESTS: Family<Counter, 3> = Family::counter(
    "rehearsal_model_replica_requests_total",
    ["model", "replica", "status"],
    "Requests sent to a replica of a model, each retry counted, by status: ok or the kind of failure.",
);
static MODEL_REPLICA_IN_FLIGHT: Family<Gauge, 2> = Family::gauge(
    "rehearsal_model_replica_in_flight",
    ["model", "replica"],
    "Requests sent to a replica of a model that wait for their answer.",
);
static MODEL_SESSIONS_MOVED: Family<Counter, 2> = Family::counter(
    "rehearsal_model_sessions_moved_total",
    ["model", "replica"],
    "Sessions that left a replica of a model for another, because it failed.",
);
static MODEL_RETRIES: Family<Counter, 2> = Family::counter(
    "rehearsal_model_retries_total",
    ["model", "reason"],
    "Requests to a model that were sent again, by the reason.",
);
static MODEL_RETRIES_REFUSED: Family<Counter, 2> = Family::counter(
    "rehearsal_model_retries_refused_total",
    ["model", "replica"],
    "Requests to a model that were not sent again because the retry budget was spent.",
);
static MODEL_TOKEN_PREFIX_BREAKS: Family<Counter, 1> = Family::counter(
    "rehearsal_model_token_prefix_breaks_total",
    ["model"],
    "Answers whose prompt's token ids do not begin with those of the conversation so far.",
);
static MODEL_BREAKER_STATE: Family<Gauge, 2> = Family::gauge(
    "rehearsal_model_breaker_state",
    ["model", "replica"],
    "The circuit breaker of a replica of a model: 0 closed, 1 half open, 2 open.",
);
static MODEL_BREAKER_OPENS: Family<Counter, 2> = Family::counter(
    "rehearsal_model_breaker_opens_total",
    ["model", "replica"],
    "Times that the circuit breaker of a replica of a model opened.",
);
static SERVICE_RETRIES_REFUSED: Family<Counter, 2> = Family::counter(
    "rehearsal_service_retries_refused_total",
    ["component", "service"],
    "Requests to an external service that were not sent again because the retry budget was spent.",
);
static SERVICE_BREAKER_STATE: Family<Gauge, 2> = Family::gauge(
    "rehearsal_service_breaker_state",
    ["component", "service"],
    "The circuit breaker of an external service: 0 closed, 1 half open, 2 open.",
);
static SERVICE_BREAKER_OPENS: Family<Counter, 2> = Family::counter(
    "rehearsal_service_breaker_opens_total",
    ["component", "service"],
    "Times that the circuit breaker of an external service opened.",
);
static WEB_REQUESTS: Family<Counter, 3> = Family::counter(
    "rehearsal_web_requests_total",
    ["environment", "service", "status"],
    "Requests that an environment sent to the web, each retry and redirect included, by status: ok or the kind of failure.",
);
static WEB_REQUEST_DURATION: Family<Histogram, 2> = Family::histogram(
    "rehearsal_web_request_duration_seconds",
    ["environment", "service"],
    WEB_SECONDS,
    "Time from sending a request to the web to having its whole answer or its failure.",
)
.measured_in(Unit::Seconds);
static WEB_LOOKUPS: Family<Counter, 3> = Family::counter(
    "rehearsal_web_lookups_total",
    ["environment", "service", "result"],
    "Searches and pages asked for, by result: hit (it was cached), joined (another was asking for the same), miss or late (given up after `wait_max`).",
);
static WEB_CACHE_SIZE: Family<Gauge, 2> = Family::gauge(
    "rehearsal_web_cache_bytes",
    ["environment", "service"],
    "Size of the answers that are cached.",
)
.measured_in(Unit::Bytes);
static WEB_REFUSALS: Family<Counter, 2> = Family::counter(
    "rehearsal_web_refusals_total",
    ["environment", "reason"],
    "Pages that were not fetched because of where they are, by reason: scheme, private, denied or not_listed.",
);
static MODEL_TOKENS: Family<Counter, 2> = Family::counter(
    "rehearsal_model_tokens_total",
    ["model", "direction"],
    "Tokens as the model counts them, by direction: input or output.",
);
static MODEL_IN_FLIGHT: Family<Gauge, 1> = Family::gauge(
    "rehearsal_model_in_flight",
    ["model"],
    "Requests to a model that wait for their answer.",
);
static TOOL_CALLS: Family<Counter, 3> = Family::counter(
    "rehearsal_tool_calls_total",
    ["environment", "tool", "status"],
    "Tool calls, by status: ok, error (text for the model), crashed or timeout. \
     Names that no tool has are counted as `<unknown>`.",
);
static TOOL_DURATION: Family<Histogram, 2> = Family::histogram(
    "rehearsal_tool_duration_seconds",
    ["environment", "tool"],
    WORK_SECONDS,
    "Time that a tool call took inside its session.",
)
.measured_in(Unit::Seconds);
static VERIFY_DURATION: Family<Histogram, 1> = Family::histogram(
    "rehearsal_verify_duration_seconds",
    ["environment"],
    WORK_SECONDS,
    "Time that the verification of a rollout took.",
)
.measured_in(Unit::Seconds);
static SESSIONS_OPEN: Family<Gauge, 1> = Family::gauge(
    "rehearsal_sessions_open",
    ["environment"],
    "Sessions that are open in an environment.",
);
static SESSIONS_EXPIRED: Family<Counter, 1> = Family::counter(
    "rehearsal_sessions_expired_total",
    ["environment"],
    "Sessions that were closed because nobody used them for `session_idle_timeout`.",
);
static CPU_JOBS: Family<Counter, 2> = Family::counter(
    "rehearsal_cpu_jobs_total",
    ["environment", "status"],
    "CPU work that ended, by status: ok, crashed, or cancelled because its caller left before its start.",
);
static CPU_QUEUE: Family<Histogram, 1> = Family::histogram(
    "rehearsal_cpu_queue_seconds",
    ["environment"],
    WORK_SECONDS,
    "Time that CPU work waited for a thread.",
)
.measured_in(Unit::Seconds);
static ACTOR_MESSAGES: Family<Counter, 1> = Family::counter(
    "rehearsal_actor_messages_total",
    ["actor"],
    "Messages that an actor has handled.",
);
static MAILBOX_MESSAGES: Family<Gauge, 1> = Family::gauge(
    "rehearsal_mailbox_messages",
    ["actor"],
    "Messages that wait in the mailbox of an actor.",
);
static MAILBOX_REJECTED: Family<Counter, 1> = Family::counter(
    "rehearsal_mailbox_rejected_total",
    ["actor"],
    "Messages refused because the mailbox of an actor was full.",
);
static ACTOR_RESTARTS: Family<Counter, 2> = Family::counter(
    "rehearsal_actor_restarts_total",
    ["actor", "reason"],
    "Times that an actor was rebuilt by its supervisor, by the reason.",
);
static ACTOR_EXITS: Family<Counter, 2> = Family::counter(
    "rehearsal_actor_exits_total",
    ["actor", "reason"],
    "Times that an actor ended, by the reason.",
);
static DEAD_LETTERS: Family<Counter, 3> = Family::counter(
    "rehearsal_dead_letters_total",
    ["actor", "message", "reason"],
    "Messages that no actor handled, by their type and the reason: the actor stopped, or moved off a blocked thread.",
);
static TASK_PANICS: Family<Counter, 1> = Family::counter(
    "rehearsal_task_panics_total",
    ["actor"],
    "Panics in the request tasks of an actor, each answered with a failure.",
);
static ASK_FAILURES: Family<Counter, 2> = Family::counter(
    "rehearsal_ask_failures_total",
    ["actor", "reason"],
    "Asks that ended without an answer, by the reason: crashed, lost, timeout or unavailable.",
);
static SUPERVISOR_ESCALATIONS: Family<Counter, 1> = Family::counter(
    "rehearsal_supervisor_escalations_total",
    ["supervisor"],
    "Times that a supervisor gave up and passed a failure on to its parent.",
);
static SHARD_LAG: Family<Histogram, 1> = Family::histogram(
    "rehearsal_shard_lag_seconds",
    ["shard"],
    LAG_SECONDS,
    "How late the heartbeat of a shard ran: the time that work waits for the shard.",
)
.measured_in(Unit::Seconds);
static WORKER_KILLS: Family<Counter, 2> = Family::counter(
    "rehearsal_worker_kills_total",
    ["pool", "reason"],
    "Processes of foreign code that were killed, by the reason.",
);
static WORKER_EXECUTIONS: Family<Counter, 2> = Family::counter(
    "rehearsal_worker_executions_total",
    ["pool", "exit"],
    "Executions of foreign code that ended, by how they did.",
);
static WORKER_EXECUTION_DURATION: Family<Histogram, 1> = Family::histogram(
    "rehearsal_worker_execution_duration_seconds",
    ["pool"],
    WORK_SECONDS,
    "Time from the start of an execution of foreign code to its end.",
)
.measured_in(Unit::Seconds);
static WORKER_QUEUE: Family<Histogram, 1> = Family::histogram(
    "rehearsal_worker_queue_seconds",
    ["pool"],
    WORK_SECONDS,
    "Time that an execution of foreign code waited for its place or its turn.",
)
.measured_in(Unit::Seconds);
static WORKER_EXECUTIONS_RUNNING: Family<Gauge, 1> = Family::gauge(
    "rehearsal_worker_executions_running",
    ["pool"],
    "Executions of foreign code that have started and not ended.",
);
static WORKER_EXECUTIONS_WAITING: Family<Gauge, 1> = Family::gauge(
    "rehearsal_worker_executions_waiting",
    ["pool"],
    "Executions of foreign code that wait for a place.",
);
static WORKER_PROCESSES: Family<Gauge, 1> = Family::gauge(
    "rehearsal_worker_processes",
    ["pool"],
    "Worker processes that are ready to start executions.",
);
static RECORDS_WRITTEN: Family<Counter, 0> = Family::counter(
    "rehearsal_records_written_total",
    [],
    "Rollout records that were written out.",
);
static DATASET_ROWS_REJECTED: Family<Counter, 0> = Family::counter(
    "rehearsal_dataset_rows_rejected_total",
    [],
    "Dataset rows that could not be read as a task.",
);
static BUILD_INFO: Family<Gauge, 1> = Family::gauge(
    "rehearsal_build_info",
    ["version"],
    "Always 1; its label tells the version that runs.",
);

static PROCESS_CPU: Family<Counter, 0> = Family::counter(
    "process_cpu_seconds_total",
    [],
    "Processor time that the process has used, in user and system mode, in whole seconds.",
)
.measured_in(Unit::Seconds);
static PROCESS_OPEN_FDS: Family<Gauge, 0> =
    Family::gauge("process_open_fds", [], "File descriptors that are open.");
static PROCESS_MAX_FDS: Family<Gauge, 0> = Family::gauge(
    "process_max_fds",
    [],
    "File descriptors that may be open at a time; 0 is no limit.",
);
static PROCESS_VIRTUAL_MEMORY: Family<Gauge, 0> =
    Family::gauge("process_virtual_memory_bytes", [], "Size of the virtual memory.")
        .measured_in(Unit::Bytes);
static PROCESS_VIRTUAL_MEMORY_MAX: Family<Gauge, 0> = Family::gauge(
    "process_virtual_memory_max_bytes",
    [],
    "Limit of the virtual memory; 0 is no limit.",
)
.measured_in(Unit::Bytes);
static PROCESS_RESIDENT_MEMORY: Family<Gauge, 0> =
    Family::gauge("process_resident_memory_bytes", [], "Size of the resident memory.")
        .measured_in(Unit::Bytes);
static PROCESS_START_TIME: Family<Gauge, 0> =
    Family::gauge("process_start_time_seconds", [], "When the process started, as Unix time.")
        .measured_in(Unit::Seconds);
static PROCESS_THREADS: Family<Gauge, 0> =
    Family::gauge("process_threads", [], "Threads of the process.");

/// Invariant: lists every family above; a test compares it with what the handles register.
static DESCRIPTIONS: [Description; 63] = [
    ROLLOUTS.description(),
    ROLLOUT_DURATION.description(),
    ROLLOUTS_IN_FLIGHT.description(),
    ROLLOUT_ATTEMPTS.description(),
    REWARD.description(),
    MODEL_REQUESTS.description(),
    MODEL_REQUEST_DURATION.description(),
    MODEL_FIRST_TOKEN.description(),
    MODEL_WAITING.description(),
    MODEL_WAIT.description(),
    MODEL_REPLICA_REQUESTS.description(),
    MODEL_REPLICA_IN_FLIGHT.description(),
    MODEL_SESSIONS_MOVED.description(),
    MODEL_RETRIES.description(),
    MODEL_RETRIES_REFUSED.description(),
    MODEL_TOKEN_PREFIX_BREAKS.description(),
    MODEL_BREAKER_STATE.description(),
    MODEL_BREAKER_OPENS.description(),
    SERVICE_RETRIES_REFUSED.description(),
    SERVICE_BREAKER_STATE.description(),
    SERVICE_BREAKER_OPENS.description(),
    WEB_REQUESTS.description(),
    WEB_REQUEST_DURATION.description(),
    WEB_LOOKUPS.description(),
    WEB_CACHE_SIZE.description(),
    WEB_REFUSALS.description(),
    MODEL_TOKENS.description(),
    MODEL_IN_FLIGHT.description(),
    TOOL_CALLS.description(),
    TOOL_DURATION.description(),
    VERIFY_DURATION.description(),
    SESSIONS_OPEN.description(),
    SESSIONS_EXPIRED.description(),
    CPU_JOBS.description(),
    CPU_QUEUE.description(),
    ACTOR_MESSAGES.description(),
    MAILBOX_MESSAGES.description(),
    MAILBOX_REJECTED.description(),
    ACTOR_RESTARTS.description(),
    ACTOR_EXITS.description(),
    DEAD_LETTERS.description(),
    TASK_PANICS.description(),
    ASK_FAILURES.description(),
    SUPERVISOR_ESCALATIONS.description(),
    SHARD_LAG.description(),
    WORKER_KILLS.description(),
    WORKER_EXECUTIONS.description(),
    WORKER_EXECUTION_DURATION.description(),
    WORKER_QUEUE.description(),
    WORKER_EXECUTIONS_RUNNING.description(),
    WORKER_EXECUTIONS_WAITING.description(),
    WORKER_PROCESSES.description(),
    RECORDS_WRITTEN.description(),
    DATASET_ROWS_REJECTED.description(),
    BUILD_INFO.description(),
    PROCESS_CPU.description(),
    PROCESS_OPEN_FDS.description(),
    PROCESS_MAX_FDS.description(),
    PROCESS_VIRTUAL_MEMORY.description(),
    PROCESS_VIRTUAL_MEMORY_MAX.description(),
    PROCESS_RESIDENT_MEMORY.description(),
    PROCESS_START_TIME.description(),
    PROCESS_THREADS.description(),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, time::Duration};

    use super::{family::Kind, *};

    const SECOND: Duration = Duration::from_secs(1);

    /// Renders what the recorder holds after the work, which records into it.
    fn rendered(work: impl FnOnce()) -> String {
        let recorder = exporter::recorder();
        metrics::with_local_recorder(&recorder, work);
        recorder.handle().render()
    }

    fn use_every_handle() {
        let rollouts = RolloutMetrics::new("solver", "weather");
        let _in_flight = rollouts.started();
        rollouts.finished("scored", SECOND, Some(1.0));
        let model = ModelMetrics::new("policy");
        model.request("ok", SECOND);
        model.retry("rate_limited");
        model.token_prefix_broken();
        model.first_token(SECOND);
        let _waiting = WaitMetrics::new("policy", "agents/solver").enter();
        WaitMetrics::new("policy", "agents/solver").waited(SECOND);
        let replica = ReplicaMetrics::new("policy", "localhost");
        let _sent = replica.started();
        replica.request("ok");
        replica.session_moved();
        let environment = EnvironmentMetrics::new("weather");
        environment.verified(SECOND);
        environment.unknown_tool().called("error", SECOND);
        for endpoint in [
            EndpointMetrics::of_model("policy", "localhost"),
            EndpointMetrics::of_service("weather", "search"),
        ] {
            endpoint.breaker_state(2);
            endpoint.breaker_opened();
            endpoint.retry_refused();
        }
        let cpu = CpuMetrics::new("weather");
        cpu.started(SECOND);
        cpu.ended("ok");
        let web = WebMetrics::new("weather", "page");
        web.request("ok", SECOND);
        web.lookup("hit");
        web.refused("private");
        web.cached(1);
        CollectionMetrics::new().records_written(1);
        let workers = WorkerMetrics::new("python");
        let _ready = workers.ready();
        let _waiting = workers.waiting();
        workers.queued(SECOND);
        let running = workers.started();
        workers.killed("timed_out_wall");
        running.ended("timed_out_wall");
        use_every_actor_handle();
        exporter::record_constants();
    }

    fn use_every_actor_handle() {
        ActorMetrics::new("policy/0").publish(1, 0, 0);
        ShardMetrics::new(0).lag(SECOND);
        actor_restarted("policy/0", "panic");
        actor_exited("policy/0", "panic");
        supervisor_escalated("models");
        dead_letter("policy/0", "Note", "stopped");
        task_panicked("policy/0");
        ask_failed("policy/0", "timeout");
    }

    fn kind_name(kind: Kind) -> &'static str {
        match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        }
    }

    fn documentation(file: &str) -> String {
        let path = format!("{}/../docs/{file}", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).unwrap()
    }

    fn described(name: &str) -> Option<&'static Description> {
        DESCRIPTIONS.iter().find(|description| description.name == name)
    }

    #[test]
    fn every_described_metric_is_recorded_under_its_name_and_kind() {
        let text = rendered(use_every_handle);
        let types: BTreeSet<_> =
            text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
        let expected: Vec<_> =
            DESCRIPTIONS.iter().map(|it| format!("{} {}", it.name, kind_name(it.kind))).collect();
        assert_eq!(types, expected.iter().map(String::as_str).collect());
    }

    #[test]
    fn every_metric_tells_what_it_means() {
        let text = rendered(use_every_handle);
        for Description { name, meaning, .. } in &DESCRIPTIONS {
            assert!(text.contains(&format!("# HELP {name} {meaning}\n")), "{name}");
        }
    }

    #[test]
    fn every_series_has_the_labels_of_its_description() {
        let text = rendered(use_every_handle);
        for Description { name, labels, kind, .. } in &DESCRIPTIONS {
            let suffix = if matches!(kind, Kind::Histogram(_)) { "_count" } else { "" };
            let series = format!("{name}{suffix}");
            let mut matching = text.lines().filter(|line| {
                line.strip_prefix(&series).is_some_and(|rest| rest.starts_with([' ', '{']))
            });
            let line = matching.next().unwrap();
            let keys: Vec<_> = line
                .split(['{', ','])
                .filter_map(|part| part.split_once("=\"").map(|(key, _)| key))
                .collect();
            assert_eq!(keys, *labels, "{line}");
        }
    }

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        for Description { name, kind, unit, .. } in &DESCRIPTIONS {
            let is_counter = matches!(kind, Kind::Counter);
            assert_eq!(name.ends_with("_total"), is_counter, "{name}");
            let base = name.trim_end_matches("_total");
            assert_eq!(base.ends_with("_seconds"), *unit == Some(Unit::Seconds), "{name}");
            assert_eq!(base.ends_with("_bytes"), *unit == Some(Unit::Bytes), "{name}");
        }
    }

    #[test]
    fn buckets_rise() {
        for Description { name, kind, .. } in &DESCRIPTIONS {
            if let Kind::Histogram(buckets) = kind {
                assert!(buckets.is_sorted_by(|low, high| low < high), "{name}");
            }
        }
    }

    fn table_rows(markdown: &str, heading: &str) -> BTreeSet<String> {
        let section = markdown.split("\n## ").find(|part| part.starts_with(heading)).unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `"));
        rows.map(str::to_owned).collect()
    }

    #[track_caller]
    fn assert_same_rows(documented: &BTreeSet<String>, expected: &BTreeSet<String>) {
        let missing: Vec<_> = expected.difference(documented).collect();
        let wrong: Vec<_> = documented.difference(expected).collect();
        assert!(missing.is_empty() && wrong.is_empty(), "missing {missing:#?}, wrong {wrong:#?}");
    }

    fn metric_row(description: &Description) -> String {
        let labels: Vec<_> = description.labels.iter().map(|label| format!("`{label}`")).collect();
        let unit = description.unit.map_or("", |unit| unit.as_str());
        let kind = kind_name(description.kind);
        let (name, meaning) = (description.name, description.meaning);
        format!("| `{name}` | {kind} | {} | {unit} | {meaning} |", labels.join(", "))
    }

    #[test]
    fn the_table_of_metrics_is_what_the_code_describes() {
        let expected: BTreeSet<_> = DESCRIPTIONS.iter().map(metric_row).collect();
        assert_same_rows(&table_rows(&documentation("metrics.md"), "Metrics"), &expected);
    }

    #[test]
    fn the_table_of_buckets_is_what_the_code_describes() {
        let expected = DESCRIPTIONS.iter().filter_map(|description| {
            let Kind::Histogram(buckets) = description.kind else { return None };
            let bounds: Vec<_> = buckets.iter().map(f64::to_string).collect();
            Some(format!("| `{}` | {} |", description.name, bounds.join(", ")))
        });
        let documented = table_rows(&documentation("metrics.md"), "Buckets");
        assert_same_rows(&documented, &expected.collect());
    }

    /// All strings under this key, at any depth.
    fn strings_under(value: &serde_json::Value, key: &str, found: &mut Vec<String>) {
        if let Some(text) = value.get(key).and_then(|text| text.as_str()) {
            found.push(text.to_owned());
        }
        let members = value.as_object().into_iter().flat_map(|object| object.values());
        let items = value.as_array().into_iter().flatten();
        members.chain(items).for_each(|child| strings_under(child, key, found));
    }

    fn dashboard_queries() -> Vec<String> {
        let dashboard = serde_json::from_str(&documentation("grafana-dashboard.json")).unwrap();
        let mut queries = Vec::new();
        strings_under(&dashboard, "expr", &mut queries);
        assert!(queries.len() >= 8);
        queries
    }

    /// The description of a series, which for a histogram has a suffix.
    fn described_series(series: &str) -> Option<&'static Description> {
        let exact = described(series).filter(|it| !matches!(it.kind, Kind::Histogram(_)));
        let suffixes = ["_bucket", "_sum", "_count"];
        let base = suffixes.iter().find_map(|suffix| series.strip_suffix(suffix));
        let of_histogram = base.and_then(described);
        exact.or(of_histogram.filter(|it| matches!(it.kind, Kind::Histogram(_))))
    }

    fn grouping_labels(query: &str) -> BTreeSet<&str> {
        let groups = query.split("by (").skip(1).filter_map(|rest| rest.split(')').next());
        groups.flat_map(|group| group.split(',')).map(str::trim).collect()
    }

    #[test]
    fn the_dashboard_queries_metrics_and_labels_that_exist() {
        for query in dashboard_queries() {
            let words = query.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let series: Vec<_> = words
                .filter(|word| word.starts_with("rehearsal_") || word.starts_with("process_"))
                .collect();
            assert!(!series.is_empty(), "{query}");
            let mut labels = BTreeSet::from(["le"]);
            for name in series {
                let description = described_series(name);
                labels.extend(description.unwrap_or_else(|| panic!("{name}: {query}")).labels);
            }
            let unknown: Vec<_> = grouping_labels(&query).difference(&labels).copied().collect();
            assert!(unknown.is_empty(), "{unknown:?}: {query}");
        }
    }

    #[test]
    fn panels_of_the_dashboard_have_ids_of_their_own_and_do_not_overlap() {
        let dashboard: serde_json::Value =
            serde_json::from_str(&documentation("grafana-dashboard.json")).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len());
        let cells = |panel: &serde_json::Value| {
            let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            let (x, y, w, h) = (side("x"), side("y"), side("w"), side("h"));
            (y..y + h).flat_map(move |y| (x..x + w).map(move |x| (x, y)))
        };
        let mut taken = BTreeSet::new();
        for panel in panels {
            assert!(cells(panel).all(|cell| taken.insert(cell)), "{}", panel["title"]);
        }
    }
}
