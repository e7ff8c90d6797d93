//! Actors that serve all instances of an environment: those of its worker processes, above all.

use actix::Actor;

use crate::config::RuntimeSpec;
use crate::supervision::{ActorRef, ChildSpec, Placement, StartError, Supervised};
use crate::wiring::Wiring;

/// Messages that may wait for a worker's actor.
const MAILBOX: usize = 1024;

/// The children of the `workers` section that an environment adds. They live on a thread beside the
/// shards, so that a blocked shard does not keep them from what they watch over.
#[derive(Debug)]
pub struct Workers<'a> {
    pub(crate) wiring: Wiring,
    pub(crate) placement: Placement,
    pub(crate) runtime: &'a RuntimeSpec,
    pub(crate) children: Vec<ChildSpec>,
}

impl Workers<'_> {
    /// What the environment may ask for, the same for its workers as for its instances.
    pub fn wiring(&self) -> &Wiring {
        &self.wiring
    }

    /// Adds an actor, built by `factory` for each of its lives, as `workers/<environment>/<number>`.
    pub fn add<A>(&mut self, factory: impl Fn() -> Result<A, StartError> + Send + Sync + 'static)
    where
        A: Actor<Context = Supervised<A>>,
    {
        let id = format!("{}/{}", self.wiring.name(), self.children.len());
        let actor = ActorRef::new(format!("workers/{id}"), MAILBOX);
        let child = ChildSpec::actor(&actor, id, self.placement.clone(), factory);
        self.children.push(child.start_timeout(self.runtime.start_timeout.duration()));
    }
}
