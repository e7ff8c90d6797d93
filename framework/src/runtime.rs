//! The runtime: starts a checked configuration as a tree of supervised actors, and takes it down.
//!
//! It brings its own threads (one per shard, and one for supervisors), so it can be embedded in any
//! tokio program, and everything that its user holds is `Send`.
//!
//! ```text
//! root                 one_for_one
//! ├── models           one_for_one    policy/0 policy/1 …
//! ├── workers          one_for_one    coder/0 … ; keepers of worker processes, if there are any
//! ├── environments     one_for_one    weather/0 … ; each with a dynamic supervisor of its sessions
//! ├── agents           one_for_one    solver/0 …
//! ├── collection       rest_for_one   recorder, collector (while one runs)
//! └── services/…       one_for_one    an embedder's own actors, each under a supervisor of its own
//! ```

mod collecting;
mod components;
mod status;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::time::Instant;

use crate::collection::{CollectError, Collection, ReadTarget};
use crate::config::{Config, Problems, Warning};
use crate::cpu::CpuPool;
use crate::dispatch::{Finished, RolloutPolicy};
use crate::environment::{Evidence, Verdict};
use crate::kinds::Kinds;
use crate::metrics::{Exporter, ExporterError};
use crate::responses::{Item, Response};
use crate::rollout::{Failure, Rollout};
use crate::shards::{Shards, SideArbiter};
use crate::supervision::{
    ChildError, ChildSpec, Exit, Placement, Restart, StartFailure, Supervisor, SupervisorHandle,
    SupervisorSpec, TreeNode,
};
use crate::task::{Row, RowError, Task, TaskId};
use crate::wiring::Facilities;
use components::{Components, RunningAgent, RunningEnvironment, shards_of};
pub use status::Status;
use status::{Observatory, View, pages};

/// A running tree of models, environments and agents.
pub struct Runtime {
    config: Config,
    facilities: Arc<Facilities>,
    agents: BTreeMap<String, RunningAgent>,
    environments: BTreeMap<String, RunningEnvironment>,
    shards: Arc<Shards>,
    /// Where workers are kept.
    _beside: SideArbiter,
    root: SupervisorHandle,
    exporter: Option<Exporter>,
    /// Supervisors and services run here, off the shards. `None` once it is shut down.
    control: Option<tokio::runtime::Runtime>,
}

/// Why a runtime did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] Problems),
    /// A component did not start.
    #[error(transparent)]
    Start(#[from] StartFailure),
    /// The metrics endpoint did not start.
    #[error(transparent)]
    Exporter(#[from] ExporterError),
    /// The operating system refuses threads.
    #[error("cannot start the runtime's threads")]
    Threads(#[from] std::io::Error),
}

impl RuntimeError {
    /// What the reader can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(problems) => problems.hint(),
            Self::Start(_) => Some("the message names the component; check its `settings`".into()),
            Self::Exporter(error) => error.hint().map(str::to_owned),
            Self::Threads(_) => {
                Some("lower `runtime.shards`, or raise the limit of threads".into())
            }
        }
    }
}

impl Runtime {
    /// Starts everything that a configuration names. When this returns, every component is up.
    ///
    /// # Errors
    /// See [`RuntimeError`]; whatever had started is stopped again.
    pub async fn start(config: Config, kinds: &Kinds) -> Result<Self, RuntimeError> {
        for warning in check(&config, kinds)? {
            tracing::warn!("{warning}");
        }
        let control = control_runtime()?;
        let guard = Control(Some(control));
        let view = View::default();
        let exporter = match config.telemetry.prometheus {
            Some(address) => Some(guard.run(Exporter::start_with(address, pages(&view))).await?),
            None => None,
        };
        let shards = Shards::start(shards_of(&config))?;
        let beside = shards.beside()?;
        let components = Components::build(&config, kinds, &shards, &beside.placement())?;
        let root = components.tree(config.runtime.shutdown_timeout.duration());
        let root = guard.run(Supervisor::start(root)).await?;
        guard.spawn(shards.clone().heartbeat(config.runtime.heartbeat.duration()));
        let Components { facilities, agents, environments, .. } = components;
        let observatory = Observatory { root: root.clone(), facilities: facilities.clone() };
        view.set(observatory).expect("set once");
        let control = guard.release();
        Ok(Self {
            config,
            facilities,
            agents,
            environments,
            shards,
            _beside: beside,
            root,
            exporter,
            control,
        })
    }

    /// The configuration that runs.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where metrics are served, if they are.
    pub fn metrics_address(&self) -> Option<SocketAddr> {
        self.exporter.as_ref().map(Exporter::address)
    }

    /// Starts an embedder's own actor in the tree, under a supervisor of its own: if it crashes more
    /// often than that allows, it is given up and nothing else is.
    ///
    /// # Errors
    /// Fails if there is a service of that id, or it does not start.
    pub async fn start_service(&self, service: ChildSpec) -> Result<(), ChildError> {
        let id = format!("services/{}", service.id());
        let name = id.clone();
        let supervisor = ChildSpec::supervisor(id, move || {
            SupervisorSpec::new(name.as_str()).child(service.clone())
        });
        self.root.start_child(supervisor.restart(Restart::Temporary)).await
    }

    /// Stops a service by its id.
    ///
    /// # Errors
    /// Fails if there is none.
    pub async fn stop_service(&self, id: &str) -> Result<(), ChildError> {
        self.root.terminate_child(&format!("services/{id}")).await
    }

    /// A place for an embedder's own actor: the shard of that index, modulo their number.
    pub fn placement(&self, shard: usize) -> Placement {
        self.shards.placement(shard % self.shards.len())
    }

    /// Waits until the tree has ended, and says why: it was stopped, or its root gave up, which is
    /// [`Exit::RestartsExceeded`]. Then every rollout fails at once, and a new runtime is needed.
    pub async fn exited(&self) -> Exit {
        self.root.exited().await
    }

    /// The tree as it stands.
    pub fn tree(&self) -> TreeNode {
        self.status().tree
    }

    /// The tree and the endpoints as they stand: what `/tree` and `/tree.json` show.
    pub fn status(&self) -> Status {
        let (root, facilities) = (self.root.clone(), self.facilities.clone());
        Observatory { root, facilities }.status()
    }

    /// Kills an actor or a supervisor by its path in the tree, such as `models/policy/0` or `models`;
    /// the supervisor above starts it again, and what it was working on is tried again. For
    /// operators, and to rehearse failures.
    ///
    /// # Errors
    /// Fails if there is none.
    pub fn kill(&self, path: &str) -> Result<(), ChildError> {
        self.root.kill(path)
    }

    /// Reads a task for an agent from the text of a dataset row.
    ///
    /// # Errors
    /// Fails if there is no such agent, or the row is not what its environment needs.
    pub fn task(&self, agent: &str, id: TaskId, row: &str) -> Result<Arc<Task>, SubmitError> {
        let running = self.agent(agent)?;
        let row = Row::parse(row)?;
        let target = (running.read_target)(&row).map_err(RowError::from)?;
        Ok(Arc::new(Task::new(id, row, target)))
    }

    /// Makes one rollout. Offered more than there is room for, it queues.
    ///
    /// # Errors
    /// Fails if there is no such agent, or the rollout was given up.
    pub async fn submit(
        &self,
        agent: &str,
        task: &Arc<Task>,
        repeat: u32,
        policy: RolloutPolicy,
    ) -> Result<Rollout, SubmitError> {
        let dispatcher = &self.agent(agent)?.dispatcher;
        let finished: Finished<Rollout> =
            dispatcher.roll_out(task, &task.rollout(repeat), &policy).await;
        Ok(finished.result?)
    }

    /// Reads a task for an environment from the text of a dataset row.
    ///
    /// # Errors
    /// Fails if there is no such environment, or the row is not what it needs.
    pub fn environment_task(
        &self,
        environment: &str,
        id: TaskId,
        row: &str,
    ) -> Result<Arc<Task>, SubmitError> {
        let row = Row::parse(row)?;
        let running = self.environment(environment)?;
        let target = (running.read_target)(&row).map_err(RowError::from)?;
        Ok(Arc::new(Task::new(id, row, target)))
    }

    /// Scores a recorded trajectory in a fresh session. Where the verifier looks at the session,
    /// the recorded tool calls are run again first. Whether that is the verdict that it got, the
    /// environment says ([`Environment::unreproducible`](crate::environment::Environment)).
    ///
    /// # Errors
    /// Fails if there is no such environment, or it could not do its work.
    pub async fn verify(
        &self,
        environment: &str,
        task: &Arc<Task>,
        response: &Arc<Response>,
        deadline: Instant,
    ) -> Result<Verdict, SubmitError> {
        let running = self.environment(environment)?;
        let turn = running.opened.fetch_add(1, Ordering::Relaxed);
        let port = &running.ports[turn % running.ports.len()];
        let session = port.open(task.clone(), deadline).await?;
        match running.evidence {
            Evidence::Session => {
                for call in response.output.iter().filter_map(Item::as_function_call) {
                    session.call(call, deadline).await?;
                }
            }
            Evidence::Transcript => {}
        }
        Ok(session.verify(response.clone(), deadline).await?)
    }

    /// How each environment reads its rows.
    pub(crate) fn targets(&self) -> BTreeMap<String, ReadTarget> {
        let target =
            |(name, running): (&String, &RunningEnvironment)| (name.clone(), running.read_target);
        self.environments.iter().map(target).collect()
    }

    /// Environments that cannot score recorded rollouts as they were, and why.
    pub(crate) fn unreproducible(&self) -> BTreeMap<String, &'static str> {
        let reason = |(name, running): (&String, &RunningEnvironment)| {
            running.unreproducible.map(|reason| (name.clone(), reason))
        };
        self.environments.iter().filter_map(reason).collect()
    }

    /// A door to the CPU pool for work of the runtime itself.
    pub(crate) fn cpu(&self, name: &str) -> CpuPool {
        self.facilities.cpu.door(name)
    }

    fn environment(&self, name: &str) -> Result<&RunningEnvironment, SubmitError> {
        let unknown = || SubmitError::UnknownEnvironment { name: name.to_owned() };
        self.environments.get(name).ok_or_else(unknown)
    }

    fn agent(&self, name: &str) -> Result<&RunningAgent, SubmitError> {
        let unknown = || SubmitError::UnknownAgent { name: name.to_owned() };
        self.agents.get(name).ok_or_else(unknown)
    }

    /// The collection that the configuration's `collect:` describes.
    ///
    /// # Errors
    /// Fails if it selects no dataset.
    pub fn collection(&self) -> Result<Collection, CollectError> {
        Collection::from_config(&self.config)
    }

    /// Stops everything in the reverse of its order of start, each part within its deadline.
    pub async fn stop(mut self) {
        self.root.shutdown().await;
        if let Some(exporter) = self.exporter.take() {
            exporter.stop().await;
        }
        self.shards.stop();
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.facilities.cpu.close();
        if let Some(control) = self.control.take() {
            control.shutdown_background();
        }
    }
}

/// Why a single rollout came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The configuration has no such agent.
    #[error("there is no agent `{name}`")]
    UnknownAgent {
        /// The name asked for.
        name: String,
    },
    /// The configuration has no such environment.
    #[error("there is no environment `{name}`")]
    UnknownEnvironment {
        /// The name asked for.
        name: String,
    },
    /// The row is no task for this environment.
    #[error(transparent)]
    Row(#[from] RowError),
    /// Every attempt failed.
    #[error(transparent)]
    Failed(#[from] Failure),
}

fn control_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("rehearsal-control")
        .enable_all()
        .build()
}

/// The control runtime while the rest starts. Shut down in the background if the start fails, since
/// a runtime must not be dropped where futures run.
struct Control(Option<tokio::runtime::Runtime>);

impl Control {
    /// Runs a future on the control runtime and waits for it from the caller's.
    async fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = self.0.as_ref().expect("released only at the end of the start");
        runtime.spawn(future).await.expect("starting does not panic")
    }

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let runtime = self.0.as_ref().expect("released only at the end of the start");
        runtime.spawn(future);
    }

    fn release(mut self) -> Option<tokio::runtime::Runtime> {
        self.0.take()
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// Checks shape, meaning and every component's settings, and reports all problems at once. Returns what
/// is odd, which [`Runtime::start`] reports by itself.
///
/// # Errors
/// Fails with all problems.
pub fn check(config: &Config, kinds: &Kinds) -> Result<Vec<Warning>, Problems> {
    let (warnings, mut problems) = match config.check(&kinds.names()) {
        Ok(warnings) => (warnings, Vec::new()),
        Err(problems) => (Vec::new(), problems.0),
    };
    for spec in config.models.values() {
        let kind = kinds.model_kind(&spec.kind);
        problems
            .extend(kind.and_then(|kind| (kind.check)(&spec.settings).err()).into_iter().flatten());
    }
    for spec in config.environments.values() {
        let kind = kinds.environment_kind(&spec.kind);
        problems
            .extend(kind.and_then(|kind| (kind.check)(&spec.settings).err()).into_iter().flatten());
    }
    for spec in config.agents.values() {
        let kind = kinds.agent_kind(&spec.kind);
        problems
            .extend(kind.and_then(|kind| (kind.check)(&spec.settings).err()).into_iter().flatten());
    }
    if problems.is_empty() { Ok(warnings) } else { Err(Problems::from(problems)) }
}
