//! The agent contract: the loop that turns a task into a rollout.
//!
//! An agent sees one task, one model and one environment, through ports on its own shard. What goes
//! wrong names its culprit, since whoever tries again, and whoever reads the counters, asks that first.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Handler, Message};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::environment::{OpenSession, Session};
use crate::model::ModelPort;
use crate::rollout::{Culprit, Failure, Origin, Outcome, Rollout};
use crate::supervision::{Handle, Supervised, Task as OwnTask};
use crate::task::{RolloutKey, Task};
use crate::wiring::{BuildError, Wiring};

/// Attempts a task once.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Rollout, Failure>")]
pub struct Attempt {
    /// The task.
    pub task: Arc<Task>,
    /// Which of its rollouts this is.
    pub key: RolloutKey,
    /// When this attempt is given up.
    pub deadline: Instant,
}

/// Attempts a task once and writes its record, both on the agent's shard: what crosses to another
/// thread is one string, not the dozens of pieces that a rollout is made of.
#[derive(Clone, Debug, Message)]
#[rtype(result = "Result<Recorded, Failure>")]
pub(crate) struct AttemptRecord {
    pub(crate) attempt: Attempt,
    /// The agent's name and its environment's.
    pub(crate) names: Arc<Names>,
    /// Which attempt this is, from 1.
    pub(crate) number: u32,
}

/// Who works where.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) agent: String,
    pub(crate) environment: String,
}

/// A rollout as its record.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(crate) outcome: Outcome,
    pub(crate) reward: f64,
    pub(crate) line: String,
}

/// An agent. One instance serves all rollouts of a shard, many at a time.
pub trait Agent: Sized + 'static {
    /// The kind's name in configurations.
    const KIND: &'static str;
    /// Its `settings:`.
    type Config: DeserializeOwned + Clone + Send + Sync + 'static;

    /// Builds an instance for one shard, wired to its model and its environment.
    ///
    /// # Errors
    /// Fails if the settings make no sense together.
    fn new(config: Self::Config, ports: Ports, wiring: &Wiring) -> Result<Self, BuildError>;

    /// Attempts a task. Dropping the future gives the attempt up and closes its session.
    ///
    /// # Errors
    /// Fails with the culprit and whether another attempt may fare better.
    fn attempt(&self, attempt: Attempt) -> impl Future<Output = Result<Rollout, Failure>>;
}

/// What an agent is wired to.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The model that its `model:` names.
    pub model: ModelPort,
    /// The environment that its `environment:` names.
    pub environment: EnvironmentPort,
}

/// An agent's way to its environment.
#[derive(Clone, Debug)]
pub struct EnvironmentPort {
    open: Handle<OpenSession>,
}

impl EnvironmentPort {
    /// A way to the environment behind a handle.
    pub fn new(open: Handle<OpenSession>) -> Self {
        Self { open }
    }

    /// Opens a session for one attempt at a task.
    ///
    /// # Errors
    /// Fails if the environment could not set the session up, crashed, or is gone.
    pub async fn open(&self, task: Arc<Task>, deadline: Instant) -> Result<Session, Failure> {
        match self.open.ask(OpenSession { task, deadline }, deadline).await {
            Ok(opened) => opened.map_err(|error| error.blamed_on(Culprit::Environment)),
            Err(error) => Err(Failure::retryable(Culprit::Environment, error)),
        }
    }
}

/// An agent on one shard, as an actor: attempts run side by side, each in a task of its own.
pub(crate) struct AgentActor<A: Agent> {
    agent: Rc<A>,
}

impl<A: Agent> AgentActor<A> {
    pub(crate) fn new(agent: A) -> Self {
        Self { agent: Rc::new(agent) }
    }
}

impl<A: Agent> Actor for AgentActor<A> {
    type Context = Supervised<Self>;
}

impl<A: Agent> Handler<Attempt> for AgentActor<A> {
    type Result = OwnTask<Result<Rollout, Failure>>;

    fn handle(&mut self, attempt: Attempt, _: &mut Self::Context) -> Self::Result {
        let agent = self.agent.clone();
        OwnTask::new(async move { agent.attempt(attempt).await })
    }
}

impl<A: Agent> Handler<AttemptRecord> for AgentActor<A> {
    type Result = OwnTask<Result<Recorded, Failure>>;

    fn handle(&mut self, message: AttemptRecord, _: &mut Self::Context) -> Self::Result {
        let agent = self.agent.clone();
        OwnTask::new(async move {
            let AttemptRecord { attempt, names, number } = message;
            let (task, key) = (attempt.task.clone(), attempt.key.clone());
            let rollout = agent.attempt(attempt).await?;
            let Names { agent, environment } = &*names;
            let origin = Origin { key: &key, agent, environment, attempt: number };
            let line = origin.record(&task, &rollout);
            let reward = rollout.verdict.reward.get();
            Ok(Recorded { outcome: rollout.outcome(), reward, line })
        })
    }
}

/// The ways to an agent on one shard.
#[derive(Clone, Debug)]
pub(crate) struct AgentPort {
    pub(crate) attempt: Handle<Attempt>,
    pub(crate) record: Handle<AttemptRecord>,
}
