//! An environment as an actor: opens sessions, one actor each, under its dynamic supervisor.

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, AsyncContext, Handler, Message, WrapFuture};
use serde_json::value::RawValue;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::roster::Roster;
use super::session::{Session, SessionLimits, World, target_of};
use super::tools::Tools;
use super::{Environment, EnvironmentError};
use crate::metrics::{EnvironmentMetrics, ToolMetrics};
use crate::supervision::{Supervised, Task as OwnTask};
use crate::task::Task;
use crate::wiring::Wiring;

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
    roster: Rc<Roster<E>>,
    /// Taken by the roster's keeper when the actor starts.
    closed: Option<UnboundedReceiver<u64>>,
}

impl<E: Environment> EnvironmentActor<E> {
    /// An actor around an environment's instance.
    pub(crate) fn new(
        wiring: &Wiring,
        environment: E,
        limits: SessionLimits,
        room: Sessions,
    ) -> Self {
        let tools = Tools::<E>::of_environment();
        let (name, shard) = (wiring.name(), wiring.shard());
        let metrics = EnvironmentMetrics::new(name);
        let specs = tools.specs().map(Arc::from);
        let tool_metrics = tools.names().map(|tool| ToolMetrics::new(name, tool)).collect();
        let world = Rc::new(World { environment, tools, metrics, tool_metrics, limits });
        let path = format!("environments/{name}/{shard}/sessions");
        let (sender, closed) = mpsc::unbounded_channel();
        let roster = Rc::new(Roster::new(path, room.max, world.clone(), sender));
        Self { world, specs, room, roster, closed: Some(closed) }
    }
}

impl<E: Environment> Actor for EnvironmentActor<E> {
    type Context = Supervised<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let closed = self.closed.take().expect("an incarnation starts once");
        let roster = self.roster.clone();
        let keeper = async move { roster.keep(closed).await };
        context.spawn(keeper.into_actor(self));
    }
}

impl<E: Environment> Handler<OpenSession> for EnvironmentActor<E> {
    type Result = OwnTask<Result<Session, EnvironmentError>>;

    fn handle(&mut self, message: OpenSession, _: &mut Self::Context) -> Self::Result {
        let (world, specs, roster) = (self.world.clone(), self.specs.clone(), self.roster.clone());
        let room = self.room.clone();
        OwnTask::new(async move {
            let OpenSession { task, deadline } = message;
            let permit = room.enter(deadline).await?;
            let open = world.environment.open(target_of::<E>(&task)?);
            let state = timeout_at(deadline, open)
                .await
                .map_err(|_| EnvironmentError::temporary("the session did not open in time"))??;
            let (session, closer) =
                roster.open(task, state, permit).map_err(EnvironmentError::temporary)?;
            Ok(Session::new(session.handle(), session.handle(), closer, specs))
        })
    }
}
