//! A session as an actor: one per rollout, its tool calls in order, gone with its rollout.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AtomicResponse, Handler, Message, WrapFuture};
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;

use super::roster::{Closer, Pulse};
use super::tools::Tools;
use super::{Environment, EnvironmentError, Verdict};
use crate::metrics::{EnvironmentMetrics, InFlight, ToolMetrics};
use crate::responses::{FunctionCall, Response};
use crate::rollout::{Culprit, Failure};
use crate::supervision::{AskError, Handle, Supervised};
use crate::task::Task;

/// Runs a tool.
#[derive(Message)]
#[rtype(result = "Result<String, ToolFault>")]
pub struct CallTool {
    /// What the model wants.
    pub call: FunctionCall,
    /// When its answer is no longer of use.
    pub deadline: Instant,
}

/// Why a tool call ended the session. What the model got wrong does not: it reads about it instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ToolFault {
    /// The tool did not answer in time; its session's state is no longer known.
    #[error("the tool did not answer in time")]
    Timeout,
    /// An earlier call of this session timed out, or the session is verified already.
    #[error("the session is closed")]
    Closed,
}

/// Scores the rollout and closes the session.
#[derive(Message)]
#[rtype(result = "Result<Verdict, EnvironmentError>")]
pub struct Verify {
    /// The whole trajectory.
    pub response: Arc<Response>,
    /// When the verdict is no longer of use.
    pub deadline: Instant,
}

/// What all sessions of one environment on one shard share.
pub(super) struct World<E: Environment> {
    pub(super) environment: E,
    pub(super) tools: Tools<E>,
    pub(super) metrics: EnvironmentMetrics,
    pub(super) tool_metrics: Box<[ToolMetrics]>,
    pub(super) limits: SessionLimits,
}

/// How long the work of a session may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionLimits {
    /// One tool call.
    pub tool: Duration,
    /// The verifier.
    pub verify: Duration,
    /// The session itself, without being used.
    pub idle: Duration,
}

/// One session.
pub(super) struct SessionActor<E: Environment> {
    world: Rc<World<E>>,
    task: Arc<Task>,
    /// Gone while a tool runs, after a tool was cut off, and after verification.
    state: Option<E::Session>,
    pulse: Rc<Pulse>,
    /// Counts the session as open while it lives.
    _open: InFlight,
    /// Its place among the sessions that may be open.
    _permit: OwnedSemaphorePermit,
}

impl<E: Environment> SessionActor<E> {
    pub(super) fn new(
        world: Rc<World<E>>,
        task: Arc<Task>,
        state: E::Session,
        pulse: Rc<Pulse>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let open = world.metrics.session_opened();
        Self { world, task, state: Some(state), pulse, _open: open, _permit: permit }
    }
}

/// Nothing in it is ever pinned: a running tool owns the session's state, and gives it back.
impl<E: Environment> Unpin for SessionActor<E> {}

impl<E: Environment> Actor for SessionActor<E> {
    type Context = Supervised<Self>;
}

impl<E: Environment> Handler<CallTool> for SessionActor<E> {
    type Result = AtomicResponse<Self, Result<String, ToolFault>>;

    fn handle(&mut self, message: CallTool, _: &mut Self::Context) -> Self::Result {
        self.pulse.work();
        let (world, state) = (self.world.clone(), self.state.take());
        let run = async move {
            let Some(mut state) = state else { return (None, Err(ToolFault::Closed)) };
            match world.call(&mut state, &message).await {
                Ok(text) => (Some(state), Ok(text)),
                Err(fault) => (None, Err(fault)),
            }
        };
        let run = run.into_actor(self).map(|(state, result), actor, _| {
            actor.state = state;
            actor.pulse.rest();
            result
        });
        AtomicResponse::new(Box::pin(run))
    }
}

impl<E: Environment> World<E> {
    async fn call(&self, state: &mut E::Session, message: &CallTool) -> Result<String, ToolFault> {
        let FunctionCall { name, arguments, .. } = &message.call;
        let Some(index) = self.tools.find(name) else {
            Called::new(self.metrics.unknown_tool()).ended("error");
            return Ok(self.tools.unknown(name).into_text());
        };
        let called = Called::new(&self.tool_metrics[index]);
        let deadline = message.deadline.min(called.started + self.limits.tool);
        let run = self.tools.run(index, &self.environment, state, arguments);
        let (status, result) = match tokio::time::timeout_at(deadline, run).await {
            Ok(Ok(text)) => ("ok", Ok(text)),
            Ok(Err(error)) => ("error", Ok(error.into_text())),
            Err(_) => ("timeout", Err(ToolFault::Timeout)),
        };
        called.ended(status);
        result
    }
}

/// A tool call under way, counted when it ends, also by a panic.
struct Called<'a> {
    metrics: &'a ToolMetrics,
    started: Instant,
    status: Option<&'static str>,
}

impl<'a> Called<'a> {
    fn new(metrics: &'a ToolMetrics) -> Self {
        Self { metrics, started: Instant::now(), status: None }
    }

    fn ended(mut self, status: &'static str) {
        self.status = Some(status);
    }
}

impl Drop for Called<'_> {
    fn drop(&mut self) {
        // Without either, its rollout was given up, and the tool is not to blame.
        let crashed = || std::thread::panicking().then_some("crashed");
        if let Some(status) = self.status.or_else(crashed) {
            self.metrics.called(status, self.started.elapsed());
        }
    }
}

impl<E: Environment> Handler<Verify> for SessionActor<E> {
    type Result = AtomicResponse<Self, Result<Verdict, EnvironmentError>>;

    fn handle(&mut self, message: Verify, _: &mut Self::Context) -> Self::Result {
        self.pulse.work();
        let (world, task, state) = (self.world.clone(), self.task.clone(), self.state.take());
        let verify = async move {
            let Some(state) = state else {
                return Err(EnvironmentError::temporary("the session is closed"));
            };
            world.verify(state, &task, &message).await
        };
        let verify = verify.into_actor(self).map(|verdict, _, context| {
            context.stop();
            verdict
        });
        AtomicResponse::new(Box::pin(verify))
    }
}

impl<E: Environment> World<E> {
    async fn verify(
        &self,
        state: E::Session,
        task: &Task,
        message: &Verify,
    ) -> Result<Verdict, EnvironmentError> {
        let started = Instant::now();
        let deadline = message.deadline.min(started + self.limits.verify);
        let target = target_of::<E>(task)?;
        let verify = self.environment.verify(state, target, &message.response);
        let verdict = tokio::time::timeout_at(deadline, verify).await;
        self.metrics.verified(started.elapsed());
        verdict.unwrap_or_else(|_| {
            Err(EnvironmentError::temporary("the verifier did not answer in time"))
        })
    }
}

/// The target of a task, which must have been read by the same kind of environment.
pub(super) fn target_of<E: Environment>(task: &Task) -> Result<&E::Target, EnvironmentError> {
    let wrong = || {
        let kind = E::KIND;
        EnvironmentError::permanent(format!("task `{}` was not read by `{kind}`", task.id))
    };
    task.target.get::<E::Target>().ok_or_else(wrong)
}

/// A rollout's way to its session. Dropping it closes the session.
#[derive(Debug)]
pub struct Session {
    call: Handle<CallTool>,
    verify: Handle<Verify>,
    tools: Option<Arc<RawValue>>,
    /// Ends the session with its rollout.
    _closer: Closer,
}

impl Session {
    pub(super) fn new(
        call: Handle<CallTool>,
        verify: Handle<Verify>,
        closer: Closer,
        tools: Option<Arc<RawValue>>,
    ) -> Self {
        Self { call, verify, tools, _closer: closer }
    }

    /// The environment's tools as a request's `tools` list, for tasks that bring none.
    pub fn tools(&self) -> Option<&Arc<RawValue>> {
        self.tools.as_ref()
    }

    /// Runs a tool; the text is for the model.
    ///
    /// # Errors
    /// Fails if the tool crashed, was cut off, or its session is gone.
    pub async fn call(&self, call: &FunctionCall, deadline: Instant) -> Result<String, Failure> {
        let name = &call.name;
        let failed = |what: &dyn std::fmt::Display| {
            Failure::retryable(Culprit::Tool, format_args!("tool `{name}`: {what}"))
        };
        match self.call.ask(CallTool { call: call.clone(), deadline }, deadline).await {
            Ok(result) => result.map_err(|fault| failed(&fault)),
            Err(AskError::Unavailable { .. }) => Err(gone()),
            Err(error) => Err(failed(&error)),
        }
    }

    /// Scores the rollout and closes the session.
    ///
    /// # Errors
    /// Fails if the verifier failed, crashed or was cut off.
    pub async fn verify(
        self,
        response: Arc<Response>,
        deadline: Instant,
    ) -> Result<Verdict, Failure> {
        match self.verify.ask(Verify { response, deadline }, deadline).await {
            Ok(Ok(verdict)) => Ok(verdict),
            Ok(Err(error)) => Err(Failure::new(Culprit::Verifier, &error, error.is_retryable())),
            Err(AskError::Unavailable { .. }) => Err(gone()),
            Err(error) => Err(Failure::retryable(Culprit::Verifier, error)),
        }
    }
}

/// The session ended before its rollout did.
fn gone() -> Failure {
    let reason = "the session is closed: nobody used it for `session_idle_timeout`, or its environment went down";
    Failure::retryable(Culprit::Environment, reason)
}
