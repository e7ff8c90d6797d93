//! What a supervisor is made from: child specs and their checks.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use actix::Actor;
use thiserror::Error;

use super::context::Supervised;
use super::decision::{Regime, Rules};
use super::exit::StartError;
use super::placement::Placement;
use super::policy::{AutoShutdown, Backoff, Intensity, Restart, Shutdown, Strategy};
use super::reference::ActorRef;
use super::supervisor::{Crew, Launch};

/// How long a worker may take to stop.
const SHUTDOWN_DEFAULT: Duration = Duration::from_secs(5);
/// How long a worker may take to start.
const START_TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// How one child is started, stopped and restarted.
#[derive(Clone)]
pub struct ChildSpec {
    pub(crate) rules: Rules,
    pub(crate) hang_after: Option<Duration>,
    pub(crate) kind: ChildKind,
}

/// What a child is.
#[derive(Clone)]
pub(crate) enum ChildKind {
    Actor(Arc<dyn Launch>),
    Supervisor(Arc<dyn Fn() -> SupervisorSpec + Send + Sync>),
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl ChildSpec {
    /// An actor, built by `factory` on its arbiter for each incarnation. Permanent; 5 s to stop;
    /// 30 s to start.
    pub fn actor<A>(
        actor: &ActorRef<A>,
        id: impl Into<String>,
        placement: Placement,
        factory: impl Fn() -> Result<A, StartError> + Send + Sync + 'static,
    ) -> Self
    where
        A: Actor<Context = Supervised<A>>,
    {
        let crew = Crew::new(actor.mailbox().clone(), placement, Arc::new(factory));
        let kind = ChildKind::Actor(Arc::new(crew));
        let shutdown = Shutdown::Within(SHUTDOWN_DEFAULT);
        Self::new(id.into(), kind, shutdown, Some(START_TIMEOUT_DEFAULT))
    }

    /// A supervisor, with a spec made anew for each incarnation. Permanent; no limit to stop or
    /// start, since its children have theirs.
    pub fn supervisor(
        id: impl Into<String>,
        make: impl Fn() -> SupervisorSpec + Send + Sync + 'static,
    ) -> Self {
        Self::new(id.into(), ChildKind::Supervisor(Arc::new(make)), Shutdown::Infinity, None)
    }

    fn new(
        id: String,
        kind: ChildKind,
        shutdown: Shutdown,
        start_timeout: Option<Duration>,
    ) -> Self {
        let restart = Restart::Permanent;
        let rules = Rules { id, restart, shutdown, is_significant: false, start_timeout };
        Self { rules, hang_after: None, kind }
    }

    /// The name of the child among its siblings.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.rules.id
    }

    /// Sets whether the child is restarted after its end.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.rules.restart = restart;
        self
    }

    /// Sets how the child is stopped.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.rules.shutdown = shutdown;
        self
    }

    /// Makes the child count for its supervisor's [`AutoShutdown`].
    #[must_use]
    pub fn significant(mut self) -> Self {
        self.rules.is_significant = true;
        self
    }

    /// Has the child killed, and built elsewhere, when it makes no progress for so long: when its
    /// thread is blocked, by itself or by somebody else on it, or when it waits for one future
    /// (`ctx.wait`, `AtomicResponse`) without an end. An idle actor makes no progress and does not
    /// hang; neither does one with running [`Task`]s.
    ///
    /// [`Task`]: super::Task
    #[must_use]
    pub fn hang_after(mut self, limit: Duration) -> Self {
        self.hang_after = Some(limit);
        self
    }

    /// Sets how long the child may take until it is up.
    #[must_use]
    pub fn start_timeout(mut self, limit: Duration) -> Self {
        self.rules.start_timeout = Some(limit);
        self
    }
}

/// What is wrong with a spec.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum SpecError {
    /// Two children have one id.
    #[error("supervisor `{supervisor}` has two children with the id `{id}`")]
    DuplicateChild {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The id.
        id: String,
    },
    /// The intensity's period is zero.
    #[error("supervisor `{supervisor}` has an intensity with a period of zero")]
    ZeroPeriod {
        /// The supervisor.
        supervisor: Arc<str>,
    },
    /// The back-off makes no sense.
    #[error("supervisor `{supervisor}` has a backoff whose `{field}` is {value}")]
    Backoff {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The field at fault.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// A permanent child is significant, though it never ends.
    #[error("child `{id}` of supervisor `{supervisor}` is both permanent and significant")]
    SignificantPermanent {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        id: String,
    },
    /// A significant child where nothing depends on it.
    #[error("child `{id}` is significant, but supervisor `{supervisor}` never shuts down for it")]
    SignificantInVain {
        /// The supervisor.
        supervisor: Arc<str>,
        /// The child.
        id: String,
    },
}

impl SpecError {
    /// What the reader can do.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::DuplicateChild { .. } => "give each child of a supervisor an id of its own",
            Self::ZeroPeriod { .. } => {
                "use a period above zero; `max_restarts: 0` forbids restarts"
            }
            Self::Backoff { .. } => "use min <= max, factor >= 1 and jitter from 0 to 1",
            Self::SignificantPermanent { .. } => "make it transient or temporary",
            Self::SignificantInVain { .. } => {
                "set `auto_shutdown`, or do not mark the child as significant"
            }
        }
    }
}

/// A supervisor that can be started: rules and children, in start order.
#[derive(Clone, Debug)]
pub struct SupervisorSpec {
    pub(crate) name: Arc<str>,
    pub(crate) regime: Regime,
    pub(crate) children: Vec<ChildSpec>,
}

impl SupervisorSpec {
    /// A supervisor of no children yet: `one_for_one`, one restart in five seconds.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), regime: Regime::default(), children: Vec::new() }
    }

    /// Sets which siblings are restarted with a child.
    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.regime.strategy = strategy;
        self
    }

    /// Sets how many restarts are tolerated.
    #[must_use]
    pub fn intensity(mut self, intensity: Intensity) -> Self {
        self.regime.intensity = intensity;
        self
    }

    /// Sets the delays before restarts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.regime.backoff = backoff;
        self
    }

    /// Sets whether the end of significant children ends the supervisor.
    #[must_use]
    pub fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.regime.auto_shutdown = auto_shutdown;
        self
    }

    /// Adds a child at the end of the start order.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// Adds children at the end of the start order.
    #[must_use]
    pub fn children(mut self, children: impl IntoIterator<Item = ChildSpec>) -> Self {
        self.children.extend(children);
        self
    }

    /// Checks the spec. A spec that was not checked is checked when it is started.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn build(self) -> Result<Self, SpecError> {
        self.check_regime()?;
        let mut ids = HashSet::new();
        for child in &self.children {
            if !ids.insert(child.id()) {
                let (supervisor, id) = (self.name.clone(), child.id().to_owned());
                return Err(SpecError::DuplicateChild { supervisor, id });
            }
            self.check_child(child)?;
        }
        Ok(self)
    }

    fn check_regime(&self) -> Result<(), SpecError> {
        let supervisor = self.name.clone();
        if self.regime.intensity.period.is_zero() {
            return Err(SpecError::ZeroPeriod { supervisor });
        }
        let backoff = self.regime.backoff;
        let (field, value) = if backoff.factor.is_nan() || backoff.factor < 1.0 {
            ("factor", backoff.factor.to_string())
        } else if !(0.0..=1.0).contains(&backoff.jitter) {
            ("jitter", backoff.jitter.to_string())
        } else if backoff.min > backoff.max {
            ("min", format!("{:?}, above `max` ({:?})", backoff.min, backoff.max))
        } else {
            return Ok(());
        };
        Err(SpecError::Backoff { supervisor, field, value })
    }

    pub(crate) fn check_child(&self, child: &ChildSpec) -> Result<(), SpecError> {
        check_significance(&self.name, self.regime.auto_shutdown, child)
    }
}

/// Checks what a child's significance means under a supervisor's rule.
pub(crate) fn check_significance(
    supervisor: &Arc<str>,
    auto_shutdown: AutoShutdown,
    child: &ChildSpec,
) -> Result<(), SpecError> {
    if !child.rules.is_significant {
        return Ok(());
    }
    let (supervisor, id) = (supervisor.clone(), child.id().to_owned());
    if child.rules.restart == Restart::Permanent {
        return Err(SpecError::SignificantPermanent { supervisor, id });
    }
    if auto_shutdown == AutoShutdown::Never {
        return Err(SpecError::SignificantInVain { supervisor, id });
    }
    Ok(())
}
