//! The kinds that a configuration may name: explicit registration, one line each.
//!
//! A registered kind is a handful of functions made from its type, so that everything after this
//! file works with names and handles and knows no type.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::agent::{Agent, AgentActor, AgentPort};
use crate::config::nemo::{Counterpart, Server, Vocabulary};
use crate::config::{
    AgentSpec, EnvironmentSpec, KindNames, ModelSpec, Problem, RuntimeSpec, Settings,
};
use crate::environment::{
    Environment, EnvironmentActor, Evidence, OpenSession, SessionLimits, Sessions, Tools, Workers,
};
use crate::metrics::ModelMetrics;
use crate::model::{Generate, Model, ModelActor};
use crate::supervision::{ActorRef, ChildSpec, Handle, Placement, StartError};
use crate::task::{Row, Target, TargetError};
use crate::wiring::{Facilities, Wiring};

/// The registered kinds.
#[derive(Clone, Debug, Default)]
pub struct Kinds {
    models: BTreeMap<&'static str, ModelKind>,
    environments: BTreeMap<&'static str, EnvironmentKind>,
    agents: BTreeMap<&'static str, AgentKind>,
    counterparts: Vec<Counterpart>,
}

impl Kinds {
    /// No kinds at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers a kind of model.
    #[must_use]
    pub fn model<M: Model>(mut self) -> Self {
        let kind = ModelKind { check: check::<M::Config>, child: model_child::<M> };
        self.models.insert(M::KIND, kind);
        self
    }

    /// Registers a kind of environment.
    #[must_use]
    pub fn environment<E: Environment>(mut self) -> Self {
        let kind = EnvironmentKind {
            check: check::<E::Config>,
            child: environment_child::<E>,
            workers: environment_workers::<E>,
            target: E::target,
            evidence: E::EVIDENCE,
            unreproducible: |settings| E::unreproducible(&settings.parse().ok()?),
            tools: || Tools::<E>::of_environment().specs(),
        };
        self.environments.insert(E::KIND, kind);
        self
    }

    /// Registers a kind of agent.
    #[must_use]
    pub fn agent<A: Agent>(mut self) -> Self {
        let kind = AgentKind { check: check::<A::Config>, child: agent_child::<A> };
        self.agents.insert(A::KIND, kind);
        self
    }

    /// Says what NeMo Gym calls kinds, and what becomes of the keys that it gives them. A kind without an
    /// entry is known by its own name.
    #[must_use]
    pub fn counterparts(mut self, counterparts: &[Counterpart]) -> Self {
        self.counterparts.extend(counterparts);
        self
    }

    /// What configurations of NeMo Gym's are translated to.
    pub(crate) fn vocabulary(&self) -> Vocabulary {
        let models = self.models.iter().map(|(name, kind)| (Server::Model, *name, kind.check));
        let worlds = self.environments.iter();
        let worlds = worlds.map(|(name, kind)| (Server::Resources, *name, kind.check));
        let agents = self.agents.iter().map(|(name, kind)| (Server::Agent, *name, kind.check));
        Vocabulary::new(self.counterparts.clone(), models.chain(worlds).chain(agents))
    }

    /// The names, for checking a configuration and for `rehearsal kinds`.
    pub fn names(&self) -> KindNames {
        let owned = |name: &&'static str| (*name).to_owned();
        KindNames {
            models: self.models.keys().map(owned).collect(),
            environments: self.environments.keys().map(owned).collect(),
            agents: self.agents.keys().map(owned).collect(),
        }
    }

    /// The tools of a kind of environment as a request's `tools` list; `None` for an unknown kind
    /// or one without tools.
    pub fn tools(&self, environment: &str) -> Option<Box<serde_json::value::RawValue>> {
        (self.environments.get(environment)?.tools)()
    }

    pub(crate) fn model_kind(&self, name: &str) -> Option<&ModelKind> {
        self.models.get(name)
    }

    pub(crate) fn environment_kind(&self, name: &str) -> Option<&EnvironmentKind> {
        self.environments.get(name)
    }

    pub(crate) fn agent_kind(&self, name: &str) -> Option<&AgentKind> {
        self.agents.get(name)
    }
}

type Check = fn(&Settings) -> Result<(), Problems>;
type Problems = Vec<Problem>;
/// Makes a component's child, and the way to it, for one shard.
type MakeChild<Spec, Port> = fn(&Seat<'_>, &Spec) -> Result<Child<Port>, Problems>;

#[derive(Clone, Debug)]
pub(crate) struct ModelKind {
    pub(crate) check: Check,
    pub(crate) child: MakeChild<ModelSpec, Handle<Generate>>,
}

#[derive(Clone, Debug)]
pub(crate) struct EnvironmentKind {
    pub(crate) check: Check,
    pub(crate) child: MakeChild<EnvironmentSpec, Handle<OpenSession>>,
    pub(crate) workers: fn(&Seat<'_>, &EnvironmentSpec) -> Result<Vec<ChildSpec>, Problems>,
    pub(crate) target: fn(&Row) -> Result<Target, TargetError>,
    pub(crate) evidence: Evidence,
    /// Why recorded rollouts cannot be scored as they were, if so.
    pub(crate) unreproducible: fn(&Settings) -> Option<&'static str>,
    pub(crate) tools: fn() -> Option<Box<serde_json::value::RawValue>>,
}

#[derive(Clone, Debug)]
pub(crate) struct AgentKind {
    pub(crate) check: Check,
    pub(crate) child: MakeChild<AgentSpec, AgentPort>,
}

/// A component to be started, and the way to it.
pub(crate) type Child<Port> = (ChildSpec, Port);

/// Messages that may wait for an environment or an agent. Senders wait for room, so this bounds memory
/// and refuses nobody.
const MAILBOX: usize = 65_536;

/// Where a component will live.
pub(crate) struct Seat<'a> {
    pub(crate) name: &'a str,
    pub(crate) shard: usize,
    pub(crate) placement: Placement,
    /// How much of its work may be under way at once, over all shards.
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) facilities: &'a Arc<Facilities>,
    pub(crate) runtime: &'a RuntimeSpec,
}

impl Seat<'_> {
    fn wiring(&self, section: &'static str) -> Wiring {
        Wiring::new(section, self.name, self.shard, self.facilities)
    }

    fn actor<A: actix::Actor<Context = crate::supervision::Supervised<A>>>(
        &self,
        section: &str,
        mailbox: usize,
    ) -> ActorRef<A> {
        ActorRef::new(format!("{section}/{}/{}", self.name, self.shard), mailbox)
    }

    fn child<A>(
        &self,
        actor: &ActorRef<A>,
        factory: impl Fn() -> Result<A, StartError> + Send + Sync + 'static,
    ) -> ChildSpec
    where
        A: actix::Actor<Context = crate::supervision::Supervised<A>>,
    {
        let id = format!("{}/{}", self.name, self.shard);
        let spec = ChildSpec::actor(actor, id, self.placement.clone(), factory);
        let RuntimeSpec { start_timeout, hang_after, .. } = self.runtime;
        spec.start_timeout(start_timeout.duration()).hang_after(hang_after.duration())
    }
}

fn check<T: serde::de::DeserializeOwned>(settings: &Settings) -> Result<(), Problems> {
    settings.parse::<T>().map(|_| ())
}

fn model_child<M: Model>(
    seat: &Seat<'_>,
    spec: &ModelSpec,
) -> Result<Child<Handle<Generate>>, Problems> {
    let config: M::Config = spec.settings.parse()?;
    let actor = seat.actor::<ModelActor<M>>("models", spec.mailbox.get());
    let wiring = seat.wiring("models");
    let calls = wiring.calls(spec.max_in_flight);
    let child = seat.child(&actor, move || {
        let model = M::new(config.clone(), &wiring)?;
        Ok(ModelActor::new(model, ModelMetrics::new(wiring.name()), calls.clone()))
    });
    Ok((child, actor.handle()))
}

fn environment_child<E: Environment>(
    seat: &Seat<'_>,
    spec: &EnvironmentSpec,
) -> Result<Child<Handle<OpenSession>>, Problems> {
    let config: E::Config = spec.settings.parse()?;
    let actor = seat.actor::<EnvironmentActor<E>>("environments", MAILBOX);
    let limits = SessionLimits {
        tool: spec.tool_timeout.duration(),
        verify: spec.verify_timeout.duration(),
        idle: spec.session_idle_timeout.unwrap_or(seat.runtime.session_idle_timeout).duration(),
    };
    let sessions = Sessions { permits: seat.permits.clone(), max: spec.max_sessions.get() };
    let wiring = seat.wiring("environments").with_verify_timeout(limits.verify);
    let child = seat.child(&actor, move || {
        let environment = E::new(config.clone(), &wiring)?;
        Ok(EnvironmentActor::new(&wiring, environment, limits, sessions.clone()))
    });
    Ok((child, actor.handle()))
}

/// The actors that serve all instances of an environment.
fn environment_workers<E: Environment>(
    seat: &Seat<'_>,
    spec: &EnvironmentSpec,
) -> Result<Vec<ChildSpec>, Problems> {
    let config: E::Config = spec.settings.parse()?;
    let Seat { placement, runtime, .. } = seat;
    let wiring = seat.wiring("environments");
    let mut workers =
        Workers { wiring, placement: placement.clone(), runtime, children: Vec::new() };
    E::workers(&config, &mut workers);
    Ok(workers.children)
}

fn agent_child<A: Agent>(seat: &Seat<'_>, spec: &AgentSpec) -> Result<Child<AgentPort>, Problems> {
    let config: A::Config = spec.settings.parse()?;
    let actor = seat.actor::<AgentActor<A>>("agents", MAILBOX);
    let wiring = seat.wiring("agents");
    let (model, environment) = (spec.model.clone(), spec.environment.clone());
    let child = seat.child(&actor, move || {
        let ports = wiring.ports(&model, &environment)?;
        Ok(AgentActor::new(A::new(config.clone(), ports, &wiring)?))
    });
    Ok((child, AgentPort { attempt: actor.handle(), record: actor.handle() }))
}
