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
    fn ask(
        port: &AgentPort,
        attempt: Attempt,
        names: &Arc<Names>,
        number: u32,
    ) -> impl Future<Output = Result<Result<Self, Failure>, AskError>> + Send;
    fn outcome(&self) -> Outcome;
    fn reward(&self) -> f64;
}

impl Product for Rollout {
    fn ask(
        port: &AgentPort,
        attempt: Attempt,
        _: &Arc<Names>,
        _: u32,
    ) -> impl Future<Output = Result<Result<Self, Failure>, AskError>> + Send {
        let deadline = attempt.deadline;
        port.attempt.ask(attempt, deadline)
    }

    fn outcome(&self) -> Outcome {
        self.outcome()
    }

    fn reward(&self) -> f64 {
        self.verdict.reward.get()
    }
}

impl Product for Recorded {
    fn ask(
        port: &AgentPort,
        attempt: Attempt,
        names: &Arc<Names>,
        number: u32,
    ) -> impl Future<Output = Result<Result<Self, Failure>, AskError>> + Send {
        let deadline = attempt.deadline;
        port.record.ask(AttemptRecord { attempt, names: names.clone(), number }, deadline)
    }

    fn outcome(&self) -> Outcome {
        self.outcome
    }

    fn reward(&self) -> f64 {
        self.reward
    }
}

/// The longest pause before the second attempt; it doubles with each further one.
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
        policy: &RolloutPolicy,
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
            let pause = match pause_after(&failure, attempts, started, policy) {
                Pause::Never => {
                    self.metrics.attempt_failed(failure.culprit.as_str());
                    break Err(failure);
                }
                Pause::HeldOff(pause) => {
                    attempts -= 1;
                    pause
                }
                Pause::Retry(pause) => {
                    self.metrics.attempt_failed(failure.culprit.as_str());
                    pause
                }
            };
            tracing::debug!(%key, attempts, ?pause, %failure, "attempt failed");
            tokio::time::sleep(pause).await;
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
            let limit = "`rollout_timeout`";
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

/// What follows a failed attempt.
#[derive(Debug, PartialEq)]
enum Pause {
    /// The rollout has failed.
    Never,
    /// Another attempt, after this time.
    Retry(Duration),
    /// The same attempt once more, after this time: a dependency was known to be down.
    HeldOff(Duration),
}

/// Decides whether and when to try again. A rollout that is held off waits for as long as an attempt
/// may take: a model that is being restarted costs time, not rollouts.
fn pause_after(
    failure: &Failure,
    attempts: u32,
    started: Instant,
    policy: &RolloutPolicy,
) -> Pause {
    if let Some(wait) = failure.held_off {
        let pause = spread(wait.max(PAUSE) * 3 / 2);
        let is_in_time = started.elapsed().saturating_add(pause) < policy.timeout;
        return if is_in_time { Pause::HeldOff(pause) } else { Pause::Never };
    }
    if !failure.retryable || attempts >= policy.attempts_max {
        return Pause::Never;
    }
    let exponent = attempts.saturating_sub(1).min(6);
    Pause::Retry(spread(PAUSE * (1 << exponent)))
}

/// Between two thirds of a pause and all of it, so that rollouts that failed together do not retry together.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(2.0 / 3.0..1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: RolloutPolicy =
        RolloutPolicy { attempts_max: 3, timeout: Duration::from_secs(60) };

    fn held_off(seconds: u64) -> Failure {
        let held_off = Some(Duration::from_secs(seconds));
        Failure { held_off, ..Failure::retryable(Culprit::Model, "the breaker is open") }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_counted_and_their_pauses_double() {
        let failure = Failure::retryable(Culprit::Tool, "crashed");
        let started = Instant::now();
        for (attempts, longest) in [(1, 50), (2, 100)] {
            let Pause::Retry(pause) = pause_after(&failure, attempts, started, &POLICY) else {
                panic!("attempt {attempts} is not the last")
            };
            let longest = Duration::from_millis(longest);
            assert!(pause <= longest && pause >= longest * 2 / 3, "{pause:?}");
        }
        assert_eq!(pause_after(&failure, 3, started, &POLICY), Pause::Never);
        let permanent = Failure::permanent(Culprit::Tool, "wrong");
        assert_eq!(pause_after(&permanent, 1, started, &POLICY), Pause::Never);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rollout_that_is_held_off_waits_until_its_timeout_without_using_up_attempts() {
        let started = Instant::now();
        for attempts in [1, 3, 100] {
            let Pause::HeldOff(pause) = pause_after(&held_off(5), attempts, started, &POLICY)
            else {
                panic!("it is not an attempt")
            };
            assert!(pause >= Duration::from_secs(5) && pause <= Duration::from_millis(7_500));
        }
        assert_eq!(pause_after(&held_off(61), 1, started, &POLICY), Pause::Never);
        tokio::time::advance(Duration::from_secs(58)).await;
        assert_eq!(pause_after(&held_off(5), 1, started, &POLICY), Pause::Never);
    }
}
