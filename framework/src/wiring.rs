//! How components find each other: by name, through handles that exist before anybody has started.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Semaphore;

use crate::agent::{EnvironmentPort, Ports};
use crate::config::{RuntimeSpec, verify_timeout};
use crate::cpu::{CpuPool, Pool};
use crate::endpoint::{BreakerConfig, BudgetConfig, Endpoint, EndpointStatus};
use crate::metrics::EndpointMetrics;
use crate::model::ModelPort;
use crate::supervision::StartError;

/// Why a component cannot be built from its settings.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    message: String,
}

impl BuildError {
    /// An error that says which setting is wrong and what to do.
    pub fn new(message: impl fmt::Display) -> Self {
        Self { message: message.to_string() }
    }
}

impl From<BuildError> for StartError {
    fn from(error: BuildError) -> Self {
        Self::failed(error.message)
    }
}

/// The handles of every component, per shard.
#[derive(Debug, Default)]
pub(crate) struct Directory {
    pub(crate) models: BTreeMap<String, Vec<ModelPort>>,
    pub(crate) environments: BTreeMap<String, Vec<EnvironmentPort>>,
}

/// What all components of a runtime share.
#[derive(Debug)]
pub(crate) struct Facilities {
    pub(crate) directory: OnceLock<Directory>,
    pub(crate) cpu: Arc<Pool>,
    endpoints: Mutex<BTreeMap<EndpointKey, Arc<Endpoint>>>,
    permits: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

/// The path of the component that asks, and the name of what is asked.
type EndpointKey = (String, String);

impl Facilities {
    /// Facilities with no component to find yet.
    pub(crate) fn new(runtime: &RuntimeSpec) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads_max = runtime.cpu_threads.map_or_else(cores, NonZeroUsize::get);
        let cpu = Pool::new(threads_max, runtime.cpu_queue.get());
        let directory = OnceLock::new();
        Self { directory, cpu, endpoints: Mutex::default(), permits: Mutex::default() }
    }

    /// How all endpoints stand.
    pub(crate) fn endpoints(&self) -> Vec<EndpointStatus> {
        let endpoints = self.endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        endpoints.values().map(|endpoint| endpoint.status()).collect()
    }
}

/// What a component being built may ask for.
#[derive(Clone, Debug)]
pub struct Wiring {
    section: &'static str,
    name: Arc<str>,
    shard: usize,
    verify_timeout: Duration,
    facilities: Arc<Facilities>,
}

impl Wiring {
    /// Wiring for a component in a section of the configuration.
    pub(crate) fn new(
        section: &'static str,
        name: &str,
        shard: usize,
        facilities: &Arc<Facilities>,
    ) -> Self {
        let (name, facilities) = (name.into(), facilities.clone());
        Self { section, name, shard, verify_timeout: verify_timeout().duration(), facilities }
    }

    /// The same, for an environment whose verifier has that much time.
    pub(crate) fn with_verify_timeout(self, verify_timeout: Duration) -> Self {
        Self { verify_timeout, ..self }
    }

    /// Wiring with no components to find, for tests of a component on its own.
    pub fn detached(name: &str) -> Self {
        let facilities = Facilities::new(&RuntimeSpec::default());
        facilities.directory.set(Directory::default()).expect("it is empty");
        Self::new("components", name, 0, &Arc::new(facilities))
    }

    /// The component's name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shard that it is built for.
    pub fn shard(&self) -> usize {
        self.shard
    }

    /// How long one verification of this environment may take: its `verify_timeout`. Whoever ends a
    /// little earlier can say how far it came.
    pub fn verify_timeout(&self) -> Duration {
        self.verify_timeout
    }

    /// The model of that name, on the same shard; a judge, for example.
    ///
    /// # Errors
    /// Fails if the configuration has no such model.
    pub fn model(&self, name: &str) -> Result<ModelPort, BuildError> {
        let ports = self.directory().models.get(name);
        let port = ports.and_then(|ports| ports.get(self.shard));
        port.cloned().ok_or_else(|| {
            let known: Vec<_> = self.directory().models.keys().map(String::as_str).collect();
            let known = known.join("`, `");
            BuildError::new(format_args!("there is no model `{name}`; there are `{known}`"))
        })
    }

    /// The component's door to the threads for work that keeps a processor busy for more than about
    /// half a millisecond.
    pub fn cpu(&self) -> CpuPool {
        self.facilities.cpu.door(&self.name)
    }

    /// The health of the endpoint that this model asks: one for all shards, kept when the model is
    /// rebuilt. The first caller's limits hold.
    pub fn endpoint(&self, breaker: BreakerConfig, budget: BudgetConfig) -> Arc<Endpoint> {
        let metrics = || EndpointMetrics::of_model(&self.name);
        self.endpoint_of(&self.name, metrics, breaker, budget)
    }

    /// The health of an external service that this component asks, such as a search API, under a name
    /// that tells it from the component's others. Like [`endpoint`](Self::endpoint) otherwise.
    pub fn service(
        &self,
        service: &str,
        breaker: BreakerConfig,
        budget: BudgetConfig,
    ) -> Arc<Endpoint> {
        let metrics = || EndpointMetrics::of_service(&self.name, service);
        self.endpoint_of(service, metrics, breaker, budget)
    }

    fn endpoint_of(
        &self,
        name: &str,
        metrics: impl FnOnce() -> EndpointMetrics,
        breaker: BreakerConfig,
        budget: BudgetConfig,
    ) -> Arc<Endpoint> {
        let path = format!("{}/{}", self.section, self.name);
        let endpoints = &self.facilities.endpoints;
        let mut endpoints = endpoints.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (path.clone(), name.to_owned());
        let new = || Arc::new(Endpoint::new(&path, name, metrics(), breaker, budget));
        endpoints.entry(key).or_insert_with(new).clone()
    }

    /// How much of something this component may have under way at once: one limit for all shards,
    /// kept when the component is rebuilt. The first caller's number holds.
    pub fn permits(&self, at_once: NonZeroUsize) -> Arc<Semaphore> {
        let permits = &self.facilities.permits;
        let mut permits = permits.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Semaphore::new(at_once.get().min(Semaphore::MAX_PERMITS)));
        let path = format!("{}/{}", self.section, self.name);
        permits.entry(path).or_insert_with(new).clone()
    }

    /// What an agent is wired to.
    pub(crate) fn ports(&self, model: &str, environment: &str) -> Result<Ports, BuildError> {
        let ports = self.directory().environments.get(environment);
        let port = ports.and_then(|ports| ports.get(self.shard)).cloned();
        let unknown = || BuildError::new(format_args!("there is no environment `{environment}`"));
        Ok(Ports { model: self.model(model)?, environment: port.ok_or_else(unknown)? })
    }

    fn directory(&self) -> &Directory {
        self.facilities
            .directory
            .get()
            .expect("the directory is filled before any component is built")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_of_each_component_has_a_health_of_its_own_kept_for_its_next_life() {
        let facilities = Arc::new(Facilities::new(&RuntimeSpec::default()));
        let wiring = |section, shard| Wiring::new(section, "x", shard, &facilities);
        let service = |wiring: &Wiring, name| {
            wiring.service(name, BreakerConfig::default(), BudgetConfig::default())
        };
        let (first, again) = (wiring("environments", 0), wiring("environments", 1));
        let search = service(&first, "search");
        assert!(Arc::ptr_eq(&search, &service(&again, "search")));
        assert!(!Arc::ptr_eq(&search, &service(&first, "fetch")));
        assert!(!Arc::ptr_eq(&search, &service(&wiring("agents", 0), "search")));
        wiring("models", 0).endpoint(BreakerConfig::default(), BudgetConfig::default());
        let known = facilities.endpoints();
        let known: Vec<_> = known.iter().map(|it| (&*it.component, &*it.name)).collect();
        let expected = [
            ("agents/x", "search"),
            ("environments/x", "fetch"),
            ("environments/x", "search"),
            ("models/x", "x"),
        ];
        assert_eq!(known, expected);
    }
}
