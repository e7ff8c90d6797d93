//! What a configuration names, made but not started: child specs in the order of the tree, and the
//! handles that lead to them.
//!
//! Handles exist before anybody has started, so components can be wired to each other in any order.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::agent::{EnvironmentPort, Names};
use crate::collection::ReadTarget;
use crate::config::{Config, EnvironmentSpec, Problem, Problems, RuntimeSpec, TimeSpan};
use crate::dispatch::{Dispatcher, Load};
use crate::environment::Evidence;
use crate::kinds::{Child, EnvironmentKind, Kinds, Seat};
use crate::metrics::RolloutMetrics;
use crate::model::ModelPort;
use crate::shards::Shards;
use crate::supervision::{Backoff, ChildSpec, Intensity, Placement, Shutdown, SupervisorSpec};
use crate::wiring::{Directory, Facilities};

/// An agent that runs.
#[derive(Clone)]
pub(super) struct RunningAgent {
    pub(super) dispatcher: Dispatcher,
    pub(super) read_target: ReadTarget,
    /// How long one attempt may take, if the agent has a limit of its own.
    pub(super) rollout_timeout: Option<Duration>,
}

/// An environment that runs.
pub(super) struct RunningEnvironment {
    pub(super) ports: Vec<EnvironmentPort>,
    pub(super) read_target: ReadTarget,
    pub(super) evidence: Evidence,
    /// Why it cannot score recorded rollouts as they were, if so.
    pub(super) unreproducible: Option<&'static str>,
    /// Counts sessions that were opened without an agent, to spread them over the shards.
    pub(super) opened: AtomicUsize,
}

/// One shard per core, unless the configuration says otherwise.
pub(super) fn shards_of(config: &Config) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    config.runtime.shards.map_or_else(cores, NonZeroUsize::get)
}

/// Everything to be started, with the handles that are handed out.
pub(super) struct Components {
    pub(super) facilities: Arc<Facilities>,
    models: Vec<ChildSpec>,
    workers: Vec<ChildSpec>,
    environment_children: Vec<ChildSpec>,
    pub(super) environments: BTreeMap<String, RunningEnvironment>,
    agent_children: Vec<ChildSpec>,
    pub(super) agents: BTreeMap<String, RunningAgent>,
}

impl RunningEnvironment {
    fn new(kind: &EnvironmentKind, spec: &EnvironmentSpec, ports: Vec<EnvironmentPort>) -> Self {
        let EnvironmentKind { target, evidence, unreproducible, .. } = kind;
        Self {
            ports,
            read_target: *target,
            evidence: *evidence,
            unreproducible: unreproducible(&spec.settings),
            opened: AtomicUsize::new(0),
        }
    }
}

impl Components {
    /// Makes everything that a checked configuration names.
    ///
    /// # Errors
    /// Fails with what is wrong with the settings.
    pub(super) fn build(
        config: &Config,
        kinds: &Kinds,
        shards: &Arc<Shards>,
        beside: &Placement,
    ) -> Result<Self, Problems> {
        let runtime = &config.runtime;
        let facilities = Arc::new(Facilities::new(runtime));
        let each_shard = |name, at_once: usize| SeatMaker {
            name,
            shards,
            facilities: &facilities,
            runtime,
            permits: Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS))),
        };
        let mut filled = Directory::default();
        let mut models = Vec::new();
        for (name, spec) in &config.models {
            let kind = kinds.model_kind(&spec.kind).expect("checked");
            let seats = each_shard(name, Semaphore::MAX_PERMITS);
            let (specs, handles) = seats.children(|seat| (kind.child)(seat, spec))?;
            let port = |handle| ModelPort::new(handle, spec.timeout.duration());
            filled.models.insert(name.clone(), handles.into_iter().map(port).collect());
            models.extend(specs);
        }
        let (mut environment_children, mut environments) = (Vec::new(), BTreeMap::new());
        let mut workers = Vec::new();
        for (name, spec) in &config.environments {
            let kind = kinds.environment_kind(&spec.kind).expect("checked");
            let seats = each_shard(name, spec.max_sessions.get());
            let (specs, handles) = seats.children(|seat| (kind.child)(seat, spec))?;
            let seat = Seat { placement: beside.clone(), ..seats.seat(0) };
            workers.extend((kind.workers)(&seat, spec).map_err(Problems::from)?);
            let ports = handles.into_iter().map(EnvironmentPort::new).collect::<Vec<_>>();
            filled.environments.insert(name.clone(), ports.clone());
            environments.insert(name.clone(), RunningEnvironment::new(kind, spec, ports));
            environment_children.extend(specs);
        }
        let (agent_children, agents) = Self::agents(config, kinds, each_shard)?;
        facilities.directory.set(filled).expect("set once");
        Ok(Self {
            facilities,
            models,
            workers,
            environment_children,
            environments,
            agent_children,
            agents,
        })
    }

    fn agents<'a>(
        config: &'a Config,
        kinds: &Kinds,
        each_shard: impl Fn(&'a str, usize) -> SeatMaker<'a>,
    ) -> Result<(Vec<ChildSpec>, BTreeMap<String, RunningAgent>), Problems> {
        let load: Load = (0..shards_of(config)).map(|_| AtomicUsize::new(0)).collect();
        let (mut all, mut agents) = (Vec::new(), BTreeMap::new());
        for (name, spec) in &config.agents {
            let kind = kinds.agent_kind(&spec.kind).expect("checked");
            let seats = each_shard(name, Semaphore::MAX_PERMITS);
            let (specs, ports) = seats.children(|seat| (kind.child)(seat, spec))?;
            let environment = &config.environments[&spec.environment];
            let read_target = kinds.environment_kind(&environment.kind).expect("checked").target;
            let metrics = RolloutMetrics::new(name, &spec.environment);
            let names = Names { agent: name.clone(), environment: spec.environment.clone() };
            let dispatcher = Dispatcher::new(names, ports, load.clone(), metrics);
            let rollout_timeout = spec.rollout_timeout.map(TimeSpan::duration);
            agents.insert(name.clone(), RunningAgent { dispatcher, read_target, rollout_timeout });
            all.extend(specs);
        }
        Ok((all, agents))
    }

    /// The tree that starts it all.
    pub(super) fn tree(&self, shutdown_timeout: Duration) -> SupervisorSpec {
        let shutdown = Shutdown::Within(shutdown_timeout);
        let section = |name: &'static str, children: &[ChildSpec]| {
            let children: Vec<_> =
                children.iter().map(|child| child.clone().shutdown(shutdown)).collect();
            ChildSpec::supervisor(name, move || {
                let spec = SupervisorSpec::new(name).intensity(tolerance(children.len()));
                spec.backoff(RESTART_DELAYS).children(children.clone())
            })
        };
        let workers = Some(&self.workers).filter(|workers| !workers.is_empty());
        let root = SupervisorSpec::new("root").child(section("models", &self.models));
        root.children(workers.map(|workers| section("workers", workers))).children([
            section("environments", &self.environment_children),
            section("agents", &self.agent_children),
        ])
    }
}

/// Rollouts wait for an actor that crashes again and again, so it is not kept from them for long.
pub(super) const RESTART_DELAYS: Backoff = Backoff {
    min: Duration::from_millis(10),
    max: Duration::from_secs(1),
    factor: 2.0,
    jitter: 0.2,
    reset_after: Duration::from_secs(10),
};

/// How many restarts a section of the tree tolerates: one of each child at the same time, since
/// everything moves when its shard is lost, and a few more.
fn tolerance(children: usize) -> Intensity {
    let children = u32::try_from(children).unwrap_or(u32::MAX);
    Intensity { max_restarts: children.saturating_add(5), period: Duration::from_secs(10) }
}

/// Makes a component's seat on every shard.
struct SeatMaker<'a> {
    name: &'a str,
    shards: &'a Arc<Shards>,
    facilities: &'a Arc<Facilities>,
    runtime: &'a RuntimeSpec,
    permits: Arc<Semaphore>,
}

impl SeatMaker<'_> {
    /// The component's children, and the ways to them, in the order of the shards.
    fn children<Port>(
        &self,
        child: impl Fn(&Seat<'_>) -> Result<Child<Port>, Vec<Problem>>,
    ) -> Result<(Vec<ChildSpec>, Vec<Port>), Problems> {
        let on_shard = |shard| child(&self.seat(shard)).map_err(Problems::from);
        (0..self.shards.len()).map(on_shard).collect()
    }

    fn seat(&self, shard: usize) -> Seat<'_> {
        Seat {
            name: self.name,
            shard,
            placement: self.shards.placement(shard),
            permits: self.permits.clone(),
            facilities: self.facilities,
            runtime: self.runtime,
        }
    }
}
