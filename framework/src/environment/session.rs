//! A session as an actor: one per rollout, gone with it. Its tool calls run in order, but those that
//! only look at its state run side by side.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, ActorContext, ActorFutureExt, AtomicResponse, Handler, Message, WrapFuture};
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, RwLock};
use tokio::time::{Instant, timeout_at};

use super::roster::{Closer, Pulse};
use super::tools::{ToolError, Tools};
use super::{Environment, EnvironmentError, Verdict};
use crate::metrics::{EnvironmentMetrics, InFlight, ToolMetrics};
use crate::responses::{FunctionCall, Response};
use crate::rollout::{Culprit, Failure};
use crate::supervision::{AskError, Handle, Supervised, Task as OwnTask};
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

/// What a session holds; `None` once a tool was cut off in the middle, and after verification.
///
/// Tools that may change it hold it for writing, those that only look at it for reading. The lock is
/// fair, so a call sees what the calls before it have done.
type State<E> = Rc<RwLock<Option<<E as Environment>::Session>>>;

/// One session.
pub(super) struct SessionActor<E: Environment> {
    world: Rc<World<E>>,
    task: Arc<Task>,
    state: State<E>,
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
        let state = Rc::new(RwLock::new(Some(state)));
        Self { world, task, state, pulse, _open: open, _permit: permit }
    }
}

impl<E: Environment> Actor for SessionActor<E> {
    type Context = Supervised<Self>;
}

/// How a call is answered: beside the messages that follow, or before any of them.
pub(super) enum Answer<E: Environment> {
    Beside(OwnTask<CallResult>),
    Before(AtomicResponse<SessionActor<E>, CallResult>),
}

type CallResult = Result<String, ToolFault>;

impl<E: Environment> MessageResponse<SessionActor<E>, CallTool> for Answer<E> {
    fn handle(
        self,
        context: &mut Supervised<SessionActor<E>>,
        reply: Option<OneshotSender<CallResult>>,
    ) {
        match self {
            Self::Beside(task) => {
                MessageResponse::<SessionActor<E>, CallTool>::handle(task, context, reply);
            }
            Self::Before(response) => {
                MessageResponse::<SessionActor<E>, CallTool>::handle(response, context, reply);
            }
        }
    }
}

impl<E: Environment> Handler<CallTool> for SessionActor<E> {
    type Result = Answer<E>;

    fn handle(&mut self, message: CallTool, _: &mut Self::Context) -> Self::Result {
        let (world, state) = (self.world.clone(), self.state.clone());
        let work = self.pulse.work();
        let index = world.tools.find(&message.call.name);
        let shared = index.is_some_and(|index| world.tools.get(index).shared().is_some());
        let run = async move {
            let _work = work;
            match index {
                Some(index) => world.call(index, &state, &message).await,
                None => Ok(world.unknown(&message.call.name)),
            }
        };
        if shared {
            Answer::Beside(OwnTask::new(run))
        } else {
            Answer::Before(AtomicResponse::new(Box::pin(run.into_actor(self))))
        }
    }
}

impl<E: Environment> World<E> {
    async fn call(&self, index: usize, state: &State<E>, message: &CallTool) -> CallResult {
        let tool = self.tools.get(index);
        let arguments = &message.call.arguments;
        if let Some(tool) = tool.shared() {
            let state = state.read().await;
            let session = state.as_ref().ok_or(ToolFault::Closed)?;
            let run = tool.run(&self.environment, session, arguments);
            return self.timed(index, message.deadline, run).await;
        }
        let mut state = state.write().await;
        // Out of its place while the tool runs: what is cut off in the middle does not come back.
        let mut session = state.take().ok_or(ToolFault::Closed)?;
        let run = tool.run(&self.environment, &mut session, arguments);
        let result = self.timed(index, message.deadline, run).await;
        *state = result.is_ok().then_some(session);
        result
    }

    /// Runs a tool for as long as it may take, and counts how it ended.
    async fn timed(
        &self,
        index: usize,
        deadline: Instant,
        run: impl Future<Output = Result<String, ToolError>>,
    ) -> CallResult {
        let called = Called::new(&self.tool_metrics[index]);
        let deadline = deadline.min(called.started + self.limits.tool);
        let (status, result) = match timeout_at(deadline, run).await {
            Ok(Ok(text)) => ("ok", Ok(text)),
            Ok(Err(error)) => ("error", Ok(error.into_text())),
            Err(_) => ("timeout", Err(ToolFault::Timeout)),
        };
        called.ended(status);
        result
    }

    /// What the model reads that calls a tool which does not exist.
    fn unknown(&self, name: &str) -> String {
        Called::new(self.metrics.unknown_tool()).ended("error");
        self.tools.unknown(name).into_text()
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
        let (world, task, state) = (self.world.clone(), self.task.clone(), self.state.clone());
        let work = self.pulse.work();
        let verify = async move {
            let _work = work;
            let session = state.write().await.take();
            let closed = || EnvironmentError::temporary("the session is closed");
            world.verify(session.ok_or_else(closed)?, &task, &message).await
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
        let verdict = timeout_at(deadline, verify).await;
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
    /// Fails if the verifier failed, crashed or was cut off; the failure keeps what it was to score.
    pub async fn verify(
        self,
        response: Arc<Response>,
        deadline: Instant,
    ) -> Result<Verdict, Failure> {
        let message = Verify { response: response.clone(), deadline };
        let failure = match self.verify.ask(message, deadline).await {
            Ok(Ok(verdict)) => return Ok(verdict),
            Ok(Err(error)) => error.blamed_on(Culprit::Verifier),
            Err(AskError::Unavailable { .. }) => gone(),
            Err(error) => Failure::retryable(Culprit::Verifier, error),
        };
        Err(Failure { response: Some(response), ..failure })
    }
}

/// The session ended before its rollout did.
fn gone() -> Failure {
    let reason = "the session is closed: nobody used it for `session_idle_timeout`, or its environment went down";
    Failure::retryable(Culprit::Environment, reason)
}
