//! What is recorded about pools of worker processes, which run foreign code.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram};
use tokio::time::Instant;

use super::handles::InFlight;
use super::{
    WORKER_EXECUTION_DURATION, WORKER_EXECUTIONS, WORKER_EXECUTIONS_RUNNING,
    WORKER_EXECUTIONS_WAITING, WORKER_KILLS, WORKER_PROCESSES, WORKER_QUEUE,
};

/// What is recorded about one pool.
#[derive(Clone, Debug)]
pub struct WorkerMetrics {
    pool: String,
    duration: Histogram,
    queue: Histogram,
    running: Gauge,
    waiting: Gauge,
    processes: Gauge,
}

/// An execution that runs, counted until its end is recorded, or it is dropped.
#[derive(Debug)]
#[must_use = "dropping it at once says that it has ended"]
pub struct ExecutionMetrics {
    metrics: WorkerMetrics,
    started: Instant,
    _running: InFlight,
}

impl WorkerMetrics {
    /// Registers the series of this pool.
    #[must_use]
    pub fn new(pool: &str) -> Self {
        Self {
            pool: pool.to_owned(),
            duration: WORKER_EXECUTION_DURATION.with([pool]),
            queue: WORKER_QUEUE.with([pool]),
            running: WORKER_EXECUTIONS_RUNNING.with([pool]),
            waiting: WORKER_EXECUTIONS_WAITING.with([pool]),
            processes: WORKER_PROCESSES.with([pool]),
        }
    }

    /// Counts a worker that is ready, for as long as it is.
    pub fn ready(&self) -> InFlight {
        InFlight::enter(&self.processes)
    }

    /// Counts an execution that waits for a place, for as long as it does.
    pub fn waiting(&self) -> InFlight {
        InFlight::enter(&self.waiting)
    }

    /// Records how long an execution waited for its place or its turn.
    pub fn queued(&self, time: Duration) {
        self.queue.record(time);
    }

    /// Counts an execution that has started.
    pub fn started(&self) -> ExecutionMetrics {
        let _running = InFlight::enter(&self.running);
        ExecutionMetrics { metrics: self.clone(), started: Instant::now(), _running }
    }

    /// Counts an execution, or a worker, that was killed, and why.
    pub fn killed(&self, reason: &'static str) {
        self.counter(&WORKER_KILLS, reason).increment(1);
    }

    fn counter(
        &self,
        family: &'static super::family::Family<Counter, 2>,
        label: &'static str,
    ) -> Counter {
        family.with([&self.pool, label])
    }
}

impl ExecutionMetrics {
    /// Records its end.
    pub fn ended(self, exit: &'static str) {
        self.metrics.duration.record(self.started.elapsed());
        self.metrics.counter(&WORKER_EXECUTIONS, exit).increment(1);
    }
}
