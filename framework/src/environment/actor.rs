//! An environment as an actor: opens sessions, one actor each, under its dynamic supervisor.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Handler, Message};
use serde_json::value::RawValue;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::session::{Session, SessionActor, SessionLimits, World, target_of};
use super::tools::Tools;
use super::{Environment, EnvironmentError};
use crate::metrics::{EnvironmentMetrics, ToolMetrics};
use crate::supervision::{DynamicSupervisor, Supervised, Task as OwnTask};
use crate::task::Task;

/// Starts a rollout's session on the environment's shard.
#[derive(Message)]
#[rtype(result = "Result<Session, EnvironmentError>")]
pub struct OpenSession {
    /// The task that the rollout is an attempt at.
    pub task: Arc<Task>,
    /// When the session is no longer of use.
    pub deadline: Instant,
}

/// How many sessions of an environment may be open, over all shards.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) max: usize,
}

impl Sessions {
    /// Waits until there is room for one more.
    async fn enter(self, deadline: Instant) -> Result<OwnedSemaphorePermit, EnvironmentError> {
        let Self { permits, max } = self;
        let permit = timeout_at(deadline, permits.acquire_owned()).await;
        let full = |_| {
            let text = format_args!("all {max} sessions stayed taken (`max_sessions`)");
            EnvironmentError::temporary(text)
        };
        permit.map_err(full)?.map_err(EnvironmentError::temporary)
    }
}

/// One environment on one shard.
pub(crate) struct EnvironmentActor<E: Environment> {
    world: Rc<World<E>>,
    specs: Option<Arc<RawValue>>,
    room: Sessions,
    sessions: Rc<DynamicSupervisor<SessionActor<E>>>,
}

/// Messages that may wait in a session's mailbox: the calls of one step, the verification, the end.
const SESSION_MAILBOX: usize = 1024;

impl<E: Environment> EnvironmentActor<E> {
    /// An actor around an environment's instance.
    pub(crate) fn new(name: &str, environment: E, limits: SessionLimits, room: Sessions) -> Self {
        let tools = Tools::<E>::of_environment();
        let metrics = EnvironmentMetrics::new(name);
        let specs = tools.specs().map(Arc::from);
        let tool_metrics = tools.names().map(|tool| ToolMetrics::new(name, tool)).collect();
        let world = World { environment, tools, metrics, tool_metrics, limits };
        let path = format!("environments/{name}/sessions");
        let sessions = Rc::new(DynamicSupervisor::new(path, room.max));
        Self { world: Rc::new(world), specs, room, sessions }
    }
}

impl<E: Environment> Actor for EnvironmentActor<E> {
    type Context = Supervised<Self>;
}

impl<E: Environment> Handler<OpenSession> for EnvironmentActor<E> {
    type Result = OwnTask<Result<Session, EnvironmentError>>;

    fn handle(&mut self, message: OpenSession, _: &mut Self::Context) -> Self::Result {
        let (world, specs, sessions) =
            (self.world.clone(), self.specs.clone(), self.sessions.clone());
        let room = self.room.clone();
        OwnTask::new(async move {
            let OpenSession { task, deadline } = message;
            let permit = room.enter(deadline).await?;
            let open = world.environment.open(target_of::<E>(&task)?);
            let state = timeout_at(deadline, open)
                .await
                .map_err(|_| EnvironmentError::temporary("the session did not open in time"))??;
            let actor = SessionActor::new(world, task, state, permit);
            let session =
                sessions.start(actor, SESSION_MAILBOX).map_err(EnvironmentError::temporary)?;
            Ok(Session::new(session.handle(), session.handle(), session.handle(), specs))
        })
    }
}
