//! The agent contract: the loop that turns a task into a rollout.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Handler, Message};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::environment::{EnvironmentError, OpenSession, Session};
use crate::model::ModelPort;
use crate::rollout::{Culprit, Failure, Rollout};
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
    /// When the rollout is given up.
    pub deadline: Instant,
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
            Ok(opened) => opened.map_err(open_failed),
            Err(error) => Err(Failure::retryable(Culprit::Environment, error)),
        }
    }
}

fn open_failed(error: EnvironmentError) -> Failure {
    let retryable = error.is_retryable();
    Failure { culprit: Culprit::Environment, error: error.to_string(), retryable }
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
