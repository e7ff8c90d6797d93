//! What backends have in common: each starts workers, which take executions from their pool's queue.
//!
//! | Backend | A worker is | An execution is |
//! |---|---|---|
//! | [native](super::native) | an interpreter in namespaces | a fork of it, in further ones |
//! | [containers](super::container) | a container that waits | that container, gone with it; another takes its place |
//!
//! Whatever it is, the same frames go to it and come from it, and the same watcher ends it.

use std::fmt;
use std::sync::Arc;

use framework::metrics::WorkerMetrics;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::container::Containers;
use super::execution::Execution;
use super::turns::Lane;
use super::{Limits, Profile, SandboxError, Settings, native};

/// Where foreign code runs.
pub(super) trait Backend: fmt::Debug + Send + Sync {
    /// Starts a worker, and waits until it can take executions.
    fn start(self: Arc<Self>, duty: Duty) -> BoxFuture<'static, Result<Ready, SandboxError>>;
}

/// A worker that can take executions.
pub(super) struct Ready {
    /// Modules of the profile that its interpreter does not have.
    pub(super) missing: Vec<String>,
    /// Serves until nobody needs it or it has died, and tells which. Dropped, it is killed.
    pub(super) serving: BoxFuture<'static, String>,
}

/// An execution to be started.
pub(super) struct Start {
    /// The image that it runs in, where executions have images of their own.
    pub(super) image: Option<String>,
    pub(super) limits: Limits,
    /// Dropped without an answer if its worker died before it began.
    pub(super) reply: oneshot::Sender<Result<Execution, SandboxError>>,
    /// Where its requests take their turns.
    pub(super) lane: Lane,
    /// Held until it has ended.
    pub(super) held: Arc<dyn std::any::Any + Send + Sync>,
}

/// Plans the workers of a profile.
///
/// # Errors
/// Fails if the backend cannot keep foreign code inside, or is not there.
pub(super) fn plan(
    settings: &Settings,
    profile: &Profile,
) -> Result<Arc<dyn Backend>, SandboxError> {
    Ok(match settings.backend.engine() {
        None => Arc::new(native::plan(settings, profile)?),
        Some(engine) => Arc::new(Containers::plan(engine, settings, profile)?),
    })
}

/// What a worker works for. It keeps nobody's pool alive.
#[derive(Clone, Debug)]
pub(super) struct Duty {
    /// Workers wait for work in the order in which they became free.
    pub(super) queue: Arc<tokio::sync::Mutex<mpsc::Receiver<Start>>>,
    pub(super) metrics: WorkerMetrics,
}

impl Duty {
    /// The next execution to be started; none once nobody needs any.
    pub(super) async fn next(&self) -> Option<Start> {
        self.queue.lock().await.recv().await
    }
}
