//! Sends attempts to the least loaded shard, and tries failed ones again within their budget.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use crate::agent::{AgentPort, Attempt, AttemptRecord, Names, Recorded};
use crate::metrics::RolloutMetrics;
use crate::rollout::{Culprit, Failure, Outcome, Rollout};
use crate::supervision::AskError;
use crate::task::{RolloutKey, Task};

/// Attempts in flight per shard, over all agents.
pub(crate) type Load = Arc<[AtomicUsize]>;

/// One agent, on all shards.
#[derive(Clone)]
pub(crate) struct Dispatcher {
    names: Arc<Names>,
    ports: Arc<[AgentPort]>,
    load: Load,
    metrics: RolloutMetrics,
}

/// How often and for how long a rollout is tried.
#[derive(Clone, Copy, Debug)]
pub struct RolloutPolicy {
    /// Attempts before it is given up.
    pub attempts_max: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
}

impl Default for RolloutPolicy {
    fn default() -> Self {
        Self { attempts_max: 3, timeout: Duration::from_secs(30 * 60) }
    }
}

/// A rollout that ended, one way or the other.
#[derive(Debug)]
pub(crate) struct Finished<T> {
    pub(crate) attempts: u32,
    pub(crate) result: Result<T, Failure>,
}

/// What an agent may be asked to make of an attempt.
pub(crate) trait Product: Sized {
    async fn ask(
        port: &AgentPort,
        attempt: Attempt,
        names: &Arc<Names>,
        number: u32,
    ) -> Result<Result<Self, Failure>, AskError>;
    fn outcome(&self) -> Outcome;
    fn reward(&self) -> f64;
}

impl Product for Rollout {
    async fn ask(
        port: &AgentPort,
        attempt: Attempt,
        _: &Arc<Names>,
        _: u32,
    ) -> Result<Result<Self, Failure>, AskError> {
        let deadline = attempt.deadline;
        port.attempt.ask(attempt, deadline).await
    }

    fn outcome(&self) -> Outcome {
        self.outcome()
    }

    fn reward(&self) -> f64 {
        self.verdict.reward.get()
    }
}

impl Product for Recorded {
    async fn ask(
        port: &AgentPort,
        attempt: Attempt,
        names: &Arc<Names>,
        number: u32,
    ) -> Result<Result<Self, Failure>, AskError> {
        let deadline = attempt.deadline;
        port.record.ask(AttemptRecord { attempt, names: names.clone(), number }, deadline).await
    }

    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn reward(&self) -> f64 {
        self.reward
    }
}

/// The pause before the second attempt; it doubles with each further one.
const PAUSE: Duration = Duration::from_millis(50);

impl Dispatcher {
    pub(crate) fn new(
        names: Names,
        ports: Vec<AgentPort>,
        load: Load,
        metrics: RolloutMetrics,
    ) -> Self {
        Self { names: Arc::new(names), ports: ports.into(), load, metrics }
    }

    /// The agent's name and its environment's.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Tries a rollout until it succeeds, cannot succeed, or has used its attempts.
    pub(crate) async fn roll_out<T: Product>(
        &self,
        task: &Arc<Task>,
        key: &RolloutKey,
        policy: RolloutPolicy,
    ) -> Finished<T> {
        let _in_flight = self.metrics.started();
        let started = Instant::now();
        let mut attempts = 0;
        let result: Result<T, Failure> = loop {
            attempts += 1;
            let failure = match self.attempt(task, key, policy.timeout, attempts).await {
                Ok(product) => break Ok(product),
                Err(failure) => failure,
            };
            self.metrics.attempt_failed(failure.culprit.as_str());
            if !failure.retryable || attempts >= policy.attempts_max {
                break Err(failure);
            }
            tracing::debug!(%key, attempt = attempts, %failure, "attempt failed");
            tokio::time::sleep(pause_after(attempts)).await;
        };
        let outcome = result.as_ref().map_or(Outcome::Failed, T::outcome);
        let reward = result.as_ref().ok().map(T::reward);
        self.metrics.finished(outcome.as_str(), started.elapsed(), reward);
        Finished { attempts, result }
    }

    async fn attempt<T: Product>(
        &self,
        task: &Arc<Task>,
        key: &RolloutKey,
        timeout: Duration,
        number: u32,
    ) -> Result<T, Failure> {
        let (shard, _load) = self.least_loaded();
        let deadline = Instant::now() + timeout;
        let attempt = Attempt { task: task.clone(), key: key.clone(), deadline };
        let answer = T::ask(&self.ports[shard], attempt, &self.names, number).await;
        answer.unwrap_or_else(|error| Err(agent_failed(&error, timeout)))
    }

    /// The shard with the fewest attempts in flight; the guard counts this one until it is dropped.
    fn least_loaded(&self) -> (usize, LoadGuard<'_>) {
        let loads = self.load.iter().map(|load| load.load(Ordering::Relaxed));
        let least = loads.enumerate().min_by_key(|(_, load)| *load);
        let (shard, _) = least.expect("there is at least one shard");
        self.load[shard].fetch_add(1, Ordering::Relaxed);
        (shard, LoadGuard(&self.load[shard]))
    }
}

struct LoadGuard<'a>(&'a AtomicUsize);

impl Drop for LoadGuard<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn agent_failed(error: &AskError, timeout: Duration) -> Failure {
    match error {
        AskError::Timeout { .. } => {
            let seconds = timeout.as_secs_f64();
            let limit = "`collect.rollout_timeout`";
            Failure::retryable(
                Culprit::Runtime,
                format_args!("the rollout did not end within {seconds:.1} s ({limit})"),
            )
        }
        AskError::Crashed { .. } => Failure::retryable(Culprit::Agent, error),
        AskError::Lost { .. } | AskError::Unavailable { .. } => {
            Failure::retryable(Culprit::Runtime, error)
        }
    }
}

/// Doubles per attempt, with jitter so that rollouts that failed together do not retry together.
fn pause_after(attempts: u32) -> Duration {
    let exponent = attempts.saturating_sub(1).min(6);
    PAUSE.mul_f64(f64::from(1 << exponent) * rand::random_range(0.5..1.0))
}
